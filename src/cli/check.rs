//! `shopguide check`: is the store's data whole? Ends with 0 if it is, else with 1.

use super::store::StoreArgs;
use crate::ops::settings::Settings;
use crate::storage::Store;
use std::path::Path;
use std::process::ExitCode;

/// Check the store's database, keys and audit
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// Which store
    #[command(flatten)]
    pub store: StoreArgs,
    /// The key database is lost for good: erase the members that no one can read any more
    #[arg(long)]
    pub forget_unreadable: bool,
}

/// Runs the command. `load` reads a configuration file.
pub fn run(
    args: CheckArgs,
    load: impl FnOnce(&Path) -> anyhow::Result<Settings>,
) -> anyhow::Result<ExitCode> {
    let place = args.store.place(load)?;
    let store = if args.forget_unreadable {
        Store::open_forgetting_unreadable(&place.storage)?
    } else {
        place.open_existing()?
    };
    let problems = store.check()?;
    let counts = store.counts()?;
    println!(
        "{} products, {} members with {} templates, {} receipts, {} audit entries, {:.1} MB",
        counts.products,
        counts.members,
        counts.templates,
        counts.receipts,
        counts.audit,
        counts.bytes as f64 / 1e6
    );
    if problems.is_empty() {
        println!("all is well");
        return Ok(ExitCode::SUCCESS);
    }
    for problem in &problems {
        println!("problem: {}\n   step: {}", problem.what, problem.step);
    }
    Ok(ExitCode::FAILURE)
}
