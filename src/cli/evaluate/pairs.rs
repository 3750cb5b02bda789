//! Verification: every face against every other. How many pairs of one person are accepted at the
//! threshold that accepts a given share of other pairs, and how near the nearest stranger's face is.

use crate::vision::Embedding;

/// Steps of the histogram of cosines, -1 to 1.
const BINS: usize = 20_000;

/// Cosines of all pairs.
pub struct Pairs {
    same: Vec<u64>,
    other: Vec<u64>,
    /// The highest cosine of each face with a face of anybody else.
    pub nearest_stranger: Vec<f32>,
}

fn bin(cosine: f32) -> usize {
    ((cosine.clamp(-1.0, 1.0) + 1.0) / 2.0 * BINS as f32) as usize
}

impl Pairs {
    /// Compares all faces; `identities[i]` is whose face vector `i` is.
    pub fn of(identities: &[usize], vectors: &[Embedding]) -> Pairs {
        let (mut same, mut other) = (vec![0u64; BINS + 1], vec![0u64; BINS + 1]);
        let mut nearest_stranger = vec![-1.0f32; vectors.len()];
        for (i, a) in vectors.iter().enumerate() {
            for (j, b) in vectors.iter().enumerate().skip(i + 1) {
                let cosine = a.cosine(b);
                if identities[i] == identities[j] {
                    same[bin(cosine)] += 1;
                } else {
                    other[bin(cosine)] += 1;
                    nearest_stranger[i] = nearest_stranger[i].max(cosine);
                    nearest_stranger[j] = nearest_stranger[j].max(cosine);
                }
            }
        }
        Pairs { same, other, nearest_stranger }
    }

    /// The least cosine (to 1/10,000) that accepts no more than this share of pairs of two people.
    pub fn threshold(&self, far: f64) -> f32 {
        let allowed = (self.other.iter().sum::<u64>() as f64 * far) as u64;
        let mut accepted = 0;
        let first_refused = (0..=BINS).rev().find(|&bin| {
            accepted += self.other[bin];
            accepted > allowed
        });
        first_refused.map_or(-1.0, |bin| (bin + 1) as f32 / BINS as f32 * 2.0 - 1.0)
    }

    /// The share of pairs of one person accepted at the threshold for this share of other pairs;
    /// `None` where nobody has two faces.
    pub fn tar(&self, far: f64) -> Option<f64> {
        let all: u64 = self.same.iter().sum();
        let threshold = (((self.threshold(far) + 1.0) / 2.0 * BINS as f32).round() as usize).min(BINS + 1);
        let accepted: u64 = self.same[threshold..].iter().sum();
        (all > 0).then(|| accepted as f64 / all as f64)
    }

    /// The share of faces whose nearest stranger is at or above `threshold`.
    pub fn collapsed(&self, threshold: f32) -> f64 {
        let near = self.nearest_stranger.iter().filter(|cosine| **cosine >= threshold).count();
        near as f64 / self.nearest_stranger.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::open_set::tests::people;
    use super::*;

    #[test]
    fn people_who_lie_apart_are_told_apart_and_chance_is_not() {
        let (identities, apart) = people(60, 5, 0.3);
        let pairs = Pairs::of(&identities, &apart);
        assert!(pairs.tar(1e-4).unwrap() > 0.95);
        assert_eq!(pairs.collapsed(0.9), 0.0);
        assert_eq!(pairs.collapsed(-1.0), 1.0);
        assert!(pairs.threshold(1e-3) < pairs.threshold(1e-4));

        let (identities, mixed) = people(60, 5, 50.0);
        assert!(Pairs::of(&identities, &mixed).tar(1e-3).unwrap() < 0.1);
    }

    #[test]
    fn a_threshold_accepts_no_more_than_its_share() {
        let (identities, vectors) = people(40, 3, 2.0);
        let threshold = Pairs::of(&identities, &vectors).threshold(0.01);
        let (mut all, mut accepted) = (0, 0);
        for i in 0..vectors.len() {
            for j in i + 1..vectors.len() {
                if identities[i] != identities[j] {
                    all += 1;
                    accepted += usize::from(vectors[i].cosine(&vectors[j]) >= threshold);
                }
            }
        }
        assert!(accepted as f64 <= 0.01 * all as f64 && accepted > 0, "{accepted} of {all}");
    }

    #[test]
    fn where_nobody_has_two_faces_there_is_no_such_share() {
        let (_, vectors) = people(5, 1, 0.3);
        assert_eq!(Pairs::of(&[0, 1, 2, 3, 4], &vectors).tar(1e-3), None);
    }
}
