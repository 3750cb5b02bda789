//! The pages a person opens, and what they never tell.

use super::super::*;
use super::site::{PERSONAL, display, site, slate};
use crate::id::{SlateId, ZoneId};
use crate::publish::Screen;
use crate::recommend::Language;
use std::io::{Read, Write};

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
