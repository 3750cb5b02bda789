//! Calibration: the least score that a match needs, chosen so that of strangers no more than a given
//! share are taken for a member (FPIR), in a gallery of a given size. Rests on scores alone: whose
//! they are is forgotten, and no face is kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// Name of the file in the store's folder.
const FILE: &str = "calibration.json";
/// Largest such file.
const LIMIT: u64 = 64 * 1024;

/// Least threshold, and the step of thresholds.
const LEAST: f32 = 0.001;

/// A member's score that is no vote at any threshold: another was nearer, or too near.
pub const NO_VOTE: f32 = -1.0;

/// What searches gave; scores are cosines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// Of members, against their own centroid, or [`NO_VOTE`].
    pub own: Vec<f32>,
    /// Of strangers, against the nearest of [`Scores::members`] centroids.
    pub strangers: Vec<f32>,
    /// Members in the galleries that were searched.
    pub members: usize,
}

/// A threshold, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Choice {
    /// Least cosine of a vote.
    pub threshold: f32,
    /// Share of members' probes that are recognised at it.
    pub found: f64,
    /// Share of strangers above it in the galleries that were searched.
    pub strangers_above: f64,
    /// Whether there are enough scores to show so small a share; otherwise the threshold is the
    /// highest stranger's.
    pub is_shown: bool,
}

impl Scores {
    /// The least threshold at which a gallery of `members` takes no more than the share `fpir` of
    /// strangers for a member. A stranger who is compared with n members at once has n chances: the
    /// share is brought from `members` to the size that was searched by `1 - (1 - fpir)^(searched /
    /// members)`. `None` without scores.
    pub fn choose(&self, fpir: f64, members: usize) -> Option<Choice> {
        if self.strangers.is_empty() || self.own.is_empty() || self.members == 0 {
            return None;
        }
        let share = 1.0 - (1.0 - fpir).powf(self.members as f64 / members.max(1) as f64);
        let mut strangers = self.strangers.clone();
        strangers.sort_by(|a, b| b.total_cmp(a));
        let allowed = (strangers.len() as f64 * share) as usize;
        let threshold = strangers.get(allowed).map_or(LEAST, |s| above(*s)).clamp(LEAST, 1.0);
        let part =
            |scores: &[f32]| scores.iter().filter(|s| **s >= threshold).count() as f64 / scores.len() as f64;
        Some(Choice {
            threshold,
            found: part(&self.own),
            strangers_above: part(&self.strangers),
            is_shown: allowed >= 1,
        })
    }
}

/// The next thousandth above a score.
fn above(score: f32) -> f32 {
    let near = (score * 1000.0).ceil() / 1000.0;
    if near > score { near } else { near + LEAST }
}

/// A threshold that the appliance uses instead of the embedder's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Name and version of the embedder whose scores these are.
    pub model: String,
    /// Least cosine of a vote, 0 to 1.
    pub threshold: f32,
    /// Share of strangers that it was chosen for.
    pub fpir: f64,
    /// Members that it was chosen for.
    pub members: usize,
    /// Strangers' scores that it rests on.
    pub scores: usize,
    /// Share of members' probes recognised at it.
    pub found: f64,
    /// Where the scores come from: `images` or `gallery`.
    pub source: String,
    /// When.
    pub made: Timestamp,
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.made.strftime("%Y-%m-%d");
        write!(f, "threshold {:.3}, calibrated on {day} for {} members", self.threshold, self.members)
    }
}

/// Why a calibration is not used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}; run `shopguide calibrate --write` again, or delete the file")]
pub struct CalibrationError {
    path: String,
    why: String,
}

