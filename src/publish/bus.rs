//! The daemon's place on the MQTT bus.
//!
//! A connection is born empty and dies whole: each attempt makes a new client, so nothing that was
//! queued or unacknowledged on one connection can come out on the next. What should be known is
//! said anew from the desired state once the broker has accepted the connection.
//!
//! - One task polls the connection and does nothing else that could wait.
//! - One task for each display follows its desired screen and says the changes with `try_publish`.
//!   When the queue is full it tries again shortly, with what is true then; nothing piles up.
//! - One task for each connection hands received messages on and acknowledges them (see `inbox`).
//!
//! A display whose broker just came back may connect later than the daemon does, and a personal
//! slate is never retained; so a present personal slate is said again 0.5 s and 1 s after a
//! connection began, under the same sequence. A display that reports itself online is answered, too.

pub use super::connection::BusError;
use super::connection::{self, CONNECT_LIMIT, Retry};
use super::desired::{Desired, Screen};
use super::health::{BusHealth, HealthBook};
use super::home_assistant::House;
use super::inbox::Inbox;
use super::intake::Intake;
use super::presenter::{Presenter, Say};
use super::settings::BusSettings;
use super::wire::{SlateMessage, State, StatusMessage, VisitMessage};
use crate::clock::Clock;
use crate::display::StoreSettings;
use crate::id::DisplayId;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Filter, LastWill, Packet, PubAckReason, PublishProperties, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, Event};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

/// Requests that wait for the poll task at most.
const QUEUE: usize = 64;
/// Pauses between attempts: the longest must leave every display its slate within 2 s of the
/// broker's return.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Pause when somebody has to mend something first.
const SLOW_PAUSE: Duration = Duration::from_secs(5);
/// A connection that lasted so long was a good one: the next pause is the first again.
const GOOD: Duration = Duration::from_secs(5);
/// When a full queue is tried again.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(20);
/// When a personal slate is said again after a connection began.
const ECHOES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];
/// How long to wait before everything is said again because the broker refused a message.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Looks at the clock at least so often, since it may jump.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A live connection. `round` grows whenever everything is to be said again.
#[derive(Clone)]
struct Link {
    client: AsyncClient,
    began: Instant,
    round: u64,
}

struct Shared {
    settings: BusSettings,
    store: StoreSettings,
    intake: Intake,
    clock: Clock,
    health: HealthBook,
    status: StatusMessage,
    link: watch::Sender<Option<Link>>,
    stop: watch::Sender<bool>,
    say_again: BTreeMap<DisplayId, Notify>,
}

/// The running bus. Dropping it cuts the connection; [`Bus::stop`] says goodbye first.
pub struct Bus {
    shared: Arc<Shared>,
    poll: JoinHandle<()>,
    presenters: JoinSet<()>,
}

impl Bus {
    /// Starts publishing `desired` to the broker of `settings` and handing what comes to `intake`.
    /// Returns at once, broker or not; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Certificate files that cannot be used.
    pub fn start(
        settings: BusSettings,
        store: &StoreSettings,
        desired: &Desired,
        intake: Intake,
        boot_id: &str,
        clock: Clock,
    ) -> Result<Bus, BusError> {
        connection::options(&settings)?;
        let status = StatusMessage {
            state: State::Online,
            boot_id: boot_id.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: clock.now().utc,
        };
        let shared = Arc::new(Shared {
            health: HealthBook::new(connection::address(&settings), clock.clone()),
            settings,
            store: store.clone(),
            intake,
            clock,
            status,
            link: watch::Sender::new(None),
            stop: watch::Sender::new(false),
            say_again: desired.displays().map(|d| (d.clone(), Notify::new())).collect(),
        });
        let mut presenters = JoinSet::new();
        for display in desired.displays() {
            if let Some(screen) = desired.watch(display) {
                presenters.spawn(present(shared.clone(), display.clone(), screen));
            }
        }
        Ok(Bus { poll: tokio::spawn(run(shared.clone())), presenters, shared })
    }

    /// Says that a visit began or ended. Not kept when there is no connection: a visit is an event,
    /// and an old one is worth nothing.
    pub fn visit(&self, visit: &VisitMessage) {
        let link = self.shared.link.borrow().clone();
        let sent = link.is_some_and(|link| {
            let topic = self.shared.intake.topics().visit();
            publish(&link.client, topic, false, json(visit), PublishProperties::default())
        });
        if !sent {
            self.shared.health.failed();
        }
    }

    /// How the bus is doing.
    pub fn health(&self) -> BusHealth {
        self.shared.health.snapshot(self.shared.intake.counts())
    }

    /// The same, for whoever asks while the bus itself is elsewhere.
    pub fn health_later(&self) -> impl Fn() -> BusHealth + Send + Sync + use<> {
        let shared = self.shared.clone();
        move || shared.health.snapshot(shared.intake.counts())
    }

