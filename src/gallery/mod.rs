//! Templates of members and the search among them: open set, so the honest answer is often
//! "nobody". Holds nothing but what members consented to, and only vectors of one model.
//!
//! A search scans all templates as bytes ([`kernels`]) and scores the best few again in full
//! precision; a member's score is that of the nearest own template.

pub mod enrolment;
pub mod kernels;

use crate::id::MemberId;
use crate::vision::Embedding;
use kernels::{BLOCK, Kernel, Rows};
use std::collections::HashMap;

/// Most templates of one member; with [`RESCORED`] it guarantees that the second member is seen.
pub const TEMPLATES_PER_MEMBER: usize = 10;
/// Templates whose score is computed again in full precision.
const RESCORED: usize = 4 * TEMPLATES_PER_MEMBER;

/// An embedding kept for a member, remembering the model that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Whose.
    pub member: MemberId,
    /// Name and version of the embedder's card, e.g. `shopguide-embedder/1`.
    pub model: String,
    /// Length 1.
    pub embedding: Embedding,
}

/// The result of one search: the best member and the best of any other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Who scores highest, and the cosine.
    pub best: Option<(MemberId, f32)>,
    /// The highest cosine among all other members (-1 if there is none).
    pub second: f32,
}

impl Match {
    /// What an empty gallery answers.
    pub const NOBODY: Match = Match { best: None, second: -1.0 };
}

/// Why a template was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GalleryError {
    /// Another embedder made it: comparing would be nonsense.
    #[error(
        "this template was made by the model {template}, the present one is {gallery}: enrol the member again"
    )]
    ModelMismatch {
        /// The template's model.
        template: String,
        /// The gallery's model.
        gallery: String,
    },
    /// Not a vector of this gallery.
    #[error("a template must have {expected} numbers and length 1: enrol the member again")]
    NotAVector {
        /// Numbers in a vector of this gallery.
        expected: usize,
    },
    /// The member has enough of them.
    #[error("a member has at most {TEMPLATES_PER_MEMBER} templates: remove the old ones first")]
    TooMany,
}

/// All templates of one model, in memory.
#[derive(Clone)]
pub struct Gallery {
    model: String,
    dimensions: usize,
    kernel: Kernel,
    /// Whose each row is.
    members: Vec<MemberId>,
    /// Rows of each member.
    counts: HashMap<MemberId, usize>,
    /// Full precision, `dimensions` a row.
    exact: Vec<f32>,
    /// The same as bytes.
    rows: Rows,
}

impl std::fmt::Debug for Gallery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gallery({}, {} templates, {:?})", self.model, self.len(), self.kernel)
    }
}

impl Gallery {
    /// An empty gallery for vectors of `dimensions` numbers made by `model`.
    pub fn new(model: impl Into<String>, dimensions: usize) -> Gallery {
        Gallery {
            model: model.into(),
            dimensions,
            kernel: Kernel::best(),
            members: Vec::new(),
            counts: HashMap::new(),
            exact: Vec::new(),
            rows: Rows::new(dimensions),
        }
    }

    /// The model whose vectors it holds.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Templates held.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it holds no template.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Members with at least one template.
    pub fn members(&self) -> usize {
        self.counts.len()
    }

    /// Adds a template, or changes nothing.
    pub fn add(&mut self, template: &Template) -> Result<(), GalleryError> {
        if template.model != self.model {
            let (template, gallery) = (template.model.clone(), self.model.clone());
            return Err(GalleryError::ModelMismatch { template, gallery });
        }
        let values = &template.embedding.0;
        let length: f32 = values.iter().map(|v| v * v).sum();
        let is_unit = (length - 1.0).abs() < 0.01; // false for NaN
        if values.len() != self.dimensions || !is_unit {
            return Err(GalleryError::NotAVector { expected: self.dimensions });
        }
        if self.counts.get(&template.member).is_some_and(|n| *n >= TEMPLATES_PER_MEMBER) {
            return Err(GalleryError::TooMany);
        }
        *self.counts.entry(template.member).or_default() += 1;
        self.members.push(template.member);
        self.exact.extend_from_slice(values);
        self.rows.push(values);
        Ok(())
    }

    /// Adds all it can; gives the members of whom some template was refused, each with the reason.
    pub fn extend(&mut self, templates: impl IntoIterator<Item = Template>) -> Vec<(MemberId, GalleryError)> {
        let add = |t: Template| self.add(&t).err().map(|e| (t.member, e));
        templates.into_iter().filter_map(add).collect()
    }

