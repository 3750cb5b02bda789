//! What the daemon publishes: its own status, slates, pseudonymous visits.

use crate::display::StoreSettings;
use crate::id::{DisplayId, SlateId, ZoneId};
use crate::recommend::{self, Money, Reason, Slate};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether a daemon or a display is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Connected and working.
    Online,
    /// Gone; said by itself when it stops, or by the broker (last will).
    Offline,
}

/// `shopguide/<s>/status`, retained, and the last will.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusMessage {
    /// Whether the daemon is there.
    pub state: State,
    /// Changes with every start of the daemon.
    pub boot_id: String,
    /// The daemon's version.
    pub version: String,
    /// When this run of the daemon began.
    pub since: Timestamp,
}

/// Whom a slate is for. A personal one says nothing of who.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Anybody; retained.
    Store,
    /// One person who stands there now; never retained, and the broker drops it at `valid_until`.
    Personal,
}

/// `shopguide/<s>/display/<d>/slate`: what a display should show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlateMessage {
    /// Which slate; the same one may come again with a higher sequence.
    pub slate: SlateId,
    /// For which display.
    pub display: DisplayId,
    /// Never goes back for a display, also over restarts; lower ones are to be ignored.
    pub sequence: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// Not to be shown from this moment on.
    pub valid_until: Timestamp,
    /// Whom it is for.
    pub audience: Audience,
    /// First line on the display, without a name.
    pub greeting: Option<String>,
    /// Best first.
    pub items: Vec<ItemMessage>,
    /// Capture time of the frame that led to it, for measuring latency.
    pub captured: Option<Timestamp>,
}

/// One product on a slate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemMessage {
    /// The store's name for it.
    pub sku: String,
    /// What a shopper reads.
    pub name: String,
    /// Price of one, in the currency's smallest unit.
    pub price: Money,
    /// The price as on a label.
    pub price_text: String,
    /// Where it stands.
    pub place: Option<String>,
    /// Why, as data.
    pub reason: Reason,
    /// Why, as a sentence in the display's language.
    pub reason_text: String,
}

impl SlateMessage {
    /// `slate` as it goes out under `sequence`; the member it is for stays behind.
    pub fn new(slate: &Slate, sequence: u64, store: &StoreSettings) -> Self {
        let items = slate.items.iter().map(|item| ItemMessage {
            sku: item.sku.clone(),
            name: item.name.clone(),
            price: item.price,
            price_text: store.price(item.price),
            place: item.place.clone(),
            reason: item.reason.clone(),
            reason_text: item.reason_text.clone(),
        });
        Self {
            slate: slate.id.clone(),
            display: slate.display.clone(),
            sequence,
            made_at: slate.made_at,
            valid_until: slate.valid_until,
            audience: match slate.audience {
                recommend::Audience::Store => Audience::Store,
                recommend::Audience::Personal { .. } => Audience::Personal,
            },
            greeting: slate.greeting.clone(),
            items: items.collect(),
            captured: slate.captured,
        }
    }
}

/// `shopguide/<s>/display/<d>/state`, retained: what a display shows to anybody. Only with Home
/// Assistant, and never anything of a personal slate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DisplayStateMessage {
    /// Products that it shows.
    pub products: usize,
    /// The name of the first.
    pub first: Option<String>,
    /// Which slate.
    pub slate: Option<SlateId>,
    /// When that was made.
    pub since: Option<Timestamp>,
}

impl DisplayStateMessage {
    /// Of a store-level slate; of anything else nothing.
    pub fn of(slate: Option<&Slate>) -> Self {
        let Some(slate) = slate.filter(|s| s.audience == recommend::Audience::Store) else {
            return Self::default();
        };
        Self {
            products: slate.items.len(),
            first: slate.items.first().map(|item| item.name.clone()),
            slate: Some(slate.id.clone()),
            since: Some(slate.made_at),
        }
    }
}

/// A random name for one visit, of 32 hexadecimal digits. It is drawn anew for each visit and is
/// not derived from anything, so that two visits of one person cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VisitTag(String);

impl VisitTag {
    /// Draws a new one.
    pub fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }
}

/// `shopguide/<s>/visit`: somebody who opted in came to a zone, or left it. Said once on entering
/// and once, under the same name, on leaving.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VisitMessage {
    /// Which visit.
    pub visit: VisitTag,
    /// Where.
    pub zone: ZoneId,
    /// Since when.
    pub entered: Timestamp,
    /// Until when; null while it lasts.
    pub left: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{MemberId, ProductId, StoreId};
    use crate::recommend::Suggestion;

    #[test]
    fn a_personal_slate_goes_out_without_the_member() {
        let store = StoreSettings {
            id: StoreId::new("s").unwrap(),
            name: "S".into(),
            currency: "€".into(),
            currency_digits: 2,
            time_zone: "UTC".into(),
        };
        let slate = Slate {
            id: SlateId("b-1".into()),
            display: DisplayId::new("tea").unwrap(),
            sequence: 7,
            audience: recommend::Audience::Personal { member: MemberId(987_654_321) },
            made_at: Timestamp::UNIX_EPOCH,
            valid_until: Timestamp::UNIX_EPOCH,
            captured: None,
            greeting: Some("Welcome back".into()),
            items: vec![Suggestion {
                product: ProductId(123_456_789),
                sku: "T1".into(),
                name: "Tea".into(),
                price: Money(250),
                place: None,
                score: 0.987_654_321,
                propensity: 1.0,
                reason: Reason::Popular { receipts: 3, days: 28 },
                reason_text: "Popular here".into(),
            }],
        };
        let text = serde_json::to_string(&SlateMessage::new(&slate, 9, &store)).unwrap();
        for secret in ["987654321", "123456789", "member", "score", "propensity"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        let read: SlateMessage = serde_json::from_str(&text).unwrap();
        assert_eq!((read.sequence, read.audience), (9, Audience::Personal));
        assert_eq!(read.items[0].price_text, "€2.50");
    }

    #[test]
    fn two_visits_have_nothing_in_common() {
        assert_ne!(VisitTag::random(), VisitTag::random());
    }
}
