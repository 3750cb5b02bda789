//! The ranker: is a trained model at work, can it be read, and how old is it.

use super::{Finding, Patient};
use crate::train::shelf::Shelf;
use jiff::SignedDuration;

/// The nights bring a better model sooner than this, where customers come.
const OLD: SignedDuration = SignedDuration::from_hours(45 * 24);
const SUBJECT: &str = "ranker";
const NOW: &str = "systemctl list-timers shopguide-train.timer; shopguide train says what comes of it now";

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let shelf = Shelf::of_store(&patient.settings.storage.folder);
    let (live, refused) = shelf.last_good();
    let mut found: Vec<Finding> = refused
        .iter()
        .map(|error| {
            Finding::warning("ranker-refused", SUBJECT, error.to_string())
                .means("the model before it ranks, or the evidence alone")
                .remedy("shopguide models rollback rank, or shopguide train --force for a new one")
        })
        .collect();
    found.extend(match live {
        Some(live) => {
            let age = patient.now.duration_since(live.card.trained);
            let says = format!(
                "model {} was trained {} days ago, from {} members until {}",
                live.id,
                age.as_hours() / 24,
                live.card.learned_from,
                live.card.learned_until.strftime("%F")
            );
            Some(if age < OLD {
                Finding::well(SUBJECT, says)
            } else {
                Finding::note("ranker-old", SUBJECT, says)
                    .means("since then no night's model was better, or no night trained one")
                    .remedy(NOW)
            })
        }
        None if refused.is_empty() => Some(
            Finding::note("ranker-none", SUBJECT, "no model was trained yet")
                .means("the evidence alone ranks, with fixed weights; a few dozen members who come back are needed")
                .remedy(NOW),
        ),
        None => None,
    });
    found
}
