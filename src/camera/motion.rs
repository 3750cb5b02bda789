//! Motion gate: keeps still scenes away from vision, so that an empty shop costs almost nothing.
//!
//! A frame is reduced to a grey [`Thumbnail`] of 64x36 cells and compared with a background
//! that follows slowly. What always holds:
//! - motion opens the gate at once and for [`HOLD`] after it ended;
//! - a face that vision has seen holds it open as long (see
//!   [`Attention`](crate::camera::Attention)): someone who stands still stays tracked;
//! - one frame every [`KEEP_ALIVE`] passes in any case, so that a face which was missed when
//!   it stopped moving is found, and tracks can end.

use image::RgbImage;
use std::time::Duration;

/// Cells across and down.
pub const CELLS: (usize, usize) = (64, 36);
/// How long the gate stays open after the last motion or face.
pub const HOLD: Duration = Duration::from_secs(2);
/// A still scene passes one frame in this time.
pub const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// Looks a second at a still scene: motion is noticed within 0.2 s.
pub const RESTING_FPS: f32 = 5.0;

/// A cell has changed when it differs from the background by more than this many grey levels
/// of 255, beyond what the whole picture differs (a cloud, an exposure control).
const CHANGE: i32 = 12;
/// Time constant of the background: about what stops moving joins it after three of these.
const FOLLOW_SECONDS: f32 = 4.0;
/// Pixels per cell and direction that are looked at.
const SAMPLES: usize = 5;
const COUNT: usize = CELLS.0 * CELLS.1;

/// A small grey copy of a frame, 0..255 a cell, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail(Vec<u8>);

impl Thumbnail {
    /// Reads at most 25 pixels of each cell; frames may have any size from 1x1.
    pub fn of(image: &RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let place = |n: usize, count: usize, size: usize| (2 * n + 1) * size / (2 * count);
        let columns: Vec<usize> =
            (0..CELLS.0 * SAMPLES).map(|n| 3 * place(n, CELLS.0 * SAMPLES, width)).collect();
        let pixels = image.as_raw();
        let mut cells = Vec::with_capacity(COUNT);
        for row in 0..CELLS.1 {
            let mut sums = [0u32; CELLS.0];
            for sample in 0..SAMPLES {
                let y = place(row * SAMPLES + sample, CELLS.1 * SAMPLES, height);
                let line = &pixels[y * width * 3..(y + 1) * width * 3];
                for (sum, columns) in sums.iter_mut().zip(columns.chunks_exact(SAMPLES)) {
                    for x in columns {
                        *sum += 77 * u32::from(line[*x])
                            + 150 * u32::from(line[x + 1])
                            + 29 * u32::from(line[x + 2]);
                    }
                }
            }
            cells.extend(sums.map(|sum| (sum / (256 * (SAMPLES * SAMPLES) as u32)) as u8));
        }
        Thumbnail(cells)
    }

    /// Mean brightness, 0..255.
    pub fn mean(&self) -> f32 {
        self.0.iter().map(|v| u32::from(*v)).sum::<u32>() as f32 / self.0.len().max(1) as f32
    }

    /// Brightest minus darkest cell, 0..255.
    pub fn contrast(&self) -> u8 {
        let most = self.0.iter().max().copied().unwrap_or(0);
        most - self.0.iter().min().copied().unwrap_or(0)
    }
}

/// One camera's gate.
#[derive(Debug)]
pub struct MotionGate {
    share: f32,
    background: Vec<f32>,
    looked: Option<Duration>,
    moved: Option<Duration>,
    passed: Option<Duration>,
}

impl MotionGate {
    /// `share` (0..1) of the cells must change for motion; 0 lets every frame pass.
    pub fn new(share: f32) -> Self {
        MotionGate { share, background: Vec::new(), looked: None, moved: None, passed: None }
    }

    /// Whether nothing happens, so that fewer looks suffice: no motion and no face (`face` is
    /// when vision saw the last one) for [`HOLD`], and no keep-alive due. Times are monotonic.
    pub fn resting(&self, now: Duration, face: Option<Duration>) -> bool {
        self.share > 0.0
            && !within(self.moved, now, HOLD)
            && !within(face, now, HOLD)
            && within(self.passed, now, KEEP_ALIVE)
    }

    /// Looks at a frame of the moment `now`; whether it goes to vision.
    pub fn look(&mut self, thumbnail: &Thumbnail, now: Duration, face: Option<Duration>) -> bool {
        if self.share <= 0.0 || self.changed(thumbnail, now) >= self.share {
            self.moved = Some(now);
        }
        let pass = !self.resting(now, face);
        if pass {
            self.passed = Some(now);
        }
        pass
    }

    /// The share of cells that differ from the background, which then follows the frame.
    fn changed(&mut self, thumbnail: &Thumbnail, now: Duration) -> f32 {
        let Some(looked) = self.looked.replace(now) else {
            self.background = thumbnail.0.iter().map(|v| f32::from(*v)).collect();
            return 1.0;
        };
        let differences: Vec<i32> =
            thumbnail.0.iter().zip(&self.background).map(|(v, b)| i32::from(*v) - b.round() as i32).collect();
        let whole = median(&differences);
        let changed = differences.iter().filter(|d| (**d - whole).abs() > CHANGE).count();
        let elapsed = now.saturating_sub(looked).as_secs_f32().min(1.0);
        let follow = 1.0 - (-elapsed / FOLLOW_SECONDS).exp();
        for (background, value) in self.background.iter_mut().zip(&thumbnail.0) {
            *background += (f32::from(*value) - *background) * follow;
        }
        changed as f32 / COUNT as f32
    }
}

