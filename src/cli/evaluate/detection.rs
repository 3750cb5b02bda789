//! Detection on photographs whose faces are known: the share found by size, boxes where no face
//! is, and the landmarks' distance from another detector's.

use super::Detection as Arguments;
use super::photographs::Photographs;
use crate::vision::decode::overlap;
use crate::vision::detect::Detector;
use crate::vision::{Detection, Rect};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// The figures; shares are fractions. Sizes are geometric means of a box's sides in pixels of the
/// frame that the network sees.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Photographs with known boxes.
    pub images: usize,
    /// Share found of faces from 60 pixels.
    pub recall_60: f64,
    /// Share found of faces from 30 to 60 pixels.
    pub recall_30_60: f64,
    /// Share found of faces from 16 to 30 pixels.
    pub recall_16_30: f64,
    /// Boxes from 30 pixels that meet no known face.
    pub false_boxes: usize,
    /// Mean distance to the reference's landmarks over its eyes' distance.
    pub landmark_error: Option<f64>,
    /// Mean milliseconds a photograph, scaling included.
    pub milliseconds: f64,
}

#[derive(Deserialize)]
struct Truth {
    boxes: HashMap<String, Vec<Vec<f32>>>,
}

const BANDS: [(f32, f32); 3] = [(60.0, f32::INFINITY), (30.0, 60.0), (16.0, 30.0)];

fn size(b: &Rect) -> f32 {
    (b.w * b.h).sqrt()
}

/// Reads, finds and counts.
pub fn evaluate(arguments: &Arguments) -> anyhow::Result<Figures> {
    let mut photographs = Photographs::open(&arguments.images)?;
    let truth: Truth = serde_json::from_slice(&photographs.bytes("gt.json")?)
        .context("gt.json: expected {\"boxes\": {image: [[x, y, w, h, ..], ..]}}")?;
    let mut detector = Detector::open(arguments.models.detector.as_deref(), None)?;
    let mut reference =
        arguments.reference.as_deref().map(|card| Detector::open(Some(card), None)).transpose()?;
    let names: Vec<_> = photographs.names.clone();
    let bar = super::bar(names.len());
    let mut found = [(0usize, 0usize); 3];
    let mut figures = (0usize, 0usize, 0.0f64);
    let mut errors: Vec<f64> = Vec::new();
    for name in &names {
        bar.inc(1);
        let base = name.rsplit('/').next().unwrap_or(name);
        let Some(rows) = truth.boxes.get(base).or_else(|| truth.boxes.get(name)) else { continue };
        let known: Vec<Rect> = rows
            .iter()
            .filter(|r| r.len() >= 4 && r.get(7).is_none_or(|invalid| *invalid == 0.0))
            .map(|r| Rect { x: r[0], y: r[1], w: r[2], h: r[3] })
            .collect();
        let picture = photographs.read(name)?;
        let seen = detector.detect(&picture).map_err(anyhow::Error::msg)?;
        figures.0 += 1;
        figures.2 += (seen.prepare + seen.infer).as_secs_f64() * 1e3;
        let (net_w, net_h) = detector.size();
        let scale =
            (net_w as f32 / picture.width() as f32).min(net_h as f32 / picture.height() as f32).min(1.0);
        for face in &known {
            let best = seen.faces.iter().map(|d| overlap(&d.bbox, face)).fold(0.0, f32::max);
            for (count, (low, high)) in found.iter_mut().zip(BANDS) {
                if (low..high).contains(&(size(face) * scale)) {
                    count.0 += usize::from(best >= 0.5);
                    count.1 += 1;
                }
            }
        }
        let alone = |d: &&Detection| known.iter().all(|k| overlap(&d.bbox, k) < 0.3);
        figures.1 += seen.faces.iter().filter(|d| size(&d.bbox) * scale >= 30.0).filter(alone).count();
        if let Some(reference) = &mut reference {
            let theirs = reference.detect(&picture).map_err(anyhow::Error::msg)?.faces;
            errors.extend(
                theirs.iter().filter(|r| r.bbox.w * scale >= 24.0).filter_map(|r| distance(r, &seen.faces)),
            );
        }
    }
    bar.finish_and_clear();
    let share = |(hit, all): (usize, usize)| hit as f64 / all.max(1) as f64;
    Ok(Figures {
        images: figures.0,
        recall_60: share(found[0]),
        recall_30_60: share(found[1]),
        recall_16_30: share(found[2]),
        false_boxes: figures.1,
        landmark_error: (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64),
        milliseconds: figures.2 / figures.0.max(1) as f64,
    })
}

/// Mean distance of the landmarks of the face that matches `reference`, over its eyes' distance.
fn distance(reference: &Detection, faces: &[Detection]) -> Option<f64> {
    let ours = faces
        .iter()
        .max_by(|a, b| overlap(&a.bbox, &reference.bbox).total_cmp(&overlap(&b.bbox, &reference.bbox)))?;
    if overlap(&ours.bbox, &reference.bbox) < 0.5 {
        return None;
    }
    let apart = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let eyes = apart(reference.landmarks[0], reference.landmarks[1]).max(0.3 * reference.bbox.w);
    let sum: f32 = ours.landmarks.iter().zip(reference.landmarks).map(|(a, b)| apart(*a, b)).sum();
    Some((sum / 5.0 / eyes) as f64)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} photographs; found: {:.1}% of faces from 60 px, {:.1}% of 30-60 px, {:.1}% of 16-30 px; {} boxes from 30 px without a face",
            self.images,
            self.recall_60 * 100.0,
            self.recall_30_60 * 100.0,
            self.recall_16_30 * 100.0,
            self.false_boxes
        )?;
        if let Some(error) = self.landmark_error {
            writeln!(
                f,
                "landmarks differ from the reference's by {:.2}% of the eyes' distance",
                error * 100.0
            )?;
        }
        writeln!(f, "{:.2} ms a photograph", self.milliseconds)
    }
}