    /// Says `offline`, disconnects and ends; at most about 2 s.
    pub async fn stop(mut self) {
        self.presenters.shutdown().await;
        let link = self.shared.link.borrow().clone();
        self.shared.stop.send_replace(true);
        if let Some(link) = link {
            let goodbye = async {
                let offline = json(&StatusMessage { state: State::Offline, ..self.shared.status.clone() });
                let topic = self.shared.intake.topics().status();
                let sent = link.client.publish(topic, QoS::AtLeastOnce, true, offline).await;
                if sent.is_ok() && link.client.disconnect().await.is_ok() {
                    let _ = (&mut self.poll).await;
                }
            };
            let _ = timeout(GOODBYE, goodbye).await;
        }
        self.poll.abort();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.poll.abort();
    }
}

fn json(message: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}

fn publish(
    client: &AsyncClient,
    topic: String,
    retain: bool,
    payload: Vec<u8>,
    p: PublishProperties,
) -> bool {
    let p = PublishProperties { payload_format_indicator: Some(1), ..p };
    client.try_publish_with_properties(topic, QoS::AtLeastOnce, retain, payload, p).is_ok()
}

/// Connects again and again until it is told to stop.
async fn run(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        let ended = run_once(&shared).await;
        shared.link.send_replace(None);
        if *stop.borrow() {
            shared.health.disconnected();
            return;
        }
        let (why, retry) = ended;
        if shared.health.lost(&why) {
            tracing::warn!(id = "broker-unreachable", reason = %why, "no connection to the broker; displays keep what they have");
        }
        if began.elapsed() > GOOD + CONNECT_LIMIT {
            pause = FIRST_PAUSE;
        }
        let wait = if retry == Retry::Slowly { SLOW_PAUSE } else { pause };
        tokio::select! {
            () = sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One connection from its first byte to its last; returns why it ended.
async fn run_once(shared: &Arc<Shared>) -> (String, Retry) {
    let offline = json(&StatusMessage { state: State::Offline, ..shared.status.clone() });
    let mut options = match connection::options(&shared.settings) {
        Ok(options) => options,
        Err(e) => return (e.to_string(), Retry::Slowly),
    };
    let will = LastWill::new(shared.intake.topics().status(), offline, QoS::AtLeastOnce, true, None);
    options.set_last_will(will);
    let (client, mut events) = AsyncClient::new(options, QUEUE);
    let mut tasks = JoinSet::new();
    let inbox = Inbox::open(shared.intake.clone(), client.clone(), &mut tasks);
    loop {
        // pings keep events coming: silence for so long means that even writing is stuck. The broker
        // may have asked for another keep-alive than ours
        let longest_silence = CONNECT_LIMIT + 3 * events.options.keep_alive();
        let event = match timeout(longest_silence, events.poll()).await {
            Ok(Ok(event)) => event,
            Ok(Err(e)) => return connection::explain(&e, &shared.settings),
            Err(_) => {
                return (format!("{} stopped reading", connection::address(&shared.settings)), Retry::Soon);
            }
        };
        match event {
            Event::Incoming(Packet::ConnAck(_)) => connected(shared, &client),
            Event::Incoming(Packet::SubAck(ack)) => {
                for (filter, code) in shared.intake.topics().subscriptions().iter().zip(&ack.return_codes) {
                    if !matches!(code, SubscribeReasonCode::Success(_)) {
                        trouble(
                            shared,
                            format!("the broker refused the subscription to {filter} ({code:?})"),
                        );
                    }
                }
            }
            Event::Incoming(Packet::PubAck(ack)) => match ack.reason {
                PubAckReason::Success | PubAckReason::NoMatchingSubscribers => shared.health.published(),
                reason => {
                    trouble(
                        shared,
                        format!("the broker refused a message of ours ({reason:?}): check its access rules"),
                    );
                    say_everything_later(shared, &mut tasks);
                }
            },
            Event::Incoming(Packet::Publish(message)) => {
                if let Some(display) = inbox.take(&message, &mut events.pending) {
                    // it may have missed what was said before it came
                    shared.say_again.get(&display).inspect(|notify| notify.notify_one());
                }
                if inbox.overrun() {
                    let broker = connection::address(&shared.settings);
                    return (format!("{broker} sends more than our receive maximum allows"), Retry::Soon);
                }
            }
            Event::Outgoing(Outgoing::Disconnect) => {
                tracing::debug!("said goodbye to the broker");
            }
            _ => {}
        }
        shared.health.in_flight(events.state.inflight());
        inbox.refuse(&mut events.pending);
    }
}

/// The broker has accepted the connection: subscribe, say that we are here, let the displays' tasks
/// say what is present.
fn connected(shared: &Arc<Shared>, client: &AsyncClient) {
    let filters = shared.intake.topics().subscriptions();
    let subscribed = client.try_subscribe_many(filters.map(|f| Filter::new(f, QoS::AtLeastOnce)));
    let status = json(&shared.status);
    let said = publish(client, shared.intake.topics().status(), true, status, PublishProperties::default());
    if subscribed.is_err() || !said {
        // the queue of a new connection is empty: this would be a fault of ours
        tracing::error!(id = "bus-no-room", "the first messages of a connection found no room");
    }
    shared.health.connected();
    tracing::info!(broker = %connection::address(&shared.settings), "connected to the broker");
    let round = shared.link.borrow().as_ref().map_or(0, |l| l.round) + 1;
    shared.link.send_replace(Some(Link { client: client.clone(), began: Instant::now(), round }));
}

fn trouble(shared: &Shared, what: String) {
    if shared.health.trouble(&what) {
        tracing::warn!(id = "bus-refused", broker = %connection::address(&shared.settings), "{what}");
    }
}

/// The broker refused a message: perhaps for a moment only, so say what is present once more.
fn say_everything_later(shared: &Arc<Shared>, tasks: &mut JoinSet<()>) {
    if tasks.len() > 1 {
        while tasks.try_join_next().is_some() {}
        if tasks.len() > 1 {
            return;
        }
    }
    let shared = shared.clone();
    tasks.spawn(async move {
        sleep(REFUSED_PAUSE).await;
        shared.link.send_if_modified(|link| link.as_mut().map(|link| link.round += 1).is_some());
    });
}

/// Follows one display's screen and says what changes.
async fn present(shared: Arc<Shared>, display: DisplayId, mut screen: watch::Receiver<Screen>) {
    let mut link = shared.link.subscribe();
    let mut presenter = Presenter::new(display.clone());
    let mut house =
        shared.settings.home_assistant.then(|| House::new(shared.intake.topics(), &shared.store, &display));
    let mut said_round: Option<(Instant, u64)> = None;
    let mut echoes: Vec<Instant> = Vec::new();
    let mut again = false;
    loop {
        let mut wait = LONGEST_SLEEP;
        let now_link = link.borrow_and_update().clone();
        let wanted = screen.borrow_and_update().clone();
        if let Some(link) = now_link {
            let new_round = said_round != Some((link.began, link.round));
            let echo = echoes.first().is_some_and(|at| *at <= Instant::now()) && presenter.is_personal();
            echoes.retain(|at| *at > Instant::now());
            let now = shared.clock.now().utc;
            let mut next = presenter.clone();
            let said = next.messages(&wanted, now, new_round || echo || again);
            if said.into_iter().all(|message| say(&shared, &link.client, &display, message)) {
                presenter = next;
                again = false;
                if new_round {
                    said_round = Some((link.began, link.round));
                    echoes = ECHOES.iter().map(|after| link.began + *after).collect();
                }
            } else {
                presenter.skip_sequences_of(&next);
                wait = QUEUE_FULL_PAUSE;
            }
            if let Some(house) = &mut house {
                let said = house.messages(&wanted, new_round);
                let fits = |(topic, payload)| {
                    publish(&link.client, topic, true, payload, PublishProperties::default())
                };
                if !said.into_iter().all(fits) {
                    house.forget();
                    wait = QUEUE_FULL_PAUSE;
                }
            }
            if let Some(at) = presenter.wakes_at() {
                let ahead = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
                wait = wait.min(ahead + Duration::from_millis(1));
            }
            if let Some(at) = echoes.first() {
                wait = wait.min(at.saturating_duration_since(Instant::now()));
            }
        }
        let asked = async {
            match shared.say_again.get(&display) {
                Some(notify) => notify.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = screen.changed() => if changed.is_err() { return },
            changed = link.changed() => if changed.is_err() { return },
            () = asked => again = true,
            () = sleep(wait) => {}
        }
    }
}

/// Puts one message into the queue; false if it is full.
fn say(shared: &Shared, client: &AsyncClient, display: &DisplayId, message: Say) -> bool {
    let topic = shared.intake.topics().slate(display);
    let (slate, sequence, seconds, retain) = match message {
        Say::Clear => return publish(client, topic, true, Vec::new(), PublishProperties::default()),
        Say::Store(slate, sequence, seconds) => (slate, sequence, seconds, true),
        Say::Personal(slate, sequence, seconds) => (slate, sequence, seconds, false),
    };
    let properties =
        PublishProperties { message_expiry_interval: Some(seconds), ..PublishProperties::default() };
    publish(client, topic, retain, json(&SlateMessage::new(&slate, sequence, &shared.store)), properties)
}
