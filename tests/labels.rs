//! Shelf labels against a small real web server that speaks an access point's interface as its
//! firmware does: what arrives is decoded and looked at, what has not changed is not sent, an access
//! point that was away is healed, and nothing personal ever goes there. With `SHOPGUIDE_SHOTS=FOLDER`
//! the pictures are kept there.

mod browser;
mod harness;

use browser::{CHINESE, ENGLISH, Row, slate};
use harness::{Shop, eventually, left_out};
use image::RgbImage;
use shopguide::camera::decode::decode;
use shopguide::display::StoreSettings;
use shopguide::id::{DisplayId, StoreId};
use shopguide::publish::Desired;
use shopguide::publish::label::settings::{Colours, LabelSettings};
use shopguide::publish::label::{Labels, Means};
use shopguide::recommend::{Audience, Slate};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Whether this machine has a font with Latin and one with Chinese letters.
fn fonts() -> bool {
    let there = |paths: &[&str]| paths.iter().any(|path| Path::new(path).is_file());
    let found = there(&["/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"])
        && there(&["/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"]);
    if !found {
        left_out("fonts are missing (apt install fonts-dejavu-core fonts-noto-cjk)");
    }
    found
}

/// A picture that the access point took.
struct Upload {
    at: Instant,
    mac: String,
    fields: BTreeMap<String, String>,
    jpeg: Vec<u8>,
}

/// An access point: knows some tags, takes pictures for them.
struct AccessPoint {
    address: SocketAddr,
    busy: Arc<AtomicBool>,
    uploads: Arc<Mutex<Vec<Upload>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AccessPoint {
    fn start(address: Option<SocketAddr>, tags: &[&str]) -> Self {
        let wanted = address.unwrap_or_else(|| "127.0.0.1:0".parse().unwrap());
        let listener = eventually("the port is free", || TcpListener::bind(wanted).ok());
        let address = listener.local_addr().unwrap();
        let (busy, ends) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let uploads = Arc::new(Mutex::new(Vec::new()));
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let thread = {
            let (busy, ends, uploads) = (busy.clone(), ends.clone(), uploads.clone());
            std::thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    if ends.load(Ordering::SeqCst) {
                        return;
                    }
                    serve(stream, &tags, &busy, &uploads);
                }
            })
        };
        Self { address, busy, uploads, ends, thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn count(&self) -> usize {
        self.uploads.lock().unwrap().len()
    }

    /// Waits for the upload after `seen` others.
    fn next(&self, seen: usize) -> (String, RgbImage) {
        eventually("a picture arrives", || (self.count() > seen).then_some(()));
        let uploads = self.uploads.lock().unwrap();
        let upload = &uploads[seen];
        assert!(upload.jpeg.starts_with(&[0xFF, 0xD8, 0xFF]), "no JPEG");
        (upload.mac.clone(), decode(&upload.jpeg).unwrap())
    }

    fn stop(mut self) -> SocketAddr {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
        self.address
    }
}

/// One request, as `doImageUpload` of the firmware takes it.
fn serve(mut stream: TcpStream, tags: &[String], busy: &AtomicBool, uploads: &Mutex<Vec<Upload>>) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = (&mut reader).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let found = headers.iter().filter_map(|line| line.split_once(": "));
        found.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let length: usize =
        header("content-length").expect("a length: the firmware reads no chunks").parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, said) =
        answer(&request, &header("content-type").unwrap_or_default(), &body, tags, busy, uploads);
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
        said.len()
    );
}

fn answer(
    request: &str,
    kind: &str,
    body: &[u8],
    tags: &[String],
    busy: &AtomicBool,
    uploads: &Mutex<Vec<Upload>>,
) -> (&'static str, &'static str) {
    if request != "POST /imgupload HTTP/1.1" {
        return ("404 Not Found", "");
    }
    if busy.load(Ordering::SeqCst) {
        return ("409 Conflict", "Come back later");
    }
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect("a form");
    let mut fields = BTreeMap::new();
    for part in parts(body, boundary) {
        let head_ends = part.windows(4).position(|w| w == b"\r\n\r\n").expect("a part has a head");
        let (head, content) = (String::from_utf8_lossy(&part[..head_ends]), &part[head_ends + 4..]);
        let name = head.split("name=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        if !head.contains("filename=") {
            fields.insert(name.to_owned(), String::from_utf8(content.to_vec()).unwrap());
            continue;
        }
        // the firmware asks for the tag's name when the file begins
        let Some(mac) = fields.get("mac").cloned() else {
            return ("400 Bad Request", "parameters incomplete");
        };
        if !tags.contains(&mac) {
            return ("400 Bad Request", "mac not found");
        }
        assert!(head.contains("Content-Type: image/jpeg"), "{head}");
        let upload = Upload { at: Instant::now(), mac, fields: fields.clone(), jpeg: content.to_vec() };
        uploads.lock().unwrap().push(upload);
    }
    ("200 OK", "Ok, saved")
}

