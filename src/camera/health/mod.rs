//! How a camera is: the words for it, what to do about it, and the counts, as pages, logs and
//! metrics show them. [`watch`] works them out.

mod watch;

pub(crate) use watch::Watch;

use crate::id::{CameraId, ZoneId};
use jiff::Timestamp;
use serde::Serialize;

/// How a camera is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CameraState {
    /// Being opened for the first time.
    Starting,
    /// Delivers pictures.
    Live,
    /// Open, but nothing comes.
    Silent,
    /// Delivers pictures that show nothing.
    Black,
    /// Delivers what is no picture.
    Garbage,
    /// Cannot be opened, or broke off.
    Lost,
    /// Has come to its end, as a film does.
    Ended,
}

impl CameraState {
    /// The state as a word, as in the configuration of alerts and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            CameraState::Starting => "starting",
            CameraState::Live => "live",
            CameraState::Silent => "silent",
            CameraState::Black => "black",
            CameraState::Garbage => "garbage",
            CameraState::Lost => "lost",
            CameraState::Ended => "ended",
        }
    }

    /// What a person should do about it, if anything.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            CameraState::Starting | CameraState::Live | CameraState::Ended => None,
            CameraState::Silent => Some(
                "nothing arrives: check the camera's power and network; for a kiosk, that its page is open",
            ),
            CameraState::Black => {
                Some("the picture is black: check the light, the lens cap and the privacy shutter")
            }
            CameraState::Garbage => Some(
                "what arrives is no JPEG or PNG: check that the address is that of pictures, and the cable",
            ),
            CameraState::Lost => Some(
                "cannot be reached: check the address, the password, and that nobody else uses the device",
            ),
        }
    }
}

/// Why a camera's thread gave up an attempt: the state it means, and what happened in words
/// without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Trouble {
    pub state: CameraState,
    pub what: String,
}

impl Trouble {
    pub(crate) fn lost(what: impl Into<String>) -> Self {
        Trouble { state: CameraState::Lost, what: what.into() }
    }
    pub(crate) fn silent(what: impl Into<String>) -> Self {
        Trouble { state: CameraState::Silent, what: what.into() }
    }
    pub(crate) fn garbage(what: impl Into<String>) -> Self {
        Trouble { state: CameraState::Garbage, what: what.into() }
    }
    pub(crate) fn black(what: impl Into<String>) -> Self {
        Trouble { state: CameraState::Black, what: what.into() }
    }
}

/// Counts since the camera's thread was started. A frame that arrived is `limited`, `gated`,
/// `undecodable` or `delivered`; `dropped` ones are among the delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CameraCounts {
    /// Frames that arrived.
    pub frames: u64,
    /// Dropped before decoding because they exceeded `max_fps`.
    pub limited: u64,
    /// Decoded.
    pub decoded: u64,
    /// Kept from vision because nothing moved (most of them without decoding).
    pub gated: u64,
    /// Put into the mailbox.
    pub delivered: u64,
    /// Replaced in the mailbox by a newer one before vision took it.
    pub dropped: u64,
    /// Not decodable.
    pub undecodable: u64,
    /// Times the source was opened anew after a failure.
    pub reopened: u64,
}

/// One camera at one moment, for pages, logs and metrics. Holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CameraHealth {
    /// The camera.
    pub id: CameraId,
    /// The zone that it watches.
    pub zone: ZoneId,
    /// Its source, without secrets.
    pub source: String,
    /// How it is.
    pub state: CameraState,
    /// When that was noticed.
    pub since: Timestamp,
    /// When its last frame arrived.
    pub last_frame: Option<Timestamp>,
    /// What went wrong, while something is wrong.
    pub error: Option<String>,
    /// What to do about it.
    pub advice: Option<&'static str>,
    /// Seconds until it is opened again, while waiting for that.
    pub retry_in: Option<f32>,
    /// Frames that arrived a second, over the last 5 s.
    pub fps: f32,
    /// Width and height of its last picture, pixels.
    pub size: Option<(u32, u32)>,
    /// Counts.
    pub counts: CameraCounts,
}
