//! The shop's floor as a drawing: every area of the configuration, the one where a product stands
//! filled, and where the shopper is. Drawn here as SVG, so that the page needs no script for it.
//!
//! What always holds: nothing in it is about a person, and names are text, never markup.

use crate::display::Area;
use crate::id::ZoneId;
use maud::{Markup, html};

/// Width of the drawing in its own units; its height follows the shop's shape.
const WIDE: f32 = 640.0;
/// The drawing is never flatter or taller than this, as a share of its width.
const SHAPE: (f32, f32) = (0.3, 1.6);
/// Room around it.
const EDGE: f32 = 12.0;
/// Sizes of letters that are tried, largest first; smaller ones could not be read on a phone.
const LETTERS: [f32; 3] = [26.0, 22.0, 18.0];
/// Height that the words of where the shopper stands take.
const YOU: f32 = 50.0;
/// Height of a line, in letters.
const LINE: f32 = 1.15;

/// A rectangle in the drawing's units.
#[derive(Clone, Copy)]
struct Drawn {
    x: f32,
    y: f32,
    w: f32,
    h: f32,
}

impl Drawn {
    fn centre(self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }
}

/// The map with `target` filled. `zone` is where the shopper stands, and `here` says so.
pub(super) fn map(areas: &[Area], target: &Area, zone: &ZoneId, here: &str) -> Markup {
    let least = |of: fn(&Area) -> f32| areas.iter().map(of).fold(f32::INFINITY, f32::min);
    let most = |of: fn(&Area) -> f32| areas.iter().map(of).fold(0.0, f32::max);
    let (left, top) = (least(|a| a.x), least(|a| a.y));
    let (width, height) = (most(|a| a.x + a.width) - left, most(|a| a.y + a.height) - top);
    let across = (WIDE - 2.0 * EDGE) / width;
    // A shop like a corridor is drawn wider than it is: what matters is what stands beside what.
    let tall = (height * across).clamp(WIDE * SHAPE.0, WIDE * SHAPE.1);
    let down = tall / height;
    let drawn = |a: &Area| Drawn {
        x: EDGE + (a.x - left) * across,
        y: EDGE + (a.y - top) * down,
        w: a.width * across,
        h: a.height * down,
    };
    let whole = Drawn { x: 0.0, y: 0.0, w: WIDE, h: tall + 2.0 * EDGE };
    let stands = areas.iter().find(|a| a.zone.as_ref() == Some(zone));
    let named = |area: &Area| if stands == Some(area) { above_you(drawn(area)) } else { drawn(area) };
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (whole.w) " " (round(whole.h)) }
            width=(whole.w) height=(round(whole.h)) font-weight="600" text-anchor="middle"
            font-family="Inter, 'Segoe UI', 'Noto Sans', 'Liberation Sans', Arial, 'Noto Sans CJK SC', sans-serif" {
            rect width=(whole.w) height=(round(whole.h)) rx="14" fill="#f4efe4" {}
            @for area in areas.iter().filter(|a| *a != target) {
                (rectangle(drawn(area), "#fffdf8", "#8a8171"))
                (label(&area.name, named(area), "#1b1916"))
            }
            (rectangle(drawn(target), "#17472f", "#17472f"))
            (label(&target.name, named(target), "#ffffff"))
            @if let Some(area) = stands { (you(drawn(area), whole, here)) }
        }
    }
}

/// What the words of where the shopper stands leave of an area for its name.
fn above_you(at: Drawn) -> Drawn {
    Drawn { h: (at.h - YOU).max(0.0), ..at }
}

fn round(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}

fn rectangle(at: Drawn, fill: &str, line: &str) -> Markup {
    let [x, y, w, h] = [at.x, at.y, at.w, at.h].map(round);
    html! { rect x=(x) y=(y) width=(w) height=(h) rx="5" fill=(fill) stroke=(line) stroke-width="2" {} }
}

/// A name inside its rectangle, upright or turned, in lines; nothing where it cannot be read.
fn label(name: &str, at: Drawn, colour: &str) -> Markup {
    let fitted = LETTERS.iter().find_map(|size| {
        let level = lines(name, at.w - 10.0, at.h - 6.0, *size).map(|l| (l, *size, false));
        level.or_else(|| lines(name, at.h - 10.0, at.w - 6.0, *size).map(|l| (l, *size, true)))
    });
    let Some((lines, size, turned)) = fitted else { return html! {} };
    let (x, y) = at.centre();
    let first = y + size * 0.35 - (lines.len() as f32 - 1.0) * size * LINE / 2.0;
    let turn = turned.then(|| format!("rotate(-90 {} {})", round(x), round(y)));
    html! {
        g font-size=(size) fill=(colour) transform=[turn] {
            @for (n, line) in lines.iter().enumerate() {
                text x=(round(x)) y=(round(first + n as f32 * size * LINE)) { (line) }
            }
        }
    }
}

