//! The embedded MQTT broker and its limits, for shops that have none of their own.
//!
//! The broker proper is `mqtt5`, listening on a loopback port of its own choosing. What the shop
//! reaches is our gate in front of it: plain TCP, TLS and WebSocket. The gate lets a connection
//! through only after a whole, sensible first packet within 5 s, and holds at most 512 that have not
//! got so far; so a silent or talkative stranger costs a place for 5 s and nothing else.
//!
//! - Without a users file anybody who reaches the port may connect, so then all addresses must be
//!   loopback. With one, a user may use the topics of its role only (see `rules`).
//! - Receipts, catalogue and stock go straight to the daemon, and the sender's PUBACK goes out after
//!   the daemon's commit. They are not passed on to other subscribers.
//! - Memory only: retained messages and sessions end with the process. The daemon publishes its
//!   slates again at every start; displays publish their status when they connect.
//! - Known of `mqtt5`: it adds the user property `x-mqtt-client-id` to what it passes on, so client
//!   ids are no secrets. Its own TLS and WebSocket listeners stall on one silent client: not used.

mod commit;
mod gate;
mod rules;
pub mod settings;
mod tls;
mod users;
mod websocket;

use crate::publish::Intake;
use gate::{Front, Gate};
use mqtt5::broker::config::{StorageBackend, StorageConfig};
use mqtt5::broker::{BrokerConfig, BrokerShutdownHandle, MqttBroker};
use settings::BrokerSettings;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use users::{Door, Users};

/// How long a client's subscriptions and waiting messages outlive its connection at most.
const LONGEST_SESSION: Duration = Duration::from_secs(3600);
/// Messages and bytes that wait for one client at most.
const WAITING_MESSAGES: usize = 1_000;
const WAITING_BYTES: usize = 16 << 20;
/// Subscriptions of one client.
const SUBSCRIPTIONS: usize = 64;

/// Why the broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// An address cannot be listened on.
    #[error("the broker cannot listen on {address} ([broker] {key}): {source}{hint}")]
    Listen {
        /// Which key of the configuration.
        key: &'static str,
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
        /// What to do, if that is known.
        hint: &'static str,
    },
    /// Open to a network without users.
    #[error(
        "the broker would be open to anybody on the network at {0}: give [broker] a users file, or listen on \
         127.0.0.1 only"
    )]
    Open(SocketAddr),
    /// The users file.
    #[error("[broker] users {path}: {problem}")]
    Users {
        /// Which file.
        path: PathBuf,
        /// What is wrong, all lines at once.
        problem: String,
    },
    /// Certificate or key.
    #[error("[broker] tls {path}: {problem}")]
    Tls {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The broker proper refused to start.
    #[error("the embedded broker did not start: {0}")]
    Inner(String),
}

/// The running broker.
pub struct Broker {
    address: SocketAddr,
    tls: Option<SocketAddr>,
    websocket: Option<SocketAddr>,
    door: Arc<Door>,
    users_file: Option<PathBuf>,
    shutdown: BrokerShutdownHandle,
    inner: JoinHandle<()>,
    fronts: JoinSet<()>,
}

