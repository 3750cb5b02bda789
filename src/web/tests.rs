//! The server over a real socket: what a display, a program, a person and an attacker meet.

use super::status::{Health, Part, PartKind};
use super::*;
use crate::display::AckKind;
use crate::id::{MemberId, ProductId, SlateId, StoreId, ZoneId};
use crate::publish::Screen;
use crate::recommend::{Audience, Language, Money, Reason, Slate, Suggestion};
use jiff::Timestamp;
use proptest::prelude::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use tokio::net::TcpListener;

/// A running server, and what it asked for.
struct Site {
    address: SocketAddr,
    desired: Desired,
    live: Live,
    clock: Clock,
    requests: mpsc::Receiver<Request>,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    runtime: tokio::runtime::Runtime,
}

fn display(id: &str) -> DisplayId {
    DisplayId::new(id).unwrap()
}

fn site(change: impl FnOnce(&mut AppState)) -> Site {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (ask, requests) = mpsc::channel(8);
    let (stop, stopping) = watch::channel(false);
    let displays = [("tea", Language::En), ("wine", Language::Zh)].map(|(id, language)| DisplaySettings {
        id: display(id),
        zone: ZoneId::new("front").unwrap(),
        items: 3,
        layout: Default::default(),
        language,
        title: Some(format!("The {id} shelf")),
        category: None,
    });
    let part = Part {
        kind: PartKind::Camera,
        name: "door".into(),
        health: Health::Failed,
        says: "silent for 12 s".into(),
        remedy: Some("Check its cable.".into()),
    };
    let mut metrics = Registry::default();
    let frames = prometheus_client::metrics::counter::Counter::<u64>::default();
    frames.inc_by(7);
    metrics.register("frames", "Frames seen", frames);
    let mut state = AppState {
        web: WebSettings { listen: address, api_token: None, live_view: true },
        store: StoreSettings {
            id: StoreId::new("s").unwrap(),
            name: "Corner <b>Shop</b>".into(),
            currency: "€".into(),
            currency_digits: 2,
            time_zone: "UTC".into(),
        },
        desired: Desired::new(displays.iter().map(|d| d.id.clone())),
        displays: displays.to_vec(),
        kiosks: Vec::new(),
        areas: Vec::new(),
        watched: Default::default(),
        keep_days: 730,
        floor: Default::default(),
        review: Default::default(),
        live: Live::of([LiveCamera {
            id: CameraId::new("door").unwrap(),
            zone: ZoneId::new("front").unwrap(),
        }]),
        clock: Clock::simulated("2026-05-04T10:00:00Z".parse().unwrap()),
        status: Arc::new(move || Status::of("1.2.3", Timestamp::UNIX_EPOCH, vec![part.clone()])),
        metrics: Arc::new(metrics),
        requests: ask,
    };
    change(&mut state);
    let (desired, live, clock) = (state.desired.clone(), state.live.clone(), state.clock.clone());
    let served = runtime.spawn(serve(listener, state, stopping));
    Site { address, desired, live, clock, requests, stop, served, runtime }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Site {
    fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let _ = stream.write_all(body); // a server that refuses a huge body need not read it
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let all = String::from_utf8_lossy(&all).into_owned();
        let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "accept: text/html\r\n", b"")
    }

    fn post(&self, path: &str, json: &str) -> Answer {
        self.send("POST", path, "content-type: application/json\r\n", json.as_bytes())
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Opens an event stream.
    fn follow(&self, path: &str) -> Events {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address).unwrap();
        Events(BufReader::new(stream))
    }

    /// Answers the next receipts (catalogue, stock, ...) with `answer`, on another thread.
    fn answering<T>(&mut self, answer: impl FnOnce(Request) + Send, ask: impl FnOnce(&Self) -> T) -> T {
        let (_, empty) = mpsc::channel(1);
        let mut requests = std::mem::replace(&mut self.requests, empty);
        let (out, requests) = std::thread::scope(|scope| {
            let answerer = scope.spawn(move || {
                if let Some(request) = requests.blocking_recv() {
                    answer(request);
                }
                requests
            });
            let out = ask(self);
            (out, answerer.join().unwrap())
        });
        self.requests = requests;
        out
    }
}

