//! The other ends of the bus: brokers that can be killed and come back, an independent client
//! (`mosquitto_sub`), and a client of our own for tills and displays.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use shopguide::broker::{Broker, settings::BrokerSettings};
use shopguide::clock::Clock;
use shopguide::display::StoreSettings;
use shopguide::id::{DisplayId, MemberId, ProductId, SlateId, StoreId};
use shopguide::publish::settings::BusSettings;
use shopguide::publish::wire::SlateMessage;
use shopguide::publish::{Bus, Delivery, Desired, Intake};
use shopguide::recommend::{Audience, Money, Reason, Slate, Suggestion};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long a test waits for something that should come soon; generous, the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` gives something.
pub async fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
}

/// A real mosquitto on a loopback port.
pub struct Mosquitto {
    child: Option<Child>,
    folder: tempfile::TempDir,
    program: PathBuf,
    pub port: u16,
}

impl Mosquitto {
    /// Starts one with further lines of configuration; `None`, with a word why, where there is none.
    pub async fn start(more: &str) -> Option<Mosquitto> {
        let (Some(program), Some(_), Some(_)) =
            (program("mosquitto"), program("mosquitto_sub"), program("mosquitto_pub"))
        else {
            println!("left out: mosquitto and its clients are not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        // without the user line one started by root gives up its rights, and with them our files
        let config = format!("user root\nlistener {port} 127.0.0.1\n{more}\n");
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let mut broker = Mosquitto { child: None, folder, program, port };
        broker.spawn().await;
        Some(broker)
    }

    pub async fn anonymous() -> Option<Mosquitto> {
        Self::start("allow_anonymous true").await
    }

    pub async fn spawn(&mut self) {
        let config = self.folder.path().join("mosquitto.conf");
        let child = Command::new(&self.program).arg("-c").arg(config).stderr(Stdio::null()).spawn().unwrap();
        self.child = Some(child);
        until("mosquitto listens", || std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()).await;
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal by name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Either broker, for tests of what must hold with both.
pub enum AnyBroker {
    Mosquitto(Mosquitto),
    Embedded(Option<Broker>, u16),
}

impl AnyBroker {
    pub fn port(&self) -> u16 {
        match self {
            AnyBroker::Mosquitto(broker) => broker.port,
            AnyBroker::Embedded(_, port) => *port,
        }
    }

    pub async fn kill(&mut self) {
        match self {
            AnyBroker::Mosquitto(broker) => broker.kill(),
            AnyBroker::Embedded(broker, _) => {
                if let Some(broker) = broker.take() {
                    broker.stop().await;
                }
            }
        }
    }

    pub async fn start_again(&mut self) {
        match self {
            AnyBroker::Mosquitto(broker) => broker.spawn().await,
            AnyBroker::Embedded(broker, port) => {
                *broker = Some(Broker::start(&embedded_settings(*port), None).await.unwrap());
            }
        }
    }

    pub async fn embedded() -> AnyBroker {
        let broker = Broker::start(&embedded_settings(0), None).await.unwrap();
        let port = broker.address().port();
        AnyBroker::Embedded(Some(broker), port)
    }

    /// Both, as far as they are installed.
    pub async fn both() -> Vec<AnyBroker> {
        let mut brokers = vec![Self::embedded().await];
        brokers.extend(Mosquitto::anonymous().await.map(AnyBroker::Mosquitto));
        brokers
    }

    pub fn name(&self) -> &'static str {
        match self {
            AnyBroker::Mosquitto(_) => "mosquitto",
            AnyBroker::Embedded(..) => "the embedded broker",
        }
    }
}

pub fn embedded_settings(port: u16) -> BrokerSettings {
    BrokerSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], port)),
        tls: None,
        websocket: None,
        users: None,
        max_clients: 512,
        max_packet: 262_144,
        max_retained: 10_000,
    }
}

pub fn store() -> StoreSettings {
    StoreSettings {
        id: StoreId::new("corner").unwrap(),
        name: "Corner shop".into(),
        currency: "€".into(),
        currency_digits: 2,
        time_zone: "Europe/Berlin".into(),
    }
}

pub fn bus_settings(port: u16) -> BusSettings {
    BusSettings {
        host: "127.0.0.1".into(),
        port,
        tls: None,
        user: None,
        password: None,
        client_id: "shopguide-corner".into(),
        keep_alive: Duration::from_secs(5),
        personal_for: Duration::from_secs(20),
        home_assistant: false,
    }
}

/// The daemon's end: a bus with displays `tea` and `coffee`.
pub struct Daemon {
    pub bus: Bus,
    pub desired: Desired,
    pub deliveries: mpsc::Receiver<Delivery>,
}

pub fn tea() -> DisplayId {
    DisplayId::new("tea").unwrap()
}

pub fn displays() -> [DisplayId; 2] {
    [tea(), DisplayId::new("coffee").unwrap()]
}

impl Daemon {
    pub fn start(settings: BusSettings) -> Daemon {
        let clock = Clock::system();
        let desired = Desired::new(displays());
        let (intake, deliveries) = Intake::new(&store().id, displays(), clock.clone());
        let bus = Bus::start(settings, &store(), &desired, intake, "boot-1", clock).unwrap();
        Daemon { bus, desired, deliveries }
    }

    pub async fn connected(self) -> Daemon {
        let began = Instant::now();
        while self.bus.health().connected_since.is_none() {
            assert!(began.elapsed() < PATIENCE, "not connected: {:?}", self.bus.health());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self
    }

    /// Puts a new slate on a display's screen and returns it.
    pub fn show(&self, display: &DisplayId, personal: bool, lasts: Duration) -> Arc<Slate> {
        let slate = slate(display, personal, lasts);
        let shown = slate.clone();
        self.desired.update(display, |screen| match personal {
            true => screen.personal = Some(shown),
            false => screen.store = Some(shown),
        });
        slate
    }
}

/// A slate with a name of its own.
pub fn slate(display: &DisplayId, personal: bool, lasts: Duration) -> Arc<Slate> {
    static MADE: AtomicU64 = AtomicU64::new(1);
    let n = MADE.fetch_add(1, Ordering::Relaxed);
    let now = jiff::Timestamp::now();
    Arc::new(Slate {
        id: SlateId(format!("boot-1-{n}")),
        display: display.clone(),
        sequence: now.as_millisecond() as u64,
        audience: if personal { Audience::Personal { member: MemberId(424_242) } } else { Audience::Store },
        made_at: now,
        valid_until: now + lasts,
        captured: personal.then_some(now),
        greeting: personal.then(|| "Welcome back".into()),
        items: vec![Suggestion {
            product: ProductId(7),
            sku: "TEA-1".into(),
            name: "Green tea".into(),
            price: Money(349),
            place: Some("Aisle 3".into()),
            score: 0.5,
            propensity: 1.0,
            reason: Reason::Popular { receipts: 12, days: 28 },
            reason_text: "Often bought here".into(),
        }],
    })
}

/// One message as `mosquitto_sub` printed it.
#[derive(Debug, Clone)]
pub struct Heard {
    pub at: Instant,
    pub topic: String,
    pub retained: bool,
    pub expiry: Option<u32>,
    pub payload: String,
}

impl Heard {
    pub fn slate(&self) -> SlateMessage {
        serde_json::from_str(&self.payload).unwrap()
    }
}

/// `mosquitto_sub`, which reconnects by itself.
pub struct Listener {
    child: Child,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Listener {
    /// Follows `filter`; `None` where mosquitto's clients are not installed.
    pub fn start(port: u16, filter: &str) -> Option<Listener> {
        let mut child = Command::new(program("mosquitto_sub")?)
            .args(["-V", "5", "-h", "127.0.0.1", "-q", "1", "-F", "%t\t%r\t%E\t%p"])
            .args(["-p", &port.to_string(), "-t", filter])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (book, out) = (heard.clone(), BufReader::new(child.stdout.take().unwrap()));
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let mut parts = line.splitn(4, '\t').map(str::to_owned);
                let mut next = || parts.next().unwrap_or_default();
                let (topic, retained, expiry, payload) = (next(), next() == "1", next().parse().ok(), next());
                book.lock().unwrap().push(Heard { at: Instant::now(), topic, retained, expiry, payload });
            }
        });
        Some(Listener { child, heard })
    }

    pub fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits for the first message that `wanted` likes.
    pub async fn hears(&self, what: &str, wanted: impl Fn(&Heard) -> bool) -> Heard {
        until(what, || self.all().into_iter().find(|m| wanted(m))).await
    }

    /// Waits for a message about `slate`.
    pub async fn hears_slate(&self, slate: &Slate) -> Heard {
        let part = format!("\"slate\":\"{}\"", slate.id);
        self.hears(&format!("slate {} is heard", slate.id), |m| m.payload.contains(&part)).await
    }

    pub fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Publishes with `mosquitto_pub`, QoS 1: returns when the broker has acknowledged.
pub fn mosquitto_pub(port: u16, topic: &str, payload: &str) {
    let mut child = Command::new(program("mosquitto_pub").unwrap())
        .args(["-V", "5", "-h", "127.0.0.1", "-q", "1", "-s", "-p", &port.to_string(), "-t", topic])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(payload.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A client of our own library; what it receives is kept.
pub struct Peer {
    pub client: AsyncClient,
    pub events: Arc<Mutex<Vec<Result<Packet, String>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Peer {
    pub fn connect(options: MqttOptions) -> Peer {
        let (client, mut eventloop) = AsyncClient::new(options, 1000);
        let events: Arc<Mutex<Vec<_>>> = Arc::default();
        let book = events.clone();
        let task = tokio::spawn(async move {
            loop {
                match eventloop.poll().await {
                    Ok(Event::Incoming(packet)) => book.lock().unwrap().push(Ok(packet)),
                    Ok(Event::Outgoing(_)) => {}
                    Err(e) => {
                        book.lock().unwrap().push(Err(e.to_string()));
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
            }
        });
        Peer { client, events, task }
    }

    pub fn plain(port: u16, id: &str) -> Peer {
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options.set_max_packet_size(Some(1 << 20)).set_outgoing_inflight_upper_limit(100);
        Peer::connect(options)
    }

    pub async fn publish(&self, topic: &str, retain: bool, payload: impl Into<Vec<u8>>) {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload.into()).await.unwrap();
    }

    pub fn find<T>(&self, wanted: impl Fn(&Packet) -> Option<T>) -> Option<T> {
        self.events.lock().unwrap().iter().filter_map(|e| e.as_ref().ok()).find_map(wanted)
    }

    pub fn count(&self, wanted: impl Fn(&Packet) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter_map(|e| e.as_ref().ok()).filter(|p| wanted(p)).count()
    }

    pub async fn sees<T>(&self, what: &str, wanted: impl Fn(&Packet) -> Option<T>) -> T {
        until(what, || self.find(&wanted)).await
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
