//! Two hundred displays' pages at one appliance: every one gets every slate, and how long a slate takes
//! from being made to being read at the page's stream. What the pages weigh, and how soon a first slate
//! is on the glass. Figures are printed: `cargo test --release --test display_load -- --nocapture`.

mod browser;
mod harness;

use browser::Browser;
use harness::{Daemon, Shop, printed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const PAGES: usize = 200;
const ROUNDS: usize = 12;
/// How long a personal slate is true, as the configuration has it by default.
const PERSONAL_FOR: i64 = 20_000;

fn shop(displays: usize) -> (Shop, Daemon) {
    let mut screens = String::from("[[kiosk]]\nid = \"front\"\nzone = \"hall\"\n\n");
    for n in 0..displays {
        let _ = write!(screens, "[[display]]\nid = \"d-{n}\"\nzone = \"hall\"\n\n");
    }
    let shop = Shop::new(&screens);
    let mut products = String::from("sku,name,price,category,stock,place\n");
    for n in 0..60 {
        let _ = writeln!(products, "P-{n},Product number {n},3.{:02},Aisle {},50,Shelf {n}", n % 100, n % 8);
    }
    let file = shop.folder.path().join("products.csv");
    std::fs::write(&file, products).unwrap();
    let out = shop.command(&["import", "catalogue", file.to_str().unwrap()]);
    assert!(out.status.success(), "{}", printed(&out));
    let daemon = shop.run();
    for n in 0..40 {
        let line =
            |p: usize| json!({"sku": format!("P-{}", (n * 7 + p * 3) % 60), "quantity": 1, "price": 3.0});
        let receipt = json!({"receipt": format!("t-{n}"), "at": jiff::Timestamp::now(), "member": null,
            "lines": (0..4).map(line).collect::<Vec<_>>()});
        let sent = daemon.post("/api/receipts", "application/json", receipt.to_string().as_bytes());
        assert_eq!(sent.map(|s| s.0), Some(200));
    }
    (shop, daemon)
}

fn kiosk(daemon: &Daemon, act: Value) -> Value {
    let sent = daemon.post("/kiosk/front/do", "application/json", act.to_string().as_bytes());
    let (status, body) = sent.unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// A personal slate that one page read: which page, when it was made and when it was read.
struct Read {
    page: usize,
    made: i64,
    at: i64,
}

/// Follows one display's stream and tells of every personal slate, once for each id.
async fn follow(port: u16, page: usize, told: mpsc::UnboundedSender<Read>, open: mpsc::UnboundedSender<()>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET /display/d-{page}/events HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut last = String::new();
    let mut first = true;
    while let Ok(Some(line)) = lines.next_line().await {
        let at = jiff::Timestamp::now().as_millisecond();
        let Some(data) = line.strip_prefix("data: ") else { continue };
        if std::mem::take(&mut first) {
            let _ = open.send(());
        }
        let state: Value = serde_json::from_str(data).unwrap();
        let Some(slate) = state["personal"]["id"].as_str() else { continue };
        if slate != last {
            last = slate.to_owned();
            let made = state["personal"]["valid_until"].as_i64().unwrap() - PERSONAL_FOR;
            let _ = told.send(Read { page, made, at });
        }
    }
}

/// The smallest of sorted values that at least `share` percent do not exceed.
fn percentile(sorted: &[i64], share: usize) -> i64 {
    sorted[(sorted.len() * share).div_ceil(100) - 1]
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_pages_at_once_get_every_slate() {
    let (shop, daemon) = shop(PAGES);
    let (told, mut reads) = mpsc::unbounded_channel();
    let (open, mut opened) = mpsc::unbounded_channel();
    for page in 0..PAGES {
        tokio::spawn(follow(shop.web, page, told.clone(), open.clone()));
    }
    for _ in 0..PAGES {
        tokio::time::timeout(browser::PATIENCE, opened.recv())
            .await
            .expect("a page never got its first state");
    }

    // somebody joins with a card, and comes again and again: each time all displays of the zone greet
    let session = kiosk(&daemon, json!({"do": "begin"}))["session"].clone();
    let joined =
        kiosk(&daemon, json!({"do": "agree", "session": session, "scope": "card", "old_enough": true}));
    let card = joined["card"].as_str().unwrap().to_owned();
    let (mut single, mut whole) = (Vec::new(), Vec::new());
    let mut session = session;
    let mut began = 0;
    for round in 0..=ROUNDS {
        let mut round_reads: BTreeMap<usize, Read> = BTreeMap::new();
        while round_reads.len() < PAGES {
            let read = tokio::time::timeout(browser::PATIENCE, reads.recv()).await;
            let read =
                read.unwrap_or_else(|_| panic!("round {round}: only {} pages got it", round_reads.len()));
            let read = read.unwrap();
            // the first of this round; one that was made anew meanwhile is another
            if read.made >= began {
                round_reads.entry(read.page).or_insert(read);
            }
        }
        // the first round also joins, and every page opens: it is not counted
        if round > 0 {
            single.extend(round_reads.values().map(|r| r.at - r.made));
            let first = round_reads.values().map(|r| r.made).min().unwrap();
            whole.push(round_reads.values().map(|r| r.at).max().unwrap() - first);
        }
        kiosk(&daemon, json!({"do": "end", "session": session}));
        tokio::time::sleep(Duration::from_millis(400)).await;
        if round < ROUNDS {
            session = kiosk(&daemon, json!({"do": "begin"}))["session"].clone();
            began = jiff::Timestamp::now().as_millisecond();
            let carded = kiosk(&daemon, json!({"do": "card", "session": session, "code": card}));
            assert_eq!(carded["is"], "carded", "{carded}");
        }
    }
    single.sort_unstable();
    whole.sort_unstable();
    println!(
        "{PAGES} pages, {} slates each: from a slate's making to its arrival at a page's stream p50 {} ms, p99 {} ms, \
         longest {} ms; from the first of {PAGES} being made to the last being read p50 {} ms, longest {} ms",
        ROUNDS,
        percentile(&single, 50),
        percentile(&single, 99),
        single[single.len() - 1],
        percentile(&whole, 50),
        whole[whole.len() - 1],
    );
    assert_eq!(single.len(), PAGES * ROUNDS);
}

/// Bytes that came over the wire for a page, and of how many answers.
const WEIGHT: &str = "
    const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
      .filter((e) => !e.name.includes('/events') && !e.name.includes('/ack') && !e.name.endsWith('worker.js'));
    return { bytes: all.reduce((sum, e) => sum + e.transferSize, 0), answers: all.length,
      elsewhere: all.filter((e) => new URL(e.name).origin !== location.origin).map((e) => e.name) };";

/// Notes when the first slate is on the glass, by the page's own clock.
const FIRST_SLATE: &str = "
    const look = () => document.querySelector('.layer.now[data-slate]')
      ? requestAnimationFrame(() => (window.firstSlate = performance.now())) : requestAnimationFrame(look);
    addEventListener('DOMContentLoaded', look);";

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_light_load_nothing_from_elsewhere_and_show_a_slate_at_once() {
    let Some(browser) = Browser::start().await else { return };
    let (shop, _daemon) = shop(1);
    browser.before_every_page(FIRST_SLATE);
    browser.glass(1280, 720);
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", shop.web);
    for (what, path) in [("display", "/display/d-0"), ("kiosk", "/kiosk/front")] {
        // the first look: nothing is in the browser's cache
        browser.devtools("Network.clearBrowserCache", json!({}));
        browser.client.goto(&url(path)).await.unwrap();
        let weight = browser.ask(WEIGHT).await;
        let bytes = weight["bytes"].as_u64().unwrap();
        println!("the page of a {what}: {bytes} bytes in {} answers", weight["answers"]);
        assert!((1_000..150_000).contains(&bytes), "{weight}");
        assert_eq!(weight["elsewhere"], json!([]));
    }
    let mut times = Vec::new();
    for _ in 0..10 {
        browser.devtools("Network.clearBrowserCache", json!({}));
        browser.client.goto(&url("/display/d-0")).await.unwrap();
        browser.until("a slate", "return window.firstSlate > 0").await;
        times.push(browser.ask("return window.firstSlate").await.as_f64().unwrap() as i64);
    }
    times.sort_unstable();
    println!(
        "from opening a display's page to its first slate on the glass: p50 {} ms, longest {} ms",
        times[5], times[9]
    );
    browser.end().await;
}
