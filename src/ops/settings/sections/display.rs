//! `[[display]]`: one screen, its zone and what it shows.

use crate::display::DisplaySettings;
use crate::ops::settings::shape::{choice, text, whole, word};
use crate::ops::settings::table::Table;
use crate::recommend::Language;

/// The languages that texts exist in.
const LANGUAGES: [(&str, Language); 2] = [("en", Language::En), ("zh", Language::Zh)];

/// What people write for them.
const LANGUAGE_NAMES: [(&str, &str); 5] =
    [("english", "en"), ("en-gb", "en"), ("en-us", "en"), ("chinese", "zh"), ("zh-cn", "zh")];

pub(super) fn read(table: &Table<'_, '_>) -> Option<DisplaySettings> {
    let id = table.required("id", &word("the display's name in its address and topics"));
    let zone = table.required("zone", &word("the zone that the display stands in"));
    let items = table.or("items", &whole(1..=12, "products"), 3);
    let language = table.or("language", &choice(&LANGUAGES, &LANGUAGE_NAMES), Language::En);
    let title = table.optional("title", &text("the title of the display's page"));
    let category = table.optional("category", &text("a category of the catalogue"));
    table.finish();
    Some(DisplaySettings { id: id?, zone: zone?, items, language, title, category })
}
