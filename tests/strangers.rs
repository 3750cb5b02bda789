//! Strangers pass before the cameras, and nothing of them stays: no row, file, log line, topic or
//! metric label holds anything of theirs, and no frame ever touches the disk.
//!
//! The demo's bounded scene is walked once for all tests here, with its log at the finest level, an
//! independent `mosquitto_sub` on every topic, a watcher of the live view, and an eye on every file
//! that the process holds open. Its folder stays under `target/tmp/walk` to be looked at. A second
//! run is a shop without any member, to which everybody is a stranger.

mod harness;

use harness::traces::{files, holds_a_picture, open_for_writing};
use harness::{Daemon, Listener, Shop, eventually, free_port, have, printed, shopguide, within};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Two runs at once would starve each other on a small machine.
static ALONE: Mutex<()> = Mutex::new(());

/// The files of a store, and nothing else.
const STORE_FILES: [&str; 11] = [
    "in-use",
    "shop.sqlite",
    "shop.sqlite-wal",
    "shop.sqlite-shm",
    "shop.sqlite-journal",
    "keys.sqlite",
    "keys.sqlite-wal",
    "keys.sqlite-shm",
    "keys.sqlite-journal",
    "master.key",
    "reserve",
];

/// Rows of every table, by its name.
type Rows = BTreeMap<String, Vec<Vec<Cell>>>;

/// What was seen of one walk of the bounded scene.
struct Walk {
    root: PathBuf,
    report: Value,
    log: String,
    metrics: String,
    messages: Option<Vec<(String, String)>>,
    opened: BTreeSet<PathBuf>,
    live: Live,
    before: Rows,
    after: Rows,
}

/// What a watcher of the live view saw.
#[derive(Default)]
struct Live {
    strangers: usize,
    pictures: usize,
}

static WALK: LazyLock<Walk> = LazyLock::new(|| {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("walk");
    let _ = std::fs::remove_dir_all(&root);
    for folder in ["tmp", "home", "here"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    let (web, mqtt) = (free_port(), free_port());
    let log = root.join("log.txt");
    let child = shopguide(["demo", "--once", "--json", "--log", "shopguide=trace", "--folder"])
        .arg(root.join("data"))
        .args(["--listen", &format!("127.0.0.1:{web}"), "--mqtt", &format!("127.0.0.1:{mqtt}")])
        .current_dir(root.join("here"))
        .envs([("TMPDIR", root.join("tmp")), ("HOME", root.join("home"))])
        .stdout(std::fs::File::create(root.join("report.json")).unwrap())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut demo = Daemon { child, web, log };
    let hears = have("mosquitto_sub");
    let (mut listener, mut before, mut live) = (None, None, None);
    let (mut opened, mut metrics, mut asked) = (BTreeSet::new(), String::new(), Instant::now());
    let status = within(Duration::from_secs(500), "the demo ends", || {
        open_for_writing(demo.child.id(), &mut opened);
        if hears && listener.is_none() && TcpStream::connect(("127.0.0.1", mqtt)).is_ok() {
            listener = Some(Listener::start(mqtt, "#"));
        }
        if asked.elapsed() > Duration::from_secs(1) {
            asked = Instant::now();
            if before.is_none() && demo.get("/readyz").is_some_and(|(status, _)| status == 200) {
                before = Some(rows(&root.join("data")));
                live = Some(watch_live(web));
            }
            if before.is_some() {
                metrics = demo.get("/metrics").map_or(std::mem::take(&mut metrics), |(_, text)| text);
            }
        }
        demo.child.try_wait().unwrap()
    });
    let log = demo.logs();
    // whether every member was recognised is no matter here, but the scene must have been played
    let report = std::fs::read(root.join("report.json")).unwrap();
    let report = serde_json::from_slice(&report);
    let report = report.unwrap_or_else(|_| panic!("the demo ended with {status} and no report:\n{log}"));
    let messages = listener.map(|listener| {
        let mut all = Vec::new();
        while let Some((_, topic, payload)) = listener.next(Duration::from_secs(2)) {
            all.push((topic, payload));
        }
        all
    });
    Walk {
        report,
        log,
        metrics,
        messages,
        opened,
        live: live.expect("the demo was ready once").join().unwrap(),
        before: before.unwrap(),
        after: rows(&root.join("data")),
        root,
    }
});

/// Every row of the store in `folder`.
fn rows(folder: &Path) -> Rows {
    let db =
        Connection::open_with_flags(folder.join("shop.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut tables = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let all = |table: &String| {
        let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let width = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..width).map(|i| row.get(i)).collect();
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    tables.iter().map(|table| (table.clone(), all(table))).collect()
}

/// Follows the live view until the program ends, and asks for a picture now and then.
fn watch_live(web: u16) -> JoinHandle<Live> {
    let mut stream = TcpStream::connect(("127.0.0.1", web)).unwrap();
    write!(stream, "GET /live/events HTTP/1.1\r\nHost: 127.0.0.1:{web}\r\n\r\n").unwrap();
    std::thread::spawn(move || {
        let (mut live, mut events) = (Live::default(), 0);
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            live.strangers += line.matches("\"kind\":\"stranger\"").count();
            events += usize::from(line.contains("\"tracks\":"));
            if events % 20 == 19 {
                events += 1;
                let picture = ureq::get(format!("http://127.0.0.1:{web}/live/entrance.jpg")).call();
                let bytes = picture.ok().and_then(|mut answer| answer.body_mut().read_to_vec().ok());
                live.pictures += usize::from(bytes.is_some_and(|bytes| holds_a_picture(&bytes)));
            }
        }
        live
    })
}

fn column<'a>(rows: &'a Rows, table: &str, number: usize) -> impl Iterator<Item = &'a Cell> {
    rows[table].iter().map(move |row| &row[number])
}

