//! Detection: a frame is brought to the network's size (scaled down if it must be, never up, at
//! the top left, the rest black), run, decoded and brought back to pixels of the frame. With a
//! refiner what the network finds are proposals, and the refiner has the last word on each. Of a
//! card's several shapes each frame takes the smallest in which it keeps its detail.

use super::card::{Card, Colour, Task};
use super::decode::Decoder;
use super::network::{ModelError, Network};
use super::refine::{self, Refiner};
use super::settings::VisionSettings;
use super::{Detection, Rect};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use std::path::Path;
use std::time::{Duration, Instant};

/// Share of the best scale at which a shape of the network's is good enough to come before larger ones.
const GOOD_ENOUGH: f64 = 0.95;

/// The network in one shape.
#[derive(Clone)]
struct Shape {
    card: Card,
    network: Network,
    decoder: Decoder,
}

/// A detector with its buffers; one per thread.
pub struct Detector {
    /// At least one; the first is the card's own.
    shapes: Vec<Shape>,
    refiner: Option<Refiner>,
    threshold: f32,
    resizer: Resizer,
    scaled: Image<'static>,
}

impl Clone for Detector {
    fn clone(&self) -> Self {
        Self {
            shapes: self.shapes.clone(),
            refiner: self.refiner.clone(),
            threshold: self.threshold,
            resizer: Resizer::new(),
            scaled: Image::new(1, 1, PixelType::U8x3),
        }
    }
}

/// Faces of one frame, and what finding them took.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// In pixels of the frame, strongest first.
    pub faces: Vec<Detection>,
    /// Time to scale the frame and lay out the network's input.
    pub prepare: Duration,
    /// Time to run the network and read its output.
    pub infer: Duration,
    /// Time of the refiner.
    pub refine: Duration,
}

impl Detector {
    /// Opens the detector of the card at `path` without a refiner, or the one inside the program
    /// with its refiner. `threshold` takes the place of the last card's, 0..1.
    pub fn open(path: Option<&Path>, threshold: Option<f32>) -> Result<Detector, ModelError> {
        let own = VisionSettings { detector: path.map(Path::to_owned), ..VisionSettings::default() };
        Self::of_settings(&VisionSettings { detector_threshold: threshold, ..own })
    }

    /// Opens what the settings name, or what is inside the program.
    pub fn of_settings(settings: &VisionSettings) -> Result<Detector, ModelError> {
        let (path, refiner) = (settings.detector.as_deref(), settings.refiner.as_deref());
        let shapes = Network::open_shapes(path, None, Task::Detect)?;
        let refiner = settings.refines().then(|| Refiner::open(refiner)).transpose()?;
        Ok(Self::of(shapes, refiner, settings.detector_threshold))
    }

    /// The same for a card whose network's file may lie in `weights` instead of beside it.
    pub fn open_with(card: &Path, weights: &Path, threshold: Option<f32>) -> Result<Detector, ModelError> {
        Ok(Self::of(Network::open_shapes(Some(card), Some(weights), Task::Detect)?, None, threshold))
    }

    fn of(opened: Vec<(Card, Network)>, refiner: Option<Refiner>, threshold: Option<f32>) -> Detector {
        let shape = |(card, network): (Card, Network)| Shape { decoder: Decoder::new(&card), card, network };
        let shapes: Vec<Shape> = opened.into_iter().map(shape).collect();
        let card = &shapes[0].card;
        if !card.gives_landmarks() && refiner.is_none() {
            tracing::warn!(
                id = "detector-without-landmarks",
                model = card.id(),
                "this detector finds faces without landmarks: without a refiner they are seen and \
                 counted, but nobody can be recognised"
            );
        }
        let last = refiner.as_ref().map_or(card, Refiner::card);
        let threshold = threshold.unwrap_or(last.threshold.score);
        let scaled = Image::new(1, 1, PixelType::U8x3);
        Detector { shapes, refiner, threshold, resizer: Resizer::new(), scaled }
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.shapes[0].card
    }

    /// The refiner's card, if there is one.
    pub fn refiner(&self) -> Option<&Card> {
        self.refiner.as_ref().map(Refiner::card)
    }

