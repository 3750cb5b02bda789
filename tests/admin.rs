//! The administration in a real Chromium, against the running program: a face too small, one blurred and
//! one stranger each show their reason live, a member is seen with box and score while somebody watches,
//! and no picture of anybody is anywhere on the disk afterwards. With `SHOPGUIDE_SHOTS=FOLDER` it keeps
//! screenshots there.

mod browser;
mod harness;

use browser::Browser;
use fantoccini::Locator;
use harness::{Daemon, Shop, printed, shopguide, traces};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const SCREENS: &str = r#"
[[camera]]
id = "door"
zone = "entrance"
source = "browser"
motion = 0.0

[[display]]
id = "shelf"
zone = "entrance"
"#;

/// A room of 640x480 with `photo` in it, moved a little with each step as a person would.
fn room(photo: &RgbImage, (x, y): (i64, i64), step: i64) -> Vec<u8> {
    let mut room = RgbImage::from_fn(640, 480, |x, y| {
        let shade = 120 + ((x / 40 + y / 40) % 2) as u8 * 12;
        Rgb([shade, shade, shade + 6])
    });
    imageops::replace(&mut room, photo, x + 2 * (step % 5), y + step % 3);
    let mut jpeg = Vec::new();
    room.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 92)).unwrap();
    jpeg
}

/// A portrait of somebody, of 220x220 pixels.
fn portrait(faces: &Path, who: &str, n: usize) -> RgbImage {
    let bytes = std::fs::read(faces.join(who).join(format!("{n:02}.jpg"))).unwrap();
    shopguide::camera::decode::decode(&bytes).unwrap()
}

