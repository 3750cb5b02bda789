//! A display's page over a long time in a real Chromium: a whole day of slates, by clocks that the test
//! moves; paper's pace; a page that nothing happens to; twenty restarts of the appliance under it.

mod browser;
mod harness;

use browser::{Browser, ENGLISH, Site, slate};
use harness::Shop;
use serde_json::{Value, json};
use shopguide::camera::decode::decode;
use shopguide::clock::Clock;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Gives the page clocks and timers that stand still until `pass(ms)` moves them; every message with
/// a screen moves them by `STEP` once it is painted, with a heartbeat every five seconds. Painting
/// itself keeps the browser's own time.
const MOVED_BY_HAND: &str = r#"
(() => {
  const began = BEGAN, real = { setTimeout: window.setTimeout.bind(window), EventSource: window.EventSource };
  let now = 0, next = 1;
  const timers = new Map();
  performance.now = () => now;
  Date.now = () => began + now;
  window.setTimeout = (f, ms = 0) => (timers.set(next, { at: now + Math.max(0, ms), f }), next++);
  window.setInterval = (f, ms) => (timers.set(next, { at: now + ms, every: ms, f }), next++);
  window.clearTimeout = window.clearInterval = (id) => timers.delete(id);
  window.pass = (ms) => {
    const end = now + ms;
    for (;;) {
      let due = null;
      for (const [id, timer] of timers) if (timer.at <= end && (!due || timer.at < due[1].at)) due = [id, timer];
      if (!due) break;
      const [id, timer] = due;
      now = Math.max(now, timer.at);
      if (timer.every) timer.at = now + timer.every;
      else timers.delete(id);
      timer.f();
    }
    now = end;
  };
  window.passed = () => now;
  window.places = new Set();
  window.EventSource = class extends real.EventSource {
    constructor(address) {
      super(address);
      this.addEventListener("screen", (event) =>
        real.setTimeout(() => {
          window.pass(10);
          window.places.add(document.getElementById("stage").style.translate);
          // before the first slate the appliance's clock stands, too
          if (!JSON.parse(event.data).store) return;
          requestAnimationFrame(() =>
            requestAnimationFrame(() => {
              for (let left = STEP - 10; left > 0; left -= 5_000) {
                window.pass(Math.min(left, 5_000));
                // the appliance's heartbeat
                this.dispatchEvent(new MessageEvent("beat", { data: JSON.stringify({ now: began + now }) }));
              }
            }),
          );
        }),
      );
    }
  };
})();
"#;

fn moved_by_hand(clock: &Clock, step: Duration) -> String {
    let began = clock.now().utc.as_millisecond().to_string();
    MOVED_BY_HAND.replace("BEGAN", &began).replace("STEP", &step.as_millis().to_string())
}

/// Bytes of living objects, and how many nodes and listeners there are, after a full collection.
fn memory(browser: &Browser) -> (u64, u64, u64) {
    for _ in 0..3 {
        browser.devtools("HeapProfiler.collectGarbage", json!({}));
    }
    let used = browser.devtools("Runtime.getHeapUsage", json!({}))["usedSize"].as_f64().unwrap() as u64;
    let counts = browser.devtools("Memory.getDOMCounters", json!({}));
    (used, counts["nodes"].as_u64().unwrap(), counts["jsEventListeners"].as_u64().unwrap())
}

