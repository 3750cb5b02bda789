//! A real Chromium through chromedriver, and the web server in this process.
#![allow(dead_code)]

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use jiff::Timestamp;
use serde_json::{Value, json};
use shopguide::clock::Clock;
use shopguide::display::{Ack, DisplaySettings, Layout, StoreSettings};
use shopguide::id::{CameraId, DisplayId, MemberId, ProductId, SlateId, StoreId, ZoneId};
use shopguide::publish::Desired;
use shopguide::recommend::{Audience, Language, Money, Reason, Slate, Suggestion};
use shopguide::web::settings::WebSettings;
use shopguide::web::status::{Health, Part, PartKind};
use shopguide::web::{AppState, Live, LiveCamera, Request, Status, serve};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// Patience for anything that happens by itself, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Browser {
    driver: Child,
    pub client: Client,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A fresh browser; `None`, with the reason printed, where there is none.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// A fresh browser whose camera plays `film` (MJPEG) from its beginning whenever a page opens it.
    pub async fn with_camera(film: &std::path::Path) -> Option<Self> {
        Self::start_with(&[
            "--use-fake-ui-for-media-stream".to_owned(),
            "--use-fake-device-for-media-stream".to_owned(),
            format!("--use-file-for-fake-video-capture={}", film.display()),
        ])
        .await
    }

    async fn start_with(more: &[String]) -> Option<Self> {
        for program in ["chromium", "chromedriver"] {
            let there =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if !there.is_ok_and(|s| s.success()) {
                let why = format!("{program} is not installed on this machine");
                assert!(std::env::var_os("SHOPGUIDE_LEAVE_NOTHING_OUT").is_none(), "{why}");
                eprintln!("LEFT OUT: {why}");
                return None;
            }
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let profile = tempfile::tempdir().unwrap();
        let fixed = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ];
        let own = format!("--user-data-dir={}", profile.path().display());
        let args: Vec<&str> =
            fixed.into_iter().chain([own.as_str()]).chain(more.iter().map(String::as_str)).collect();
        let options = json!({
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": args},
        });
        let Value::Object(options) = options else { unreachable!() };
        let deadline = Instant::now() + PATIENCE;
        let client = loop {
            let url = format!("http://127.0.0.1:{port}");
            match ClientBuilder::new(HttpConnector::new()).capabilities(options.clone()).connect(&url).await {
                Ok(client) => break client,
                Err(error) => assert!(Instant::now() < deadline, "no session: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        let id = client.session_id().await.unwrap().unwrap();
        let session = format!("http://127.0.0.1:{port}/session/{id}");
        Some(Self { driver, client, session, _profile: profile })
    }

    fn command(&self, path: &str, body: Value) -> Value {
        let mut answer = ureq::post(format!("{}/{path}", self.session))
            .header("content-type", "application/json")
            .send(body.to_string())
            .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["value"].take()
    }

    /// One command of the browser's own tools for developers.
    pub fn devtools(&self, command: &str, params: Value) -> Value {
        self.command("goog/cdp/execute", json!({"cmd": command, "params": params}))
    }

    /// Runs a script in every page before its own scripts.
    pub fn before_every_page(&self, script: &str) {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": script}));
    }

    /// Gives the page exactly this glass.
    pub fn glass(&self, width: u32, height: u32) {
        let params = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", params);
    }

    /// Presses the tabulator.
    pub fn tab(&self) {
        for kind in ["keyDown", "keyUp"] {
            let params = json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
            self.command("goog/cdp/execute", json!({"cmd": "Input.dispatchKeyEvent", "params": params}));
        }
    }

    /// Shows the page as it would be printed, or as it is.
    pub fn print(&self, on: bool) {
        let media = if on { "print" } else { "" };
        let params = json!({"media": media});
        self.command("goog/cdp/execute", json!({"cmd": "Emulation.setEmulatedMedia", "params": params}));
    }

    /// What the console said that is an error, but for connections refused while the server was away.
    pub fn console_errors(&self) -> Vec<String> {
        let log = self.command("se/log", json!({"type": "browser"}));
        let lines = log.as_array().unwrap().iter().filter(|l| l["level"] == "SEVERE");
        lines.map(|l| l["message"].to_string()).filter(|m| !m.contains("net::ERR_")).collect()
    }

    pub async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// Waits until `script` gives true.
    pub async fn until(&self, what: &str, script: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.ask(script).await != true {
            assert!(Instant::now() < deadline, "never happened: {what}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The id of the slate on the glass; empty for the welcome.
    pub async fn slate(&self) -> String {
        let slate = self.ask("return document.querySelector('.layer.now')?.dataset.slate ?? ''").await;
        slate.as_str().unwrap().to_owned()
    }

    pub async fn until_slate(&self, id: &str) {
        self.until(id, &format!("return document.querySelector('.layer.now')?.dataset.slate === '{id}'"))
            .await;
    }

    pub async fn click(&self, selector: &str) {
        self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// Keeps a picture in the folder named by `SHOPGUIDE_SHOTS`, if it is set.
    pub async fn shot(&self, name: &str) {
        let Some(folder) = std::env::var_os("SHOPGUIDE_SHOTS") else { return };
        tokio::time::sleep(Duration::from_millis(900)).await; // the fade has ended
        let path = std::path::Path::new(&folder).join(format!("{name}.png"));
        std::fs::write(path, self.client.screenshot().await.unwrap()).unwrap();
    }

    pub async fn end(mut self) {
        let _ = self.client.clone().close().await;
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // chromedriver takes its browser with it
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The web server with three displays, one of paper, and what reached the appliance.
pub struct Site {
    pub address: SocketAddr,
    pub desired: Desired,
    pub live: Live,
    pub requests: mpsc::Receiver<Request>,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Site {
    pub async fn start(address: Option<SocketAddr>) -> Self {
        Self::with_clock(address, Clock::system()).await
    }

    /// The same with another clock.
    pub async fn with_clock(address: Option<SocketAddr>, clock: Clock) -> Self {
        let wanted = address.unwrap_or_else(|| "127.0.0.1:0".parse().unwrap());
        let listener = TcpListener::bind(wanted).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = |id: &str, language, title: &str| DisplaySettings {
            id: DisplayId::new(id).unwrap(),
            zone: ZoneId::new("tea").unwrap(),
            items: 3,
            layout: Default::default(),
            language,
            title: Some(title.into()),
            category: None,
        };
        let mut paper = shelf("paper", Language::En, "Tea and coffee");
        paper.layout = Layout::Paper;
        let displays =
            vec![shelf("tea", Language::En, "Tea and coffee"), shelf("cha", Language::Zh, "茶与咖啡"), paper];
        let desired = Desired::new(displays.iter().map(|d| d.id.clone()));
        let (ask, requests) = mpsc::channel(256);
        let (stop, stopping) = watch::channel(false);
        let live = Live::of(
            ["door", "shelf"]
                .map(|c| LiveCamera { id: CameraId::new(c).unwrap(), zone: ZoneId::new("tea").unwrap() }),
        );
        let state = AppState {
            web: WebSettings { listen: address, api_token: None, live_view: true },
            store: StoreSettings {
                id: StoreId::new("corner").unwrap(),
                name: "Corner Market".into(),
                currency: "€".into(),
                currency_digits: 2,
                time_zone: "UTC".into(),
            },
            displays,
            kiosks: Vec::new(),
            areas: Vec::new(),
            watched: Default::default(),
            keep_days: 730,
            floor: Default::default(),
            review: Default::default(),
            desired: desired.clone(),
            live: live.clone(),
            clock,
            status: Arc::new(|| Status::of("0.1.0", Timestamp::UNIX_EPOCH, parts())),
            metrics: Arc::default(),
            requests: ask,
        };
        let served = tokio::spawn(serve(listener, state, stopping));
        Self { address, desired, live, requests, stop, served }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Stops and leaves the address to the next.
    pub async fn stop(self) -> SocketAddr {
        let _ = self.stop.send(true);
        self.served.await.unwrap().unwrap();
        self.address
    }

    pub fn show(&self, slate: &Arc<Slate>) {
        self.desired.update(&slate.display, |screen| match slate.audience {
            Audience::Store => screen.store = Some(slate.clone()),
            Audience::Personal { .. } => screen.personal = Some(slate.clone()),
        });
    }

    pub async fn ack(&mut self) -> Ack {
        match tokio::time::timeout(PATIENCE, self.requests.recv()).await {
            Ok(Some(Request::Ack(ack))) => ack,
            other => panic!("no acknowledgement came: {other:?}"),
        }
    }
}

fn parts() -> Vec<Part> {
    let part = |kind, name: &str, health, says: &str, remedy: Option<&str>| Part {
        kind,
        name: name.into(),
        health,
        says: says.into(),
        remedy: remedy.map(Into::into),
    };
    use Health::{Failed, Limited, Well};
    vec![
        part(PartKind::Camera, "door", Well, "9.8 frames a second", None),
        part(
            PartKind::Camera,
            "shelf",
            Failed,
            "silent for 42 s; tried 5 times",
            Some("Check that the camera has power and that its address opens in a browser."),
        ),
        part(PartKind::Model, "embedder", Well, "shopguide-embedder/1", None),
        part(PartKind::Store, "database", Well, "412 products, 300 members", None),
        part(
            PartKind::Bus,
            "127.0.0.1:1883",
            Limited,
            "reconnecting",
            Some("It heals by itself when the broker is back."),
        ),
        part(PartKind::Display, "tea", Well, "1 page open", None),
    ]
}

/// Name, price, place, reason.
pub type Row = (&'static str, i64, &'static str, &'static str);

pub const ENGLISH: [Row; 6] = [
    (
        "Darjeeling First Flush, loose leaf 100 g",
        1290,
        "Aisle 3, shelf B",
        "You choose it about every 24 days; the last time was 26 days ago",
    ),
    ("Oat Drink Barista", 229, "Cooler 2", "You bought it 5 times before"),
    (
        "Sourdough Crispbread with Rye and Sea Salt",
        349,
        "Aisle 5, shelf A",
        "Popular in Bread, a category you often choose",
    ),
    ("Wildflower Honey", 675, "Aisle 4, shelf C", "You bought it 3 times before, last 48 days ago"),
    (
        "Extra Virgin Olive Oil Kalamata 750 ml",
        999,
        "Aisle 6, shelf D",
        "142 people chose it in the last 30 days",
    ),
    ("Dark Chocolate 85 % Ecuador", 319, "Checkout 1", "Popular this week"),
];

pub const CHINESE: [Row; 6] = [
    ("明前龙井绿茶 100克", 12800, "3号通道 B层", "您大约每24天购买一次，距上次已26天"),
    ("有机燕麦奶 咖啡大师款", 1990, "2号冷柜", "您曾购买过5次"),
    ("黑麦海盐酵母脆饼", 2450, "5号通道 A层", "在您常选的“面包糕点”中很受欢迎"),
    ("秦岭野花蜂蜜 500克装", 5800, "4号通道 C层", "您曾购买过3次，上次在48天前"),
    ("特级初榨橄榄油 750毫升", 8900, "6号通道 D层", "近30天有142位顾客选购"),
    ("厄瓜多尔85%黑巧克力", 2680, "1号收银台", "本周热销"),
];

/// A slate for a display; personal if `seconds` says for how long.
pub fn slate(
    display: &str,
    id: &str,
    sequence: u64,
    seconds: Option<i64>,
    greeting: &str,
    rows: &[Row],
) -> Arc<Slate> {
    let made_at = Timestamp::now();
    let item = |(n, (name, price, place, reason)): (usize, &Row)| Suggestion {
        product: ProductId(n as i64),
        sku: format!("sku-{n}"),
        name: (*name).into(),
        price: Money(*price),
        place: Some((*place).into()),
        score: 1.0,
        propensity: 1.0,
        reason: Reason::Popular { receipts: 9, days: 7 },
        reason_text: (*reason).into(),
    };
    Arc::new(Slate {
        id: SlateId(id.into()),
        display: DisplayId::new(display).unwrap(),
        sequence,
        audience: match seconds {
            Some(_) => Audience::Personal { member: MemberId(7) },
            None => Audience::Store,
        },
        made_at,
        valid_until: made_at + jiff::SignedDuration::from_secs(seconds.unwrap_or(86_400)),
        captured: None,
        greeting: Some(greeting.into()),
        items: rows.iter().enumerate().map(item).collect(),
    })
}
