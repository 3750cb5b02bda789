//! The `--config` argument that most subcommands share.

use crate::ops::settings::Settings;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code for a configuration with mistakes (`EX_USAGE` of sysexits.h).
pub const BAD_CONFIG: u8 = 64;

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigArg {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/shopguide/shopguide.toml")]
    pub config: PathBuf,
}

impl ConfigArg {
    /// Reads it for a command beside the daemon; mistakes are printed and become the exit code.
    pub fn load(&self) -> Result<Settings, ExitCode> {
        match Settings::check(&self.config) {
            Ok((settings, _)) => Ok(settings),
            Err(mistakes) => {
                eprintln!("{mistakes}");
                Err(ExitCode::from(BAD_CONFIG))
            }
        }
    }
}
