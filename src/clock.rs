//! Time as a parameter. Logic takes a [`Now`]; only the edges (threads, tasks, commands) ask a
//! [`Clock`] for one. `mono` measures durations and never jumps; `utc` is what is stored and shown.

use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One moment on both time lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Since the clock was made; never goes back.
    pub mono: Duration,
    /// Wall clock, UTC; may jump when an administrator or NTP sets it.
    pub utc: Timestamp,
}

impl Now {
    /// Monotonic time passed since `earlier` (zero if it is later).
    pub fn since(&self, earlier: Now) -> Duration {
        self.mono.saturating_sub(earlier.mono)
    }
}

/// A source of [`Now`]: the machine's, or one that a test moves.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clocks.
    System(Instant),
    /// Moves only by [`Clock::advance`].
    Simulated(Arc<Mutex<Now>>),
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Clock::System(Instant::now())
    }

    /// A clock that stands at `utc` until it is advanced.
    pub fn simulated(utc: Timestamp) -> Self {
        Clock::Simulated(Arc::new(Mutex::new(Now { mono: Duration::ZERO, utc })))
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        match self {
            Clock::System(start) => Now { mono: start.elapsed(), utc: Timestamp::now() },
            Clock::Simulated(now) => *now.lock().unwrap_or_else(|e| e.into_inner()),
        }
    }

    /// Moves a simulated clock on; the system's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Clock::Simulated(now) = self {
            let mut now = now.lock().unwrap_or_else(|e| e.into_inner());
            now.mono += by;
            now.utc += by;
        }
    }
}
