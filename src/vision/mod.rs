//! Faces out of frames; the only place that knows tract. Detect faces with five landmarks,
//! track them, judge their quality, align and embed the good ones. Nothing here remembers a
//! face longer than its track.

pub mod admission;
pub mod align;
pub mod card;
pub mod code;
mod convolution;
pub mod decode;
pub mod detect;
pub mod embed;
pub mod enrol;
pub mod eyes;
mod inspect;
pub mod network;
pub mod profile;
pub mod quality;
#[cfg(test)]
mod real_faces;
pub mod refine;
pub mod settings;
pub mod shelf;
pub mod track;

pub use enrol::EnrolError;
pub use eyes::{Cards, Eyes, Settled, Timings};
pub use network::ModelError;

use crate::clock::Now;
use crate::id::{CameraId, ZoneId};
use serde::Serialize;

/// A point in pixels of the frame, origin top left.
pub type Point = [f32; 2];

/// A rectangle in pixels of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

/// A face found in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// Where.
    pub bbox: Rect,
    /// Left eye, right eye (as seen in the image), nose tip, left and right mouth corner; not
    /// numbers ([`decode::NO_LANDMARKS`]) where the detector gives none.
    pub landmarks: [Point; 5],
    /// 0..1.
    pub score: f32,
}

/// A vector of length 1 that describes a face; comparable only within one model.
#[derive(Clone, PartialEq)]
pub struct Embedding(pub Vec<f32>);

impl std::fmt::Debug for Embedding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Embedding({} numbers)", self.0.len())
    }
}

/// Identifies a track within this run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TrackId(pub u64);

/// Why a face was not embedded in this frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Poor {
    /// Fewer pixels than the settings ask for.
    TooSmall,
    /// Not sharp enough.
    Blurred,
    /// Turned or tilted too far.
    Turned,
    /// Too dark or too bright.
    BadLight,
    /// Cut by the edge of the frame.
    Cut,
}

/// What is known of a face's fitness for matching.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quality {
    /// 0 (useless) to 1.
    pub score: f32,
    /// The first reason against it, if it was not good enough.
    pub poor: Option<Poor>,
}

/// A face in the present frame, as part of a track.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackedFace {
    /// Its track.
    pub track: TrackId,
    /// What the detector saw.
    pub detection: Detection,
    /// Fitness for matching.
    pub quality: Quality,
    /// Present when the quality sufficed and this frame was worth an embedding.
    pub embedding: Option<Embedding>,
}

/// What vision saw in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// The camera.
    pub camera: CameraId,
    /// The zone that it watches.
    pub zone: ZoneId,
    /// The frame's number.
    pub sequence: u64,
    /// The frame's moment.
    pub captured: Now,
    /// Width and height of the frame in pixels.
    pub size: (u32, u32),
    /// Faces of this frame.
    pub faces: Vec<TrackedFace>,
    /// Tracks that ended: nothing about them is kept.
    pub ended: Vec<TrackId>,
}
