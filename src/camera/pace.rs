//! Rates: how many frames a second go on ([`Pace`]), and how long to wait before opening a lost
//! camera again ([`Backoff`]). Both are plain arithmetic on monotonic time.

use std::time::Duration;

/// Lets at most a given number of frames a second pass, evenly. Over any long time the rate
/// holds; a single frame may come up to half a period early, so that a camera that sends at
/// exactly the rate loses nothing to jitter.
#[derive(Debug)]
pub(crate) struct Pace {
    period: Duration,
    due: Option<Duration>,
}

impl Pace {
    /// `fps` frames a second; what is not a positive number lets everything pass.
    pub(crate) fn new(fps: f32) -> Self {
        let period = if fps.is_finite() && fps > 0.0 {
            Duration::try_from_secs_f32(1.0 / fps).unwrap_or(Duration::MAX)
        } else {
            Duration::ZERO
        };
        Pace { period, due: None }
    }

    /// The time between two frames.
    pub(crate) fn period(&self) -> Duration {
        self.period
    }

    /// Whether a frame that arrived at `mono` passes.
    pub(crate) fn accept(&mut self, mono: Duration) -> bool {
        let due = self.due.unwrap_or(mono);
        if mono + self.period / 2 < due {
            return false;
        }
        self.due = Some(due.max(mono.saturating_sub(self.period / 2)).saturating_add(self.period));
        true
    }
}

/// Waiting times 1, 2, 4, 8, 16, 30, 30, ... seconds. Without jitter: each camera is its own
/// server, so there is no herd to spread.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The longest wait.
    pub(crate) const MOST: Duration = Duration::from_secs(30);

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = Duration::from_secs(1 << self.failures.min(5)).min(Self::MOST);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// Begins again at one second.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_camera_at_exactly_the_rate_loses_nothing_to_jitter() {
        let mut pace = Pace::new(10.0);
        let jitter = [0, 30, -30, 12, -40, 40, -5, 0, 25, -25];
        let passed = (0..1000u64)
            .filter(|n| pace.accept(ms((1000 + n * 100).saturating_add_signed(jitter[*n as usize % 10]))))
            .count();
        assert_eq!(passed, 1000);
    }

    #[test]
    fn a_faster_camera_is_thinned_to_the_rate() {
        for (fps, every) in [(10.0, 33), (10.0, 40), (5.0, 16), (7.5, 66)] {
            let mut pace = Pace::new(fps);
            let passed = (0..60_000 / every).filter(|n| pace.accept(ms(n * every))).count();
            let expected = (60.0 * fps) as usize;
            assert!(
                passed.abs_diff(expected) <= 2,
                "{passed} of {expected} at {fps}/s from every {every} ms"
            );
        }
    }

    #[test]
    fn waits_double_up_to_thirty_seconds_and_begin_again_after_good_frames() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.next().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.next().as_secs(), 1);
    }

    proptest! {
        #[test]
        fn no_pattern_of_arrival_beats_the_rate(gaps in prop::collection::vec(0u64..400, 1..500), fps in 0.5f32..60.0) {
            let mut pace = Pace::new(fps);
            let (mut at, mut passed) = (ms(0), 0u64);
            for gap in gaps {
                at += ms(gap);
                passed += u64::from(pace.accept(at));
            }
            prop_assert!(passed as f32 <= at.as_secs_f32() * fps + 2.0);
        }
    }
}
