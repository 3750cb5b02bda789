//! The pages in a real Chromium: what a shopper sees before, with and after a slate, and while the
//! appliance is away. With `SHOPGUIDE_SHOTS=FOLDER` it keeps screenshots there.

mod browser;

use browser::{Browser, CHINESE, ENGLISH, Site, slate};
use serde_json::Value;
use shopguide::clock::Now;
use shopguide::display::AckKind;
use shopguide::id::{CameraId, DisplayId, SlateId, ZoneId};
use shopguide::vision::Rect;
use shopguide::web::{LiveEvent, LiveFrame, LiveLabel, LiveTrack, LiveWhat};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_display_follows_the_appliance_and_survives_its_absence() {
    let Some(browser) = Browser::start().await else { return };
    let mut site = Site::start(None).await;
    browser.glass(1280, 720);

    // before any slate
    browser.client.goto(&site.url("/display/tea")).await.unwrap();
    assert_eq!(browser.slate().await, "");
    assert_eq!(browser.ask("return document.querySelector('.large').textContent").await, "Welcome");
    browser.ask("window.neverReloaded = true").await;
    browser.shot("display-before").await;

    // store-level content, confirmed once it is painted
    site.show(&slate("tea", "store-1", 10, None, "Loved in this shop this week", &ENGLISH[1..4]));
    browser.until_slate("store-1").await;
    let ack = site.ack().await;
    assert_eq!((ack.slate, ack.kind), (SlateId("store-1".into()), AckKind::Shown));

    // a personal slate; an item of it dismissed
    site.show(&slate("tea", "personal-1", 11, Some(600), "Good to see you again", &ENGLISH[..3]));
    browser.until_slate("personal-1").await;
    assert_eq!(site.ack().await.slate, SlateId("personal-1".into()));
    browser.shot("display-personal").await;
    browser.click(".layer.now .card:first-child .dismiss").await;
    let ack = site.ack().await;
    assert_eq!((ack.kind, ack.sku.as_deref()), (AckKind::Dismissed, Some("sku-0")));
    browser.until("two cards", "return document.querySelectorAll('.layer.now .card').length === 2").await;

    // many at once: only the last stays on the glass
    for n in 0..5 {
        let id = format!("burst-{n}");
        site.show(&slate("tea", &id, 11, Some(600), "Good to see you again", &ENGLISH[n..=n]));
        browser.ask("return 0").await;
    }
    browser.until_slate("burst-4").await;
    browser.until("one layer", "return document.querySelectorAll('.layer.now').length === 1").await;
    while site.ack().await.slate.0 != "burst-4" {}

    // a slate with a lower sequence is an echo of the past
    site.show(&slate("tea", "stale", 9, Some(600), "Old", &ENGLISH[..1]));
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(browser.slate().await, "burst-4");

    // it ends by the page's own clock, though the appliance never takes it back
    site.show(&slate("tea", "personal-2", 12, Some(3), "Good to see you again", &ENGLISH[..3]));
    browser.until_slate("personal-2").await;
    browser.until_slate("store-1").await;

    // the appliance goes away: a personal slate still ends in time, store-level content stays
    site.show(&slate("tea", "personal-3", 13, Some(6), "Good to see you again", &ENGLISH[..3]));
    browser.until_slate("personal-3").await;
    let address = site.stop().await;
    browser.until("the sign of absence", "return !document.getElementById('away').hidden").await;
    browser.until_slate("store-1").await;
    browser.shot("display-away").await;

    // it comes back with something new
    let mut site = Site::start(Some(address)).await;
    site.show(&slate("tea", "store-2", 20, None, "Fresh today", &ENGLISH[3..]));
    browser.until_slate("store-2").await;
    browser.until("no sign", "return document.getElementById('away').hidden").await;
    loop {
        // what was painted last before the absence may be confirmed first
        let ack = site.ack().await;
        if ack.slate == SlateId("store-2".into()) {
            break;
        }
        assert!(ack.slate.0.starts_with("personal-"), "{ack:?}");
    }
    assert_eq!(browser.ask("return window.neverReloaded").await, true, "the page reloaded");

    // a reload while the appliance is away still shows the page (localhost or https only)
    let kept = "return !!window.kept";
    browser
        .ask("caches.match(location.href).then((page) => (window.kept = !!page)); window.kept = false;")
        .await;
    while browser.ask(kept).await != true {
        browser.ask("caches.match(location.href).then((page) => (window.kept = !!page))").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    site.stop().await;
    browser.client.refresh().await.unwrap();
    browser.until_slate("store-2").await;
    browser.until("the sign of absence", "return !document.getElementById('away').hidden").await;

    assert_eq!(browser.console_errors(), Vec::<String>::new());
    browser.end().await;
}

/// Type sizes, and texts that do not fit where they stand.
const MEASURE: &str = "
    const layer = document.querySelector('.layer.now');
    const size = (q) => Math.min(...[...layer.querySelectorAll(q)].map((e) => parseFloat(getComputedStyle(e).fontSize)));
    const cut = [...layer.querySelectorAll('.card')].filter((card) => {
      const box = card.getBoundingClientRect();
      const name = card.querySelector('.name').getBoundingClientRect();
      return card.scrollHeight > card.clientHeight + 1 || box.bottom > innerHeight || box.right > innerWidth ||
        name.bottom > card.querySelector('.head').getBoundingClientRect().bottom + 1 ||
        [...card.querySelectorAll('p, h2')].some((e) => e.scrollWidth > e.clientWidth + 1 ||
          e.getBoundingClientRect().bottom > box.bottom + 1);
    });
    return { name: size('.name'), price: size('.price'), reason: size('.reason'), cut: cut.map((c) => c.textContent),
      scrolls: document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth };";

#[tokio::test(flavor = "multi_thread")]
async fn every_layout_is_readable_and_nothing_is_cut() {
    let Some(browser) = Browser::start().await else { return };
    let site = Site::start(None).await;
    let mut sequence = 1;
    for (width, height) in [(1280, 720), (800, 480), (720, 1280)] {
        browser.glass(width, height);
        for (display, rows, greeting) in
            [("tea", &ENGLISH, "Good to see you again"), ("cha", &CHINESE, "很高兴再次见到您")]
        {
            browser.client.goto(&site.url(&format!("/display/{display}"))).await.unwrap();
            for count in [1, 3, 6] {
                sequence += 1;
                let id = format!("s{sequence}");
                site.show(&slate(display, &id, sequence, Some(600), greeting, &rows[..count]));
                browser.until_slate(&id).await;
                let seen = browser.ask(MEASURE).await;
                let what = format!("{display} {count} at {width}x{height}: {seen}");
                assert_eq!(seen["cut"], Value::Array(vec![]), "{what}");
                assert_eq!(seen["scrolls"], false, "{what}");
                let least = if width == 1280 { (40.0, 26.0) } else { (25.0, 16.0) };
                assert!(seen["name"].as_f64().unwrap() >= least.0, "{what}");
                assert!(seen["reason"].as_f64().unwrap() >= least.1, "{what}");
                browser.shot(&format!("display-{display}-{count}-{width}x{height}")).await;
            }
        }
    }
    assert_eq!(browser.console_errors(), Vec::<String>::new());
    browser.end().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_view_shows_pictures_people_and_reasons() {
    let Some(browser) = Browser::start().await else { return };
    let site = Site::start(None).await;
    browser.glass(1440, 1100);
    site.show(&slate("tea", "store-1", 1, None, "Loved in this shop this week", &ENGLISH[1..4]));
    site.show(&slate("cha", "personal-1", 2, Some(600), "很高兴再次见到您", &CHINESE[..3]));
    let zone = ZoneId::new("tea").unwrap();
    let display = DisplayId::new("cha").unwrap();
    let happened = [
        LiveWhat::Entered { alias: "Finch".into(), zone: zone.clone(), votes: 5, score: 0.63 },
        LiveWhat::Left { alias: "Finch".into(), zone: zone.clone(), stayed: Some(Duration::from_secs(41)) },
        LiveWhat::Entered { alias: "Heron".into(), zone, votes: 4, score: 0.58 },
        LiveWhat::Slate {
            alias: "Heron".into(),
            display: display.clone(),
            slate: SlateId("personal-1".into()),
            items: 3,
        },
        LiveWhat::Acked {
            display,
            slate: SlateId("personal-1".into()),
            ack: AckKind::Shown,
            latency: Some(Duration::from_millis(412)),
        },
    ];
    for what in happened {
        site.live.event(LiveEvent { at: jiff::Timestamp::now(), what });
    }

    browser.client.goto(&site.url("/live")).await.unwrap();
    browser.until("the member", "return document.getElementById('here').textContent.includes('Heron')").await;
    browser.until("latency", "return document.getElementById('p50').textContent === '412 ms'").await;
    browser
        .until(
            "the slate",
            "return document.querySelector('[data-screen=cha]').textContent.includes('Heron')",
        )
        .await;

    // a picture with three people: a grey room, lighter where they stand
    let mut mono = Duration::from_secs(1);
    let track = |x, label, score| LiveTrack {
        bbox: Rect { x, y: 180.0, w: 150.0, h: 190.0 },
        label,
        score,
        quality: Some(0.8),
    };
    let tracks = vec![
        track(180.0, LiveLabel::Member("Heron".into()), Some(0.58)),
        track(560.0, LiveLabel::Stranger, None),
        track(930.0, LiveLabel::Undecided, None),
    ];
    let image = image::RgbImage::from_fn(1280, 720, |x, y| {
        let face = tracks.iter().any(|t| {
            let (dx, dy) = (x as f32 - t.bbox.x - 75.0, y as f32 - t.bbox.y - 95.0);
            (dx / 75.0).powi(2) + (dy / 95.0).powi(2) < 1.0
        });
        if face { image::Rgb([206, 170, 140]) } else { image::Rgb([70, 78, (80 + y / 12) as u8]) }
    });
    let image = Arc::new(image);
    let drawn = "const p = document.querySelector('[data-camera=door] canvas').getContext('2d').getImageData(\
                 120, 140, 1, 1).data; return p[0] > 150 && document.querySelector('[data-camera=door] .waiting').offsetParent === null";
    let deadline = std::time::Instant::now() + browser::PATIENCE;
    while browser.ask(drawn).await != true {
        assert!(std::time::Instant::now() < deadline, "the picture never came");
        mono += Duration::from_millis(200);
        for camera in ["door", "shelf"] {
            site.live.show(LiveFrame {
                camera: CameraId::new(camera).unwrap(),
                captured: Now { mono, utc: jiff::Timestamp::now() },
                image: image.clone(),
                tracks: tracks.clone(),
            });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    browser.shot("live").await;
    let list = browser.ask("return document.getElementById('events').textContent").await;
    assert!(!list.as_str().unwrap().contains("stranger"));

    for (path, name) in [("/", "index"), ("/status", "status"), ("/display/none", "unknown-display")] {
        browser.client.goto(&site.url(path)).await.unwrap();
        browser.shot(name).await;
    }
    let errors = browser.console_errors();
    // the browser itself notes the 404 that was asked for
    assert!(errors.iter().all(|e| e.contains("/display/none") && e.contains("404")), "{errors:?}");
    browser.end().await;
    site.stop().await;
}
