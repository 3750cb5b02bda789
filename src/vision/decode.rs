//! From a detector's raw outputs to detections, in pixels of the network's input. Every number
//! that comes out is finite, landmarks that the network does not give apart, and never more than
//! [`CANDIDATES`] survive to be compared.

use super::card::{Card, Decoding, yunet_names};
use super::{Detection, Point, Rect};

/// Most detections that are compared with each other.
const CANDIDATES: usize = 1000;
/// Largest logarithm of a face's size over the stride that is believed.
const LOG_SIZE: f32 = 6.0;

/// The landmarks of a face that a network without landmarks found: not numbers, so that nothing can
/// be aligned by them.
pub const NO_LANDMARKS: [Point; 5] = [[f32::NAN; 2]; 5];

/// Where each value of each grid stands among the outputs.
#[derive(Debug, Clone)]
pub struct Decoder {
    decoding: Decoding,
    /// Per grid: stride, columns, rows, and the places of its outputs.
    grids: Vec<(usize, usize, usize, [usize; 4])>,
    /// The anchors of all cells, in the order of the outputs (Ultra-Light).
    anchors: Vec<Anchor>,
}

/// A square that a box is coded against: its centre and side in pixels.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    cx: f32,
    cy: f32,
    side: f32,
}

/// The anchors of every cell of every grid, row by row.
fn anchors(card: &Card) -> Vec<Anchor> {
    let (w, h) = card.input.size();
    let mut all = Vec::new();
    for (&stride, sides) in card.output.strides.iter().zip(&card.output.anchors) {
        let middle = |cell: usize| (cell as f32 + 0.5) * stride as f32;
        for row in 0..h.div_ceil(stride) {
            for column in 0..w.div_ceil(stride) {
                all.extend(sides.iter().map(|&side| Anchor { cx: middle(column), cy: middle(row), side }));
            }
        }
    }
    all
}

impl Decoder {
    /// The decoder that a checked detector's card asks for.
    pub fn new(card: &Card) -> Decoder {
        let (w, h) = card.input.size();
        let place = |name: &String| card.output.names.iter().position(|n| n == name).unwrap_or(usize::MAX);
        let grids = card.output.strides.iter().enumerate().map(|(index, &s)| {
            let places = match card.output.decoding {
                Decoding::Yunet => yunet_names(s).each_ref().map(place),
                _ => [index; 4],
            };
            (s, w / s, h / s, places)
        });
        Decoder { decoding: card.output.decoding, grids: grids.collect(), anchors: anchors(card) }
    }

    /// Detections of at least `threshold`, strongest first, none overlapping a stronger one by
    /// more than `overlap` (intersection over union). `values` gives an output by its place.
    pub fn decode<'a>(
        &self,
        values: impl Fn(usize) -> &'a [f32],
        threshold: f32,
        overlap: f32,
    ) -> Vec<Detection> {
        let mut found = Vec::new();
        if self.decoding == Decoding::Ultralight {
            decode_anchored(values(0), values(1), &self.anchors, threshold, &mut found);
        }
        for &(stride, columns, rows, places) in &self.grids {
            match self.decoding {
                Decoding::Ultralight | Decoding::Embedding | Decoding::Refined => {}
                Decoding::Yunet => {
                    let outputs = places.map(&values);
                    decode_yunet(outputs, stride, columns, rows, threshold, &mut found);
                }
                Decoding::Grid => {
                    decode_grid(values(places[0]), stride, columns, rows, threshold, &mut found)
                }
            }
        }
        found.retain(|d| sound(d, self.decoding != Decoding::Ultralight));
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(CANDIDATES);
        suppress(found, overlap)
    }
}

fn detection(score: f32, column: usize, row: usize, stride: usize, values: [f32; 14]) -> Detection {
    let s = stride as f32;
    let (column, row) = (column as f32, row as f32);
    let [dx, dy, dw, dh, points @ ..] = values;
    let (w, h) = (dw.min(LOG_SIZE).exp() * s, dh.min(LOG_SIZE).exp() * s);
    let (cx, cy) = ((column + dx) * s, (row + dy) * s);
    Detection {
        bbox: Rect { x: cx - w / 2.0, y: cy - h / 2.0, w, h },
        landmarks: std::array::from_fn(|k| [(points[2 * k] + column) * s, (points[2 * k + 1] + row) * s]),
        score,
    }
}

