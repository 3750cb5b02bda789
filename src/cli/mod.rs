//! The command line: one file a subcommand.
//!
//! Exit codes: 0 done; 1 failed (in words on standard error); 2 wrong arguments; 64 bad configuration;
//! 3 it works, but something should be mended (`doctor`, `status`).

mod ask;
mod backup;
mod bench;
mod calibrate;
mod check;
mod check_config;
mod demo;
mod doctor;
mod enrol;
mod evaluate;
mod explain;
mod import;
mod manual;
mod members;
mod models;
mod references;
mod restore;
mod run;
mod settings;
mod status;
mod store;
mod table;
mod train;
mod try_model;
mod update;
mod users;

use crate::ops::settings::Mistakes;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// An offline appliance that recognises members who opted in and shows them suggestions with a
/// reason on the displays of a shop.
#[derive(Debug, Parser)]
#[command(name = "shopguide", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the appliance.
    Run(run::RunArgs),
    /// Run a made-up shop on this machine: cameras, shoppers, displays, all rendered here.
    Demo(demo::DemoArgs),
    /// Enrol a member from photographs.
    Enrol(enrol::EnrolArgs),
    /// Set the threshold that a match needs, from photographs or from the members themselves.
    Calibrate(calibrate::CalibrateArgs),
    /// Bring in a catalogue or receipts from a CSV file.
    Import(import::ImportArgs),
    /// List, show or erase members.
    Members(members::MembersArgs),
    /// Put models from outside to work, list all models, go back to the one before.
    Models(models::ModelsArgs),
    /// Add, list or remove who may sign in.
    Users(users::UsersArgs),
    /// Explain what a member would be shown at a display now, and why.
    Explain(explain::ExplainArgs),
    /// How the running service is, on one screen.
    Status(status::StatusArgs),
    /// Look for everything that is wrong, and say what to do.
    Doctor(doctor::DoctorArgs),
    /// Make a backup while the service goes on.
    Backup(backup::BackupArgs),
    /// Put a backup back.
    Restore(restore::RestoreArgs),
    /// Check the database.
    Check(check::CheckArgs),
    /// Check a configuration file.
    CheckConfig(check_config::CheckConfig),
    /// Make, look at and apply signed updates, from a USB stick.
    Update(update::UpdateArgs),
    /// Train the ranker on the store's own receipts, list its models, put an earlier one back.
    Train(train::TrainArgs),
    /// Measure the models on photographs or baskets of your own.
    Evaluate(evaluate::Evaluate),
    /// Measure how fast the parts are on this machine.
    Bench(bench::Bench),
    /// Write man pages and shell completions, for packages.
    #[command(hide = true)]
    Manual(manual::ManualArgs),
    /// Try a model under limits; the appliance starts itself with this.
    #[command(hide = true)]
    TryModel(try_model::TryModelArgs),
}

/// Runs the subcommand that the arguments name.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Enrol(args) => enrol::run(&args),
        Command::Calibrate(args) => calibrate::run(&args, settings::load),
        Command::Import(args) => import::run(args, settings::load),
        Command::Members(args) => members::run(args, settings::load),
        Command::Models(args) => models::run(&args, settings::load),
        Command::Users(args) => users::run(args, settings::load),
        Command::Explain(args) => explain::run(&args, settings::load),
        Command::Status(args) => status::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Backup(args) => backup::run(&args, settings::load),
        Command::Restore(args) => restore::run(args, settings::load),
        Command::Check(args) => check::run(args, settings::load),
        Command::CheckConfig(args) => Ok(args.run()),
        Command::Update(args) => update::run(&args),
        Command::Train(args) => train::run(&args, settings::load),
        Command::Evaluate(args) => evaluate::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Manual(args) => manual::run(&args, Arguments::command()).map(|()| ExitCode::SUCCESS),
        Command::TryModel(args) => Ok(try_model::run(&args)),
    };
    done.unwrap_or_else(|error| {
        if let Some(mistakes) = error.downcast_ref::<Mistakes>() {
            eprintln!("{mistakes}");
            return ExitCode::from(settings::BAD_CONFIG);
        }
        eprintln!("shopguide: {error:#}");
        ExitCode::FAILURE
    })
}
