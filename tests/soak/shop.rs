//! The shop that the soak is about: the demo's world with its members enrolled, and cameras of every
//! kind that needs no device, whose films are rendered here. Nobody in them exists.

use crate::harness::{Daemon, Shop, free_port, have, shopguide};
use image::codecs::jpeg::JpegEncoder;
use jiff::{SignedDuration, Timestamp};
use shopguide::clock::Clock;
use shopguide::demo::scene::Facing;
use shopguide::demo::{Cast, CastId, Scene, World, prepare};
use shopguide::storage::Store;
use shopguide::storage::settings::StorageSettings;
use shopguide::vision::Eyes;
use shopguide::vision::settings::VisionSettings;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Of the world and its films.
const SEED: u64 = 7;
/// Frames a second of the MJPEG cameras.
const FPS: u32 = 6;
/// Seconds of their films.
const FILM: u32 = 26;
/// The flaky camera hangs up after so long.
const FLAKY: Duration = Duration::from_secs(5);

/// How much of a soak.
pub struct Scale {
    /// Store hours.
    pub hours: u32,
    /// Store seconds in a real one.
    pub rate: u32,
    /// Members with a card; those who walk before the cameras come on top.
    pub members: usize,
    /// Receipts in a store hour.
    pub receipts: u32,
    /// Store hours between two trainings, and between two backups.
    pub nightly: u32,
}

impl Scale {
    /// A few store hours, with what is nightly several times in them: all of it has come in the first half.
    pub fn short() -> Self {
        Self { hours: 6, rate: 180, members: 80, receipts: 120, nightly: 1 }
    }

    /// Three days, or as `SHOPGUIDE_SOAK="HOURS in MINUTES"` says.
    pub fn whole() -> Self {
        let said = std::env::var("SHOPGUIDE_SOAK").unwrap_or_else(|_| "72 in 60".to_owned());
        let mut numbers = said.split(" in ").map(|n| n.trim().parse::<u32>().expect("\"HOURS in MINUTES\""));
        let (hours, minutes) = (numbers.next().unwrap(), numbers.next().unwrap());
        let rate = hours * 60 / minutes;
        Self { hours, rate, members: 260, receipts: 240, nightly: 24 }
    }
}

/// The shop with its cards and films.
pub struct SoakShop {
    pub shop: Shop,
    /// What members show at kiosks and tills.
    pub cards: Vec<String>,
    /// SKUs with their prices.
    pub products: Vec<(String, i64)>,
    /// Members who walk before the cameras again and again.
    pub faces: usize,
    /// When its clock begins.
    from: Timestamp,
    rate: u32,
}

impl SoakShop {
    /// Fills a new store and makes the films.
    pub fn furnish(scale: &Scale) -> Self {
        let from = Timestamp::now() - SignedDuration::from_hours(i64::from(scale.hours));
        let mut world = World::new(SEED, from);
        let come = before_the_cameras(&world.cast);
        let mut cards = 0..scale.members;
        world.members.retain(|m| m.face.map_or_else(|| cards.next().is_some(), |face| come.contains(&face)));
        // What the first night takes out may be 30 days at most.
        let month = from - SignedDuration::from_hours(29 * 24);
        world.members.iter_mut().for_each(|m| m.baskets.retain(|b| b.at > month));

        let shop = Shop::bare();
        let films = films(&world.cast, shop.folder.path());
        configure(&shop, &films);
        let store = Store::open(&StorageSettings::of(&shop.data())).unwrap();
        let mut eyes = Eyes::load(&VisionSettings::default()).unwrap();
        let now = Clock::simulated(from).now();
        prepare::fill(&world, &store, &mut eyes, now, &mut |_, _, _| {}).unwrap();
        let cards = store.members().unwrap().into_iter().map(|m| m.token).collect();
        let products = world.products.iter().filter(|p| !p.withdrawn);
        let products = products.map(|p| (p.sku.clone(), p.price.0)).collect();
        Self { shop, cards, products, faces: come.len(), from, rate: scale.rate }
    }

    /// The daemon on its hurried clock, with what its unit puts into the environment.
    pub fn run(&self) -> Daemon {
        let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/shopguide.service");
        let unit = std::fs::read_to_string(unit).unwrap();
        let environment: Vec<(&str, &str)> = unit
            .lines()
            .filter_map(|line| line.strip_prefix("Environment="))
            .flat_map(str::split_whitespace)
            .map(|pair| pair.split_once('=').unwrap())
            .collect();
        let (from, rate) = (self.from.to_string(), self.rate.to_string());
        self.shop.run_with(&["--clock-from", &from, "--clock-rate", &rate], &environment)
    }

    /// The same clock, begun a moment after the daemon's: what is sent is never of its future.
    pub fn clock(&self) -> Clock {
        Clock::catching_up(self.from, self.rate)
    }
}

/// Where the films are to be had.
struct Films {
    /// Port of `/0` and `/1` (MJPEG), `/flaky` and `/snapshot`.
    port: u16,
    ffmpeg: bool,
}

/// Members who face a camera in the films, which begin with the script's first round.
fn before_the_cameras(cast: &Arc<Cast>) -> BTreeSet<CastId> {
    let all = Scene::new(SEED, cast.clone(), 0).facing(0);
    let within = |f: &Facing| f.until.as_secs() < u64::from(FILM) && matches!(f.who, CastId::Member(_));
    all.into_iter().filter(within).map(|f| f.who).collect()
}

