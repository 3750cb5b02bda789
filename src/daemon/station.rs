//! One display as the deciding thread sees it: who stands before it, whose turn it is, and which
//! slate that means.
//!
//! What always holds: a personal slate is for a member whose turn it is and who is present; its
//! `valid_until` is never further away than `personal_for`; sequences only grow, also over restarts.

use super::decide::AskSwap;
use crate::clock::Now;
use crate::display::{DisplaySettings, Layout, Turns};
use crate::id::{MemberId, ProductId, SlateId};
use crate::profile::declared::Fact;
use crate::publish::{Desired, Screen};
use crate::recommend::alike::{self, Alike, Wanted};
use crate::recommend::{
    self, Audience, Catalogue, Language, Moment, PolicySettings, Shop, Slate, Suggestion, text,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A slate stays this long before that of the next member may replace it.
const TURN: Duration = Duration::from_secs(5);
/// Store-level content is true for this long.
const STORE_VALID: Duration = Duration::from_secs(24 * 3600);
/// Store-level content that has not changed is renewed this long before it ends.
const STORE_RENEW: Duration = Duration::from_secs(12 * 3600);

/// One display.
#[derive(Debug)]
pub struct Station {
    /// What the configuration says of it.
    pub settings: DisplaySettings,
    turns: Turns,
    sequence: u64,
    store: Option<Arc<Slate>>,
    personal: Option<(MemberId, Arc<Slate>)>,
}

/// What a personal slate is made from.
#[derive(Debug)]
pub struct Person {
    /// Who.
    pub member: MemberId,
    /// Products on their receipts of the last hours.
    pub just_bought: BTreeSet<ProductId>,
    /// Products dismissed lately.
    pub dismissed: BTreeSet<ProductId>,
    /// What they declare of themselves.
    pub facts: Vec<Fact>,
    /// Categories that they dwelt before during this visit, and how many minutes ago.
    pub viewed: BTreeMap<String, u32>,
    /// Capture time of the frame that the slate answers; `None` when the member has waited for a turn.
    pub captured: Option<Timestamp>,
}

/// What slates are made from.
pub struct Means<'a> {
    /// Scores.
    pub shop: &'a mut Shop,
    /// Products.
    pub catalogue: &'a Catalogue,
    /// Rules.
    pub policy: &'a PolicySettings,
    /// Names of slates.
    pub ids: &'a mut SlateIds,
    /// The present moment.
    pub now: Now,
    /// Hour of the day in the store.
    pub hour: i8,
}

/// Hands out slate ids: the boot id and a count.
#[derive(Debug)]
pub struct SlateIds {
    boot: String,
    count: u64,
}

impl SlateIds {
    /// Ids that begin with `boot`.
    pub fn new(boot: &str) -> Self {
        Self { boot: boot.to_owned(), count: 0 }
    }

    fn next(&mut self) -> SlateId {
        self.count += 1;
        SlateId(format!("{}-{}", self.boot, self.count))
    }
}

impl Station {
    /// A display that shows nothing yet.
    pub fn new(settings: DisplaySettings) -> Self {
        Self { settings, turns: Turns::new(TURN), sequence: 0, store: None, personal: None }
    }

    /// Someone came before it. Electronic paper takes no notice: it could not take a slate off in time.
    pub fn enter(&mut self, member: MemberId) {
        if self.settings.layout == Layout::Paper {
            return;
        }
        self.turns.enter(member);
    }

    /// Someone went.
    pub fn leave(&mut self, member: MemberId) {
        self.turns.leave(member);
    }

    /// Who is to be served now.
    pub fn turn(&mut self, now: Now) -> Option<MemberId> {
        self.turns.serve(now)
    }

    /// Whose slate is up.
    pub fn serving(&self) -> Option<MemberId> {
        self.personal.as_ref().map(|(member, _)| *member)
    }

    /// Whose slate is up and holds no product.
    pub fn serving_nothing_to(&self) -> Option<MemberId> {
        self.personal.as_ref().filter(|(_, slate)| slate.items.is_empty()).map(|(member, _)| *member)
    }

    /// The personal slate that is up.
    pub fn shown(&self) -> Option<Arc<Slate>> {
        self.personal.as_ref().map(|(_, slate)| slate.clone())
    }

    fn next_sequence(&mut self, now: Now) -> u64 {
        self.sequence = (self.sequence + 1).max(now.utc.as_millisecond().max(0) as u64);
        self.sequence
    }

    fn slate(&mut self, ids: &mut SlateIds, now: Now, audience: Audience, items: Vec<Suggestion>) -> Slate {
        Slate {
            id: ids.next(),
            display: self.settings.id.clone(),
            sequence: self.next_sequence(now),
            audience,
            made_at: now.utc,
            valid_until: now.utc,
            captured: None,
            greeting: None,
            items,
        }
    }

    fn suggest(&self, means: &mut Means<'_>, member: Option<MemberId>, moment: &Moment) -> Vec<Suggestion> {
        let DisplaySettings { items, language, .. } = &self.settings;
        recommend::suggest(means.shop, means.catalogue, member, *items, moment, means.policy, *language)
    }

