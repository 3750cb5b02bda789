//! The kiosk in a real Chromium with a fake camera, against the running program: joining by face and
//! by card, walking away, coming back, being forgotten. With `SHOPGUIDE_SHOTS=FOLDER` it keeps
//! screenshots there.

#[path = "../browser/mod.rs"]
mod browser;
mod card;
mod face;
#[path = "../browser/faults.rs"]
mod faults;
mod film;
mod forgotten;
mod guidance;
#[path = "../harness/mod.rs"]
mod harness;
mod looks;

use browser::Browser;
use harness::{Daemon, Shop, printed};
use serde_json::json;
use std::path::PathBuf;

/// Nothing is drawn by chance here: a test says which products are seen.
const KIOSK: &str = r#"
[policy]
explore = 0.0

[[area]]
name = "Cooler 2"
x = 0
y = 0
width = 9
height = 1.2

[[area]]
name = "Bread and breakfast"
place = "Aisle 5"
x = 0
y = 3
width = 1.4
height = 5

[[area]]
name = "Jam and honey"
place = "Aisle 4"
x = 3.4
y = 3
width = 1.4
height = 5

[[area]]
name = "Oil and vinegar"
place = "Aisle 6"
x = 6.8
y = 3
width = 2.2
height = 5

[[area]]
name = "Entrance"
place = "Entrance"
zone = "kiosk"
x = 6
y = 9.5
width = 3
height = 1.5

[[area]]
name = "Checkout 1"
x = 0
y = 9.5
width = 3
height = 1.5

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

const PRODUCTS: &str = "sku,name,category,brand,price,place,stock,attributes
P-1,Oat Drink Barista 1 l,Drinks / Plant drinks,Haferwerk,2.29,\"Cooler 2, shelf A\",20,
P-2,Sourdough Crispbread with Rye and Sea Salt,Bread / Crispbread,Kornkammer,3.49,\"Aisle 5, shelf A\",12,
P-3,Wildflower Honey 450 g,Breakfast / Honey,Imkerei Wolff,6.75,\"Aisle 4, shelf C\",9,vegan=no
P-4,Extra Virgin Olive Oil Kalamata 750 ml,Pantry / Oil,Olivella,9.99,\"Aisle 6, shelf D\",7,
P-5,Dark Chocolate 85 % Ecuador,Sweets / Chocolate,Kakaowerk,3.19,Checkout 1,30,
P-6,Almond Drink without Sugar 1 l,Drinks / Plant drinks,Haferwerk,2.79,\"Cooler 2, shelf B\",8,
P-7,Soy Drink Calcium 1 l,Drinks / Plant drinks,Grainwell,1.99,\"Cooler 2, shelf B\",15,
P-8,Spelt Crispbread,Bread / Crispbread,Muehlenhof,2.99,\"Aisle 5, shelf B\",4,
P-9,Forest Honey 250 g,Breakfast / Honey,Imkerei Wolff,5.25,\"Aisle 4, shelf C\",0,vegan=no
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
        scene.buy("other", None, &["P-3", "P-5"], &(1..13).collect::<Vec<_>>());
        scene
    }

    /// Receipts of a member, or of anybody: one of each of these days ago.
    fn buy(&self, name: &str, card: Option<&str>, skus: &[&str], days_ago: &[i64]) {
        let lines: Vec<_> =
            skus.iter().map(|sku| json!({"sku": sku, "quantity": 1, "price": 2.95})).collect();
        let receipt = |ago: &i64| {
            let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * ago);
            json!({"receipt": format!("{name}-{ago}"), "at": at.to_string(), "member": card, "lines": lines})
        };
        let body = serde_json::Value::Array(days_ago.iter().map(receipt).collect());
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
