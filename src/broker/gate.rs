//! In front of the broker proper: lets a connection through after a whole first packet.
//!
//! Everything before that is limited: 5 s for the TLS or WebSocket handshake and the first packet
//! together, 512 connections that have not got so far, a first packet of at most 64 KiB that begins
//! like an MQTT CONNECT. When the 512 places are taken, the one who has waited longest makes room: a
//! client that means it needs milliseconds, so silent ones cannot keep it out. After it, bytes are piped both ways until either side ends. A connection
//! whose CONNECT the broker does not answer within 15 s ends as well.

use super::websocket;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

/// How long a client may take to its first whole packet.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections that have not got so far.
const WAITING_ROOM: usize = 512;
/// Bytes of the first packet: a client id, a will, a name and a password.
const FIRST_PACKET: usize = 64 * 1024;
/// How long the broker may take to answer it; its own limit for a login is 10 s.
const ANSWER: Duration = Duration::from_secs(15);
/// After the system refused a connection, e.g. for lack of file descriptors.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// What a client speaks below MQTT.
#[derive(Clone)]
pub(super) enum Front {
    Plain,
    Tls(TlsAcceptor),
    WebSocket,
}

/// Those who have not got past their first packet, by order of arrival; each can be told to leave.
#[derive(Default)]
struct WaitingRoom {
    places: Mutex<(u64, BTreeMap<u64, oneshot::Sender<()>>)>,
}

/// A place in the waiting room; dropping it gives it up.
struct Place {
    number: u64,
    room: Arc<WaitingRoom>,
}

impl WaitingRoom {
    /// Takes a place; when there is none, the longest waiting is told to leave. Returns the place,
    /// the call to leave it, and whether the room was full.
    fn enter(self: Arc<Self>) -> (Place, oneshot::Receiver<()>, bool) {
        let (leave, must_leave) = oneshot::channel();
        let (number, was_full) = {
            let mut places = self.places.lock().unwrap_or_else(|e| e.into_inner());
            places.0 += 1;
            let number = places.0;
            let was_full = places.1.len() >= WAITING_ROOM;
            if was_full && let Some((_, oldest)) = places.1.pop_first() {
                let _ = oldest.send(());
            }
            places.1.insert(number, leave);
            (number, was_full)
        };
        (Place { number, room: self }, must_leave, was_full)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.places.lock().unwrap_or_else(|e| e.into_inner()).1.remove(&self.number);
    }
}

/// The limits, shared by all fronts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate {
    inside: SocketAddr,
    waiting: Arc<WaitingRoom>,
    clients: Arc<Semaphore>,
    max_packet: usize,
    turned_away: Arc<AtomicU64>,
}

impl Gate {
    pub(super) fn new(inside: SocketAddr, max_clients: usize, max_packet: usize) -> Self {
        Self {
            inside,
            waiting: Arc::default(),
            clients: Arc::new(Semaphore::new(max_clients)),
            max_packet,
            turned_away: Arc::default(),
        }
    }

