//! An update that was interrupted: its release is at work, and nobody has judged it.

use super::{Finding, Patient};
use crate::update::releases::Releases;
use jiff::SignedDuration;

/// A trial that takes longer has nobody who minds it: backups and checks come before it begins.
const LONG: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let releases = Releases::below(&patient.root);
    match releases.trial() {
        Ok(None) => Vec::new(),
        Ok(Some(trial)) if patient.now.duration_since(trial.began) < LONG => Vec::new(),
        Ok(Some(trial)) => {
            let says =
                format!("release {} is on trial since {}", trial.release, trial.began.strftime("%F %T UTC"));
            vec![
                Finding::warning("update-unsettled", "update", says)
                    .means(
                        "its update was interrupted; nobody has looked whether the service is well with it",
                    )
                    .remedy("sudo shopguide update settle"),
            ]
        }
        Err(error) => vec![
            Finding::warning("update-unsettled", "update", error.to_string())
                .means("whether an update was interrupted is not known")
                .remedy("look at what is at work with shopguide update list, then remove that file"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::settings::Settings;
    use crate::update::releases::Trial;
    use jiff::Timestamp;
    use std::path::Path;

    #[test]
    fn a_trial_that_nobody_minds_is_found() {
        let root = tempfile::tempdir().unwrap();
        let text = "[store]\nid = \"a\"\nname = \"A\"\n";
        let (settings, _) = Settings::from_str(text, Path::new("/nowhere/a.toml")).unwrap();
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let patient =
            |hours| Patient { settings: settings.clone(), now: at(hours), root: root.path().to_owned() };
        assert_eq!(look(&patient(9)), []);
        let releases = Releases::below(root.path());
        std::fs::create_dir_all(releases.folder()).unwrap();
        let trial = Trial {
            release: "1.0.0".parse().unwrap(),
            before: None,
            signer: String::new(),
            began: at(1),
            config: "/nowhere/a.toml".into(),
            failed_before: Vec::new(),
            data: None,
            rolling_back: None,
        };
        releases.keep_trial(&trial).unwrap();
        assert_eq!(look(&patient(1)), []);
        let found = look(&patient(9));
        assert!(found[0].says.contains("release 1.0.0 is on trial since 1970-01-01 01:00:00"), "{found:?}");
    }
}
