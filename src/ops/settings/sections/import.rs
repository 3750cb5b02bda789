//! `[import]`: which column of a store's own CSV files holds what. The keys are free here: the
//! import command knows its columns and says so.

use crate::ops::settings::shape::text;
use crate::ops::settings::table::Table;
use std::collections::BTreeMap;

/// The files that can be imported.
const KINDS: [&str; 2] = ["catalogue", "receipts"];

pub(super) fn read(table: &Table<'_, '_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut maps = BTreeMap::new();
    for kind in KINDS {
        let columns = table.section(kind);
        if columns.is_present() {
            maps.insert(kind.to_owned(), columns.free(&text("a column's name")).into_iter().collect());
        }
    }
    table.finish();
    maps
}
