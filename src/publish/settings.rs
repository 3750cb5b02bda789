//! What the configuration says of the bus, already checked.

use std::path::PathBuf;
use std::time::Duration;

/// How long a personal slate stays valid when the configuration does not say.
pub const PERSONAL_FOR: Duration = Duration::from_secs(20);

/// `[mqtt]`: the broker that the daemon speaks to. When the embedded broker is on and no host is
/// given, the daemon connects to it like any other client.
#[derive(Clone, PartialEq)]
pub struct BusSettings {
    /// Host name or address.
    pub host: String,
    /// Port (default 1883, with TLS 8883).
    pub port: u16,
    /// TLS with these files.
    pub tls: Option<TlsSettings>,
    /// User name.
    pub user: Option<String>,
    /// Password, read from a file or a systemd credential; never in the configuration itself.
    pub password: Option<String>,
    /// Client id (default `shopguide-<store>`).
    pub client_id: String,
    /// Keep-alive (default 5 s).
    pub keep_alive: Duration,
    /// How long a personal slate stays valid after the member was last seen (default 20 s).
    pub personal_for: Duration,
    /// Whether Home Assistant is told of the displays (default false).
    pub home_assistant: bool,
}

impl std::fmt::Debug for BusSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mqtt{}://{}:{}", if self.tls.is_some() { "s" } else { "" }, self.host, self.port)
    }
}

/// Files for TLS.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsSettings {
    /// PEM file with the authorities that may sign the broker's certificate.
    pub ca: PathBuf,
    /// PEM files of the client's own certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
}
