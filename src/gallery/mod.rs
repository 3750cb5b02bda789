//! Members' faces and the search among them: open set, so the honest answer is often "nobody".
//! Holds nothing but what members consented to, and only vectors of one model.
//!
//! A member is one row, the [`centroid`] of the own templates: the mean of three photographs is
//! nearer to a fourth than the nearest of the three. A search scans all rows as bytes ([`kernels`])
//! and scores the best few again in full precision.

pub mod calibration;
pub mod enrolment;
pub mod kernels;

use crate::id::MemberId;
use crate::vision::Embedding;
use kernels::{BLOCK, Kernel, Rows};
use std::collections::HashMap;

/// Rows whose score is computed again in full precision: bytes may confuse neighbours, not these.
const RESCORED: usize = 16;

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
    /// The member's templates have no direction in common.
    #[error("this template contradicts the member's others: enrol the member again")]
    Contradiction,
}

/// The one vector that stands for a member: the mean of `embeddings` (each of length 1, of one
/// model), brought to length 1. `None` for none, or for some that cancel each other out.
pub fn centroid(embeddings: &[Embedding]) -> Option<Embedding> {
    let mut sum = embeddings.first()?.0.clone();
    for embedding in &embeddings[1..] {
        add(&mut sum, &embedding.0);
    }
    direction(sum)
}

fn add(sum: &mut [f32], values: &[f32]) {
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

/// The direction of a sum of unit vectors, unless they all but cancel each other out.
fn direction(sum: Vec<f32>) -> Option<Embedding> {
    let length: f32 = sum.iter().map(|v| v * v).sum();
    if length > 1e-6 { Embedding::towards(sum) } else { None }
}

/// All members with templates of one model, in memory.
#[derive(Clone)]
pub struct Gallery {
    model: String,
    dimensions: usize,
    kernel: Kernel,
    /// Whose each row is.
    members: Vec<MemberId>,
    /// The row of each member.
    places: HashMap<MemberId, usize>,
    /// Sum of each member's templates, `dimensions` a row: a further one moves the centroid.
    sums: Vec<f32>,
    /// Centroids in full precision, `dimensions` a row.
    exact: Vec<f32>,
    /// The same as bytes.
    rows: Rows,
}

impl std::fmt::Debug for Gallery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gallery({}, {} members, {:?})", self.model, self.len(), self.kernel)
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
            places: HashMap::new(),
            sums: Vec::new(),
            exact: Vec::new(),
            rows: Rows::new(dimensions),
        }
    }

    /// The model whose vectors it holds.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Members held.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it holds no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Adds a template to its member, whose centroid moves, or changes nothing.
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
        let d = self.dimensions;
        let place = self.places.get(&template.member).copied();
        let mut sum = place.map_or_else(|| vec![0.0; d], |at| self.sums[at * d..(at + 1) * d].to_vec());
        add(&mut sum, values);
        let centroid = direction(sum.clone()).ok_or(GalleryError::Contradiction)?;
        match place {
            Some(at) => {
                self.sums[at * d..(at + 1) * d].copy_from_slice(&sum);
                self.exact[at * d..(at + 1) * d].copy_from_slice(&centroid.0);
                self.rows.set(at, &centroid.0);
            }
            None => {
                self.places.insert(template.member, self.members.len());
                self.members.push(template.member);
                self.sums.extend(sum);
                self.exact.extend_from_slice(&centroid.0);
                self.rows.push(&centroid.0);
            }
        }
        Ok(())
    }

    /// Adds all it can; gives the members of whom some template was refused, each with the reason.
    pub fn extend(&mut self, templates: impl IntoIterator<Item = Template>) -> Vec<(MemberId, GalleryError)> {
        let add = |t: Template| self.add(&t).err().map(|e| (t.member, e));
        templates.into_iter().filter_map(add).collect()
    }

    /// Removes a member at once and overwrites what was left in memory; whether there was one.
    pub fn remove(&mut self, member: MemberId) -> bool {
        let Some(at) = self.places.remove(&member) else { return false };
        let (last, d) = (self.members.len() - 1, self.dimensions);
        self.members.swap_remove(at);
        if let Some(moved) = self.members.get(at) {
            self.places.insert(*moved, at);
        }
        for values in [&mut self.sums, &mut self.exact] {
            values.copy_within(last * d..(last + 1) * d, at * d);
            values[last * d..].fill(0.0);
            values.truncate(last * d);
        }
        self.rows.swap_remove(at);
        true
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
            match found.best {
                Some((_, top)) if score <= top => found.second = found.second.max(score),
                before => {
                    found.second = before.map_or(-1.0, |(_, top)| top);
                    found.best = Some((self.members[row], score));
                }
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
        let mut of: HashMap<MemberId, Vec<Embedding>> = HashMap::default();
        for t in templates {
            of.entry(t.member).or_default().push(t.embedding.clone());
        }
        let score = |(member, own): (MemberId, Vec<Embedding>)| Some((member, centroid(&own)?.cosine(probe)));
        let mut ranked: Vec<_> = of.into_iter().filter_map(score).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        Match { best: ranked.first().copied(), second: ranked.get(1).map_or(-1.0, |r| r.1) }
    }

    #[test]
    fn a_centroid_is_a_unit_vector_between_its_embeddings_or_does_not_exist() {
        let (x, y) = (Embedding(vec![1.0, 0.0]), Embedding(vec![0.0, 1.0]));
        let middle = centroid(&[x.clone(), y.clone()]).unwrap();
        assert!((middle.cosine(&x) - 0.5f32.sqrt()).abs() < 1e-6 && middle.0[0] == middle.0[1]);
        assert_eq!(centroid(std::slice::from_ref(&x)), Some(x.clone()));
        assert_eq!(centroid(&[]), None);
        assert_eq!(centroid(&[x, Embedding(vec![-1.0, 0.0])]), None);
    }

    #[test]
    fn a_further_template_moves_the_centroid_and_a_contradicting_one_changes_nothing() {
        let mut gallery = Gallery::new("m/1", 2);
        let (x, y) = (Embedding(vec![1.0, 0.0]), Embedding(vec![0.0, 1.0]));
        gallery.add(&template(1, x.clone())).unwrap();
        assert_eq!(gallery.search(&x).best, Some((MemberId(1), 1.0)));
        let away = template(1, Embedding(vec![-1.0, 0.0]));
        assert_eq!(gallery.add(&away), Err(GalleryError::Contradiction));
        gallery.add(&template(1, y.clone())).unwrap();
        let expected = centroid(&[x.clone(), y]).unwrap();
        assert_eq!(gallery.len(), 1);
        assert!((gallery.search(&x).best.unwrap().1 - expected.cosine(&x)).abs() < 1e-6);
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
        assert_eq!(gallery.len(), 40);
        let found = gallery.search(&faces[7]);
        assert_eq!(found.best.unwrap().0, MemberId(7));
        assert!(found.best.unwrap().1 > 0.8 && found.second < 0.6);
        assert!(gallery.remove(MemberId(7)));
        assert_ne!(gallery.search(&faces[7]).best.unwrap().0, MemberId(7));
        assert_eq!(gallery.search(&faces[8]).best.unwrap().0, MemberId(8));
        assert_eq!(gallery.search(&faces[39]).best.unwrap().0, MemberId(39), "the last took its place");
        assert!(!gallery.remove(MemberId(7)));
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
    fn measure_a_search_among_100_000_members() {
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
