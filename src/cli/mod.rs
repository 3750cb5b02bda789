//! The command line: one file a subcommand.

pub mod check;
pub mod import;
pub mod members;
pub mod store;

/// Runs the subcommand that the arguments name.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
