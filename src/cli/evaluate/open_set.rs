//! The open set: some people are members, everybody else is a stranger who must not be taken for
//! one. Members are drawn by lot many times, since with few people one draw says little; every run
//! draws the same.

use crate::gallery::{Gallery, Template};
use crate::id::MemberId;
use crate::vision::Embedding;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Draws that a figure is the mean of.
const DRAWS: usize = 20;
/// Most faces of one person that are searched for, so that the famous do not decide.
const PROBES_EACH: usize = 5;
const SEED: u64 = 7;

/// One search: which face, the highest cosine, and whether the best member is the right one.
struct Search {
    face: usize,
    score: f32,
    right: bool,
}

/// All searches of all draws.
pub struct OpenSet {
    /// Members in each draw.
    pub members: usize,
    /// Faces that each member was enrolled from.
    pub enrol: usize,
    known: Vec<Search>,
    strangers: Vec<Search>,
}

/// One open-set figure; shares are fractions.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Members in the gallery.
    pub members: usize,
    /// Photographs that each was enrolled from.
    pub enrol: usize,
    /// Draws that this is the mean of.
    pub draws: usize,
    /// Searches for members, all draws together.
    pub probes: usize,
    /// Searches for strangers, all draws together.
    pub strangers: usize,
    /// Share of members' faces recognised when 1% of strangers' are accepted.
    pub dir_far_1pct: f64,
    /// The same at 0.1%.
    pub dir_far_0_1pct: f64,
    /// The cosine that accepts 1% of strangers.
    pub threshold: f32,
    /// The cosine that accepts 0.1% of strangers.
    pub threshold_0_1pct: f32,
    /// Share of members' faces recognised at the card's threshold.
    pub dir_at_card: f64,
    /// Share of strangers' faces accepted at the card's threshold.
    pub far_at_card: f64,
}

impl OpenSet {
    /// Draws up to `members` members of those with more than `enrol` faces, enrols `enrol` faces of
    /// each and searches for the rest and for everybody else. `identities[i]` is whose face vector
    /// `i` is. `None` where there are not two members and a stranger.
    pub fn of(identities: &[usize], vectors: &[Embedding], members: usize, enrol: usize) -> Option<OpenSet> {
        let people = identities.iter().max()? + 1;
        let mut faces: Vec<Vec<usize>> = vec![Vec::new(); people];
        identities.iter().enumerate().for_each(|(face, &who)| faces[who].push(face));
        let mut able: Vec<usize> = (0..people).filter(|&who| faces[who].len() > enrol).collect();
        let members = members.min(able.len());
        if members < 2 {
            return None;
        }
        let mut set = OpenSet { members, enrol, known: Vec::new(), strangers: Vec::new() };
        let mut lot = ChaCha8Rng::seed_from_u64(SEED);
        for _ in 0..DRAWS {
            able.shuffle(&mut lot);
            let mut gallery = Gallery::new("evaluated", vectors.first()?.0.len());
            let mut chosen = vec![false; people];
            let mut probes: Vec<usize> = Vec::new();
            for &who in &able[..members] {
                faces[who].shuffle(&mut lot);
                let (enrolled, others) = faces[who].split_at(enrol);
                for &face in enrolled {
                    let (member, embedding) = (MemberId(who as i64), vectors[face].clone());
                    let template = Template { member, model: "evaluated".into(), embedding };
                    gallery.add(&template).ok()?;
                }
                probes.extend(others.iter().take(PROBES_EACH));
                chosen[who] = true;
            }
            let strangers = (0..people).filter(|&who| !chosen[who]);
            let strangers: Vec<usize> =
                strangers.flat_map(|who| faces[who].iter().copied().take(PROBES_EACH)).collect();
            let search = |face: usize| {
                let (best, score) = gallery.search(&vectors[face]).best?;
                Some(Search { face, score, right: best.0 as usize == identities[face] })
            };
            set.known.extend(probes.into_iter().filter_map(search));
            set.strangers.extend(strangers.into_iter().filter_map(search));
        }
        (!set.known.is_empty() && !set.strangers.is_empty()).then_some(set)
    }

