//! Everything that a busy shop does to the appliance, all at once: tills over HTTP and MQTT, displays
//! that follow their stream or MQTT and say what they show, a kiosk, the office, the night's work.

use crate::harness::{Daemon, printed, shopguide};
use crate::shop::{Scale, SoakShop, add_admin};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Event, MqttOptions};
use serde_json::{Value, json};
use shopguide::clock::Clock;
use shopguide::demo::shelf_display::ShelfDisplay;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SECRET: &str = "a long password of 24 letters";
const LINES: u64 = 8;

/// What was done, and confirmed by the appliance.
#[derive(Default)]
pub struct Did {
    pub receipts: u64,
    pub shown: u64,
    /// Of those, for a member before a camera.
    pub personal: u64,
    pub kiosk: u64,
    pub forgotten: u64,
    pub office: u64,
    pub reloads: u64,
    /// What trainings, backups and looks by `doctor` said.
    pub nights: Vec<(&'static str, i32, String)>,
}

impl Did {
    pub fn assert_a_busy_shop(&self, scale: &Scale, faces: usize, metrics: &str) {
        let metric = |name: &str| metric(metrics, name);
        let hours = f64::from(scale.hours);
        // A loaded machine may fall behind the plan, but not by half.
        assert!(
            self.receipts as f64 >= 0.5 * hours * f64::from(scale.receipts),
            "{} receipts",
            self.receipts
        );
        let visits = metric("shopguide_visits_total");
        assert!(visits >= faces as f64, "{visits} visits");
        let personal = self.personal;
        assert!(
            personal >= faces as u64,
            "{personal} personal slates for {faces} members who come again and again"
        );
        assert_eq!(metric("shopguide_receipts_total"), self.receipts as f64, "a receipt was lost or made up");
        assert_eq!(metric("shopguide_dropped_records_total"), 0.0);
        assert!(self.kiosk > 0 && self.forgotten > 0 && self.office > 0 && self.reloads > 0);
        for (what, code, said) in &self.nights {
            // What `doctor` finds broken is the camera that hangs up again and again, and nothing else.
            let broken = || said.lines().filter(|l| l.starts_with("FAILED"));
            let good =
                if *what == "doctor" { broken().all(|l| l.contains("camera flaky")) } else { *code == 0 };
            assert!(good, "{what}: {code}: {said}");
        }
        let done = |what| self.nights.iter().filter(|(w, _, _)| *w == what).count() as u32;
        for what in ["train", "backup", "doctor"] {
            // On a busy machine one is still under way when the next is due.
            assert!(done(what) >= (scale.hours / scale.nightly / 3).max(1), "{what}: {}", done(what));
        }
    }
}

/// One number of `/metrics`.
pub fn metric(metrics: &str, name: &str) -> f64 {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    metrics.lines().find_map(value).unwrap_or(0.0)
}

/// What every part of the load works with.
struct Means {
    stop: AtomicBool,
    web: u16,
    mqtt: u16,
    pid: u32,
    config: PathBuf,
    pictures: PathBuf,
    clock: Clock,
    rate: u32,
    cards: Vec<String>,
    products: Vec<(String, i64)>,
    receipts: AtomicU64,
    shown: AtomicU64,
    personal: AtomicU64,
    kiosk: AtomicU64,
    forgotten: AtomicU64,
    office: AtomicU64,
    reloads: AtomicU64,
    nights: Mutex<Vec<(&'static str, i32, String)>>,
}

/// The load while it goes on.
pub struct Load {
    means: Arc<Means>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn start(soak: &SoakShop, daemon: &Daemon, clock: &Clock, scale: &Scale) -> Self {
        add_admin(&soak.shop, "ada", SECRET);
        let means = Arc::new(Means {
            stop: AtomicBool::new(false),
            web: soak.shop.web,
            mqtt: soak.shop.mqtt,
            pid: daemon.child.id(),
            config: soak.shop.config(),
            pictures: soak.shop.folder.path().join("pictures"),
            clock: clock.clone(),
            rate: scale.rate,
            cards: soak.cards.clone(),
            products: soak.products.clone(),
            receipts: AtomicU64::new(0),
            shown: AtomicU64::new(0),
            personal: AtomicU64::new(0),
            kiosk: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            office: AtomicU64::new(0),
            reloads: AtomicU64::new(0),
            nights: Mutex::default(),
        });
        let mut load = Self { means, threads: Vec::new() };
        let (each, nightly) = (7200.0 / f64::from(scale.receipts), f64::from(scale.nightly));
        load.begin("till over HTTP", move |m| m.http_till(each));
        load.begin("till over MQTT", move |m| m.mqtt_till(each));
        for display in ["front", "tea", "wine", "cheese"] {
            load.begin("display", move |m| m.display(display));
        }
        load.begin("display over MQTT", |m| m.mqtt_display("front"));
        load.begin("kiosk", |m| m.kiosk());
        load.begin("kiosk's camera", |m| m.kiosk_camera());
        load.begin("office", |m| m.office());
        load.begin("night", move |m| m.night(nightly));
        load
    }

