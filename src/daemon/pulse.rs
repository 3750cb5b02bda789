//! The pulse of what has no loop of its own to beat in: the writer of the database proves that it
//! still takes changes, the cameras' book that it can be read, the network's tasks that they run. The
//! watchdog is fed only while all of them, and the threads that look and decide, get somewhere.
//!
//! One camera that hangs in its driver is told by its health and takes nothing else along.

use super::heartbeat::Heartbeat;
use crate::camera::Cameras;
use crate::clock::Clock;
use crate::storage::{StorageError, Store};
use std::sync::Arc;
use std::time::Duration;

/// Time between two proofs: several fit into the time after which a part counts as stuck.
const EVERY: Duration = Duration::from_secs(3);

/// What beats.
pub struct Pulse {
    /// The database's writer.
    pub store: Heartbeat,
    /// The cameras' book.
    pub cameras: Heartbeat,
    /// The tasks of bus, broker and pages.
    pub network: Heartbeat,
}

impl Pulse {
    /// Beats for as long as the runtime lives.
    pub async fn run(self, store: Store, cameras: Arc<Cameras>, clock: Clock) {
        let mut ticks = tokio::time::interval(EVERY);
        let busy = Arc::new(());
        loop {
            ticks.tick().await;
            self.network.beat(clock.now());
            // While one proof hangs no second is begun: they would pile up.
            if Arc::strong_count(&busy) > 1 {
                continue;
            }
            let (held, store, cameras, clock) = (busy.clone(), store.clone(), cameras.clone(), clock.clone());
            let (store_heart, cameras_heart) = (self.store.clone(), self.cameras.clone());
            tokio::task::spawn_blocking(move || {
                cameras.health();
                cameras_heart.beat(clock.now());
                // Busy, locked or a full disk are answers, too, and no restart helps against them.
                if !matches!(store.takes_changes(), Err(StorageError::Stopped)) {
                    store_heart.beat(clock.now());
                }
                drop(held);
            });
        }
    }
}
