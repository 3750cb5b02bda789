//! The trial of a release: is the service as well with it as before? If not within the time given, the
//! release before it goes back to work, and the data too if the new program had changed its form.
//!
//! It can be broken off anywhere and done again; after a power failure `shopguide-update.service` does,
//! by the program from before the update.

use super::UpdateError;
use super::apply::Site;
use super::program::{ask, must};
use super::releases::Trial;
use super::service::Service;
use super::version::Version;
use crate::storage::schema_in;
use jiff::Timestamp;
use serde::Deserialize;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A release must stay well for so long.
const STEADY: Duration = Duration::from_secs(10);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest that a question may take.
const ANSWER: Duration = Duration::from_secs(60);
/// Longest that putting the data back may take.
const PUT_BACK: Duration = Duration::from_secs(2 * 3600);

/// How an update ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// There was none under way.
    Nothing,
    /// It is at work for good.
    Applied(Version),
    /// It is on trial once somebody restarts the service.
    RestartByHand(Version),
    /// It failed and is gone.
    RolledBack {
        /// Which.
        release: Version,
        /// What is at work again.
        now: Option<Version>,
        /// Why.
        why: String,
        /// Whether the data was put back as well.
        data: bool,
        /// Whether the service is well again; `None` where somebody must restart it.
        well: Option<bool>,
    },
    /// It was broken off before it was at work.
    NeverBegan(Version),
}

impl Outcome {
    /// Whether all is as the administrator wanted it.
    pub fn is_good(&self) -> bool {
        !matches!(self, Outcome::RolledBack { .. } | Outcome::NeverBegan(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Nothing => f.write_str("no update is under way"),
            Outcome::Applied(release) => write!(f, "release {release} is at work"),
            Outcome::RestartByHand(release) => write!(
                f,
                "release {release} is in place. systemd does not run the service here: restart it yourself, then \
                 `shopguide update settle` says whether it stays, and puts the one before back if not"
            ),
            Outcome::NeverBegan(release) => {
                write!(
                    f,
                    "the update to release {release} was broken off before it began; nothing was changed"
                )
            }
            Outcome::RolledBack { release, now, why, data, well } => {
                let now = now.map_or_else(|| "the package's program".into(), |v| format!("release {v}"));
                write!(f, "release {release} failed: {why}\n{now} is at work again")?;
                if *data {
                    f.write_str(
                        "; the data is what it was before the update, and what came in since lies in \
                         before-restore-... of its folder",
                    )?;
                }
                f.write_str(match well {
                    Some(true) => ", and the service is well",
                    Some(false) => ", but the service does not answer yet: `shopguide doctor` tells more",
                    None => "; restart the service yourself",
                })
            }
        }
    }
}

/// Brings the update under way to its end.
pub fn settle(site: &Site<'_>) -> Result<Outcome, UpdateError> {
    let Some(trial) = site.releases.trial()? else { return Ok(Outcome::Nothing) };
    if let Some(why) = trial.rolling_back.clone() {
        return roll_back(site, trial, why);
    }
    if site.releases.current() != Some(trial.release) {
        site.releases.end_trial()?;
        site.releases.remove(trial.release);
        return Ok(Outcome::NeverBegan(trial.release));
    }
    let program = site.releases.program(Some(trial.release));
    match judge(&trial, &program, site.within) {
        Ok(()) => {
            note(site, &program, &format!("update to release {}: passed its health check", trial.release));
            site.releases.end_trial()?;
            site.releases.tidy();
            Ok(Outcome::Applied(trial.release))
        }
        Err(why) => roll_back(site, trial, why),
    }
}

/// Looks until the release has been well for a while; why it was not, once its time is up.
fn judge(trial: &Trial, program: &Path, within: Duration) -> Result<(), String> {
    let begin = Instant::now();
    let mut well_since: Option<Instant> = None;
    loop {
        match is_well(trial, program) {
            Ok(()) if well_since.get_or_insert_with(Instant::now).elapsed() >= STEADY => return Ok(()),
            Ok(()) => {}
            Err(why) if begin.elapsed() >= within => return Err(why),
            Err(_) => well_since = None,
        }
        std::thread::sleep(PAUSE);
    }
}

/// What an update asks of `shopguide status --json`.
#[derive(Debug, Deserialize)]
struct Said {
    ready: bool,
    started: Timestamp,
}

/// Ready since the update, and nothing failed that had not failed before.
fn is_well(trial: &Trial, program: &Path) -> Result<(), String> {
    let said = status(program, &trial.config)?;
    if said.started < trial.began {
        return Err("the service still is the program from before".into());
    }
    if !said.ready {
        return Err("the service runs but is not ready".into());
    }
    let mut failed = failures(program, &trial.config)?;
    failed.retain(|failure| !trial.failed_before.contains(failure));
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("this failed, and had not before: {}", failed.join(", ")))
    }
}

