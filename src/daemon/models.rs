//! The models at work: loaded at the start, and again at a reload, when the vision threads take them
//! over between two frames. Networks that are at work already are not loaded a second time: a reload costs
//! memory and time only if it brings other ones. A refused model changes nothing but the status and makes
//! one line in the log; so does a calibration that cannot be read.

use super::decide::{Embedder, Input};
use super::status;
use crate::gallery::calibration::Calibration;
use crate::vision::admission::{Admission, Admitted, Refused};
use crate::vision::card::Card;
use crate::vision::settings::VisionSettings;
use crate::vision::{Cards, Eyes, ModelError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The models that the settings ask for, or what takes the place of those that are refused.
pub fn load(settings: &VisionSettings, store: &Path) -> Result<(Eyes, Vec<Refused>), ModelError> {
    let admitted = admit(settings, store);
    Ok((Eyes::load(&admitted.settings)?, admitted.refused))
}

/// Which models may be loaded; a line in the log for each that may not.
fn admit(settings: &VisionSettings, store: &Path) -> Admitted {
    let admitted = Admission::new(store).admit(settings);
    for refused in &admitted.refused {
        let Refused { task, model, cause, .. } = refused;
        tracing::error!(id = "model-refused", %task, model, cause, remedy = refused.remedy(), "a model was refused");
    }
    admitted
}

/// What the deciding thread needs to know of the embedder: a calibration for it goes before its card.
pub fn embedder(card: &Card, calibration: Option<&Calibration>) -> Embedder {
    Embedder {
        model: card.id(),
        dimensions: card.output.dimensions,
        threshold: calibration.map_or(card.threshold.matching, |c| c.threshold),
    }
}

/// What the status says of models in use.
pub fn described(cards: Cards, refused: Vec<Refused>, calibration: Option<&Calibration>) -> status::Models {
    status::Models { cards, calibration: calibration.map(Calibration::to_string), refused }
}

/// The calibration in the store's folder, if there is one for this embedder.
pub fn calibration(embedder: &Card, store: &Path) -> Option<Calibration> {
    Calibration::load(store, &embedder.id()).unwrap_or_else(|error| {
        tracing::error!(id = "calibration-unreadable", %error, "the calibration is not used; the embedder's card says the threshold");
        None
    })
}

/// Models that a reload brought, for every vision thread to take over.
#[derive(Clone, Default)]
pub struct NewEyes(Arc<Mutex<(u64, Option<Eyes>)>>);

impl NewEyes {
    fn lock(&self) -> MutexGuard<'_, (u64, Option<Eyes>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, eyes: Eyes) {
        let mut brought = self.lock();
        *brought = (brought.0 + 1, Some(eyes));
    }

    /// Has `eyes` take over what was brought since `seen`.
    pub fn take_over(&self, eyes: &mut Eyes, seen: &mut u64) {
        let brought = self.lock();
        if brought.0 != *seen {
            *seen = brought.0;
            if let Some(new) = &brought.1 {
                eyes.adopt(new);
            }
        }
    }
}

/// Loads models anew while the appliance runs.
pub struct Models {
    store: PathBuf,
    decider: SyncSender<Input>,
    brought: NewEyes,
    shown: Arc<Mutex<status::Models>>,
    /// Those at work. Locked while a reload is under way, so that two do not meet.
    at_work: Mutex<Cards>,
}

impl Models {
    /// Starts from the eyes of these cards, which are at work; `shown` is what the status says of them.
    pub fn new(
        at_work: Cards,
        store: &Path,
        decider: SyncSender<Input>,
        brought: NewEyes,
        shown: Arc<Mutex<status::Models>>,
    ) -> Models {
        Models { store: store.to_owned(), decider, brought, shown, at_work: Mutex::new(at_work) }
    }

    /// Tries what the settings name, loads it if other models are at work, and reads the calibration. Takes
    /// seconds.
    pub fn reload(&self, settings: &VisionSettings) {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = admit(settings, &self.store);
        let found = Cards::of(&admitted.settings).and_then(|cards| {
            let other = cards != *at_work;
            Ok((cards, other.then(|| Eyes::load(&admitted.settings)).transpose()?))
        });
        let (cards, eyes) = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(id = "models-not-exchanged", %error, "the models stay as they were");
                return;
            }
        };
        let calibration = calibration(&cards.embedder, &self.store);
        let description = described(cards.clone(), admitted.refused, calibration.as_ref());
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = description;
        // Fails only while the appliance is ending.
        let _ = self.decider.send(Input::Embedder(embedder(&cards.embedder, calibration.as_ref())));
        if let Some(eyes) = eyes {
            tracing::info!(
                detector = cards.detector.id(),
                embedder = cards.embedder.id(),
                "models were exchanged"
            );
            *at_work = cards;
            self.brought.put(eyes);
        }
    }
}
