//! One `[[area]]` of the configuration: a rectangle of the shop's floor, so that a screen can draw where
//! a product stands. Pure.

use crate::id::ZoneId;

/// What the configuration says of an area, already checked. Lengths are in metres, from the left and
/// the upper edge of the map.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// What the map calls it.
    pub name: String,
    /// From the left edge.
    pub x: f32,
    /// From the upper edge.
    pub y: f32,
    /// Along x.
    pub width: f32,
    /// Along y.
    pub height: f32,
    /// Products whose place begins with these words stand in it.
    pub place: String,
    /// The zone whose screens stand in it.
    pub zone: Option<ZoneId>,
}

/// The area in which a product with this place stands: of those whose words it begins with, the one
/// that says most. "Aisle 1" is no beginning of "Aisle 12".
pub fn area_of<'a>(areas: &'a [Area], place: &str) -> Option<&'a Area> {
    let place = place.trim().to_lowercase();
    let holds = |area: &&Area| {
        let rest = place.strip_prefix(area.place.trim().to_lowercase().as_str());
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    areas.iter().filter(holds).max_by_key(|area| area.place.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(place: &str) -> Area {
        let name = format!("The {place}");
        Area { name, x: 0.0, y: 0.0, width: 1.0, height: 1.0, place: place.into(), zone: None }
    }

    #[test]
    fn a_product_stands_where_its_place_says_most() {
        let areas = [area("Aisle 1"), area("Aisle 12"), area("Aisle 1, shelf B"), area("冷柜")];
        let found = |place: &str| area_of(&areas, place).map(|a| a.place.as_str());
        assert_eq!(found("aisle 1, shelf A"), Some("Aisle 1"));
        assert_eq!(found("Aisle 1, shelf B"), Some("Aisle 1, shelf B"));
        assert_eq!(found("Aisle 12, shelf B"), Some("Aisle 12"));
        assert_eq!(found("Aisle 123"), None);
        assert_eq!(found("冷柜 2"), Some("冷柜"));
        assert_eq!(found("Checkout"), None);
        assert_eq!(found(""), None);
    }
}
