//! The same figures by what the data lets us tell: how old and who by the names of files, how the
//! head is turned, how much light and detail there is by what quality judges. A model that is good
//! on the whole and bad for some must not hide it.

use super::open_set::OpenSet;
use super::split;
use crate::vision::{Detection, Embedding, quality};
use image::RgbImage;
use serde::Serialize;
use std::collections::BTreeSet;

/// Upper ends of the age bands in years, and their names.
const AGES: [(u32, &str); 6] =
    [(2, "0-2"), (12, "3-12"), (19, "13-19"), (39, "20-39"), (59, "40-59"), (u32::MAX, "60+")];
/// Nose off the middle of the eyes over their distance: from here a head is turned (about 20 degrees).
const TURNED: f32 = 0.25;
/// Mean brightness, 0..255, below which a face is dark.
const DARK: f32 = 80.0;
/// Detail (see quality) below which a face is soft.
const SOFT: f32 = 0.1;
/// Widths of faces in pixels of the picture: small below the first, large from the second.
const WIDTHS: [f32; 2] = [80.0, 100.0];

/// What a face belongs to: the kind of group, and which.
pub type Group = (&'static str, String);

/// Groups by the name of a file of the form `age_gender_race_..`, codes as UTKFace has them.
pub fn by_name(file: &str) -> Vec<Group> {
    let Some((age, gender, race)) = split::described(file) else { return Vec::new() };
    let band = AGES.iter().find(|(last, _)| age <= *last).map_or("60+", |(_, name)| name);
    let named = |code: u32, names: &[&str]| match names.get(code as usize) {
        Some(name) => format!("{code} {name}"),
        None => code.to_string(),
    };
    vec![
        ("age", band.to_owned()),
        ("gender", named(gender, &["male", "female"])),
        ("race", named(race, &["white", "black", "asian", "indian", "other"])),
    ]
}

/// Groups by what quality measures in a face and its aligned crop.
pub fn by_quality(face: &Detection, crop: &RgbImage) -> Vec<Group> {
    let (yaw, ..) = quality::pose(face);
    let figures = quality::measure(crop);
    let either = |first: bool, a: &str, b: &str| if first { a.to_owned() } else { b.to_owned() };
    let size = match face.bbox.w {
        w if w < WIDTHS[0] => format!("below {} px", WIDTHS[0]),
        w if w < WIDTHS[1] => format!("{} to {} px", WIDTHS[0], WIDTHS[1]),
        _ => format!("from {} px", WIDTHS[1]),
    };
    vec![
        ("pose", either(yaw.abs() < TURNED, "frontal", "turned")),
        ("light", either(figures.brightness < DARK, "dark", "normal")),
        ("sharpness", either(figures.detail < SOFT, "soft", "sharp")),
        ("size", size),
    ]
}

/// One model's figures for one group; `None` where the data has nothing to measure it on.
#[derive(Debug, Clone, Serialize)]
pub struct GroupFigure {
    /// The kind of group.
    pub kind: &'static str,
    /// Which.
    pub group: String,
    /// Faces in it.
    pub faces: usize,
    /// Pairs of two people, both in the group.
    pub pairs: u64,
    /// Share of these at or above the card's threshold.
    pub false_match_rate: Option<f64>,
    /// Share of its faces whose nearest stranger, in the group or not, is at or above it.
    pub collapsed: f64,
    /// Share accepted of pairs of one person with a face in the group, at the threshold that accepts
    /// 1e-3 of all pairs of two people.
    #[serde(rename = "tar_1e-3")]
    pub tar_1e_3: Option<f64>,
    /// Share of members' faces in the group recognised when 1% of all strangers' faces are accepted.
    pub dir_far_1pct: Option<f64>,
    /// The same at 0.1%.
    pub dir_far_0_1pct: Option<f64>,
    /// Share of its strangers' faces accepted at that first threshold.
    pub strangers_accepted: Option<f64>,
}

/// What is known of all faces and of one model's answers to them.
pub struct Known<'a> {
    /// Whose each face is.
    pub identities: &'a [usize],
    /// The groups of each face.
    pub groups: &'a [Vec<Group>],
    /// One each.
    pub vectors: &'a [Embedding],
    /// The highest cosine of each face with anybody else's.
    pub nearest_stranger: &'a [f32],
    /// The open set whose searches are told apart by group.
    pub open_set: Option<&'a OpenSet>,
    /// The threshold of the model's card.
    pub card_threshold: f32,
    /// The threshold that accepts 1e-3 of pairs of two people.
    pub threshold_1e_3: f32,
}

/// Sums of one group.
#[derive(Clone, Default)]
struct Sums {
    others: u64,
    matched: u64,
    same: u64,
    accepted: u64,
}

