//! Once a day what is older than it may be kept is taken out: by the store's own clock, so that days on
//! which the box slept count too, and the first time an hour after the start, so that a box which is
//! switched off every night does it as well.
//!
//! What always holds: a clock that was set ahead makes it due once, one that was set back puts it off by
//! a day at most; and no one time moves the cut-off further than `storage::retention` allows.

use crate::clock::Clock;
use crate::storage::Store;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// After the start.
const FIRST: SignedDuration = SignedDuration::from_hours(1);
/// Between two times.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Pause between two looks at the clock.
const LOOK: Duration = Duration::from_secs(10);

/// Takes out what is too old, day after day, for as long as the runtime lives.
pub async fn run(store: Store, clock: Clock, keep_days: u32) {
    let mut daily = Daily::new(clock.now().utc);
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let now = clock.now().utc;
        if !daily.is_due(now) {
            continue;
        }
        let store = store.clone();
        match tokio::task::spawn_blocking(move || store.expire(now, keep_days)).await {
            Ok(Ok(expired)) => tracing::debug!(?expired, "what was too old was taken out"),
            Ok(Err(error)) => {
                tracing::error!(id = "retention-failed", %error, "what is too old could not be taken out; tried again tomorrow")
            }
            Err(_) => return,
        }
    }
}

/// When it is due.
struct Daily(Timestamp);

impl Daily {
    fn new(now: Timestamp) -> Self {
        Self(now + FIRST)
    }

    fn is_due(&mut self, now: Timestamp) -> bool {
        if now < self.0 {
            // A clock that was set back must not put it off for years.
            self.0 = self.0.min(now + DAY);
            return false;
        }
        self.0 = now + DAY;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(n: i64) -> Timestamp {
        "2026-05-04T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(n)
    }

    fn due(daily: &mut Daily, hours: impl IntoIterator<Item = i64>) -> Vec<i64> {
        hours.into_iter().filter(|h| daily.is_due(hour(*h))).collect()
    }

    #[test]
    fn it_is_due_an_hour_after_the_start_and_then_once_a_day() {
        assert_eq!(due(&mut Daily::new(hour(0)), 0..80), [1, 25, 49, 73]);
    }

    #[test]
    fn a_night_asleep_puts_nothing_off() {
        assert_eq!(due(&mut Daily::new(hour(0)), [0, 1, 2, 100, 101]), [1, 100]);
    }

    #[test]
    fn a_clock_set_ahead_and_back_makes_it_due_once_and_then_a_day_later() {
        let years = 10 * 365 * 24;
        let mut daily = Daily::new(hour(0));
        assert_eq!(due(&mut daily, [1, 2, years, years + 1]), [1, years]);
        assert_eq!(due(&mut daily, 3..60), [27, 51]);
    }
}