impl Broker {
    /// Listens and serves; must be called inside a tokio runtime. What tills and the back office
    /// send goes to `intake`, if one is given, and is acknowledged after its commit.
    ///
    /// # Errors
    /// An address that is taken or open to all, a users file or certificate that cannot be used.
    pub async fn start(settings: &BrokerSettings, intake: Option<Intake>) -> Result<Broker, BrokerError> {
        let users = match &settings.users {
            Some(path) => Some(Users::load(path)?),
            None => {
                let addresses =
                    [Some(settings.listen), settings.tls.as_ref().map(|t| t.0), settings.websocket];
                match addresses.into_iter().flatten().find(|a| !a.ip().is_loopback()) {
                    Some(open) => return Err(BrokerError::Open(open)),
                    None => None,
                }
            }
        };
        let door = Arc::new(Door::new(users));
        let listener = listen("listen", settings.listen).await?;
        let tls = match &settings.tls {
            Some((address, certificate, key)) => {
                let acceptor = tls::acceptor(certificate, key)?;
                Some((listen("tls", *address).await?, acceptor))
            }
            None => None,
        };
        let websocket = match settings.websocket {
            Some(address) => Some(listen("websocket", address).await?),
            None => None,
        };

        let config = inner_config(settings, intake);
        let mut broker = MqttBroker::with_config(config)
            .await
            .map_err(|e| BrokerError::Inner(e.to_string()))?
            .with_auth_provider(door.clone());
        let inside = broker.local_addr().ok_or_else(|| BrokerError::Inner("it has no address".into()))?;
        let shutdown = broker.shutdown_handle();
        let inner = tokio::spawn(async move {
            if let Err(e) = broker.run().await {
                tracing::error!(id = "broker-failed", error = %e, "the embedded broker ended");
            }
        });

        let gate = Gate::new(inside, settings.max_clients, settings.max_packet);
        let mut fronts = JoinSet::new();
        let address = bound(&listener, settings.listen);
        fronts.spawn(gate.clone().serve(listener, Front::Plain));
        let tls = tls.map(|(listener, acceptor)| {
            let at = bound(&listener, settings.listen);
            fronts.spawn(gate.clone().serve(listener, Front::Tls(acceptor)));
            at
        });
        let websocket = websocket.map(|listener| {
            let at = bound(&listener, settings.listen);
            fronts.spawn(gate.clone().serve(listener, Front::WebSocket));
            at
        });
        tracing::info!(%address, tls = ?tls, websocket = ?websocket, "the embedded broker listens");
        let users_file = settings.users.clone();
        Ok(Broker { address, tls, websocket, door, users_file, shutdown, inner, fronts })
    }

    /// Where plain MQTT is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where MQTT over TLS is served.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// Where MQTT over WebSocket is served.
    pub fn websocket_address(&self) -> Option<SocketAddr> {
        self.websocket
    }

    /// User and password with which the daemon itself may connect, drawn anew at every start;
    /// `None` when no users file is set and nobody needs one.
    pub fn own_login(&self) -> Option<(String, String)> {
        self.door.own_login()
    }

    /// Reads the users file again; on a mistake the users stay as they were. Connections that are
    /// open stay open.
    ///
    /// # Errors
    /// A users file that cannot be used.
    pub fn reload(&self) -> Result<(), BrokerError> {
        if let Some(path) = &self.users_file {
            self.door.replace(Users::load(path)?);
        }
        Ok(())
    }

    /// Closes all connections and ends; at most about 2 s.
    pub async fn stop(mut self) {
        self.fronts.shutdown().await;
        self.shutdown.shutdown();
        if tokio::time::timeout(Duration::from_secs(2), &mut self.inner).await.is_err() {
            self.inner.abort();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shutdown.shutdown();
    }
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, BrokerError> {
    TcpListener::bind(address).await.map_err(|source| {
        let hint = match source.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; another program has this port, perhaps another broker: stop it, choose another port, or turn \
                 [broker] off and let [mqtt] point at it"
            }
            std::io::ErrorKind::AddrNotAvailable => "; no network interface has this address",
            std::io::ErrorKind::PermissionDenied => "; ports below 1024 need the right to use them",
            _ => "",
        };
        BrokerError::Listen { key, address, source, hint }
    })
}

fn bound(listener: &TcpListener, otherwise: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(otherwise)
}

fn inner_config(settings: &BrokerSettings, intake: Option<Intake>) -> BrokerConfig {
    let mut config = BrokerConfig::default().with_bind_address((Ipv4Addr::LOCALHOST, 0));
    config.max_clients = settings.max_clients;
    config.session_expiry_interval = LONGEST_SESSION;
    config.max_packet_size = settings.max_packet;
    config.topic_alias_maximum = 16;
    config.max_subscriptions_per_client = SUBSCRIPTIONS;
    config.max_retained_messages = settings.max_retained;
    config.max_retained_message_size = settings.max_packet;
    config.client_channel_capacity = WAITING_MESSAGES;
    config.server_receive_maximum = Some(128);
    config.sys_topics_enabled = false;
    // our door decides instead; its per-address lockout would let one client behind the gate lock
    // out all others, the daemon included
    config.auth_config.rate_limit.enabled = false;
    config.storage_config = StorageConfig {
        backend: StorageBackend::Memory,
        max_queued_messages_per_client: WAITING_MESSAGES.max(settings.max_retained),
        max_queued_bytes_per_client: WAITING_BYTES,
        ..StorageConfig::default()
    };
    config.event_handler = intake.map(commit::after_commit);
    config
}
