//! Frames in. Each camera has a thread that grabs, decodes and gates by motion; what it
//! delivers goes into a one-slot [`mailbox`], where the newest frame wins. A frame lives in
//! memory only and is dropped after vision has looked at it.
//!
//! The way of a frame: a [`source`] grabs bytes, [`pace`] drops what exceeds `max_fps`,
//! [`decode`] makes pixels of them, [`motion`] keeps still scenes away from vision, the
//! [`mailbox`] hands the newest to a vision thread. [`health`] watches all of it. One thread
//! per camera does this in [`run`]; [`cameras`] starts and stops the threads.

pub mod attention;
pub mod cameras;
pub mod decode;
pub mod health;
mod jpeg;
pub mod mailbox;
pub mod motion;
mod multipart;
mod pace;
mod redact;
mod run;
pub mod settings;
mod source;
mod stop;

pub use attention::Attention;
pub use cameras::{Cameras, DemoFeed, PostError, StartError};
pub use health::{CameraHealth, CameraState};
pub use mailbox::{Mailbox, Received, Receiver};

use crate::clock::Now;
use crate::id::{CameraId, ZoneId};
use std::sync::Arc;

/// Log targets that must be off at every level: these libraries write the bytes they carry,
/// which are people's pictures and cameras' passwords, to the log at `trace`, and addresses with
/// their queries at `debug`. Whoever sets up logging adds `<target>=off` for each.
pub const NEVER_LOGGED: [&str; 2] = ["ureq", "ureq_proto"];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_and_their_mailbox_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Cameras>();
        shared::<Mailbox>();
        shared::<Attention>();
        fn moved<T: Send>() {}
        moved::<Receiver>();
    }
}
