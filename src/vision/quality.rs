//! Quality: is this face fit for matching? A score is the weakest of five judgements, each 0..1:
//! inside the frame, size, pose (from the landmarks' geometry), light and sharpness (from the
//! aligned crop). Low quality means "wait for a better frame", never "a stranger".
//!
//! The limits were set on people of LFW whom no training saw, on their photographs as they are, blurred,
//! darkened and shrunk, so that the share recognised rises with quality; `shopguide calibrate --images
//! FILE --held-out --quality` measures it again. Blur and darkness cost most; a face that is dim, or
//! small by itself, costs little as long as its detail is there.

use super::align::SIDE;
use super::{Detection, Poor, Quality};
use image::RgbImage;
use serde::Serialize;

/// Width of a face in pixels that deserves the full score; below, the score falls with it.
const FULL_SIZE: f32 = 60.0;
/// Share of a face's box beyond the frame's edge that makes it useless.
const CUT_LIMIT: f32 = 0.25;
/// Width of a whole face over its height, at least.
const LEAST_WIDTH: f32 = 0.75;
/// How far the nose may lie from the middle of the eyes, over the eyes' distance (about 45°).
const YAW_LIMIT: f32 = 0.55;
/// How far the nose may lie from its place between eyes and mouth (share of that height).
const PITCH_LIMIT: f32 = 0.38;
/// Where the nose lies between eyes and mouth in a face that looks ahead.
const PITCH_AHEAD: f32 = 0.55;
/// Roll in radians that makes a face useless (alignment takes out less).
const ROLL_LIMIT: f32 = 1.2;
/// Detail of a crop (see [`CropFigures::detail`]) that is as good as none, and that is enough.
/// Photographs of LFW have 0.115 in the middle, 0.076 blurred by 2 pixels, 0.070 by 3.
const DETAIL: (f32, f32) = (0.060, 0.095);
/// Mean brightness, 0..255: useless, enough; enough, useless.
const BRIGHTNESS: [f32; 4] = [5.0, 45.0, 205.0, 248.0];
/// Standard deviation of brightness: useless, enough.
const CONTRAST: (f32, f32) = (2.0, 10.0);

/// What is measured in an aligned crop.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct CropFigures {
    /// Mean brightness of the face, 0..255.
    pub brightness: f32,
    /// Standard deviation of brightness.
    pub contrast: f32,
    /// Energy of differences between neighbours over that between pixels four apart: 1/16 for a
    /// smooth slope, towards 1 for the finest detail, whatever the contrast.
    pub detail: f32,
}

/// All that quality is judged from, but for the place in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Figures {
    /// Of the detector's box, in pixels.
    pub width: f32,
    /// See [`pose`].
    pub yaw: f32,
    /// See [`pose`].
    pub pitch: f32,
    /// See [`pose`].
    pub roll: f32,
    /// The detector's, 0..1.
    pub score: f32,
    /// See [`CropFigures`].
    #[serde(flatten)]
    pub crop: CropFigures,
}

/// Measures a face and its aligned crop.
pub fn figures(face: &Detection, crop: &RgbImage) -> Figures {
    let (yaw, pitch, roll) = pose(face);
    Figures { width: face.bbox.w, yaw, pitch, roll, score: face.score, crop: measure(crop) }
}

fn rising(value: f32, low: f32, high: f32) -> f32 {
    ((value - low) / (high - low)).clamp(0.0, 1.0)
}

/// Measures the middle of an aligned 112x112 crop.
pub fn measure(crop: &RgbImage) -> CropFigures {
    let side = SIDE as usize;
    let luma: Vec<f32> = crop
        .as_raw()
        .chunks_exact(3)
        .map(|p| (p[0] as f32 + 2.0 * p[1] as f32 + p[2] as f32) / 4.0)
        .collect();
    if luma.len() < side * side {
        return CropFigures { brightness: 0.0, contrast: 0.0, detail: 0.0 };
    }
    let (mut sum, mut squares, mut near, mut far, mut count) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
    for y in 30..100 {
        for x in 24..88 {
            let at = y * side + x;
            let v = luma[at];
            sum += v;
            squares += v * v;
            near += (v - luma[at + 1]).powi(2) + (v - luma[at + side]).powi(2);
            far += (v - luma[at + 4]).powi(2) + (v - luma[at + 4 * side]).powi(2);
            count += 1.0;
        }
    }
    let brightness = sum / count;
    let contrast = (squares / count - brightness * brightness).max(0.0).sqrt();
    CropFigures { brightness, contrast, detail: near / far.max(count) }
}