fn within(moment: Option<Duration>, now: Duration, time: Duration) -> bool {
    moment.is_some_and(|moment| now.saturating_sub(moment) < time)
}

/// The median of differences, each -255..=255.
fn median(differences: &[i32]) -> i32 {
    let mut counts = [0usize; 511];
    for d in differences {
        counts[(d.clamp(&-255, &255) + 255) as usize] += 1;
    }
    let mut seen = 0;
    for (value, count) in (-255..).zip(counts) {
        seen += count;
        if 2 * seen >= differences.len() {
            return value;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};

    const SHARE: f32 = 0.004;

    /// A shop with shelves; `noise` is the standard deviation of each pixel, about; a person of
    /// 90x200 pixels stands at `person`; `light` is added to all.
    fn scene(seed: u64, noise: f32, light: i32, person: Option<u32>) -> Thumbnail {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let image = RgbImage::from_fn(640, 360, |x, y| {
            let shelf = 90 + 60 * ((x / 40 + y / 60) % 2) as i32;
            let body = person.is_some_and(|p| (p..p + 90).contains(&x) && y > 150);
            let value = if body { 40 + (x % 7) as i32 } else { shelf };
            let noise = noise * 3.46 * (random.random::<f32>() - 0.5);
            let value = (value + light + noise as i32).clamp(0, 255) as u8;
            image::Rgb([value, value, value])
        });
        Thumbnail::of(&image)
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_still_noisy_scene_passes_only_keep_alive_frames() {
        let mut gate = MotionGate::new(SHARE);
        let passed: Vec<u64> =
            (0..200).filter(|n| gate.look(&scene(*n, 12.0, 0, None), at(n * 100), None)).collect();
        assert!(passed.iter().all(|n| *n < 20 || n % 20 == 19 || n % 20 == 0), "{passed:?}");
        assert!((20..=32).contains(&passed.len()), "{} passed", passed.len());
    }

    #[test]
    fn someone_who_comes_opens_the_gate_at_once_and_for_two_seconds() {
        let mut gate = MotionGate::new(SHARE);
        for n in 0..50 {
            gate.look(&scene(n, 6.0, 0, None), at(n * 100), None);
        }
        assert!(gate.resting(at(4950), None));
        assert!(gate.look(&scene(50, 6.0, 0, Some(300)), at(5000), None), "not noticed");
        // gone again: what follows still passes, then the scene rests
        let passed = (51..90).filter(|n| gate.look(&scene(*n, 6.0, 0, None), at(n * 100), None)).count();
        assert!((19..=24).contains(&passed), "{passed} passed");
    }

    #[test]
    fn a_face_that_stands_still_keeps_the_gate_open() {
        let mut gate = MotionGate::new(SHARE);
        for n in 0..300u64 {
            let face = (n > 10).then(|| at(n * 100 - 300));
            assert!(gate.look(&scene(n, 3.0, 0, Some(200)), at(n * 100), face), "closed at frame {n}");
        }
        let passed =
            (300..400).filter(|n| gate.look(&scene(*n, 3.0, 0, Some(200)), at(n * 100), Some(at(29_900))));
        assert!(passed.count() < 30, "the gate did not close after the face was gone");
    }

    #[test]
    fn light_that_changes_everywhere_is_not_motion() {
        let mut gate = MotionGate::new(SHARE);
        for n in 0..50 {
            gate.look(&scene(n, 3.0, 0, None), at(n * 100), None);
        }
        assert!(!gate.look(&scene(50, 3.0, 25, None), at(4990), None));
    }

    #[test]
    fn a_share_of_zero_turns_the_gate_off() {
        let mut gate = MotionGate::new(0.0);
        assert!(
            (0..100).all(|n| !gate.resting(at(n), None) && gate.look(&scene(0, 0.0, 0, None), at(n), None))
        );
    }

    #[test]
    fn brightness_and_contrast_are_those_of_the_picture() {
        let black = Thumbnail::of(&RgbImage::new(320, 180));
        assert_eq!((black.mean(), black.contrast()), (0.0, 0));
        let half = RgbImage::from_fn(640, 360, |x, _| image::Rgb([if x < 320 { 0 } else { 255 }; 3]));
        let half = Thumbnail::of(&half);
        assert_eq!(half.contrast(), 255);
        assert!((half.mean() - 127.5).abs() < 1.0);
    }

    proptest! {
        #[test]
        fn frames_of_any_size_have_a_thumbnail(width in 1u32..200, height in 1u32..200) {
            let thumbnail = Thumbnail::of(&RgbImage::from_pixel(width, height, image::Rgb([10, 10, 10])));
            prop_assert_eq!(thumbnail.0, vec![10u8; COUNT]);
        }

        #[test]
        fn the_median_is_that_of_the_sorted_list(mut values in prop::collection::vec(-255i32..=255, 1..99)) {
            let found = median(&values);
            values.sort_unstable();
            prop_assert_eq!(found, values[(values.len() - 1) / 2]);
        }
    }
}
