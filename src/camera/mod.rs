//! Frames in. Each camera has a thread that grabs, decodes and gates by motion; what it
//! delivers goes into a one-slot [`mailbox`], where the newest frame wins. A frame lives in
//! memory only and is dropped after vision has looked at it.

pub mod settings;

use crate::clock::Now;
use crate::id::{CameraId, ZoneId};
use std::sync::Arc;

/// One decoded picture, RGB, on its way to vision. Never written anywhere.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The camera it came from.
    pub camera: CameraId,
    /// The zone that this camera watches.
    pub zone: ZoneId,
    /// Counts the camera's frames from 1.
    pub sequence: u64,
    /// When its bytes had arrived.
    pub captured: Now,
    /// The pixels.
    pub image: Arc<image::RgbImage>,
}
