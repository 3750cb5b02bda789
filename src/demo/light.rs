//! The light of a shop over a day, and what a camera's sensor adds to a picture.

use super::draw::Draw;
use super::raster::{Light, unit};
use image::RgbImage;

/// Kinds of light that the demo walks through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mood {
    /// Ceiling lamps.
    Even,
    /// Early or late.
    Dim,
    /// Sun through the window.
    Bright,
    /// Lamps of low colour temperature.
    Warm,
    /// From one side.
    Side,
}

impl Mood {
    /// All of them.
    pub const ALL: [Mood; 5] = [Mood::Even, Mood::Dim, Mood::Bright, Mood::Warm, Mood::Side];

    /// A light of this kind.
    pub fn light(self, d: &mut Draw) -> Light {
        let side = if d.chance(0.5) { 1.0 } else { -1.0 };
        let (x, y, key, sky, warmth) = match self {
            Mood::Even => (d.uniform(-0.4, 0.4), d.uniform(0.5, 1.1), 0.62, 0.46, 0.0),
            Mood::Dim => (d.uniform(-0.5, 0.5), d.uniform(0.4, 1.0), 0.30, 0.24, 0.05),
            Mood::Bright => (d.uniform(-0.7, 0.7), d.uniform(0.3, 0.9), 0.98, 0.50, -0.03),
            Mood::Warm => (d.uniform(-0.6, 0.6), d.uniform(0.4, 1.0), 0.60, 0.40, 0.20),
            Mood::Side => (side * d.uniform(0.9, 1.6), d.uniform(0.2, 0.7), 0.80, 0.30, 0.04),
        };
        let k = d.uniform(0.88, 1.12);
        let w = warmth + d.uniform(-0.04, 0.04);
        let tint = |strength: f32, w: f32| [strength * (1.0 + w), strength, strength * (1.0 - 1.3 * w)];
        Light { towards: unit([x, y, 1.0]), key: tint(key * k, w), sky: tint(sky * k, 0.6 * w) }
    }

    /// How much of its daylight brightness a background keeps, per channel.
    pub fn on_background(self) -> [f32; 3] {
        match self {
            Mood::Even => [1.0, 1.0, 1.0],
            Mood::Dim => [0.72, 0.70, 0.68],
            Mood::Bright => [1.12, 1.12, 1.14],
            Mood::Warm => [1.06, 0.97, 0.84],
            Mood::Side => [0.92, 0.92, 0.94],
        }
    }
}

/// Grain of a sensor: a fixed field of normal numbers, read from a place that moves with the frame.
pub struct Grain(Vec<i8>);

impl Grain {
    /// A field of grain with standard deviation `sd` (of 255).
    pub fn new(d: &mut Draw, sd: f32) -> Self {
        Grain((0..65_536).map(|_| d.normal(0.0, sd).round().clamp(-100.0, 100.0) as i8).collect())
    }

    /// Adds the grain of frame `number`.
    pub fn add(&self, picture: &mut RgbImage, number: u64) {
        let row = picture.width() as usize * 3;
        let mut place = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for line in picture.as_flat_samples_mut().samples.chunks_exact_mut(row.max(1)) {
            place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut from = (place >> 40) as usize % 60_000;
            for part in line.chunks_mut(4096) {
                for (p, g) in part.iter_mut().zip(&self.0[from..]) {
                    *p = p.saturating_add_signed(*g);
                }
                from = (from + 7919) % 60_000;
            }
        }
    }
}
