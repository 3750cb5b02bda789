//! The staff's screen in a real Chromium, against the running program: signing in, two members in two
//! zones, "not this person", products, the day. With `SHOPGUIDE_SHOTS=FOLDER` it keeps screenshots there.

mod browser;
#[path = "browser/faults.rs"]
mod faults;
mod harness;

use browser::Browser;
use fantoccini::Locator;
use faults::{all_reached, good};
use harness::{Daemon, Shop, eventually, printed, shopguide};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

const SCREENS: &str = r#"
[[kiosk]]
id = "front"
zone = "entrance"

[[kiosk]]
id = "back"
zone = "wine"

[[display]]
id = "shelf"
zone = "wine"

[[camera]]
id = "door"
zone = "entrance"
source = "browser"

[[camera]]
id = "rear"
zone = "wine"
source = "browser"
"#;

const PRODUCTS: &str = "sku,name,category,price,place,stock
P-1,Oat Drink Barista 1 l,Drinks,2.29,\"Cooler 2, shelf A\",20
P-2,Sourdough Crispbread,Bread,3.49,\"Aisle 5, shelf A\",12
P-3,Wildflower Honey 450 g,Breakfast,6.75,\"Aisle 4, shelf C\",0
P-4,Olive Oil Kalamata 750 ml,Pantry,9.99,\"Aisle 6, shelf D\",7
P-5,Dark Chocolate 85 % Ecuador,Sweets,3.19,Checkout 1,30
P-6,Espresso Beans,Coffee,8.49,Aisle 6,30
P-7,Olive Oil Toscana 500 ml,Pantry,8.49,\"Aisle 6, shelf D\",5
";