/// Turn of a face from its landmarks: yaw (nose off the eyes' middle over their distance), pitch
/// (nose between eyes and mouth, 0.55 ahead) and roll in radians.
pub fn pose(face: &Detection) -> (f32, f32, f32) {
    let [left, right, nose, mouth_left, mouth_right] = face.landmarks;
    let along = [right[0] - left[0], right[1] - left[1]];
    let norm = (along[0] * along[0] + along[1] * along[1]).max(1e-6);
    let middle = [(left[0] + right[0]) / 2.0, (left[1] + right[1]) / 2.0];
    let mouth = [(mouth_left[0] + mouth_right[0]) / 2.0, (mouth_left[1] + mouth_right[1]) / 2.0];
    let dot = |p: [f32; 2]| ((p[0] - middle[0]) * along[0] + (p[1] - middle[1]) * along[1]) / norm;
    let down = |p: [f32; 2]| ((p[1] - middle[1]) * along[0] - (p[0] - middle[0]) * along[1]) / norm;
    let height = down(mouth);
    // Eyes above the mouth by less than a third of their distance: no face looks so.
    let pitch = if height > 0.3 { down(nose) / height } else { f32::INFINITY };
    // A head that turns moves the nose against both the eyes and the mouth.
    let yaw = dot(nose) - 0.3 * dot(mouth);
    (yaw, pitch, along[1].atan2(along[0]))
}