impl Calibration {
    /// The calibration in the store's folder; `None` if there is none, or one for another embedder.
    ///
    /// # Errors
    /// The file cannot be read or is none.
    pub fn load(store: &Path, model: &str) -> Result<Option<Calibration>, CalibrationError> {
        let path = store.join(FILE);
        let wrong = |why: String| CalibrationError { path: path.display().to_string(), why };
        match std::fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(wrong(e.to_string())),
            Ok(meta) if meta.len() > LIMIT => return Err(wrong("it is too large for a calibration".into())),
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(&path).map_err(|e| wrong(e.to_string()))?;
        Self::parse(&text).map(|c| Some(c).filter(|c| c.model == model)).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Calibration, String> {
        let read: Calibration = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if !(read.threshold > 0.0 && read.threshold <= 1.0) {
            return Err(format!("its threshold {} is not above 0 and up to 1", read.threshold));
        }
        Ok(read)
    }

    /// Puts it where the appliance reads it: all of it or nothing.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn save(&self, store: &Path) -> std::io::Result<()> {
        let new = store.join(format!("{FILE}.new"));
        std::fs::write(&new, serde_json::to_string_pretty(self)?)?;
        std::fs::rename(new, store.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scores(own: &[f32], strangers: impl Iterator<Item = f32>, members: usize) -> Scores {
        Scores { own: own.to_vec(), strangers: strangers.collect(), members }
    }

    /// Strangers' scores 0.000, 0.001 .. 0.999.
    fn thousand() -> impl Iterator<Item = f32> {
        (0..1000).map(|n| n as f32 / 1000.0)
    }

    #[test]
    fn no_more_strangers_than_allowed_lie_at_the_threshold() {
        let choice = scores(&[0.5, 0.995, NO_VOTE, 1.0], thousand(), 10).choose(0.01, 10).unwrap();
        assert!((choice.threshold - 0.99).abs() < 2e-3, "{choice:?}");
        assert!(choice.strangers_above <= 0.01 && choice.is_shown);
        assert_eq!(choice.found, 0.5);
    }

    #[test]
    fn a_larger_gallery_asks_for_a_higher_threshold() {
        let scores = scores(&[1.0], thousand(), 10);
        let at = |members| scores.choose(0.1, members).unwrap().threshold;
        assert!(at(5) < at(10) && at(10) < at(100));
        // Ten times the members have ten times the chances.
        assert!((at(100) - 0.99).abs() < 3e-3, "{}", at(100));
    }

    #[test]
    fn too_few_scores_say_so_and_let_no_stranger_in() {
        let choice = scores(&[0.5], (0..50).map(|n| n as f32 / 100.0), 10).choose(0.001, 10).unwrap();
        assert!(!choice.is_shown);
        assert_eq!(choice.strangers_above, 0.0);
        assert_eq!(scores(&[], thousand(), 10).choose(0.1, 10), None);
        assert_eq!(Scores::default().choose(0.1, 10), None);
    }

    fn calibration() -> Calibration {
        Calibration {
            model: "m/1".into(),
            threshold: 0.5,
            fpir: 0.001,
            members: 40,
            scores: 9000,
            found: 0.9,
            source: "images".into(),
            made: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_was_written_is_read_by_the_same_embedder_only() {
        let store = tempfile::tempdir().unwrap();
        assert_eq!(Calibration::load(store.path(), "m/1").unwrap(), None);
        calibration().save(store.path()).unwrap();
        assert_eq!(Calibration::load(store.path(), "m/1").unwrap(), Some(calibration()));
        assert_eq!(Calibration::load(store.path(), "m/2").unwrap(), None);
        std::fs::write(store.path().join(FILE), "{\"threshold\": 0.1").unwrap();
        let error = Calibration::load(store.path(), "m/1").unwrap_err().to_string();
        assert!(error.contains("calibration.json") && error.contains("calibrate --write"), "{error}");
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_file_a_threshold_is_above_0_and_up_to_1(
            text in ".{0,200}", threshold in proptest::num::f32::ANY
        ) {
            let _ = Calibration::parse(&text);
            let good = serde_json::to_string(&Calibration { threshold, ..calibration() }).unwrap();
            if let Ok(read) = Calibration::parse(&good) {
                prop_assert!(read.threshold > 0.0 && read.threshold <= 1.0);
            }
        }

        #[test]
        fn a_rarer_mistake_never_asks_for_a_lower_threshold(
            strangers in proptest::collection::vec(-1f32..1.0, 1..300), fpir in 0.0001f64..0.5
        ) {
            let scores = Scores { own: vec![0.5], strangers, members: 10 };
            let (rare, often) = (scores.choose(fpir / 2.0, 10).unwrap(), scores.choose(fpir, 10).unwrap());
            prop_assert!(rare.threshold >= often.threshold);
            prop_assert!(often.strangers_above <= fpir);
        }
    }
}
