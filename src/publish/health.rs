//! How the connection to the broker is doing, for the status page and the metrics.

use crate::clock::Clock;
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Mutex;

/// A snapshot of the bus.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BusHealth {
    /// Where the broker is, e.g. `mqtt://127.0.0.1:1883`.
    pub broker: String,
    /// Since when it is connected; `None` while it is not.
    pub connected_since: Option<Timestamp>,
    /// Connections after the first one.
    pub reconnects: u64,
    /// Messages that the broker acknowledged.
    pub published: u64,
    /// Messages that it refused, and visits that could not be sent.
    pub failed: u64,
    /// Messages sent and not acknowledged yet.
    pub in_flight: u16,
    /// Messages received and taken.
    pub received: u64,
    /// Messages received and refused.
    pub rejected: u64,
    /// What went wrong last, in words; kept when it works again.
    pub last_error: Option<String>,
    /// When.
    pub last_error_at: Option<Timestamp>,
}

/// The living numbers behind [`BusHealth`].
pub(super) struct HealthBook {
    book: Mutex<(BusHealth, u64)>,
    clock: Clock,
}

impl HealthBook {
    pub(super) fn new(broker: String, clock: Clock) -> Self {
        let health = BusHealth {
            broker,
            connected_since: None,
            reconnects: 0,
            published: 0,
            failed: 0,
            in_flight: 0,
            received: 0,
            rejected: 0,
            last_error: None,
            last_error_at: None,
        };
        Self { book: Mutex::new((health, 0)), clock }
    }

    fn with<T>(&self, change: impl FnOnce(&mut BusHealth, &mut u64) -> T) -> T {
        let mut book = self.book.lock().unwrap_or_else(|e| e.into_inner());
        let (health, connections) = &mut *book;
        change(health, connections)
    }

    pub(super) fn snapshot(&self, (received, rejected): (u64, u64)) -> BusHealth {
        BusHealth { received, rejected, ..self.with(|h, _| h.clone()) }
    }

    pub(super) fn connected(&self) {
        let now = self.clock.now().utc;
        self.with(|h, connections| {
            h.connected_since = Some(now);
            h.reconnects = *connections;
            *connections += 1;
        });
    }

    /// Notes that there is no connection, and why; true if that is news.
    pub(super) fn lost(&self, why: &str) -> bool {
        let now = self.clock.now().utc;
        self.with(|h, _| {
            let news = h.connected_since.is_some() || h.last_error.as_deref() != Some(why);
            h.connected_since = None;
            h.in_flight = 0;
            h.last_error = Some(why.to_owned());
            h.last_error_at = Some(now);
            news
        })
    }

    pub(super) fn disconnected(&self) {
        self.with(|h, _| {
            h.connected_since = None;
            h.in_flight = 0;
        });
    }

    /// Notes a trouble that leaves the connection up; true if that is news.
    pub(super) fn trouble(&self, what: &str) -> bool {
        let now = self.clock.now().utc;
        self.with(|h, _| {
            h.failed += 1;
            let news = h.last_error.as_deref() != Some(what);
            h.last_error = Some(what.to_owned());
            h.last_error_at = Some(now);
            news
        })
    }

    pub(super) fn published(&self) {
        self.with(|h, _| h.published += 1);
    }

    pub(super) fn failed(&self) {
        self.with(|h, _| h.failed += 1);
    }

    pub(super) fn in_flight(&self, n: u16) {
        self.with(|h, _| h.in_flight = n);
    }
}
