//! The configuration as subcommands read it: one default path, one exit code for mistakes in it.

use crate::ops::settings::Settings;
use clap::Args;
use std::path::{Path, PathBuf};

/// Exit code for a configuration with mistakes (`EX_USAGE` of sysexits.h).
pub const BAD_CONFIG: u8 = 64;

/// Where the service's configuration lies.
pub const DEFAULT_CONFIG: &str = "/etc/shopguide/shopguide.toml";

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigArg {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
}

/// Reads a configuration for a command beside the daemon.
///
/// # Errors
/// [`Mistakes`](crate::ops::settings::Mistakes), which `main` prints and turns into [`BAD_CONFIG`].
pub fn load(path: &Path) -> anyhow::Result<Settings> {
    Ok(Settings::check(path)?.0)
}