fn text(cell: &Cell) -> &str {
    let Cell::Text(text) = cell else { panic!("not a text: {cell:?}") };
    text
}

fn integer(cell: &Cell) -> i64 {
    let Cell::Integer(number) = cell else { panic!("not a number: {cell:?}") };
    *number
}

/// Whatever names a member in the store: the alias and the token of every card.
fn names(rows: &Rows) -> Vec<&str> {
    column(rows, "members", 1).chain(column(rows, "members", 2)).map(text).collect()
}

fn assert_names_nobody(what: &str, said: &str, rows: &Rows) {
    for name in names(rows) {
        assert!(!said.contains(name), "{what} names a member: {said}");
    }
}

/// Numbers with a decimal point, as an embedding would be printed.
fn decimals(line: &str) -> usize {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let words = line.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.filter(|word| word.split_once('.').is_some_and(|(a, b)| digits(a) && digits(b))).count()
}

fn assert_log_tells_of_nobody(log: &str, rows: &Rows) {
    assert!(log.contains("camera"), "nothing was logged");
    assert_names_nobody("the log", log, rows);
    for line in log.lines() {
        let lower = line.to_lowercase();
        for word in ["stranger", "embedding", "member=", "member_id", "landmark", "jfif"] {
            assert!(!lower.contains(word), "{word}: {line}");
        }
        let detail = lower.contains(" debug ") || lower.contains(" trace ");
        assert!(detail || !lower.contains("track"), "a track in the log: {line}");
        assert!(decimals(line) <= 3 && line.len() < 1000, "this could be a face: {line}");
    }
}

#[test]
fn what_finds_pictures_and_embeddings_finds_them() {
    let (mut jpeg, mut png) = (vec![0x47; 999], vec![0x47; 999]);
    let picture = RgbImage::new(32, 32);
    picture.write_with_encoder(JpegEncoder::new(&mut jpeg)).unwrap();
    picture.write_with_encoder(image::codecs::png::PngEncoder::new(&mut png)).unwrap();
    assert!(holds_a_picture(&jpeg) && holds_a_picture(&png) && !holds_a_picture(&[0x47; 999]));
    assert_eq!(decimals("score=0.25 [0.125, -3.5, 1.0] http://127.0.0.1:80 v2 2026-11-23T20:00:01.5Z"), 5);
}