    /// Least score of a face, 0..1: the card's, or what took its place.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Finds faces. The error is in the inference engine's words.
    pub fn detect(&mut self, image: &RgbImage) -> Result<Detected, String> {
        let begin = Instant::now();
        let (w, h) = (image.width(), image.height());
        if w == 0 || h == 0 {
            let zero = Duration::ZERO;
            return Ok(Detected { faces: Vec::new(), prepare: zero, infer: zero, refine: zero });
        }
        let sizes: Vec<_> = self.shapes.iter().map(|s| s.card.input.size()).collect();
        let place = shape_for((w, h), &sizes);
        let Some((shape, &size)) = self.shapes.get_mut(place).zip(sizes.get(place)) else {
            return Err("the detector has no shape".into());
        };
        let scale = scale_to((w, h), size);
        let fit = |side: u32, limit: usize| ((side as f64 * scale).round() as u32).clamp(1, limit as u32);
        let (sw, sh) = (fit(w, size.0), fit(h, size.1));
        let pixels: &[u8] = if (sw, sh) == (w, h) {
            image.as_raw()
        } else {
            if (self.scaled.width(), self.scaled.height()) != (sw, sh) {
                self.scaled = Image::new(sw, sh, PixelType::U8x3);
            }
            let source = ImageRef::new(w, h, image.as_raw(), PixelType::U8x3).map_err(|e| e.to_string())?;
            // Like averaging over areas, which the networks were trained with.
            let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box));
            self.resizer.resize(&source, &mut self.scaled, &options).map_err(|e| e.to_string())?;
            self.scaled.buffer()
        };
        let card = &shape.card;
        let mut prepare = Duration::ZERO;
        let outputs = shape.network.run(|input| {
            lay_out(pixels, (sw as usize, sh as usize), card, input);
            prepare = begin.elapsed();
        })?;
        let (least, overlap) = match &self.refiner {
            Some(refiner) => (refiner.card().threshold.proposal, refine::PROPOSALS_OVERLAP),
            None => (self.threshold, card.threshold.nms),
        };
        let mut faces = shape.decoder.decode(|i| outputs.values(i), least, overlap);
        let (fx, fy) = (w as f32 / sw as f32, h as f32 / sh as f32);
        for face in &mut faces {
            let b = face.bbox;
            face.bbox = Rect { x: b.x * fx, y: b.y * fy, w: b.w * fx, h: b.h * fy };
            face.landmarks = face.landmarks.map(|[x, y]| [x * fx, y * fy]);
        }
        let proposed = begin.elapsed();
        if let Some(refiner) = &mut self.refiner {
            faces = refiner.refine(image, &faces, self.threshold)?;
        }
        let refine = begin.elapsed().saturating_sub(proposed);
        Ok(Detected { faces, prepare, infer: proposed.saturating_sub(prepare), refine })
    }
}

/// The scale at which a frame fits a size; never above 1.
fn scale_to((w, h): (u32, u32), (net_w, net_h): (usize, usize)) -> f64 {
    (net_w as f64 / w as f64).min(net_h as f64 / h as f64).min(1.0)
}

/// Which of `sizes` a frame is scaled to: of those nearly as good as the best, the smallest.
fn shape_for(frame: (u32, u32), sizes: &[(usize, usize)]) -> usize {
    let best = sizes.iter().map(|&size| scale_to(frame, size)).fold(0.0, f64::max);
    let good = sizes.iter().enumerate().filter(|&(_, &size)| scale_to(frame, size) >= GOOD_ENOUGH * best);
    good.min_by_key(|&(_, &(w, h))| w * h).map_or(0, |(place, _)| place)
}

/// Writes RGB pixels as planes of the card's size, colour order, mean and scale; the rest is black.
pub fn lay_out(pixels: &[u8], (w, h): (usize, usize), card: &Card, input: &mut [f32]) {
    let (net_w, net_h) = card.input.size();
    for (plane, out) in input.chunks_exact_mut(net_w * net_h).take(3).enumerate() {
        let channel = if card.input.colour == Colour::Rgb { plane } else { 2 - plane };
        let (mean, scale) = (card.input.mean[plane], card.input.scale[plane]);
        let black = -mean * scale;
        for (y, row) in out.chunks_exact_mut(net_w).enumerate() {
            let (used, rest) = row.split_at_mut(if y < h { w.min(net_w) } else { 0 });
            rest.fill(black);
            if let Some(line) = pixels.get(y * w * 3..(y + 1) * w * 3).filter(|_| y < h) {
                for (x, pixel) in used.iter_mut().zip(line.chunks_exact(3)) {
                    *x = (pixel[channel] as f32 - mean) * scale;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_go_to_their_planes_and_the_rest_is_black() {
        let text = include_str!("../../models/detector-640.toml").replace("\"rgb\"", "\"bgr\"");
        let card = Card::parse(&text).unwrap();
        let (w, h) = card.input.size();
        let mut input = vec![9.0; 3 * w * h];
        lay_out(&[255, 0, 10, 1, 2, 3], (2, 1), &card, &mut input);
        let value = |x: u8| (x as f32 - 127.5) / 128.0;
        assert_eq!(input[..3], [value(10), value(3), value(0)]);
        assert_eq!(input[2 * w * h..2 * w * h + 3], [value(255), value(1), value(0)]);
        assert!(input[w..w * h].iter().all(|&x| x == value(0)));
    }

    #[test]
    fn a_frame_takes_the_smallest_shape_that_keeps_its_detail() {
        let sizes = [(640, 384), (640, 480), (640, 640)];
        let chosen = |w, h| sizes[shape_for((w, h), &sizes)];
        assert_eq!(chosen(1280, 720), (640, 384));
        assert_eq!(chosen(320, 240), (640, 384));
        assert_eq!(chosen(1920, 1200), (640, 384)); // 0.96 of what the taller ones would keep
        assert_eq!(chosen(640, 480), (640, 480));
        assert_eq!(chosen(480, 640), (640, 640));
        assert_eq!(chosen(1, 4000), (640, 640));
    }

    #[test]
    fn frames_of_any_size_are_taken() {
        let mut detector = Detector::open(None, Some(0.99)).unwrap();
        for (w, h) in [(1, 1), (3, 2000), (2000, 3), (640, 384), (641, 385), (1280, 720), (0, 0)] {
            let found = detector.detect(&RgbImage::new(w, h)).unwrap();
            for face in found.faces {
                assert!(face.bbox.w > 0.0);
            }
        }
    }
}
