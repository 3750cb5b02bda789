//! How things are, for `/metrics`: every few seconds each part is asked and its gauges are set, so that
//! a scrape itself costs no more than printing numbers. No member is in any of it.

use super::status::{AskBus, Models};
use super::stocktake;
use crate::camera::{CameraHealth, CameraState, Cameras};
use crate::clock::Clock;
use crate::ops::metrics::{CameraLabel, Gauges, Metrics, ModelLabel};
use crate::storage::Store;
use crate::storage::backup;
use crate::storage::backup::manifest::Manifest;
use crate::storage::settings::StorageSettings;
use crate::train::shelf::{Listed, Shelf};
use crate::vision::card::Card;
use crate::web::Status;
use crate::web::status::Health;
use prometheus_client::metrics::counter::Counter;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// Whom to ask.
pub struct Watcher {
    /// Where the gauges are.
    pub metrics: Metrics,
    /// The cameras.
    pub cameras: Arc<Cameras>,
    /// The database.
    pub store: Store,
    /// Where data and backups are.
    pub storage: StorageSettings,
    /// The bus, if it is on.
    pub bus: Option<AskBus>,
    /// The models at work.
    pub models: Arc<Mutex<Models>>,
    /// How everything is.
    pub status: Arc<dyn Fn() -> Status + Send + Sync>,
    /// When this run began.
    pub clock: Clock,
    /// Cameras that have gauges.
    pub known: Mutex<Vec<CameraLabel>>,
    /// The ranker last seen at work, and when it was trained.
    pub ranker: Mutex<Option<(String, i64)>>,
}

impl Watcher {
    /// Sets the gauges again and again, for as long as the runtime lives.
    pub async fn run(self) {
        self.metrics.now.started.set(self.clock.now().utc.as_second());
        let watcher = Arc::new(self);
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            let watcher = watcher.clone();
            if tokio::task::spawn_blocking(move || watcher.look()).await.is_err() {
                return;
            }
        }
    }

    fn look(&self) {
        let now = &self.metrics.now;
        let cameras = self.cameras.health();
        let labels: Vec<CameraLabel> = cameras.iter().map(|c| Metrics::camera(&c.id)).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A reload may have taken cameras away.
        known.iter().filter(|label| !labels.contains(label)).for_each(|label| now.forget(label));
        *known = labels;
        cameras.iter().for_each(|camera| set_camera(now, camera));
        now.bus_connected.set(self.bus.as_ref().map_or(0, |ask| i64::from(ask().connected_since.is_some())));
        let wrong = (self.status)().parts.iter().filter(|part| part.health != Health::Well).count();
        now.parts_not_well.set(wrong as i64);
        self.set_models();
        if let Ok(counts) = self.store.counts() {
            now.members.set(counts.members as i64);
            now.products.set(counts.products as i64);
            now.database_bytes.set(counts.bytes as i64);
            now.database_log_bytes.set(counts.log_bytes as i64);
            now.database_waiting.set(counts.waiting as i64);
        }
        if let Ok(disk) = rustix::fs::statvfs(&self.storage.folder) {
            now.disk_free_bytes.set((disk.f_bavail * disk.f_frsize) as i64);
        }
        let newest = self.storage.backup.as_ref().and_then(|b| backup::all(b).ok()?.pop());
        let made = newest.and_then(|(_, path)| Some(Manifest::read(&path).ok()?.made.as_second()));
        now.last_backup.set(made.unwrap_or(0));
        now.resident_bytes.set(resident().unwrap_or(0));
        now.open_files.set(std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as i64));
    }

    fn set_models(&self) {
        let now = &self.metrics.now;
        let models = self.models.lock().unwrap_or_else(PoisonError::into_inner).clone();
        now.models_refused.set(models.refused.len() as i64);
        now.model.clear();
        let at_work = [
            ("detector", Some(models.cards.detector.id())),
            ("refiner", models.cards.refiner.as_ref().map(Card::id)),
            ("embedder", Some(models.cards.embedder.id())),
            ("ranker", self.ranker()),
        ];
        for (task, model) in at_work {
            let Some(model) = model else { continue };
            now.model.get_or_create(&ModelLabel { task: task.to_owned(), model }).set(1);
        }
    }

    /// The ranker at work, whose age is set; its card is read only when another one goes to work.
    fn ranker(&self) -> Option<String> {
        let live = stocktake::live_model(&self.store);
        let mut known = self.ranker.lock().unwrap_or_else(PoisonError::into_inner);
        if live.as_ref() != known.as_ref().map(|(id, _)| id) {
            let trained = |listed: Listed| Some((listed.id, listed.card?.trained.as_second()));
            let all = Shelf::of_store(self.store.folder()).list().unwrap_or_default();
            *known = all.into_iter().find(|listed| listed.live).and_then(trained);
        }
        self.metrics.now.ranker_trained.set(known.as_ref().map_or(0, |(_, trained)| *trained));
        live
    }
}

fn set_camera(now: &Gauges, camera: &CameraHealth) {
    let label = Metrics::camera(&camera.id);
    now.camera_up.get_or_create(&label).set(i64::from(camera.state == CameraState::Live));
    now.camera_fps.get_or_create(&label).set(f64::from(camera.fps));
    // The camera counts for itself: its number is taken over, never added.
    let take = |counter: &Counter, number: u64| counter.inner().store(number, Ordering::Relaxed);
    take(&now.camera_arrived.get_or_create(&label), camera.counts.frames);
    take(&now.camera_dropped.get_or_create(&label), camera.counts.dropped);
    take(&now.camera_still.get_or_create(&label), camera.counts.gated);
    take(&now.camera_undecodable.get_or_create(&label), camera.counts.undecodable);
    take(&now.camera_reopened.get_or_create(&label), camera.counts.reopened);
}

/// Resident memory of this process in bytes.
fn resident() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<i64>().ok()? * 1024)
}
