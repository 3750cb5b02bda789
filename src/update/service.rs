//! The service as an update sees it: restarted through systemd where that runs it; otherwise by whoever
//! applied the update, who is told so.

use super::program;
use std::path::Path;
use std::time::Duration;

/// The unit.
const UNIT: &str = "shopguide.service";
/// Longest that systemd may take to stop it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who starts and stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// systemd.
    Systemd,
    /// Somebody.
    ByHand,
}

impl Service {
    /// Whoever does it for the machine whose root this is.
    pub fn of(root: &Path) -> Service {
        let here = root == Path::new("/") && Path::new("/run/systemd/system").exists();
        if here && systemctl(&["cat", UNIT]).is_ok() { Service::Systemd } else { Service::ByHand }
    }

    /// Has it started anew; does not wait until it is ready.
    pub fn restart(self) -> Result<(), String> {
        self.tell(&["--no-block", "restart", UNIT])
    }

    /// Stops it, and waits for that.
    pub fn stop(self) -> Result<(), String> {
        self.tell(&["stop", UNIT])
    }

    fn tell(self, arguments: &[&str]) -> Result<(), String> {
        match self {
            Service::Systemd => systemctl(arguments),
            Service::ByHand => Ok(()),
        }
    }
}

fn systemctl(arguments: &[&str]) -> Result<(), String> {
    program::must(Path::new("systemctl"), arguments, PATIENCE).map(|_| ())
}