fn status(program: &Path, config: &Path) -> Result<Said, String> {
    let answer = ask(program, &["status", "--json", "--config", &config.display().to_string()], ANSWER)?;
    serde_json::from_str(&answer.said)
        .map_err(|_| format!("the service does not answer ({})", answer.last_words()))
}

/// What `shopguide doctor` calls failed: each with its id and subject.
pub(super) fn failures(program: &Path, config: &Path) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Report {
        findings: Vec<Found>,
    }
    #[derive(Deserialize)]
    struct Found {
        id: String,
        level: String,
        subject: String,
    }
    let answer = ask(program, &["doctor", "--json", "--config", &config.display().to_string()], ANSWER)?;
    let report: Report = serde_json::from_str(&answer.said)
        .map_err(|_| format!("`shopguide doctor` says nothing of use ({})", answer.last_words()))?;
    let failed = report.findings.into_iter().filter(|found| found.level == "failed");
    Ok(failed.map(|found| format!("{} ({})", found.subject, found.id)).collect())
}

/// Puts the release before back to work, and the data if its form has changed.
fn roll_back(site: &Site<'_>, mut trial: Trial, why: String) -> Result<Outcome, UpdateError> {
    (site.say)(&format!("release {} is not well: going back", trial.release));
    trial.rolling_back = Some(why.clone());
    site.releases.keep_trial(&trial)?;
    site.service.stop().map_err(UpdateError::Refused)?;
    site.releases.put_to_work(trial.before, &trial.config)?;
    let program = site.releases.program(trial.before);
    let data = match &trial.data {
        // One that cannot be read any more is put back as well; what is there is kept aside.
        Some(data) if !schema_in(&data.folder).is_ok_and(|now| now == Some(data.schema)) => {
            let (backup, config) = (data.backup.display().to_string(), trial.config.display().to_string());
            must(&program, &["restore", &backup, "--yes", "--config", &config], PUT_BACK).map_err(|why| {
                UpdateError::Refused(format!(
                    "the release before is back, but its data is not: {why}\nstop the service, then `shopguide \
                     update settle` tries again; by hand: shopguide restore {backup}"
                ))
            })?;
            true
        }
        _ => false,
    };
    let well = match site.service {
        Service::ByHand => None,
        Service::Systemd => {
            let restarted = site.service.restart();
            let begin = Instant::now();
            let mut well = false;
            while restarted.is_ok() && !well && begin.elapsed() < ANSWER {
                std::thread::sleep(PAUSE);
                well = status(&program, &trial.config).is_ok_and(|said| said.ready);
            }
            Some(well)
        }
    };
    note(site, &program, &format!("update to release {}: rolled back", trial.release));
    site.releases.end_trial()?;
    site.releases.remove(trial.release);
    Ok(Outcome::RolledBack { release: trial.release, now: trial.before, why, data, well })
}

/// Has a program write a line into the audit of its own store.
pub(super) fn note(site: &Site<'_>, program: &Path, words: &str) {
    let config = site.config.display().to_string();
    if let Err(why) = must(program, &["update", "note", "--config", &config, "--", words], ANSWER) {
        (site.say)(&format!("the audit could not be told: {why}"));
    }
}
