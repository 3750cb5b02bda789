//! How everything is, gathered from every part when somebody asks. Holds nothing about any person.

use super::STUCK;
use super::heartbeat::Heartbeat;
use crate::camera::{CameraHealth, CameraState, Cameras};
use crate::clock::Clock;
use crate::ops::metrics::Metrics;
use crate::ops::settings::Settings;
use crate::publish::BusHealth;
use crate::publish::label::{LabelHealth, Labels};
use crate::storage::Store;
use crate::vision::Cards;
use crate::vision::admission::Refused;
use crate::web::Status;
use crate::web::status::{Health, Part, PartKind};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// Asks the bus how it is.
pub type AskBus = Arc<dyn Fn() -> BusHealth + Send + Sync>;

/// The models in use.
#[derive(Debug, Clone)]
pub struct Models {
    /// The cards of those at work.
    pub cards: Cards,
    /// What set the threshold, if not the embedder's card.
    pub calibration: Option<String>,
    /// Models that the settings name and that were refused.
    pub refused: Vec<Refused>,
}

/// Whom to ask.
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// When the daemon started.
    pub started: Timestamp,
    /// What it was told.
    pub settings: Arc<Mutex<Settings>>,
    /// The cameras.
    pub cameras: Arc<Cameras>,
    /// The database.
    pub store: Store,
    /// The bus, if it is on.
    pub bus: Option<AskBus>,
    /// The shelf labels.
    pub labels: Arc<Labels>,
    /// The models.
    pub models: Arc<Mutex<Models>>,
    /// Threads that must make progress.
    pub hearts: Vec<Heartbeat>,
}

/// The report, made anew at each call.
pub fn report(parts: Parts) -> Arc<dyn Fn() -> Status + Send + Sync> {
    Arc::new(move || {
        let mut all = vec![recognition(&parts)];
        let cameras = parts.cameras.health();
        all.extend(cameras.iter().map(camera));
        all.extend(models(&parts.models.lock().unwrap_or_else(|e| e.into_inner())));
        all.push(store(&parts.store));
        all.extend(parts.bus.as_ref().map(|ask| bus(&ask())));
        all.extend(parts.labels.health().iter().map(labels));
        Status::of(env!("CARGO_PKG_VERSION"), parts.started, all)
    })
}

/// The report in one line, for whoever has no room for more.
pub fn in_a_line(status: &Status, metrics: &Metrics, web: SocketAddr) -> String {
    let cameras: Vec<&Part> = status.parts.iter().filter(|p| p.kind == PartKind::Camera).collect();
    let live = cameras.iter().filter(|p| p.health == Health::Well).count();
    let mut line = format!(
        "{live} of {} cameras, {} members present, {} slates shown, {} receipts; http://{web}",
        cameras.len(),
        metrics.present.get(),
        metrics.impressions.get(),
        metrics.receipts.get(),
    );
    let wrong = status.parts.iter().filter(|p| p.health != Health::Well);
    let wrong: Vec<String> = wrong.map(|p| format!("{:?} {}", p.kind, p.name).to_lowercase()).collect();
    if !wrong.is_empty() {
        line = format!("NOT WELL: {} (shopguide doctor); {line}", wrong.join(", "));
    }
    line
}

fn part(kind: PartKind, name: &str, health: Health, says: String, remedy: Option<String>) -> Part {
    Part { kind, name: name.to_owned(), health, says, remedy }
}

fn recognition(parts: &Parts) -> Part {
    let now = parts.clock.now();
    let on = parts.settings.lock().unwrap_or_else(|e| e.into_inner()).recognition.enabled;
    let stuck = parts.hearts.iter().find(|h| h.silent_for(now) > STUCK);
    let (health, says, remedy) = match (stuck, on) {
        (Some(heart), _) => (
            Health::Failed,
            format!("the thread {} has not moved for {} s", heart.name(), heart.silent_for(now).as_secs()),
            Some("restart the service; if it happens again, report it with the log".to_owned()),
        ),
        (None, false) => (Health::Limited, "turned off ([recognition] enabled = false)".to_owned(), None),
        (None, true) => (Health::Well, "on".to_owned(), None),
    };
    part(PartKind::Recognition, "recognition", health, says, remedy)
}

fn camera(camera: &CameraHealth) -> Part {
    let (health, says) = match camera.state {
        CameraState::Live => (Health::Well, format!("{:.1} frames a second", camera.fps)),
        CameraState::Starting => (Health::Limited, "being opened".to_owned()),
        CameraState::Ended => (Health::Limited, "has come to its end".to_owned()),
        state => {
            let error = camera.error.as_deref().map_or_else(String::new, |e| format!(": {e}"));
            (Health::Failed, format!("{}{error}", state.as_str()))
        }
    };
    part(PartKind::Camera, camera.id.as_str(), health, says, camera.state.advice().map(str::to_owned))
}

fn models(models: &Models) -> Vec<Part> {
    let own = |name: &str, says: String| part(PartKind::Model, name, Health::Well, says, None);
    let refused = |refused: &Refused| {
        part(PartKind::Model, "refused", Health::Limited, refused.to_string(), Some(refused.remedy()))
    };
    let Cards { detector, refiner, embedder } = &models.cards;
    let mut parts = vec![own("detector", detector.id())];
    parts.extend(refiner.as_ref().map(|card| own("refiner", card.id())));
    let calibration = models.calibration.as_ref().map_or_else(String::new, |c| format!("; {c}"));
    parts.push(own("embedder", format!("{}{calibration}", embedder.id())));
    parts.extend(models.refused.iter().map(refused));
    parts
}

fn store(store: &Store) -> Part {
    let (health, says, remedy) = match store.counts() {
        Ok(c) => (
            Health::Well,
            format!(
                "{} products, {} members, {} receipts, {} MiB",
                c.products,
                c.members,
                c.receipts,
                (c.bytes + c.log_bytes) / (1024 * 1024)
            ),
            None,
        ),
        Err(error) => (Health::Failed, error.to_string(), Some("run `shopguide check`".to_owned())),
    };
    part(PartKind::Store, "store", health, says, remedy)
}

fn bus(bus: &BusHealth) -> Part {
    let (health, says, remedy) = match (bus.connected_since, &bus.last_error) {
        (Some(_), _) => (Health::Well, format!("connected to {}", bus.broker), None),
        (None, error) => (
            Health::Failed,
            format!(
                "not connected to {}{}",
                bus.broker,
                error.as_ref().map_or_else(String::new, |e| format!(": {e}"))
            ),
            Some("see that the broker runs and lets the daemon in; it is tried again by itself".to_owned()),
        ),
    };
    part(PartKind::Bus, "mqtt", health, says, remedy)
}

fn labels(at: &LabelHealth) -> Part {
    let says = format!("{} of {} labels show what they should", at.current, at.labels);
    let (health, says, remedy) = match &at.error {
        None => (Health::Well, says, None),
        Some(error) => (
            Health::Limited,
            format!("{says}: {error}"),
            Some("config/TROUBLESHOOTING.md, Shelf labels; it is tried again by itself".to_owned()),
        ),
    };
    part(PartKind::Label, &at.access_point, health, says, remedy)
}