    fn begin(&mut self, name: &str, work: impl FnOnce(&Means) + Send + 'static) {
        let means = self.means.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&means));
        self.threads.push(thread.unwrap());
    }

    /// Ends it; fails if a part of it did.
    pub fn stop(self) -> Did {
        self.means.stop.store(true, Relaxed);
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            assert!(thread.join().is_ok(), "{name} failed");
        }
        let m = &self.means;
        Did {
            receipts: m.receipts.load(Relaxed),
            shown: m.shown.load(Relaxed),
            personal: m.personal.load(Relaxed),
            kiosk: m.kiosk.load(Relaxed),
            forgotten: m.forgotten.load(Relaxed),
            office: m.office.load(Relaxed),
            reloads: m.reloads.load(Relaxed),
            nights: std::mem::take(&mut *m.nights.lock().unwrap()),
        }
    }
}

/// Numbers that look drawn by chance and are always the same.
fn drawn(a: u64, b: u64, below: u64) -> u64 {
    let mut x = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    for _ in 0..3 {
        x ^= x >> 31;
        x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    }
    (x >> 20) % below
}

impl Means {
    fn goes_on(&self) -> bool {
        !self.stop.load(Relaxed)
    }

    /// Calls `work` every so many store seconds, with a count, until it is over.
    fn every(&self, store_seconds: f64, mut work: impl FnMut(u64)) {
        let pause = Duration::from_secs_f64(store_seconds / f64::from(self.rate));
        let mut due = Instant::now();
        for n in 0.. {
            while self.goes_on() && Instant::now() < due {
                std::thread::sleep(Duration::from_millis(20).min(due - Instant::now().min(due)));
            }
            if !self.goes_on() {
                return;
            }
            work(n);
            // Who falls behind does not catch up by a burst.
            due = (due + pause).max(Instant::now() - pause);
        }
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        headers: &[(&str, &str)],
    ) -> (u16, Vec<String>, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(method);
        request = request.uri(format!("http://127.0.0.1:{}{path}", self.web));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => agent.run(request.body(body.to_vec()).unwrap()),
            None => agent.run(request.body(()).unwrap()),
        }
        .unwrap();
        let cookies = response.headers().get_all("set-cookie").iter();
        let cookies = cookies.filter_map(|c| c.to_str().ok()?.split(';').next().map(str::to_owned)).collect();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), cookies, text)
    }

    fn json(&self, path: &str, body: &Value) -> (u16, String) {
        let kind = [("content-type", "application/json")];
        let (status, _, text) = self.ask("POST", path, Some(body.to_string().as_bytes()), &kind);
        (status, text)
    }

    /// A basket: four in ten are a member's, who buys mostly the same.
    fn basket(&self, n: u64) -> (Option<&str>, Vec<&(String, i64)>) {
        let member = drawn(n, 1, self.cards.len() as u64);
        let card = (drawn(n, 2, 10) < 4).then(|| self.cards[member as usize].as_str());
        let all = self.products.len() as u64;
        let product = |k: u64| match card {
            Some(_) if drawn(n, 10 + k, 4) > 0 => drawn(member, 100 + drawn(n, k, 12), all),
            _ => drawn(n, 50 + k, all).min(drawn(n, 70 + k, all)),
        };
        let products: BTreeSet<u64> = (0..LINES).map(product).collect();
        (card, products.into_iter().map(|p| &self.products[p as usize]).collect())
    }

    fn http_till(&self, store_seconds: f64) {
        self.every(store_seconds, |n| {
            let (card, products) = self.basket(2 * n);
            let line = |(sku, price): &&(String, i64)| json!({"sku": sku, "quantity": 1, "price": *price as f64 / 100.0});
            let lines: Vec<Value> = products.iter().map(line).collect();
            let at = self.clock.now().utc.to_string();
            let receipt = json!({"receipt": format!("h{n}"), "at": at, "member": card, "lines": lines});
            let (status, said) = self.json("/api/receipts", &receipt);
            assert_eq!(status, 200, "{said}");
            self.receipts.fetch_add(1, Relaxed);
        });
    }

    fn mqtt_till(&self, store_seconds: f64) {
        let mut options = MqttOptions::new("till-2", "127.0.0.1", self.mqtt);
        options.set_keep_alive(Duration::from_secs(5));
        let (client, mut connection) = Client::new(options, 64);
        std::thread::scope(|scope| {
            let acknowledged = scope.spawn(move || {
                let acks = connection.iter().filter_map(Result::ok);
                let mut count = 0;
                for event in acks {
                    match event {
                        Event::Incoming(Packet::PubAck(_)) => count += 1,
                        Event::Outgoing(rumqttc::Outgoing::Disconnect) => break,
                        _ => {}
                    }
                }
                count
            });
            let mut sent = 0;
            self.every(store_seconds, |n| {
                let (card, products) = self.basket(2 * n + 1);
                let line = |(sku, price): &&(String, i64)| json!({"sku": sku, "quantity": 1, "price": price});
                let lines: Vec<Value> = products.iter().map(line).collect();
                let time = self.clock.now().utc.to_string();
                let receipt =
                    json!({"receipt": format!("m{n}"), "time": time, "member": card, "lines": lines});
                client
                    .publish("shopguide/soak/receipt", QoS::AtLeastOnce, false, receipt.to_string())
                    .unwrap();
                sent += 1;
            });
            // Those under way are committed before they are acknowledged.
            std::thread::sleep(Duration::from_secs(5));
            client.disconnect().unwrap();
            assert_eq!(acknowledged.join().unwrap(), sent, "acknowledged receipts of those sent over MQTT");
            self.receipts.fetch_add(sent, Relaxed);
        });
    }

    /// A page of a display: follows its stream, says what it shows, and is opened again every store hour.
    fn display(&self, display: &str) {
        let mut stream: Option<(BufReader<TcpStream>, Instant)> = None;
        let (mut known, mut count) = (String::new(), 0_u64);
        while self.goes_on() {
            let old = Duration::from_secs(3600) / self.rate;
            if stream.as_ref().is_none_or(|(_, opened)| opened.elapsed() > old) {
                let mut new = TcpStream::connect(("127.0.0.1", self.web)).unwrap();
                new.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                write!(new, "GET /display/{display}/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
                stream = Some((BufReader::new(new), Instant::now()));
            }
            let mut line = String::new();
            let read = stream.as_mut().unwrap().0.read_line(&mut line).expect("a beat every five seconds");
            assert!(read > 0, "the stream of {display} ended");
            let Some(screen) =
                line.strip_prefix("data: ").and_then(|d| serde_json::from_str::<Value>(d).ok())
            else {
                continue;
            };
            let slate = if screen["personal"].is_object() { &screen["personal"] } else { &screen["store"] };
            let Some(id) = slate["id"].as_str().filter(|id| *id != known) else { continue };
            known = id.to_owned();
            count += 1;
            let sku = &slate["items"][0]["sku"];
            let mut acks = vec![json!({"slate": id, "kind": "shown"})];
            if count.is_multiple_of(5) && sku.is_string() {
                let kind = if count.is_multiple_of(2) { "taken" } else { "dismissed" };
                acks.push(json!({"slate": id, "kind": kind, "sku": sku}));
            }
            for ack in acks {
                let (status, said) = self.json(&format!("/display/{display}/ack"), &ack);
                assert_eq!(status, 202, "{said}");
            }
            self.shown.fetch_add(1, Relaxed);
            self.personal.fetch_add(u64::from(screen["personal"].is_object()), Relaxed);
        }
    }

    fn mqtt_display(&self, display: &str) {
        self.every(3600.0, |_| {
            let shelf =
                ShelfDisplay::start("127.0.0.1", self.mqtt, "soak", display, self.clock.clone()).unwrap();
            let until = Instant::now() + Duration::from_secs(3500) / self.rate;
            while self.goes_on() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(50));
            }
            drop(shelf);
        });
    }

    fn at_the_kiosk(&self, act: &Value) -> Value {
        let (status, said) = self.json("/kiosk/k1/do", act);
        assert_eq!(status, 200, "{said}");
        serde_json::from_str(&said).unwrap()
    }

    /// Members come with their card, see what is kept, and go; some join, take their copy and are forgotten.
    fn kiosk(&self) {
        self.every(360.0, |n| {
            let session = self.at_the_kiosk(&json!({"do": "begin"}))["session"].clone();
            let forgets = n.is_multiple_of(4);
            if forgets {
                let agree = json!({"do": "agree", "session": session, "scope": "card", "old_enough": true});
                let joined = self.at_the_kiosk(&agree);
                assert_eq!(joined["is"], "joined", "{joined}");
                self.at_the_kiosk(
                    &json!({"do": "export", "session": session, "origin": "http://127.0.0.1:8080"}),
                );
            } else {
                let code = &self.cards[drawn(n, 3, self.cards.len() as u64) as usize];
                let carded = self.at_the_kiosk(&json!({"do": "card", "session": session, "code": code}));
                assert_eq!(carded["is"], "carded", "{carded}");
            }
            self.at_the_kiosk(&json!({"do": "mine", "session": session}));
            let last = if forgets { "forget" } else { "end" };
            self.at_the_kiosk(&json!({"do": last, "session": session}));
            self.kiosk.fetch_add(1, Relaxed);
            self.forgotten.fetch_add(u64::from(forgets), Relaxed);
        });
    }

    fn kiosk_camera(&self) {
        let pictures =
            std::fs::read_dir(&self.pictures).unwrap().map(|p| std::fs::read(p.unwrap().path()).unwrap());
        for picture in pictures.collect::<Vec<_>>().iter().cycle() {
            if !self.goes_on() {
                return;
            }
            let kind = [("content-type", "image/jpeg")];
            let (status, _, said) = self.ask("POST", "/api/cameras/desk/frame", Some(picture), &kind);
            assert!(status < 300, "{status} {said}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Once a store hour: signs in, looks at every page, brings stock up to date.
    fn office(&self) {
        self.every(3600.0, |n| {
            let sign_in = json!({"name": "ada", "secret": SECRET}).to_string();
            let kind = [("content-type", "application/json")];
            let (status, cookies, said) = self.ask("POST", "/sign-in", Some(sign_in.as_bytes()), &kind);
            assert!(status < 300 && !cookies.is_empty(), "{status} {said}");
            let cookie = [("cookie", cookies[0].as_str())];
            for page in ["/", "/staff", "/admin", "/status", "/api/status", "/metrics", "/livez", "/readyz", "/display/tea", "/kiosk/k1"] {
                let (status, _, said) = self.ask("GET", page, None, &cookie);
                assert_eq!(status, 200, "{page}: {said}");
            }
            let level = |(i, (sku, _)): (usize, &(String, i64))| json!({"sku": sku, "stock": drawn(n, i as u64, 40) + 1});
            let levels: Vec<Value> = self.products.iter().enumerate().take(50).map(level).collect();
            let (status, said) = self.json("/api/stock", &json!(levels));
            assert_eq!(status, 200, "{said}");
            self.office.fetch_add(1, Relaxed);
        });
    }

    /// What timers and administrators do: training, backup, `doctor`, and reloads in between.
    fn night(&self, hours: f64) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        self.every(hours * 1800.0, |n| {
            if n.is_multiple_of(2) {
                let votes = if n.is_multiple_of(4) { "votes = 4" } else { "votes = 3" };
                std::fs::write(&self.config, text.replace("votes = 3", votes)).unwrap();
                Command::new("kill").args(["-s", "HUP", &self.pid.to_string()]).status().unwrap();
                self.reloads.fetch_add(1, Relaxed);
                return;
            }
            for (what, arguments) in [
                ("train", vec!["train", "--nightly"]),
                ("backup", vec!["backup"]),
                ("doctor", vec!["doctor"]),
            ] {
                let output = shopguide(arguments).arg("--config").arg(&self.config).output().unwrap();
                let code = output.status.code().unwrap_or(-1);
                self.nights.lock().unwrap().push((what, code, printed(&output)));
            }
        });
    }
}