#[test]
fn strangers_really_walked_and_were_seen_as_strangers() {
    assert!(WALK.report["strangers_faced"].as_u64().unwrap() > 0, "{}", WALK.report);
    assert_eq!(WALK.report["strangers_taken_for_members"], 0, "{}", WALK.report);
    assert!(WALK.live.strangers > 0, "vision saw no stranger, so nothing here would prove anything");
    assert!(WALK.live.pictures > 0, "the live view gave no picture");
}

#[test]
fn only_visits_and_slates_of_enrolled_members_were_written() {
    let (before, after) = (&WALK.before, &WALK.after);
    let may_grow = ["visits", "slates", "slate_items", "impressions"];
    for (table, rows) in after {
        assert!(
            may_grow.contains(&table.as_str()) || before[table] == *rows,
            "{table} changed during the walk"
        );
    }
    let enrolled: BTreeSet<i64> = column(after, "templates", 1).map(integer).collect();
    let visits: BTreeMap<i64, i64> =
        after["visits"].iter().map(|row| (integer(&row[0]), integer(&row[1]))).collect();
    assert!(!visits.is_empty() && visits.values().all(|member| enrolled.contains(member)));
    let mut personal = 0;
    for slate in &after["slates"] {
        // id, display, sequence, member, visit, made, valid_until, captured
        if slate[3] == Cell::Null {
            assert_eq!((&slate[4], &slate[7]), (&Cell::Null, &Cell::Null), "nobody's slate came of a frame");
            continue;
        }
        personal += 1;
        assert!(enrolled.contains(&integer(&slate[3])), "{slate:?}");
        assert_eq!(visits.get(&integer(&slate[4])), Some(&integer(&slate[3])), "another's visit: {slate:?}");
    }
    assert!(personal > 0);
    let slates: BTreeSet<&str> = column(after, "slates", 0).map(text).collect();
    assert!(column(after, "impressions", 0).all(|slate| slates.contains(text(slate))));
}

#[test]
fn templates_and_audit_hold_enrolments_and_nothing_else() {
    let after = &WALK.after;
    let members: BTreeSet<i64> = column(after, "members", 0).map(integer).collect();
    let faces: BTreeSet<i64> =
        after["consents"].iter().filter(|row| text(&row[2]) == "face").map(|row| integer(&row[1])).collect();
    let mut templates: BTreeMap<i64, usize> = BTreeMap::new();
    column(after, "templates", 1).for_each(|member| *templates.entry(integer(member)).or_default() += 1);
    assert_eq!(templates, faces.iter().map(|member| (*member, 3)).collect(), "three for each who enrolled");
    assert!(faces.len() > 10);
    for entry in &after["audit"] {
        // sequence, at, by, action, member, ...
        assert!(text(&entry[3]) == "enrol" && members.contains(&integer(&entry[4])), "{entry:?}");
    }
    assert_eq!(after["audit"].len(), members.len() + faces.len(), "each member once, and once with a face");
}

#[test]
fn no_table_is_about_strangers_and_no_other_bytes_are_kept() {
    let db = WALK.root.join("data/shop.sqlite");
    let db = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut columns = db
        .prepare(
            "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'",
        )
        .unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let columns: Vec<(String, String)> = columns.map(Result::unwrap).collect();
    assert!(columns.len() > 50);
    for (table, column) in columns {
        for word in ["track", "stranger", "face", "frame", "embedding", "picture", "image"] {
            assert!(!table.contains(word) && !column.contains(word), "{table}.{column}");
        }
    }
    for (table, rows) in &WALK.after {
        let bytes = rows.iter().flat_map(|row| row.iter().enumerate());
        let bytes: BTreeSet<usize> =
            bytes.filter(|(_, c)| matches!(c, Cell::Blob(_))).map(|(i, _)| i).collect();
        let expected: &[usize] = match table.as_str() {
            "templates" => &[3],
            "receipts" => &[5],
            "audit" => &[6],
            // name and contact, which nobody in the demo has
            _ => &[],
        };
        assert!(bytes.iter().eq(expected), "bytes in columns {bytes:?} of {table}");
    }
}

