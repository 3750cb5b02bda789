//! `shopguide bench capacity`: how many cameras this machine carries at a rate. Nothing is computed from
//! parts: cameras are started as the service starts them, on JPEGs of the demo's shop in which somebody
//! faces the camera all the time, more and more of them, until vision no longer sees every frame. A real
//! shop has quiet moments; what a camera costs that sees nobody is measured beside it.
//!
//! Nobody in these frames is ever recognised, so faces are embedded as often as those of strangers.

use super::median;
use crate::camera::decode::decode;
use crate::camera::motion::{MotionGate, Thumbnail};
use crate::camera::settings::{CameraSettings, Source};
use crate::camera::{Cameras, Mailbox, Received};
use crate::cli::demo::Scratch;
use crate::cli::evaluate::recommendations::processor_seconds;
use crate::cli::table::{percent, table};
use crate::clock::Clock;
use crate::demo::cast::Cast;
use crate::demo::scene::{SIZE, Scene};
use crate::id::{CameraId, ZoneId};
use crate::vision::settings::VisionSettings;
use crate::vision::{Eyes, Timings};
use anyhow::Context;
use image::codecs::jpeg::JpegEncoder;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SEED: u64 = 7;
/// Frames of the film that every busy camera shows, and of the one in which nobody is.
const FRAMES: [usize; 2] = [120, 20];
/// Quality of the JPEGs, as cameras send them.
const QUALITY: u8 = 85;
/// A rate counts as carried when vision saw this share of all frames.
const CARRIED: f64 = 0.95;
/// Time before a measurement, for threads to start and gates to open.
const WARM_UP: Duration = Duration::from_millis(1500);
/// Quiet cameras that are measured together.
const QUIET: usize = 4;
/// Share of changed pixels that opens the gate, as by default.
const MOTION: f32 = 0.004;

/// `bench capacity`.
#[derive(Debug, clap::Args)]
pub struct Capacity {
    /// Frames a second that vision should see of each camera.
    #[arg(long, value_name = "FPS", default_value_t = 10.0, value_parser = rate)]
    pub rate: f32,
    /// Threads for vision, as `[vision] threads`.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub threads: u8,
    /// Seconds that each number of cameras is measured.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Most cameras to try.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub most: u8,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

fn rate(text: &str) -> Result<f32, String> {
    let rate = text.parse().ok().filter(|rate| (0.1..=60.0).contains(rate));
    rate.ok_or_else(|| "expected 0.1 to 60 frames a second".to_owned())
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Frames a second that were asked for.
    pub rate: f32,
    /// Processors that the system gives this program, and threads for vision.
    pub processors: usize,
    /// Threads for vision.
    pub threads: u8,
    /// Width and height of a frame.
    pub size: (u32, u32),
    /// Cameras that were carried.
    pub carried: usize,
    /// Whether more were not tried.
    pub perhaps_more: bool,
    /// Every number of cameras that was tried.
    pub steps: Vec<Step>,
    /// What one frame costs, by part.
    pub parts: Parts,
    /// Share of one processor that a camera takes that sees nobody.
    pub quiet_camera: f64,
}

/// Some cameras at once.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// How many.
    pub cameras: usize,
    /// Frames a second that vision saw, of all cameras.
    pub seen_per_second: f64,
    /// Share of the frames that it should have seen.
    pub share: f64,
    /// Processors in use by this program.
    pub processors_used: f64,
}

/// Medians in milliseconds a frame, with one camera.
#[derive(Debug, Serialize)]
pub struct Parts {
    /// Decoding the JPEG.
    pub decode: f64,
    /// The motion gate.
    pub motion: f64,
    /// Scaling and laying out.
    pub prepare: f64,
    /// The detector.
    pub detect: f64,
    /// The second look at what it proposes.
    pub refine: f64,
    /// Tracking, alignment and quality.
    pub judge: f64,
    /// The embedder, in frames in which it ran.
    pub embed: f64,
    /// Share of frames in which it ran.
    pub embedded: f64,
}

