//! The kiosk in a real Chromium with a fake camera, against the running program: joining by face and
//! by card, walking away, coming back, being forgotten. With `SHOPGUIDE_SHOTS=FOLDER` it keeps
//! screenshots there.

#[path = "../browser/mod.rs"]
mod browser;
mod film;
#[path = "../harness/mod.rs"]
mod harness;
mod looks;

use browser::Browser;
use harness::{Daemon, Shop, printed};
use std::path::PathBuf;

const KIOSK: &str = r#"
[[camera]]
id = "kiosk-cam"
zone = "kiosk"
source = "browser"
motion = 0.0

[[kiosk]]
id = "k1"
zone = "kiosk"
camera = "kiosk-cam"
"#;

const PRODUCTS: &str = "sku,name,category,price,place,stock
P-1,Oat Drink Barista 1 l,Drinks,2.29,\"Cooler 2, shelf A\",20
P-2,Sourdough Crispbread with Rye and Sea Salt,Bread,3.49,\"Aisle 5, shelf A\",12
P-3,Wildflower Honey 450 g,Breakfast,6.75,\"Aisle 4, shelf C\",9
P-4,Extra Virgin Olive Oil Kalamata 750 ml,Pantry,9.99,\"Aisle 6, shelf D\",7
P-5,Dark Chocolate 85 % Ecuador,Sweets,3.19,Checkout 1,30
";

/// A shop with a kiosk whose page clears itself after `timeout`, a few products and receipts.
struct Scene {
    shop: Shop,
    daemon: Daemon,
    film: PathBuf,
}

impl Scene {
    fn new(timeout: &str) -> Self {
        let shop = Shop::new(&format!("{KIOSK}timeout = \"{timeout}\"\n"));
        let products = shop.folder.path().join("products.csv");
        std::fs::write(&products, PRODUCTS).unwrap();
        let out = shop.command(&["import", "catalogue", products.to_str().unwrap()]);
        assert!(out.status.success(), "{}", printed(&out));
        let daemon = shop.run();
        let film = shop.folder.path().join("camera.mjpeg");
        let scene = Self { shop, daemon, film };
        for n in 0..12 {
            scene.buy(&format!("other-{n}"), None, &["P-3", "P-5"]);
        }
        scene
    }

    /// A receipt of a member, or of anybody.
    fn buy(&self, receipt: &str, card: Option<&str>, skus: &[&str]) {
        let lines: Vec<_> =
            skus.iter().map(|sku| serde_json::json!({"sku": sku, "quantity": 1, "price": 2.95})).collect();
        let body = serde_json::json!(
            {"receipt": receipt, "at": jiff::Timestamp::now().to_string(), "member": card, "lines": lines}
        );
        let sent = self.daemon.post("/api/receipts", "application/json", body.to_string().as_bytes());
        assert_eq!(sent.as_ref().map(|s| s.0), Some(200), "{sent:?}");
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.daemon.web)
    }

    fn members(&self) -> String {
        let out = self.shop.command(&["members", "list"]);
        assert!(out.status.success(), "{}", printed(&out));
        String::from_utf8(out.stdout).unwrap()
    }

    async fn open(&self) -> Option<Browser> {
        let browser = Browser::with_camera(&self.film).await?;
        browser.glass(1280, 800);
        browser.client.goto(&self.url("/kiosk/k1")).await.unwrap();
        Some(browser)
    }
}

async fn until_scene(browser: &Browser, id: &str) {
    browser
        .until(&format!("scene {id}"), &format!("return document.getElementById('{id}').hidden === false"))
        .await;
}

async fn until_kind(browser: &Browser, kind: &str) {
    let there = format!("return document.getElementById('member').dataset.kind === '{kind}'");
    browser.until(&format!("the scene of a member: {kind}"), &there).await;
}

/// Presses the button with this text.
async fn press(browser: &Browser, text: &str) {
    let script = format!(
        "const b = [...document.querySelectorAll('.scene:not([hidden]) button')].find(b => b.textContent === {text:?});\
         if (b) b.click(); return !!b"
    );
    assert_eq!(browser.ask(&script).await, true, "there is no button {text:?}");
}