/// Figures of every group, in the order of their names; at most 64 groups are told apart.
pub fn figures(known: &Known) -> Vec<GroupFigure> {
    let names: BTreeSet<&Group> = known.groups.iter().flatten().collect();
    let names: Vec<&Group> = names.into_iter().take(64).collect();
    let mask = |groups: &Vec<Group>| {
        let own = groups.iter().filter_map(|g| names.binary_search(&g).ok());
        own.fold(0u64, |mask, at| mask | 1 << at)
    };
    let masks: Vec<u64> = known.groups.iter().map(mask).collect();
    let mut sums = vec![Sums::default(); names.len()];
    for (i, a) in known.vectors.iter().enumerate() {
        for (j, b) in known.vectors.iter().enumerate().skip(i + 1) {
            let cosine = a.cosine(b);
            let same = known.identities[i] == known.identities[j];
            let concerned = if same { masks[i] | masks[j] } else { masks[i] & masks[j] };
            for at in bits(concerned) {
                if same {
                    sums[at].same += 1;
                    sums[at].accepted += u64::from(cosine >= known.threshold_1e_3);
                } else {
                    sums[at].others += 1;
                    sums[at].matched += u64::from(cosine >= known.card_threshold);
                }
            }
        }
    }
    let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
    let limits = known.open_set.map(|set| (set.threshold(0.01), set.threshold(0.001)));
    let figure = |(at, name): (usize, &&Group)| {
        let inside = |face: usize| masks[face] & 1 << at != 0;
        let faces = (0..masks.len()).filter(|&face| inside(face)).count();
        let collapsed = (0..masks.len())
            .filter(|&face| inside(face) && known.nearest_stranger[face] >= known.card_threshold)
            .count();
        let searched = known.open_set.zip(limits);
        GroupFigure {
            kind: name.0,
            group: name.1.clone(),
            faces,
            pairs: sums[at].others,
            false_match_rate: share(sums[at].matched, sums[at].others),
            collapsed: collapsed as f64 / faces.max(1) as f64,
            tar_1e_3: share(sums[at].accepted, sums[at].same),
            dir_far_1pct: searched.and_then(|(set, limits)| set.found(limits.0, inside)),
            dir_far_0_1pct: searched.and_then(|(set, limits)| set.found(limits.1, inside)),
            strangers_accepted: searched.and_then(|(set, limits)| set.accepted(limits.0, inside)),
        }
    };
    let mut figures: Vec<GroupFigure> = names.iter().enumerate().map(figure).collect();
    // Bands of ages in the order of ages.
    let age = |f: &GroupFigure| AGES.iter().position(|(_, name)| f.kind == "age" && *name == f.group);
    figures.sort_by_key(|f| (f.kind, age(f)));
    figures
}

fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (at < 64).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::super::open_set::tests::people;
    use super::super::pairs::Pairs;
    use super::*;

    #[test]
    fn a_name_tells_age_band_and_codes() {
        let groups = by_name("26_1_2_20170116.jpg");
        assert_eq!(
            groups,
            [("age", "20-39".into()), ("gender", "1 female".into()), ("race", "2 asian".into())]
        );
        assert_eq!(by_name("116_0_0_x.jpg")[0].1, "60+");
        assert_eq!(by_name("2_0_7_x.jpg")[2].1, "7");
        assert!(by_name("AJ_Cook_0001.jpg").is_empty());
    }

    #[test]
    fn a_group_that_looks_alike_shows_in_its_own_row_and_not_in_the_others() {
        // Forty people lie apart; the last twenty of them are all but one vector.
        let (identities, mut vectors) = people(40, 1, 0.0);
        for v in 20..40 {
            let near = vectors[20].0.iter().zip(&vectors[v].0).map(|(a, b)| a + 0.1 * b).collect();
            vectors[v] = Embedding::towards(near).unwrap();
        }
        let groups: Vec<Vec<Group>> =
            (0..40).map(|i| vec![("age", if i < 20 { "20-39" } else { "3-12" }.to_owned())]).collect();
        let pairs = Pairs::of(&identities, &vectors);
        let figures = figures(&Known {
            identities: &identities,
            groups: &groups,
            vectors: &vectors,
            nearest_stranger: &pairs.nearest_stranger,
            open_set: None,
            card_threshold: 0.8,
            threshold_1e_3: 0.8,
        });
        let [children, adults] = &figures[..] else { panic!("{figures:?}") };
        assert_eq!((children.group.as_str(), children.faces, children.pairs), ("3-12", 20, 190));
        assert_eq!((children.false_match_rate, children.collapsed), (Some(1.0), 1.0));
        assert_eq!((adults.false_match_rate, adults.collapsed), (Some(0.0), 0.0));
        assert_eq!((adults.tar_1e_3, adults.dir_far_1pct), (None, None));
    }
}
