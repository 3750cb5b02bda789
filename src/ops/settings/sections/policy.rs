//! `[policy]` and `[[promotion]]`: the rules between scores and a slate.

use crate::ops::settings::shape::{Refusal, Shape, length_of_time, number, parsed, text, whole};
use crate::ops::settings::table::Table;
use crate::recommend::PolicySettings;
use crate::recommend::settings::{Promoted, Promotion};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::time::Duration;

/// What a promotion may be about.
const KINDS: [&str; 3] = ["sku", "category", "brand"];

/// Reads the rules; promotions begin and end at midnight in `time_zone`.
pub(super) fn read(table: &Table<'_, '_>, promotions: &[Table<'_, '_>], time_zone: &str) -> PolicySettings {
    let default = PolicySettings::default();
    let pause = || length_of_time(Duration::ZERO..=Duration::from_secs(30 * 24 * 3600));
    let zone = TimeZone::get(time_zone).unwrap_or(TimeZone::UTC);
    let settings = PolicySettings {
        just_bought: table.or("just_bought", &pause(), default.just_bought),
        cool_down: table.or("cool_down", &pause(), default.cool_down),
        per_category: table.or("per_category", &whole(1..=12, "products"), default.per_category),
        per_brand: table.or("per_brand", &whole(1..=12, "products"), default.per_brand),
        discoveries: table.or("discoveries", &whole(0..=12, "products"), default.discoveries),
        diversity: table.or("diversity", &number(0.0..=5.0, "taken off a score"), default.diversity),
        price_level: table.or("price_level", &number(0.0..=5.0, "taken off a score"), default.price_level),
        declared: table.or("declared", &number(0.0..=3.0, "added to a score"), default.declared),
        viewed: table.or("viewed", &number(0.0..=3.0, "added to a score"), default.viewed),
        view_lasts: table.or("view_lasts", &pause(), default.view_lasts),
        explore: table.or("explore", &number(0.0..=1.0, "a share of the slates"), default.explore),
        promotions: promotions.iter().filter_map(|table| promotion(table, &zone)).collect(),
    };
    table.finish();
    settings
}

fn promotion(table: &Table<'_, '_>, zone: &TimeZone) -> Option<Promotion> {
    let sku = table.optional("sku", &text("a product's number")).map(Promoted::Sku);
    let category = table.optional("category", &text("a category of the catalogue")).map(Promoted::Category);
    let brand = table.optional("brand", &text("a brand of the catalogue")).map(Promoted::Brand);
    let weight = table.or("weight", &number(0.0..=3.0, "added to a score"), 0.5);
    let from = table.optional("from", &midnight(zone));
    let until = table.optional("until", &midnight(zone));
    let named = KINDS.into_iter().filter(|kind| table.has(kind)).count();
    if named == 0 {
        table.missing("sku", "what is promoted: a sku, a category or a brand");
    } else if named > 1 {
        let first = KINDS.into_iter().find(|kind| table.has(kind)).unwrap_or(KINDS[0]);
        table.refuse(first, "is not the only thing promoted here", "write one [[promotion]] for each");
    }
    table.finish();
    let what = sku.or(category).or(brand)?;
    Some(Promotion { what, weight, from, until })
}

/// The beginning of a day in the store.
fn midnight(zone: &TimeZone) -> Shape<'_, Timestamp> {
    parsed("a day in quotes, like \"2026-12-01\"", move |text| {
        let day: Date = text.trim().parse().map_err(|_| Refusal::because("is not a day"))?;
        let zoned = day.to_zoned(zone.clone()).map_err(|_| Refusal::because("is not a day"))?;
        Ok(zoned.timestamp())
    })
}
