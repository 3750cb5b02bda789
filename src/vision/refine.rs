//! The refiner: a small network that looks at each face the detector proposes and says whether it is
//! one, where its box is and where its five landmarks are. What still looks like a face then is looked
//! at again about its new box, every other time in a mirror: looks that err differently are worth more
//! than one.
//! The detector sees a whole frame in a few milliseconds; its boxes are a little off and some hold no
//! face. With a refiner it may propose more, since what is no face goes again.
//!
//! The network sees a square about the middle of the box, upright, black outside the frame, in the
//! frame's own resolution. The card's `looks.reach` says for each look how many times the box's longer
//! side it takes in: more in the first, for what is about a face tells a hand from it. It answers in offsets from
//! the square's middle and in its sides. The square's edge is the edge of its outer pixels.

use super::align::{Outside, Similarity, warp};
use super::card::{Card, Looks, REFINER_SIDE, Task};
use super::decode::suppress;
use super::detect::lay_out;
use super::network::{ModelError, Network};
use super::{Detection, Point, Rect};
use image::RgbImage;
use std::path::Path;

/// Overlap above which the weaker of two proposals is not looked at.
pub const PROPOSALS_OVERLAP: f32 = 0.5;
/// Proposals that are looked at in one frame, strongest first; each costs one run of the network.
pub const PROPOSALS: usize = 96;
/// A proposal whose score before the last look is below this share of the threshold is no face.
const HOPE: f32 = 0.5;
/// The landmarks in the order of a mirror image: left and right change places.
pub const MIRRORED: [usize; 5] = [1, 0, 2, 4, 3];
/// Offset from the square's middle, in its sides, beyond which a point is none of this face.
const FAR: f32 = 0.75;
/// Sides of a box over the square's side that are believed, as logarithms.
const LOG_SIDE: std::ops::RangeInclusive<f32> = -3.0..=1.0;
/// Numbers of an answer: face logit, four box values, ten landmark values.
const VALUES: usize = 15;

/// A refiner with its buffers; one per thread. Clones share the weights.
#[derive(Clone)]
pub struct Refiner {
    card: Card,
    network: Network,
}

impl Refiner {
    /// Opens the network of the card at `path`, or the one inside the program.
    pub fn open(path: Option<&Path>) -> Result<Refiner, ModelError> {
        let (card, network) = Network::open(path, Task::Refine)?;
        Ok(Refiner { card, network })
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Looks at the first [`PROPOSALS`] (strongest first, in pixels of `frame`) and gives the faces of
    /// at least `threshold`, strongest first. The error is in the inference engine's words.
    pub fn refine(
        &mut self,
        frame: &RgbImage,
        proposals: &[Detection],
        threshold: f32,
    ) -> Result<Vec<Detection>, String> {
        let mut faces = Vec::new();
        for proposal in proposals.iter().take(PROPOSALS) {
            faces.extend(self.judge(frame, proposal, threshold)?);
        }
        faces.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(suppress(faces, self.card.threshold.nms))
    }

    /// The face of a proposal, if each look finds one, about the box of the look before. Its box is the mean
    /// of all looks'; its landmarks too, each look weighed by the inverse area of its pixels; its log-odds
    /// the plain mean with a share of the detector's, which saw the whole frame.
    fn judge(
        &mut self,
        frame: &RgbImage,
        proposal: &Detection,
        threshold: f32,
    ) -> Result<Option<Detection>, String> {
        let Looks { reach, detector } = self.card.looks.clone();
        let detail: f32 = reach.iter().map(|r| r.powi(-2)).sum();
        let (mut about, mut logits) = (proposal.bbox, 0.0);
        let nothing = Rect { x: 0.0, y: 0.0, w: 0.0, h: 0.0 };
        let mut face = Detection { bbox: nothing, landmarks: [[0.0; 2]; 5], score: 0.0 };
        for (before, &reach_now) in reach.iter().enumerate() {
            let Some((logit, seen)) = self.look(frame, &about, reach_now, before % 2 == 1)? else {
                return Ok(None);
            };
            logits += logit;
            face.score = sigmoid(logits / (before + 1) as f32 + detector * log_odds(proposal.score));
            let least = if before + 1 == reach.len() { threshold } else { HOPE * threshold };
            if face.score < least {
                return Ok(None);
            }
            about = seen.bbox;
            face.bbox = face.bbox.plus(&seen.bbox, 1.0 / reach.len() as f32);
            let share = reach_now.powi(-2) / detail;
            for (mean, [x, y]) in face.landmarks.iter_mut().zip(seen.landmarks) {
                *mean = [mean[0] + share * x, mean[1] + share * y];
            }
        }
        Ok(Some(face))
    }

    /// One look at the square about a box: the face's logit, and where it is.
    fn look(
        &mut self,
        frame: &RgbImage,
        bbox: &Rect,
        reach: f32,
        mirrored: bool,
    ) -> Result<Option<(f32, Detection)>, String> {
        let Some(square) = Square::about(bbox, reach) else { return Ok(None) };
        let Some(mut view) = square.view(frame) else { return Ok(None) };
        if mirrored {
            image::imageops::flip_horizontal_in_place(&mut view);
        }
        let (card, side) = (&self.card, (REFINER_SIDE, REFINER_SIDE));
        let outputs = self.network.run(|input| lay_out(view.as_raw(), side, card, input))?;
        Ok(square.face(outputs.values(0), mirrored))
    }
}

impl Rect {
    /// Each number with a share of the other's added.
    fn plus(&self, other: &Rect, share: f32) -> Rect {
        let sum = |mine: f32, theirs: f32| mine + share * theirs;
        Rect {
            x: sum(self.x, other.x),
            y: sum(self.y, other.y),
            w: sum(self.w, other.w),
            h: sum(self.h, other.h),
        }
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

fn log_odds(score: f32) -> f32 {
    let score = score.clamp(1e-6, 1.0 - 1e-6);
    (score / (1.0 - score)).ln()
}

/// The part of a frame that the network sees.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Square {
    /// In pixels of the frame.
    middle: Point,
    /// In pixels of the frame, above 0.
    side: f32,
}

impl Square {
    fn about(b: &Rect, reach: f32) -> Option<Square> {
        let side = reach * b.w.max(b.h);
        let middle = [b.x + b.w / 2.0, b.y + b.h / 2.0];
        let sound = side.is_finite() && side >= 1.0 && middle.iter().all(|v| v.is_finite());
        sound.then_some(Square { middle, side })
    }

