//! What the configuration says of the embedded broker, already checked.

use std::net::SocketAddr;
use std::path::PathBuf;

/// `[broker]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerSettings {
    /// Plain MQTT over TCP (default 127.0.0.1:1883).
    pub listen: SocketAddr,
    /// MQTT over TLS: address, certificate and key in PEM.
    pub tls: Option<(SocketAddr, PathBuf, PathBuf)>,
    /// MQTT over WebSocket.
    pub websocket: Option<SocketAddr>,
    /// A file of `user:password-or-hash` lines; without it, anybody who reaches the port may connect,
    /// which is allowed on loopback only.
    pub users: Option<PathBuf>,
    /// Clients at once (default 512).
    pub max_clients: usize,
    /// Largest packet in bytes (default 262,144).
    pub max_packet: usize,
    /// Retained messages (default 10,000).
    pub max_retained: usize,
}
