//! The MQTT contract: topics, JSON payloads, limits. `contract.schema.json` beside this folder says
//! the same for other programs, and a test keeps the two true to each other.
//!
//! All payloads are UTF-8 JSON; times are RFC 3339, sent in UTC. `<s>` is the store, `<d>` a display.
//! Messages use MQTT 5, QoS 1. Nothing that leaves names a member: no id, alias, name or token.
//!
//! What holds for a display that follows the contract:
//!
//! 1. It keeps the highest `sequence` it has seen and ignores every slate below it: a replayed or
//!    late message never comes back to the screen. An equal sequence is the same slate again.
//! 2. It shows a slate only while `valid_until` lies ahead. When a personal slate runs out it goes
//!    back to the last store-level slate by itself.
//! 3. A store-level slate with a higher sequence ends a personal one at once. That is how a personal
//!    slate is withdrawn before its time.
//! 4. An empty payload means: there is nothing to show, drop everything.
//! 5. It ignores a slate whose `display` is not its own name.
//! 6. It subscribes to its slate first and then publishes its status `online` (retained, with a last
//!    will `offline`); the daemon answers with what it should show now.
//! 7. It acknowledges `shown` once for each slate id.

mod incoming;
mod outgoing;
mod topic;

#[cfg(test)]
mod schema_test;

pub use incoming::{
    AckMessage, CatalogueMessage, DisplayStatusMessage, Invalid, LineMessage, ProductMessage, ReceiptMessage,
    StockLevel, StockMessage,
};
pub use outgoing::{
    Audience, DisplayStateMessage, ItemMessage, SlateMessage, State, StatusMessage, VisitMessage, VisitTag,
};
pub use topic::{IncomingTopic, Topics};

/// The contract as a JSON Schema (draft 2020-12); `$defs` holds one entry for each kind of message.
pub const SCHEMA: &str = include_str!("../contract.schema.json");

/// Bytes of the largest payload that is read; larger ones are refused unread.
pub const MAX_PAYLOAD: usize = 250_000;
/// Bytes of the largest MQTT packet, either way.
pub const MAX_PACKET: u32 = 262_144;
/// Lines on one receipt.
pub const MAX_LINES: usize = 500;
/// Products in one catalogue message.
pub const MAX_PRODUCTS: usize = 200;
/// Levels in one stock message.
pub const MAX_LEVELS: usize = 2_000;
