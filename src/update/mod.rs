//! Updates without a network: one signed file on a USB stick, applied by an administrator.
//!
//! Terms: a *bundle* is that file, a *release* is what it holds, unpacked side by side with the others
//! below `/usr/local/lib/shopguide`; the *package* is what dpkg installed. A release at work is on
//! *trial* until it has passed its health check.
//!
//! What always holds:
//! - nothing of a bundle is believed before its signature was verified with a key that the administrator
//!   installed here; no key in a bundle counts;
//! - program, models and configuration of a release change in one step, by one symbolic link: whenever
//!   the power fails, the old release or the new one is at work, whole;
//! - before that step the new program has read the configuration, run its models and brought a copy of
//!   this store's data up to date; after it the service must be as well as before, or the release before,
//!   and the data if it was changed, are put back without anybody's doing;
//! - releases belong to root: the service itself cannot write them.

pub mod apply;
pub mod bundle;
pub mod key;
pub mod manifest;
mod program;
pub mod releases;
pub mod service;
pub mod settle;
pub mod version;

use std::path::{Path, PathBuf};

/// Why there was no update. Each message says what, where, and what to do; unless it says otherwise,
/// nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// A file or folder could not be used.
    #[error("cannot {doing} {}: {cause}", file.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        file: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file is no bundle, or a damaged one.
    #[error("{} is not a whole update: {what}. Nothing was changed; copy it to the stick again", file.display())]
    Damaged {
        /// The bundle.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Not signed by a key of this box.
    #[error(
        "{} is refused: it was changed after it was signed, or signed with another key than those in {}. \
         Nothing was changed; ask whoever gave it to you, and trust no key that comes along with it",
        file.display(), keys.display()
    )]
    Signature {
        /// The bundle.
        file: PathBuf,
        /// The keys of this box.
        keys: PathBuf,
    },
    /// A key file that is none.
    #[error("{} holds no key: {what}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It was refused for what it holds, or for how this box is.
    #[error("{0}")]
    Refused(String),
    /// The store.
    #[error(transparent)]
    Storage(#[from] crate::storage::StorageError),
}

impl UpdateError {
    fn io(doing: &'static str, file: &Path) -> impl FnOnce(std::io::Error) -> UpdateError {
        move |cause| UpdateError::Io { doing, file: file.to_owned(), cause }
    }
}
