//! The networks: those inside the program, and those of the configuration or the shelf, which are tried in
//! a process of their own as the service does.

use super::Finding;
use crate::vision::card::Task;
use crate::vision::settings::VisionSettings;
use crate::vision::{Eyes, admission};

pub(super) fn look(settings: &VisionSettings) -> Vec<Finding> {
    let mut found = Vec::new();
    match Eyes::load(&VisionSettings::default()) {
        Ok(eyes) => {
            let says = format!("inside the program: {}, {}", eyes.detector_id(), eyes.model_id());
            found.push(Finding::well("models", says));
        }
        Err(error) => found.push(
            Finding::failed("model-inside-broken", "models", error.to_string())
                .means("the program itself is damaged: the service does not start")
                .remedy("install the package again: apt install --reinstall shopguide"),
        ),
    }
    let named = [
        (Task::Detect, &settings.detector),
        (Task::Refine, &settings.refiner),
        (Task::Embed, &settings.embedder),
    ];
    for (task, card) in named {
        let Some(card) = card else { continue };
        let subject = format!("model {task}");
        found.push(match admission::try_apart(card, task) {
            Ok(()) => Finding::well(subject, format!("{} passes", card.display())),
            Err(cause) => Finding::failed("model-refused", subject, format!("{}: {cause}", card.display()))
                .means("the last good model is used, or the one inside the program")
                .remedy(
                    "copy the network and its card again, both from the same place, then systemctl reload shopguide; \
                     shopguide models rollback goes back to the one before",
                ),
        });
    }
    found
}
