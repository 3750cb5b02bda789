//! What the two HTTP sources share: one agent per camera with time limits, the user and
//! password of the URL as basic authentication, and errors in words without secrets.
//!
//! No connection is made that the configuration does not name: no proxy is taken from the
//! environment, and no redirection is followed. HTTPS is checked against the machine's certificates (`SSL_CERT_FILE`, else where
//! distributions keep them), so a camera's own authority is trusted by installing it there;
//! without any, against the built-in list of public authorities.

use crate::camera::health::Trouble;
use crate::camera::redact::{Redactor, percent_decoded};
use crate::camera::settings::Url;
use crate::camera::stop::Stop;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body, http::Response};

/// Longest time to find and to reach the camera.
const CONNECT: Duration = Duration::from_secs(4);
/// Where distributions keep the machine's authorities.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// One camera's web server.
pub(super) struct Http {
    agent: Agent,
    /// The URL without its user information.
    address: String,
    authorization: Option<String>,
    redactor: Redactor,
    shown: String,
}

impl Http {
    /// `silence` limits each wait for data; `whole` limits a request with its response.
    pub(super) fn new(
        url: &Url,
        silence: Duration,
        whole: Option<Duration>,
        stop: &Stop,
    ) -> Result<Self, Trouble> {
        Self::trusting(authorities, url, silence, whole, stop)
    }

    fn trusting(
        authorities: impl FnOnce() -> RootCerts,
        url: &Url,
        silence: Duration,
        whole: Option<Duration>,
        stop: &Stop,
    ) -> Result<Self, Trouble> {
        let shown = url.redacted();
        let text = url.secret();
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(Trouble::lost(format!("{shown} is no http:// or https:// address")));
        }
        let (authority, place) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if host.is_empty() {
            return Err(Trouble::lost(format!("{shown} names no host")));
        }
        let connect = Some(silence.min(CONNECT));
        let mut config = Agent::config_builder()
            .user_agent(concat!("shopguide/", env!("CARGO_PKG_VERSION")))
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(32 << 10)
            .timeout_resolve(connect)
            .timeout_connect(connect)
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .timeout_per_write(Some(silence))
            .timeout_global(whole);
        if scheme == "https" {
            config = config.tls_config(
                TlsConfig::builder()
                    .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
                    .root_certs(authorities())
                    .build(),
            );
        }
        let agent = config.build().new_agent();
        let on_stop = agent.clone();
        stop.on_stop(move || on_stop.shutdown());
        Ok(Http {
            agent,
            address: format!("{scheme}://{host}{place}"),
            authorization: user.map(basic),
            redactor: Redactor::new(url),
            shown,
        })
    }

    /// Asks for the address; an answer that is not 2xx is an error.
    pub(super) fn get(&self) -> Result<Response<Body>, Trouble> {
        let mut request = self.agent.get(&self.address);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.call().map_err(|e| self.trouble(e))?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let place = response.headers().get("location").and_then(|v| v.to_str().ok()).unwrap_or("nowhere");
        let place = self.redactor.clean(&Url::new(place).redacted());
        Err(Trouble::lost(format!(
            "{} redirects to {place}; put the final address into the configuration",
            self.shown
        )))
    }

    /// The camera's address without secrets.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// An error in words.
    pub(super) fn trouble(&self, error: ureq::Error) -> Trouble {
        let shown = &self.shown;
        let what = match &error {
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                format!("{shown} does not answer (timeout); is it switched on and reachable?")
            }
            ureq::Error::Timeout(_) => return Trouble::silent(format!("{shown} sends nothing (timeout)")),
            ureq::Error::StatusCode(401 | 403) => format!(
                "{shown} refuses access; check user and password (only basic authentication is spoken: for a \
                 camera that insists on digest, use the ffmpeg source)"
            ),
            ureq::Error::StatusCode(code @ (404 | 410)) => {
                format!("{shown} knows no such page (HTTP {code}); check the path")
            }
            ureq::Error::StatusCode(code) => format!("{shown} answers with HTTP {code}"),
            ureq::Error::HostNotFound => {
                format!("{shown}: the host's name is not known; check it, or use its number")
            }
            other if other.to_string().contains("certificate") => format!(
                "{shown}: {}; install the camera's certificate authority on this machine (Debian: \
                 update-ca-certificates)",
                self.redactor.clean(&other.to_string())
            ),
            other => format!("{shown}: {}", self.redactor.clean(&other.to_string())),
        };
        Trouble::lost(what)
    }
}

