//! Products like another: what a shopper asks for at a kiosk, and what staff put in a product's place
//! on a slate. Asked of the deciding thread, because it owns what likeness is drawn from.

use super::{Decider, Input};
use crate::clock::Now;
use crate::daemon::station::Person;
use crate::id::{DisplayId, MemberId, SlateId, ZoneId};
use crate::recommend::Language;
use crate::recommend::alike::{Alike, Wanted};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// How long whoever asks waits for the deciding thread.
const PATIENCE: Duration = Duration::from_secs(5);

/// Products like one, for a member at a display.
#[derive(Debug, Clone)]
pub struct AskAlike {
    /// For whom.
    pub member: MemberId,
    /// Where.
    pub display: DisplayId,
    /// Like which.
    pub sku: String,
    /// At most so many.
    pub items: usize,
    /// As [`Wanted::for_a_slate`] says.
    pub for_a_slate: bool,
    /// In which language reasons are said; `None` for the display's own.
    pub language: Option<Language>,
}

/// Another product in place of one on a slate.
#[derive(Debug, Clone)]
pub struct AskSwap {
    /// The display that shows it.
    pub display: DisplayId,
    /// The slate.
    pub slate: SlateId,
    /// What goes.
    pub sku: String,
    /// What comes.
    pub with: String,
}

/// Asks the deciding thread and waits for its answer; `None` when it gives none in time.
pub fn ask<T>(decider: &SyncSender<Input>, make: impl FnOnce(SyncSender<T>) -> Input) -> Option<T> {
    let (reply, answer) = sync_channel(1);
    decider.send(make(reply)).ok()?;
    answer.recv_timeout(PATIENCE).ok()
}

impl Decider {
    /// The display's station and what is known of a member who is served there.
    fn asked_at(
        &mut self,
        display: &DisplayId,
        member: MemberId,
        now: Now,
    ) -> Option<(usize, ZoneId, Person)> {
        let at = self.stations.iter().position(|s| s.settings.id == *display)?;
        let zone = self.stations[at].settings.zone.clone();
        match self.person(member, &zone, now) {
            Ok(person) => Some((at, zone, person)),
            Err(error) => {
                tracing::error!(id = "history-unread", %error, "a history cannot be read; nothing like a product is named");
                None
            }
        }
    }

    pub(super) fn alike(&mut self, asked: &AskAlike, now: Now) -> Vec<Alike> {
        let Some((at, _, person)) = self.asked_at(&asked.display, asked.member, now) else {
            return Vec::new();
        };
        let stations = std::mem::take(&mut self.stations);
        let wanted = Wanted { sku: &asked.sku, items: asked.items, for_a_slate: asked.for_a_slate };
        let found = stations[at].alike(&person, &mut self.means(now), wanted, asked.language);
        self.stations = stations;
        found
    }

    /// Whether it was done: the slate must still be up, and a slate may show what comes.
    pub(super) fn swap(&mut self, asked: &AskSwap, now: Now) -> bool {
        let serving = self.stations.iter().find(|s| s.settings.id == asked.display).and_then(|s| s.serving());
        let Some(member) = serving else { return false };
        let Some((at, zone, person)) = self.asked_at(&asked.display, member, now) else { return false };
        let mut stations = std::mem::take(&mut self.stations);
        let personal_for = self.personal_for;
        let swapped = stations[at].swap(&person, &mut self.means(now), asked, personal_for);
        self.stations = stations;
        let Some((gone, slate)) = swapped else { return false };
        // What staff took off does not come back with the next slate, but nobody said that it was not wanted.
        self.dismissed.entry(member).or_default().insert(gone, now);
        self.made(slate, &zone);
        true
    }
}
