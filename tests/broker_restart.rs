//! The program and a real mosquitto, heard by an independent `mosquitto_sub`: the contract is there,
//! a broker that comes back empty gets the present state and never the past, and a killed daemon is
//! reported by its last will.

mod harness;

use harness::{Daemon, Listener, Mosquitto, eventually, free_port, shopguide, within};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DISPLAYS: [&str; 2] = ["entrance", "tea"];
const STATUS: &str = "shopguide/demo/status";

fn slate_topic(display: &str) -> String {
    format!("shopguide/demo/display/{display}/slate")
}

/// The demo, which goes on until it is ended, at the broker on `port`.
fn demo(folder: &Path, port: u16) -> Daemon {
    let (web, log) = (free_port(), folder.join("demo.log"));
    let child = shopguide(["demo", "--log", "info", "--folder"])
        .arg(folder.join("data"))
        .args(["--listen", &format!("127.0.0.1:{web}"), "--broker", &format!("127.0.0.1:{port}")])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut demo = Daemon { child, web, log };
    // it renders and enrols its members first
    within(Duration::from_secs(300), "the demo is ready", || {
        if let Some(status) = demo.child.try_wait().unwrap() {
            panic!("the demo ended with {status}:\n{}", demo.logs());
        }
        (demo.get("/readyz")?.0 == 200).then_some(())
    });
    demo
}

/// How the bus is, in the word of the status page.
fn bus(demo: &Daemon) -> String {
    let status = demo.json("/api/status");
    let parts = status["parts"].as_array().unwrap();
    let bus = parts.iter().find(|p| p["kind"] == "bus").unwrap();
    bus["health"].as_str().unwrap().to_owned()
}

/// What the broker holds for whoever subscribes now: only messages with the retain flag.
fn retained(port: u16) -> BTreeMap<String, Value> {
    let output = Command::new("mosquitto_sub")
        .args(["-V", "5", "-h", "127.0.0.1", "-p", &port.to_string(), "-v", "-W", "2"])
        .args(["--retained-only", "-t", STATUS, "-t", "shopguide/demo/display/+/slate"])
        .args(["-t", "shopguide/demo/visit"])
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let message = |line: &str| {
        let (topic, payload) = line.split_once(' ')?;
        Some((topic.to_owned(), serde_json::from_str(payload).ok()?))
    };
    text.lines().filter_map(message).collect()
}

fn sequence(slate: &Value) -> u64 {
    slate["sequence"].as_u64().unwrap_or_else(|| panic!("no sequence: {slate}"))
}

/// A slate with everything that a display needs, still valid when it came.
fn assert_slate(slate: &Value, display: &str, came: Timestamp) {
    assert_eq!(slate["display"], display, "{slate}");
    let until: Timestamp = slate["valid_until"].as_str().unwrap().parse().unwrap();
    assert!(until > came, "expired when it came at {came}: {slate}");
    let items = slate["items"].as_array().unwrap();
    assert!(!items.is_empty(), "an empty slate: {slate}");
    for item in items {
        for text in ["sku", "name", "price_text", "reason_text"] {
            assert!(item[text].as_str().is_some_and(|t| !t.is_empty()), "no {text}: {item}");
        }
        assert!(item["reason"]["kind"].is_string() && item["price"].is_u64(), "{item}");
    }
}

/// What a subscriber has heard of slates.
#[derive(Default)]
struct Heard {
    /// Highest sequence, by display.
    highest: BTreeMap<String, u64>,
    /// When the first store-level slate came, by display.
    store: BTreeMap<String, Instant>,
    personal: usize,
    acks: usize,
    states: Vec<String>,
}