    /// Removes all templates of a member at once and overwrites what they left in memory; gives
    /// how many there were.
    pub fn remove(&mut self, member: MemberId) -> usize {
        let Some(count) = self.counts.remove(&member) else { return 0 };
        let mut at = 0;
        while at < self.members.len() {
            if self.members[at] != member {
                at += 1;
                continue;
            }
            let last = self.members.len() - 1;
            self.members.swap_remove(at);
            let d = self.dimensions;
            self.exact.copy_within(last * d..(last + 1) * d, at * d);
            self.exact[last * d..].fill(0.0);
            self.exact.truncate(last * d);
            self.rows.swap_remove(at);
        }
        count
    }

    /// The best member and the best of any other; nobody for a vector of another length.
    pub fn search(&self, probe: &Embedding) -> Match {
        if probe.0.len() != self.dimensions || self.is_empty() {
            return Match::NOBODY;
        }
        let Some(bytes) = self.rows.probe(&probe.0) else { return Match::NOBODY };
        let mut few = Few::default();
        let mut dots = [0i32; BLOCK];
        for block in (0..self.len()).step_by(BLOCK) {
            let count = BLOCK.min(self.len() - block);
            self.rows.scan(self.kernel, &bytes, block, &mut dots[..count]);
            for (offset, (&dot, &scale)) in dots.iter().zip(self.rows.scales(block, count)).enumerate() {
                few.offer(dot as f32 * scale, block + offset);
            }
        }
        let mut found = Match::NOBODY;
        for &(_, row) in &few.kept {
            let exact = &self.exact[row * self.dimensions..(row + 1) * self.dimensions];
            let score: f32 = exact.iter().zip(&probe.0).map(|(a, b)| a * b).sum();
            let member = self.members[row];
            match found.best {
                Some((best, top)) if best == member => found.best = Some((best, top.max(score))),
                Some((_, top)) if score <= top => found.second = found.second.max(score),
                Some((_, top)) => {
                    found.second = found.second.max(top);
                    found.best = Some((member, score));
                }
                None => found.best = Some((member, score)),
            }
        }
        found
    }
}

/// The rows with the highest approximate scores.
#[derive(Default)]
struct Few {
    kept: Vec<(f32, usize)>,
    least: f32,
}

impl Few {
    #[inline]
    fn offer(&mut self, score: f32, row: usize) {
        if self.kept.len() < RESCORED {
            self.kept.push((score, row));
            if self.kept.len() == RESCORED {
                self.find_least();
            }
        } else if score > self.least {
            self.replace(score, row);
        }
    }

    #[cold]
    fn replace(&mut self, score: f32, row: usize) {
        if let Some(worst) = self.kept.iter_mut().min_by(|a, b| a.0.total_cmp(&b.0)) {
            *worst = (score, row);
        }
        self.find_least();
    }

    fn find_least(&mut self) {
        self.least = self.kept.iter().fold(f32::INFINITY, |least, k| least.min(k.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const D: usize = 128;

    fn vector(rng: &mut ChaCha8Rng, d: usize) -> Embedding {
        Embedding::towards((0..d).map(|_| rng.random_range(-1.0f32..1.0)).collect()).unwrap()
    }

    fn template(member: i64, embedding: Embedding) -> Template {
        Template { member: MemberId(member), model: "m/1".into(), embedding }
    }

    fn near(e: &Embedding, rng: &mut ChaCha8Rng, noise: f32) -> Embedding {
        Embedding::towards(e.0.iter().map(|v| v + rng.random_range(-noise..noise)).collect()).unwrap()
    }

    /// The same question answered without bytes, kernels or shortcuts.
    fn reference(templates: &[Template], probe: &Embedding) -> Match {
        let mut best: HashMap<MemberId, f32> = HashMap::default();
        for t in templates {
            let score = t.embedding.cosine(probe);
            let entry = best.entry(t.member).or_insert(-1.0);
            *entry = entry.max(score);
        }
        let mut ranked: Vec<_> = best.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        Match { best: ranked.first().copied(), second: ranked.get(1).map_or(-1.0, |r| r.1) }
    }

    #[test]
    fn a_member_is_found_and_a_removed_one_is_not() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut gallery = Gallery::new("m/1", D);
        let faces: Vec<_> = (0..40).map(|_| vector(&mut rng, D)).collect();
        for (i, e) in faces.iter().enumerate() {
            for _ in 0..3 {
                gallery.add(&template(i as i64, near(e, &mut rng, 0.05))).unwrap();
            }
        }
        assert_eq!((gallery.len(), gallery.members()), (120, 40));
        let found = gallery.search(&faces[7]);
        assert_eq!(found.best.unwrap().0, MemberId(7));
        assert!(found.best.unwrap().1 > 0.8 && found.second < 0.6);
        assert_eq!(gallery.remove(MemberId(7)), 3);
        assert_ne!(gallery.search(&faces[7]).best.unwrap().0, MemberId(7));
        assert_eq!(gallery.search(&faces[8]).best.unwrap().0, MemberId(8));
        assert_eq!(gallery.remove(MemberId(7)), 0);
    }

    #[test]
    fn nobody_is_found_in_an_empty_gallery_or_by_a_foreign_vector() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut gallery = Gallery::new("m/1", D);
        let probe = vector(&mut rng, D);
        assert_eq!(gallery.search(&probe), Match::NOBODY);
        gallery.add(&template(1, probe.clone())).unwrap();
        assert_eq!(gallery.search(&probe).second, -1.0);
        assert_eq!(gallery.search(&vector(&mut rng, 64)), Match::NOBODY);
        assert_eq!(gallery.search(&Embedding(vec![f32::NAN; D])), Match::NOBODY);
    }

    #[test]
    fn a_template_of_another_model_asks_for_enrolment_again() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut gallery = Gallery::new("m/2", D);
        let old = template(5, vector(&mut rng, D));
        let error = gallery.add(&old).unwrap_err();
        assert!(matches!(error, GalleryError::ModelMismatch { .. }));
        assert!(error.to_string().contains("m/1") && error.to_string().contains("enrol the member again"));
        assert_eq!(gallery.extend([old]).len(), 1);
        assert!(gallery.is_empty());
    }

