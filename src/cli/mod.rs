//! The command line: one file a subcommand.

/// Runs the subcommand that the arguments name.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