fn parts<'b>(body: &'b [u8], boundary: &str) -> Vec<&'b [u8]> {
    let line = format!("--{boundary}");
    let starts: Vec<usize> =
        body.windows(line.len()).enumerate().filter(|(_, w)| *w == line.as_bytes()).map(|(n, _)| n).collect();
    assert!(body.ends_with(format!("{line}--\r\n").as_bytes()), "the form has no end");
    starts.windows(2).map(|w| &body[w[0] + line.len() + 2..w[1] - 2]).collect()
}

const EVERY: Duration = Duration::from_secs(2);

fn label(
    display: &str,
    at: &AccessPoint,
    mac: &str,
    (width, height): (u32, u32),
    colours: Colours,
) -> LabelSettings {
    let display = DisplayId::new(display).unwrap();
    LabelSettings { display, access_point: at.url(), mac: mac.into(), width, height, colours, every: EVERY }
}

struct Room {
    desired: Desired,
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let displays = ["tea", "cha"].map(|d| DisplayId::new(d).unwrap());
        Self { desired: Desired::new(displays), folder: tempfile::tempdir().unwrap() }
    }

    fn start(&self, labels: &[LabelSettings]) -> Labels {
        let store = StoreSettings {
            id: StoreId::new("corner").unwrap(),
            name: "Corner Market".into(),
            currency: "€".into(),
            currency_digits: 2,
            time_zone: "UTC".into(),
        };
        let means = Means {
            desired: self.desired.clone(),
            store,
            titles: BTreeMap::new(),
            fonts: Vec::new(),
            notes: self.folder.path().join("labels"),
        };
        Labels::start(labels, means).unwrap()
    }

    fn show(&self, slate: &Arc<Slate>) {
        self.desired.update(&slate.display, |screen| match slate.audience {
            Audience::Store => screen.store = Some(slate.clone()),
            Audience::Personal { .. } => screen.personal = Some(slate.clone()),
        });
    }
}

fn store_slate(display: &str, id: &str, rows: &[Row]) -> Arc<Slate> {
    let greeting = if display == "cha" { "本店本周热销" } else { "Loved in this shop this week" };
    slate(display, id, 1, None, greeting, rows)
}

/// How far a pixel is from the nearest of some colours.
fn distance(pixel: &image::Rgb<u8>, palette: &[[u8; 3]]) -> (usize, i32) {
    let far = |c: &[u8; 3]| (0..3).map(|n| (i32::from(pixel.0[n]) - i32::from(c[n])).abs()).max().unwrap();
    let nearest = palette.iter().map(far).enumerate().min_by_key(|(_, far)| *far);
    nearest.unwrap()
}

fn keep(name: &str, picture: &RgbImage) {
    let Some(folder) = std::env::var_os("SHOPGUIDE_SHOTS") else { return };
    picture.save(Path::new(&folder).join(format!("{name}.png"))).unwrap();
}

