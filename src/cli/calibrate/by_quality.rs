//! Does quality order the chance of being found? Members' further photographs, as they are and made
//! worse in ways that a shop knows (out of focus, dark, far away), searched for and put in order of
//! quality: the share found must rise from fifth to fifth.

use super::scores::{ENROLLED, Photographed, template, vote};
use crate::gallery::Gallery;
use crate::vision::quality::{self, Figures};
use crate::vision::settings::VisionSettings;
use crate::vision::{Eyes, align};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use serde::Serialize;
use std::collections::BTreeMap;

/// Parts that the photographs are put into, by quality.
const PARTS: usize = 5;

/// One photograph, or one made worse.
#[derive(Debug, Clone, Serialize)]
pub struct Look {
    /// What was done to it.
    pub made: &'static str,
    /// What quality was judged from.
    pub figures: Figures,
    /// 0 to 1.
    pub quality: f32,
    /// Cosine with the member's own centroid, or -1 where another member was nearer or too near.
    pub score: f32,
}

/// A part of the looks.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// Least and most quality in it.
    pub quality: (f32, f32),
    /// Looks in it.
    pub looks: usize,
    /// Share of them recognised.
    pub found: f64,
}

/// A name, and what is done to a photograph.
type Way = (&'static str, fn(&RgbImage) -> RgbImage);

/// What is done to photographs.
const WAYS: [Way; 7] = [
    ("as it is", RgbImage::clone),
    ("blurred a little", |p| imageops::blur(p, 1.2)),
    ("blurred", |p| imageops::blur(p, 2.5)),
    ("dim", |p| darker(p, 0.35)),
    ("dark", |p| darker(p, 0.12)),
    ("half the size", |p| smaller(p, 2)),
    ("a third of the size", |p| smaller(p, 3)),
];

fn darker(picture: &RgbImage, share: f32) -> RgbImage {
    let mut dark = picture.clone();
    dark.iter_mut().for_each(|v| *v = (f32::from(*v) * share) as u8);
    dark
}

/// The picture shrunk, in the middle of a grey one of the old size, as a face farther away.
fn smaller(picture: &RgbImage, times: u32) -> RgbImage {
    let (w, h) = picture.dimensions();
    let small = imageops::resize(picture, (w / times).max(1), (h / times).max(1), FilterType::Triangle);
    let mut far = RgbImage::from_pixel(w, h, Rgb([96; 3]));
    let middle = |whole: u32, part: u32| i64::from((whole - part) / 2);
    imageops::replace(&mut far, &small, middle(w, small.width()), middle(h, small.height()));
    far
}

/// Enrols everybody with enough good photographs from the first of them and looks at the others.
pub fn measure(
    people: &mut Photographed,
    settings: &VisionSettings,
    margin: f32,
    eyes: &mut Eyes,
) -> anyhow::Result<Vec<Look>> {
    let mut of: BTreeMap<usize, Vec<(usize, String)>> = BTreeMap::new();
    for (at, face) in people.faces.iter().enumerate() {
        of.entry(face.person).or_default().push((at, face.name.clone()));
    }
    of.retain(|_, faces| faces.len() > ENROLLED);
    let mut gallery = Gallery::new("calibrated", eyes.dimensions());
    for (person, faces) in &of {
        for (at, _) in &faces[..ENROLLED] {
            gallery.add(&template(*person, &people.faces[*at].embedding))?;
        }
    }
    let mut looks = Vec::new();
    for (person, faces) in &of {
        let used: Vec<&String> = faces[..ENROLLED].iter().map(|(_, name)| name).collect();
        for name in people.names[*person].iter().filter(|name| !used.contains(name)) {
            let picture = people.photographs.read(name)?;
            for (made, change) in WAYS {
                let picture = change(&picture);
                let Some(face) = super::scores::portrait(&picture, eyes)? else { continue };
                let Some(crop) = align::crop(&picture, &face.landmarks) else { continue };
                let (size, min_face) = (picture.dimensions(), settings.min_face);
                let judged = quality::judge(&face, size, Some(&crop), min_face, settings.min_quality);
                let probe = eyes.embed_crop(&crop).map_err(anyhow::Error::msg)?;
                looks.push(Look {
                    made,
                    figures: quality::figures(&face, &crop),
                    quality: judged.score,
                    score: vote(gallery.search(&probe), crate::id::MemberId(*person as i64), margin),
                });
            }
        }
    }
    Ok(looks)
}

/// The looks in order of quality, in fifths; `threshold` is a vote's.
pub fn fifths(looks: &[Look], threshold: f32) -> Vec<Part> {
    let mut sorted: Vec<&Look> = looks.iter().collect();
    sorted.sort_by(|a, b| a.quality.total_cmp(&b.quality));
    let part = |n: usize| {
        let part = &sorted[n * sorted.len() / PARTS..(n + 1) * sorted.len() / PARTS];
        let (first, last) = (part.first()?, part.last()?);
        let found = part.iter().filter(|l| l.score >= threshold).count() as f64 / part.len() as f64;
        Some(Part { quality: (first.quality, last.quality), looks: part.len(), found })
    };
    (0..PARTS).filter_map(part).collect()
}

/// Prints what [`fifths`] gave.
pub fn print(looks: &[Look], parts: &[Part], threshold: f32) {
    println!("quality        looks  recognised at {threshold:.3}");
    for part in parts {
        println!(
            "{:.2} to {:.2}   {:>6}  {:>5.1}%",
            part.quality.0,
            part.quality.1,
            part.looks,
            part.found * 100.0
        );
    }
    for (made, _) in WAYS {
        let of: Vec<&Look> = looks.iter().filter(|l| l.made == made).collect();
        let n = of.len().max(1) as f64;
        let found = of.iter().filter(|l| l.score >= threshold).count() as f64 / n;
        let quality: f64 = of.iter().map(|l| f64::from(l.quality)).sum::<f64>() / n;
        println!("{made:<20} {:>6}  {:>5.1}%  mean quality {quality:.2}", of.len(), found * 100.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifths_are_in_order_of_quality_and_count_what_reaches_the_threshold() {
        let figures = Figures::default();
        let look = |n: usize| Look {
            made: "as it is",
            figures,
            quality: n as f32 / 100.0,
            score: if n.is_multiple_of(2) || n >= 80 { 0.6 } else { 0.2 },
        };
        let looks: Vec<Look> = (0..100).rev().map(look).collect();
        let parts = fifths(&looks, 0.5);
        assert_eq!(parts.len(), 5);
        assert_eq!(parts.iter().map(|p| p.looks).sum::<usize>(), 100);
        assert_eq!((parts[0].found, parts[4].found), (0.5, 1.0));
        assert!(parts.windows(2).all(|p| p[0].quality.1 < p[1].quality.0));
        assert!(fifths(&[], 0.5).is_empty());
    }
}
