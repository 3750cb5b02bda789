//! `shopguide status`: how the running service is, on one screen. Ends with 0 if every part is well,
//! 3 if one is not, 1 if the service does not answer.

use super::settings::{self, ConfigArg};
use crate::doctor;
use crate::web::Status;
use crate::web::status::Health;
use jiff::Timestamp;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

/// The arguments of `shopguide status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Print the service's own JSON.
    #[arg(long)]
    json: bool,
    /// Show it again every two seconds, until Ctrl-C.
    #[arg(long, conflicts_with = "json")]
    watch: bool,
}

/// Exit code where a part is not well.
const NOT_WELL: u8 = 3;
/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs it.
pub fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let settings = settings::load(&args.config.config)?;
    loop {
        let asked = doctor::ask(&settings.web);
        let mut out = std::io::stdout().lock();
        if args.watch && out.is_terminal() {
            // Home, and clear to the end of the screen.
            write!(out, "\x1b[H\x1b[J")?;
        }
        let code = match asked {
            Ok(status) if args.json => {
                writeln!(out, "{}", serde_json::to_string_pretty(&status)?)?;
                code_of(&status)
            }
            Ok(status) => {
                let figures = doctor::figures(&settings.web);
                write!(
                    out,
                    "{}",
                    as_text(&settings.store.name, &status, figures.as_deref(), Timestamp::now())
                )?;
                code_of(&status)
            }
            Err(error) if args.watch => {
                writeln!(out, "{error}")?;
                ExitCode::FAILURE
            }
            Err(error) => {
                anyhow::bail!(
                    "{error}; is the service running (systemctl status shopguide)? `shopguide doctor` tells more"
                )
            }
        };
        out.flush()?;
        drop(out);
        if !args.watch {
            return Ok(code);
        }
        std::thread::sleep(PAUSE);
    }
}

fn code_of(status: &Status) -> ExitCode {
    if status.healthy { ExitCode::SUCCESS } else { ExitCode::from(NOT_WELL) }
}

fn as_text(store: &str, status: &Status, figures: Option<&str>, now: Timestamp) -> String {
    let verdict = match (status.healthy, status.ready) {
        (true, _) => "all is well",
        (false, true) => "works, with something to mend",
        (false, false) => "does not work",
    };
    let minutes = now.duration_since(status.started).as_mins();
    let mut text = format!(
        "{store}: {verdict}   (shopguide {}, up {} h {} min)\n\n",
        status.version,
        minutes / 60,
        minutes % 60
    );
    let width = status.parts.iter().map(|p| kind(p).len() + p.name.len() + 1).max().unwrap_or(0);
    for part in &status.parts {
        let mark = match part.health {
            Health::Well => "  ",
            Health::Limited => "! ",
            Health::Failed => "X ",
        };
        let name = format!("{} {}", kind(part), part.name);
        text += &format!("{mark}{name:<width$}  {}\n", part.says);
        if let Some(remedy) = part.remedy.as_ref().filter(|_| part.health != Health::Well) {
            text += &format!("  {:<width$}  -> {remedy}\n", "");
        }
    }
    if let Some(figures) = figures {
        text += &format!("\n  {figures}\n");
    }
    text
}

fn kind(part: &crate::web::status::Part) -> String {
    format!("{:?}", part.kind).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::status::{Part, PartKind};

    #[test]
    fn what_is_not_well_stands_out_with_its_remedy() {
        let part = |name: &str, health, remedy: Option<&str>| Part {
            kind: PartKind::Camera,
            name: name.into(),
            health,
            says: "said".into(),
            remedy: remedy.map(str::to_owned),
        };
        let parts = vec![part("door", Health::Well, None), part("tea", Health::Failed, Some("plug it in"))];
        let status = Status::of("1.2.3", Timestamp::UNIX_EPOCH, parts);
        let text = as_text("Corner Shop", &status, Some("7 slates"), Timestamp::from_second(3_660).unwrap());
        assert_eq!(
            text,
            "Corner Shop: works, with something to mend   (shopguide 1.2.3, up 1 h 1 min)\n\n  camera door  said\n\
             X camera tea   said\n               -> plug it in\n\n  7 slates\n"
        );
    }
}
