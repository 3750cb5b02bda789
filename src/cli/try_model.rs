//! `shopguide try-model`: one model opened and run once, under limits. Not for people: the appliance
//! starts itself with it before it lets a model from outside in ([`crate::vision::admission`]).

use crate::vision::admission;
use crate::vision::card::Task;
use clap::{Args, ValueEnum};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// The arguments of `shopguide try-model`.
#[derive(Debug, Args)]
pub struct TryModelArgs {
    /// What the model must be for.
    #[arg(long, value_enum)]
    task: Kind,
    /// The model's card.
    card: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Detect,
    Refine,
    Embed,
}

/// Prints the model's name and ends with 0, or the refusal and 1.
pub fn run(args: &TryModelArgs) -> ExitCode {
    let task = match args.task {
        Kind::Detect => Task::Detect,
        Kind::Refine => Task::Refine,
        Kind::Embed => Task::Embed,
    };
    let tried = admission::try_here(&args.card, task);
    let (Ok(said) | Err(said)) = &tried;
    // A closed pipe behind us is no reason to fail: the status says it all.
    let _ = writeln!(std::io::stdout(), "{said}");
    if tried.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
