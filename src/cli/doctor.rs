//! `shopguide doctor`: what is wrong, what that means, what to do. Ends with 0 if all is well (notes
//! included), 3 if something should be mended soon, 1 if something does not work.

use super::settings::ConfigArg;
use crate::clock::Clock;
use crate::doctor::{self, Finding, Level, Patient};
use crate::ops::settings::Settings;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// The arguments of `shopguide doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Show what is well, too.
    #[arg(long, short)]
    all: bool,
    /// Where `proc` and `sys` are.
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

/// Exit code where something should be mended soon.
const SOON: u8 = 3;

/// Runs it.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let findings = match Settings::check(&args.config.config) {
        Err(mistakes) => doctor::mistakes(&mistakes),
        Ok((settings, warnings)) => {
            let patient = Patient { settings, now: Clock::system().now().utc, root: args.root.clone() };
            let mut findings = doctor::warnings(&warnings);
            findings.extend(doctor::examine(&patient));
            findings
        }
    };
    let worst = findings.iter().map(|f| f.level).max().unwrap_or(Level::Well);
    let mut out = std::io::stdout().lock();
    // A closed pipe behind us is no reason to fail: the status says it all.
    let _ = if args.json {
        writeln!(out, "{:#}", serde_json::json!({ "worst": worst, "findings": findings }))
    } else {
        write!(out, "{}", as_text(&findings, args.all))
    };
    Ok(match worst {
        Level::Well | Level::Note => ExitCode::SUCCESS,
        Level::Warning => ExitCode::from(SOON),
        Level::Failed => ExitCode::FAILURE,
    })
}

fn as_text(findings: &[Finding], all: bool) -> String {
    let mut text = String::new();
    for finding in findings.iter().filter(|f| all || f.level != Level::Well) {
        let mark = match finding.level {
            Level::Well => "well   ",
            Level::Note => "note   ",
            Level::Warning => "WARNING",
            Level::Failed => "FAILED ",
        };
        text += &format!("{mark} {}: {}\n", finding.subject, finding.says);
        if finding.level != Level::Well {
            for (word, line) in [("means", &finding.means), ("to do", &finding.remedy)] {
                if !line.is_empty() {
                    text += &format!("        {word}: {line}\n");
                }
            }
            text += &format!("        more:  {} in TROUBLESHOOTING.md\n", finding.id);
        }
    }
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    text += &format!(
        "{} well, {} notes, {} warnings, {} failures\n",
        count(Level::Well),
        count(Level::Note),
        count(Level::Warning),
        count(Level::Failed)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_what_is_wrong_what_it_means_and_what_to_do() {
        let found = [
            Finding::well("clock", "noon"),
            Finding::failed("disk-full", "disk", "0 MiB free")
                .means("receipts are refused")
                .remedy("make room"),
        ];
        let text = as_text(&found, false);
        assert_eq!(
            text,
            "FAILED  disk: 0 MiB free\n        means: receipts are refused\n        to do: make room\n        \
             more:  disk-full in TROUBLESHOOTING.md\n1 well, 0 notes, 0 warnings, 1 failures\n"
        );
        assert!(as_text(&found, true).starts_with("well    clock: noon\n"));
    }
}