    #[test]
    fn what_is_no_vector_of_this_gallery_is_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut gallery = Gallery::new("m/1", D);
        for bad in [vector(&mut rng, 64), Embedding(vec![0.5; D]), Embedding(vec![f32::NAN; D])] {
            assert!(matches!(gallery.add(&template(1, bad)), Err(GalleryError::NotAVector { .. })));
        }
        let e = vector(&mut rng, D);
        for _ in 0..TEMPLATES_PER_MEMBER {
            gallery.add(&template(1, e.clone())).unwrap();
        }
        assert_eq!(gallery.add(&template(1, e)), Err(GalleryError::TooMany));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_fast_search_agrees_with_the_plain_one(
            seed in 0u64..1000, members in 1i64..300, each in 1usize..5, d in prop_oneof![Just(16usize), Just(100), Just(128)]
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut templates = Vec::new();
            for m in 0..members {
                let e = vector(&mut rng, d);
                for _ in 0..each {
                    templates.push(template(m, near(&e, &mut rng, 0.1)));
                }
            }
            let mut gallery = Gallery::new("m/1", d);
            prop_assert!(gallery.extend(templates.clone()).is_empty());
            let removed = MemberId(rng.random_range(0..members));
            if members > 2 {
                gallery.remove(removed);
                templates.retain(|t| t.member != removed);
            }
            let near_one = near(&templates[0].embedding.clone(), &mut rng, 0.1);
            for probe in [near_one, vector(&mut rng, d)] {
                let (fast, plain) = (gallery.search(&probe), reference(&templates, &probe));
                prop_assert!((fast.best.unwrap().1 - plain.best.unwrap().1).abs() < 1e-4);
                prop_assert!((fast.second - plain.second).abs() < 1e-4);
                if plain.best.unwrap().1 - plain.second > 1e-3 {
                    prop_assert_eq!(fast.best.unwrap().0, plain.best.unwrap().0);
                }
            }
        }
    }

    /// Not a check but a measurement: `cargo test --release --lib gallery:: -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, printed"]
    fn measure_a_search_among_100_000_templates() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut gallery = Gallery::new("m/1", D);
        for m in 0..100_000 {
            gallery.add(&template(m, vector(&mut rng, D))).unwrap();
        }
        let probes: Vec<_> = (0..20).map(|_| vector(&mut rng, D)).collect();
        for kernel in Kernel::available() {
            gallery.kernel = kernel;
            let mut times: Vec<f64> = (0..200)
                .map(|i| {
                    let begin = std::time::Instant::now();
                    std::hint::black_box(gallery.search(&probes[i % probes.len()]));
                    begin.elapsed().as_secs_f64() * 1e3
                })
                .collect();
            times.sort_by(f64::total_cmp);
            println!("{kernel:?}: best {:.2} ms, median {:.2} ms", times[0], times[100]);
        }
    }
}
