//! What the configuration says of recognition and presence, already checked.

use std::time::Duration;

/// `[recognition]`.
#[derive(Debug, Clone, PartialEq)]
pub struct RecognitionSettings {
    /// The kill switch: when false no face is embedded or matched (default true).
    pub enabled: bool,
    /// Cosine that a vote needs; `None` takes the embedder card's.
    pub threshold: Option<f32>,
    /// How far the best member must be ahead of the second (default 0.05).
    pub margin: f32,
    /// Votes over one track that decide an identity (default 3).
    pub votes: u32,
    /// Share of the track's votes that must name the same member (default 0.7).
    pub agreement: f32,
    /// A visit's silence that ends it (default 4 s).
    pub leave_after: Duration,
    /// Presence that counts as a dwell (default 3 s).
    pub dwell_after: Duration,
}

impl Default for RecognitionSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            threshold: None,
            margin: 0.05,
            votes: 3,
            agreement: 0.7,
            leave_after: Duration::from_secs(4),
            dwell_after: Duration::from_secs(3),
        }
    }
}