/// Judges a face in a frame of `size` pixels. `crop` is its aligned crop, if one was taken: without
/// it only place and size are judged, for which a detector's coarse landmarks do not matter. `min_face` in pixels, `min_quality` 0..1.
pub fn judge(
    face: &Detection,
    size: (u32, u32),
    crop: Option<&RgbImage>,
    min_face: f32,
    min_quality: f32,
) -> Quality {
    let b = &face.bbox;
    let (right, low) = (size.0 as f32, size.1 as f32);
    let inside_w = ((b.x + b.w).min(right) - b.x.max(0.0)).max(0.0);
    let inside_h = ((b.y + b.h).min(low) - b.y.max(0.0)).max(0.0);
    // At the frame's edge a box may end with what is seen, and the face goes on.
    let (beside, above) = (b.x < 0.0 || b.x + b.w > right, b.y < 0.0 || b.y + b.h > low);
    let whole_w = if beside { b.w.max(LEAST_WIDTH * b.h) } else { b.w };
    let whole_h = if above { b.h.max(b.w) } else { b.h };
    let outside = 1.0 - inside_w * inside_h / (whole_w * whole_h).max(1e-6);
    let mut judgements = vec![
        (Poor::Cut, 1.0 - outside / CUT_LIMIT),
        (
            Poor::TooSmall,
            if b.w < min_face { (b.w / FULL_SIZE).min(min_quality * 0.99) } else { b.w / FULL_SIZE },
        ),
    ];
    if let Some(crop) = crop {
        let Figures { yaw, pitch, roll, crop: figures, .. } = figures(face, crop);
        let turned = (yaw.abs() / YAW_LIMIT)
            .max((pitch - PITCH_AHEAD).abs() / PITCH_LIMIT)
            .max(roll.abs() / ROLL_LIMIT);
        judgements.push((Poor::Turned, 1.0 - turned));
        let [dark, dim, bright, glaring] = BRIGHTNESS;
        let light = rising(figures.brightness, dark, dim).min(rising(-figures.brightness, -glaring, -bright));
        judgements.push((Poor::BadLight, light.min(rising(figures.contrast, CONTRAST.0, CONTRAST.1))));
        judgements.push((Poor::Blurred, rising(figures.detail, DETAIL.0, DETAIL.1)));
    }
    let score = judgements.iter().fold(1.0f32, |least, (_, s)| least.min(s.clamp(0.0, 1.0)));
    let enough = |s: f32| s >= min_quality; // false for NaN
    let poor = judgements.iter().find(|(_, s)| !enough(*s)).map(|(reason, _)| *reason);
    Quality { score, poor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::Rect;
    use crate::vision::align::TEMPLATE;
    use image::Rgb;

    fn face() -> Detection {
        // The template itself, twice as large, at (100, 100).
        let landmarks = TEMPLATE.map(|[x, y]| [100.0 + 2.0 * x, 100.0 + 2.0 * y]);
        Detection { bbox: Rect { x: 130.0, y: 110.0, w: 160.0, h: 200.0 }, landmarks, score: 0.9 }
    }

    fn textured(contrast: f32, brightness: f32) -> RgbImage {
        RgbImage::from_fn(112, 112, |x, y| {
            let wave = (x as f32 * 0.9).sin() + (y as f32 * 1.1).cos() + (x as f32 * 0.2).sin();
            let v = (brightness + wave * contrast).clamp(0.0, 255.0) as u8;
            Rgb([v, v, v])
        })
    }

    #[test]
    fn a_large_sharp_face_that_looks_ahead_is_good() {
        let q = judge(&face(), (640, 480), Some(&textured(30.0, 120.0)), 48.0, 0.35);
        assert_eq!(q.poor, None);
        assert!(q.score > 0.7, "{q:?}");
    }

    #[test]
    fn each_fault_is_named() {
        let good = textured(30.0, 120.0);
        let poor = |f: &Detection, crop: &RgbImage| judge(f, (640, 480), Some(crop), 48.0, 0.35).poor;
        let mut small = face();
        small.bbox.w = 40.0;
        assert_eq!(poor(&small, &good), Some(Poor::TooSmall));
        let mut cut = face();
        cut.bbox.x = -60.0;
        assert_eq!(poor(&cut, &good), Some(Poor::Cut));
        // The box of half a face that ends near the frame's edge, as the refiner gives it.
        let mut half = face();
        half.bbox = Rect { x: -16.0, y: 110.0, w: 115.0, h: 236.0 };
        assert_eq!(poor(&half, &good), Some(Poor::Cut));
        let mut turned = face();
        turned.landmarks[2][0] = turned.landmarks[1][0];
        assert_eq!(poor(&turned, &good), Some(Poor::Turned));
        let mut lying = face();
        lying.landmarks = lying.landmarks.map(|[x, y]| [-y + 500.0, x]);
        assert_eq!(poor(&lying, &good), Some(Poor::Turned));
        let mut nodding = face();
        nodding.landmarks[2][1] = nodding.landmarks[3][1];
        assert_eq!(poor(&nodding, &good), Some(Poor::Turned));
        assert_eq!(poor(&face(), &textured(5.0, 15.0)), Some(Poor::BadLight));
        assert_eq!(poor(&face(), &textured(1.0, 120.0)), Some(Poor::BadLight));
        let blurred = image::imageops::blur(&good, 5.0);
        assert!(measure(&blurred).detail < measure(&good).detail);
        let smooth = RgbImage::from_fn(112, 112, |x, y| Rgb([(x + y) as u8; 3]));
        assert_eq!(poor(&face(), &smooth), Some(Poor::Blurred));
    }

    #[test]
    fn without_a_crop_only_place_and_size_are_judged() {
        let mut unplaced = face();
        unplaced.landmarks = [[0.0; 2]; 5];
        assert_eq!(judge(&unplaced, (640, 480), None, 48.0, 0.35).poor, None);
        unplaced.bbox.w = 40.0;
        assert_eq!(judge(&unplaced, (640, 480), None, 48.0, 0.35).poor, Some(Poor::TooSmall));
    }
}
