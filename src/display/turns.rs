//! Whose slate a display shows when several members stand before it. Pure.
//!
//! What always holds: only someone present is served; everybody gets a turn; and nobody's slate is
//! taken away before it could be read, unless they leave.

use crate::clock::Now;
use crate::id::MemberId;
use std::time::Duration;

#[derive(Debug, Clone)]
struct Waiting {
    member: MemberId,
    served: bool,
}

/// The members before one display, in order of arrival.
#[derive(Debug, Clone)]
pub struct Turns {
    at_least: Duration,
    present: Vec<Waiting>,
    serving: Option<(MemberId, Now)>,
}

impl Turns {
    /// `at_least` is how long a slate stays before the next member's may replace it.
    pub fn new(at_least: Duration) -> Self {
        Self { at_least, present: Vec::new(), serving: None }
    }

    /// Someone came.
    pub fn enter(&mut self, member: MemberId) {
        if !self.present.iter().any(|w| w.member == member) {
            self.present.push(Waiting { member, served: false });
        }
    }

    /// Someone went.
    pub fn leave(&mut self, member: MemberId) {
        self.present.retain(|w| w.member != member);
        if self.serving.is_some_and(|(m, _)| m == member) {
            self.serving = None;
        }
    }

    /// Whom to serve now: first who waits longest without having been served, else who came last.
    pub fn serve(&mut self, now: Now) -> Option<MemberId> {
        let next = self.present.iter().find(|w| !w.served).map(|w| w.member);
        let chosen = match (self.serving, next) {
            (Some((member, since)), next) => match next {
                Some(next) if now.since(since) >= self.at_least => next,
                _ => return Some(member),
            },
            (None, Some(next)) => next,
            (None, None) => self.present.last()?.member,
        };
        if let Some(w) = self.present.iter_mut().find(|w| w.member == chosen) {
            w.served = true;
        }
        self.serving = Some((chosen, now));
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use proptest::prelude::*;

    const A: MemberId = MemberId(1);
    const B: MemberId = MemberId(2);

    fn turns() -> (Turns, Clock) {
        (Turns::new(Duration::from_secs(5)), Clock::simulated(jiff::Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn two_who_come_together_are_served_one_after_the_other() {
        let (mut turns, clock) = turns();
        turns.enter(A);
        turns.enter(B);
        assert_eq!(turns.serve(clock.now()), Some(A));
        clock.advance(Duration::from_secs(4));
        assert_eq!(turns.serve(clock.now()), Some(A));
        clock.advance(Duration::from_secs(1));
        assert_eq!(turns.serve(clock.now()), Some(B));
        clock.advance(Duration::from_secs(60));
        assert_eq!(turns.serve(clock.now()), Some(B));
        turns.leave(B);
        assert_eq!(turns.serve(clock.now()), Some(A));
        turns.leave(A);
        assert_eq!(turns.serve(clock.now()), None);
    }

    #[test]
    fn the_next_is_served_at_once_when_the_first_leaves() {
        let (mut turns, clock) = turns();
        turns.enter(A);
        turns.serve(clock.now());
        turns.enter(B);
        turns.leave(A);
        assert_eq!(turns.serve(clock.now()), Some(B));
    }

    proptest! {
        #[test]
        fn only_someone_present_is_served(steps in prop::collection::vec((0u8..3, 0i64..5), 0..80)) {
            let (mut turns, clock) = turns();
            let mut present = std::collections::BTreeSet::new();
            for (what, who) in steps {
                let member = MemberId(who);
                match what {
                    0 => { turns.enter(member); present.insert(member); }
                    1 => { turns.leave(member); present.remove(&member); }
                    _ => clock.advance(Duration::from_secs(2)),
                }
                match turns.serve(clock.now()) {
                    Some(member) => prop_assert!(present.contains(&member)),
                    None => prop_assert!(present.is_empty()),
                }
            }
        }
    }
}