/// The machine's authorities, or the public ones that are built in.
fn authorities() -> RootCerts {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let bundle =
        named.into_iter().chain(AUTHORITIES.map(PathBuf::from)).find_map(|path| std::fs::read(path).ok());
    let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(&bundle.unwrap_or_default())
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match certificates.is_empty() {
        true => RootCerts::WebPki,
        false => RootCerts::new_with_certs(&certificates),
    }
}

/// The header for `user:password`, which a URL holds percent-encoded (RFC 7617).
fn basic(user_information: &str) -> String {
    let mut pair = percent_decoded(user_information);
    if !pair.contains(&b':') {
        pair.push(b':');
    }
    format!("Basic {}", base64(&pair))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, b| (bits << 8) | u32::from(*b)) << (8 * (3 - group.len()));
        for n in 0..4 {
            let digit = char::from(DIGITS[(bits >> (18 - 6 * n)) as usize & 63]);
            out.push(if n <= group.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(url: &str) -> Result<Http, Trouble> {
        Http::new(&Url::new(url), Duration::from_secs(1), None, &Stop::default())
    }

    #[test]
    fn user_and_password_become_a_header_and_leave_the_address() {
        let http = http("HTTP://adm%69n:p%40ss:w@cam.local:8080/video?x=1").unwrap();
        assert_eq!(http.address, "http://cam.local:8080/video?x=1");
        assert_eq!(http.authorization.as_deref(), Some("Basic YWRtaW46cEBzczp3"));
        for (text, code) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), code);
        }
    }

    #[test]
    fn addresses_that_cannot_be_asked_are_refused_without_their_secrets() {
        for url in [
            "rtsp://u:hush1@h/v",
            "u:hush1@h/v",
            "http://u:hush1@/v",
            "http://u:hush1@h h/v",
            "http://u:hush1@:x/?hush1",
        ] {
            let trouble = match http(url) {
                Ok(http) => http.get().map(|_| ()).unwrap_err(),
                Err(trouble) => trouble,
            };
            assert!(!trouble.what.contains("hush1"), "{trouble}");
        }
    }

    /// A server for one HTTPS connection, with a certificate that `authority` made.
    fn serve_tls(authority: &rcgen::Issuer<'_, rcgen::KeyPair>) -> u16 {
        use std::io::{Read, Write};
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap())
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        port
    }

    #[test]
    fn https_is_believed_only_with_a_certificate_of_a_known_authority() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(params, key);
        for known in [true, false] {
            let url = Url::new(format!("https://u:hush1@localhost:{}/snap", serve_tls(&issuer)));
            let roots = || match known {
                true => RootCerts::new_with_certs(&[Certificate::from_der(certificate.der()).to_owned()]),
                false => RootCerts::WebPki,
            };
            let http = Http::trusting(roots, &url, Duration::from_secs(30), None, &Stop::default()).unwrap();
            match http.get() {
                Ok(mut response) => {
                    assert!(known);
                    assert_eq!(response.body_mut().read_to_string().unwrap(), "ok");
                }
                Err(trouble) => {
                    assert!(!known, "{trouble}");
                    assert!(trouble.what.contains("certificate authority"), "{trouble}");
                }
            }
        }
    }

    #[test]
    fn every_error_of_the_client_is_shown_without_secrets() {
        let http = http("http://u:hush1@h/v?key=hush2").unwrap();
        for error in [
            ureq::Error::BadUri("http://u:hush1@h/v?key=hush2".into()),
            ureq::Error::RequireHttpsOnly("http://u:hush1@h/v?key=hush2".into()),
            ureq::Error::StatusCode(401),
            ureq::Error::Io(std::io::Error::other("GET /v?key=hush2 failed")),
        ] {
            let trouble = http.trouble(error);
            assert!(!trouble.what.contains("hush"), "{trouble}");
            assert!(trouble.what.contains("***@h/v"), "{trouble}");
        }
    }
}
