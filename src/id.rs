//! Identifiers. Those that appear in topics, URLs and configuration are short lower-case
//! words (`[a-z0-9-]{1,32}`), checked where they enter; those of the database are its row ids.
//! A member has no identifier outside this appliance other than the token on a card.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a word cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an identifier: use 1 to 32 of a-z, 0-9 and '-'")]
pub struct InvalidId(pub String);

fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

macro_rules! word_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` against `[a-z0-9-]{1,32}`.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                if is_word(&text) { Ok(Self(text)) } else { Err(InvalidId(text)) }
            }
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word_id!(
    /// The store, the `<s>` of the MQTT contract.
    StoreId
);
word_id!(
    /// One camera.
    CameraId
);
word_id!(
    /// A part of the shop that a camera watches and displays belong to.
    ZoneId
);
word_id!(
    /// One display, the `<d>` of the MQTT contract.
    DisplayId
);

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id!(
    /// A member: someone who opted in. Never leaves the appliance; screens show an alias.
    MemberId
);
row_id!(
    /// A product of the store's catalogue. Outside the appliance it goes by its SKU.
    ProductId
);
row_id!(
    /// One visit of one member to one zone.
    VisitId
);

/// A slate, unique over restarts: the daemon's boot id and a count.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlateId(pub String);

impl fmt::Display for SlateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_would_break_a_topic_are_refused() {
        for bad in ["", "A", "a/b", "+", "#", "ü", "a b", &"x".repeat(33)] {
            assert!(DisplayId::new(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(DisplayId::new("tea-2").unwrap().as_str(), "tea-2");
    }
}