/// Measures.
pub fn measure(args: &Capacity) -> anyhow::Result<Report> {
    let scratch = Scratch::new("capacity")?;
    let scene = Scene::new(SEED, Arc::new(Cast::new(SEED, 2, 1)), 0);
    let [busy, quiet] = films(&scene, &scratch.0, args.rate)?;
    let eyes = Eyes::load(&VisionSettings::default())?;
    let mut steps: Vec<Step> = Vec::new();
    let mut seen = Vec::new();
    let mut attempt = |cameras: usize| -> anyhow::Result<bool> {
        let (step, timings) = run(args, &eyes, &busy, cameras)?;
        let is_carried = step.share >= CARRIED;
        if cameras == 1 {
            seen = timings;
        }
        steps.push(step);
        Ok(is_carried)
    };
    // Twice as many until it is too much, then halving the gap.
    let most = usize::from(args.most);
    let (mut carried, mut too_many) = (0, None);
    let mut next = 1;
    while too_many.is_none() && carried < most {
        if attempt(next)? {
            carried = next
        } else {
            too_many = Some(next)
        }
        next = (next * 2).min(most);
    }
    while let Some(over) = too_many.filter(|over| over - carried > 1) {
        let middle = carried.midpoint(over);
        if attempt(middle)? { carried = middle } else { too_many = Some(middle) }
    }
    steps.sort_by_key(|step| step.cameras);
    let (resting, _) = run(args, &eyes, &quiet, QUIET)?;
    Ok(Report {
        rate: args.rate,
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        threads: args.threads,
        size: SIZE,
        carried,
        perhaps_more: too_many.is_none(),
        steps,
        parts: parts(&busy, &seen)?,
        quiet_camera: resting.processors_used / QUIET as f64,
    })
}

/// Renders two films: one in which somebody faces the camera, one in which nobody is seen.
fn films(scene: &Scene, folder: &Path, rate: f32) -> anyhow::Result<[PathBuf; 2]> {
    let step = Duration::from_secs_f32(1.0 / rate);
    let mut facing: Vec<Duration> = Vec::new();
    for seen in scene.facing(0).iter().filter(|f| f.camera == 0) {
        let mut at = seen.from;
        while at < seen.until && facing.len() < FRAMES[0] {
            facing.push(at);
            at += step;
        }
    }
    let every = (0_u32..).map(|n| step * n).take_while(|at| *at < Scene::bounded());
    let empty: Vec<Duration> = every.filter(|at| scene.frame(*at).1.is_empty()).take(FRAMES[1]).collect();
    let [busy, quiet] = ["busy", "quiet"].map(|name| folder.join(name));
    for (to, moments) in [(&busy, facing), (&quiet, empty)] {
        std::fs::create_dir(to).with_context(|| format!("making {}", to.display()))?;
        for (n, at) in moments.iter().enumerate() {
            let mut bytes = Vec::new();
            scene.frame(*at).0.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
            let file = to.join(format!("{n:04}.jpg"));
            std::fs::write(&file, bytes).with_context(|| format!("writing {}", file.display()))?;
        }
    }
    Ok([busy, quiet])
}

