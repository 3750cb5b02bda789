//! The one table of metrics: names, units and meaning. No member, name or face is ever in a label.

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The label of everything counted per camera.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CameraLabel {
    /// The camera's id.
    pub camera: String,
}

/// The label of a model at work.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModelLabel {
    /// What for: `detector`, `refiner`, `embedder`, `ranker`.
    pub task: String,
    /// Name and version.
    pub model: String,
}

/// The label of the program itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

/// A number that goes up and down, and is no whole one.
pub type Level = Gauge<f64, AtomicU64>;

/// How things are now, as they were last looked at.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// 1 while a camera shows pictures, 0 otherwise.
    pub camera_up: Family<CameraLabel, Gauge>,
    /// Frames a second that arrive from a camera.
    pub camera_fps: Family<CameraLabel, Level>,
    /// Frames that arrived, since the camera was opened by this run.
    pub camera_arrived: Family<CameraLabel, Counter>,
    /// Frames that a newer one replaced before vision took them.
    pub camera_dropped: Family<CameraLabel, Counter>,
    /// Frames that showed no change.
    pub camera_still: Family<CameraLabel, Counter>,
    /// Frames that were no pictures.
    pub camera_undecodable: Family<CameraLabel, Counter>,
    /// Times that a camera was opened anew.
    pub camera_reopened: Family<CameraLabel, Counter>,
    /// 1 while connected to the broker, 0 otherwise.
    pub bus_connected: Gauge,
    /// Parts that are not well.
    pub parts_not_well: Gauge,
    /// 1 for each model at work.
    pub model: Family<ModelLabel, Gauge>,
    /// Models that were refused.
    pub models_refused: Gauge,
    /// When the ranker at work was trained, Unix time; 0 without one.
    pub ranker_trained: Gauge,
    /// Members enrolled.
    pub members: Gauge,
    /// Products known.
    pub products: Gauge,
    /// Size of the database.
    pub database_bytes: Gauge,
    /// Size of its write-ahead log.
    pub database_log_bytes: Gauge,
    /// Changes that wait for the database's writer.
    pub database_waiting: Gauge,
    /// Room on the disk of the data.
    pub disk_free_bytes: Gauge,
    /// When the newest backup was made, Unix time; 0 without one.
    pub last_backup: Gauge,
    /// Memory of this process.
    pub resident_bytes: Gauge,
    /// Files and connections that this process holds open.
    pub open_files: Gauge,
    /// When this process started, Unix time.
    pub started: Gauge,
}

impl Gauges {
    /// Takes out a camera that is no more.
    pub fn forget(&self, camera: &CameraLabel) {
        self.camera_up.remove(camera);
        self.camera_fps.remove(camera);
        let counters = [
            &self.camera_arrived,
            &self.camera_dropped,
            &self.camera_still,
            &self.camera_undecodable,
            &self.camera_reopened,
        ];
        counters.into_iter().for_each(|counter| {
            counter.remove(camera);
        });
    }

    fn register(&self, registry: &mut Registry) {
        let g = self;
        registry.register("camera_up", "1 while the camera shows pictures", g.camera_up.clone());
        registry.register("camera_frames_per_second", "Frames a second that arrive", g.camera_fps.clone());
        registry.register("camera_frames_arrived", "Frames that arrived", g.camera_arrived.clone());
        let text = "Frames that a newer one replaced before vision took them";
        registry.register("camera_frames_dropped", text, g.camera_dropped.clone());
        registry.register("camera_frames_still", "Frames that showed no change", g.camera_still.clone());
        registry.register(
            "camera_frames_undecodable",
            "Frames that were no pictures",
            g.camera_undecodable.clone(),
        );
        registry.register("camera_reopened", "Times the camera was opened anew", g.camera_reopened.clone());
        registry.register("bus_connected", "1 while connected to the broker", g.bus_connected.clone());
        registry.register("parts_not_well", "Parts that are not well", g.parts_not_well.clone());
        registry.register("model", "1 for each model at work", g.model.clone());
        registry.register("models_refused", "Models that were refused", g.models_refused.clone());
        registry.register("members", "Members enrolled", g.members.clone());
        registry.register("products", "Products known", g.products.clone());
        let bytes = |registry: &mut Registry, name: &str, help: &str, gauge: &Gauge| {
            registry.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        };
        bytes(registry, "database", "Size of the database", &g.database_bytes);
        bytes(registry, "database_log", "Size of its write-ahead log", &g.database_log_bytes);
        bytes(registry, "disk_free", "Room on the disk of the data", &g.disk_free_bytes);
        bytes(registry, "resident_memory", "Memory of this process", &g.resident_bytes);
        let text = "Changes that wait for the database's writer";
        registry.register("database_changes_waiting", text, g.database_waiting.clone());
        registry.register("open_files", "Files and connections held open", g.open_files.clone());
        let seconds = |registry: &mut Registry, name: &str, help: &str, gauge: &Gauge| {
            registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
        };
        let text = "When the newest backup was made, Unix time; 0 without one";
        seconds(registry, "last_backup_timestamp", text, &g.last_backup);
        let text = "When the ranker at work was trained, Unix time; 0 without one";
        seconds(registry, "ranker_trained_timestamp", text, &g.ranker_trained);
        seconds(registry, "start_timestamp", "When this process started, Unix time", &g.started);
    }
}

