//! What the configuration says of vision, already checked.

use std::path::PathBuf;
use std::time::Duration;

/// `[vision]`.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionSettings {
    /// Card of the detector; `None` uses the one inside the program.
    pub detector: Option<PathBuf>,
    /// Card of the refiner; `None` uses the one inside the program beside the detector inside the
    /// program, and none beside a detector of one's own.
    pub refiner: Option<PathBuf>,
    /// Card of the embedder; `None` uses the one inside the program.
    pub embedder: Option<PathBuf>,
    /// Threads that look at frames (1 or 2; default 1).
    pub threads: usize,
    /// Smallest face, width in pixels of the frame, that is embedded (default 48).
    pub min_face: f32,
    /// Least quality 0..1 that is embedded (default 0.35).
    pub min_quality: f32,
    /// A track with no detection for this long has ended (default 1 s).
    pub track_timeout: Duration,
    /// Detector score threshold; `None` takes the card's.
    pub detector_threshold: Option<f32>,
}

impl VisionSettings {
    /// Whether a refiner looks at what the detector proposes: the one inside the program knows nothing of
    /// a detector from outside.
    pub fn refines(&self) -> bool {
        self.refiner.is_some() || self.detector.is_none()
    }
}

impl Default for VisionSettings {
    fn default() -> Self {
        Self {
            detector: None,
            refiner: None,
            embedder: None,
            threads: 1,
            min_face: 48.0,
            min_quality: 0.35,
            track_timeout: Duration::from_secs(1),
            detector_threshold: None,
        }
    }
}