    /// Makes the store-level slate anew if its content changed or its time runs out; returns it then.
    pub fn refresh_store(&mut self, means: &mut Means<'_>) -> Option<Arc<Slate>> {
        let now = means.now;
        let moment =
            Moment { category: self.settings.category.clone(), ..Moment::plain(now.utc, means.hour) };
        let items = self.suggest(means, None, &moment);
        let fresh = |s: &Arc<Slate>| {
            s.items == items && s.valid_until > now.utc + STORE_RENEW && s.made_at <= now.utc
        };
        if self.store.as_ref().is_some_and(fresh) {
            return None;
        }
        let mut slate = self.slate(means.ids, now, Audience::Store, items);
        slate.valid_until = now.utc + STORE_VALID;
        slate.greeting = Some(text::store_greeting(self.settings.language).to_owned());
        let slate = Arc::new(slate);
        self.store = Some(slate.clone());
        Some(slate)
    }

    fn moment(&self, person: &Person, means: &Means<'_>) -> Moment {
        Moment {
            just_bought: person.just_bought.clone(),
            dismissed: person.dismissed.clone(),
            facts: person.facts.clone(),
            viewed: person.viewed.clone(),
            category: self.settings.category.clone(),
            chance: rand::random(),
            ..Moment::plain(means.now.utc, means.hour)
        }
    }

    /// Products like one, for a member; never what is on the slate already.
    pub fn alike(
        &self,
        person: &Person,
        means: &mut Means<'_>,
        wanted: Wanted<'_>,
        language: Option<Language>,
    ) -> Vec<Alike> {
        let mut moment = self.moment(person, means);
        let shown = self.personal.iter().filter(|(member, _)| *member == person.member);
        moment.dismissed.extend(shown.flat_map(|(_, slate)| slate.items.iter().map(|i| i.product)));
        let language = language.unwrap_or(self.settings.language);
        alike::alike(
            means.shop,
            means.catalogue,
            Some(person.member),
            wanted,
            (&moment, means.policy),
            language,
        )
    }

    /// Puts another product in place of one on the slate that is up: the product that went, and the new
    /// slate. `None` if that slate is not up any more, or no slate may show what is to come.
    pub fn swap(
        &mut self,
        person: &Person,
        means: &mut Means<'_>,
        swap: &AskSwap,
        personal_for: Duration,
    ) -> Option<(ProductId, Arc<Slate>)> {
        let (member, old) =
            self.personal.clone().filter(|(m, s)| *m == person.member && s.id == swap.slate)?;
        let place = old.items.iter().position(|i| i.sku == swap.sku)?;
        if old.items.iter().any(|i| i.sku == swap.with) {
            return None;
        }
        let (moment, language) = (self.moment(person, means), self.settings.language);
        let mut items = old.items.clone();
        items[place] =
            alike::one(means.shop, means.catalogue, member, &swap.with, (&moment, means.policy), language)?;
        let audience = Audience::Personal { member };
        let mut slate = self.slate(means.ids, means.now, audience, items);
        slate.valid_until = means.now.utc + personal_for;
        slate.greeting.clone_from(&old.greeting);
        let slate = Arc::new(slate);
        self.personal = Some((member, slate.clone()));
        Some((old.items[place].product, slate))
    }

    /// Makes the slate of the member whose turn it is.
    pub fn personal(&mut self, person: &Person, means: &mut Means<'_>, personal_for: Duration) -> Arc<Slate> {
        let (now, member) = (means.now, person.member);
        let moment = self.moment(person, means);
        let greeting = text::greeting(self.settings.language).to_owned();
        let items = self.suggest(means, Some(member), &moment);
        let mut slate = self.slate(means.ids, now, Audience::Personal { member }, items);
        slate.valid_until = now.utc + personal_for;
        slate.captured = person.captured;
        slate.greeting = Some(greeting);
        let slate = Arc::new(slate);
        self.personal = Some((member, slate.clone()));
        slate
    }

    /// Keeps the personal slate true while the member stays: same id and items, later end.
    pub fn extend(&mut self, now: Now, personal_for: Duration) {
        let Some((member, slate)) = self.personal.take() else { return };
        let mut slate = slate;
        let left = slate.valid_until.duration_since(now.utc);
        let half = jiff::SignedDuration::try_from(personal_for / 2).unwrap_or_default();
        // A wall clock set back would otherwise leave an end that lies too far ahead.
        let too_far = left > half * 2;
        if left < half || too_far {
            let longer = Slate {
                sequence: self.next_sequence(now),
                valid_until: now.utc + personal_for,
                ..(*slate).clone()
            };
            slate = Arc::new(longer);
        }
        self.personal = Some((member, slate));
    }

    /// Takes the personal slate off. The store-level slate is said again with a higher sequence, so
    /// that a display that ignores what is older than what it shows goes back to it at once.
    pub fn clear_personal(&mut self, now: Now) {
        if self.personal.take().is_some() {
            let sequence = self.next_sequence(now);
            self.store = self.store.take().map(|s| Arc::new(Slate { sequence, ..(*s).clone() }));
        }
    }

    /// Says what this display should show.
    pub fn publish(&self, desired: &Desired) {
        let screen =
            Screen { store: self.store.clone(), personal: self.personal.as_ref().map(|(_, s)| s.clone()) };
        desired.update(&self.settings.id, |present| *present = screen);
    }
}
