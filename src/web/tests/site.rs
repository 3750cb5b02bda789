//! A server of its own for a test, with what it shows and what it asked for.

use super::super::status::{Health, Part, PartKind};
use super::super::*;
use crate::id::{MemberId, ProductId, SlateId, StoreId, ZoneId};
use crate::recommend::{Audience, Language, Money, Reason, Slate, Suggestion};
use jiff::Timestamp;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use tokio::net::TcpListener;

/// A running server, and what it asked for.
pub(super) struct Site {
    pub(super) address: SocketAddr,
    pub(super) desired: Desired,
    pub(super) live: Live,
    pub(super) clock: Clock,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) served: tokio::task::JoinHandle<std::io::Result<()>>,
    pub(super) runtime: tokio::runtime::Runtime,
}

pub(super) fn display(id: &str) -> DisplayId {
    DisplayId::new(id).unwrap()
}

pub(super) fn site(change: impl FnOnce(&mut AppState)) -> Site {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (ask, requests) = mpsc::channel(8);
    let (stop, stopping) = watch::channel(false);
    let displays = [("tea", Language::En), ("wine", Language::Zh)].map(|(id, language)| DisplaySettings {
        id: display(id),
        zone: ZoneId::new("front").unwrap(),
        items: 3,
        layout: Default::default(),
        language,
        title: Some(format!("The {id} shelf")),
        category: None,
    });
    let part = Part {
        kind: PartKind::Camera,
        name: "door".into(),
        health: Health::Failed,
        says: "silent for 12 s".into(),
        remedy: Some("Check its cable.".into()),
    };
    let mut metrics = Registry::default();
    let frames = prometheus_client::metrics::counter::Counter::<u64>::default();
    frames.inc_by(7);
    metrics.register("frames", "Frames seen", frames);
    let mut state = AppState {
        web: WebSettings { listen: address, api_token: None, live_view: true },
        store: StoreSettings {
            id: StoreId::new("s").unwrap(),
            name: "Corner <b>Shop</b>".into(),
            currency: "€".into(),
            currency_digits: 2,
            time_zone: "UTC".into(),
        },
        desired: Desired::new(displays.iter().map(|d| d.id.clone())),
        displays: displays.to_vec(),
        kiosks: Vec::new(),
        areas: Vec::new(),
        watched: Default::default(),
        keep_days: 730,
        floor: Default::default(),
        review: Default::default(),
        live: Live::of([LiveCamera {
            id: CameraId::new("door").unwrap(),
            zone: ZoneId::new("front").unwrap(),
        }]),
        clock: Clock::simulated("2026-05-04T10:00:00Z".parse().unwrap()),
        status: Arc::new(move || Status::of("1.2.3", Timestamp::UNIX_EPOCH, vec![part.clone()])),
        metrics: Arc::new(metrics),
        requests: ask,
    };
    change(&mut state);
    let (desired, live, clock) = (state.desired.clone(), state.live.clone(), state.clock.clone());
    let served = runtime.spawn(serve(listener, state, stopping));
    Site { address, desired, live, clock, requests, stop, served, runtime }
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Site {
    pub(super) fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let _ = stream.write_all(body); // a server that refuses a huge body need not read it
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let all = String::from_utf8_lossy(&all).into_owned();
        let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "accept: text/html\r\n", b"")
    }

    pub(super) fn post(&self, path: &str, json: &str) -> Answer {
        self.send("POST", path, "content-type: application/json\r\n", json.as_bytes())
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Opens an event stream.
    pub(super) fn follow(&self, path: &str) -> Events {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address).unwrap();
        Events(BufReader::new(stream))
    }

    /// Answers the next receipts (catalogue, stock, ...) with `answer`, on another thread.
    pub(super) fn answering<T>(
        &mut self,
        answer: impl FnOnce(Request) + Send,
        ask: impl FnOnce(&Self) -> T,
    ) -> T {
        let (_, empty) = mpsc::channel(1);
        let mut requests = std::mem::replace(&mut self.requests, empty);
        let (out, requests) = std::thread::scope(|scope| {
            let answerer = scope.spawn(move || {
                if let Some(request) = requests.blocking_recv() {
                    answer(request);
                }
                requests
            });
            let out = ask(self);
            (out, answerer.join().unwrap())
        });
        self.requests = requests;
        out
    }
}

pub(super) struct Events(BufReader<TcpStream>);

impl Events {
    /// The data of the next event of this name; `None` at the end of the stream.
    pub(super) fn next(&mut self, name: &str) -> Option<serde_json::Value> {
        let mut line = String::new();
        let mut ours = false;
        loop {
            line.clear();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(event) = line.trim_end().strip_prefix("event: ") {
                ours = event == name;
            } else if let Some(data) = line.trim_end().strip_prefix("data: ").filter(|_| ours) {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }
}

pub(super) fn slate(id: &str, sequence: u64, audience: Audience, seconds: i64, name: &str) -> Arc<Slate> {
    let made_at: Timestamp = "2026-05-04T10:00:00Z".parse().unwrap();
    Arc::new(Slate {
        id: SlateId(id.into()),
        display: display("tea"),
        sequence,
        audience,
        made_at,
        valid_until: made_at + jiff::SignedDuration::from_secs(seconds),
        captured: None,
        greeting: Some("Good to see you".into()),
        items: vec![Suggestion {
            product: ProductId(1),
            sku: "sku-1".into(),
            name: name.into(),
            price: Money(295),
            place: Some("Aisle 3".into()),
            score: 1.0,
            propensity: 1.0,
            reason: Reason::Popular { receipts: 9, days: 7 },
            reason_text: "Popular this week".into(),
        }],
    })
}

pub(super) const PERSONAL: Audience = Audience::Personal { member: MemberId(4711) };