impl Heard {
    /// Takes what has come; every slate in it must be complete, valid and on its own display's topic.
    fn take(&mut self, listener: &Listener) {
        for (at, topic, payload) in listener.all() {
            let message: Value =
                serde_json::from_str(&payload).unwrap_or_else(|_| panic!("{topic}: {payload}"));
            if topic == STATUS {
                self.states.push(message["state"].as_str().unwrap().to_owned());
            }
            self.acks += usize::from(topic.ends_with("/ack"));
            let Some(display) = DISPLAYS.into_iter().find(|d| topic == slate_topic(d)) else { continue };
            assert_slate(&message, display, Timestamp::now() - at.elapsed());
            let highest = self.highest.entry(display.to_owned()).or_default();
            *highest = (*highest).max(sequence(&message));
            match message["audience"].as_str() {
                Some("store") => drop(self.store.entry(display.to_owned()).or_insert(at)),
                Some("personal") => self.personal += 1,
                _ => panic!("for whom? {message}"),
            }
        }
    }

    fn all_displays(&self) -> Option<()> {
        DISPLAYS.iter().all(|d| self.store.contains_key(*d)).then_some(())
    }
}

/// The retained state of a working shop: online, and store-level content on every display.
fn assert_retained(port: u16) -> BTreeMap<String, Value> {
    let state = retained(port);
    assert_eq!(state.get(STATUS).map(|s| &s["state"]), Some(&Value::from("online")), "{state:?}");
    for display in DISPLAYS {
        let slate = state.get(&slate_topic(display)).unwrap_or_else(|| panic!("{display}: {state:?}"));
        assert_slate(slate, display, Timestamp::now());
        assert_eq!(slate["audience"], "store", "what is personal is never retained: {slate}");
    }
    assert!(!state.contains_key("shopguide/demo/visit"), "a visit was retained: {state:?}");
    state
}

#[test]
fn a_broker_that_comes_back_gets_the_present_and_a_killed_daemon_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let Some(mosquitto) = Mosquitto::start(folder.path(), port) else { return };
    let demo = demo(folder.path(), port);

    // the contract, as somebody hears it who knows nothing of the program
    let listener = Listener::start(port, "shopguide/#");
    let mut before = Heard::default();
    eventually("store-level slates, a personal one and its acknowledgement", || {
        before.take(&listener);
        before.all_displays()?;
        (before.personal > 0 && before.acks > 0 && !before.states.is_empty()).then_some(())
    });
    let online = assert_retained(port);
    assert_eq!(before.states, ["online"]);

    // the broker dies, forgets everything, and is away long enough for the longest pause between attempts
    before.take(&listener);
    drop(mosquitto);
    eventually("the status names the lost broker", || (bus(&demo) == "failed").then_some(()));
    std::thread::sleep(Duration::from_secs(4));
    before.take(&listener);
    drop(listener);
    let mosquitto = Mosquitto::start(folder.path(), port).unwrap();
    let returned = Instant::now();
    let listener = Listener::start(port, "shopguide/#");
    let mut after = Heard::default();
    within(Duration::from_secs(10), "every display's present slate is there again", || {
        after.take(&listener);
        after.all_displays()
    });
    let took = after.store.values().map(|at| at.saturating_duration_since(returned)).max().unwrap();
    println!("after the broker's return every display had its slate within {} ms", took.as_millis());
    within(Duration::from_secs(10), "no display is told less than it knew", || {
        after.take(&listener);
        before.highest.iter().all(|(d, n)| after.highest.get(d) >= Some(n)).then_some(())
    });
    let again = assert_retained(port);
    assert_eq!(again[STATUS], online[STATUS], "the same run of the daemon");
    for display in DISPLAYS {
        let topic = slate_topic(display);
        assert!(sequence(&again[&topic]) >= sequence(&online[&topic]), "{display} went back");
    }
    assert_eq!(bus(&demo), "well");

    // the whole path works again
    let (personal, acks) = (after.personal, after.acks);
    eventually("another member is served through the new connection", || {
        after.take(&listener);
        (after.personal > personal && after.acks > acks).then_some(())
    });

    // killed without a word
    demo.signal("KILL");
    within(Duration::from_secs(30), "the last will says offline", || {
        after.take(&listener);
        (after.states.last().map(String::as_str) == Some("offline")).then_some(())
    });
    let gone = retained(port);
    assert_eq!(gone[STATUS]["state"], "offline", "a late subscriber hears it, too");
    assert_eq!(gone[STATUS]["boot_id"], online[STATUS]["boot_id"]);
    drop(mosquitto);
}
