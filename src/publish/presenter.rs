//! What one display must be told so that it shows its present screen, and under which sequence.
//! Pure: it decides, the bus sends.
//!
//! Invariants, for a display that ignores lower sequences and lets a store-level slate with a higher
//! one end a personal slate (see `wire`):
//!
//! - A sequence is never given to two different contents, and never goes back.
//! - After the last message the display shows the screen's present content.
//! - Saying the same again (`all`) repeats the sequences, so that it changes nothing on a display.

use super::desired::Screen;
use crate::id::DisplayId;
use crate::recommend::Slate;
use jiff::Timestamp;
use std::sync::Arc;

/// One message to a display.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Say {
    /// A store-level slate, its sequence, and after how many seconds the broker is to drop it; retained.
    Store(Arc<Slate>, u64, u32),
    /// A personal slate likewise, not retained.
    Personal(Arc<Slate>, u64, u32),
    /// Nothing to show; clears what is retained.
    Clear,
}

#[derive(Debug, Clone, PartialEq)]
enum Retained {
    /// Nothing was ever said: what the broker holds may be from an earlier run and still true.
    Untouched,
    Cleared,
    Slate(Arc<Slate>, u64),
}

/// The memory of what was said to one display.
#[derive(Debug, Clone)]
pub(super) struct Presenter {
    display: DisplayId,
    last_sequence: u64,
    retained: Retained,
    personal: Option<(Arc<Slate>, u64)>,
}

impl Presenter {
    pub(super) fn new(display: DisplayId) -> Self {
        Self { display, last_sequence: 0, retained: Retained::Untouched, personal: None }
    }

    /// The messages that bring the display from what it was told to `screen` at `now`; with `all`
    /// also what it was told already, for a broker or display that may have forgotten.
    pub(super) fn messages(&mut self, screen: &Screen, now: Timestamp, all: bool) -> Vec<Say> {
        let store = self.usable(screen.store.as_ref(), now);
        let mut personal = self.usable(screen.personal.as_ref(), now);
        let same_personal = matches!((&self.personal, &personal), (Some((said, _)), Some(p)) if said == p);
        // with less than a second left there is no whole second of message expiry to give it
        if personal.as_ref().is_some_and(|p| !same_personal && seconds_left(p, now) == 0) {
            personal = None;
        }
        let withdrawn = self.personal.is_some() && personal.is_none();

        let mut said = Vec::new();
        let mut new_store = false;
        match store {
            Some(slate) => match &self.retained {
                Retained::Slate(before, sequence) if *before == slate && !withdrawn => {
                    if all {
                        let left = seconds_left(&slate, now).max(1);
                        said.push(Say::Store(slate, *sequence, left));
                    }
                }
                _ => {
                    let sequence = self.next_sequence(&slate);
                    self.retained = Retained::Slate(slate.clone(), sequence);
                    let left = seconds_left(&slate, now).max(1);
                    said.push(Say::Store(slate, sequence, left));
                    new_store = true;
                }
            },
            None => {
                let held = matches!(self.retained, Retained::Slate(..));
                if held || withdrawn || (all && self.retained == Retained::Cleared) {
                    self.retained = Retained::Cleared;
                    said.push(Say::Clear);
                    new_store = true;
                }
            }
        }
        self.personal = personal.map(|slate| {
            let before = self.personal.as_ref().map(|(_, sequence)| *sequence);
            let left = seconds_left(&slate, now);
            match before {
                Some(sequence) if same_personal && !new_store => {
                    if all && left > 0 {
                        said.push(Say::Personal(slate.clone(), sequence, left));
                    }
                    (slate, sequence)
                }
                _ => {
                    let sequence = self.next_sequence(&slate);
                    if left > 0 {
                        said.push(Say::Personal(slate.clone(), sequence, left));
                    }
                    (slate, sequence)
                }
            }
        });
        said
    }

    /// The next moment at which the passing of time alone calls for a message.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        let store = match &self.retained {
            Retained::Slate(slate, _) => Some(slate.valid_until),
            _ => None,
        };
        let personal = self.personal.as_ref().map(|(slate, _)| slate.valid_until);
        [store, personal].into_iter().flatten().min()
    }

    /// Whether somebody is being shown something of their own.
    pub(super) fn is_personal(&self) -> bool {
        self.personal.is_some()
    }

    /// Takes over the sequences that `other` gave out although its messages did not all go out.
    pub(super) fn skip_sequences_of(&mut self, other: &Presenter) {
        self.last_sequence = self.last_sequence.max(other.last_sequence);
    }

    fn usable(&self, slate: Option<&Arc<Slate>>, now: Timestamp) -> Option<Arc<Slate>> {
        let slate = slate.filter(|s| s.valid_until > now)?;
        if slate.display != self.display {
            tracing::error!(id = "slate-misdirected", display = %self.display, meant_for = %slate.display, slate = %slate.id,
                "a slate for another display was put on this one's screen; it is not published");
            return None;
        }
        Some(slate.clone())
    }

    fn next_sequence(&mut self, slate: &Slate) -> u64 {
        self.last_sequence = slate.sequence.max(self.last_sequence + 1);
        self.last_sequence
    }
}

