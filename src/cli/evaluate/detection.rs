//! Detection on photographs whose faces are known: the share found by size, boxes where no face is,
//! and the landmarks' distance from another detector's. Where no boxes are known every photograph is
//! a portrait, and the share in which its face was found is the figure.
//!
//! One look of a detector's is a poor measure of landmarks: YuNet's at the same face moved by some
//! pixels differ by 6% of the eyes' distance. So the measure is the mean of [`LOOKS`], none of which
//! is the look that any model is judged by, and the detector that gives the measure is judged by it too.

use super::photographs::Photographs;
use super::recognition::portrayed;
use super::{Detection as Arguments, split};
use crate::cli::table::{percent, table};
use crate::vision::card::Task;
use crate::vision::decode::overlap;
use crate::vision::detect::Detector;
use crate::vision::refine::MIRRORED;
use crate::vision::settings::VisionSettings;
use crate::vision::{Detection, Rect};
use anyhow::{Context, bail};
use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// Sizes are measured as if a picture's longer side were at most this many pixels.
const FRAME: f32 = 640.0;
/// Sizes of faces, longer side of the box in pixels: from, below.
const BANDS: [(f32, f32); 3] = [(60.0, f32::INFINITY), (30.0, 60.0), (16.0, 30.0)];
/// Overlap (intersection over union) from which a face counts as found.
const FOUND: f32 = 0.5;
/// Overlap below which a box meets no face.
const MEETS: f32 = 0.3;
/// Looks whose mean is the measure of landmarks: scale, pixels moved to the right and down, mirrored.
const LOOKS: [(f32, [u32; 2], bool); 8] = [
    (1.0, [5, 3], false),
    (1.0, [5, 3], true),
    (1.0, [11, 7], false),
    (1.0, [11, 7], true),
    (1.4, [5, 3], false),
    (1.4, [5, 3], true),
    (1.4, [11, 7], false),
    (1.4, [11, 7], true),
];
/// Faces whose landmarks are measured; each costs all of the looks.
const LANDMARK_FACES: usize = 500;
/// Looks in which a face must be found to be one of the measure.
const LOOKS_NEEDED: usize = 5;
/// Shorter side in pixels from which a box that meets no face counts.
const FALSE_FROM: f32 = 30.0;

/// One detector's figures; shares are fractions, `None` where the photographs do not tell.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Name and version of the detector's card.
    pub model: String,
    /// Photographs searched.
    pub images: usize,
    /// Share found of faces from 60 pixels.
    pub recall_60: Option<f64>,
    /// Share found of faces from 30 to 60 pixels.
    pub recall_30_60: Option<f64>,
    /// Share found of faces from 16 to 30 pixels.
    pub recall_16_30: Option<f64>,
    /// Boxes from 30 pixels that meet no known face.
    pub false_boxes: Option<usize>,
    /// Share of portraits in which a face lies over the middle.
    pub found: Option<f64>,
    /// Mean, over faces found by both, of the landmarks' mean distance from the mean of several looks
    /// of the first peer's that gives landmarks, over its eyes' distance.
    pub landmark_error: Option<f64>,
    /// The same, half of the faces below: heads in profile have their eyes almost in one place.
    pub landmark_error_median: Option<f64>,
    /// Faces that it was measured on.
    pub landmark_faces: usize,
    /// Least score of a face.
    pub threshold: f32,
    /// Mean milliseconds a photograph, scaling included.
    pub milliseconds: f64,
}

/// Ours and others on the same photographs.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Our figures.
    #[serde(flatten)]
    pub own: Figures,
    /// Known faces from 60, from 30 to 60 and from 16 to 30 pixels.
    pub faces: Option<[usize; 3]>,
    /// The detector whose landmarks are the measure.
    pub landmarks_of: Option<String>,
    /// Models by others.
    pub peers: Vec<Figures>,
}

#[derive(Deserialize)]
struct Truth {
    boxes: HashMap<String, Vec<Vec<f32>>>,
}

/// A face that somebody marked. One marked as not to be counted still makes no box a false one.
struct Known {
    bbox: Rect,
    counts: bool,
}

