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
    /// See [`Clock::catching_up`].
    CatchingUp {
        /// When it was made.
        start: Instant,
        /// The wall clock then.
        from: Timestamp,
        /// Wall seconds in a real one.
        rate: u32,
    },
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

    /// A wall clock that begins at `from` and runs `rate` times as fast as it should until it has caught
    /// up with the machine's. Durations stay real. Days go by in minutes: for tests of what days do.
    pub fn catching_up(from: Timestamp, rate: u32) -> Self {
        Clock::CatchingUp { start: Instant::now(), from, rate }
    }

    /// The present moment.
    pub fn now(&self) -> Now {
        match self {
            Clock::System(start) => Now { mono: start.elapsed(), utc: Timestamp::now() },
            Clock::Simulated(now) => *now.lock().unwrap_or_else(|e| e.into_inner()),
            Clock::CatchingUp { start, from, rate } => {
                let mono = start.elapsed();
                let hurried = from.checked_add(mono.saturating_mul(*rate)).unwrap_or(Timestamp::MAX);
                Now { mono, utc: hurried.min(Timestamp::now()) }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_catches_up_hurries_and_is_then_the_machines() {
        let from = Timestamp::now() - jiff::SignedDuration::from_hours(24 * 20);
        let clock = Clock::catching_up(from, 1_000_000);
        let before = clock.now();
        std::thread::sleep(Duration::from_millis(20));
        let after = clock.now();
        assert!(after.utc.duration_since(before.utc) >= jiff::SignedDuration::from_secs(20_000));
        let behind = |now: Now| Timestamp::now().duration_since(now.utc);
        while behind(clock.now()) > jiff::SignedDuration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(clock.now().utc <= Timestamp::now());
    }
}