/// Where the shopper stands, in words with a mark: at the lower edge of the area, below its name; in the
/// middle where there is no room for both.
fn you(spot: Drawn, whole: Drawn, here: &str) -> Markup {
    let (x, middle) = spot.centre();
    let (size, tall) = (LETTERS[1], 38.0);
    let wide = ems(here) * size + 56.0;
    let y = if spot.h > YOU + size * LINE { spot.y + spot.h - YOU / 2.0 } else { middle };
    let x = x.clamp(wide / 2.0 + 4.0, (whole.w - wide / 2.0 - 4.0).max(wide / 2.0 + 4.0));
    let left = x - wide / 2.0;
    html! {
        rect x=(round(left)) y=(round(y - tall / 2.0)) width=(round(wide)) height=(tall) rx="19"
            fill="#b0470f" stroke="#ffffff" stroke-width="2" {}
        circle cx=(round(left + 22.0)) cy=(round(y)) r="8" fill="#ffffff" {}
        text x=(round(x + 12.0)) y=(round(y + size * 0.35)) font-size=(size) fill="#ffffff" { (here) }
    }
}

/// How wide a text is, in letters' heights: an estimate on the wide side.
fn ems(text: &str) -> f32 {
    text.chars().map(|c| if is_wide(c) { 1.0 } else { 0.6 }).sum()
}

/// Chinese, Japanese and Korean signs, between any two of which a line may break.
fn is_wide(c: char) -> bool {
    c as u32 >= 0x2e80
}

/// A name in lines that fit into this room; `None` if they do not.
fn lines(name: &str, width: f32, height: f32, size: f32) -> Option<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in words(name) {
        let longer = format!("{line}{word}");
        if !line.is_empty() && ems(longer.trim()) * size > width {
            lines.push(std::mem::take(&mut line).trim().to_owned());
            line = word.trim_start().to_owned();
        } else {
            line = longer;
        }
    }
    lines.push(line.trim().to_owned());
    let fits = lines.iter().all(|l| ems(l) * size <= width) && lines.len() as f32 * size * LINE <= height;
    fits.then_some(lines)
}

/// The pieces between which a line may break, spaces kept.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last = ' ';
    for c in name.chars() {
        let begins = last != ' ' && (c == ' ' || is_wide(c) || is_wide(last));
        match words.last_mut() {
            Some(word) if !begins => word.push(c),
            _ => words.push(c.to_string()),
        }
        last = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn area(name: &str, x: f32, y: f32, width: f32, height: f32) -> Area {
        Area { name: name.into(), x, y, width, height, place: name.into(), zone: None }
    }

    fn here() -> ZoneId {
        ZoneId::new("front").unwrap()
    }

    #[test]
    fn the_map_names_the_areas_fills_one_and_says_where_you_are() {
        let mut areas = [area("Tea & <coffee>", 0.0, 0.0, 6.0, 2.0), area("Bread", 0.0, 4.0, 6.0, 2.0)];
        areas[1].zone = Some(here());
        let drawn = map(&areas, &areas[0], &here(), "You are here").into_string();
        assert!(drawn.contains("Tea &amp; &lt;coffee&gt;") && drawn.contains(">Bread<"), "{drawn}");
        assert_eq!(drawn.matches("fill=\"#17472f\"").count(), 1, "{drawn}");
        assert!(drawn.contains("You are here"));
        let elsewhere = map(&areas, &areas[0], &ZoneId::new("back").unwrap(), "You are here");
        assert!(!elsewhere.into_string().contains("You are here"));
    }

    #[test]
    fn names_are_broken_turned_or_left_out_but_never_cut() {
        assert_eq!(lines("Tea and coffee", 110.0, 80.0, 20.0).unwrap(), ["Tea and", "coffee"]);
        assert_eq!(lines("茶与咖啡", 62.0, 80.0, 20.0).unwrap(), ["茶与咖", "啡"]);
        assert_eq!(lines("Refrigerators", 60.0, 80.0, 18.0), None);
        let narrow = Drawn { x: 0.0, y: 0.0, w: 40.0, h: 300.0 };
        assert!(label("Refrigerators", narrow, "#000").into_string().contains("rotate(-90"));
        let tiny = Drawn { x: 0.0, y: 0.0, w: 20.0, h: 20.0 };
        assert_eq!(label("Refrigerators", tiny, "#000").into_string(), "");
    }

    proptest! {
        #[test]
        fn whatever_the_shop_looks_like_all_of_it_is_on_the_map(
            sides in prop::collection::vec((0.0f32..1000.0, 0.0f32..1000.0, 0.1f32..1000.0, 0.1f32..1000.0), 1..12),
            name in "\\PC{1,40}",
        ) {
            let mut areas: Vec<Area> = sides.iter().map(|(x, y, w, h)| area(&name, *x, *y, *w, *h)).collect();
            areas[0].zone = Some(here());
            let drawn = map(&areas, &areas[0], &here(), "You are here").into_string();
            prop_assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{}", drawn);
            let of = |name: &str| -> Vec<f32> {
                let begins = format!(" {name}=\"");
                let parts = drawn.split(begins.as_str()).skip(1);
                parts.filter_map(|p| p.split('"').next()?.parse().ok()).collect()
            };
            prop_assert!(of("x").iter().all(|x| (-0.1..=WIDE).contains(x)), "{}", drawn);
            prop_assert!(of("cx").iter().all(|x| (0.0..=WIDE).contains(x)), "{}", drawn);
        }
    }
}