#[test]
fn frames_never_touch_the_disk() {
    let expected = |file: &Path| {
        let name = file.strip_prefix(WALK.root.join("data")).ok().and_then(Path::to_str);
        name.is_some_and(|name| STORE_FILES.contains(&name))
    };
    let ours = ["log.txt", "report.json"].map(|name| WALK.root.join(name));
    assert!(WALK.opened.contains(&WALK.root.join("data/shop.sqlite")), "{:?}", WALK.opened);
    for file in &WALK.opened {
        // the master key is written under another name first
        let draft = file.to_string_lossy().contains("data/master.key.");
        assert!(expected(file) || draft || ours.contains(file), "was open for writing: {}", file.display());
    }
    let left = files(&WALK.root);
    assert!(left.iter().any(|file| file.ends_with("shop.sqlite")));
    for file in left {
        assert!(expected(&file) || ours.contains(&file), "was left behind: {}", file.display());
        assert!(!holds_a_picture(&std::fs::read(&file).unwrap()), "a picture is in {}", file.display());
    }
}

#[test]
fn the_log_tells_of_nobody() {
    assert!(WALK.log.contains("a member came"), "members come without a name");
    assert_log_tells_of_nobody(&WALK.log, &WALK.after);
}

#[test]
fn metrics_have_no_person_in_them() {
    assert_names_nobody("/metrics", &WALK.metrics, &WALK.after);
    let mut labels = BTreeSet::new();
    for line in WALK.metrics.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, rest)) = line.split_once('{') else { continue };
        labels.extend(rest.split_once('}').unwrap().0.split(',').map(str::to_owned));
    }
    for camera in ["entrance", "tea"] {
        assert!(labels.remove(&format!("camera=\"{camera}\"")), "{}", WALK.metrics);
    }
    // Limits of histograms, and what the program and its models are.
    let known = ["le", "model", "task", "version"];
    let is_known = |label: &String| label.split_once('=').is_some_and(|(name, _)| known.contains(&name));
    assert!(labels.iter().all(is_known), "{labels:?}");
}

/// The part of the contract that a topic belongs to.
fn part_of(topic: &str) -> &'static str {
    let topic = topic.strip_prefix("shopguide/demo/").unwrap_or_else(|| panic!("not ours: {topic}"));
    match topic.split('/').collect::<Vec<_>>()[..] {
        ["status"] => "status",
        ["visit"] => "visit",
        ["display", "entrance" | "tea", "slate"] => "slate",
        ["display", "entrance" | "tea", "ack"] => "ack",
        _ => panic!("no topic of the contract: {topic}"),
    }
}

fn assert_keys(message: &Value, properties: &Value) {
    for key in message.as_object().unwrap().keys() {
        assert!(properties.get(key).is_some(), "\"{key}\" is not in the contract: {message}");
    }
}

#[test]
fn topics_carry_the_contract_and_visits_of_members_only() {
    let Some(messages) = &WALK.messages else { return };
    let contract: Value = serde_json::from_str(include_str!("../src/publish/contract.schema.json")).unwrap();
    let mut said: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut parts = BTreeSet::new();
    for (topic, payload) in messages {
        let part = part_of(topic);
        parts.insert(part);
        assert_names_nobody(topic, payload, &WALK.after);
        let message: Value = serde_json::from_str(payload).unwrap_or_else(|_| panic!("{topic}: {payload}"));
        assert_keys(&message, &contract["$defs"][part]["properties"]);
        for item in message["items"].as_array().into_iter().flatten() {
            assert_keys(item, &contract["$defs"]["item"]["properties"]);
        }
        assert!(decimals(payload) <= 40 && payload.len() < 20_000, "this could be a face: {payload}");
        if part == "visit" {
            let tag = message["visit"].as_str().unwrap().to_owned();
            said.entry(tag).or_default().push(message);
        }
    }
    assert_eq!(parts.len(), 4, "{parts:?}");
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let heard = said.values().map(|visit| {
        assert_eq!(visit.len(), 2, "said on entering and on leaving: {visit:?}");
        (visit[1]["zone"].as_str().unwrap(), time(&visit[1]["entered"]), time(&visit[1]["left"]))
    });
    // id, member, zone, entered, left
    let kept = WALK.after["visits"].iter().map(|row| (text(&row[2]), integer(&row[3]), integer(&row[4])));
    assert_eq!(heard.collect::<BTreeSet<_>>(), kept.collect::<BTreeSet<_>>());
}

