//! The models at work: loaded at the start, and again at a reload, when the vision threads take them
//! over between two frames. A refused model changes nothing but the status and makes one line in the
//! log; so does a calibration that cannot be read.

use super::decide::{Embedder, Input};
use super::status;
use crate::gallery::calibration::Calibration;
use crate::vision::admission::{Admission, Refused};
use crate::vision::settings::VisionSettings;
use crate::vision::{Eyes, ModelError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The models that the settings ask for, or what takes the place of those that are refused.
pub fn load(settings: &VisionSettings, store: &Path) -> Result<(Eyes, Vec<Refused>), ModelError> {
    let admitted = Admission::new(store).admit(settings);
    for refused in &admitted.refused {
        let Refused { task, model, cause, .. } = refused;
        tracing::error!(id = "model-refused", %task, model, cause, remedy = refused.remedy(), "a model was refused");
    }
    Ok((Eyes::load(&admitted.settings)?, admitted.refused))
}

/// What the deciding thread needs to know of the embedder: a calibration for it goes before its card.
pub fn embedder(eyes: &Eyes, calibration: Option<&Calibration>) -> Embedder {
    Embedder {
        model: eyes.model_id(),
        dimensions: eyes.dimensions(),
        threshold: calibration.map_or(eyes.card_threshold().0, |c| c.threshold),
    }
}

/// What the status says of models in use.
pub fn described(eyes: &Eyes, refused: Vec<Refused>, calibration: Option<&Calibration>) -> status::Models {
    status::Models {
        detector: eyes.detector_id(),
        refiner: eyes.refiner_id(),
        embedder: eyes.model_id(),
        calibration: calibration.map(Calibration::to_string),
        refused,
        cards: eyes.cards().cloned().collect(),
    }
}

/// The calibration in the store's folder, if there is one for this embedder.
pub fn calibration(eyes: &Eyes, store: &Path) -> Option<Calibration> {
    Calibration::load(store, &eyes.model_id()).unwrap_or_else(|error| {
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
    /// The networks at work. Locked while a reload is under way, so that two do not meet.
    hashes: Mutex<Vec<String>>,
}

impl Models {
    /// Starts from `eyes`, which are at work; `shown` is what the status says of them.
    pub fn new(
        eyes: &Eyes,
        store: &Path,
        decider: SyncSender<Input>,
        brought: NewEyes,
        shown: Arc<Mutex<status::Models>>,
    ) -> Models {
        let hashes = Mutex::new(hashes(eyes));
        Models { store: store.to_owned(), decider, brought, shown, hashes }
    }

    /// Tries and loads what the settings name, and reads the calibration. Takes seconds.
    pub fn reload(&self, settings: &VisionSettings) {
        let mut at_work = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        let (eyes, refused) = match load(settings, &self.store) {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!(id = "models-not-exchanged", %error, "the models stay as they were");
                return;
            }
        };
        let calibration = calibration(&eyes, &self.store);
        let description = described(&eyes, refused, calibration.as_ref());
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = description;
        // Fails only while the appliance is ending.
        let _ = self.decider.send(Input::Embedder(embedder(&eyes, calibration.as_ref())));
        let new = hashes(&eyes);
        if new != *at_work {
            tracing::info!(
                detector = eyes.detector_id(),
                embedder = eyes.model_id(),
                "models were exchanged"
            );
            *at_work = new;
            self.brought.put(eyes);
        }
    }
}

fn hashes(eyes: &Eyes) -> Vec<String> {
    eyes.hashes().into_iter().map(str::to_owned).collect()
}
