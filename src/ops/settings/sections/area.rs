//! `[[area]]`: a rectangle of the shop's floor, for the map on which a kiosk shows where things stand.

use crate::display::Area;
use crate::ops::settings::shape::{number, text, word};
use crate::ops::settings::table::Table;

/// The longest side of a shop, metres.
const LONGEST: f32 = 1_000.0;
/// What is narrower cannot be seen on a map.
const NARROWEST: f32 = 0.1;

pub(super) fn read(table: &Table<'_, '_>) -> Option<Area> {
    let name = table.required("name", &text("what the map calls the area"));
    let from = |edge| number(0.0..=LONGEST, edge);
    let x = table.required("x", &from("metres from the left edge of the map"));
    let y = table.required("y", &from("metres from the upper edge of the map"));
    let width = table.required("width", &number(NARROWEST..=LONGEST, "metres to the right"));
    let height = table.required("height", &number(NARROWEST..=LONGEST, "metres downwards"));
    let place = table.optional("place", &text("how the places of the products in it begin"));
    let zone = table.optional("zone", &word("the zone whose screens stand in it"));
    table.finish();
    let place = place.or_else(|| name.clone())?;
    Some(Area { name: name?, x: x?, y: y?, width: width?, height: height?, place, zone })
}