/// Runs so many cameras on a film; what vision took for each frame.
fn run(args: &Capacity, eyes: &Eyes, film: &Path, cameras: usize) -> anyhow::Result<(Step, Vec<Timings>)> {
    let settings: Vec<CameraSettings> =
        (0..cameras).map(|n| camera(n, film, args.rate)).collect::<anyhow::Result<_>>()?;
    let mailbox = Mailbox::new();
    let running = Cameras::start(&settings, Clock::system(), mailbox.clone(), HashMap::new())?;
    let begin = Instant::now() + WARM_UP;
    let end = begin + Duration::from_secs(args.seconds);
    let (used, timings) = std::thread::scope(|scope| {
        let looking: Vec<_> = (0..args.threads)
            .map(|_| {
                let (mut eyes, mut frames, attention) =
                    (eyes.another(), mailbox.receiver(), running.attention());
                scope.spawn(move || {
                    let mut timings = Vec::new();
                    loop {
                        let frame = match frames.recv_timeout(Duration::from_millis(100)) {
                            Received::Frame(frame) => frame,
                            Received::Nothing => continue,
                            Received::Closed => return timings,
                        };
                        if !eyes.look(&frame, true).faces.is_empty() {
                            attention.face_seen(&frame.camera, frame.captured);
                        }
                        if (begin..end).contains(&Instant::now()) {
                            timings.push(eyes.timings());
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(WARM_UP);
        let before = processor_seconds();
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        let used = processor_seconds() - before;
        running.stop();
        let timings: Vec<Timings> = looking.into_iter().flat_map(|t| t.join().unwrap_or_default()).collect();
        (used, timings)
    });
    let seconds = args.seconds as f64;
    let seen_per_second = timings.len() as f64 / seconds;
    let share = seen_per_second / (f64::from(args.rate) * cameras as f64);
    Ok((Step { cameras, seen_per_second, share, processors_used: used / seconds }, timings))
}

fn camera(number: usize, film: &Path, rate: f32) -> anyhow::Result<CameraSettings> {
    let name = format!("bench-{number}");
    Ok(CameraSettings {
        id: CameraId::new(&name).ok().context("a camera's name")?,
        zone: ZoneId::new(&name).ok().context("a zone's name")?,
        source: Source::Folder { path: film.to_owned(), fps: Some(rate), repeat: true },
        // The film sets the pace, so that none of its frames comes too early by a hair and is left out.
        max_fps: 2.0 * rate,
        motion: MOTION,
        silence: Duration::from_secs(5),
    })
}

/// What a frame costs before vision, measured by itself, and in it.
fn parts(film: &Path, seen: &[Timings]) -> anyhow::Result<Parts> {
    let [mut decoding, mut moving] = [const { Vec::new() }; 2];
    let mut gate = MotionGate::new(MOTION);
    for (n, entry) in std::fs::read_dir(film)?.enumerate() {
        let bytes = std::fs::read(entry?.path())?;
        let begin = Instant::now();
        let image = decode(&bytes)?;
        let decoded = Instant::now();
        gate.look(&Thumbnail::of(&image), Duration::from_millis(100 * n as u64), None);
        moving.push(decoded.elapsed().as_secs_f64() * 1e3);
        decoding.push((decoded - begin).as_secs_f64() * 1e3);
    }
    let middle = |of: fn(&Timings) -> Duration, only_embedded: bool| {
        let those = seen.iter().filter(|t| !only_embedded || t.embedded > 0);
        median(&those.map(|t| of(t).as_secs_f64() * 1e3).collect::<Vec<f64>>())
    };
    let embedded = seen.iter().filter(|t| t.embedded > 0).count();
    Ok(Parts {
        decode: median(&decoding),
        motion: median(&moving),
        prepare: middle(|t| t.prepare, false),
        detect: middle(|t| t.detect, false),
        refine: middle(|t| t.refine, false),
        judge: middle(|t| t.judge, false),
        embed: middle(|t| t.embed, true),
        embedded: embedded as f64 / seen.len().max(1) as f64,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.size;
        let at_least = if self.perhaps_more { "at least " } else { "" };
        writeln!(
            f,
            "{at_least}{} cameras of {width}x{height} at {} frames a second, somebody before every one of them all \
             the time;\n{} processors, {} thread{} for vision. A camera that sees nobody takes {} of a processor.\n",
            self.carried,
            self.rate,
            self.processors,
            self.threads,
            if self.threads == 1 { "" } else { "s" },
            percent(Some(self.quiet_camera))
        )?;
        let rows: Vec<Vec<String>> = self
            .steps
            .iter()
            .map(|step| {
                vec![
                    step.cameras.to_string(),
                    format!("{:.1}", step.seen_per_second),
                    percent(Some(step.share)),
                    format!("{:.2}", step.processors_used),
                ]
            })
            .collect();
        f.write_str(&table(&["cameras", "seen a second", "of what there was", "processors used"], &rows))?;
        let p = &self.parts;
        writeln!(
            f,
            "\none frame, ms: decode {:.1}, motion {:.2}, prepare {:.1}, detect {:.1}, refine {:.1}, judge {:.1}, \
             embed {:.1} (in {} of frames)",
            p.decode,
            p.motion,
            p.prepare,
            p.detect,
            p.refine,
            p.judge,
            p.embed,
            percent(Some(p.embedded))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cameras_are_run_for_real_and_every_part_is_seen() {
        let args = Capacity { rate: 2.0, threads: 1, seconds: 2, most: 2, json: true };
        let report = measure(&args).unwrap();
        assert_eq!(report.steps.first().map(|s| s.cameras), Some(1));
        assert!(report.carried <= 2 && report.steps.iter().all(|s| s.seen_per_second > 0.0), "{report}");
        assert!(
            report.parts.decode > 0.0 && report.parts.detect > 0.0 && report.parts.embedded > 0.0,
            "{report}"
        );
        assert!(report.to_string().contains("cameras of"), "{report}");
    }
}
