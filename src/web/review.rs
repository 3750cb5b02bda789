//! What an administrator needs to judge recognition by: why faces were not recognised, live, and the
//! scores of the members who were.
//!
//! What always holds: why a face was not recognised is noted only while an administrator watches, only
//! in memory, for a minute: a camera, a reason and a rounded size, nothing by which it could be found
//! again. Scores are kept of members only, who agreed to be recognised.

use crate::id::{CameraId, ZoneId};
use crate::vision::Poor;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Reasons that are shown.
const MOST: usize = 40;
/// Seconds for which one is shown.
const SHOWN: i64 = 60;
/// Scores of recognitions that the distribution is drawn from.
const SCORES: usize = 1000;

/// Why a face was not recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Too few pixels.
    TooSmall,
    /// Not sharp.
    Blurred,
    /// Turned away.
    Turned,
    /// Too dark or too bright.
    BadLight,
    /// At the edge of the picture.
    Cut,
    /// Like no member: a stranger, or a member who needs to enrol again.
    BelowThreshold,
    /// Like two members at once.
    NoMargin,
    /// Recognition is switched off.
    SwitchedOff,
}

impl From<Poor> for Why {
    fn from(poor: Poor) -> Self {
        match poor {
            Poor::TooSmall => Why::TooSmall,
            Poor::Blurred => Why::Blurred,
            Poor::Turned => Why::Turned,
            Poor::BadLight => Why::BadLight,
            Poor::Cut => Why::Cut,
        }
    }
}

/// One face that was not recognised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Doubt {
    /// When.
    pub at: Timestamp,
    /// Before which camera.
    pub camera: CameraId,
    /// In which zone.
    pub zone: ZoneId,
    /// Why.
    pub why: Why,
    /// Its width in pixels, rounded to tens.
    pub width: u32,
}

/// What recognition did lately. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Review(Arc<Memory>);

#[derive(Debug)]
struct Memory {
    doubts: watch::Sender<VecDeque<Doubt>>,
    scores: Mutex<Scores>,
}

/// Scores of recognitions and what they are measured against.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    /// The cosine that a vote needs.
    pub threshold: f32,
    /// Mean cosines of the votes of recognised members, newest first.
    pub recognised: VecDeque<f32>,
}

impl Default for Review {
    fn default() -> Self {
        let doubts = watch::Sender::new(VecDeque::new());
        Self(Arc::new(Memory { doubts, scores: Mutex::default() }))
    }
}

impl Review {
    fn memory(&self) -> MutexGuard<'_, Scores> {
        self.0.scores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an administrator watches: only then may a doubt be noted.
    pub fn watched(&self) -> bool {
        self.0.doubts.receiver_count() > 0
    }

    /// Notes why a face was not recognised.
    pub fn doubt(&self, doubt: Doubt) {
        self.0.doubts.send_if_modified(|doubts| {
            if !self.watched() {
                doubts.clear();
                return false;
            }
            let now = doubt.at;
            doubts.push_front(doubt);
            doubts.retain(|d| now.duration_since(d.at).as_secs() < SHOWN);
            doubts.truncate(MOST);
            true
        });
    }

    /// Follows the doubts; they are noted until the last of these is dropped.
    pub fn watch(&self) -> watch::Receiver<VecDeque<Doubt>> {
        if !self.watched() {
            self.0.doubts.send_modify(VecDeque::clear);
        }
        self.0.doubts.subscribe()
    }

    /// Notes the score of a recognised member.
    pub fn recognised(&self, score: f32) {
        let mut scores = self.memory();
        scores.recognised.push_front(score);
        scores.recognised.truncate(SCORES);
    }

    /// Says what a vote needs.
    pub fn set_threshold(&self, threshold: f32) {
        self.memory().threshold = threshold;
    }

    /// The scores.
    pub fn scores(&self) -> Scores {
        self.memory().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(second: i64) -> Doubt {
        Doubt {
            at: Timestamp::from_second(second).unwrap(),
            camera: CameraId::new("door").unwrap(),
            zone: ZoneId::new("tea").unwrap(),
            why: Why::Blurred,
            width: 40,
        }
    }

    #[test]
    fn a_doubt_is_noted_only_while_someone_watches_and_for_a_minute() {
        let review = Review::default();
        review.doubt(doubt(1));
        let watching = review.watch();
        assert!(watching.borrow().is_empty(), "it was noted before anybody watched");
        review.doubt(doubt(10));
        review.doubt(doubt(69));
        assert_eq!(watching.borrow().len(), 2);
        review.doubt(doubt(71));
        assert_eq!(watching.borrow().len(), 2, "older than a minute");
        drop(watching);
        review.doubt(doubt(72));
        assert!(review.watch().borrow().is_empty(), "it outlived the watching");
    }

    #[test]
    fn scores_are_few_and_the_newest_come_first() {
        let review = Review::default();
        review.set_threshold(0.42);
        for n in 0..2 * SCORES {
            review.recognised(n as f32);
        }
        let scores = review.scores();
        assert_eq!((scores.threshold, scores.recognised.len()), (0.42, SCORES));
        assert_eq!(scores.recognised[0], (2 * SCORES - 1) as f32);
    }
}
