//! What the configuration says of the web server, already checked.

use std::net::SocketAddr;

/// `[web]`.
#[derive(Clone, PartialEq)]
pub struct WebSettings {
    /// Address and port (default 127.0.0.1:8080).
    pub listen: SocketAddr,
    /// Bearer token that receipts, catalogue changes and posted frames must carry, read from a file or
    /// credential; without one they are accepted from loopback only.
    pub api_token: Option<String>,
    /// Whether the live view (camera pictures with tracks) exists (default false; true in the demo).
    pub live_view: bool,
}

impl std::fmt::Debug for WebSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.api_token.as_ref().map(|_| "***");
        f.debug_struct("WebSettings")
            .field("listen", &self.listen)
            .field("api_token", &token)
            .field("live_view", &self.live_view)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_printed() {
        let settings = WebSettings {
            listen: "127.0.0.1:8080".parse().unwrap(),
            api_token: Some("sesame".into()),
            live_view: false,
        };
        let printed = format!("{settings:?}");
        assert!(printed.contains("8080") && !printed.contains("sesame"), "{printed}");
    }
}
