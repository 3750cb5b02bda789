//! The running appliance: threads and tasks that carry data along the path, started in the order of
//! that path and stopped in the same order, so that what was under way arrives.
//!
//! What always holds: a failed start says why and leaves nothing running; a broker or camera that is
//! missing is no failure, it is reported and comes back by itself; [`Daemon::stop`] returns within 10 s.

mod counter;
mod decide;
mod desk;
mod gauges;
mod heartbeat;
mod inbox;
mod look;
mod models;
mod pulse;
mod record;
mod retention;
mod station;
mod status;
pub mod stocktake;

use crate::broker::{Broker, BrokerError};
use crate::camera::settings::Source;
use crate::camera::{Cameras, DemoFeed, Mailbox};
use crate::clock::Clock;
use crate::id::CameraId;
use crate::ops::metrics::Metrics;
use crate::ops::settings::{ReloadPlan, Settings, reload_plan};
use crate::publish::label::{self, Labels};
use crate::publish::settings::BusSettings;
use crate::publish::wire::VisitMessage;
use crate::publish::{Bus, BusError, Desired, Intake};
use crate::storage::{StorageError, Store};
use crate::vision::{Eyes, ModelError};
use crate::web::{self, AppState, Floor, Live, LiveCamera, Review, Status};
use counter::Counter;
use decide::{Decider, Input, Out};
use desk::Desk;
use heartbeat::Heartbeat;
use inbox::Inbox;
use look::{Looker, Recognition};
use models::Models;
use pulse::Pulse;
use record::Recorder;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

