//! Proof of life: each thread that must make progress beats; the watchdog is fed only while all of
//! them do.

use crate::clock::Now;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The last beat of one thread. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    name: Arc<str>,
    last: Arc<AtomicU64>,
}

impl Heartbeat {
    /// A thread that counts as alive from `now`.
    pub fn new(name: &str, now: Now) -> Self {
        Self { name: name.into(), last: Arc::new(AtomicU64::new(now.mono.as_millis() as u64)) }
    }

    /// The thread got somewhere.
    pub fn beat(&self, now: Now) {
        self.last.store(now.mono.as_millis() as u64, Ordering::Relaxed);
    }

    /// The thread's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long ago it last got anywhere.
    pub fn silent_for(&self, now: Now) -> Duration {
        now.mono.saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}