    /// The least cosine that accepts no more than this share of the strangers' faces.
    pub fn threshold(&self, far: f64) -> f32 {
        let mut scores: Vec<f32> = self.strangers.iter().map(|s| s.score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        let first_refused = ((scores.len() as f64 * far) as usize).min(scores.len() - 1);
        scores[first_refused].next_up()
    }

    /// The share of members' faces found at `threshold`, of the faces that `which` picks; `None` where
    /// it picks none.
    pub fn found(&self, threshold: f32, which: impl Fn(usize) -> bool) -> Option<f64> {
        share(&self.known, which, |s| s.right && s.score >= threshold)
    }

    /// The share of strangers' faces accepted at `threshold`, of the faces that `which` picks.
    pub fn accepted(&self, threshold: f32, which: impl Fn(usize) -> bool) -> Option<f64> {
        share(&self.strangers, which, |s| s.score >= threshold)
    }

    /// The figures, those at the card's threshold among them.
    pub fn figure(&self, card_threshold: f32) -> Figure {
        let (one, tenth) = (self.threshold(0.01), self.threshold(0.001));
        let found = |threshold| self.found(threshold, |_| true).unwrap_or(0.0);
        Figure {
            members: self.members,
            enrol: self.enrol,
            draws: DRAWS,
            probes: self.known.len(),
            strangers: self.strangers.len(),
            dir_far_1pct: found(one),
            dir_far_0_1pct: found(tenth),
            threshold: one,
            threshold_0_1pct: tenth,
            dir_at_card: found(card_threshold),
            far_at_card: self.accepted(card_threshold, |_| true).unwrap_or(0.0),
        }
    }
}

fn share(searches: &[Search], which: impl Fn(usize) -> bool, hit: impl Fn(&Search) -> bool) -> Option<f64> {
    let (mut all, mut hits) = (0u64, 0u64);
    for search in searches.iter().filter(|s| which(s.face)) {
        all += 1;
        hits += u64::from(hit(search));
    }
    (all > 0).then(|| hits as f64 / all as f64)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use rand::Rng;

    /// Faces of `people` people, `each` of everyone, around a centre of their own.
    pub fn people(people: usize, each: usize, spread: f32) -> (Vec<usize>, Vec<Embedding>) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut identities, mut vectors) = (Vec::new(), Vec::new());
        for identity in 0..people {
            let centre: Vec<f32> = (0..64).map(|_| rng.random_range(-1.0..1.0)).collect();
            for _ in 0..each {
                let values = centre.iter().map(|c| c + spread * rng.random_range(-1.0f32..1.0)).collect();
                vectors.push(Embedding::towards(values).unwrap());
                identities.push(identity);
            }
        }
        (identities, vectors)
    }

    #[test]
    fn people_who_lie_apart_are_all_recognised_and_chance_is_not() {
        let (identities, apart) = people(60, 5, 0.3);
        let figure = OpenSet::of(&identities, &apart, 20, 3).unwrap().figure(0.6);
        assert_eq!((figure.members, figure.probes, figure.strangers), (20, 20 * 40, 20 * 200));
        assert!(figure.dir_far_1pct > 0.99 && figure.threshold < 0.7, "{figure:?}");
        assert!(figure.dir_far_0_1pct <= figure.dir_far_1pct);

        let (identities, mixed) = people(60, 5, 50.0);
        let figure = OpenSet::of(&identities, &mixed, 20, 3).unwrap().figure(0.6);
        assert!(figure.dir_far_1pct < 0.2, "{figure:?}");
    }

    #[test]
    fn several_enrolled_faces_are_better_than_one() {
        let (identities, spread) = people(80, 6, 1.6);
        let found = |enrol| OpenSet::of(&identities, &spread, 30, enrol).unwrap().figure(0.5).dir_far_1pct;
        assert!(found(3) > found(1) + 0.02, "{} {}", found(3), found(1));
    }

    #[test]
    fn no_more_strangers_are_accepted_than_asked_for() {
        let (identities, mixed) = people(60, 5, 3.0);
        let set = OpenSet::of(&identities, &mixed, 20, 1).unwrap();
        for far in [0.01, 0.001] {
            assert!(set.accepted(set.threshold(far), |_| true).unwrap() <= far);
        }
        assert_eq!(set.found(0.5, |_| false), None);
    }

    #[test]
    fn too_few_people_make_no_open_set() {
        let (identities, vectors_of_one) = people(1, 9, 0.3);
        assert!(OpenSet::of(&identities, &vectors_of_one, 100, 3).is_none());
        let (identities, alone) = people(9, 1, 0.3);
        assert!(OpenSet::of(&identities, &alone, 100, 1).is_none());
        assert!(OpenSet::of(&[], &[], 100, 1).is_none());
    }
}