/// Sightings and words that wait for the deciding thread.
const DECIDER_QUEUE: usize = 64;
/// Requests of pages and of the API that wait.
const REQUESTS: usize = 128;
/// Visits that wait for the bus.
const VISITS: usize = 64;
/// What must end by itself is given this long.
const DRAIN: Duration = Duration::from_secs(3);
/// Time for displays to be told that the last personal slates are over.
const LAST_WORDS: Duration = Duration::from_millis(150);
/// A thread that has not got anywhere for so long is stuck.
const STUCK: Duration = Duration::from_secs(15);

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A model inside the program.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The embedded broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The connection to the broker.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The cameras.
    #[error(transparent)]
    Cameras(#[from] crate::camera::StartError),
    /// The web server's address.
    #[error("the web server cannot listen on {address} ([web] listen): {source}; is another program there?")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refused a thread or a runtime.
    #[error("the system refused a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What is brought along instead of being opened from the settings.
#[derive(Default)]
pub struct Brought {
    /// A store that is open already.
    pub store: Option<Store>,
    /// Models that are loaded already.
    pub eyes: Option<Eyes>,
    /// What cameras with the source `demo` show.
    pub feeds: HashMap<CameraId, DemoFeed>,
}

/// The running appliance.
pub struct Daemon {
    settings: Arc<Mutex<Settings>>,
    clock: Clock,
    store: Store,
    metrics: Metrics,
    cameras: Arc<Cameras>,
    mailbox: Mailbox,
    decider: SyncSender<Input>,
    recognition: Recognition,
    models: Arc<Models>,
    status: Arc<dyn Fn() -> Status + Send + Sync>,
    hearts: Vec<Heartbeat>,
    looking: Vec<JoinHandle<()>>,
    deciding: JoinHandle<()>,
    recording: JoinHandle<()>,
    stopping: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
    publishing: Option<tokio::task::JoinHandle<()>>,
    broker: Option<Broker>,
    web: SocketAddr,
    runtime: Runtime,
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

impl Daemon {
    /// Starts everything that `settings` ask for.
    ///
    /// # Errors
    /// The database cannot be used, a port is taken, or the system refuses threads. A model that the
    /// settings name but that is refused is no error: the last good one or the one inside the program
    /// is used, and the status says so.
    pub fn start(settings: Settings, clock: Clock, brought: Brought) -> Result<Daemon, StartError> {
        let (metrics, began) = (Metrics::default(), clock.now());
        let boot = boot_id(&clock);
        let store = match brought.store {
            Some(store) => store,
            None => Store::open(&settings.storage)?,
        };
        let (eyes, refused_models) = match brought.eyes {
            Some(eyes) => (eyes, Vec::new()),
            None => models::load(&settings.vision, store.folder())?,
        };
        let cards = eyes.cards();
        let calibration = models::calibration(&cards.embedder, store.folder());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("tokio")
            .enable_all()
            .build()?;
        let entered = runtime.enter();

        // outwards first: what displays should show, and who carries it
        let desired = Desired::new(settings.screens().map(|d| d.id));
        let (intake, deliveries) =
            Intake::new(&settings.store.id, settings.screens().map(|d| d.id), clock.clone());
        let broker = match &settings.broker {
            Some(broker) => Some(runtime.block_on(Broker::start(broker, Some(intake.clone())))?),
            None => None,
        };
        let bus = match bus_settings(&settings, broker.as_ref()) {
            Some(bus) => Some(Bus::start(bus, &settings.store, &desired, intake, &boot, clock.clone())?),
            None => None,
        };
        let address = settings.web.listen;
        let listen = |source| StartError::Listen { address, source };
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).map_err(listen)?;
        let web = listener.local_addr().map_err(listen)?;

        // the ports are ours, so no other daemon works on this store
        let ended = store.end_open_visits()?;
        if ended > 0 {
            tracing::info!(visits = ended, "visits that a sudden end left open were closed");
        }

        // then the path, from its end to its beginning
        let (live, floor, review) = (live_view(&settings), Floor::default(), Review::default());
        let (recorder, records) = Recorder::new(metrics.clone());
        let (visits, visits_out) = mpsc::channel(VISITS);
        let now = clock.now();
        let heart = |name: &str| Heartbeat::new(name, now);
        let mut hearts = Vec::new();
        let recording = {
            let store = store.clone();
            spawn("record", move || record::run(&records, &store))?
        };
        let (decider, inputs) = sync_channel(DECIDER_QUEUE);
        let deciding = {
            let embedder = models::embedder(&cards.embedder, calibration.as_ref());
            let (settled, metrics) = (eyes.settled(), metrics.clone());
            let (stocktake, asked) = stocktake::Asks::new();
            let (desired, live) = (desired.clone(), live.clone());
            let (floor, review) = (floor.clone(), review.clone());
            let out = Out { desired, recorder, visits, settled, stocktake, live, floor, review, metrics };
            let (shelves, time, decider) = (store.clone(), clock.clone(), decider.clone());
            spawn("stocktake", move || stocktake::run(&asked, &shelves, &time, &decider))?;
            let decider = Decider::new(clock.clone(), store.clone(), &settings, embedder, &boot, out);
            let heart = heart("decide");
            hearts.push(heart.clone());
            spawn("decide", move || decider.run(&inputs, &heart))?
        };
        let recognition = Recognition::new(settings.recognition.enabled);
        let mailbox = Mailbox::new();
        let cameras =
            Arc::new(Cameras::start(&settings.cameras, clock.clone(), mailbox.clone(), brought.feeds)?);
        let in_use = models::described(cards.clone(), refused_models, calibration.as_ref());
        let in_use = Arc::new(Mutex::new(in_use));
        let new_eyes = models::NewEyes::default();
        let models = Models::new(cards, store.folder(), decider.clone(), new_eyes.clone(), in_use.clone());
        let desk = Desk::new(
            settings.kiosks.clone(),
            eyes.another(),
            desk::Means {
                store: store.clone(),
                clock: clock.clone(),
                decider: decider.clone(),
                cameras: cameras.clone(),
                desired: desired.clone(),
                new_eyes: new_eyes.clone(),
                threshold: settings.recognition.threshold,
                shop: settings.store.clone(),
            },
        );
        let desk = Arc::new(desk);
        let mut looking = Vec::new();
        let more: Vec<Eyes> = (1..settings.vision.threads).map(|_| eyes.another()).collect();
        for (n, eyes) in std::iter::once(eyes).chain(more).enumerate() {
            let name = format!("vision-{n}");
            let looker = Looker {
                eyes,
                new_eyes: new_eyes.clone(),
                frames: mailbox.receiver(),
                attention: cameras.attention(),
                sightings: decider.clone(),
                recognition: recognition.clone(),
                live: live.clone(),
                metrics: metrics.clone(),
                clock: clock.clone(),
            };
            let heart = heart(&name);
            hearts.push(heart.clone());
            looking.push(spawn(&name, move || looker.run(&heart))?);
        }

        let titled = |d: &crate::display::DisplaySettings| Some((d.id.clone(), d.title.clone()?));
        let means = label::Means {
            desired: desired.clone(),
            store: settings.store.clone(),
            titles: settings.displays.iter().filter_map(titled).collect(),
            fonts: settings.fonts.clone(),
            notes: store.folder().join("labels"),
        };
        let labels = Arc::new(Labels::start(&settings.labels, means)?);

        // and who asks and answers
        let pulse = Pulse { store: heart("store"), cameras: heart("cameras"), network: heart("network") };
        hearts.extend([pulse.store.clone(), pulse.cameras.clone(), pulse.network.clone()]);
        runtime.spawn(pulse.run(store.clone(), cameras.clone(), clock.clone()));
        let (stopping, stop) = watch::channel(false);
        let settings = Arc::new(Mutex::new(settings));
        let (bus_health, publishing) = publish(bus, visits_out, stop.clone());
        let asked_bus = bus_health.clone();
        let status = status::report(status::Parts {
            clock: clock.clone(),
            started: now.utc,
            settings: settings.clone(),
            cameras: cameras.clone(),
            store: store.clone(),
            bus: bus_health,
            labels,
            models: in_use.clone(),
            hearts: hearts.clone(),
        });
        let watcher = gauges::Watcher {
            metrics: metrics.clone(),
            cameras: cameras.clone(),
            store: store.clone(),
            storage: settings.lock().unwrap_or_else(|e| e.into_inner()).storage.clone(),
            bus: asked_bus,
            models: in_use.clone(),
            status: status.clone(),
            clock: clock.clone(),
            known: Mutex::default(),
            ranker: Mutex::default(),
        };
        runtime.spawn(watcher.run());
        let (requests, requested) = mpsc::channel(REQUESTS);
        let staff = Counter {
            store: store.clone(),
            clock: clock.clone(),
            shop: settings.lock().unwrap_or_else(|e| e.into_inner()).store.clone(),
            models: in_use.clone(),
        };
        let inbox = Inbox {
            store: store.clone(),
            counter: Arc::new(staff),
            decider: decider.clone(),
            cameras: cameras.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            desk: desk.clone(),
        };
        runtime.spawn(tidy(desk));
        runtime.spawn(inbox.run(requested, deliveries));
        let keep_days = settings.lock().unwrap_or_else(|e| e.into_inner()).storage.keep_days;
        runtime.spawn(retention::run(store.clone(), clock.clone(), keep_days));
        let serving = {
            let known = settings.lock().unwrap_or_else(|e| e.into_inner()).clone();
            let state = AppState {
                web: known.web,
                store: known.store,
                displays: known.displays,
                kiosks: known.kiosks,
                areas: known.areas,
                watched: known
                    .cameras
                    .iter()
                    .filter(|c| c.source != Source::Browser)
                    .map(|c| c.zone.clone())
                    .collect(),
                keep_days: known.storage.keep_days,
                desired,
                floor,
                review,
                live,
                clock: clock.clone(),
                status: status.clone(),
                metrics: metrics.registry(),
                requests,
            };
            runtime.spawn(async move {
                if let Err(error) = web::serve(listener, state, stop).await {
                    tracing::error!(id = "web-server-ended", %error, "the web server ended; restart the service");
                }
            })
        };
        drop(entered);
        let ms = clock.now().since(began).as_millis() as u64;
        tracing::info!(%web, ms, "ready");
        Ok(Daemon {
            settings,
            clock,
            store,
            metrics,
            cameras,
            mailbox,
            decider,
            recognition,
            models: Arc::new(models),
            status,
            hearts,
            looking,
            deciding,
            recording,
            stopping,
            serving,
            publishing,
            broker,
            web,
            runtime,
        })
    }

    /// Where the pages are.
    pub fn web(&self) -> SocketAddr {
        self.web
    }

    /// Where the embedded broker listens, if there is one.
    pub fn broker(&self) -> Option<SocketAddr> {
        self.broker.as_ref().map(Broker::address)
    }

    /// The counters.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How everything is.
    pub fn status(&self) -> Status {
        (self.status)()
    }

    /// How it goes, in the one line that `systemctl status` shows.
    pub fn in_a_line(&self) -> String {
        status::in_a_line(&self.status(), &self.metrics, self.web)
    }

    /// The name of a thread that has not got anywhere for 15 s, if there is one.
    pub fn stuck(&self) -> Option<&str> {
        let now = self.clock.now();
        self.hearts.iter().find(|h| h.silent_for(now) > STUCK).map(Heartbeat::name)
    }

    /// Applies what can be applied of new settings; what cannot stays as it is until a restart.
    pub fn reload(&self, new: &Settings) -> ReloadPlan {
        let plan = {
            let mut settings = self.settings.lock().unwrap_or_else(|e| e.into_inner());
            let plan = reload_plan(&settings, new);
            *settings = plan.settings.clone();
            plan
        };
        self.recognition.set(plan.settings.recognition.enabled);
        if let Err(error) = self.cameras.replace(&plan.settings.cameras) {
            tracing::error!(id = "reload-failed", %error, "the cameras stay as they were");
        }
        if let Some(Err(error)) = self.broker.as_ref().map(Broker::reload) {
            tracing::error!(id = "reload-failed", %error, "the broker's users stay as they were");
        }
        // Fails only while the daemon is ending.
        let _ = self.decider.send(Input::Reload(Box::new(plan.settings.clone())));
        let (models, vision) = (self.models.clone(), plan.settings.vision.clone());
        if let Err(error) = spawn("models", move || models.reload(&vision)) {
            tracing::error!(id = "models-not-exchanged", %error, "the models stay as they were");
        }
        plan
    }

    /// Ends everything in the order of the path: no more frames, the last decisions, the goodbye on
    /// the bus, the last records.
    pub fn stop(self) {
        self.cameras.stop();
        self.mailbox.close();
        for thread in self.looking {
            end(thread, "vision");
        }
        // Fails only if the thread has ended already.
        let _ = self.decider.send(Input::End);
        end(self.deciding, "decide");
        self.runtime.block_on(async {
            tokio::time::sleep(LAST_WORDS).await;
            self.stopping.send_replace(true);
            let _ = tokio::time::timeout(DRAIN, self.serving).await;
            if let Some(publishing) = self.publishing {
                let _ = tokio::time::timeout(DRAIN, publishing).await;
            }
            if let Some(broker) = self.broker {
                let _ = tokio::time::timeout(DRAIN, broker.stop()).await;
            }
        });
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        end(self.recording, "record");
    }
}

fn end(thread: JoinHandle<()>, name: &str) {
    if thread.join().is_err() {
        tracing::error!(id = "thread-failed", thread = name, "a thread had failed");
    }
}

/// Eight characters that tell this run of the daemon from others.
fn boot_id(clock: &Clock) -> String {
    let random: u32 = rand::random();
    format!("{:08x}", random ^ clock.now().utc.as_millisecond() as u32)
}

/// The bus's settings, with the daemon's own login where the broker is the embedded one.
fn bus_settings(settings: &Settings, broker: Option<&Broker>) -> Option<BusSettings> {
    let mut bus = settings.bus.clone()?;
    if let Some(broker) = broker
        && bus.user.is_none()
        && bus.port == broker.address().port()
        && let Some((user, password)) = broker.own_login()
    {
        (bus.user, bus.password) = (Some(user), Some(password));
    }
    Some(bus)
}

fn live_view(settings: &Settings) -> Live {
    let camera =
        |c: &crate::camera::settings::CameraSettings| LiveCamera { id: c.id.clone(), zone: c.zone.clone() };
    let cameras = settings.cameras.iter().map(camera);
    if settings.web.live_view { Live::of(cameras) } else { Live::pictures_only(cameras) }
}

/// Ends kiosk sessions that nobody touches.
async fn tidy(desk: Arc<Desk>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        let desk = desk.clone();
        if tokio::task::spawn_blocking(move || desk.tidy()).await.is_err() {
            return;
        }
    }
}

/// Keeps the bus: says visits as they come, and goodbye at the end.
fn publish(
    bus: Option<Bus>,
    mut visits: mpsc::Receiver<VisitMessage>,
    mut stop: watch::Receiver<bool>,
) -> (Option<status::AskBus>, Option<tokio::task::JoinHandle<()>>) {
    let Some(bus) = bus else { return (None, None) };
    let health = bus.health_later();
    let task = tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                Some(visit) = visits.recv() => bus.visit(&visit),
                _ = stop.changed() => break,
            }
        }
        bus.stop().await;
    });
    (Some(Arc::new(health)), Some(task))
}
