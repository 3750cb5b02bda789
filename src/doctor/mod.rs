//! The doctor: looks at everything that the appliance needs and says what is wrong, what that means
//! and what to do. It changes nothing: no file is made or migrated, no topic is written.
//!
//! - Where the service runs, cameras and broker are asked of it; where it does not, they are tried
//!   from here.
//! - A finding has an id; `config/TROUBLESHOOTING.md` explains each, with its causes.
//! - Time is a parameter, and so is the place of `/proc` and `/sys`: a sick machine can be tested.

mod backups;
mod broker;
mod cameras;
mod clock;
mod data;
mod disk;
mod figures;
mod finding;
mod machine;
mod models;
mod ports;
mod ranker;
mod service;
mod update;

pub use figures::figures;
pub use finding::{Finding, Level};
pub use service::{Unanswered, ask};

use crate::ops::settings::{Mistakes, Settings, Severity, Warning};
use crate::vision::shelf::Shelf;
use jiff::Timestamp;
use std::path::PathBuf;

/// What the doctor looks at.
#[derive(Debug, Clone)]
pub struct Patient {
    /// The configuration.
    pub settings: Settings,
    /// What the clock says.
    pub now: Timestamp,
    /// `/`, or another folder that holds `proc` and `sys`.
    pub root: PathBuf,
}

/// Everything that was found, well or not, in the order of the parts. Takes some seconds where
/// cameras must be tried.
pub fn examine(patient: &Patient) -> Vec<Finding> {
    let asked = ask(&patient.settings.web);
    let mut all = vec![service::finding(&asked, patient)];
    match &asked {
        Ok(status) => all.extend(service::parts(status)),
        Err(_) => {
            all.extend(ports::look(&patient.settings));
            all.extend(cameras::look(&patient.settings.cameras));
            let shelf = Shelf::of_store(&patient.settings.storage.folder);
            all.extend(models::look(&shelf.fill(&patient.settings.vision)));
            all.extend(broker::look(&patient.settings));
        }
    }
    let data = data::look(patient);
    all.extend(data.findings);
    all.extend(disk::look(patient));
    all.extend(clock::look(patient, data.newest));
    all.extend(backups::look(patient));
    all.extend(machine::look(patient));
    all.extend(ranker::look(patient));
    all.extend(update::look(patient));
    all
}

/// What a configuration with mistakes means: there is nothing else to look at.
pub fn mistakes(mistakes: &Mistakes) -> Vec<Finding> {
    mistakes.findings().iter().map(of_configuration).collect()
}

/// What the configuration warns of.
pub fn warnings(warnings: &[Warning]) -> Vec<Finding> {
    warnings.iter().map(of_configuration).collect()
}

fn of_configuration(found: &Warning) -> Finding {
    let place = if found.line == 0 { String::new() } else { format!(", line {}", found.line) };
    let key = if found.key.is_empty() { String::new() } else { format!(" {}:", found.key) };
    let value = found.value.as_ref().map_or_else(String::new, |v| format!(" {v}"));
    let says = format!("{}{place}:{key}{value} {}", found.file, found.problem);
    let expected = found.expected.as_ref().map(|e| format!("expected {e}"));
    let steps = [expected, found.help.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let remedy =
        format!("{}{}shopguide check-config shows the line", steps, if steps.is_empty() { "" } else { "; " });
    match found.severity {
        Severity::Error => Finding::failed("config-mistake", "configuration", says)
            .means("the service does not start; a running one goes on with the configuration it has")
            .remedy(remedy),
        Severity::Warning => Finding::warning("config-warning", "configuration", says)
            .means("it works, but perhaps not as meant")
            .remedy(remedy),
    }
}