/// Adds a user as an administrator does at the command line.
fn add_user(shop: &Shop, name: &str, role: &str, secret: &str) -> std::process::Output {
    let mut child = shopguide(["users", "--config"])
        .arg(shop.config())
        .args(["add", name, "--role", role])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{secret}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn shop() -> (Shop, Daemon) {
    let shop = Shop::new(SCREENS);
    let products = shop.folder.path().join("products.csv");
    std::fs::write(&products, PRODUCTS).unwrap();
    let out = shop.command(&["import", "catalogue", products.to_str().unwrap()]);
    assert!(out.status.success(), "{}", printed(&out));
    let daemon = shop.run();
    for n in 0..8 {
        buy(&daemon, &format!("r{n}"), None, &["P-4", "P-5", "P-6", "P-7"]);
    }
    (shop, daemon)
}

fn buy(daemon: &Daemon, receipt: &str, card: Option<&str>, skus: &[&str]) {
    let lines: Vec<Value> =
        skus.iter().map(|sku| json!({"sku": sku, "quantity": 1, "price": 2.95})).collect();
    let body =
        json!({"receipt": receipt, "at": jiff::Timestamp::now().to_string(), "member": card, "lines": lines});
    let sent = daemon.post("/api/receipts", "application/json", body.to_string().as_bytes());
    assert_eq!(sent.as_ref().map(|s| s.0), Some(200), "{sent:?}");
}

fn kiosk(daemon: &Daemon, kiosk: &str, act: Value) -> Value {
    let sent = daemon.post(&format!("/kiosk/{kiosk}/do"), "application/json", act.to_string().as_bytes());
    let (status, body) = sent.unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Somebody joins with a card at a kiosk and stands there from then on.
fn joins(daemon: &Daemon, at: &str) -> String {
    let session = kiosk(daemon, at, json!({"do": "begin"}))["session"].clone();
    let agree = json!({"do": "agree", "session": session, "scope": "card", "old_enough": true});
    let joined = kiosk(daemon, at, agree);
    assert_eq!(joined["is"], "joined", "{joined}");
    joined["card"].as_str().unwrap().to_owned()
}

async fn sign_in(browser: &Browser, name: &str, secret: &str) {
    for (id, text) in [("name", name), ("secret", secret)] {
        let field = browser.client.find(Locator::Id(id)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }
    browser.click("#sign-in .main").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_two_members_in_two_zones_and_take_one_back_within_a_second() {
    let (shop, daemon) = shop();
    assert!(!add_user(&shop, "mia", "staff", "111111").status.success(), "an easy PIN was taken");
    let out = add_user(&shop, "mia", "staff", "482913");
    assert!(out.status.success(), "{}", printed(&out));
    let Some(browser) = Browser::start().await else { return };
    browser.glass(1280, 900);
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", daemon.web);

    // nobody gets in without the secret
    assert_eq!(daemon.get("/staff/events").unwrap().0, 401);
    browser.client.goto(&url("/staff")).await.unwrap();
    browser.until("sent to sign in", "return location.pathname === '/sign-in'").await;
    sign_in(&browser, "mia", "482914").await;
    browser.until("refused", "return document.getElementById('problem').textContent.includes('wrong')").await;
    browser.shot("staff-sign-in").await;
    sign_in(&browser, "mia", "482913").await;
    browser.until("the staff's page", "return location.pathname === '/staff'").await;

    // two members in two zones
    let (anna, _ben) = (joins(&daemon, "front"), joins(&daemon, "back"));
    browser.until("two guests", "return document.querySelectorAll('.guest').length === 2").await;
    browser.until("their slates", "return document.querySelectorAll('.guest .item').length >= 4").await;
    browser.shot("staff-two").await;

    // sold, and another in place of one that is not wanted
    buy(&daemon, "own", Some(&anna), &["P-1", "P-2"]);
    tokio::time::sleep(Duration::from_secs(3)).await; // her slate has followed the receipt
    let of_front =
        "[...document.querySelectorAll('.guest')].find(g => g.textContent.includes('zone entrance'))";
    browser.ask(&format!("{of_front}.querySelector('.item-acts .main').click()")).await;
    browser.until("sold", "return document.getElementById('day').textContent.includes('1sold')").await;
    let oil =
        format!("[...{of_front}.querySelectorAll('.item')].find(i => i.textContent.includes('Olive Oil'))");
    let press = async |word: &str| {
        let press = format!(
            "[...{oil}.querySelectorAll('.item-acts button')].find(b => b.textContent === '{word}').click()"
        );
        browser.ask(&press).await;
    };
    let before = browser.ask(&format!("return {oil}.querySelector('strong').textContent")).await;
    press("Swap").await;
    browser
        .until(
            "what could stand there",
            &format!("return {oil}.querySelectorAll('.instead button').length > 0"),
        )
        .await;
    let other = browser.ask(&format!("return {oil}.querySelector('.instead strong').textContent")).await;
    assert!(
        other != before && other.as_str().unwrap().contains("Olive Oil"),
        "{other} in the place of {before}"
    );
    browser.shot("staff-swap").await;
    browser.ask(&format!("{oil}.querySelector('.instead button').click()")).await;
    let swapped = format!("return {oil}?.querySelector('strong').textContent === {other}");
    browser.until("swapped", &swapped).await;
    let kinds = browser.ask(&format!("return [...{of_front}.querySelectorAll('.item')].length")).await;
    assert_eq!(kinds, 3, "the rest of the slate stays");
    press("Not wanted").await;
    let gone = format!(
        "return ![...{of_front}.querySelectorAll('.item strong')].some(s => s.textContent === {other})"
    );
    browser.until("not wanted", &gone).await;

    // not this person: off the display within a second
    let shows = |daemon: &Daemon| kiosk_shows_personal(daemon, "shelf");
    eventually("the shelf shows a personal slate", || shows(&daemon).then_some(()));
    let began = Instant::now();
    browser
        .ask("[...document.querySelectorAll('.guest')].find(g => g.textContent.includes('zone wine')).querySelector('.danger').click()")
        .await;
    eventually("the slate is off", || (!shows(&daemon)).then_some(()));
    let took = began.elapsed();
    println!("\"not this person\" took the slate off after {:.2} s", took.as_secs_f32());
    assert!(took < Duration::from_secs(5), "{took:?}");
    browser.until("one guest", "return document.querySelectorAll('.guest').length === 1").await;
    browser
        .until("counted", "return /1not this person/.test(document.getElementById('day').textContent)")
        .await;

    // products, and a member's card
    browser.client.find(Locator::Id("words")).await.unwrap().send_keys("honey").await.unwrap();
    browser.click("#search button").await;
    browser
        .until("found", "return document.getElementById('found').textContent.includes('0 in stock')")
        .await;
    browser.client.find(Locator::Id("card")).await.unwrap().send_keys(&anna).await.unwrap();
    browser.click("#member button").await;
    browser
        .until(
            "looked up",
            "return document.getElementById('member-found').textContent.includes('One purchase')",
        )
        .await;
    browser.shot("staff-found").await;
    assert!(!browser.client.source().await.unwrap().contains(&anna), "the card's number is on the page");

    // her copy goes to paper, and is not seen on this screen
    browser.ask("window.print = () => { window.onPaper = document.getElementById('copy').innerHTML }").await;
    browser.ask("document.querySelector('#member-found button').click()").await;
    browser.until("printed", "return !!window.onPaper").await;
    let paper = browser.ask("return window.onPaper").await;
    for kept in [anna.as_str(), "Oat Drink", "€2.95", "Purchases", "Consents"] {
        assert!(paper.as_str().unwrap().contains(kept), "{kept} is not on paper: {paper}");
    }
    let seen = browser.ask("return document.getElementById('copy').offsetParent !== null").await;
    assert_eq!(seen, false, "a member's copy is on the screen");
    browser.print(true);
    browser.shot("staff-copy").await;
    browser.print(false);
    browser.ask("dispatchEvent(new Event('afterprint'))").await;
    assert!(!browser.client.source().await.unwrap().contains(&anna), "the copy stays on the page");

    // a change without the page's own token is refused, also with the cookie
    let bare = browser.ask("return fetch('/staff/do', {method: 'POST', headers: {'content-type': 'application/json'}, body: '{\"do\":\"day\"}'}).then(r => r.status)").await;
    assert_eq!(bare, 403);
    assert_eq!(browser.ask("return document.cookie").await, "", "a script can read the cookie");
    for (width, height) in [(1280, 900), (800, 1200), (390, 844)] {
        browser.glass(width, height);
        let what = format!("staff-{width}");
        good(&browser, &what).await;
        all_reached(&browser, &what).await;
        browser.shot(&what).await;
    }
    browser.click("#sign-out").await;
    browser.until("signed out", "return location.pathname === '/sign-in'").await;
    browser.client.goto(&url("/staff")).await.unwrap();
    browser.until("sent to sign in", "return location.pathname === '/sign-in'").await;
    let errors: Vec<_> = browser.console_errors().into_iter().filter(|e| !e.contains("40")).collect();
    assert_eq!(errors, [""; 0]);
    browser.end().await;
}

/// Whether a display's stream says that a personal slate is up now.
fn kiosk_shows_personal(daemon: &Daemon, display: &str) -> bool {
    use std::io::{BufRead, BufReader};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", daemon.web)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET /display/{display}/events HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n\r\n", daemon.web)
        .unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let data = lines.filter_map(|l| l.strip_prefix("data: ").map(str::to_owned)).next().unwrap();
    let screen: Value = serde_json::from_str(&data).unwrap();
    !screen["personal"].is_null()
}
