//! The whole way of a frame through vision, on frames of the demo's shop in which somebody faces the
//! camera.

use super::median;
use crate::camera::Frame;
use crate::clock::Now;
use crate::demo::cast::Cast;
use crate::demo::scene::{SIZE, Scene};
use crate::id::{CameraId, ZoneId};
use crate::vision::Eyes;
use crate::vision::settings::VisionSettings;
use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

const SEED: u64 = 7;
/// Most frames looked at.
const FRAMES: usize = 60;
/// Time between two frames in the scene: an undecided face is embedded in each.
const STEP: Duration = Duration::from_millis(150);

/// Medians in milliseconds a frame.
#[derive(Debug, Serialize)]
pub struct WholePath {
    /// Frames looked at.
    pub frames: usize,
    /// Width and height of a frame.
    pub size: (u32, u32),
    /// Scaling and laying out.
    pub prepare_ms: f64,
    /// The detector.
    pub detect_ms: f64,
    /// Tracking, alignment and quality.
    pub judge_ms: f64,
    /// The embedder, in frames in which it ran.
    pub embed_ms: f64,
    /// Faces embedded in all frames.
    pub embedded: u32,
    /// All of it.
    pub total_ms: f64,
}

/// Renders frames and looks at them.
pub fn measure() -> anyhow::Result<WholePath> {
    let mut eyes = Eyes::load(&VisionSettings::default())?;
    let cast = Arc::new(Cast::new(SEED, 2, 1));
    let scene = Scene::new(SEED, cast, 0);
    let mut moments = Vec::new();
    for facing in scene.facing(0).iter().filter(|f| f.camera == 0) {
        let mut at = facing.from;
        while at < facing.until && moments.len() < FRAMES {
            moments.push(at);
            at += STEP;
        }
    }
    let (camera, zone) = (CameraId::new("bench"), ZoneId::new("bench"));
    let (camera, zone) = (camera.ok().context("a camera's name")?, zone.ok().context("a zone's name")?);
    let [mut prepare, mut detect, mut judge, mut embed, mut total] = [const { Vec::new() }; 5];
    let mut embedded = 0;
    for (sequence, at) in moments.iter().enumerate() {
        let (image, _) = scene.frame(*at);
        let frame = Frame {
            camera: camera.clone(),
            zone: zone.clone(),
            sequence: sequence as u64 + 1,
            captured: Now { mono: *at, utc: Timestamp::UNIX_EPOCH },
            image: Arc::new(image),
        };
        eyes.look(&frame, true);
        let t = eyes.timings();
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        prepare.push(ms(t.prepare));
        detect.push(ms(t.detect));
        judge.push(ms(t.judge));
        if t.embedded > 0 {
            embed.push(ms(t.embed));
        }
        total.push(ms(t.prepare + t.detect + t.judge + t.embed));
        embedded += t.embedded;
    }
    Ok(WholePath {
        frames: moments.len(),
        size: SIZE,
        prepare_ms: median(&prepare),
        detect_ms: median(&detect),
        judge_ms: median(&judge),
        embed_ms: median(&embed),
        embedded,
        total_ms: median(&total),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_faces_the_camera_in_the_frames_that_are_measured() {
        let path = measure().unwrap();
        assert!(path.frames >= 10 && path.embedded > 0, "{path:?}");
    }
}
