//! What the tests share: servers that play cameras, and a shop with one receiver.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use shopguide::camera::settings::{CameraSettings, Source, Url};
use shopguide::camera::{
    CameraHealth, CameraState, Cameras, Frame, Mailbox, NEVER_LOGGED, Received, Receiver,
};
use shopguide::clock::Clock;
use shopguide::id::{CameraId, ZoneId};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

pub const DEADLINE: Duration = Duration::from_secs(60);
pub const SECRET: &str = "hush-hush";

/// A scene with something that moves from frame to frame.
pub fn picture(width: u32, height: u32, step: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| {
        let shelf = 80 + 70 * ((x / 40 + y / 60) % 2) as u8;
        let body = (x + width - step * 37 % width) % width < width / 6 && y > height / 3;
        if body {
            Rgb([30, 20, (x % 256) as u8])
        } else {
            Rgb([shelf, shelf.saturating_add((y % 9) as u8), shelf])
        }
    });
    coded(&image)
}

pub fn coded(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(image).unwrap();
    bytes
}

/// A one-purpose HTTP server: `answer` gets each connection's request and its number.
pub fn serve(
    answer: impl Fn(&mut TcpStream, &str, u32) -> std::io::Result<()> + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (answer, count) = (Arc::new(answer), AtomicU32::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), answer) = (stream, answer.clone()) else { continue };
            let number = count.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    request.push(byte[0]);
                }
                let _ = answer(&mut stream, &String::from_utf8_lossy(&request), number);
            });
        }
    });
    port
}

pub fn begin(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
}

pub fn send(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let head = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", bytes.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(bytes)?;
    stream.write_all(b"\r\n")?;
    std::thread::sleep(Duration::from_millis(40));
    Ok(())
}

pub fn id(name: &str) -> CameraId {
    CameraId::new(name).unwrap()
}

pub fn settings(name: &str, source: Source) -> CameraSettings {
    CameraSettings {
        id: id(name),
        zone: ZoneId::new("tea").unwrap(),
        source,
        max_fps: 20.0,
        motion: 0.0,
        silence: Duration::from_secs(2),
    }
}

pub fn mjpeg(port: u16) -> Source {
    Source::Mjpeg { url: Url::new(format!("http://admin:{SECRET}@127.0.0.1:{port}/video?key={SECRET}")) }
}

/// Cameras with one receiver.
pub struct Shop {
    pub cameras: Cameras,
    pub receiver: Receiver,
}

impl Shop {
    pub fn open(settings: &[CameraSettings]) -> Shop {
        log();
        let mailbox = Mailbox::new();
        let receiver = mailbox.receiver();
        Shop {
            cameras: Cameras::start(settings, Clock::system(), mailbox, HashMap::new()).unwrap(),
            receiver,
        }
    }

    pub fn health(&self, name: &str) -> CameraHealth {
        self.cameras.health().into_iter().find(|h| h.id == id(name)).unwrap()
    }

    pub fn frame(&mut self) -> Frame {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.receiver.recv_timeout(Duration::from_millis(200)) {
                Received::Frame(frame) => return frame,
                _ => assert!(Instant::now() < end, "no frame came: {:?}", self.cameras.health()),
            }
        }
    }

    /// Waits until the camera's health is as `wanted`; tells how long that took.
    pub fn until(&mut self, name: &str, wanted: impl Fn(&CameraHealth) -> bool) -> (CameraHealth, Duration) {
        let begin = Instant::now();
        loop {
            let health = self.health(name);
            if wanted(&health) {
                return (health, begin.elapsed());
            }
            assert!(begin.elapsed() < DEADLINE, "never came: {health:?}");
            self.receiver.recv_timeout(Duration::from_millis(20));
        }
    }

    pub fn until_state(&mut self, name: &str, state: CameraState) -> CameraHealth {
        self.until(name, |h| h.state == state).0
    }
}

/// Everything that the program logs, from the first call on.
fn log() -> Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    struct Sink(Arc<Mutex<Vec<u8>>>);
    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    LOG.get_or_init(|| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = log.clone();
        // as loud as can be, but for those that log everything they carry
        let filter =
            NEVER_LOGGED.iter().fold("trace".to_owned(), |all, target| format!("{all},{target}=off"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(move || Sink(sink.clone()))
            .init();
        log
    })
    .clone()
}

pub fn logged() -> String {
    String::from_utf8_lossy(&log().lock().unwrap()).into_owned()
}

pub fn assert_no_secret(shop: &Shop) {
    let health = serde_json::to_string(&shop.cameras.health()).unwrap();
    assert!(!health.contains(SECRET), "{health}");
    let text = logged();
    let line = text.lines().find(|line| line.contains(SECRET));
    assert!(line.is_none(), "logged: {}", line.unwrap_or_default());
    assert!(text.contains("camera"), "the log was not captured");
}