impl Truth {
    /// The faces of a picture, known by its path or its file's name.
    fn faces(&self, name: &str) -> Option<Vec<Known>> {
        let file = name.rsplit('/').next().unwrap_or(name);
        let rows = self.boxes.get(name).or_else(|| self.boxes.get(file))?;
        let known = |r: &Vec<f32>| Known {
            bbox: Rect { x: r[0], y: r[1], w: r[2], h: r[3] },
            counts: r.get(7).is_none_or(|invalid| *invalid == 0.0),
        };
        Some(rows.iter().filter(|r| r.len() >= 4).map(known).collect())
    }
}

/// A detector and what it has found so far.
struct Model {
    detector: Detector,
    images: usize,
    found: [(usize, usize); 3],
    false_boxes: usize,
    portraits: usize,
    errors: Vec<f64>,
    milliseconds: f64,
}

impl Model {
    fn new(detector: Detector) -> Model {
        let (images, false_boxes, portraits) = (0, 0, 0);
        Model {
            detector,
            images,
            found: [(0, 0); 3],
            false_boxes,
            portraits,
            errors: vec![],
            milliseconds: 0.0,
        }
    }

    fn look(&mut self, picture: &RgbImage) -> anyhow::Result<Vec<Detection>> {
        let seen = self.detector.detect(picture).map_err(anyhow::Error::msg)?;
        self.images += 1;
        self.milliseconds += (seen.prepare + seen.infer + seen.refine).as_secs_f64() * 1e3;
        Ok(seen.faces)
    }

    /// Counts what was found of marked faces; a pixel of the picture is `scale` pixels here.
    fn count(&mut self, seen: &[Detection], known: &[Known], scale: f32) {
        for face in known.iter().filter(|k| k.counts) {
            let best = seen.iter().map(|d| overlap(&d.bbox, &face.bbox)).fold(0.0, f32::max);
            let size = face.bbox.w.max(face.bbox.h) * scale;
            for (count, (low, high)) in self.found.iter_mut().zip(BANDS) {
                if (low..high).contains(&size) {
                    count.0 += usize::from(best >= FOUND);
                    count.1 += 1;
                }
            }
        }
        let alone = |d: &&Detection| known.iter().all(|k| overlap(&d.bbox, &k.bbox) < MEETS);
        let large = |d: &&Detection| d.bbox.w.min(d.bbox.h) * scale >= FALSE_FROM;
        self.false_boxes += seen.iter().filter(large).filter(alone).count();
    }

    fn figures(&self, marked: bool) -> Figures {
        let share = |hit: usize, all: usize| (all > 0).then(|| hit as f64 / all as f64);
        let [large, medium, small] = self.found.map(|(hit, all)| share(hit, all));
        let mut errors = self.errors.clone();
        errors.sort_by(f64::total_cmp);
        Figures {
            model: self.detector.card().id(),
            images: self.images,
            recall_60: large,
            recall_30_60: medium,
            recall_16_30: small,
            false_boxes: marked.then_some(self.false_boxes),
            found: share(self.portraits, self.images).filter(|_| !marked),
            landmark_error: (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64),
            landmark_error_median: errors.get(errors.len() / 2).copied(),
            landmark_faces: errors.len(),
            threshold: self.detector.threshold(),
            milliseconds: self.milliseconds / self.images.max(1) as f64,
        }
    }
}

/// Whether a face lies over the middle of the picture.
fn over_the_middle(face: &Detection, (width, height): (u32, u32)) -> bool {
    let (b, x, y) = (&face.bbox, width as f32 / 2.0, height as f32 / 2.0);
    (b.x..=b.x + b.w).contains(&x) && (b.y..=b.y + b.h).contains(&y)
}

