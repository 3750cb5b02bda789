//! What can go wrong with keys, each with the step that mends it. No message holds a key, a name
//! or a token.

use crate::id::MemberId;
use std::path::PathBuf;

/// Why sealed data or its keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyError {
    /// The master key is missing while keys wrapped by it exist.
    #[error(
        "the master key {} is missing, but {} holds keys wrapped by it: put the key file back \
         (or provide it as the systemd credential `master-key`); without it no face, name or contact can be read",
        file.display(), keys.display()
    )]
    MasterKeyMissing {
        /// Where it was looked for.
        file: PathBuf,
        /// The keys that need it.
        keys: PathBuf,
    },
    /// The file does not hold a key.
    #[error("{} is no master key ({what}): expected 64 hexadecimal digits or 32 bytes", file.display())]
    MasterKeyMalformed {
        /// The file.
        file: PathBuf,
        /// What was found.
        what: String,
    },
    /// Others could read the key.
    #[error("{} can be read by others (mode {mode:03o}): run `chmod 600 {}`", file.display(), file.display())]
    MasterKeyExposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file belongs to other keys.
    #[error(
        "the master key {} is not the one that {} was made with: put the right key file back",
        file.display(), keys.display()
    )]
    MasterKeyWrong {
        /// The key that was tried.
        file: PathBuf,
        /// The keys that it does not open.
        keys: PathBuf,
    },
    /// A copy of keys would replace another store's.
    #[error(
        "{} holds the keys of another store: it was left alone. Give each store its own folder of backups, or its \
         own [store] id",
        file.display()
    )]
    OtherKeys {
        /// The copy.
        file: PathBuf,
    },
    /// The member's key is gone or never was.
    #[error("member {0} has no key: what was sealed for this member can no longer be read")]
    NoKey(MemberId),
    /// The seal does not fit: another member's, another purpose's, or damaged.
    #[error(
        "sealed data of member {0} cannot be opened: it is damaged, or was sealed for another member or purpose"
    )]
    Unreadable(MemberId),
    /// A file could not be used.
    #[error("cannot {doing} {}: {cause}", file.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        file: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The database of keys failed.
    #[error("the key database {} failed: {cause}", file.display())]
    Keys {
        /// The database.
        file: PathBuf,
        /// Why.
        cause: rusqlite::Error,
    },
}
