//! Cameras as an administrator meets them: real HTTP servers, a real ffmpeg, real folders, and
//! everything that goes wrong with them. Only the deadlines here are about time, and they are
//! generous; a slow machine makes these tests slow, not red.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use shopguide::camera::settings::{CameraSettings, Source, Url};
use shopguide::camera::{
    CameraHealth, CameraState, Cameras, Frame, Mailbox, NEVER_LOGGED, PostError, Received, Receiver,
    StartError,
};
use shopguide::clock::Clock;
use shopguide::id::{CameraId, ZoneId};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);
const SECRET: &str = "hush-hush";

/// A scene with something that moves from frame to frame.
fn picture(width: u32, height: u32, step: u32) -> Vec<u8> {
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

fn coded(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(image).unwrap();
    bytes
}

/// A one-purpose HTTP server: `answer` gets each connection's request and its number.
fn serve(answer: impl Fn(&mut TcpStream, &str, u32) -> std::io::Result<()> + Send + Sync + 'static) -> u16 {
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

fn begin(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let head = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", bytes.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(bytes)?;
    stream.write_all(b"\r\n")?;
    std::thread::sleep(Duration::from_millis(40));
    Ok(())
}

fn id(name: &str) -> CameraId {
    CameraId::new(name).unwrap()
}

fn settings(name: &str, source: Source) -> CameraSettings {
    CameraSettings {
        id: id(name),
        zone: ZoneId::new("tea").unwrap(),
        source,
        max_fps: 20.0,
        motion: 0.0,
        silence: Duration::from_secs(2),
    }
}

fn mjpeg(port: u16) -> Source {
    Source::Mjpeg { url: Url::new(format!("http://admin:{SECRET}@127.0.0.1:{port}/video?key={SECRET}")) }
}

/// Cameras with one receiver.
struct Shop {
    cameras: Cameras,
    receiver: Receiver,
}

impl Shop {
    fn open(settings: &[CameraSettings]) -> Shop {
        log();
        let mailbox = Mailbox::new();
        let receiver = mailbox.receiver();
        Shop {
            cameras: Cameras::start(settings, Clock::system(), mailbox, HashMap::new()).unwrap(),
            receiver,
        }
    }

    fn health(&self, name: &str) -> CameraHealth {
        self.cameras.health().into_iter().find(|h| h.id == id(name)).unwrap()
    }

    fn frame(&mut self) -> Frame {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.receiver.recv_timeout(Duration::from_millis(200)) {
                Received::Frame(frame) => return frame,
                _ => assert!(Instant::now() < end, "no frame came: {:?}", self.cameras.health()),
            }
        }
    }

    /// Waits until the camera's health is as `wanted`; tells how long that took.
    fn until(&mut self, name: &str, wanted: impl Fn(&CameraHealth) -> bool) -> (CameraHealth, Duration) {
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

    fn until_state(&mut self, name: &str, state: CameraState) -> CameraHealth {
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

fn logged() -> String {
    String::from_utf8_lossy(&log().lock().unwrap()).into_owned()
}

fn assert_no_secret(shop: &Shop) {
    let health = serde_json::to_string(&shop.cameras.health()).unwrap();
    assert!(!health.contains(SECRET), "{health}");
    let text = logged();
    let line = text.lines().find(|line| line.contains(SECRET));
    assert!(line.is_none(), "logged: {}", line.unwrap_or_default());
    assert!(text.contains("camera"), "the log was not captured");
}

#[test]
fn a_camera_that_goes_silent_bad_and_black_is_noticed_each_time_and_comes_back() {
    // connection 0: good, then silent; 1: good, then garbage; 2: good, then black
    let port = serve(|stream, request, number| {
        assert!(request.contains("authorization: Basic YWRtaW46aHVzaC1odXNo"), "{request}");
        begin(stream)?;
        for step in 0..16 {
            send(stream, &picture(320, 240, step))?;
        }
        match number {
            0 => Ok(std::thread::sleep(DEADLINE)),
            1 => loop {
                send(stream, b"<html>camera is busy</html>")?;
            },
            _ => loop {
                send(stream, &coded(&RgbImage::from_pixel(320, 240, Rgb([2, 2, 2]))))?;
            },
        }
    });
    let mut shop = Shop::open(&[settings("door", mjpeg(port))]);
    let frame = shop.frame();
    assert_eq!(
        (frame.camera.as_str(), frame.zone.as_str(), frame.image.dimensions()),
        ("door", "tea", (320, 240))
    );

    shop.until_state("door", CameraState::Live);
    let silent = shop.until_state("door", CameraState::Silent);
    assert!(silent.advice.unwrap().contains("network"), "{silent:?}");
    shop.until_state("door", CameraState::Live);
    let garbage = shop.until_state("door", CameraState::Garbage);
    assert!(garbage.error.unwrap().contains("web page"));
    shop.until_state("door", CameraState::Live);
    shop.until_state("door", CameraState::Black);
    assert_no_secret(&shop);
    shop.cameras.stop();
}

#[test]
fn a_server_that_closes_and_refuses_is_opened_again() {
    let port = serve(|stream, _, number| {
        if number == 1 {
            return stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        }
        begin(stream)?;
        for step in 0.. {
            send(stream, &picture(320, 240, step))?;
            if step > 15 && number == 0 {
                break;
            }
        }
        Ok(())
    });
    let mut shop = Shop::open(&[settings("door", mjpeg(port))]);
    shop.until_state("door", CameraState::Live);
    let lost = shop.until_state("door", CameraState::Lost);
    assert!(lost.error.unwrap().contains("ended its stream"));
    let (refused, _) = shop.until("door", |h| h.error.as_ref().is_some_and(|e| e.contains("503")));
    assert!(refused.retry_in.is_some());
    let live = shop.until_state("door", CameraState::Live);
    assert_eq!((live.error, live.counts.reopened), (None, 1));
    assert_no_secret(&shop);
    shop.cameras.stop();
}

#[test]
fn silence_is_noticed_in_time_and_others_go_on() {
    let silent = serve(|stream, _, _| {
        begin(stream)?;
        send(stream, &picture(320, 240, 0))?;
        // a trickle of bytes is no frame
        loop {
            stream.write_all(b"-")?;
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let good = serve(|stream, _, _| {
        begin(stream)?;
        for step in 0.. {
            send(stream, &picture(320, 240, step))?;
        }
        Ok(())
    });
    let never = serve(|_, _, _| Ok(std::thread::sleep(DEADLINE)));
    let mut shop = Shop::open(&[
        settings("silent", mjpeg(silent)),
        settings("good", mjpeg(good)),
        settings("never", mjpeg(never)),
        settings("nobody", mjpeg(1)),
    ]);
    shop.until_state("good", CameraState::Live);
    shop.until_state("nobody", CameraState::Lost);
    shop.until_state("silent", CameraState::Silent);
    shop.until_state("never", CameraState::Silent);
    let before = shop.health("good").counts.frames;
    shop.until("good", |h| h.counts.frames > before + 10);
    assert_eq!(shop.health("good").state, CameraState::Live);
    assert_no_secret(&shop);

    // threads that sleep in a read, in a backoff and in a connection are back soon
    let begin = Instant::now();
    shop.cameras.stop();
    assert!(begin.elapsed() < Duration::from_secs(5), "stopping took {:?}", begin.elapsed());
    assert!(matches!(shop.receiver.recv_timeout(DEADLINE), Received::Closed));
    assert!(shop.cameras.health().is_empty());
}

#[test]
fn what_is_not_mjpeg_is_named() {
    let port = serve(|stream, request, _| {
        let (kind, status) = match request.split_whitespace().nth(1) {
            Some("/snap") => ("image/jpeg", "200 OK"),
            Some("/page") => ("text/html", "200 OK"),
            _ => ("text/plain", "401 Unauthorized"),
        };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\nno")
    });
    let source =
        |path: &str| Source::Mjpeg { url: Url::new(format!("http://u:{SECRET}@127.0.0.1:{port}/{path}")) };
    let mut shop = Shop::open(&[
        settings("snap", source("snap")),
        settings("page", source("page")),
        settings("locked", source("x")),
    ]);
    for (camera, words) in [
        ("snap", "use the snapshot source"),
        ("page", "it is a web page"),
        ("locked", "check user and password"),
    ] {
        let (health, _) = shop.until(camera, |h| h.error.is_some());
        assert!(health.error.as_ref().unwrap().contains(words), "{health:?}");
    }
    assert_no_secret(&shop);
}

#[test]
fn snapshots_come_at_their_interval_and_too_large_ones_are_refused() {
    let port = serve(|stream, request, number| {
        assert!(request.starts_with("GET /snap.jpg HTTP/1.1"), "{request}");
        let body = picture(320, 240, number);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
        stream.write_all(&body)
    });
    let large = serve(|stream, _, _| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 65536])?;
        }
    });
    let every = Duration::from_millis(100);
    let snapshot =
        |port: u16| Source::Snapshot { url: Url::new(format!("http://127.0.0.1:{port}/snap.jpg")), every };
    let mut shop = Shop::open(&[settings("door", snapshot(port)), settings("large", snapshot(large))]);
    let first = shop.frame();
    let begin = Instant::now();
    let fifth = loop {
        let frame = shop.frame();
        if frame.sequence >= first.sequence + 5 {
            break frame;
        }
    };
    assert!(begin.elapsed() >= Duration::from_millis(300), "faster than its interval");
    assert!(fifth.captured.mono > first.captured.mono);
    let lost = shop.until_state("large", CameraState::Lost);
    assert!(lost.error.unwrap().contains("larger than request limit"));
}

#[test]
fn a_folder_skips_its_bad_files_and_comes_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    for n in 0..10 {
        write(&format!("frame-{n}.jpg"), &picture(320, 240, n));
    }
    write("frame-3b.jpg", b"not a picture");
    write("frame-5b.jpg", &picture(320, 240, 5)[..500]);
    write("frame-7b.png", b"");
    write("notes.txt", b"left out");
    let folder = |repeat| Source::Folder { path: dir.path().to_owned(), fps: Some(20.0), repeat };
    let mut shop = Shop::open(&[settings("once", folder(false)), settings("again", folder(true))]);
    let ended = shop.until_state("once", CameraState::Ended);
    assert_eq!((ended.counts.frames, ended.counts.decoded, ended.counts.undecodable), (13, 10, 3));
    assert_eq!((ended.error, ended.retry_in), (None, None));
    let (again, _) = shop.until("again", |h| h.counts.frames > 40);
    assert_eq!(again.state, CameraState::Live);
    // once for each of the two cameras, however often the second came by
    let text = logged();
    assert_eq!(text.lines().filter(|l| l.contains("frame-5b.jpg") && l.contains("cut off")).count(), 2);
}

#[test]
fn a_browser_posts_frames_and_hears_what_is_wrong_with_them() {
    let mut slow = settings("kiosk", Source::Browser);
    slow.silence = Duration::from_millis(500);
    let mut shop = Shop::open(&[slow, settings("door", mjpeg(1))]);
    shop.until_state("kiosk", CameraState::Silent);
    shop.cameras.post(&id("kiosk"), picture(320, 240, 1)).unwrap();
    assert_eq!(shop.frame().camera, id("kiosk"));
    assert_eq!(
        shop.cameras.post(&id("nobody"), picture(64, 64, 1)),
        Err(PostError::NoSuchCamera(id("nobody")))
    );
    assert_eq!(shop.cameras.post(&id("door"), picture(64, 64, 1)), Err(PostError::NotABrowser(id("door"))));
    let error = shop.cameras.post(&id("kiosk"), b"{\"image\":1}".to_vec()).unwrap_err();
    assert!(error.to_string().contains("text"), "{error}");
    // a page that is closed and opened again is live at once, without waiting for a retry
    shop.until_state("kiosk", CameraState::Silent);
    shop.cameras.post(&id("kiosk"), picture(320, 240, 2)).unwrap();
    shop.frame();
    assert_eq!(shop.health("kiosk").counts.reopened, 0);
}

#[test]
fn the_demo_renders_until_its_scene_is_over() {
    let mailbox = Mailbox::new();
    let mut step = 0;
    let feed: shopguide::camera::DemoFeed = Box::new(move || {
        step += 1;
        (step <= 12).then(|| picture(320, 240, step))
    });
    let one = [settings("stage", Source::Demo)];
    let without = Cameras::start(&one, Clock::system(), mailbox.clone(), HashMap::new());
    assert!(matches!(without, Err(StartError::NoFeed(_))));
    let receiver = mailbox.receiver();
    let feeds = HashMap::from([(id("stage"), feed)]);
    let mut shop = Shop { cameras: Cameras::start(&one, Clock::system(), mailbox, feeds).unwrap(), receiver };
    let ended = shop.until_state("stage", CameraState::Ended);
    assert_eq!((ended.counts.frames, ended.counts.decoded + ended.counts.limited), (12, 12));
}

#[test]
fn a_reload_touches_only_the_cameras_that_changed() {
    let port = serve(|stream, _, _| {
        begin(stream)?;
        for step in 0.. {
            send(stream, &picture(320, 240, step))?;
        }
        Ok(())
    });
    let mut all = [settings("a", mjpeg(port)), settings("b", mjpeg(port)), settings("c", mjpeg(port))];
    let mut shop = Shop::open(&all);
    for camera in ["a", "b", "c"] {
        shop.until(camera, |h| h.counts.frames > 5);
    }
    let before = shop.health("a").counts.frames;
    all[1].max_fps = 3.0;
    all[2].id = id("d");
    assert_eq!(shop.cameras.replace(&all).unwrap(), [id("b"), id("c"), id("d")]);
    assert!(shop.health("a").counts.frames >= before);
    shop.until_state("d", CameraState::Live);
    assert_eq!(shop.cameras.health().len(), 3);
    let twice = [all[0].clone(), all[0].clone()];
    assert!(matches!(shop.cameras.replace(&twice), Err(StartError::Twice(_))));
    assert_eq!(shop.cameras.health().len(), 3, "a bad reload changed something");
}

#[test]
fn a_still_scene_costs_few_frames_and_a_moving_one_all() {
    let still = serve(|stream, _, _| {
        begin(stream)?;
        loop {
            send(stream, &picture(320, 240, 1))?;
        }
    });
    let moving = serve(|stream, _, _| {
        begin(stream)?;
        for step in 0.. {
            send(stream, &picture(320, 240, step))?;
        }
        Ok(())
    });
    let gated = |name, port| CameraSettings { motion: 0.004, ..settings(name, mjpeg(port)) };
    let mut shop = Shop::open(&[gated("still", still), gated("moving", moving)]);
    let (quiet, _) = shop.until("still", |h| h.counts.frames > 150);
    let (busy, _) = shop.until("moving", |h| h.counts.frames > 150);
    assert!(quiet.counts.gated > 40, "{quiet:?}");
    assert!(
        quiet.counts.decoded <= quiet.counts.delivered + 1,
        "the same bytes were decoded for nothing: {quiet:?}"
    );
    assert_eq!(busy.counts.gated, 0, "{busy:?}");
}

/// Runs ffmpeg; false (and a line that says so) where there is none.
fn ffmpeg(args: &[&str]) -> bool {
    match Command::new("ffmpeg").args(["-nostdin", "-loglevel", "error", "-y"]).args(args).output() {
        Ok(output) => {
            assert!(output.status.success(), "ffmpeg {args:?}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(error) => {
            eprintln!("skipped: ffmpeg cannot be run here ({error})");
            false
        }
    }
}

fn film(path: &Path, seconds: u32) -> bool {
    let input = format!("testsrc=size=320x240:rate=15:duration={seconds}");
    ffmpeg(&["-f", "lavfi", "-i", &input, "-c:v", "mpeg4", path.to_str().unwrap()])
}

#[test]
fn a_film_is_played_through_ffmpeg_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a film.mp4");
    if !film(&path, 3) {
        return;
    }
    let input = Url::new(path.to_str().unwrap());
    let source = Source::Ffmpeg { input, input_args: vec!["-re".into()] };
    let mut shop = Shop::open(&[settings("film", source)]);
    assert_eq!(shop.frame().image.dimensions(), (320, 240));
    let ended = shop.until_state("film", CameraState::Ended);
    // 45 frames; ffmpeg may add or leave out one at the ends
    assert!((43..=47).contains(&ended.counts.frames), "{ended:?}");
    assert_eq!(ended.counts.undecodable, 0);
}

#[test]
fn what_ffmpeg_cannot_open_is_shown_without_its_password() {
    if !ffmpeg(&["-version"]) {
        return;
    }
    let bad = |url: String| Source::Ffmpeg { input: Url::new(url), input_args: vec![] };
    let mut shop = Shop::open(&[
        settings("rtsp", bad(format!("rtsp://admin:{SECRET}@127.0.0.1:1/live"))),
        settings("http", bad(format!("http://admin:{SECRET}@127.0.0.1:1/x?pass={SECRET}"))),
        settings("file", bad("/nowhere/film.mp4".into())),
    ]);
    for camera in ["rtsp", "http", "file"] {
        let (health, _) = shop.until(camera, |h| h.error.is_some());
        assert_eq!(health.state, CameraState::Lost);
        assert!(health.error.as_ref().unwrap().contains("ffmpeg ended"), "{health:?}");
    }
    assert!(shop.health("file").error.unwrap().contains("No such file"));
    assert_no_secret(&shop);
}

#[test]
fn ffmpeg_is_gone_when_its_camera_is() {
    if !ffmpeg(&["-version"]) {
        return;
    }
    // a mark in the input that finds the child again
    let mark = format!("drawbox=x={}", std::process::id());
    let input_args = ["-re", "-f", "lavfi"].map(String::from).to_vec();
    let input = Url::new(format!("testsrc=size=160x120:rate=10:duration=600,{mark}:w=4:h=4"));
    let running = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|p| std::fs::read_to_string(p.path().join("cmdline")).ok());
        lines.into_iter().any(|line| line.starts_with("ffmpeg\0") && line.contains(&mark))
    };
    let mut shop = Shop::open(&[settings("film", Source::Ffmpeg { input, input_args })]);
    shop.frame();
    assert!(running());
    shop.cameras.stop();
    assert!(!running());
}