/// Reads, finds and counts.
pub fn evaluate(arguments: &Arguments) -> anyhow::Result<Report> {
    let mut photographs = Photographs::open(&arguments.images)?;
    let truth: Option<Truth> = if photographs.holds("gt.json") {
        let text = photographs.bytes("gt.json")?;
        Some(
            serde_json::from_slice(&text)
                .context("gt.json: expected {\"boxes\": {image: [[x, y, w, h, ..], ..]}}")?,
        )
    } else {
        None
    };
    let own = VisionSettings {
        detector: arguments.detector.clone(),
        refiner: arguments.refiner.clone(),
        detector_threshold: arguments.threshold,
        ..VisionSettings::default()
    };
    let mut models = vec![Model::new(Detector::of_settings(&own)?)];
    for card in arguments.peers.chosen(Task::Detect)? {
        models.push(Model::new(Detector::open_with(&card, &arguments.peers.references.weights, None)?));
    }
    let landmarks_of =
        models.iter().skip(1).position(|m| m.detector.card().gives_landmarks()).map(|at| at + 1);
    let mut names = photographs.names.clone();
    if arguments.held_out {
        names.retain(|name| split::identity(name).is_some_and(split::held_out));
    }
    let bar = super::bar(names.len());
    for name in &names {
        bar.inc(1);
        let known = match &truth {
            None => None,
            Some(truth) => match truth.faces(name) {
                None => continue,
                known => known,
            },
        };
        let picture = photographs.read(name)?;
        let size = picture.dimensions();
        let scale = (FRAME / size.0.max(size.1).max(1) as f32).min(1.0);
        let mut all_seen = Vec::new();
        for model in &mut models {
            let seen = model.look(&picture)?;
            match &known {
                Some(known) => model.count(&seen, known, scale),
                None => model.portraits += usize::from(seen.iter().any(|face| over_the_middle(face, size))),
            }
            all_seen.push(seen);
        }
        let Some(at) = landmarks_of.filter(|&at| models[at].errors.len() < LANDMARK_FACES) else { continue };
        let mut faces: Vec<Detection> = match known {
            Some(_) => all_seen[at].clone(),
            None => portrayed(all_seen[at].clone(), size).into_iter().collect(),
        };
        faces.retain(|r| r.bbox.w.max(r.bbox.h) * scale >= BANDS[2].0);
        let reference = measure(&mut models[at].detector, &picture, &faces)?;
        for (model, seen) in models.iter_mut().zip(&all_seen) {
            if model.detector.card().gives_landmarks() {
                model.errors.extend(reference.iter().filter_map(|r| distance(r, seen)));
            }
        }
    }
    bar.finish_and_clear();
    if models[0].images == 0 {
        bail!("no photograph in {} is one that gt.json or --held-out names", arguments.images.display());
    }
    let mut figures = models.iter().map(|model| model.figures(truth.is_some()));
    let Some(own) = figures.next() else { bail!("no model was measured") };
    Ok(Report {
        own,
        faces: truth.is_some().then(|| models[0].found.map(|(_, all)| all)),
        landmarks_of: landmarks_of.map(|at| models[at].detector.card().id()),
        peers: figures.collect(),
    })
}

/// The faces with the mean of the landmarks that a detector gives them in [`LOOKS`]; without those
/// found in few of them.
fn measure(
    detector: &mut Detector,
    picture: &RgbImage,
    faces: &[Detection],
) -> anyhow::Result<Vec<Detection>> {
    let mut looks: Vec<Vec<Detection>> = vec![Vec::new(); faces.len()];
    for (scale, moved, mirrored) in LOOKS {
        if faces.is_empty() {
            break;
        }
        let view = moved_view(picture, scale, moved, mirrored);
        let seen = detector.detect(&view).map_err(anyhow::Error::msg)?.faces;
        let seen: Vec<Detection> =
            seen.iter().map(|face| moved_back(face, view.width(), scale, moved, mirrored)).collect();
        for (face, looks) in faces.iter().zip(&mut looks) {
            looks.extend(matching(face, &seen).cloned());
        }
    }
    let mean = |(face, looks): (&Detection, Vec<Detection>)| {
        let share = 1.0 / looks.len() as f32;
        let landmarks = std::array::from_fn(|k| {
            [0, 1].map(|c| looks.iter().map(|look| look.landmarks[k][c] * share).sum())
        });
        (looks.len() >= LOOKS_NEEDED).then(|| Detection { landmarks, ..face.clone() })
    };
    Ok(faces.iter().zip(looks).filter_map(mean).collect())
}