/// Shows somebody to the camera until the page says `why`; then an empty room, until the track has ended.
async fn shows(
    browser: &Browser,
    daemon: &Daemon,
    opened: &mut BTreeSet<std::path::PathBuf>,
    photo: &RgbImage,
    at: (i64, i64),
    why: &str,
) {
    let says = format!("return document.querySelector('#doubts tr[data-why=\"{why}\"]') !== null");
    let mut step = 0;
    let began = std::time::Instant::now();
    while browser.ask(&says).await != true {
        assert!(began.elapsed() < browser::PATIENCE, "the page never said {why}");
        post(daemon, &room(photo, at, step));
        traces::open_for_writing(daemon.child.id(), opened);
        step += 1;
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    let nobody = RgbImage::from_pixel(1, 1, Rgb([120, 120, 126]));
    for step in 0..4 {
        post(daemon, &room(&nobody, (0, 0), step));
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
}

fn post(daemon: &Daemon, jpeg: &[u8]) {
    let sent = daemon.post("/api/cameras/door/frame", "image/jpeg", jpeg);
    assert!(sent.as_ref().is_some_and(|(status, _)| (200..300).contains(status)), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_face_that_is_not_recognised_says_why_and_no_picture_of_it_is_kept() {
    let shop = Shop::new(SCREENS);
    let products = shop.folder.path().join("products.csv");
    std::fs::write(&products, "sku,name,price,category,stock\nP-1,Darjeeling,12.90,Tea,9\n").unwrap();
    let imported = shop.command(&["import", "catalogue", products.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", printed(&imported));
    let faces = tempfile::tempdir().unwrap();
    let export = shopguide(["demo", "--count", "4", "--seed", "9", "--export-faces"])
        .arg(faces.path())
        .output()
        .unwrap();
    assert!(export.status.success(), "{}", printed(&export));
    let add = {
        let mut child = shopguide(["users", "--config"])
            .arg(shop.config())
            .args(["add", "ada", "--role", "admin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"a long and good password\n").unwrap();
        child.wait_with_output().unwrap()
    };
    assert!(add.status.success(), "{}", printed(&add));
    let photos: Vec<String> =
        [0, 1, 2].map(|n| faces.path().join(format!("s9-00000/{n:02}.jpg")).display().to_string()).into();
    let enrol: Vec<&str> =
        ["enrol", "--consent", "paper form 1"].into_iter().chain(photos.iter().map(String::as_str)).collect();
    let enrolled = shop.command(&enrol);
    assert!(enrolled.status.success(), "{}", printed(&enrolled));
    let daemon = shop.run();
    let Some(browser) = Browser::start().await else { return };
    browser.glass(1280, 1600);
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", daemon.web);
    assert_eq!(daemon.get("/admin/live/events").unwrap().0, 401, "the cameras are for who is signed in");
    assert_eq!(daemon.get("/admin/live/door.jpg").unwrap().0, 401);

    browser.client.goto(&url("/admin")).await.unwrap();
    browser.until("sent to sign in", "return location.pathname === '/sign-in'").await;
    for (id, text) in [("name", "ada"), ("secret", "a long and good password")] {
        browser.client.find(Locator::Id(id)).await.unwrap().send_keys(text).await.unwrap();
    }
    browser.click("#sign-in .main").await;
    browser.until("the administration", "return location.pathname === '/admin'").await;
    browser.until("the stream is open", "return document.getElementById('away').hidden").await;

    let mut opened = BTreeSet::new();
    let stranger = portrait(faces.path(), "s9-00001", 0);
    let small = imageops::resize(&stranger, 72, 72, imageops::FilterType::Lanczos3);
    shows(&browser, &daemon, &mut opened, &small, (300, 200), "too-small").await;
    shows(&browser, &daemon, &mut opened, &imageops::blur(&stranger, 4.5), (60, 120), "blurred").await;
    shows(&browser, &daemon, &mut opened, &stranger, (360, 120), "below-threshold").await;
    let rows =
        browser.ask("return [...document.querySelectorAll('#doubts tr')].map(r => r.textContent)").await;
    println!("{rows}");
    browser.shot("admin").await;

    // the cameras: boxes, and the score of a member, only now that somebody watches
    let member = portrait(faces.path(), "s9-00000", 3);
    assert_eq!(daemon.metric("shopguide_members_present"), 0.0);
    browser.click("#watch").await;
    let drawn = "const c = document.querySelector('#pictures canvas'); const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
                 let n = 0; for (let i = 0; i < p.length; i += 4) if (Math.abs(p[i] - 0x4f) < 12 && Math.abs(p[i + 1] - 0xd0) < 12 && Math.abs(p[i + 2] - 0x8a) < 12) n++; return n > 200";
    let began = std::time::Instant::now();
    let mut step = 0;
    while browser.ask(drawn).await != true {
        assert!(began.elapsed() < browser::PATIENCE * 2, "no member's box was drawn:\n{}", daemon.logs());
        post(&daemon, &room(&member, (200, 120), step));
        traces::open_for_writing(daemon.child.id(), &mut opened);
        step += 1;
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    browser.shot("admin-watching").await;
    browser.click("#watch").await;
    browser.until("nobody watches", "return document.getElementById('pictures').hidden").await;

    // the page, drawn anew: the score is in the distribution, and who watched is in the audit
    browser.client.refresh().await.unwrap();
    let page = browser.client.source().await.unwrap();
    for said in [
        "1 recognitions since the start",
        "the cameras' live pictures",
        "shopguide-embedder",
        "Nothing yet",
        "members",
    ] {
        assert!(page.contains(said), "{said} is not on the page");
    }
    browser.glass(1280, 3600);
    browser.shot("admin-whole").await;
    assert_eq!(browser.console_errors(), Vec::<String>::new());
    browser.end().await;

    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    assert!(!traces::holds_a_picture(log.as_bytes()));
    let mut looked_at = 0;
    for file in traces::files(shop.folder.path()) {
        assert!(
            !traces::holds_a_picture(&std::fs::read(&file).unwrap()),
            "a picture is in {}",
            file.display()
        );
        looked_at += 1;
    }
    assert!(looked_at > 3 && !opened.is_empty(), "nothing was looked at");
    for file in &opened {
        assert!(file.starts_with(shop.folder.path()), "was open for writing: {}", file.display());
    }
}
