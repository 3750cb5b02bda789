//! What the configuration says of storage, already checked.

use std::path::PathBuf;

/// `[storage]`.
#[derive(Debug, Clone, PartialEq)]
pub struct StorageSettings {
    /// The folder of everything the daemon keeps (default `/var/lib/shopguide`).
    pub folder: PathBuf,
    /// Days that receipts, views, visits, slates and impressions are kept (default 730).
    pub keep_days: u32,
}