/// The picture scaled, moved over black, and maybe in a mirror.
fn moved_view(picture: &RgbImage, scale: f32, [right, down]: [u32; 2], mirrored: bool) -> RgbImage {
    let side = |n: u32| ((n as f32 * scale).round() as u32).max(1);
    let (w, h) = (side(picture.width()), side(picture.height()));
    let mut view = RgbImage::new(w + right, h + down);
    let scaled = imageops::resize(picture, w, h, imageops::FilterType::Triangle);
    imageops::replace(&mut view, &scaled, right.into(), down.into());
    if mirrored {
        imageops::flip_horizontal_in_place(&mut view);
    }
    view
}

/// A face of such a view, `width` pixels wide, where it is in the picture.
fn moved_back(
    face: &Detection,
    width: u32,
    scale: f32,
    [right, down]: [u32; 2],
    mirrored: bool,
) -> Detection {
    let x = |x: f32| ((if mirrored { width as f32 - x } else { x }) - right as f32) / scale;
    let y = |y: f32| (y - down as f32) / scale;
    let b = face.bbox;
    let left = if mirrored { b.x + b.w } else { b.x };
    Detection {
        bbox: Rect { x: x(left), y: y(b.y), w: b.w / scale, h: b.h / scale },
        landmarks: std::array::from_fn(|k| {
            let [u, v] = face.landmarks[if mirrored { MIRRORED[k] } else { k }];
            [x(u), y(v)]
        }),
        score: face.score,
    }
}

/// The face that lies where `reference` does.
fn matching<'a>(reference: &Detection, faces: &'a [Detection]) -> Option<&'a Detection> {
    faces
        .iter()
        .max_by(|a, b| overlap(&a.bbox, &reference.bbox).total_cmp(&overlap(&b.bbox, &reference.bbox)))
        .filter(|ours| overlap(&ours.bbox, &reference.bbox) >= FOUND)
}

