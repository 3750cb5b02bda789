//! `[[kiosk]]`: a screen at which shoppers join, and see what is kept of them.

use super::display::{LANGUAGE_NAMES, LANGUAGES};
use crate::display::KioskSettings;
use crate::ops::settings::shape::{choice, length_of_time, text, whole, word};
use crate::ops::settings::table::Table;
use crate::recommend::Language;
use std::time::Duration;

pub(super) fn read(table: &Table<'_, '_>) -> Option<KioskSettings> {
    let id = table.required("id", &word("the kiosk's name in its address"));
    let zone = table.required("zone", &word("the zone that the kiosk stands in"));
    let camera = table.optional("camera", &word("a [[camera]] with the source \"browser\" in that zone"));
    let language = table.or("language", &choice(&LANGUAGES, &LANGUAGE_NAMES), Language::En);
    let items = table.or("items", &whole(1..=6, "products"), 3);
    let title = table.optional("title", &text("the title of the kiosk's page"));
    let minimum_age = table.or("minimum_age", &whole(13..=99, "years"), 18);
    let timeout = length_of_time(Duration::from_secs(15)..=Duration::from_secs(300));
    let timeout = table.or("timeout", &timeout, Duration::from_secs(45));
    let every = length_of_time(Duration::from_millis(100)..=Duration::from_secs(2));
    let every = table.or("every", &every, Duration::from_millis(250));
    table.finish();
    Some(KioskSettings { id: id?, zone: zone?, camera, language, items, title, minimum_age, timeout, every })
}