/// Slate changes of the day, and the time between two: 24 hours in all.
const CHANGES: u64 = 1_200;
const STEP: Duration = Duration::from_secs(72);

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_slates_leaves_the_pages_memory_flat_and_its_console_empty() {
    let Some(browser) = Browser::start().await else { return };
    let clock = Clock::simulated(jiff::Timestamp::now());
    let mut site = Site::with_clock(None, clock.clone()).await;
    browser.glass(1280, 720);
    browser.before_every_page(&moved_by_hand(&clock, STEP));
    browser.client.goto(&site.url("/display/tea")).await.unwrap();
    browser.ask("window.neverReloaded = true").await;

    let mut seen = Vec::new();
    let began = Instant::now();
    for n in 0..CHANGES {
        let rows = &ENGLISH[..1 + (n % 6) as usize];
        let id = format!("s{n}");
        // somebody comes and goes again: every other slate is for a person, who is withdrawn by the next
        let personal = (n % 2 == 1).then_some(20);
        let made = slate("tea", &id, 1 + n, personal, "Good to see you again", rows);
        let mut made = (*made).clone();
        made.valid_until =
            clock.now().utc + Duration::from_secs(if personal.is_some() { 20 } else { 86_400 });
        let made = std::sync::Arc::new(made);
        site.desired.update(&made.display, |screen| match personal {
            Some(_) => screen.personal = Some(made.clone()),
            None => (screen.store, screen.personal) = (Some(made.clone()), None),
        });
        // the page says that it is on the glass: only then does the clock move on
        while site.ack().await.slate.0 != id {}
        clock.advance(STEP);
        if n % 300 == 299 {
            let now = memory(&browser);
            println!(
                "after {} slates: {} kB of living objects, {} nodes, {} listeners",
                n + 1,
                now.0 / 1000,
                now.1,
                now.2
            );
            seen.push(now);
        }
    }
    println!("{CHANGES} slates in {:.0} s", began.elapsed().as_secs_f32());

    // what the page keeps of slates it has confirmed is bounded and full after 500: from there nothing grows
    let (first, last) = (seen[1], seen[seen.len() - 1]);
    assert!(last.0 < first.0 + first.0 / 20 + 50_000, "the page's memory grows: {seen:?}");
    assert!(last.1 <= first.1 + 300 && last.2 <= first.2 + 30, "nodes or listeners pile up: {seen:?}");
    let passed = browser.ask("return window.passed()").await.as_f64().unwrap();
    assert!(passed >= 86_000_000.0, "only {passed} ms passed for the page");
    // the picture stood at every one of its eight places: nothing burns in
    let places = browser.ask("return [...window.places]").await;
    let places: BTreeSet<String> = places.as_array().unwrap().iter().map(Value::to_string).collect();
    assert!(places.len() >= 8, "{places:?}");
    assert_eq!(browser.ask("return window.neverReloaded").await, true);
    assert_eq!(browser.console_errors(), Vec::<String>::new());
    browser.end().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_changes_at_most_once_a_minute_and_is_black_and_white() {
    let Some(browser) = Browser::start().await else { return };
    let clock = Clock::simulated(jiff::Timestamp::now());
    let mut site = Site::with_clock(None, clock.clone()).await;
    browser.glass(800, 480);
    browser.before_every_page(&moved_by_hand(&clock, Duration::from_millis(10)));
    browser.client.goto(&site.url("/display/paper")).await.unwrap();

    site.show(&slate("paper", "first", 1, None, "Loved in this shop this week", &ENGLISH[..3]));
    browser.until_slate("first").await;
    assert_eq!(site.ack().await.slate.0, "first");
    // a word of the appliance every nine seconds, as the page expects: at last always the same slate
    for (n, id) in ["second", "third", "fourth", "fourth", "fourth", "fourth"].into_iter().enumerate() {
        site.show(&slate("paper", id, 2 + n as u64, None, "Loved in this shop this week", &ENGLISH[1..3]));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(browser.slate().await, "first", "it changed within its minute");
        browser.ask("window.pass(9_000)").await;
        assert_eq!(browser.slate().await, "first", "it changed within its minute");
    }
    site.show(&slate("paper", "fourth", 9, None, "Loved in this shop this week", &ENGLISH[1..3]));
    tokio::time::sleep(Duration::from_millis(300)).await;
    browser.ask("window.pass(9_000)").await;
    browser.until_slate("fourth").await;
    assert_eq!(site.ack().await.slate.0, "fourth", "what was overtaken was painted");

    let shot = decode(&browser.client.screenshot().await.unwrap()).unwrap();
    let grey = |p: &image::Rgb<u8>| p.0.iter().max().unwrap() - p.0.iter().min().unwrap() < 12;
    let coloured = shot.pixels().filter(|p| !grey(p)).count();
    assert_eq!(coloured, 0, "{coloured} of {} pixels have a colour", shot.pixels().len());
    browser.shot("display-paper").await;
    assert_eq!(browser.console_errors(), Vec::<String>::new());
    browser.end().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_nothing_happens_to_lays_nothing_out() {
    let Some(browser) = Browser::start().await else { return };
    let mut site = Site::start(None).await;
    browser.glass(1280, 720);
    browser.client.goto(&site.url("/display/tea")).await.unwrap();
    site.show(&slate("tea", "one", 1, None, "Loved in this shop this week", &ENGLISH[..3]));
    browser.until_slate("one").await;
    site.ack().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    browser.devtools("Performance.enable", json!({}));
    let metrics = || {
        let all = browser.devtools("Performance.getMetrics", json!({}));
        let of = |name: &str| {
            let found = all["metrics"].as_array().unwrap().iter().find(|m| m["name"] == name);
            found.unwrap_or_else(|| panic!("{name} in {all}"))["value"].as_f64().unwrap()
        };
        ["LayoutCount", "RecalcStyleCount", "TaskDuration", "ScriptDuration"].map(of)
    };
    // over three heartbeats of the appliance
    let before = metrics();
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(16)).await;
    let (after, took) = (metrics(), began.elapsed().as_secs_f64());
    let share = |n: usize| (after[n] - before[n]) / took * 100.0;
    println!("a page that nothing happens to: {:.3}% of a core, scripts {:.3}%", share(2), share(3));
    assert_eq!((after[0] - before[0], after[1] - before[1]), (0.0, 0.0), "something was laid out anew");
    browser.end().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_comes_back_by_itself_from_twenty_restarts_of_the_appliance() {
    let Some(browser) = Browser::start().await else { return };
    let shop = Shop::new("[[display]]\nid = \"tea\"\nzone = \"tea\"\n");
    let products = shop.folder.path().join("products.csv");
    std::fs::write(
        &products,
        "sku,name,price,category,stock\nP-1,Darjeeling,12.90,Tea,9\nP-2,Assam,6.50,Tea,9\n",
    )
    .unwrap();
    let out = shop.command(&["import", "catalogue", products.to_str().unwrap()]);
    assert!(out.status.success(), "{}", harness::printed(&out));
    let mut daemon = shop.run();
    let line = |sku: &str| json!({"sku": sku, "quantity": 1, "price": 5.0});
    for n in 0..6 {
        let receipt = json!({"receipt": format!("t-{n}"), "at": jiff::Timestamp::now(), "member": null,
            "lines": [line("P-1"), line("P-2")]});
        let sent = daemon.post("/api/receipts", "application/json", receipt.to_string().as_bytes());
        assert_eq!(sent.map(|s| s.0), Some(200));
    }
    browser.glass(1280, 720);
    browser.client.goto(&format!("http://127.0.0.1:{}/display/tea", shop.web)).await.unwrap();
    browser.until("products", "return document.querySelectorAll('.layer.now .card').length === 2").await;
    browser.ask("window.neverReloaded = true").await;

    let mut longest = Duration::ZERO;
    for n in 0..20 {
        let before = browser.slate().await;
        if n % 2 == 0 {
            daemon.stop();
        } else {
            drop(daemon); // killed
        }
        browser.until("the sign of absence", "return !document.getElementById('away').hidden").await;
        assert_eq!(browser.slate().await, before, "what is for anybody stays while it is away");
        daemon = shop.run();
        let back = Instant::now();
        browser.until("it is back", "return document.getElementById('away').hidden").await;
        // its slates have names of their own, so this one is of the new run
        let new = format!(
            "const id = document.querySelector('.layer.now').dataset.slate; return id && id !== '{before}'"
        );
        browser.until("a slate of the new run", &new).await;
        longest = longest.max(back.elapsed());
    }
    println!(
        "20 restarts: the page was back by itself, at the longest {:.1} s after the appliance",
        longest.as_secs_f32()
    );
    assert_eq!(browser.ask("return window.neverReloaded").await, true, "the page reloaded");
    let errors: Vec<String> = browser.console_errors().into_iter().filter(|e| !e.contains("503")).collect();
    assert_eq!(errors, Vec::<String>::new());
    browser.end().await;
}