    /// Serves `listener` until the task is aborted; all its connections end with it.
    pub(super) async fn serve(self, listener: TcpListener, front: Front) {
        let mut connections = JoinSet::new();
        loop {
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(e) => {
                    tracing::warn!(id = "connections-exhausted", error = %e, "the broker's gate cannot accept a connection");
                    tokio::time::sleep(REFUSED_PAUSE).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let (place, must_leave, was_full) = self.waiting.clone().enter();
            if was_full {
                self.turn_away("too many connections are waiting to log in; the oldest was closed");
            }
            let (gate, front) = (self.clone(), front.clone());
            connections.spawn(async move {
                let made_room = async {
                    // once through the door the place is given up, and nobody can claim it
                    if must_leave.await.is_err() {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    ended = gate.handle(stream, front, place) => if let Err(e) = ended {
                        tracing::debug!(%from, error = %e, "a connection to the broker ended");
                    },
                    () = made_room => tracing::debug!(%from, "a connection made room for another"),
                }
            });
        }
    }

    /// Counts a connection that found no place; says so at the first and every thousandth.
    fn turn_away(&self, why: &str) {
        let before = self.turned_away.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(1000) {
            tracing::warn!(
                id = "broker-gate",
                reason = why,
                so_far = before + 1,
                "the broker's gate turned a connection away"
            );
        }
    }

    async fn handle(&self, stream: TcpStream, front: Front, place: Place) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let deadline = Instant::now() + HANDSHAKE;
        match front {
            Front::Plain => self.admit(stream, deadline, place).await,
            Front::Tls(acceptor) => {
                let stream = timeout_at(deadline, acceptor.accept(stream)).await??;
                self.admit(stream, deadline, place).await
            }
            Front::WebSocket => {
                let (stream, pump) =
                    timeout_at(deadline, websocket::accept(stream, self.max_packet)).await??;
                tokio::select! {
                    ended = pump => ended,
                    ended = self.admit(stream, deadline, place) => ended,
                }
            }
        }
    }

    /// Reads the first packet, and pipes from then on.
    async fn admit<S>(&self, mut stream: S, deadline: Instant, place: Place) -> std::io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let first = timeout_at(deadline, first_packet(&mut stream)).await??;
        let Ok(_client) = self.clients.clone().try_acquire_owned() else {
            self.turn_away("[broker] max_clients are connected");
            return Ok(());
        };
        let mut inside = TcpStream::connect(self.inside).await?;
        inside.set_nodelay(true)?;
        inside.write_all(&first).await?;
        let mut answer = [0; 1024];
        let n = timeout(ANSWER, inside.read(&mut answer)).await??;
        stream.write_all(&answer[..n]).await?;
        stream.flush().await?;
        drop(place);
        copy_bidirectional(&mut stream, &mut inside).await.map(drop)
    }
}

fn refused(why: &'static str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, why)
}

/// Reads one whole packet that begins like an MQTT CONNECT, and not a byte more.
async fn first_packet<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![stream.read_u8().await?];
    if packet[0] != 0x10 {
        return Err(refused("the first packet is no CONNECT"));
    }
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = stream.read_u8().await?;
        packet.push(byte);
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            // protocol name, version, flags, keep-alive: 10 bytes at least
            if !(10..=FIRST_PACKET).contains(&length) {
                return Err(refused("the first packet has no sensible length"));
            }
            let header = packet.len();
            packet.resize(header + length, 0);
            stream.read_exact(&mut packet[header..]).await?;
            return match &packet[header..header + 6] {
                b"\0\x04MQTT" => Ok(packet),
                _ => Err(refused("the first packet is not MQTT")),
            };
        }
    }
    Err(refused("the first packet's length does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn connect(rest: &[u8]) -> Vec<u8> {
        let body = [b"\0\x04MQTT", rest].concat();
        [&[0x10, body.len() as u8], &body[..]].concat()
    }

    #[tokio::test]
    async fn a_connect_is_read_whole_and_nothing_after_it() {
        let packet = connect(b"\x05\x02\0\x0a\0\0\0");
        let mut stream: &[u8] = &[&packet[..], b"more"].concat();
        assert_eq!(first_packet(&mut stream).await.unwrap(), packet);
        assert_eq!(stream, b"more");
    }

    #[tokio::test]
    async fn five_bytes_of_anything_else_are_refused() {
        for bytes in
            [b"\x10\xff\xff\xff\xff", b"\xc0\0\xc0\0\xc0", b"GET /", b"\x10\0\0\0\0", b"\x16\x03\x01\0\0"]
        {
            assert!(first_packet(&mut &bytes[..]).await.is_err(), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_full_room_sends_the_longest_waiting_away() {
        let room = Arc::new(WaitingRoom::default());
        let mut waiting: Vec<_> = (0..WAITING_ROOM).map(|_| room.clone().enter()).collect();
        assert!(waiting.iter().all(|(_, _, was_full)| !was_full));
        let (_place, _, was_full) = room.clone().enter();
        assert!(was_full);
        assert_eq!(waiting[0].1.try_recv(), Ok(()));
        assert!(waiting[1].1.try_recv().is_err());
        drop(waiting);
        assert_eq!(room.places.lock().unwrap().1.len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), connect in any::<bool>()) {
            let bytes = if connect { [&[0x10][..], &bytes].concat() } else { bytes };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(packet) = runtime.block_on(first_packet(&mut &bytes[..])) {
                prop_assert!(bytes.starts_with(&packet));
            }
        }
    }
}
