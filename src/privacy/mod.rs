//! Consent, keys, erasure, audit: what makes a promise to a member provable.
//!
//! - A member's template, name and contact are readable only with that member's key ([`seal`]).
//! - Keys live in `keys.sqlite`, wrapped by the store's master key, and are part of no backup
//!   ([`vault`]). Erasing a member destroys the key: every copy of the data, however old, is then
//!   unreadable. A tombstone stays, so that a restored backup cannot bring the member back.
//! - Consent is recorded before the first template ([`consent`]); the database itself refuses a
//!   template without it.
//! - What was done to members is in a chain of entries that only grows ([`audit`]).
//!
//! Not promised: that a file system or flash chip forgets the blocks of a deleted wrapped key. They
//! stay wrapped by the master key; put the folder on an encrypted disk where that is not enough.

pub mod audit;
pub mod consent;
mod error;
pub mod master;
pub mod password;
pub mod pseudonym;
pub mod seal;
pub mod vault;

pub use audit::{Action, Audited, Broken};
pub use consent::{Consent, Scope};
pub use error::PrivacyError;