/// Nothing of a person is on the page, and the camera is off.
async fn nothing_stays(browser: &Browser, secrets: &[&str]) {
    until_scene(browser, "idle").await;
    let page = browser.ask("return document.documentElement.outerHTML + JSON.stringify({...sessionStorage, ...localStorage})").await;
    let page = page.as_str().unwrap();
    for secret in secrets {
        assert!(!page.contains(secret), "{secret} is still on the page");
    }
    assert_eq!(browser.ask("return document.querySelectorAll('video, article, .code').length").await, 0);
}

async fn card_number(browser: &Browser) -> String {
    let shown = browser.ask("return document.querySelector('.number').textContent").await;
    shown.as_str().unwrap().replace(' ', "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shopper_joins_by_face_walks_away_comes_back_and_is_forgotten() {
    let scene = Scene::new("60 s");
    film::write(&scene.film, &[(film::shopper(0), 9.0)]);
    let Some(browser) = scene.open().await else { return };
    assert_eq!(
        browser.ask("return document.querySelectorAll('video').length").await,
        0,
        "a camera before any press"
    );
    browser.shot("kiosk-idle").await;

    // broken off: nothing is kept
    browser.click("#join").await;
    until_scene(&browser, "terms").await;
    browser.click("#agree-face").await;
    browser
        .until(
            "asked for the age",
            "return document.getElementById('terms-problem').textContent.includes('18')",
        )
        .await;
    browser.click("#old-enough").await;
    browser.shot("kiosk-terms").await;
    browser.click("#agree-face").await;
    until_scene(&browser, "joining").await;
    browser.until("a good frame", "return document.querySelectorAll('#progress .good').length > 0").await;
    browser.shot("kiosk-joining").await;
    browser.click("#joining .back").await;
    nothing_stays(&browser, &[]).await;
    assert!(
        scene.members().contains("no members"),
        "a broken-off enrolment left something: {}",
        scene.members()
    );

    // joining
    let began = std::time::Instant::now();
    browser.click("#join").await;
    browser.click("#old-enough").await;
    browser.click("#agree-face").await;
    until_kind(&browser, "card").await;
    println!("joined by face in {:.1} s", began.elapsed().as_secs_f32());
    let card = card_number(&browser).await;
    browser.shot("kiosk-joined").await;
    assert!(scene.members().contains(&card), "{}", scene.members());
    press(&browser, "Done").await;
    nothing_stays(&browser, &[&card, &card[..5]]).await;

    // coming back: recognised, and gone from the screen after walking away
    for n in 0..4 {
        scene.buy(&format!("own-{n}"), Some(&card), &["P-1", "P-2"]);
    }
    film::write(&scene.film, &[(film::shopper(0), 9.0), (film::empty(), 30.0)]);
    let began = std::time::Instant::now();
    browser.click("#recognise").await;
    until_kind(&browser, "slate").await;
    println!("recognised, slate on the page after {:.1} s", began.elapsed().as_secs_f32());
    browser.until("products", "return document.querySelectorAll('.product').length >= 2").await;
    browser.shot("kiosk-recognised").await;
    nothing_stays(&browser, &[&card]).await;

    // somebody else is nobody here
    film::write(&scene.film, &[(film::shopper(2), 30.0)]);
    browser.click("#recognise").await;
    browser
        .until(
            "not recognised",
            "return document.getElementById('look-hint').textContent.includes('Not recognised')",
        )
        .await;
    browser.click("#look .back").await;

    // enrolled already: not twice
    film::write(&scene.film, &[(film::shopper(0), 30.0)]);
    browser.click("#join").await;
    browser.click("#old-enough").await;
    browser.click("#agree-face").await;
    browser
        .until(
            "known",
            "return document.getElementById('joining-hint').textContent.includes('member already')",
        )
        .await;
    browser.click("#joining .back").await;

    // my data, a copy, and being forgotten
    browser.click("#recognise").await;
    until_kind(&browser, "slate").await;
    press(&browser, "What you know about me").await;
    until_kind(&browser, "mine").await;
    browser.shot("kiosk-mine").await;
    let told = browser.ask("return document.getElementById('member-body').textContent").await;
    assert!(
        told.as_str().unwrap().contains("4 purchases")
            && told.as_str().unwrap().contains("3 sealed templates"),
        "{told}"
    );
    press(&browser, "Give me a copy").await;
    until_kind(&browser, "copy").await;
    browser.shot("kiosk-copy").await;
    let path = browser.ask("return document.querySelector('.code').dataset.path").await;
    let (status, copy) = scene.daemon.get(path.as_str().unwrap()).unwrap();
    assert!(status == 200 && copy.contains(&card) && copy.contains("Oat Drink"), "{status} {copy}");
    assert_eq!(scene.daemon.get(path.as_str().unwrap()).unwrap().0, 404, "a copy was given twice");
    press(&browser, "Back").await;
    until_kind(&browser, "mine").await;
    press(&browser, "Forget me").await;
    browser.shot("kiosk-forget").await;
    press(&browser, "Yes, forget me now").await;
    until_kind(&browser, "forgotten").await;
    browser.shot("kiosk-forgotten").await;
    assert!(scene.members().contains("no members"), "{}", scene.members());
    press(&browser, "Done").await;
    nothing_stays(&browser, &[&card]).await;

    assert_eq!(browser.console_errors(), [""; 0]);
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shopper_joins_by_card_only_and_the_page_clears_itself() {
    let scene = Scene::new("16 s");
    film::write(&scene.film, &[(film::empty(), 2.0)]);
    let Some(browser) = scene.open().await else { return };
    browser.click("#join").await;
    browser.click("#old-enough").await;
    browser.click("#agree-card").await;
    until_kind(&browser, "card").await;
    let card = card_number(&browser).await;
    browser.shot("kiosk-card-joined").await;
    press(&browser, "Done").await;
    nothing_stays(&browser, &[&card]).await;
    for n in 0..3 {
        scene.buy(&format!("own-{n}"), Some(&card), &["P-1", "P-4"]);
    }

    // typed, as people type
    browser.click("#use-card").await;
    until_scene(&browser, "card").await;
    browser
        .client
        .find(fantoccini::Locator::Id("card-code"))
        .await
        .unwrap()
        .send_keys("NOT-A-CARD")
        .await
        .unwrap();
    browser.click("#card-form .main").await;
    browser
        .until(
            "an unknown card",
            "return document.getElementById('card-problem').textContent.includes('No member')",
        )
        .await;
    browser.shot("kiosk-card").await;
    browser.ask("document.getElementById('card-code').value = ''").await;
    let typed = format!("{} {}", &card[..10].to_lowercase(), &card[10..]);
    browser.client.find(fantoccini::Locator::Id("card-code")).await.unwrap().send_keys(&typed).await.unwrap();
    browser.click("#card-form .main").await;
    until_kind(&browser, "slate").await;
    browser.until("products", "return document.querySelectorAll('.product').length >= 2").await;
    press(&browser, "Where is it?").await;
    browser.shot("kiosk-slate").await;
    press(&browser, "Onto my list").await;
    press(&browser, "My shopping list").await;
    until_kind(&browser, "list").await;
    browser.shot("kiosk-list").await;
    press(&browser, "Back").await;
    let before = browser.ask("return document.querySelector('.product h2').textContent").await;
    press(&browser, "Not for me").await;
    let gone = format!(
        "return ![...document.querySelectorAll('.product h2')].some(h => h.textContent === {before})"
    );
    browser.until("the product is gone", &gone).await;

    // nobody touches it any more
    browser
        .until("asked whether still there", "return document.getElementById('still').hidden === false")
        .await;
    browser.shot("kiosk-still").await;
    nothing_stays(&browser, &[&card, "Oat Drink"]).await;

    // by its code, read from the kiosk's own camera
    film::write(&scene.film, &[(film::card(&card), 4.0)]);
    browser.click("#use-card").await;
    browser.click("#card-camera").await;
    until_kind(&browser, "slate").await;
    press(&browser, "Done").await;
    nothing_stays(&browser, &[&card]).await;
    assert_eq!(browser.console_errors(), [""; 0]);
    browser.end().await;
}
