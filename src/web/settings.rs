//! What the configuration says of the web server, already checked.

use std::net::SocketAddr;

/// `[web]`.
#[derive(Debug, Clone, PartialEq)]
pub struct WebSettings {
    /// Address and port (default 127.0.0.1:8080).
    pub listen: SocketAddr,
    /// Bearer token that receipts, catalogue changes and posted frames must carry, read from a file or
    /// credential; without one they are accepted from loopback only.
    pub api_token: Option<String>,
    /// Whether the live view (camera pictures with tracks) exists (default false; true in the demo).
    pub live_view: bool,
}
