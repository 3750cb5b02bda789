//! Recognition on photographs of known people: verification over all pairs, and the open set,
//! where some people are members and everybody else a stranger who must not be taken for one.

use super::Recognition;
use super::photographs::Photographs;
use crate::gallery::{Gallery, Template};
use crate::id::MemberId;
use crate::vision::settings::VisionSettings;
use crate::vision::{Detection, Embedding, Eyes, align, quality};
use anyhow::bail;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

/// Photographs that each member is enrolled from, one open-set figure each.
const ENROLLED: [usize; 2] = [1, 3];
/// Steps of the histogram of cosines, -1 to 1.
const BINS: usize = 20_000;

/// The figures; shares are fractions.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Photographs read.
    pub images: usize,
    /// People in them.
    pub identities: usize,
    /// Share of photographs in which a face was found.
    pub found: f64,
    /// Share of found faces that the daemon would not embed, by reason.
    pub poor: BTreeMap<String, f64>,
    /// Share of same-person pairs accepted, by the share of other pairs accepted.
    pub tar: BTreeMap<&'static str, f64>,
    /// Members among strangers.
    pub open_set: Vec<OpenSet>,
    /// Share of faces whose nearest stranger is at or above the card's threshold.
    pub collapsed: f64,
    /// The card's threshold.
    pub card_threshold: f32,
    /// Means over the photographs.
    pub milliseconds: Milliseconds,
}

/// One open-set figure.
#[derive(Debug, Serialize)]
pub struct OpenSet {
    /// Members in the gallery.
    pub members: usize,
    /// Photographs that each was enrolled from.
    pub enrol: usize,
    /// Photographs of members that were searched for.
    pub probes: usize,
    /// Photographs of strangers.
    pub strangers: usize,
    /// Share of members' photographs recognised when 1% of strangers' are accepted.
    pub dir_far_1pct: f64,
    /// The same at 0.1%.
    pub dir_far_0_1pct: f64,
    /// The cosine that accepts 1% of strangers.
    pub threshold: f32,
    /// The cosine that accepts 0.1% of strangers.
    pub threshold_0_1pct: f32,
    /// At the card's threshold: members recognised, strangers accepted.
    pub at_card: (f64, f64),
}

/// Mean times.
#[derive(Debug, Serialize)]
pub struct Milliseconds {
    /// Detection with its scaling.
    pub detect: f64,
    /// Alignment.
    pub align: f64,
    /// One embedding.
    pub embed: f64,
}

struct Face {
    identity: usize,
    straight: Embedding,
    both: Embedding,
}

/// The rule of the training: an identity is held out when its name's SHA-256, as a number, is
/// divisible by five (256 is 1 modulo 5, so the sum of the bytes decides).
pub fn held_out(identity: &str) -> bool {
    Sha256::digest(identity.as_bytes()).iter().map(|b| *b as u32).sum::<u32>().is_multiple_of(5)
}

/// The face that a portrait is of: the largest, distance from the middle counted against it.
fn portrayed(faces: Vec<Detection>, size: (u32, u32)) -> Option<Detection> {
    let value = |f: &Detection| {
        let dx = f.bbox.x + f.bbox.w / 2.0 - size.0 as f32 / 2.0;
        let dy = f.bbox.y + f.bbox.h / 2.0 - size.1 as f32 / 2.0;
        (f.bbox.w * f.bbox.h).sqrt() - 2.0 * dx.hypot(dy)
    };
    faces.into_iter().max_by(|a, b| value(a).total_cmp(&value(b)))
}