fn decode_grid(
    out: &[f32],
    stride: usize,
    columns: usize,
    rows: usize,
    threshold: f32,
    found: &mut Vec<Detection>,
) {
    let cells = columns * rows;
    if out.len() < 15 * cells {
        return;
    }
    let p = threshold.clamp(1e-6, 1.0 - 1e-6);
    let least = (p / (1.0 - p)).ln();
    for (cell, &logit) in out[..cells].iter().enumerate() {
        if logit >= least {
            let values = std::array::from_fn(|k| out[(k + 1) * cells + cell]);
            let score = 1.0 / (1.0 + (-logit).exp());
            found.push(detection(score, cell % columns, cell / columns, stride, values));
        }
    }
}

fn decode_yunet(
    [cls, obj, bbox, kps]: [&[f32]; 4],
    stride: usize,
    columns: usize,
    rows: usize,
    threshold: f32,
    found: &mut Vec<Detection>,
) {
    let cells = columns * rows;
    if cls.len() < cells || obj.len() < cells || bbox.len() < 4 * cells || kps.len() < 10 * cells {
        return;
    }
    for cell in 0..cells {
        let score = (cls[cell].clamp(0.0, 1.0) * obj[cell].clamp(0.0, 1.0)).sqrt();
        if score >= threshold {
            let values =
                std::array::from_fn(|k| if k < 4 { bbox[4 * cell + k] } else { kps[10 * cell + k - 4] });
            found.push(detection(score, cell % columns, cell / columns, stride, values));
        }
    }
}

fn decode_anchored(
    scores: &[f32],
    boxes: &[f32],
    anchors: &[Anchor],
    threshold: f32,
    found: &mut Vec<Detection>,
) {
    for ((score, values), anchor) in scores.chunks_exact(2).zip(boxes.chunks_exact(4)).zip(anchors) {
        if score[1] >= threshold {
            let at = |value: f32| 0.1 * value * anchor.side;
            let size = |value: f32| (0.2 * value).min(LOG_SIZE).exp() * anchor.side;
            let (cx, cy) = (anchor.cx + at(values[0]), anchor.cy + at(values[1]));
            let (w, h) = (size(values[2]), size(values[3]));
            let bbox = Rect { x: cx - w / 2.0, y: cy - h / 2.0, w, h };
            found.push(Detection { bbox, landmarks: NO_LANDMARKS, score: score[1] });
        }
    }
}

/// Whether every number of a detection is one, the landmarks' too where the network gives them.
fn sound(d: &Detection, with_landmarks: bool) -> bool {
    let b = &d.bbox;
    let finite = [b.x, b.y, b.w, b.h].iter().all(|v| v.is_finite())
        && (!with_landmarks || d.landmarks.iter().flatten().all(|v| v.is_finite()));
    finite && b.w > 0.0 && b.h > 0.0 && d.score <= 1.0
}

/// Intersection over union, 0..1.
pub fn overlap(a: &Rect, b: &Rect) -> f32 {
    let w = (a.x + a.w).min(b.x + b.w) - a.x.max(b.x);
    let h = (a.y + a.h).min(b.y + b.h) - a.y.max(b.y);
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let common = w * h;
    common / (a.w * a.h + b.w * b.h - common).max(1e-9)
}