/// Mean distance of the landmarks of the face that matches `reference`, over its eyes' distance.
fn distance(reference: &Detection, faces: &[Detection]) -> Option<f64> {
    let ours = matching(reference, faces)?;
    let apart = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    // Never less than a pixel: in a profile the eyes are in one place.
    let eyes = apart(reference.landmarks[0], reference.landmarks[1]).max(1.0);
    let sum: f32 = ours.landmarks.iter().zip(reference.landmarks).map(|(a, b)| apart(*a, b)).sum();
    Some((sum / 5.0 / eyes) as f64)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let models: Vec<&Figures> = std::iter::once(&self.own).chain(&self.peers).collect();
        let row = |m: &&Figures| {
            let mut cells = vec![m.model.clone()];
            match self.faces {
                Some(_) => {
                    cells.extend([percent(m.recall_60), percent(m.recall_30_60), percent(m.recall_16_30)]);
                    cells.push(m.false_boxes.map_or_else(|| "-".into(), |n| n.to_string()));
                }
                None => cells.push(percent(m.found)),
            }
            cells.extend([percent(m.landmark_error), percent(m.landmark_error_median)]);
            cells.extend([format!("{:.2}", m.threshold), format!("{:.2}", m.milliseconds)]);
            cells
        };
        let mut header = vec!["model"];
        match self.faces {
            Some([large, medium, small]) => {
                writeln!(
                    f,
                    "{} photographs; faces: {large} from 60 px, {medium} of 30-60 px, {small} of 16-30 px",
                    self.own.images
                )?;
                header.extend(["from 60 px", "30-60 px", "16-30 px", "false boxes"]);
            }
            None => {
                writeln!(f, "{} portraits", self.own.images)?;
                header.push("face found");
            }
        }
        if let Some(name) = &self.landmarks_of {
            writeln!(
                f,
                "landmarks: distance from the mean of {} looks of {name} over its eyes' distance",
                LOOKS.len()
            )?;
        }
        header.extend(["landmarks", "median", "score from", "ms"]);
        write!(f, "\n{}", table(&header, &models.iter().map(row).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, w: f32, h: f32) -> Detection {
        let landmarks = [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]];
        Detection {
            bbox: Rect { x, y, w, h },
            landmarks: landmarks.map(|[u, v]: [f32; 2]| [x + u * w, y + v * h]),
            score: 0.9,
        }
    }

    fn known(x: f32, y: f32, w: f32, h: f32, counts: bool) -> Known {
        Known { bbox: Rect { x, y, w, h }, counts }
    }

    #[test]
    fn faces_are_counted_by_their_longer_side_and_boxes_without_a_face_by_their_shorter() {
        let mut model = Model::new(Detector::open(None, None).unwrap());
        let marked = [
            known(0.0, 0.0, 50.0, 62.0, true),
            known(200.0, 0.0, 20.0, 31.0, true),
            known(300.0, 0.0, 40.0, 40.0, false),
        ];
        let seen = [
            face(1.0, 1.0, 50.0, 60.0),
            face(300.0, 2.0, 40.0, 40.0),
            face(400.0, 0.0, 29.0, 50.0),
            face(500.0, 0.0, 31.0, 31.0),
        ];
        model.count(&seen, &marked, 1.0);
        assert_eq!(model.found, [(1, 1), (0, 1), (0, 0)]);
        assert_eq!(
            model.false_boxes, 1,
            "only the last: one meets a face that is not counted, one is narrow"
        );
        model.count(&seen, &marked, 0.5);
        assert_eq!(model.found, [(1, 1), (1, 2), (0, 0)], "15.5 px is below every band");
        let figures = model.figures(true);
        assert_eq!((figures.recall_30_60, figures.recall_16_30, figures.found), (Some(0.5), None, None));
    }

    #[test]
    fn landmarks_are_compared_on_the_same_face_only() {
        let reference = face(100.0, 100.0, 100.0, 100.0);
        assert_eq!(distance(&reference, &[face(300.0, 100.0, 100.0, 100.0)]), None);
        let error =
            distance(&reference, &[face(300.0, 0.0, 9.0, 9.0), face(104.0, 100.0, 100.0, 100.0)]).unwrap();
        assert!((error - 4.0 / 40.0).abs() < 1e-4, "{error}");
    }

    #[test]
    fn a_face_of_a_moved_view_comes_back_to_its_place() {
        let picture =
            RgbImage::from_fn(60, 40, |x, y| image::Rgb([if (x, y) == (20, 10) { 255 } else { 0 }; 3]));
        for (scale, moved, mirrored) in LOOKS {
            let view = moved_view(&picture, scale, moved, mirrored);
            let (x, y, _) = view.enumerate_pixels().max_by_key(|(_, _, p)| p[0]).unwrap();
            let spot = [x as f32 + 0.5, y as f32 + 0.5];
            let face = Detection {
                bbox: Rect { x: spot[0] - 4.0, y: spot[1] - 6.0, w: 8.0, h: 12.0 },
                landmarks: [spot, [0.0; 2], spot, spot, spot],
                score: 0.9,
            };
            let back = moved_back(&face, view.width(), scale, moved, mirrored);
            let [u, v] = back.landmarks[usize::from(mirrored)];
            assert!(
                (u - 20.5).abs() < 0.6 && (v - 10.5).abs() < 0.6,
                "{scale} {moved:?} {mirrored}: {u} {v}"
            );
            let b = back.bbox;
            assert!((b.x + b.w / 2.0 - u).abs() < 1e-3 && (b.y + b.h / 2.0 - v).abs() < 1e-3, "{b:?}");
        }
    }

    #[test]
    fn a_marked_box_is_found_by_path_or_by_file() {
        let text = r#"{"boxes": {"a/1.jpg": [[1, 2, 3, 4, 0, 0, 0, 1]], "2.jpg": [[1, 2, 3, 4], [1]]}}"#;
        let truth: Truth = serde_json::from_str(text).unwrap();
        assert!(!truth.faces("a/1.jpg").unwrap()[0].counts);
        assert_eq!(truth.faces("images/2.jpg").unwrap().len(), 1);
        assert!(truth.faces("3.jpg").is_none());
    }

    #[test]
    fn a_portraits_face_lies_over_the_middle() {
        assert!(over_the_middle(&face(80.0, 80.0, 40.0, 40.0), (200, 200)));
        assert!(!over_the_middle(&face(10.0, 80.0, 40.0, 40.0), (200, 200)));
    }
}