/// CPU seconds that the thread of this name has used.
fn thread_seconds(name: &str) -> f64 {
    let task = std::fs::read_dir("/proc/self/task").unwrap().flatten().find(|t| {
        std::fs::read_to_string(t.path().join("comm")).is_ok_and(|c| c.trim() == &name[..name.len().min(15)])
    });
    let stat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
    stat.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Prints the share of one core that a camera of 960x540 at 10 frames a second takes.
/// `cargo test --release --test cameras -- --ignored --nocapture cpu`
#[test]
#[ignore = "a measurement of 40 s"]
fn cpu_of_a_still_and_of_a_moving_scene() {
    let noisy = |step: u32, moving: bool| {
        let mut image =
            image::load_from_memory(&picture(960, 540, if moving { step } else { 1 })).unwrap().into_rgb8();
        let mut seed = u64::from(step) * 0x9E37_79B9_7F4A_7C15 + 1;
        for value in image.iter_mut() {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *value = value.saturating_add((seed >> 61) as u8);
        }
        coded(&image)
    };
    let films: Vec<Arc<Vec<Vec<u8>>>> =
        [false, true].map(|moving| Arc::new((0..40).map(|step| noisy(step, moving)).collect())).into();
    let same = Arc::new(vec![films[0][0].clone()]);
    for (name, film) in [("still", films[0].clone()), ("moving", films[1].clone()), ("frozen", same)] {
        let bytes = film[0].len();
        let port = serve(move |stream, _, _| {
            begin(stream)?;
            for frame in film.iter().cycle() {
                send(stream, frame)?;
                std::thread::sleep(Duration::from_millis(60));
            }
            Ok(())
        });
        let camera = CameraSettings { motion: 0.004, max_fps: 10.0, ..settings(name, mjpeg(port)) };
        let mut shop = Shop::open(&[camera]);
        shop.until(name, |h| h.counts.frames > 40);
        let (cpu, begin, before) =
            (thread_seconds(&format!("camera-{name}")), Instant::now(), shop.health(name).counts);
        while begin.elapsed() < Duration::from_secs(12) {
            shop.receiver.recv_timeout(Duration::from_millis(100));
        }
        let share = (thread_seconds(&format!("camera-{name}")) - cpu) / begin.elapsed().as_secs_f64();
        let after = shop.health(name).counts;
        println!(
            "{name}: {:.2}% of a core; {} frames of about {bytes} bytes, {} decoded, {} to vision",
            100.0 * share,
            after.frames - before.frames,
            after.decoded - before.decoded,
            after.delivered - before.delivered,
        );
        shop.cameras.stop();
    }
}