/// Reads, finds, embeds and judges.
pub fn evaluate(arguments: &Recognition) -> anyhow::Result<Figures> {
    let mut photographs = Photographs::open(&arguments.images)?;
    let mut people: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in &photographs.names {
        let Some(identity) = name.rsplit('/').nth(1) else {
            bail!("{name} is in no folder: expected <identity>/<image>.jpg");
        };
        if !arguments.held_out || held_out(identity) {
            people.entry(identity.to_owned()).or_default().push(name.clone());
        }
    }
    let people: Vec<_> = people.into_iter().take(arguments.identities.unwrap_or(usize::MAX)).collect();
    let mut eyes = Eyes::load(&arguments.models.settings())?;
    let images: usize = people.iter().map(|p| p.1.len()).sum();
    let bar = super::bar(images);
    let mut faces = Vec::new();
    let mut spent = [0.0f64; 3];
    let mut poor: BTreeMap<String, f64> = BTreeMap::new();
    let VisionSettings { min_face, min_quality, .. } = VisionSettings::default();
    for (identity, (_, names)) in people.iter().enumerate() {
        for name in names {
            bar.inc(1);
            let picture = photographs.read(name)?;
            let mark = Instant::now();
            let found = eyes.faces(&picture)?;
            spent[0] += mark.elapsed().as_secs_f64();
            let Some(face) = portrayed(found, picture.dimensions()) else { continue };
            let mark = Instant::now();
            let Some(crop) = align::crop(&picture, &face.landmarks) else { continue };
            spent[1] += mark.elapsed().as_secs_f64();
            let judged = quality::judge(&face, picture.dimensions(), Some(&crop), min_face, min_quality);
            if let Some(reason) = judged.poor {
                *poor.entry(format!("{reason:?}")).or_default() += 1.0;
            }
            let mark = Instant::now();
            let (straight, both) = eyes.embed_crop(&crop).map_err(anyhow::Error::msg)?;
            spent[2] += mark.elapsed().as_secs_f64() / 2.0;
            faces.push(Face { identity, straight, both });
        }
    }
    bar.finish_and_clear();
    if faces.is_empty() {
        bail!("no face was found in {images} photographs");
    }
    poor.values_mut().for_each(|count| *count /= faces.len() as f64);
    let card_threshold = eyes.card_threshold().0;
    let n = faces.len() as f64;
    let (tar, collapsed) = pairs(&faces, card_threshold);
    let open_set = ENROLLED
        .iter()
        .filter_map(|&enrol| open_set(&faces, &people, arguments.members, enrol, card_threshold));
    Ok(Figures {
        images,
        identities: people.len(),
        found: n / images as f64,
        poor,
        tar,
        open_set: open_set.collect(),
        collapsed,
        card_threshold,
        milliseconds: Milliseconds {
            detect: spent[0] * 1e3 / images as f64,
            align: spent[1] * 1e3 / n,
            embed: spent[2] * 1e3 / n,
        },
    })
}

/// Verification over all pairs, and the share of faces with a stranger at or above `threshold`.
fn pairs(faces: &[Face], threshold: f32) -> (BTreeMap<&'static str, f64>, f64) {
    let mut same = vec![0u64; BINS + 1];
    let mut other = vec![0u64; BINS + 1];
    let mut collapsed = vec![false; faces.len()];
    for (i, a) in faces.iter().enumerate() {
        for (j, b) in faces.iter().enumerate().skip(i + 1) {
            let cosine = a.straight.cosine(&b.straight);
            let bin = ((cosine.clamp(-1.0, 1.0) + 1.0) / 2.0 * BINS as f32) as usize;
            if a.identity == b.identity {
                same[bin] += 1;
            } else {
                other[bin] += 1;
                if cosine >= threshold {
                    collapsed[i] = true;
                    collapsed[j] = true;
                }
            }
        }
    }
    let all_same: u64 = same.iter().sum();
    let all_other: u64 = other.iter().sum();
    let mut tar = BTreeMap::new();
    for (name, far) in [("1e-3", 1e-3), ("1e-4", 1e-4)] {
        let allowed = (all_other as f64 * far) as u64;
        let (mut accepted, mut right) = (0u64, 0u64);
        for bin in (0..=BINS).rev() {
            accepted += other[bin];
            if accepted > allowed {
                break;
            }
            right += same[bin];
        }
        tar.insert(name, right as f64 / all_same.max(1) as f64);
    }
    (tar, collapsed.iter().filter(|c| **c).count() as f64 / faces.len() as f64)
}

