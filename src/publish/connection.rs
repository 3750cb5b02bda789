//! How one connection to the broker is made, and what its end means in words.
//!
//! Certificates are read anew for each connection, so renewed ones need no restart.

use super::settings::{BusSettings, TlsSettings};
use super::wire::MAX_PACKET;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, ConnectReturnCode, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, MqttOptions, StateError, TlsError};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Messages that the broker may send without an acknowledgement of ours.
pub(super) const RECEIVE_MAXIMUM: u16 = 64;
/// Messages that we send without an acknowledgement of the broker's.
const INFLIGHT: u16 = 64;
/// How long the broker keeps what tills sent while this daemon was away.
const SESSION_EXPIRY: Duration = Duration::from_secs(7 * 86_400);
/// How long one attempt to connect may take, TLS and login included.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// The client library refuses a shorter keep-alive.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Why a bus cannot be started at all.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A certificate or key file.
    #[error("{path}: {problem}; [mqtt] ca, certificate and key name PEM files")]
    Tls {
        /// Which file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The files are sound but do not make a TLS client.
    #[error("TLS for the broker cannot be set up: {0}; does the key of [mqtt] belong to its certificate?")]
    TlsSetup(#[from] rustls::Error),
}

/// How soon to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// The broker may be back any moment.
    Soon,
    /// Somebody has to mend something first.
    Slowly,
}

/// `mqtt://host:port` or `mqtts://host:port`.
pub(super) fn address(settings: &BusSettings) -> String {
    format!("{settings:?}")
}

pub(super) fn keep_alive(settings: &BusSettings) -> Duration {
    settings.keep_alive.max(SHORTEST_KEEP_ALIVE)
}

/// The options of a connection; its last will is the caller's.
pub(super) fn options(settings: &BusSettings) -> Result<MqttOptions, BusError> {
    let host = match settings.host.contains(':') && settings.tls.is_none() {
        true => format!("[{}]", settings.host.trim_matches(['[', ']'])),
        false => settings.host.clone(),
    };
    let mut options = MqttOptions::new(settings.client_id.clone(), host, settings.port);
    let mut connect = ConnectProperties::new();
    connect.session_expiry_interval = Some(SESSION_EXPIRY.as_secs() as u32);
    connect.receive_maximum = Some(RECEIVE_MAXIMUM);
    connect.max_packet_size = Some(MAX_PACKET);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_LIMIT.as_secs());
    options
        .set_connect_properties(connect)
        .set_clean_start(false)
        .set_keep_alive(keep_alive(settings))
        .set_connection_timeout(CONNECT_LIMIT.as_secs())
        .set_network_options(network)
        .set_manual_acks(true)
        .set_outgoing_inflight_upper_limit(INFLIGHT);
    if let Some(user) = &settings.user {
        options.set_credentials(user.clone(), settings.password.clone().unwrap_or_default());
    }
    if let Some(tls) = &settings.tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(client_tls(tls)?)));
    }
    Ok(options)
}

fn client_tls(tls: &TlsSettings) -> Result<Arc<rustls::ClientConfig>, BusError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(&tls.ca)? {
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(Arc::new(match &tls.client {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable(key, &e))?;
            config.with_client_auth_cert(certificates(certificate)?, key)?
        }
    }))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BusError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(|all| all.collect());
    match read {
        Ok(all) if all.is_empty() => {
            Err(BusError::Tls { path: path.display().to_string(), problem: "holds no certificate".into() })
        }
        Ok(all) => Ok(all),
        Err(e) => Err(unreadable(path, &e)),
    }
}

fn unreadable(path: &Path, error: &rustls::pki_types::pem::Error) -> BusError {
    let problem = match error {
        rustls::pki_types::pem::Error::Io(e) => e.to_string(),
        rustls::pki_types::pem::Error::NoItemsFound => "holds no certificate or key".into(),
        other => other.to_string(),
    };
    BusError::Tls { path: path.display().to_string(), problem }
}