#[test]
fn a_label_shows_its_slate_in_the_colours_of_its_paper_with_nothing_cut() {
    if !fonts() {
        return;
    }
    let tags =
        ["000000000001", "000000000002", "000000000003", "000000000004", "000000000005", "000000000006"];
    let at = AccessPoint::start(None, &tags);
    let room = Room::new();
    let cases = [
        ("tea", 1, (296, 128), Colours::Red),
        ("cha", 1, (296, 128), Colours::Red),
        ("tea", 3, (400, 300), Colours::BlackWhite),
        ("cha", 6, (800, 480), Colours::Red),
        ("tea", 6, (480, 800), Colours::Yellow),
        ("tea", 1, (152, 152), Colours::BlackWhite),
    ];
    for (n, (display, products, size, colours)) in cases.into_iter().enumerate() {
        let rows = if display == "cha" { &CHINESE } else { &ENGLISH };
        room.show(&store_slate(display, &format!("s{n}"), &rows[..products]));
        let before = at.count();
        let labels = room.start(&[label(display, &at, tags[n], size, colours)]);
        let (mac, picture) = at.next(before);
        let what = format!("label-{display}-{products}-{}x{}", size.0, size.1);
        keep(&what, &picture);
        assert_eq!((mac.as_str(), picture.dimensions()), (tags[n], size), "{what}");
        assert_eq!(at.uploads.lock().unwrap()[before].fields["dither"], "0");

        // after all that JPEG does to it, every pixel is still nearest to one colour, and clearly so
        let palette = [[255, 255, 255], [0, 0, 0], colours.accent()];
        let seen: Vec<(usize, i32)> = picture.pixels().map(|p| distance(p, &palette)).collect();
        let farthest = seen.iter().map(|s| s.1).max().unwrap();
        let unclear = seen.iter().filter(|s| s.1 > 100).count();
        println!("{what}: {} pixels, {unclear} unclear, farthest {farthest}", seen.len());
        assert!(
            unclear * 1000 < seen.len(),
            "{what}: {unclear} of {} pixels have no clear colour",
            seen.len()
        );
        let ink = seen.iter().filter(|s| s.0 > 0).count() as f32 / seen.len() as f32;
        assert!((0.03..0.5).contains(&ink), "{what}: {ink} of it is ink");
        let accented = seen.iter().filter(|s| s.0 == 2).count();
        assert_eq!(
            accented > 0,
            colours != Colours::BlackWhite,
            "{what}: {accented} pixels in its third colour"
        );
        // nothing touches the sides, where a text that is too long would be cut; lines between products may
        let (width, height) = picture.dimensions();
        let is_ink = |x: u32, y: u32| distance(picture.get_pixel(x, y), &palette).0 > 0;
        let on = |x: u32| (0..height).filter(|y| is_ink(x, *y)).count() as f32 / height as f32;
        assert!(on(1) < 0.12 && on(width - 2) < 0.12, "{what}: a text touches a side");
        assert!(
            (0..width).filter(|x| is_ink(*x, height - 2)).count() <= 4,
            "{what}: a text touches the bottom"
        );
        drop(labels);
    }
    at.stop();
}

#[test]
fn an_unchanged_slate_sends_nothing_not_even_after_a_restart_and_never_twice_in_its_pause() {
    if !fonts() {
        return;
    }
    let at = AccessPoint::start(None, &["00000000000000A1"]);
    let room = Room::new();
    let settings = [label("tea", &at, "00000000000000A1", (296, 128), Colours::Red)];
    let labels = room.start(&settings);
    room.show(&store_slate("tea", "one", &ENGLISH[..1]));
    at.next(0);

    // the same again: under another number, with a later end, a third time
    let rest = EVERY * 2;
    for (n, id) in ["one", "two", "three"].into_iter().enumerate() {
        let mut same = (*store_slate("tea", id, &ENGLISH[..1])).clone();
        same.sequence += n as u64;
        room.show(&Arc::new(same));
        std::thread::sleep(rest / 3);
    }
    assert_eq!(at.count(), 1, "an unchanged slate was sent");
    eventually("all is current", || (labels.health()[0].current == 1).then_some(()));

    // many changes at once: the first goes out, then the last, a pause apart
    for n in 1..6 {
        room.show(&store_slate("tea", &format!("burst-{n}"), &ENGLISH[n..=n]));
        std::thread::sleep(Duration::from_millis(150));
    }
    let (_, last) = at.next(2);
    std::thread::sleep(rest);
    assert_eq!(at.count(), 3, "more than the present was sent");
    let times: Vec<Instant> = at.uploads.lock().unwrap().iter().map(|u| u.at).collect();
    assert!(times[2] - times[1] >= EVERY - Duration::from_millis(100), "{:?}", times[2] - times[1]);

    drop(labels);
    let labels = room.start(&settings);
    std::thread::sleep(rest);
    assert_eq!(at.count(), 3, "a restart sent an unchanged picture");
    assert_eq!((labels.health()[0].current, labels.health()[0].sent), (1, 0));

    // and what went out last really was the last
    let again = Room::new();
    again.show(&store_slate("tea", "burst-5", &ENGLISH[5..=5]));
    let _labels = again.start(&settings);
    assert_eq!(at.next(3).1, last);
}

