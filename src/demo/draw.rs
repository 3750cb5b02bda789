//! Random draws for the demo, all from ChaCha and a seed. The stream number keeps the worlds
//! apart: two different [`Realm`]s never share a stream, so a shopper drawn for training can never
//! be one of the demo's cast.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a draw is for; part of the stream number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Realm {
    /// Looks of members of the demo's store.
    Member = 1,
    /// Looks of strangers who walk through the demo.
    Stranger = 2,
    /// Looks of shoppers exported for training.
    Export = 3,
    /// Clothes, which change from day to day.
    Outfit = 4,
    /// Poses and light of single pictures.
    Picture = 5,
    /// Backgrounds.
    Backdrop = 6,
    /// Who walks where and when.
    Script = 7,
    /// Products.
    Catalogue = 8,
    /// Members' habits and receipts.
    Habit = 9,
}

/// A stream of random numbers, the same for the same realm, seed and number.
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream `number` (below 2^48) of `realm` under `seed`.
    pub fn new(realm: Realm, seed: u64, number: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((realm as u64) << 48 | (number & 0xffff_ffff_ffff));
        Draw(rng)
    }

    /// Uniform in `low..high`.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.random::<f32>()
    }

    /// Normal with `mean` and standard deviation `sd`, cut at 2.3 standard deviations.
    pub fn normal(&mut self, mean: f32, sd: f32) -> f32 {
        let a = self.0.random::<f32>().max(1e-6);
        let b = self.0.random::<f32>();
        let z = (-2.0 * a.ln()).sqrt() * (std::f32::consts::TAU * b).cos();
        mean + sd * z.clamp(-2.3, 2.3)
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.0.random::<f32>() < p
    }

    /// A whole number in `0..n` (0 for `n` = 0).
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { self.0.random_range(0..n) }
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// An index, each with a chance proportional to its weight; the last if all weights are 0.
    pub fn weighted(&mut self, weights: &[f32]) -> usize {
        let mut left = self.uniform(0.0, weights.iter().sum());
        for (i, w) in weights.iter().enumerate() {
            left -= w;
            if left < 0.0 {
                return i;
            }
        }
        weights.len().saturating_sub(1)
    }

    /// A number for seeding something else.
    pub fn seed(&mut self) -> u64 {
        self.0.random()
    }
}

/// Smooth noise in -1..1 with a feature size of about 1.
pub fn noise(seed: u32, x: f32, y: f32) -> f32 {
    let (xi, yi) = (whole(x), whole(y));
    let (fx, fy) = (x - xi as f32, y - yi as f32);
    let (sx, sy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
    let at = |dx, dy| lattice(seed, xi + dx, yi + dy);
    let top = at(0, 0) + (at(1, 0) - at(0, 0)) * sx;
    let low = at(0, 1) + (at(1, 1) - at(0, 1)) * sx;
    top + (low - top) * sy
}

/// Three octaves of [`noise`], about -1..1.
pub fn rough(seed: u32, x: f32, y: f32) -> f32 {
    0.57 * noise(seed, x, y)
        + 0.29 * noise(seed ^ 0x9e37, 2.03 * x, 2.03 * y)
        + 0.14 * noise(seed ^ 0x51ed, 4.1 * x, 4.1 * y)
}

/// The next whole number below, without a call into the maths library.
fn whole(x: f32) -> i32 {
    let i = x as i32;
    if (i as f32) > x { i - 1 } else { i }
}

fn lattice(seed: u32, x: i32, y: i32) -> f32 {
    let mut h = seed
        .wrapping_mul(0x85eb_ca6b)
        .wrapping_add((x as u32).wrapping_mul(0x27d4_eb2f))
        .wrapping_add((y as u32).wrapping_mul(0x1656_67b1));
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    h ^= h >> 15;
    h as f32 / 2_147_483_648.0 - 1.0
}

/// 0 below `a`, 1 above `b`, smooth between; `a` may be above `b`.
pub fn step(a: f32, b: f32, x: f32) -> f32 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The bell curve exp(-x²).
pub fn bell(x: f32) -> f32 {
    if x.abs() > 3.0 { 0.0 } else { (-x * x).exp() }
}

/// Between `a` (t = 0) and `b` (t = 1).
pub fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Between two colours.
pub fn blend(a: [f32; 3], b: [f32; 3], t: f32) -> [f32; 3] {
    [mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)]
}

/// A colour times `k`.
pub fn scale(a: [f32; 3], k: f32) -> [f32; 3] {
    [a[0] * k, a[1] * k, a[2] * k]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_stream_gives_the_same_numbers_and_realms_share_none() {
        let mut a = Draw::new(Realm::Member, 7, 3);
        let mut b = Draw::new(Realm::Member, 7, 3);
        let mut c = Draw::new(Realm::Export, 7, 3);
        let first: Vec<u64> = (0..8).map(|_| a.seed()).collect();
        assert_eq!(first, (0..8).map(|_| b.seed()).collect::<Vec<_>>());
        assert!((0..8).all(|i| c.seed() != first[i]));
    }

    #[test]
    fn weights_of_nothing_are_never_drawn() {
        let mut d = Draw::new(Realm::Script, 1, 1);
        assert!((0..200).all(|_| d.weighted(&[0.0, 1.0, 0.0, 2.0]) % 2 == 1));
    }
}