/// What the end of a connection means: in words, with what to do, and how soon to try again.
pub(super) fn explain(error: &ConnectionError, settings: &BusSettings) -> (String, Retry) {
    let broker = address(settings);
    let user = settings.user.as_deref().unwrap_or("(none)");
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword
            | ConnectReturnCode::NotAuthorized
            | ConnectReturnCode::BadAuthenticationMethod,
        ) => (
            format!("{broker} refused the login of user \"{user}\": check [mqtt] user and its password file"),
            Retry::Slowly,
        ),
        ConnectionError::ConnectionRefused(
            code @ (ConnectReturnCode::ServerUnavailable | ConnectReturnCode::ServerBusy),
        ) => (format!("{broker} is not ready: {code:?}"), Retry::Soon),
        ConnectionError::ConnectionRefused(code) => {
            (format!("{broker} refused the connection: {code:?}"), Retry::Slowly)
        }
        // what rustls refuses comes as InvalidData; anything else is a connection that broke meanwhile
        ConnectionError::Tls(TlsError::Io(e)) if e.kind() != std::io::ErrorKind::InvalidData => {
            (format!("the connection to {broker} broke while TLS began: {e}"), Retry::Soon)
        }
        ConnectionError::Tls(e) => (
            format!(
                "TLS with {broker} failed: {e}; check [mqtt] ca, and that the certificate names this host"
            ),
            Retry::Slowly,
        ),
        ConnectionError::Timeout(_) => {
            (format!("{broker} did not answer within {} s", CONNECT_LIMIT.as_secs()), Retry::Soon)
        }
        ConnectionError::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
            (format!("nothing listens at {broker}: is the broker running?"), Retry::Soon)
        }
        ConnectionError::Io(e) => (format!("{broker} cannot be reached: {e}"), Retry::Soon),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
            if *reason_code == DisconnectReasonCode::SessionTakenOver {
                let id = &settings.client_id;
                (
                    format!(
                        "another client connected to {broker} as \"{id}\": give each a client id of its own"
                    ),
                    Retry::Slowly,
                )
            } else {
                let words = reason_string.as_deref().unwrap_or("no further reason");
                (format!("{broker} ended the connection: {reason_code:?}, {words}"), Retry::Soon)
            }
        }
        // TLS 1.3 lets a client find out only after the handshake that its certificate was refused
        ConnectionError::MqttState(StateError::Deserialization(e))
            if e.to_string().contains("fatal alert") =>
        {
            (
                format!(
                    "{broker} refused our certificate, or the lack of one ({e}): check [mqtt] certificate and key"
                ),
                Retry::Slowly,
            )
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            (format!("{broker} no longer answers"), Retry::Soon)
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            (format!("{broker} closed the connection"), Retry::Soon)
        }
        ConnectionError::MqttState(StateError::Io(e)) => {
            (format!("the connection to {broker} broke: {e}"), Retry::Soon)
        }
        other => (format!("the connection to {broker} failed: {other}"), Retry::Soon),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(tls: Option<TlsSettings>) -> BusSettings {
        BusSettings {
            host: "broker.shop".into(),
            port: 8883,
            tls,
            user: Some("daemon".into()),
            password: Some("hunter2".into()),
            client_id: "shopguide-s".into(),
            keep_alive: Duration::from_secs(1),
            personal_for: Duration::from_secs(20),
            home_assistant: false,
        }
    }

    #[test]
    fn a_wrong_password_is_said_in_words_without_the_password() {
        let error = ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized);
        let (words, retry) = explain(&error, &settings(None));
        assert!(words.contains("user \"daemon\"") && words.contains("password file"), "{words}");
        assert!(!words.contains("hunter2"));
        assert_eq!(retry, Retry::Slowly);
    }

    #[test]
    fn a_missing_or_empty_certificate_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        for prepare in [false, true] {
            if prepare {
                std::fs::write(&ca, "no certificate").unwrap();
            }
            let tls = Some(TlsSettings { ca: ca.clone(), client: None });
            let error = options(&settings(tls)).expect_err("refused").to_string();
            assert!(error.contains("ca.pem") && error.contains("[mqtt] ca"), "{error}");
        }
    }

    #[test]
    fn a_keep_alive_that_the_library_would_panic_on_is_raised() {
        assert!(options(&settings(None)).is_ok());
    }
}
