//! The command line: one file a subcommand.

pub mod check_config;

/// Runs the subcommand that the arguments name.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
