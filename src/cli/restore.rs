//! `shopguide restore`: puts a backup back, after verifying it, showing what it would replace, and
//! asking. The service must be stopped.

use super::ask::agreed;
use super::backup::holds;
use super::store::{Place, StoreArgs};
use crate::clock::Clock;
use crate::ops::settings::Settings;
use crate::storage::backup::all;
use crate::storage::restore::Restore;
use anyhow::bail;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The arguments of `shopguide restore`.
#[derive(Debug, Clone, clap::Args)]
pub struct RestoreArgs {
    /// The backup's folder; without it the newest backup where the configuration puts them.
    backup: Option<PathBuf>,
    /// Which store.
    #[command(flatten)]
    store: StoreArgs,
    /// The copy of the keys, if it does not lie beside the backup.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The store's master key, for a machine that does not have it yet.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// Only verify the backup; change nothing.
    #[arg(long)]
    verify: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Runs the command. `load` reads a configuration file.
pub fn run(
    args: RestoreArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    let place = args.store.or_default().place(load)?;
    let backup = match args.backup {
        Some(backup) => backup,
        None => newest(&place)?,
    };
    let restore = Restore::of(&backup, args.keys, args.master_key)?;
    println!("backup {}: whole\n   {}", backup.display(), holds(restore.manifest()));
    if args.verify {
        return Ok(ExitCode::SUCCESS);
    }
    let folder = &place.storage.folder;
    let question = format!("Replace everything in {} by it?", folder.display());
    if !args.yes && !agreed(&question, "restore")? {
        println!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    let done = restore.put_back(folder, Clock::system().now().utc)?;
    println!("restored into {}", folder.display());
    if done.erased_again > 0 {
        println!("{} members who were erased since the backup were erased again", done.erased_again);
    }
    if let Some(aside) = done.aside {
        println!("what was there before: {} (delete it when all is well)", aside.display());
    }
    if done.problems.is_empty() {
        println!("check: all is well");
        return Ok(ExitCode::SUCCESS);
    }
    for problem in &done.problems {
        println!("problem: {}\n   step: {}", problem.what, problem.step);
    }
    Ok(ExitCode::FAILURE)
}

fn newest(place: &Place) -> anyhow::Result<PathBuf> {
    let Some(settings) = &place.storage.backup else {
        bail!("which backup? Name its folder");
    };
    match all(settings)?.pop() {
        Some((_, path)) => Ok(path),
        None => bail!("there is no backup of {} in {}", settings.store, settings.folder.display()),
    }
}
