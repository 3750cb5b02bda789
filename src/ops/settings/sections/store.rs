//! `[store]`: what pages and topics need to know of the shop.

use crate::display::StoreSettings;
use crate::ops::settings::nearest::nearest;
use crate::ops::settings::shape::{Refusal, Shape, parsed, text, whole, word};
use crate::ops::settings::table::Table;

pub(super) fn read(table: &Table<'_, '_>) -> Option<StoreSettings> {
    let id = table.required("id", &word("the store's name in topics"));
    let name = table.required("name", &text("the store's name for people"));
    let currency = table.or("currency", &currency(), "€".to_owned());
    let currency_digits = table.or("currency_digits", &whole(0..=4, "digits after the decimal point"), 2);
    let time_zone = table.or("time_zone", &time_zone(), "UTC".to_owned());
    table.finish();
    Some(StoreSettings { id: id?, name: name?, currency, currency_digits, time_zone })
}

fn currency() -> Shape<'static, String> {
    parsed("what stands before a price: up to 8 characters in quotes, e.g. \"€\" or \"CHF \"", |text| {
        if text.chars().count() <= 8 && !text.chars().any(char::is_control) {
            Ok(text.to_owned())
        } else {
            Err(Refusal::because("is too long for a label"))
        }
    })
}

fn time_zone() -> Shape<'static, String> {
    parsed("the name of a time zone, e.g. \"Europe/Berlin\" or \"UTC\"", |text| {
        if jiff::tz::TimeZone::get(text).is_ok() {
            return Ok(text.to_owned());
        }
        let names: Vec<_> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        // "Berlin" finds "Europe/Berlin": the city alone is compared too.
        let of_city =
            |name: &&String| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(text));
        let meant = names.iter().find(of_city).map(String::as_str);
        let meant = meant.or_else(|| nearest(text, names.iter().map(String::as_str)));
        Err(Refusal::because("is not a time zone").meant(meant.map(|name| format!("{name:?}"))))
    })
}