#[test]
fn an_access_point_that_was_away_gets_what_is_true_then_and_one_that_is_busy_is_asked_again() {
    if !fonts() {
        return;
    }
    let at = AccessPoint::start(None, &["00000000000000A1"]);
    let room = Room::new();
    let known = label("tea", &at, "00000000000000A1", (296, 128), Colours::Red);
    let unknown = label("cha", &at, "00000000000000FF", (296, 128), Colours::Red);
    let address = at.stop();
    let labels = room.start(&[known, unknown]);
    room.show(&store_slate("tea", "one", &ENGLISH[..1]));
    room.show(&store_slate("cha", "one", &CHINESE[..1]));
    let error = eventually("the absence is said", || labels.health()[0].error.clone());
    assert!(error.contains("nothing listens there"), "{error}");
    room.show(&store_slate("tea", "two", &ENGLISH[1..2]));
    room.show(&store_slate("tea", "three", &ENGLISH[2..3]));

    let at = AccessPoint::start(Some(address), &["00000000000000A1"]);
    at.busy.store(true, Ordering::SeqCst);
    eventually("it is busy", || labels.health()[0].error.clone().filter(|e| e.contains("starting")));
    assert_eq!(at.count(), 0);
    at.busy.store(false, Ordering::SeqCst);
    let (mac, _) = at.next(0);
    assert_eq!(mac, "00000000000000A1");

    // the tag that it does not know is said, and keeps nobody else from being served
    eventually("it is said", || labels.health()[0].error.clone().filter(|e| e.contains("00000000000000FF")));
    room.show(&store_slate("tea", "four", &ENGLISH[3..4]));
    at.next(1);
    eventually("both are counted", || (labels.health()[0].sent == 2).then_some(()));
    assert_eq!(labels.health()[0].labels, 2);
    assert_eq!(at.count(), 2, "what was true while it was away was sent after it");
}

#[test]
fn nothing_personal_ever_goes_to_a_label() {
    if !fonts() {
        return;
    }
    let at = AccessPoint::start(None, &["00000000000000A1"]);
    let room = Room::new();
    let _labels = room.start(&[label("tea", &at, "00000000000000A1", (296, 128), Colours::Red)]);
    room.show(&slate("tea", "own", 9, Some(600), "Good to see you again", &ENGLISH[1..3]));
    std::thread::sleep(EVERY);
    assert_eq!(at.count(), 0, "a personal slate was drawn");
    room.show(&store_slate("tea", "store", &ENGLISH[..1]));
    at.next(0);
    // not even one that is put where it does not belong
    let mut misplaced =
        (*slate("tea", "own-2", 10, Some(600), "Good to see you again", &ENGLISH[1..3])).clone();
    misplaced.display = DisplayId::new("tea").unwrap();
    room.desired.update(&misplaced.display.clone(), |screen| screen.store = Some(Arc::new(misplaced)));
    std::thread::sleep(EVERY * 2);
    assert_eq!(at.count(), 1, "a personal slate was drawn");
}

#[test]
fn the_appliance_draws_its_labels_and_says_how_they_are() {
    if !fonts() {
        return;
    }
    let at = AccessPoint::start(None, &["00000000000000A1"]);
    let mut extra =
        String::from("[[display]]\nid = \"tea\"\nzone = \"tea\"\nlayout = \"paper\"\nitems = 3\n\n");
    for (mac, more) in [("00000000000000A1", "colours = \"bwr\"\n"), ("00000000000000FF", "")] {
        extra += &format!(
            "[[label]]\ndisplay = \"tea\"\naccess_point = \"{}\"\nmac = \"{mac}\"\nwidth = 400\nheight = 300\n{more}\n",
            at.url()
        );
    }
    let shop = Shop::new(&extra);
    let catalogue = shop.folder.path().join("products.csv");
    let rows = "sku,name,price,category,stock,place\n\
                P-1,Darjeeling First Flush,12.90,Tea,9,Aisle 3\nP-2,Assam Broken,6.50,Tea,9,Aisle 3\n\
                P-3,Sencha 绿茶,9.20,Tea,9,Aisle 4\n";
    std::fs::write(&catalogue, rows).unwrap();
    let out = shop.command(&["import", "catalogue", catalogue.to_str().unwrap()]);
    assert!(out.status.success(), "{}", harness::printed(&out));
    let daemon = shop.run();
    for n in 0..6 {
        let receipt = serde_json::json!({"receipt": format!("t-{n}"), "at": jiff::Timestamp::now(), "member": null,
            "lines": (1..=3).map(|p| serde_json::json!({"sku": format!("P-{p}"), "quantity": 1, "price": 5.0})).collect::<Vec<_>>()});
        let sent = daemon.post("/api/receipts", "application/json", receipt.to_string().as_bytes());
        assert_eq!(sent.map(|s| s.0), Some(200));
    }
    let (_, picture) = at.next(0);
    assert_eq!(picture.dimensions(), (400, 300));
    keep("label-of-the-appliance", &picture);
    let says = daemon.until("label", &at.url(), "limited", "1 of 2 labels");
    assert!(says.contains("knows no tag 00000000000000FF"), "{says}");
    let (status, log) = daemon.stop();
    assert!(status.success() && log.contains("label-unknown"), "{log}");
    assert!(shop.data().join("labels").is_file());
}
