//! `[[display]]`: one screen, its zone and what it shows.

use crate::display::{DisplaySettings, Layout};
use crate::ops::settings::shape::{choice, text, whole, word};
use crate::ops::settings::table::Table;
use crate::recommend::Language;

/// How a page lays its slate out.
const LAYOUTS: [(&str, Layout); 5] = [
    ("auto", Layout::Auto),
    ("hero", Layout::Hero),
    ("three", Layout::Three),
    ("six", Layout::Six),
    ("paper", Layout::Paper),
];

/// What people write for them.
const LAYOUT_NAMES: [(&str, &str); 4] =
    [("one", "hero"), ("single", "hero"), ("e-paper", "paper"), ("epaper", "paper")];

/// The languages that texts exist in.
pub(super) const LANGUAGES: [(&str, Language); 2] = [("en", Language::En), ("zh", Language::Zh)];

/// What people write for them.
pub(super) const LANGUAGE_NAMES: [(&str, &str); 5] =
    [("english", "en"), ("en-gb", "en"), ("en-us", "en"), ("chinese", "zh"), ("zh-cn", "zh")];

pub(super) fn read(table: &Table<'_, '_>) -> Option<DisplaySettings> {
    let id = table.required("id", &word("the display's name in its address and topics"));
    let zone = table.required("zone", &word("the zone that the display stands in"));
    let items = table.or("items", &whole(1..=12, "products"), 3);
    let layout = table.or("layout", &choice(&LAYOUTS, &LAYOUT_NAMES), Layout::Auto);
    let items = layout.items().unwrap_or(items);
    let language = table.or("language", &choice(&LANGUAGES, &LANGUAGE_NAMES), Language::En);
    let title = table.optional("title", &text("the title of the display's page"));
    let category = table.optional("category", &text("a category of the catalogue"));
    table.finish();
    Some(DisplaySettings { id: id?, zone: zone?, items, layout, language, title, category })
}
