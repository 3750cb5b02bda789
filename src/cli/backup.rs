//! `shopguide backup`: one more backup, while the service goes on. `shopguide backup list`: those
//! there are.

use super::store::StoreArgs;
use crate::clock::Clock;
use crate::ops::settings::Settings;
use crate::storage::backup::{self, manifest::Manifest};
use crate::storage::settings::BackupSettings;
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The arguments of `shopguide backup`.
#[derive(Debug, Clone, clap::Args)]
pub struct BackupArgs {
    /// Which store.
    #[command(flatten)]
    store: StoreArgs,
    /// Put it into this folder instead of the configuration's `backup.folder`.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Only list the backups there are.
    #[arg(long)]
    list: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Backups kept where no configuration says how many.
const KEEP: u32 = 14;

/// Runs the command. `load` reads a configuration file.
pub fn run(
    args: &BackupArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    let place = args.store.or_default().place(load)?;
    let settings = match (&args.to, &place.storage.backup) {
        (Some(folder), Some(known)) => BackupSettings { folder: folder.clone(), ..known.clone() },
        (Some(folder), None) => BackupSettings { folder: folder.clone(), store: "store".into(), keep: KEEP },
        (None, Some(known)) => known.clone(),
        (None, None) => anyhow::bail!("where to? Name a folder with --to"),
    };
    if args.list {
        return list(&settings, args.json);
    }
    let store = place.open_existing()?;
    let made = store.back_up(&settings, Clock::system().now().utc).context("no backup was made")?;
    if args.json {
        let said =
            serde_json::json!({ "path": made.path, "deleted": made.deleted, "manifest": made.manifest });
        println!("{said:#}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", made.path.display());
    println!("{}", holds(&made.manifest));
    if made.deleted > 0 {
        println!("older backups deleted: {} ({} are kept)", made.deleted, settings.keep);
    }
    println!("keys: {} (wrapped; the master key is in no backup, keep it apart)", settings.keys().display());
    Ok(ExitCode::SUCCESS)
}

/// What is in a backup, in a line.
pub(super) fn holds(manifest: &Manifest) -> String {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    format!(
        "made {} by version {}: {} products, {} members, {} receipts, {:.1} MB",
        manifest.made.strftime("%F %T UTC"),
        manifest.program,
        manifest.products,
        manifest.members,
        manifest.receipts,
        bytes as f64 / 1e6
    )
}

fn list(settings: &BackupSettings, json: bool) -> anyhow::Result<ExitCode> {
    let all = backup::all(settings)?;
    if json {
        let read = |path: &Path| Manifest::read(path).map_err(|error| error.to_string());
        let rows: Vec<_> = all
            .iter()
            .map(|(_, path)| match read(path) {
                Ok(manifest) => serde_json::json!({ "path": path, "manifest": manifest }),
                Err(error) => serde_json::json!({ "path": path, "error": error }),
            })
            .collect();
        println!("{:#}", serde_json::Value::from(rows));
        return Ok(ExitCode::SUCCESS);
    }
    if all.is_empty() {
        println!("no backups of {} in {}", settings.store, settings.folder.display());
    }
    for (_, path) in all {
        let says = Manifest::read(&path).map_or_else(|error| error.to_string(), |m| holds(&m));
        println!("{}\n   {says}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