    fn view(&self, frame: &RgbImage) -> Option<RgbImage> {
        let scale = self.side / REFINER_SIDE as f32;
        // The sampler counts from the middles of pixels, boxes from their edges.
        let shift = |middle: f32| middle - self.side / 2.0 + scale / 2.0 - 0.5;
        let back = Similarity { a: scale, b: 0.0, tx: shift(self.middle[0]), ty: shift(self.middle[1]) };
        warp::<REFINER_SIDE>(frame, &back, Outside::Black)
    }

    /// The network's numbers, maybe of the square's mirror image, as a face of the frame with its logit;
    /// `None` unless all are finite and lie about the square.
    fn face(&self, values: &[f32], mirrored: bool) -> Option<(f32, Detection)> {
        let &[logit, x, y, log_w, log_h, ref points @ ..] = values.first_chunk::<VALUES>()?;
        let (pairs, _) = points.as_chunks::<2>();
        let pairs: &[Point; 5] = pairs.try_into().ok()?;
        // False for what is not a number.
        let near = [x, y].iter().chain(pairs.as_flattened()).all(|v| v.abs() <= FAR);
        if !near || !LOG_SIDE.contains(&log_w) || !LOG_SIDE.contains(&log_h) || logit.is_nan() {
            return None;
        }
        let sign = if mirrored { -1.0 } else { 1.0 };
        let place = |[x, y]: Point| [self.middle[0] + sign * x * self.side, self.middle[1] + y * self.side];
        let order = |k: usize| if mirrored { MIRRORED[k] } else { k };
        let ([cx, cy], w, h) = (place([x, y]), log_w.exp() * self.side, log_h.exp() * self.side);
        let bbox = Rect { x: cx - w / 2.0, y: cy - h / 2.0, w, h };
        let landmarks = std::array::from_fn(|k| place(pairs[order(k)]));
        Some((logit, Detection { bbox, landmarks, score: sigmoid(logit) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use proptest::prelude::*;

    fn square(x: f32, y: f32, w: f32, h: f32) -> Square {
        Square::about(&Rect { x, y, w, h }, 1.5).unwrap()
    }

    fn answer(points: [f32; 10]) -> Vec<f32> {
        [&[0.0, 0.1, 0.0, 0.5f32.ln(), 0.0][..], &points].concat()
    }

    #[test]
    fn the_square_lies_about_the_box_and_answers_come_back_to_the_frame() {
        let square = square(100.0, 50.0, 60.0, 80.0);
        assert_eq!(square, Square { middle: [130.0, 90.0], side: 120.0 });
        let face =
            square.face(&answer([-0.2, -0.1, 0.2, -0.1, 0.0, 0.0, -0.15, 0.2, 0.15, 0.2]), false).unwrap().1;
        assert_eq!(face.score, 0.5);
        assert_eq!((face.landmarks[0], face.landmarks[2]), ([106.0, 78.0], [130.0, 90.0]));
        let b = face.bbox;
        assert!((b.w - 60.0).abs() < 1e-3 && (b.h - 120.0).abs() < 1e-3, "{b:?}");
        assert!((b.x - 112.0).abs() < 1e-3 && (b.y - 30.0).abs() < 1e-3, "{b:?}");
    }

    #[test]
    fn what_is_seen_in_the_mirror_comes_back_to_its_own_side() {
        let square = square(100.0, 50.0, 60.0, 80.0);
        let (_, face) =
            square.face(&answer([-0.2, -0.1, 0.3, -0.1, 0.0, 0.0, -0.15, 0.2, 0.15, 0.2]), true).unwrap();
        // The mirror's right eye is the left one.
        assert_eq!((face.landmarks[0], face.landmarks[1]), ([94.0, 78.0], [154.0, 78.0]));
        assert!((face.bbox.x + face.bbox.w / 2.0 - 118.0).abs() < 1e-3, "{:?}", face.bbox);
    }

    #[test]
    fn a_spot_is_seen_where_its_answer_would_place_it() {
        // A bright spot of 4x4 pixels whose middle is at (140, 80), edges counted.
        let spot = |x: u32, y: u32| (138..142).contains(&x) && (78..82).contains(&y);
        let frame = RgbImage::from_fn(320, 240, |x, y| Rgb([if spot(x, y) { 255 } else { 0 }; 3]));
        for (w, h) in [(30.0, 40.0), (60.0, 80.0), (120.0, 160.0)] {
            let square = square(130.0 - w / 2.0, 90.0 - h / 2.0, w, h);
            let view = square.view(&frame).unwrap();
            let (mut sum, mut x, mut y) = (0.0, 0.0, 0.0);
            for (u, v, pixel) in view.enumerate_pixels() {
                let light = f32::from(pixel[0]);
                (sum, x, y) = (sum + light, x + light * (u as f32 + 0.5), y + light * (v as f32 + 0.5));
            }
            let offset = |v: f32| v / sum / REFINER_SIDE as f32 - 0.5;
            let mut points = [0.0; 10];
            (points[0], points[1]) = (offset(x), offset(y));
            let [px, py] = square.face(&answer(points), false).unwrap().1.landmarks[0];
            assert!((px - 140.0).abs() < 0.3 && (py - 80.0).abs() < 0.3, "{w}: {px} {py}");
        }
    }

    #[test]
    fn outside_the_frame_is_black() {
        let white = RgbImage::from_pixel(100, 100, Rgb([255; 3]));
        let view = square(-40.0, -40.0, 80.0, 80.0).view(&white).unwrap();
        assert_eq!((view.get_pixel(10, 10)[0], view.get_pixel(50, 50)[0]), (0, 255));
    }

    #[test]
    fn a_box_without_a_size_and_points_far_away_are_refused() {
        assert_eq!(Square::about(&Rect { x: 0.0, y: 0.0, w: 0.0, h: 0.0 }, 1.5), None);
        assert_eq!(Square::about(&Rect { x: f32::NAN, y: 0.0, w: 9.0, h: 9.0 }, 1.5), None);
        let mut points = [0.1; 10];
        points[3] = 0.9;
        assert_eq!(square(0.0, 0.0, 9.0, 9.0).face(&answer(points), false), None);
        assert_eq!(square(0.0, 0.0, 9.0, 9.0).face(&[0.1; 14], false), None);
    }

    proptest! {
        #[test]
        fn whatever_the_network_says_a_face_is_finite_and_near_its_proposal(
            values in proptest::collection::vec(
                prop_oneof![-4f32..4.0, -0.5f32..0.5, Just(f32::NAN), Just(f32::INFINITY)], 0..18),
            mirrored in any::<bool>(),
        ) {
            if let Some((_, face)) = square(10.0, 20.0, 30.0, 40.0).face(&values, mirrored) {
                prop_assert!(face.landmarks.iter().flatten().all(|v| v.is_finite() && v.abs() < 200.0));
                prop_assert!((0.0..=1.0).contains(&face.score));
                prop_assert!(face.bbox.w > 0.0 && face.bbox.h > 0.0 && face.bbox.w < 400.0);
            }
        }
    }
}
