//! What the configuration says of storage, already checked.

use std::path::{Path, PathBuf};

/// Days that are kept unless the configuration says otherwise.
pub const KEEP_DAYS: u32 = 730;

/// `[storage]`, and `[backup]`.
#[derive(Debug, Clone, PartialEq)]
pub struct StorageSettings {
    /// The folder of everything the daemon keeps (default `/var/lib/shopguide`).
    pub folder: PathBuf,
    /// Days that receipts, views, visits, slates and impressions are kept (default 730).
    pub keep_days: u32,
    /// Where backups go; erasing a member replaces the copy of the keys there. `None` without a
    /// configuration.
    pub backup: Option<BackupSettings>,
}

/// `[backup]`.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupSettings {
    /// The folder of the backups (default `/var/backups/shopguide`).
    pub folder: PathBuf,
    /// The store's id, which their names begin with.
    pub store: String,
    /// How many are kept (default 14).
    pub keep: u32,
}

impl StorageSettings {
    /// A store in `folder`, everything else as by default.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), keep_days: KEEP_DAYS, backup: None }
    }
}

impl BackupSettings {
    /// What the name of each backup begins with.
    pub fn prefix(&self) -> String {
        format!("shopguide-{}", self.store)
    }

    /// The one copy of the keys, beside the backups.
    pub fn keys(&self) -> PathBuf {
        self.folder.join(format!("{}.keys", self.prefix()))
    }
}