/// A grey wall with `photo` on it, moved a little with each `step`.
fn frame(photo: &RgbImage, step: u32) -> RgbImage {
    let mut frame = RgbImage::from_fn(640, 480, |x, y| {
        let shade = 120 + ((x / 40 + y / 40) % 2) as u8 * 12;
        Rgb([shade, shade, shade + 6])
    });
    imageops::replace(&mut frame, photo, i64::from(200 + 3 * step), i64::from(120 + 2 * step));
    frame
}

#[test]
fn a_shop_without_members_sees_faces_and_keeps_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let shop = Shop::new(
        "[[camera]]\nid = \"door\"\nzone = \"entrance\"\nsource = \"folder\"\npath = \"frames\"\nfps = 10.0\n\
         motion = 0.0\n\n[[display]]\nid = \"tea\"\nzone = \"entrance\"\n",
    );
    let (faces, frames) = (shop.folder.path().join("faces"), shop.folder.path().join("frames"));
    let export =
        shopguide(["demo", "--count", "4", "--seed", "9", "--export-faces"]).arg(&faces).output().unwrap();
    assert!(export.status.success(), "{}", printed(&export));
    std::fs::create_dir(&frames).unwrap();
    let mut photos: Vec<PathBuf> = files(&faces);
    photos.retain(|p| p.extension().is_some_and(|e| e == "jpg") && !p.starts_with(faces.join("scenes")));
    photos.sort();
    for (n, photo) in photos.iter().enumerate() {
        let photo = shopguide::camera::decode::decode(&std::fs::read(photo).unwrap()).unwrap();
        for step in 0..3 {
            frame(&photo, step).save(frames.join(format!("{n:03}-{step}.jpg"))).unwrap();
        }
    }
    let daemon = shop.run();
    let listener = have("mosquitto_sub").then(|| Listener::start(shop.mqtt, "#"));
    let mut opened = BTreeSet::new();
    eventually("every picture was shown", || {
        open_for_writing(daemon.child.id(), &mut opened);
        let status = daemon.json("/api/status");
        let parts = status["parts"].as_array().unwrap();
        parts.iter().any(|p| p["kind"] == "camera" && p["says"] == "has come to its end").then_some(())
    });
    let (seen, embedded) =
        (daemon.metric("shopguide_faces_total"), daemon.metric("shopguide_embeddings_total"));
    println!("{} pictures: {seen} faces found, {embedded} good enough to be embedded", 3 * photos.len());
    assert!(
        seen > 10.0 && embedded > 0.0,
        "{seen} faces, {embedded} embedded: nothing here would prove anything"
    );
    assert_eq!(daemon.metric("shopguide_visits_total"), 0.0);
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");

    let rows = rows(&shop.data());
    let may_have_rows = ["revisions", "consent_texts", "slates", "slate_items"];
    for (table, rows) in &rows {
        assert!(rows.is_empty() || may_have_rows.contains(&table.as_str()), "{table}: {rows:?}");
    }
    for slate in &rows["slates"] {
        let of_nobody = [3, 4, 7].map(|i| slate[i] == Cell::Null);
        assert_eq!(of_nobody, [true; 3], "a slate of somebody: {slate:?}");
    }
    assert_log_tells_of_nobody(&log, &rows);
    for file in files(&shop.data()) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(STORE_FILES.contains(&name), "was left behind: {name}");
        assert!(!holds_a_picture(&std::fs::read(&file).unwrap()), "a picture is in {name}");
    }
    for file in &opened {
        assert!(file.starts_with(shop.data()) || *file == shop.folder.path().join("daemon.log"), "{file:?}");
    }
    for (_, topic, payload) in listener.iter().flat_map(Listener::all) {
        assert!(!topic.ends_with("/visit") && !payload.contains("\"personal\""), "{topic}: {payload}");
    }
}
