//! The one table of metrics: names, units and meaning. No member, name or face is ever in a label.

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Duration;

/// The label of everything counted per camera.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CameraLabel {
    /// The camera's id.
    pub camera: String,
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
    /// Seconds that vision took for a frame.
    pub look: Histogram,
    /// Seconds from a frame's capture to the decision that a member came.
    pub decision: Histogram,
    /// Seconds from a frame's capture to the display's word that it shows the slate.
    pub shown: Histogram,
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
        let mut histogram = |name: &str, help: &str| {
            let histogram = seconds();
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
            histogram
        };
        let look = histogram("vision", "Time that vision took for a frame");
        let decision =
            histogram("capture_to_decision", "From a frame's capture to the decision that a member came");
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
            look,
            decision,
            shown,
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
