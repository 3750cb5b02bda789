//! What the staff's page asks for, as JSON: `{"do": WORD, ...}`.

use crate::display::AckKind;
use crate::id::DisplayId;
use crate::web::Fault;
use serde::{Deserialize, Serialize};

/// One thing that a member of staff does.
#[derive(Debug, Clone, PartialEq)]
pub enum StaffAct {
    /// "Not this person": ends the visit.
    NotThem {
        /// The visit, as the page knows it.
        visit: String,
    },
    /// An item of a slate was sold, or was not wanted: then another takes its place.
    Item {
        /// The display that shows it.
        display: DisplayId,
        /// The slate.
        slate: String,
        /// The item.
        sku: String,
        /// Taken for sold, dismissed for not wanted.
        kind: AckKind,
    },
    /// What could stand in an item's place.
    Instead {
        /// The visit of the member who is shown it, as the page knows it.
        visit: String,
        /// The display that shows it.
        display: DisplayId,
        /// The item.
        sku: String,
    },
    /// Puts another product in an item's place.
    Swap {
        /// The display that shows it.
        display: DisplayId,
        /// The slate.
        slate: String,
        /// The item.
        sku: String,
        /// What comes in its place.
        with: String,
    },
    /// Looks for products.
    Search {
        /// Words of the name, the SKU, the brand or the category.
        words: String,
    },
    /// Looks a member up by the card they hand over.
    Member {
        /// The card's number.
        card: String,
    },
    /// Wants all that is kept of the member with a card, to print it for them.
    Copy {
        /// The card's number.
        card: String,
    },
    /// The day so far.
    Day,
}

/// A product as staff see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The store's name of it.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Ready to read.
    pub price: String,
    /// Pieces; `None` if they are not counted.
    pub stock: Option<i64>,
    /// Where it stands.
    pub place: Option<String>,
}

/// A member as staff see them by their card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemberFound {
    /// On screens.
    pub alias: String,
    /// Member since this day.
    pub since: String,
    /// What follows from their purchases.
    pub knows: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActIn {
    #[serde(rename = "do")]
    what: String,
    visit: Option<String>,
    display: Option<String>,
    slate: Option<String>,
    sku: Option<String>,
    with: Option<String>,
    words: Option<String>,
    card: Option<String>,
}

/// Reads what a page asks for.
pub fn act(bytes: &[u8]) -> Result<StaffAct, Fault> {
    let remedy = "Reload the page; nothing was changed.";
    let fault = |error: String, place: &str| Fault::new(error, place, remedy);
    let read: ActIn = serde_json::from_slice(bytes)
        .map_err(|e| fault(format!("this is nothing that staff ask for: {e}"), ""))?;
    let need = |text: &Option<String>, place: &str| {
        let fits = |t: &&String| (1..=64).contains(&t.chars().count()) && !t.chars().any(char::is_control);
        text.as_ref()
            .filter(fits)
            .cloned()
            .ok_or_else(|| fault(format!("\"{place}\" is missing or no text"), place))
    };
    let display =
        || DisplayId::new(need(&read.display, "display")?).map_err(|e| fault(e.to_string(), "display"));
    Ok(match read.what.as_str() {
        "not-them" => StaffAct::NotThem { visit: need(&read.visit, "visit")? },
        "instead" => StaffAct::Instead {
            visit: need(&read.visit, "visit")?,
            display: display()?,
            sku: need(&read.sku, "sku")?,
        },
        "swap" => StaffAct::Swap {
            display: display()?,
            slate: need(&read.slate, "slate")?,
            sku: need(&read.sku, "sku")?,
            with: need(&read.with, "with")?,
        },
        "sold" | "dismissed" => StaffAct::Item {
            display: display()?,
            slate: need(&read.slate, "slate")?,
            sku: need(&read.sku, "sku")?,
            kind: if read.what == "sold" { AckKind::Taken } else { AckKind::Dismissed },
        },
        "search" => StaffAct::Search { words: need(&read.words, "words")? },
        "member" => StaffAct::Member { card: need(&read.card, "card")? },
        "copy" => StaffAct::Copy { card: need(&read.card, "card")? },
        "day" => StaffAct::Day,
        other => return Err(fault(format!("staff cannot do {other:?}"), "do")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn acts_are_read_exactly_and_mistakes_are_placed() {
        assert_eq!(act(br#"{"do":"day"}"#).unwrap(), StaffAct::Day);
        let sold = act(br#"{"do":"sold","display":"tea","slate":"s-1","sku":"P"}"#).unwrap();
        assert!(matches!(sold, StaffAct::Item { kind: AckKind::Taken, .. }));
        for (json, place) in [
            (r#"{"do":"sold","display":"TEA","slate":"s","sku":"P"}"#, "display"),
            (r#"{"do":"swap","display":"tea","slate":"s"}"#, "sku"),
            (r#"{"do":"swap","display":"tea","slate":"s","sku":"P"}"#, "with"),
            (r#"{"do":"instead","display":"tea","sku":"P"}"#, "visit"),
            (r#"{"do":"copy"}"#, "card"),
            (r#"{"do":"search","words":""}"#, "words"),
            (r#"{"do":"fire"}"#, "do"),
            ("[]", ""),
        ] {
            assert_eq!(act(json.as_bytes()).unwrap_err().place, place, "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = act(&bytes);
        }
    }
}
