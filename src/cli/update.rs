//! `shopguide update ..`: signed updates from a file, made in one place and applied in many.

mod build;

use super::settings::{ConfigArg, load};
use super::store::{Place, operator};
use crate::clock::Clock;
use crate::privacy::audit::{Action, Audited};
use crate::update::apply::Site;
use crate::update::bundle::Bundle;
use crate::update::key::{PUBLIC, SigningKey, TrustedKeys};
use crate::update::releases::Releases;
use crate::update::service::Service;
use crate::update::settle::{Outcome, settle};
use crate::update::version::Version;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The arguments of `shopguide update`.
#[derive(Debug, clap::Args)]
pub struct UpdateArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key to sign updates with: NAME.key stays where updates are made, NAME.pub goes to every box.
    Keygen {
        /// What the two files are called, without their endings.
        name: PathBuf,
    },
    /// Make an update out of a program, models and configuration, and sign it.
    Build(build::BuildArgs),
    /// Say what is in an update and whether this box would trust it; change nothing.
    Show {
        /// The update.
        file: PathBuf,
        #[command(flatten)]
        keys: Keys,
    },
    /// Apply an update: verify, try, back up, change, watch, and go back if the service is not well.
    Apply {
        /// The update.
        file: PathBuf,
        #[command(flatten)]
        keys: Keys,
        #[command(flatten)]
        here: Here,
    },
    /// Bring an update to its end that was interrupted; the box does it itself when it starts.
    Settle {
        #[command(flatten)]
        here: Here,
    },
    /// List the releases on this box.
    List {
        #[command(flatten)]
        here: Here,
    },
    /// Write a line about an update into the audit; updates start this themselves.
    #[command(hide = true)]
    Note {
        #[command(flatten)]
        config: ConfigArg,
        words: String,
    },
}

/// Whom this box trusts.
#[derive(Debug, clap::Args)]
struct Keys {
    /// The public keys that updates may be signed with, as the administrator put them here.
    #[arg(long, value_name = "FILE", default_value = PUBLIC)]
    public_key: PathBuf,
}

/// The box.
#[derive(Debug, clap::Args)]
struct Here {
    #[command(flatten)]
    config: ConfigArg,
    /// Seconds until the service must be as well as before.
    #[arg(long, value_name = "SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3600))]
    within: u64,
    /// Where `usr/local` is.
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

impl Here {
    fn site(&self) -> anyhow::Result<Site<'static>> {
        Ok(Site {
            releases: Releases::below(&self.root),
            service: Service::of(&self.root),
            config: std::path::absolute(&self.config.config)?,
            within: Duration::from_secs(self.within),
            say: &say,
        })
    }
}

/// What happens, line by line; a terminal that is gone is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Runs it.
pub fn run(args: &UpdateArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Keygen { name } => {
            let (private, public) = SigningKey::make(name)?;
            println!(
                "{}: signs updates; keep it where updates are made, and a copy apart",
                private.display()
            );
            println!("{}: goes to every box as {PUBLIC}, by a way of its own", public.display());
        }
        Command::Build(args) => build::run(args)?,
        Command::Show { file, keys } => {
            let bundle = Bundle::open(file, &TrustedKeys::read(&keys.public_key)?)?;
            println!("{}\nsigned by {}", bundle.manifest().in_words(), bundle.signer());
            for file in &bundle.manifest().files {
                println!("  {:<32} {:>12} bytes", file.path, file.bytes);
            }
            if !bundle.manifest().notes.is_empty() {
                println!("{}", bundle.manifest().notes);
            }
        }
        Command::Apply { file, keys, here } => return Ok(told(&here.site()?.apply(file, &keys.public_key)?)),
        Command::Settle { here } => {
            let site = here.site()?;
            let _alone = site.lock()?;
            return Ok(told(&settle(&site)?));
        }
        Command::List { here } => print!("{}", list(&here.site()?.releases)),
        Command::Note { config, words } => {
            let settings = load(&config.config)?;
            let store =
                Place { storage: settings.storage.clone(), settings: Some(settings) }.open_existing()?;
            let at = Clock::system().now().utc;
            store.audit(Audited {
                at,
                by: operator(),
                action: Action::Restore,
                member: None,
                detail: words.clone(),
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn told(outcome: &Outcome) -> ExitCode {
    say(&outcome.to_string());
    if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn list(releases: &Releases) -> String {
    let (current, previous) = (releases.current(), releases.previous());
    let mark = |version: Option<Version>| match version {
        v if v == current => "at work",
        v if v == previous => "before it",
        _ => "",
    };
    let package = if current.is_none() { "at work" } else { "" };
    let mut text = format!("{:<12} {package}\n", "package");
    for version in releases.all() {
        let words = releases.manifest(version).map_or_else(String::new, |manifest| manifest.in_words());
        text += &format!("{:<12} {:<10} {words}\n", version.to_string(), mark(Some(version)));
    }
    if let Ok(Some(trial)) = releases.trial() {
        text += &format!(
            "release {} is on trial: `shopguide update settle` brings it to its end\n",
            trial.release
        );
    }
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}