/// The first people (by the hash of their names) with enough faces become members, enrolled from
/// their first `enrol` photographs, each the mean of face and mirror image; their other
/// photographs are searched for, and so are everybody else's.
fn open_set(
    faces: &[Face],
    people: &[(String, Vec<String>)],
    members: usize,
    enrol: usize,
    card_threshold: f32,
) -> Option<OpenSet> {
    let most = ENROLLED.iter().max().copied().unwrap_or(1);
    let mut of: Vec<Vec<&Face>> = vec![Vec::new(); people.len()];
    faces.iter().for_each(|f| of[f.identity].push(f));
    let mut order: Vec<usize> = (0..people.len()).filter(|&p| of[p].len() > most).collect();
    order.sort_by_key(|&p| Sha256::digest(people[p].0.as_bytes()).to_vec());
    order.truncate(members);
    let dimensions = faces[0].straight.0.len();
    let mut gallery = Gallery::new("evaluated", dimensions);
    for &person in &order {
        for face in &of[person][..enrol] {
            let template = Template {
                member: MemberId(person as i64),
                model: "evaluated".into(),
                embedding: face.both.clone(),
            };
            gallery.add(&template).ok()?;
        }
    }
    let (mut known, mut strangers) = (Vec::new(), Vec::new());
    for (person, faces) in of.iter().enumerate() {
        let member = order.contains(&person);
        for face in faces.iter().skip(if member { most } else { 0 }) {
            let (best, score) = gallery.search(&face.straight).best?;
            if member { known.push((best.0 as usize == person, score)) } else { strangers.push(score) }
        }
    }
    if known.is_empty() || strangers.is_empty() {
        return None;
    }
    strangers.sort_by(|a, b| b.total_cmp(a));
    let at = |threshold: f32| {
        known.iter().filter(|(right, s)| *right && *s >= threshold).count() as f64 / known.len() as f64
    };
    // The least cosine that accepts no more than this share of strangers.
    let threshold = |far: f64| strangers[(strangers.len() as f64 * far) as usize] + 1e-6;
    let (one, tenth) = (threshold(0.01), threshold(0.001));
    let accepted = strangers.iter().filter(|s| **s >= card_threshold).count();
    Some(OpenSet {
        members: order.len(),
        enrol,
        probes: known.len(),
        strangers: strangers.len(),
        dir_far_1pct: at(one),
        dir_far_0_1pct: at(tenth),
        threshold: one,
        threshold_0_1pct: tenth,
        at_card: (at(card_threshold), accepted as f64 / strangers.len() as f64),
    })
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} photographs of {} people; a face found in {:.2}%",
            self.images,
            self.identities,
            self.found * 100.0
        )?;
        for (reason, share) in &self.poor {
            writeln!(f, "not good enough to embed: {:.2}% ({reason})", share * 100.0)?;
        }
        for (far, tar) in &self.tar {
            writeln!(f, "pairs: {:.2}% of same-person pairs accepted at {far} of others", tar * 100.0)?;
        }
        for o in &self.open_set {
            writeln!(
                f,
                "open set, {} members x {}: {:.2}% recognised at 1% of strangers accepted (threshold {:.3}), {:.2}% at 0.1% ({:.3}); at the card's {:.2}: {:.2}% recognised, {:.2}% of strangers accepted",
                o.members,
                o.enrol,
                o.dir_far_1pct * 100.0,
                o.threshold,
                o.dir_far_0_1pct * 100.0,
                o.threshold_0_1pct,
                self.card_threshold,
                o.at_card.0 * 100.0,
                o.at_card.1 * 100.0
            )?;
        }
        let m = &self.milliseconds;
        writeln!(f, "{:.2}% of faces have a stranger at the card's threshold", self.collapsed * 100.0)?;
        writeln!(f, "detect {:.2} ms, align {:.2} ms, embed {:.2} ms", m.detect, m.align, m.embed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faces(people: usize, each: usize, spread: f32) -> (Vec<Face>, Vec<(String, Vec<String>)>) {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut faces = Vec::new();
        for identity in 0..people {
            let centre: Vec<f32> = (0..64).map(|_| rng.random_range(-1.0..1.0)).collect();
            for _ in 0..each {
                let values = centre.iter().map(|c| c + spread * rng.random_range(-1.0f32..1.0)).collect();
                let straight = Embedding::towards(values).unwrap();
                faces.push(Face { identity, both: straight.clone(), straight });
            }
        }
        (faces, (0..people).map(|p| (format!("person {p}"), vec![])).collect())
    }

    #[test]
    fn people_who_lie_apart_are_all_recognised_and_chance_is_not() {
        let (apart, people) = faces(60, 5, 0.3);
        let figure = open_set(&apart, &people, 20, 3, 0.6).unwrap();
        assert_eq!((figure.members, figure.probes, figure.strangers), (20, 40, 200));
        assert!(figure.dir_far_1pct > 0.99 && figure.threshold < 0.7);
        let (tar, collapsed) = pairs(&apart, 0.9);
        assert!(tar["1e-4"] > 0.95 && collapsed == 0.0);

        let (mixed, people) = faces(60, 5, 50.0);
        assert!(open_set(&mixed, &people, 20, 3, 0.6).unwrap().dir_far_1pct < 0.2);
        assert!(pairs(&mixed, 0.9).0["1e-3"] < 0.1);
    }

    #[test]
    fn the_split_is_the_trainings() {
        // Computed by the training's own rule.
        let expected = [
            ("AJ_Cook", true),
            ("Abdoulaye_Wade", true),
            ("Abdullatif_Sener", true),
            ("Aaron_Eckhart", false),
            ("Aaron_Guiel", false),
            ("Aaron_Patterson", false),
        ];
        for (name, held) in expected {
            assert_eq!(held_out(name), held, "{name}");
        }
    }
}
