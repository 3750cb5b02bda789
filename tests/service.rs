//! The daemon as the shop's administrator meets it: what it does when something is missing, taken,
//! damaged or changed while it runs, and how it ends. Every test drives the built program.

mod harness;

use harness::{Daemon, Listener, Mosquitto, Shop, ended, eventually, have, printed, shopguide};
use image::{Rgb, RgbImage};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DISPLAY: &str = "[[display]]\nid = \"tea\"\nzone = \"tea\"\n\n";
const KIOSK: &str = "[[camera]]\nid = \"kiosk\"\nzone = \"tea\"\nsource = \"browser\"\nmotion = 0\n\n";
const SHELF: &str = "[[camera]]\nid = \"shelf\"\nzone = \"tea\"\nsource = \"folder\"\npath = \"frames\"\nfps = 10\n\
                     repeat = true\nmotion = 0\n\n";

/// A picture of an empty room, `n` of many.
fn frame(n: u8) -> Vec<u8> {
    let picture = RgbImage::from_fn(320, 240, |x, y| {
        Rgb([(60 + x / 4) as u8, (80 + y / 4) as u8, if x / 20 == u32::from(n % 16) { 200 } else { 110 }])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// A folder of pictures that is there at once.
fn film(folder: &Path) {
    let half = folder.with_extension("half");
    std::fs::create_dir(&half).unwrap();
    for n in 0..5 {
        std::fs::write(half.join(format!("{n}.jpg")), frame(n)).unwrap();
    }
    std::fs::rename(half, folder).unwrap();
}

fn post(daemon: &Daemon, path: &str, what: &Value) -> (u16, Value) {
    let (status, body) = daemon
        .post(path, "application/json", what.to_string().as_bytes())
        .unwrap_or_else(|| panic!("no answer from {path}"));
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

fn receipt(number: &str) -> Value {
    json!({"receipt": number, "at": "2026-05-04T10:00:00Z", "lines": [
        {"sku": "tea", "quantity": 2, "price": 2.95}, {"sku": "oil", "quantity": 0.5, "price": "12.00"}]})
}

/// What became of the receipts of an answer.
fn results((status, answer): (u16, Value)) -> Vec<String> {
    assert_eq!(status, 200, "{answer}");
    let all = answer["receipts"].as_array().unwrap();
    all.iter().map(|r| r["result"].as_str().unwrap().to_owned()).collect()
}

/// One number of the database.
fn count(shop: &Shop, what: &str) -> i64 {
    let db = Connection::open(shop.data().join("shop.sqlite")).unwrap();
    db.query_row(&format!("SELECT {what}"), [], |row| row.get(0)).unwrap()
}

/// Starts the daemon where it must not start; what it said.
fn refused(shop: &Shop, code: i32) -> String {
    let output = ended(shopguide(["run", "--config"]).arg(shop.config()));
    let said = printed(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

// --- what is missing -------------------------------------------------------------------------

#[test]
fn a_camera_that_is_not_there_is_reported_and_comes_back_by_itself() {
    let shop = Shop::new(&format!("{DISPLAY}{SHELF}{KIOSK}"));
    let daemon = shop.run();
    let says = daemon.until("camera", "shelf", "failed", "lost");
    assert!(says.contains("frames") && says.contains("check that it exists"), "{says}");
    assert!(daemon.part("camera", "shelf").unwrap()["remedy"].is_string());
    let status = daemon.json("/api/status");
    assert_eq!((&status["healthy"], &status["ready"]), (&json!(false), &json!(true)));
    assert_eq!(daemon.get("/display/tea").unwrap().0, 200, "displays go on without cameras");

    let frames = shop.folder.path().join("frames");
    film(&frames);
    let says = daemon.until("camera", "shelf", "well", "frames a second");
    assert!(!says.starts_with("0.0"), "{says}");
    let seen = || (daemon.metric("shopguide_frames_total{camera=\"shelf\"}") >= 3.0).then_some(());
    eventually("vision looks at its frames", seen);

    std::fs::remove_dir_all(&frames).unwrap();
    daemon.until("camera", "shelf", "failed", "lost");
    film(&frames);
    daemon.until("camera", "shelf", "well", "frames a second");
    let (status, logs) = daemon.stop();
    assert!(status.success(), "{logs}");
}

#[test]
fn a_broker_that_is_not_there_is_reported_and_comes_back_by_itself() {
    if !have("mosquitto") || !have("mosquitto_sub") {
        return;
    }
    let shop = Shop::bare();
    shop.configure(&format!(
        "[mqtt]\nhost = \"127.0.0.1\"\nport = {}\n\n[web]\nlisten = \"127.0.0.1:{}\"\n\n{DISPLAY}",
        shop.mqtt, shop.web
    ));
    let daemon = shop.run();
    let says = daemon.until("bus", "mqtt", "failed", "not connected");
    assert!(says.contains(&format!("mqtt://127.0.0.1:{}", shop.mqtt)), "{says}");
    assert!(daemon.part("bus", "mqtt").unwrap()["remedy"].is_string());
    assert_eq!(daemon.get("/display/tea").unwrap().0, 200, "pages go on without a broker");
    assert_eq!(results(post(&daemon, "/api/receipts", &receipt("r-1"))), ["counted"]);

    for _ in 0..2 {
        let mosquitto = Mosquitto::start(shop.folder.path(), shop.mqtt).unwrap();
        daemon.until("bus", "mqtt", "well", "connected");
        // this broker remembers nothing, so the daemon has to say again what displays should show
        let listener = Listener::start(shop.mqtt, "shopguide/test/display/tea/slate");
        let (_, _, slate) = listener.next(Duration::from_secs(60)).expect("a slate at the new broker");
        assert_eq!(serde_json::from_str::<Value>(&slate).unwrap()["display"], "tea", "{slate}");
        drop(listener);
        drop(mosquitto);
        daemon.until("bus", "mqtt", "failed", "not connected");
    }
    let (status, logs) = daemon.stop();
    assert!(status.success(), "{logs}");
}

// --- what is taken, damaged or wrong ---------------------------------------------------------

#[test]
fn a_port_that_is_taken_is_said_in_words() {
    let shop = Shop::new("");
    let other = TcpListener::bind(("127.0.0.1", shop.web)).unwrap();
    let said = refused(&shop, 1);
    for part in
        ["web server cannot listen", &format!("127.0.0.1:{}", shop.web), "[web] listen", "another program"]
    {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    drop(other);

    let other = TcpListener::bind(("127.0.0.1", shop.mqtt)).unwrap();
    let said = refused(&shop, 1);
    for part in ["broker cannot listen", &format!("127.0.0.1:{}", shop.mqtt), "[broker] listen"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    drop(other);
    assert!(shop.run().stop().0.success(), "with both ports free it starts");
}

#[test]
fn a_damaged_database_is_refused_with_steps_and_left_as_it_is() {
    let shop = Shop::new("");
    let daemon = shop.run();
    for n in 0..200 {
        assert_eq!(results(post(&daemon, "/api/receipts", &receipt(&format!("r-{n}")))), ["counted"]);
    }
    assert!(daemon.stop().0.success());
    let file = shop.data().join("shop.sqlite");
    let whole = std::fs::read(&file).unwrap();
    assert!(whole.len() > 40_000, "{}", whole.len());

    let mut no_header = whole.clone();
    no_header[..512].fill(0x5a);
    let mut no_middle = whole.clone();
    let middle = whole.len() / 2 / 4096 * 4096;
    no_middle[middle..middle + 4 * 4096].fill(0x5a);
    let half = whole[..whole.len() / 2].to_vec();
    for (what, bytes) in [("header", no_header), ("middle", no_middle), ("half", half)] {
        std::fs::write(&file, &bytes).unwrap();
        let said = refused(&shop, 1);
        for part in ["is damaged", "Nothing was changed", "Steps: stop shopguide", "backup", "shop.sqlite"] {
            assert!(said.contains(part), "{what}: {part:?} is not in {said}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "{what}: the file was changed");
        let check = shop.command(&["check"]);
        assert_eq!(check.status.code(), Some(1), "{what}: {}", printed(&check));
    }
    // the step that was named helps
    for log in ["shop.sqlite-wal", "shop.sqlite-shm"] {
        let _ = std::fs::remove_file(shop.data().join(log));
    }
    std::fs::write(&file, &whole).unwrap();
    let daemon = shop.run();
    assert_eq!(results(post(&daemon, "/api/receipts", &receipt("r-7"))), ["duplicate"]);
    assert!(daemon.part("store", "store").unwrap()["says"].as_str().unwrap().contains("200 receipts"));
}

#[test]
fn a_model_that_is_not_its_card_s_is_refused_and_the_daemon_goes_on_with_its_own() {
    for (key, name, own) in
        [("embedder", "embedder", "shopguide-embedder/"), ("detector", "detector-640", "shopguide-detector/")]
    {
        let shop = Shop::new(&format!("[vision]\n{key} = \"other/{name}.toml\"\n\n{DISPLAY}{KIOSK}"));
        let other = shop.folder.path().join("other");
        std::fs::create_dir(&other).unwrap();
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        std::fs::copy(models.join(format!("{name}.toml")), other.join(format!("{name}.toml"))).unwrap();
        let mut network = std::fs::read(models.join(format!("{name}.onnx"))).unwrap();
        let middle = network.len() / 2;
        network[middle] ^= 1;
        std::fs::write(other.join(format!("{name}.onnx")), network).unwrap();

        let daemon = shop.run();
        let says = daemon.until("model", "refused", "limited", "sha256");
        assert!(says.contains(&format!("{name}.onnx")) && says.contains("copy both again"), "{says}");
        let remedy = daemon.part("model", "refused").unwrap()["remedy"].to_string();
        assert!(remedy.contains("the model inside the program is used"), "{remedy}");
        daemon.until("model", key, "well", own);
        let status = daemon.json("/api/status");
        assert_eq!((&status["healthy"], &status["ready"]), (&json!(false), &json!(true)));
        assert_eq!(daemon.post("/api/cameras/kiosk/frame", "image/jpeg", &frame(0)).unwrap().0, 204);
        let seen = || (daemon.metric("shopguide_frames_total{camera=\"kiosk\"}") >= 1.0).then_some(());
        eventually("its own model looks at a frame", seen);
        let (_, logs) = daemon.stop();
        assert!(logs.contains("a model was refused"), "{logs}");
    }
}

// --- while it runs ---------------------------------------------------------------------------

#[test]
fn a_reload_applies_what_it_can_and_says_what_needs_a_restart() {
    let shop = Shop::new(&format!("{DISPLAY}{KIOSK}"));
    let before = std::fs::read_to_string(shop.config()).unwrap();
    let daemon = shop.run();
    assert_eq!(daemon.part("camera", "door"), None);
    let heard = |word: &str| eventually(word, || daemon.logs().contains(word).then_some(()));

    let address = format!("127.0.0.1:{}", shop.web);
    let door = KIOSK.replace("kiosk", "door");
    let more = format!("{door}[recognition]\nvotes = 5\nenabled = false\n");
    let elsewhere = before.replace(&address, "127.0.0.1:9") + &more;
    assert!(elsewhere.contains("127.0.0.1:9\""));
    std::fs::write(shop.config(), &elsewhere).unwrap();
    daemon.signal("HUP");
    heard("camera door: added");
    heard("recognition.votes: 3 -> 5");
    let restart = |line: &str| line.contains("needs a restart") && line.contains("web.listen");
    eventually("a word on the restart", || daemon.logs().lines().any(restart).then_some(()));
    assert_eq!(daemon.post("/api/cameras/door/frame", "image/jpeg", &frame(0)).unwrap().0, 204);
    daemon.until("camera", "door", "well", "frames a second");
    daemon.until("recognition", "recognition", "limited", "turned off");

    // a configuration with a mistake changes nothing, not even what is good in it
    let bad = elsewhere.replace("enabled = false", "enabled = true").replace("votes = 5", "votes = 50");
    std::fs::write(shop.config(), bad.replace(&door, "")).unwrap();
    daemon.signal("HUP");
    heard("not reloaded, everything stays as it was");
    heard("50 is out of range");
    daemon.until("recognition", "recognition", "limited", "turned off");
    assert_ne!(daemon.part("camera", "door"), None);

    // back to the beginning, where only the camera and recognition have to be applied
    std::fs::write(shop.config(), &before).unwrap();
    daemon.signal("HUP");
    heard("camera door: removed");
    heard("recognition.votes: 5 -> 3");
    daemon.until("recognition", "recognition", "well", "on");
    assert_eq!(daemon.part("camera", "door"), None);
    assert_eq!(daemon.post("/api/cameras/door/frame", "image/jpeg", &frame(0)).unwrap().0, 404);
    assert_eq!(daemon.logs().lines().filter(|line| restart(line)).count(), 1);
    assert!(daemon.stop().0.success());
}

/// 120 pictures in a row, while everything around their camera is changed again and again: another camera
/// comes and goes, votes and the log's level change.
#[test]
fn a_reload_takes_no_frame_from_a_camera_that_it_leaves_alone() {
    let row = "[[camera]]\nid = \"row\"\nzone = \"tea\"\nsource = \"folder\"\npath = \"row\"\nfps = 20\nmax_fps = 60\nmotion = 0\n\n";
    let shop = Shop::new(&format!("{DISPLAY}{row}"));
    let before = std::fs::read_to_string(shop.config()).unwrap();
    let half = shop.folder.path().join("half");
    std::fs::create_dir(&half).unwrap();
    for n in 0..120_u8 {
        std::fs::write(half.join(format!("{n:03}.jpg")), frame(n)).unwrap();
    }
    std::fs::rename(half, shop.folder.path().join("row")).unwrap();
    let daemon = shop.run();
    let arrived = || daemon.metric("shopguide_camera_frames_arrived_total{camera=\"row\"}");
    // What is no request is a detail in the log.
    let detail = || {
        let mut stream = TcpStream::connect(("127.0.0.1", shop.web)).unwrap();
        stream.write_all(b"no request\r\n\r\n").unwrap();
        // Refused, by an answer or by hanging up.
        let _ = stream.read_to_end(&mut Vec::new());
    };
    let details = || daemon.logs().lines().filter(|line| line.contains("DEBUG")).count();
    let mut rounds = 0;
    while arrived() < 100.0 {
        let with = format!("{before}{KIOSK}[recognition]\nvotes = 5\n\n[log]\nfilter = \"debug\"\n");
        for text in [&with, &before] {
            std::fs::write(shop.config(), text).unwrap();
            daemon.signal("HUP");
            let word = format!("recognition.votes: {}", if text == &with { "3 -> 5" } else { "5 -> 3" });
            let reloads = || daemon.logs().matches(&word).count() > rounds;
            eventually("it is reloaded", || reloads().then_some(()));
            if text == &with {
                let before = details();
                detail();
                eventually("the level of the log has followed", || (details() > before).then_some(()));
            }
        }
        rounds += 1;
    }
    assert!(rounds > 0, "the row was over before a reload was");
    daemon.until("camera", "row", "limited", "has come to its end");
    eventually("every picture arrived once", || (arrived() == 120.0).then_some(()));
    assert_eq!(daemon.metric("shopguide_camera_reopened_total{camera=\"row\"}"), 0.0);
    // and the level of the log is what it was
    let before = details();
    detail();
    let (status, logs) = daemon.stop();
    assert!(status.success(), "{status}");
    assert_eq!(logs.lines().filter(|line| line.contains("DEBUG")).count(), before, "{logs}");
}

#[test]
fn a_frame_is_taken_from_a_kiosk_and_anything_else_refused_in_words() {
    let shop = Shop::new(&format!("{DISPLAY}{KIOSK}{SHELF}"));
    let daemon = shop.run();
    let jpeg = frame(1);
    let send = |camera: &str, kind: &str, bytes: &[u8]| {
        let (status, body) = daemon.post(&format!("/api/cameras/{camera}/frame"), kind, bytes).unwrap();
        let answer: Value = serde_json::from_str(&body).unwrap_or(Value::String(body));
        let fault = answer["errors"][0].clone();
        if status != 204 {
            assert!(fault["remedy"].as_str().is_some_and(|r| !r.is_empty()), "{answer}");
        }
        (status, fault["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(send("kiosk", "image/jpeg", &jpeg).0, 204);
    daemon.until("camera", "kiosk", "well", "frames a second");
    let seen = |at_least: f64| {
        eventually("vision looks at it", || {
            (daemon.metric("shopguide_frames_total{camera=\"kiosk\"}") >= at_least).then_some(())
        });
    };
    seen(1.0);
    let (status, error) = send("kiosk", "image/jpeg", b"hello");
    assert!(status == 422 && error.contains("does not begin like a JPEG"), "{status} {error}");
    let (status, error) = send("kiosk", "image/jpeg", b"");
    assert!(status == 422 && error.contains("cannot be read"), "{status} {error}");
    let (status, error) = send("kiosk", "text/plain", &jpeg);
    assert!(status == 415 && error.contains("image/jpeg"), "{status} {error}");
    let (status, error) = send("nobody", "image/jpeg", &jpeg);
    assert!(status == 404 && error.contains("camera"), "{status} {error}");
    let (status, error) = send("shelf", "image/jpeg", &jpeg);
    assert!(status == 409 && error.contains("browser"), "{status} {error}");
    // (an answer may be lost while the rest of so large a body is still on its way)
    let large = [&jpeg[..], &vec![0; 5 << 20]].concat();
    if let Some((status, _)) = daemon.post("/api/cameras/kiosk/frame", "image/jpeg", &large) {
        assert_eq!(status, 413);
    }

    // pictures that break off are no pictures, and good ones heal that
    eventually("the camera counts as garbage", || {
        assert_eq!(send("kiosk", "image/jpeg", &jpeg[..jpeg.len() / 2]).0, 204);
        let part = daemon.part("camera", "kiosk")?;
        (part["health"] == "failed" && part["says"].as_str()?.contains("garbage")).then_some(())
    });
    let says = daemon.part("camera", "kiosk").unwrap()["says"].to_string();
    assert!(says.contains("stops before its end"), "{says}");
    // (more than one, because those that come faster than `max_fps` are passed over)
    eventually("the camera is well again", || {
        assert_eq!(send("kiosk", "image/jpeg", &frame(2)).0, 204);
        (daemon.part("camera", "kiosk")?["health"] == "well").then_some(())
    });
    seen(2.0);
    assert!(daemon.stop().0.success());
}

#[test]
fn a_camera_s_password_is_used_and_appears_nowhere() {
    // a camera that wants a login and refuses it, so that the daemon has something to say about it
    let camera = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = camera.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(String::new()));
    let heads = asked.clone();
    std::thread::spawn(move || {
        for stream in camera.incoming().map_while(Result::ok) {
            let mut head = String::new();
            let mut reader = BufReader::new(&stream);
            while reader.read_line(&mut head).is_ok_and(|n| n > 2) {}
            heads.lock().unwrap().push_str(&head);
            let _ = (&stream).write_all(
                b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=\"camera\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            );
        }
    });
    let cameras = |password: &str| {
        format!(
            "{DISPLAY}[[camera]]\nid = \"net\"\nzone = \"tea\"\nsource = \"mjpeg\"\n\
             url = \"http://viewer:{password}@127.0.0.1:{port}/video?token=hunter2-query\"\n\n\
             [[camera]]\nid = \"still\"\nzone = \"tea\"\nsource = \"snapshot\"\nevery = \"100 ms\"\n\
             url = \"http://127.0.0.1:{port}/still.jpg\"\nuser = \"viewer\"\npassword_file = \"still.password\"\n\n\
             [log]\nfilter = \"trace\"\n"
        )
    };
    let shop = Shop::new(&cameras("hunter2-first"));
    std::fs::write(shop.folder.path().join("still.password"), "hunter2-file\n").unwrap();
    let daemon = shop.run();
    for camera in ["net", "still"] {
        let says = daemon.until("camera", camera, "failed", "lost");
        assert!(says.contains("127.0.0.1") && says.contains("refuses access"), "{says}");
    }
    let encoded = ["viewer:hunter2-first", "viewer:hunter2-file", "viewer:hunter2-second"]
        .map(|login| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, login));
    let used = |login: &str| asked.lock().unwrap().contains(login).then_some(());
    eventually("the url's login is used", || used(&encoded[0]));
    eventually("the file's login is used", || used(&encoded[1]));
    eventually("the query is used", || used("token=hunter2-query"));

    // the same with another password, which a reload must take over without saying it
    let text = std::fs::read_to_string(shop.config()).unwrap();
    std::fs::write(shop.config(), text.replace("hunter2-first", "hunter2-second")).unwrap();
    daemon.signal("HUP");
    eventually("the new login is used", || used(&encoded[2]));
    eventually("the reload is told", || {
        daemon.logs().contains("camera net: login or options changed").then_some(())
    });
    // and in a configuration that has a mistake in the very same line
    std::fs::write(shop.config(), text.replace("url = \"http://viewer", "urll = \"http://viewer")).unwrap();
    daemon.signal("HUP");
    eventually("the mistake is told", || daemon.logs().contains("not reloaded").then_some(()));

    let mut shown = vec![];
    for page in ["/api/status", "/status", "/metrics", "/", "/display/tea"] {
        shown.push((page.to_owned(), daemon.get(page).unwrap().1));
    }
    shown.push(("check-config".to_owned(), printed(&shop.command(&["check-config"]))));
    let (status, logs) = daemon.stop();
    assert!(status.success());
    assert!(logs.contains("TRACE"), "the log is not as talkative as this test wants it");
    shown.push(("the log".to_owned(), logs));
    for (place, text) in &shown {
        for secret in ["hunter2", &encoded[0], &encoded[1], &encoded[2]] {
            if let Some(line) = text.lines().find(|line| line.contains(secret)) {
                panic!("{place} shows {secret}: {line}");
            }
        }
    }
}

// --- receipts over HTTP ----------------------------------------------------------------------

#[test]
fn a_receipt_sent_twice_counts_once_and_a_bad_one_not_at_all() {
    let shop = Shop::new("");
    let daemon = shop.run();
    assert_eq!(results(post(&daemon, "/api/receipts", &receipt("r-1"))), ["counted"]);
    assert_eq!(results(post(&daemon, "/api/receipts", &receipt("r-1"))), ["duplicate"]);
    let both = json!([receipt("r-1"), receipt("r-2"), receipt("r-2")]);
    assert_eq!(results(post(&daemon, "/api/receipts", &both)), ["duplicate", "counted", "duplicate"]);
    assert_eq!((count(&shop, "COUNT(*) FROM receipts"), count(&shop, "COUNT(*) FROM lines")), (2, 4));
    assert_eq!(daemon.metric("shopguide_receipts_total"), 2.0);

    let mut bad = receipt("r-4");
    bad["lines"][1]["quantity"] = json!(-1);
    let (status, answer) = post(&daemon, "/api/receipts", &json!([receipt("r-3"), bad]));
    assert_eq!((status, &answer["errors"][0]["where"]), (422, &json!("[1].lines[1].quantity")), "{answer}");
    assert!(answer["errors"][0]["remedy"].as_str().unwrap().contains("above 0"), "{answer}");
    let (status, body) = daemon.post("/api/receipts", "application/json", b"{\"receipt\": ").unwrap();
    assert!(status == 400 && body.contains("line 1, column 12"), "{status} {body}");
    let (status, body) =
        daemon.post("/api/receipts", "text/plain", receipt("r-5").to_string().as_bytes()).unwrap();
    assert!(status == 415 && body.contains("application/json"), "{status} {body}");
    assert_eq!(count(&shop, "COUNT(*) FROM receipts"), 2, "one bad receipt refuses all of its message");
    assert_eq!(daemon.metric("shopguide_receipts_total"), 2.0);
    assert!(daemon.stop().0.success());
    assert_eq!(count(&shop, "COUNT(*) FROM receipts"), 2);
}

#[test]
fn every_receipt_that_was_answered_survives_a_kill() {
    let shop = Shop::new("");
    let mut daemon = shop.run();
    let answered = Arc::new(Mutex::new(0_usize));
    // a till that sends without a pause, and notes what was answered
    let till = {
        let (answered, web) = (answered.clone(), shop.web);
        std::thread::spawn(move || {
            for n in 0.. {
                let body = receipt(&format!("r-{n}")).to_string();
                let Ok(mut stream) = TcpStream::connect(("127.0.0.1", web)) else { return };
                let head = format!(
                    "POST /api/receipts HTTP/1.1\r\nhost: 127.0.0.1:{web}\r\nconnection: close\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let mut answer = String::new();
                let sent = stream.write_all((head + &body).as_bytes());
                if sent.is_err() || stream.read_to_string(&mut answer).is_err() || !answer.contains("counted")
                {
                    return;
                }
                *answered.lock().unwrap() = n + 1;
            }
        })
    };
    eventually("50 receipts are answered", || (*answered.lock().unwrap() >= 50).then_some(()));
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    till.join().unwrap();
    let answered = *answered.lock().unwrap();

    let daemon = shop.run();
    let all: Vec<Value> = (0..answered).map(|n| receipt(&format!("r-{n}"))).collect();
    let lost: Vec<usize> = results(post(&daemon, "/api/receipts", &json!(all)))
        .iter()
        .enumerate()
        .filter_map(|(n, result)| (result != "duplicate").then_some(n))
        .collect();
    assert_eq!(lost, Vec::<usize>::new(), "of {answered}");
    // one more may have been on disk before its answer went out
    let stored = usize::try_from(count(&shop, "COUNT(*) FROM receipts")).unwrap();
    assert!((answered..=answered + 1).contains(&stored), "{stored} for {answered}");
    assert_eq!(count(&shop, "COUNT(*) FROM lines"), 2 * i64::try_from(stored).unwrap());
    assert!(daemon.stop().0.success());
    let check = shop.command(&["check"]);
    assert!(check.status.success(), "{}", printed(&check));
}

// --- the end ---------------------------------------------------------------------------------

#[test]
fn it_ends_when_it_is_asked_to_whoever_is_still_connected() {
    let shop = Shop::new(&format!("{DISPLAY}{SHELF}{KIOSK}"));
    film(&shop.folder.path().join("frames"));
    let daemon = shop.run();
    daemon.until("camera", "shelf", "well", "frames a second");
    // a display's page that follows along, a client that never says what it wants, one of the broker
    let mut page = TcpStream::connect(("127.0.0.1", shop.web)).unwrap();
    write!(page, "GET /display/tea/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(&page).read_line(&mut line).unwrap();
    assert!(line.contains("200"), "{line}");
    let silent = TcpStream::connect(("127.0.0.1", shop.web)).unwrap();
    let nobody = TcpStream::connect(("127.0.0.1", shop.mqtt)).unwrap();
    let (status, logs) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{logs}");
    assert!(logs.trim_end().ends_with("ended"), "{logs}");
    assert!(!logs.contains("ERROR") && !logs.contains("panicked"), "{logs}");
    drop((silent, nobody));
    for port in [shop.web, shop.mqtt] {
        TcpStream::connect(("127.0.0.1", port)).expect_err("somebody still listens");
    }
    for log in ["shop.sqlite-wal", "keys.sqlite-wal"] {
        assert!(!shop.data().join(log).exists(), "{log} is left: the database was not closed");
    }
}

#[test]
fn it_ends_at_once_also_while_nothing_works() {
    let shop = Shop::bare();
    shop.configure(&format!(
        "[mqtt]\nhost = \"127.0.0.1\"\nport = {}\n\n[web]\nlisten = \"127.0.0.1:{}\"\n\n{DISPLAY}{SHELF}",
        shop.mqtt, shop.web
    ));
    let daemon = shop.run();
    daemon.until("camera", "shelf", "failed", "lost");
    daemon.until("bus", "mqtt", "failed", "not connected");
    let (status, logs) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{logs}");
    // an interrupt from a terminal means the same
    let daemon = shop.run();
    daemon.signal("INT");
    let mut daemon = daemon;
    let status = eventually("it ends", || daemon.child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_second_one_is_refused_and_the_first_goes_on() {
    let shop = Shop::new("");
    let daemon = shop.run();
    let text = std::fs::read_to_string(shop.config()).unwrap();
    let said = {
        let output = ended(shopguide(["run", "--config"]).arg(shop.config()).stdin(Stdio::null()));
        assert_eq!(output.status.code(), Some(1), "{}", printed(&output));
        printed(&output)
    };
    assert!(said.contains("cannot listen on"), "{said}");
    assert_eq!(std::fs::read_to_string(shop.config()).unwrap(), text);
    assert_eq!(results(post(&daemon, "/api/receipts", &receipt("r-1"))), ["counted"]);
    assert!(daemon.stop().0.success());
}