fn films(cast: &Arc<Cast>, folder: &Path) -> Films {
    let render = |camera: usize, from: u32, seconds: u32, fps: u32| -> Vec<Vec<u8>> {
        let scene = Scene::new(SEED, cast.clone(), camera);
        let frame = |n: u32| {
            let (picture, _) = scene.frame(Duration::from_millis(u64::from(from * 1000 + n * 1000 / fps)));
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&picture).unwrap();
            bytes
        };
        (0..seconds * fps).map(frame).collect()
    };
    let rendered: Vec<Vec<Vec<u8>>> = (0..2).map(|camera| render(camera, 0, FILM, FPS)).collect();
    let pictures = folder.join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    for (n, jpeg) in render(0, 10, 12, 4).iter().enumerate() {
        std::fs::write(pictures.join(format!("{n:03}.jpg")), jpeg).unwrap();
    }
    let ffmpeg = have("ffmpeg") && {
        let mut film = Command::new("ffmpeg");
        film.args(["-nostdin", "-loglevel", "error", "-framerate", "4", "-i"]);
        film.arg(pictures.join("%03d.jpg")).args(["-c:v", "mpeg4", "-q:v", "4"]).arg(folder.join("film.mp4"));
        assert!(film.stdin(Stdio::null()).status().unwrap().success());
        true
    };
    Films { port: serve(rendered), ffmpeg }
}

/// Serves films at their pace to whoever asks, as network cameras do.
fn serve(films: Vec<Vec<Vec<u8>>>) -> u16 {
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (films, began) = (Arc::new(films), Instant::now());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let films = films.clone();
            // Ends when the camera hangs up.
            std::thread::spawn(move || answer(connection, &films, began));
        }
    });
    port
}

fn answer(mut connection: TcpStream, films: &[Vec<Vec<u8>>], began: Instant) -> Option<()> {
    let mut request = [0; 2048];
    let length = connection.read(&mut request).ok()?;
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split_whitespace().nth(1)?;
    let film = &films[usize::from(path == "/1")];
    let now =
        |began: Instant| &film[(began.elapsed().as_millis() as usize * FPS as usize / 1000) % film.len()];
    if path == "/snapshot" {
        let jpeg = now(began);
        let head = format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
            jpeg.len()
        );
        return connection.write_all(&[head.as_bytes(), jpeg].concat()).ok();
    }
    let head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
    connection.write_all(head.as_bytes()).ok()?;
    let opened = Instant::now();
    while path != "/flaky" || opened.elapsed() < FLAKY {
        let jpeg = now(began);
        let part = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        connection.write_all(&[part.as_bytes(), jpeg, b"\r\n"].concat()).ok()?;
        std::thread::sleep(Duration::from_secs(1) / FPS);
    }
    Some(())
}

fn configure(shop: &Shop, films: &Films) {
    let (web, mqtt, port) = (shop.web, shop.mqtt, films.port);
    let mut text = format!(
        "[store]\nid = \"soak\"\nname = \"Soak\"\n\n[storage]\nfolder = \"data\"\nkeep_days = 1\n\n\
         [backup]\nfolder = \"backups\"\nkeep = 2\n\n[broker]\nlisten = \"127.0.0.1:{mqtt}\"\n\n\
         [web]\nlisten = \"127.0.0.1:{web}\"\n\n[recognition]\nvotes = 3\n\n"
    );
    let mut camera = |id: &str, zone: &str, source: &str| {
        text += &format!("[[camera]]\nid = \"{id}\"\nzone = \"{zone}\"\nsource = {source}\n\n");
    };
    camera("door", "entrance", &format!("\"mjpeg\"\nurl = \"http://127.0.0.1:{port}/0\""));
    camera("aisle", "aisle", &format!("\"mjpeg\"\nurl = \"http://127.0.0.1:{port}/1\""));
    camera("flaky", "back", &format!("\"mjpeg\"\nurl = \"http://127.0.0.1:{port}/flaky\"\nmax_fps = 2"));
    camera("still", "back", &format!("\"snapshot\"\nurl = \"http://127.0.0.1:{port}/snapshot\""));
    camera("shelf", "shelf", "\"folder\"\npath = \"pictures\"\nfps = 4\nrepeat = true");
    if films.ffmpeg {
        let args = "[\"-re\", \"-stream_loop\", \"-1\"]";
        camera("film", "film", &format!("\"ffmpeg\"\nurl = \"film.mp4\"\ninput_args = {args}"));
    }
    camera("desk", "desk", "\"browser\"");
    for (id, zone) in [("front", "entrance"), ("tea", "aisle"), ("wine", "shelf"), ("cheese", "film")] {
        text += &format!("[[display]]\nid = \"{id}\"\nzone = \"{zone}\"\n\n");
    }
    text += "[[kiosk]]\nid = \"k1\"\nzone = \"desk\"\ncamera = \"desk\"\n";
    std::fs::write(shop.config(), text).unwrap();
}

/// Adds somebody who may sign in, as an administrator does.
pub fn add_admin(shop: &Shop, name: &str, secret: &str) {
    let mut child = shopguide(["users", "--config"])
        .arg(shop.config())
        .args(["add", name, "--role", "admin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{secret}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}