/// Whole seconds until `slate` stops being true, as a message expiry interval.
fn seconds_left(slate: &Slate, now: Timestamp) -> u32 {
    let left = slate.valid_until.duration_since(now).as_secs();
    u32::try_from(left.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{MemberId, SlateId};
    use crate::recommend::Audience;
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(second: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(1_000_000 + second)
    }

    fn slate(name: &str, sequence: u64, personal: bool, until: u64) -> Arc<Slate> {
        let audience = if personal { Audience::Personal { member: MemberId(1) } } else { Audience::Store };
        Arc::new(Slate {
            id: SlateId(name.into()),
            display: DisplayId::new("tea").unwrap(),
            sequence,
            audience,
            made_at: at(0),
            valid_until: at(until),
            captured: None,
            greeting: None,
            items: Vec::new(),
        })
    }

    /// A display that follows the contract.
    #[derive(Default)]
    struct Display {
        highest: u64,
        store: Option<Arc<Slate>>,
        personal: Option<Arc<Slate>>,
    }

    impl Display {
        fn hear(&mut self, message: &Say) {
            match message {
                Say::Clear => (self.store, self.personal) = (None, None),
                Say::Store(_, sequence, _) | Say::Personal(_, sequence, _) if *sequence < self.highest => {}
                Say::Store(slate, sequence, _) => {
                    if *sequence > self.highest {
                        self.personal = None;
                    }
                    (self.highest, self.store) = (*sequence, Some(slate.clone()));
                }
                Say::Personal(slate, sequence, _) => {
                    (self.highest, self.personal) = (*sequence, Some(slate.clone()));
                }
            }
        }

        fn shows(&self, now: Timestamp) -> Option<&Arc<Slate>> {
            let valid = |s: &&Arc<Slate>| s.valid_until > now;
            self.personal.as_ref().filter(valid).or(self.store.as_ref().filter(valid))
        }
    }

    #[test]
    fn a_slate_withdrawn_early_is_ended_by_the_store_slate_with_a_higher_sequence() {
        let mut presenter = Presenter::new(DisplayId::new("tea").unwrap());
        let (store, personal) = (slate("s", 10, false, 1000), slate("p", 20, true, 60));
        let mut screen = Screen { store: Some(store.clone()), personal: Some(personal.clone()) };
        assert_eq!(
            presenter.messages(&screen, at(0), true),
            [Say::Store(store.clone(), 10, 1000), Say::Personal(personal, 20, 60)]
        );
        screen.personal = None;
        assert_eq!(presenter.messages(&screen, at(5), false), [Say::Store(store, 21, 995)]);
    }

    #[test]
    fn saying_it_all_again_repeats_the_sequences_and_shortens_the_expiry() {
        let mut presenter = Presenter::new(DisplayId::new("tea").unwrap());
        let screen =
            Screen { store: Some(slate("s", 10, false, 1000)), personal: Some(slate("p", 20, true, 60)) };
        presenter.messages(&screen, at(0), true);
        let again = presenter.messages(&screen, at(50), true);
        assert!(matches!(&again[..], [Say::Store(_, 10, 950), Say::Personal(_, 20, 10)]), "{again:?}");
        assert!(presenter.messages(&screen, at(50), false).is_empty());
    }

    #[test]
    fn nothing_is_cleared_before_anything_was_said() {
        let mut presenter = Presenter::new(DisplayId::new("tea").unwrap());
        assert!(presenter.messages(&Screen::default(), at(0), true).is_empty());
    }

    #[test]
    fn a_slate_of_another_display_is_not_said() {
        let mut presenter = Presenter::new(DisplayId::new("coffee").unwrap());
        let screen =
            Screen { store: Some(slate("s", 1, false, 10)), personal: Some(slate("p", 2, true, 10)) };
        assert!(presenter.messages(&screen, at(0), true).is_empty());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Store(Option<u64>),
        Personal(Option<u64>),
        Wait(u64),
        Again,
        LoseTheMessages,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            prop::option::of(1..100_u64).prop_map(Step::Store),
            prop::option::of(1..20_u64).prop_map(Step::Personal),
            (0..10_u64).prop_map(Step::Wait),
            Just(Step::Again),
            Just(Step::LoseTheMessages),
        ];
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        #[test]
        fn a_display_always_shows_the_present_screen_once_it_heard_all(steps in steps()) {
            let mut presenter = Presenter::new(DisplayId::new("tea").unwrap());
            let (mut screen, mut display, mut now, mut made) = (Screen::default(), Display::default(), 0, 0);
            let mut given: Vec<(u64, Arc<Slate>)> = Vec::new();
            for step in steps {
                let (mut all, mut lost) = (false, false);
                match step {
                    Step::Store(lasts) => {
                        made += 1;
                        screen.store = lasts.map(|l| slate(&format!("s{made}"), made, false, now + l));
                    }
                    Step::Personal(lasts) => {
                        made += 1;
                        screen.personal = lasts.map(|l| slate(&format!("p{made}"), made, true, now + l));
                    }
                    Step::Wait(seconds) => now += seconds,
                    Step::Again => all = true,
                    Step::LoseTheMessages => lost = true,
                }
                let mut next = presenter.clone();
                let said = next.messages(&screen, at(now), all);
                for message in &said {
                    if let Say::Store(s, n, _) | Say::Personal(s, n, _) = message {
                        prop_assert!(given.iter().all(|(m, before)| m != n || before == s), "sequence {} twice", n);
                        given.push((*n, s.clone()));
                    }
                }
                if lost {
                    // nothing went out: the presenter must not believe that it did
                    presenter.skip_sequences_of(&next);
                    continue;
                }
                presenter = next;
                said.iter().for_each(|m| display.hear(m));
                prop_assert_eq!(display.shows(at(now)), screen.at(at(now)).filter(|s| s.valid_until > at(now)));
            }
        }
    }
}
