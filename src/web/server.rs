//! Accepts connections and drains them. At most [`CONNECTIONS`] at a time; one that does not send
//! its request's head in time is closed, so silent clients cannot take all places for long. At
//! shutdown event streams end at once and other requests may finish within [`DRAIN`].

use super::guard::Peer;
use super::{AppState, router};
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Connections at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 512;
/// Time for the head of a request, also while a kept connection is idle.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Largest head and read buffer of a connection.
const HEAD_BYTES: usize = 16 * 1024;
/// Time that running requests get at shutdown.
const DRAIN: Duration = Duration::from_secs(3);

/// Serves pages and API on `listener` until `stop` turns true or its sender is gone, then drains.
/// Returns an error only if the listener itself is broken.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "pages and API are served");
    let service = TowerToHyperService::new(router(state, stop.clone()));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();

    loop {
        let (stream, peer, place) = tokio::select! {
            _ = stopped(&mut stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = next(&listener, &places) => accepted,
        };
        let service = service.clone();
        let mut stop = stop.clone();
        connections.spawn(async move {
            let _place = place;
            let _ = stream.set_nodelay(true);
            let with_peer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Peer(peer));
                service.call(request)
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES);
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), with_peer));
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                _ = stopped(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a connection ended early");
            }
        });
    }

    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!(
            id = "requests-cut-off",
            left = connections.len(),
            "requests were still running at shutdown and are cut off"
        );
    }
    Ok(())
}

/// The next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, std::net::SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                // out of file descriptors, or a client that hung up: neither is the listener's end
                tracing::warn!(id = "connections-exhausted", %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Waits until the server must stop.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // an error means that nobody is left to say so: stop too
    let _ = stop.wait_for(|stop| *stop).await;
}
