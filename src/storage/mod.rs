//! SQLite: the one writer, readers, migrations. A call that changes something returns only after
//! the commit is on disk.
//!
//! - [`Store`] is cheap to clone and may be used from any thread; every call blocks, so asynchronous
//!   callers wrap it in `spawn_blocking`.
//! - All changes go through one thread, `storage-writer`, fed by a bounded queue. Changes that wait
//!   together are committed together. When the queue stays full for five seconds the caller gets
//!   [`StorageError::Busy`] and nothing was changed.
//! - Readers are a few read-only connections; they never wait for the writer.
//! - A second process (a command beside the daemon) may have the same store open: SQLite's locks put
//!   their changes in order, and [`Store::revisions`] tells the daemon to read the gallery or the
//!   catalogue again.
//! - A damaged, foreign or newer database is refused with the steps to take, and never rebuilt.
//!
//! Not promised: that a deleted row's bytes are gone from older backups (what is sealed is
//! unreadable there, see `privacy`), nor an order among changes of different threads.

mod audit;
pub mod backup;
mod check;
mod columns;
mod counts;
mod database;
mod day;
mod declared;
mod erasure;
mod error;
pub mod examine;
mod export;
#[cfg(test)]
mod fixture;
mod history;
pub mod import;
mod lock;
mod members;
mod open;
mod owner;
mod products;
mod queue;
mod readers;
pub mod receipts;
mod reserve;
pub mod restore;
mod retention;
pub mod settings;
mod slates;
mod templates;
mod users;
mod visits;
mod writer;

pub use check::Problem;
pub use counts::{Counts, Revisions};
pub use day::Day;
pub use erasure::ErasureReceipt;
pub use error::StorageError;
pub use examine::schema_in;
pub use members::{Details, Member, NewMember};
pub use open::Store;
pub use owner::hand_over;
pub use products::{NewProduct, Upserted};
pub use receipts::{Card, NewLine, NewReceipt, Outcome, Recorded};
pub use retention::Expired;
pub use slates::Noted;
pub use users::{Role, User};