struct Events(BufReader<TcpStream>);

impl Events {
    /// The data of the next event of this name; `None` at the end of the stream.
    fn next(&mut self, name: &str) -> Option<serde_json::Value> {
        let mut line = String::new();
        let mut ours = false;
        loop {
            line.clear();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(event) = line.trim_end().strip_prefix("event: ") {
                ours = event == name;
            } else if let Some(data) = line.trim_end().strip_prefix("data: ").filter(|_| ours) {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }
}

fn slate(id: &str, sequence: u64, audience: Audience, seconds: i64, name: &str) -> Arc<Slate> {
    let made_at: Timestamp = "2026-05-04T10:00:00Z".parse().unwrap();
    Arc::new(Slate {
        id: SlateId(id.into()),
        display: display("tea"),
        sequence,
        audience,
        made_at,
        valid_until: made_at + jiff::SignedDuration::from_secs(seconds),
        captured: None,
        greeting: Some("Good to see you".into()),
        items: vec![Suggestion {
            product: ProductId(1),
            sku: "sku-1".into(),
            name: name.into(),
            price: Money(295),
            place: Some("Aisle 3".into()),
            score: 1.0,
            propensity: 1.0,
            reason: Reason::Popular { receipts: 9, days: 7 },
            reason_text: "Popular this week".into(),
        }],
    })
}

const PERSONAL: Audience = Audience::Personal { member: MemberId(4711) };

#[test]
fn a_display_gets_the_present_state_first_and_every_change() {
    let site = site(|_| {});
    site.desired.update(&display("tea"), |s| s.store = Some(slate("st", 1, Audience::Store, 60, "Tea")));
    let mut events = site.follow("/display/tea/events");
    let first = events.next("screen").unwrap();
    assert_eq!(first["store"]["items"][0]["price"], "€2.95");
    assert_eq!(first["store"]["items"][0]["place"], "Aisle 3");
    assert!(first["personal"].is_null());
    assert_eq!(first["now"], 1777888800000_i64);

    site.desired.update(&display("tea"), |s| s.personal = Some(slate("pe", 2, PERSONAL, 20, "Oolong")));
    let second = events.next("screen").unwrap();
    assert_eq!(second["personal"]["id"], "pe");
    assert_eq!(second["personal"]["valid_until"], 1777888820000_i64);
    assert!(!second.to_string().contains("4711"), "a member's id left the appliance: {second}");

    site.clock.advance(Duration::from_secs(20));
    let late = site.follow("/display/tea/events").next("screen").unwrap();
    assert!(late["personal"].is_null(), "an expired slate was sent: {late}");
}

#[test]
fn a_heartbeat_lets_a_page_notice_a_lost_appliance() {
    let site = site(|_| {});
    let mut events = site.follow("/display/tea/events");
    assert_eq!(events.next("beat").unwrap()["now"], 1777888800000_i64);
}

#[test]
fn an_acknowledgement_reaches_the_appliance() {
    let mut site = site(|_| {});
    let answer = site.post("/display/tea/ack", r#"{"slate":"pe","kind":"dismissed","sku":"sku-1"}"#);
    assert_eq!(answer.status, 202, "{}", answer.body);
    let Some(Request::Ack(ack)) = site.requests.blocking_recv() else { panic!("no ack") };
    assert_eq!(
        (ack.display, ack.kind, ack.sku.as_deref()),
        (display("tea"), AckKind::Dismissed, Some("sku-1"))
    );
    assert_eq!(ack.slate, SlateId("pe".into()));

    for bad in ["", "{}", "7", r#"{"slate":"","kind":"shown"}"#, r#"{"slate":"a","kind":"eaten"}"#] {
        let answer = site.post("/display/tea/ack", bad);
        assert_eq!(answer.status, 422, "{bad}: {}", answer.body);
    }
    assert!(site.requests.try_recv().is_err(), "a bad acknowledgement came through");
}

#[test]
fn a_full_queue_asks_to_come_again() {
    let site = site(|_| {});
    let ack = r#"{"slate":"pe","kind":"shown"}"#;
    let statuses: Vec<u16> = (0..10).map(|_| site.post("/display/tea/ack", ack).status).collect();
    assert_eq!(statuses[..8], [202; 8]);
    assert_eq!(statuses[8..], [503; 2]);
    assert!(site.post("/display/tea/ack", ack).head.contains("retry-after: 1"));
}

#[test]
fn an_unknown_display_is_explained_in_words() {
    let site = site(|_| {});
    let answer = site.get("/display/nowhere");
    assert_eq!(answer.status, 404);
    assert!(
        answer.body.contains("There is no display of this name") && answer.body.contains("<!DOCTYPE html>")
    );
    assert_eq!(site.send("GET", "/display/nowhere/events", "", b"").status, 404);
    assert_eq!(site.post("/display/nowhere/ack", r#"{"slate":"a","kind":"shown"}"#).status, 404);
    assert_eq!(site.get("/no/such/page").status, 404);
    assert_eq!(site.get("/display/%00").status, 404);
    assert_eq!(site.get("/display/%ff").status, 400);
}

#[test]
fn hostile_names_are_text() {
    let hostile = "<script>alert(1)</script>";
    let site = site(|state| {
        state.displays[0].title = Some(hostile.into());
    });
    for path in ["/", "/display/tea", "/live"] {
        let answer = site.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.contains("<script>alert"), "{path} carries a script");
        assert!(answer.body.contains("&lt;script&gt;"), "{path} lost the name");
    }
    assert!(!site.get("/").body.contains("<b>Shop"));
    assert!(!site.get("/%3Cscript%3Ealert(1)").body.contains("<script>alert"));
}

#[test]
fn a_kiosk_tells_of_the_shops_cameras_at_once_and_draws_the_map() {
    let zone = ZoneId::new("front").unwrap();
    let kiosk = KioskSettings {
        id: display("k"),
        zone: zone.clone(),
        camera: None,
        language: Language::En,
        items: 3,
        title: None,
        minimum_age: 18,
        timeout: Duration::from_secs(45),
        every: Duration::from_millis(250),
    };
    let shelf = Area {
        name: "Tea <shelf>".into(),
        x: 0.0,
        y: 0.0,
        width: 2.0,
        height: 1.0,
        place: "Aisle 3".into(),
        zone: Some(zone.clone()),
    };
    let told = "<p>A camera of the shop watches this place"; // on the page, not among its words
    let unwatched = site(|state| state.kiosks = vec![kiosk.clone()]);
    assert!(!unwatched.get("/kiosk/k").body.contains(told));
    let site = site(|state| {
        state.kiosks = vec![kiosk.clone()];
        state.areas = vec![shelf];
        state.watched.insert(zone);
    });
    assert!(site.get("/kiosk/k").body.contains(told));
    let map = site.get("/kiosk/k/map?place=aisle%203,%20shelf%20B&lang=zh");
    assert_eq!(map.status, 200);
    assert!(map.head.contains("image/svg+xml") && map.body.contains("Tea &lt;shelf&gt;"), "{}", map.body);
    assert!(map.body.contains("您在这里"), "{}", map.body);
    assert_eq!(site.get("/kiosk/k/map?place=Aisle%2033").status, 204);
    assert_eq!(site.get("/kiosk/none/map?place=Aisle%203").status, 404);
    assert_eq!(site.get("/kiosk/k/map").status, 400);
}

#[test]
fn every_answer_forbids_what_comes_from_elsewhere() {
    let site = site(|_| {});
    for path in ["/", "/display/tea", "/status", "/nothing", "/assets/display.css", "/livez", "/api/status"] {
        let answer = site.get(path);
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
        ] {
            assert!(answer.head.contains(header), "{path}: {}", answer.head);
        }
        assert!(
            !answer.body.contains("style=\"") && !answer.body.contains("onclick"),
            "{path} has inline code"
        );
        for piece in answer.body.split("src=\"").skip(1).chain(answer.body.split("href=\"").skip(1)) {
            assert!(piece.starts_with('/'), "{path} loads from elsewhere: {piece:.60}");
        }
    }
}

#[test]
fn every_asset_named_by_a_page_exists() {
    let site = site(|_| {});
    for page in ["/", "/display/tea", "/live", "/status"] {
        let body = site.get(page).body;
        for piece in body.split("\"/assets/").skip(1) {
            let path = format!("/assets/{}", piece.split('"').next().unwrap());
            let answer = site.get(&path);
            assert_eq!(answer.status, 200, "{page} names {path}");
            assert!(answer.head.contains("immutable"), "{path}: {}", answer.head);
        }
    }
    assert_eq!(site.get("/assets/../mod.rs").status, 404);
    assert!(site.get("/display/worker.js").body.starts_with("const VERSION"));
}

#[test]
fn receipts_are_answered_one_by_one_after_the_commit() {
    let mut site = site(|_| {});
    let one = |id: &str| {
        format!(
            r#"{{"receipt":"{id}","at":"2026-05-04T10:00:00Z","lines":[{{"sku":"a","quantity":1,"price":2}}]}}"#
        )
    };
    let book = |request| {
        let Request::Receipts(rows, reply) = request else { panic!("{request:?}") };
        assert_eq!(rows[1].lines[0].price, Money(200));
        reply.send(Ok(vec![Counted::Counted, Counted::Duplicate])).unwrap();
    };
    let two = format!("[{},{}]", one("r1"), one("r2"));
    let answer = site.answering(book, |site| site.post("/api/receipts", &two));
    assert_eq!(answer.status, 200);
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["receipts"][0], serde_json::json!({"receipt": "r1", "result": "counted"}));
    assert_eq!(body["receipts"][1]["result"], "duplicate");

    let refuse = |request| {
        let Request::Receipts(_, reply) = request else { panic!("{request:?}") };
        let _ = reply.send(Err(Refused::Full(Fault::new("the disk is full", "", "Make room."))));
    };
    assert_eq!(site.answering(refuse, |site| site.post("/api/receipts", &one("r3"))).status, 507);
    let answer = site.answering(drop, |site| site.post("/api/receipts", &one("r3")));
    assert_eq!(answer.status, 503, "a dropped reply must not read as done");
}

#[test]
fn a_bad_receipt_is_refused_with_place_and_remedy_and_asks_for_nothing() {
    let mut site = site(|_| {});
    for (body, status, place) in [
        ("{", 400, "line 1"),
        ("", 400, "line 1"),
        (r#"[{"receipt":"a","at":"x","lines":[]}]"#, 422, "at"),
        (
            r#"{"receipt":"a","at":"2026-05-04T10:00:00Z","lines":[{"sku":"a","quantity":0,"price":1}]}"#,
            422,
            "lines[0].quantity",
        ),
    ] {
        let answer = site.post("/api/receipts", body);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let fault = &json["errors"][0];
        assert!(fault["where"].as_str().unwrap().starts_with(place), "{fault}");
        assert!(
            !fault["remedy"].as_str().unwrap().is_empty() && !fault["error"].as_str().unwrap().is_empty()
        );
    }
    assert!(site.requests.try_recv().is_err());
}

#[test]
fn huge_bodies_are_refused() {
    let mut site = site(|_| {});
    let huge = vec![b' '; JSON_BYTES + 1];
    let json = "content-type: application/json\r\n";
    assert_eq!(site.send("POST", "/api/receipts", json, &huge).status, 413);
    assert_eq!(site.send("POST", "/display/tea/ack", json, &huge[..ACK_BYTES + 1]).status, 413);
    assert!(site.requests.try_recv().is_err());
}

#[test]
fn pictures_of_a_browser_go_to_their_camera() {
    let mut site = site(|_| {});
    let jpeg = "content-type: image/jpeg\r\n";
    let take = |request| {
        let Request::Frame(camera, bytes, reply) = request else { panic!("{request:?}") };
        assert_eq!((camera.as_str(), &bytes[..]), ("kiosk", &[0xff, 0xd8, 0xff][..]));
        reply.send(Ok(())).unwrap();
    };
    let post = |site: &Site| site.send("POST", "/api/cameras/kiosk/frame", jpeg, &[0xff, 0xd8, 0xff]);
    assert_eq!(site.answering(take, post).status, 204);
    let unknown = |request| {
        let Request::Frame(_, _, reply) = request else { panic!("{request:?}") };
        reply.send(Err(FrameRefused::UnknownCamera)).unwrap();
    };
    assert_eq!(site.answering(unknown, post).status, 404);
    assert_eq!(site.send("POST", "/api/cameras/kiosk/frame", jpeg, b"GIF89a").status, 422);
    assert_eq!(site.send("POST", "/api/cameras/kiosk/frame", "", b"").status, 415);
    assert_eq!(site.send("POST", "/api/cameras/KIOSK/frame", jpeg, &[0xff, 0xd8]).status, 404);
    assert!(site.requests.try_recv().is_err());
}

#[test]
fn a_token_once_configured_is_needed_even_from_here() {
    let site = site(|state| state.web.api_token = Some("secret".into()));
    for path in ["/api/status", "/status", "/metrics", "/live", "/live/events", "/live/door.jpg"] {
        let answer = site.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.head.contains("www-authenticate: basic"), "{}", answer.head);
        assert_eq!(site.send("GET", path, "authorization: Bearer wrong\r\n", b"").status, 401);
    }
    assert_eq!(site.post("/api/receipts", "{}").status, 401);
    assert_eq!(site.send("GET", "/api/status", "authorization: Bearer secret\r\n", b"").status, 200);
    assert_eq!(site.send("GET", "/status", "authorization: Basic YW55OnNlY3JldA==\r\n", b"").status, 200);
    for open in ["/", "/display/tea", "/livez"] {
        assert_eq!(site.get(open).status, 200, "{open}");
    }
}

#[test]
fn without_a_token_only_this_machine_under_its_own_name_is_answered() {
    let site = site(|_| {});
    assert_eq!(site.get("/api/status").status, 200);
    // a page whose name was pointed at 127.0.0.1 sends its own name
    let mut stream = site.connect();
    stream.write_all(b"GET /api/status HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // what a proxy forwards is not from here
    assert_eq!(site.send("GET", "/api/status", "x-forwarded-for: 10.0.0.9\r\n", b"").status, 403);
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let mut site = site(|_| {});
    let ack = br#"{"slate":"pe","kind":"shown"}"#;
    let foreign = "content-type: application/json\r\norigin: http://evil.example\r\n";
    assert_eq!(site.send("POST", "/display/tea/ack", foreign, ack).status, 403);
    assert_eq!(site.send("POST", "/display/tea/ack", "content-type: text/plain\r\n", ack).status, 415);
    assert!(site.requests.try_recv().is_err());
}

#[test]
fn status_says_what_is_wrong_and_what_to_do() {
    let site = site(|_| {});
    let page = site.get("/status").body;
    assert!(page.contains("One thing needs attention") && page.contains("Check its cable."));
    let json: serde_json::Value = serde_json::from_str(&site.get("/api/status").body).unwrap();
    assert_eq!(json["healthy"], false);
    assert_eq!(json["parts"][0]["health"], "failed");
    assert_eq!(site.get("/livez").status, 200);
    assert_eq!(site.get("/readyz").status, 200, "a camera that is away does not stop the appliance");
    assert!(site.get("/metrics").body.contains("frames_total 7"));
}

#[test]
fn without_a_live_view_there_is_no_page_of_it() {
    let site = site(|state| state.live = Live::pictures_only([]));
    assert_eq!(site.get("/live").status, 404);
    assert!(!site.get("/").body.contains("/live"));
}

#[test]
fn the_live_view_tells_who_is_here_and_never_of_strangers() {
    let site = site(|_| {});
    site.desired.update(&display("tea"), |s| {
        *s = Screen { store: None, personal: Some(slate("pe", 2, PERSONAL, 20, "Oolong")) };
    });
    let zone = ZoneId::new("front").unwrap();
    let at = site.clock.now().utc;
    let alias = "Heron".to_owned();
    let entered = LiveWhat::Entered { alias: alias.clone(), zone, votes: 4, score: 0.61 };
    site.live.event(LiveEvent { at, what: entered });
    let sent = LiveWhat::Slate {
        alias: alias.clone(),
        display: display("tea"),
        slate: SlateId("pe".into()),
        items: 1,
    };
    site.live.event(LiveEvent { at, what: sent });

    let mut events = site.follow("/live/events");
    let story = events.next("story").unwrap();
    assert_eq!(story["here"][0]["alias"], "Heron");
    assert_eq!(story["events"][0]["kind"], "slate");
    let shows = events.next("shows").unwrap();
    assert_eq!(
        (shows["alias"].as_str(), shows["slate"]["items"][0]["name"].as_str()),
        (Some("Heron"), Some("Oolong"))
    );
    assert!(!shows.to_string().contains("4711"));

    assert!(site.live.watched());
    let label = |label, x| LiveTrack {
        bbox: crate::vision::Rect { x, y: 10.0, w: 80.0, h: 90.0 },
        label,
        score: None,
        quality: Some(0.8),
    };
    site.live.show(LiveFrame {
        camera: CameraId::new("door").unwrap(),
        captured: site.clock.now(),
        image: Arc::new(image::RgbImage::from_pixel(1280, 720, image::Rgb([90, 120, 80]))),
        tracks: vec![label(LiveLabel::Member(alias), 10.0), label(LiveLabel::Stranger, 300.0)],
    });
    let tracks = events.next("tracks").unwrap();
    assert_eq!((tracks["number"].as_u64(), tracks["width"].as_u64()), (Some(1), Some(1280)));
    assert_eq!(tracks["tracks"][1]["label"], serde_json::json!({"kind": "stranger"}));

    let mut stream = site.connect();
    write!(stream, "GET /live/door.jpg HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", site.address)
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let body = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    assert!(String::from_utf8_lossy(&answer[..body]).contains("x-picture: 1"));
    let picture = crate::camera::decode::decode(&answer[body..]).unwrap();
    assert_eq!((picture.width(), picture.height()), (640, 360));
    assert!(!serde_json::to_string(&site.live.story()).unwrap().contains("stranger"));

    drop(events);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while site.live.watched() {
        assert!(std::time::Instant::now() < deadline, "pictures are kept after the last watcher left");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn streams_end_at_once_when_the_server_stops() {
    let site = site(|_| {});
    let mut display = site.follow("/display/tea/events");
    let mut live = site.follow("/live/events");
    assert!(display.next("screen").is_some() && live.next("story").is_some());
    site.stop.send(true).unwrap();
    assert!(display.next("screen").is_none() && live.next("story").is_none());
    let served =
        site.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), site.served).await });
    served.expect("the server did not stop").unwrap().unwrap();
    assert!(TcpStream::connect(site.address).is_err(), "it still listens");
}

#[test]
fn streams_are_bounded() {
    let site = site(|_| {});
    let open: Vec<Events> = (0..STREAMS)
        .map(|_| site.follow("/display/tea/events"))
        .map(|mut e| {
            assert!(e.next("screen").is_some());
            e
        })
        .collect();
    assert_eq!(site.send("GET", "/display/tea/events", "", b"").status, 503);
    assert_eq!(site.get("/display/tea").status, 200, "pages are still served");
    drop(open);
}

#[test]
fn a_silent_client_is_closed() {
    let site = site(|_| {});
    let mut silent = site.connect();
    silent.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").unwrap();
    let mut rest = Vec::new();
    let closed = silent.read_to_end(&mut rest);
    assert!(
        closed.is_ok() || closed.is_err_and(|e| e.kind() != std::io::ErrorKind::WouldBlock),
        "still open"
    );
}

#[test]
fn no_bytes_on_the_wire_stop_the_server() {
    let site = site(|_| {});
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(200));
    let paths = prop_oneof![
        Just("/display/tea/ack"),
        Just("/api/receipts"),
        Just("/api/catalogue"),
        Just("/api/stock"),
        Just("/api/cameras/kiosk/frame"),
        Just("/live/door.jpg"),
    ];
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    runner
        .run(&(paths, bytes.clone(), bytes), |(path, body, raw)| {
            let answer = site.send("POST", path, "content-type: application/json\r\n", &body);
            prop_assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
            let mut stream = site.connect();
            let _ = stream.write_all(&raw);
            Ok(())
        })
        .unwrap();
    assert_eq!(site.get("/livez").status, 200);
}