/// Keeps, of detections sorted by score, those that no stronger one overlaps by more than `limit`.
pub fn suppress(sorted: Vec<Detection>, limit: f32) -> Vec<Detection> {
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in sorted {
        if kept.iter().all(|k| overlap(&k.bbox, &candidate.bbox) <= limit) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoder(decoding: Decoding) -> Decoder {
        let anchors = vec![Anchor { cx: 4.0, cy: 4.0, side: 10.0 }, Anchor { cx: 12.0, cy: 4.0, side: 20.0 }];
        Decoder { decoding, grids: vec![(8, 4, 3, [0, 1, 2, 3])], anchors }
    }

    #[test]
    fn a_cell_becomes_a_box_and_landmarks_in_pixels() {
        let cells = 12;
        let mut out = vec![-9.0; 15 * cells];
        let cell = 4 + 2; // row 1, column 2
        let values = [2.0, 0.5, 0.25, 2f32.ln(), 0.0, 0.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 1.0, 1.0];
        for (k, v) in values.iter().enumerate() {
            out[k * cells + cell] = *v;
        }
        let found = decoder(Decoding::Grid).decode(|_| &out, 0.5, 0.3);
        assert_eq!(found.len(), 1);
        let d = &found[0];
        assert!((d.bbox.w - 16.0).abs() < 1e-4 && (d.bbox.h - 8.0).abs() < 1e-4);
        assert!((d.bbox.x - (2.5 * 8.0 - 8.0)).abs() < 1e-4 && (d.bbox.y - (1.25 * 8.0 - 4.0)).abs() < 1e-4);
        assert_eq!(d.landmarks[1], [24.0, 8.0]);
        assert!((d.score - 0.880_797).abs() < 1e-4);

        // The same cell in YuNet's layout.
        let mut outputs = [vec![0.0; cells], vec![0.0; cells], vec![0.0; 4 * cells], vec![0.0; 10 * cells]];
        outputs[0][cell] = 0.81;
        outputs[1][cell] = 1.0;
        outputs[2][4 * cell..4 * cell + 4].copy_from_slice(&values[1..5]);
        outputs[3][10 * cell..10 * cell + 10].copy_from_slice(&values[5..]);
        let same = decoder(Decoding::Yunet).decode(|i| &outputs[i], 0.5, 0.3);
        assert_eq!((same[0].bbox, same[0].landmarks), (d.bbox, d.landmarks));
        assert!((same[0].score - 0.9).abs() < 1e-6);
    }

    #[test]
    fn an_anchor_becomes_a_box_without_landmarks() {
        let double = 5.0 * 2f32.ln();
        let outputs = [vec![0.9, 0.1, 0.2, 0.8], vec![9.0, 9.0, 9.0, 9.0, 1.0, -1.0, double, 0.0]];
        let found = decoder(Decoding::Ultralight).decode(|i| &outputs[i], 0.5, 0.3);
        assert_eq!(found.len(), 1);
        let b = found[0].bbox;
        assert!((b.x - (14.0 - 20.0)).abs() < 1e-4 && (b.y - (2.0 - 10.0)).abs() < 1e-4, "{b:?}");
        assert!((b.w - 40.0).abs() < 1e-4 && (b.h - 20.0).abs() < 1e-4, "{b:?}");
        assert_eq!(found[0].score, 0.8);
        assert!(found[0].landmarks.iter().flatten().all(|v| v.is_nan()));
        let picture = image::RgbImage::new(64, 64);
        assert!(crate::vision::align::crop(&picture, &found[0].landmarks).is_none(), "nothing to align by");
    }

    #[test]
    fn of_two_boxes_on_one_face_the_stronger_stays() {
        let at = |x: f32, score| Detection {
            bbox: Rect { x, y: 0.0, w: 10.0, h: 10.0 },
            landmarks: [[0.0; 2]; 5],
            score,
        };
        let kept = suppress(vec![at(0.0, 0.9), at(2.0, 0.8), at(9.0, 0.7)], 0.3);
        assert_eq!(kept.iter().map(|d| d.score).collect::<Vec<_>>(), [0.9, 0.7]);
    }

    proptest! {
        #[test]
        fn whatever_a_network_says_the_faces_are_finite_and_few(
            out in proptest::collection::vec(
                prop_oneof![-20f32..20.0, Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)], 15 * 12)
        ) {
            for decoding in [Decoding::Grid, Decoding::Yunet, Decoding::Ultralight] {
                let found = decoder(decoding).decode(|_| &out, 0.5, 0.3);
                prop_assert!(found.len() <= out.len() / 4);
                let landmarks = decoding != Decoding::Ultralight;
                for d in found {
                    prop_assert!(d.bbox.x.is_finite() && d.bbox.y.is_finite());
                    prop_assert!(d.bbox.w.is_finite() && d.bbox.h.is_finite() && (0.0..=1.0).contains(&d.score));
                    prop_assert!(d.landmarks.iter().flatten().all(|v| v.is_finite() == landmarks));
                }
            }
        }
    }
}
