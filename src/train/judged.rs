//! What the gate found, training after training, also of models that did not go to work: kept beside
//! the models, so that an administrator sees how good suggestions have been over the years. Holds
//! figures of methods and nothing of any member.

use super::card::CardFigures;
use super::judge::Row;
use super::shelf::{Shelf, ShelfError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Trainings that are kept, the newest: more than a year of nights.
const MOST: usize = 400;
/// The file's name on the shelf: one JSON object a line, the newest last.
const FILE: &str = "judged";

/// One comparison of the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// When.
    pub at: Timestamp,
    /// Members who came back in the last days, by whom it was judged.
    pub members: usize,
    /// Whether the new model went to work.
    pub passed: bool,
    /// Every method on the same days.
    pub figures: Vec<CardFigures>,
}

impl Judged {
    /// What was found at `at`.
    pub fn new(at: Timestamp, members: usize, passed: bool, rows: &[Row]) -> Self {
        Self { at, members, passed, figures: rows.iter().map(CardFigures::of).collect() }
    }
}

impl Shelf {
    /// Every comparison that is kept, the oldest first; a line that cannot be read is left out.
    pub fn judged(&self) -> Result<Vec<Judged>, ShelfError> {
        let text = self.read_if_there(FILE)?.unwrap_or_default();
        let lines = String::from_utf8_lossy(&text);
        Ok(lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Keeps one more.
    pub fn note(&self, judged: Judged) -> Result<(), ShelfError> {
        let mut all = self.judged()?;
        all.push(judged);
        let kept = &all[all.len().saturating_sub(MOST)..];
        let line = |one: &Judged| serde_json::to_string(one).unwrap_or_default() + "\n";
        self.write(&self.folder().join(FILE), kept.iter().map(line).collect::<String>().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(second: i64) -> Judged {
        let figures = vec![CardFigures { method: "TIFUKNN".into(), recall: 0.2, ndcg: 0.25, phr: 0.5 }];
        Judged { at: Timestamp::from_second(second).unwrap(), members: 40, passed: second % 2 == 0, figures }
    }

    #[test]
    fn comparisons_are_kept_in_order_the_oldest_forgotten_and_damage_forgiven() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        assert_eq!(shelf.judged().unwrap(), []);
        for n in 0..MOST as i64 + 5 {
            shelf.note(judged(n)).unwrap();
        }
        let all = shelf.judged().unwrap();
        assert_eq!(
            (all.len(), all[0].clone(), all[MOST - 1].clone()),
            (MOST, judged(5), judged(MOST as i64 + 4))
        );
        std::fs::write(folder.path().join(FILE), b"{\"at\": half a line\n\xff\xfe\n").unwrap();
        assert_eq!(shelf.judged().unwrap(), []);
        shelf.note(judged(1)).unwrap();
        assert_eq!(shelf.judged().unwrap(), [judged(1)]);
    }
}
