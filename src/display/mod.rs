//! What a display shows and when it stops being true. Pure.

mod area;
mod kiosk;
mod turns;

pub use area::{Area, area_of};
pub use kiosk::KioskSettings;
pub use turns::Turns;

use crate::id::{DisplayId, SlateId, StoreId, ZoneId};
use crate::recommend::Language;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One `[[display]]` of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct DisplaySettings {
    /// Its name.
    pub id: DisplayId,
    /// The zone whose visits it serves.
    pub zone: ZoneId,
    /// Products on a slate (1 to 12; default 3).
    pub items: usize,
    /// How its page lays them out.
    pub layout: Layout,
    /// Language of its texts.
    pub language: Language,
    /// A title for its page, e.g. "Tea and coffee".
    pub title: Option<String>,
    /// Limits its store-level and discovery content to this category; `None` is the whole store.
    pub category: Option<String>,
}

/// How a display's page lays a slate out. Landscape or portrait follows the glass itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// By the number of products.
    #[default]
    Auto,
    /// One product, large.
    Hero,
    /// Three.
    Three,
    /// Six.
    Six,
    /// Electronic paper: black on white, nothing moves, at most one change a minute, and nothing
    /// personal, because it could not be taken off in time.
    Paper,
}

impl Layout {
    /// As the configuration and the page write it.
    pub fn word(self) -> &'static str {
        match self {
            Layout::Auto => "auto",
            Layout::Hero => "hero",
            Layout::Three => "three",
            Layout::Six => "six",
            Layout::Paper => "paper",
        }
    }

    /// The number of products that it is made for, if it is made for one.
    pub fn items(self) -> Option<usize> {
        match self {
            Layout::Hero => Some(1),
            Layout::Three => Some(3),
            Layout::Six => Some(6),
            Layout::Auto | Layout::Paper => None,
        }
    }
}

/// What a display did with a slate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckKind {
    /// It is on the screen: an impression.
    Shown,
    /// Someone dismissed it (or one item of it).
    Dismissed,
    /// Someone took an item of it.
    Taken,
}

/// A display's word about a slate, from MQTT or from its page.
#[derive(Debug, Clone, PartialEq)]
pub struct Ack {
    /// Who says it.
    pub display: DisplayId,
    /// About which slate.
    pub slate: SlateId,
    /// What happened.
    pub kind: AckKind,
    /// The item concerned, if one (its SKU).
    pub sku: Option<String>,
    /// When the daemon received it.
    pub received: Timestamp,
}

/// What pages and topics need to know of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSettings {
    /// The `<s>` of the topics.
    pub id: StoreId,
    /// Name for people.
    pub name: String,
    /// Printed before (or for `after`) prices, e.g. "€".
    pub currency: String,
    /// Digits after the decimal point of a price (2 for most currencies).
    pub currency_digits: u8,
    /// IANA time zone, e.g. `Europe/Berlin`.
    pub time_zone: String,
}

impl StoreSettings {
    /// An amount as a shopper reads it.
    pub fn price(&self, amount: crate::recommend::Money) -> String {
        let digits = usize::from(self.currency_digits);
        let unit = 10_u64.pow(digits as u32);
        let (sign, n) = (if amount.0 < 0 { "-" } else { "" }, amount.0.unsigned_abs());
        if digits == 0 {
            return format!("{sign}{}{n}", self.currency);
        }
        format!("{sign}{}{}.{:0digits$}", self.currency, n / unit, n % unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::Money;

    #[test]
    fn prices_read_as_on_a_label() {
        let mut store = StoreSettings {
            id: StoreId::new("s").unwrap(),
            name: String::new(),
            currency: "€".into(),
            currency_digits: 2,
            time_zone: "UTC".into(),
        };
        assert_eq!(store.price(Money(1205)), "€12.05");
        assert_eq!(store.price(Money(-5)), "-€0.05");
        store.currency_digits = 0;
        assert_eq!(store.price(Money(300)), "€300");
    }
}