/// All counters and histograms; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Frames that vision looked at.
    pub frames: Family<CameraLabel, Counter>,
    /// Faces detected, members or not.
    pub faces: Counter,
    /// Faces good enough to be embedded.
    pub embeddings: Counter,
    /// Searches of the gallery.
    pub searches: Counter,
    /// Visits of members that began.
    pub visits: Counter,
    /// Members present now.
    pub present: Gauge,
    /// Slates made, store-level and personal.
    pub slates: Counter,
    /// Slates that a display confirmed it showed.
    pub impressions: Counter,
    /// Sightings that the deciding thread had no room for.
    pub dropped_sightings: Counter,
    /// Records that the recording thread had no room for.
    pub dropped_records: Counter,
    /// Receipts counted.
    pub receipts: Counter,
    /// How things are now.
    pub now: Gauges,
    /// Seconds that vision took for a frame.
    pub look: Histogram,
    /// Seconds from a frame's capture to the decision that a member came.
    pub decision: Histogram,
    /// Seconds that making one personal slate took.
    pub making: Histogram,
    /// Seconds from a frame's capture to the display's word that it shows the slate.
    pub shown: Histogram,
    /// Seconds that receipts waited for their commit.
    pub commit: Histogram,
    registry: Arc<Registry>,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 14))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("shopguide");
        let frames = Family::<CameraLabel, Counter>::default();
        registry.register("frames", "Frames that vision looked at", frames.clone());
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let faces = counter("faces", "Faces detected, members or not");
        let embeddings = counter("embeddings", "Faces good enough to be embedded");
        let searches = counter("searches", "Searches of the gallery");
        let visits = counter("visits", "Visits of members that began");
        let slates = counter("slates", "Slates made, store-level and personal");
        let impressions = counter("impressions", "Slates that a display confirmed it showed");
        let dropped_sightings = counter("dropped_sightings", "Sightings the deciding thread had no room for");
        let dropped_records = counter("dropped_records", "Records the recording thread had no room for");
        let receipts = counter("receipts", "Receipts counted");
        let present = Gauge::default();
        registry.register("members_present", "Members present now", present.clone());
        let now = Gauges::default();
        now.register(&mut registry);
        let build = Family::<VersionLabel, Gauge>::default();
        build.get_or_create(&VersionLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        // A gauge and not OpenMetrics' `info`, which parsers of the classic text refuse.
        registry.register("build_info", "The program's version", build);
        let mut histogram = |name: &str, help: &str| {
            let histogram = seconds();
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
            histogram
        };
        let look = histogram("vision", "Time that vision took for a frame");
        let decision =
            histogram("capture_to_decision", "From a frame's capture to the decision that a member came");
        let making = histogram("slate", "Time that making a personal slate took");
        let commit = histogram("commit", "Time that receipts waited for their commit");
        let shown = histogram("capture_to_shown", "From a frame's capture to the display's confirmation");
        Self {
            frames,
            faces,
            embeddings,
            searches,
            visits,
            present,
            slates,
            impressions,
            dropped_sightings,
            dropped_records,
            receipts,
            now,
            look,
            decision,
            making,
            shown,
            commit,
            registry: Arc::new(registry),
        }
    }
}

impl Metrics {
    /// The label for a camera.
    pub fn camera(camera: &crate::id::CameraId) -> CameraLabel {
        CameraLabel { camera: camera.to_string() }
    }

    /// Frames of one camera that vision looked at.
    pub fn frames_of(&self, camera: &str) -> u64 {
        self.frames.get_or_create(&CameraLabel { camera: camera.to_owned() }).get()
    }

    /// Observes a duration.
    pub fn observe(histogram: &Histogram, took: Duration) {
        histogram.observe(took.as_secs_f64());
    }

    /// Everything registered, for whoever prints it.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.clone()
    }

    /// The exposition text that Prometheus scrapes.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposition_names_what_was_counted() {
        let metrics = Metrics::default();
        metrics.frames.get_or_create(&CameraLabel { camera: "door".into() }).inc();
        Metrics::observe(&metrics.look, Duration::from_millis(9));
        let text = metrics.text();
        assert!(text.contains("shopguide_frames_total{camera=\"door\"} 1"), "{text}");
        assert!(text.contains("shopguide_vision_seconds_count 1"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
