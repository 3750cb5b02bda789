//! `[backup]`: where `shopguide backup` puts backups, and how many stay.

use crate::id::StoreId;
use crate::ops::settings::files;
use crate::ops::settings::finding::Finding;
use crate::ops::settings::shape::whole;
use crate::ops::settings::table::Table;
use crate::storage::settings::BackupSettings;

/// Where backups go unless the configuration says otherwise.
const FOLDER: &str = "/var/backups/shopguide";

pub(super) fn read(table: &Table<'_, '_>, store: Option<&StoreId>) -> Option<BackupSettings> {
    let base = &table.reader().folder;
    let folder = table.or("folder", &files::path(base, "a folder"), FOLDER.into());
    let keep = table.or("keep", &whole(1..=10_000, "backups"), 14);
    if folder.exists() && !folder.is_dir() {
        let finding = Finding::error(format!("{} is not a folder", table.quote("folder")));
        table.report("folder", finding.expected("a folder for backups; it is made if absent"));
    }
    table.finish();
    Some(BackupSettings { folder, store: store?.to_string(), keep })
}
