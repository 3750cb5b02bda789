//! Where frames come from: one file per kind of source. A source is opened, grabbed from until
//! it fails, and dropped; opening it again is the thread's business.
//!
//! What every source keeps to: [`Grab::grab`] returns within about the camera's `silence` (the
//! thread may have to stop) and is woken by its [`Stop`] within a second; it holds a bounded
//! amount of memory; its errors hold no secret.

mod browser;
mod demo;
mod ffmpeg;
mod folder;
mod http;
mod mjpeg;
mod snapshot;
mod v4l2;
mod yuyv;

pub(crate) use browser::BrowserSlot;
pub use demo::DemoFeed;
pub(crate) use demo::SharedFeed;

use crate::camera::decode::DecodeError;
use crate::camera::health::Trouble;
use crate::camera::settings::{CameraSettings, Source};
use crate::camera::stop::Stop;
use image::RgbImage;
use std::time::Duration;

/// The longest that a source should wait without giving the thread a look around.
const SLICE: Duration = Duration::from_millis(250);

/// What a grab brought.
pub(crate) enum Grabbed {
    /// A coded picture, still to be decoded.
    Coded(Vec<u8>),
    /// A picture that needs no decoding.
    Pixels(RgbImage),
    /// Nothing yet.
    Nothing,
    /// The source came to its end and has no more.
    End,
}

/// An open source.
pub(crate) trait Grab {
    /// Waits a while for a frame.
    fn grab(&mut self) -> Result<Grabbed, Trouble>;

    /// The time from one frame to the next that the source itself imposes; silence counts from there.
    fn period(&self) -> Duration {
        Duration::ZERO
    }

    /// The last frame could not be decoded.
    fn refused(&mut self, _why: &DecodeError) {}
}

/// What a source needs that is not in its settings.
#[derive(Clone)]
pub(crate) struct Supplies {
    /// Where posts of a browser arrive.
    pub browser: BrowserSlot,
    /// The demo's renderer.
    pub feed: Option<SharedFeed>,
}

/// Opens a camera's source.
pub(crate) fn open(
    settings: &CameraSettings,
    supplies: &Supplies,
    stop: &Stop,
) -> Result<Box<dyn Grab>, Trouble> {
    Ok(match &settings.source {
        Source::Folder { path, fps, repeat } => {
            Box::new(folder::Folder::open(path, *fps, *repeat, settings.max_fps, stop)?)
        }
        Source::Mjpeg { url } => Box::new(mjpeg::Mjpeg::open(url, settings.silence, stop)?),
        Source::Snapshot { url, every } => {
            Box::new(snapshot::Snapshot::open(url, *every, settings.silence, stop)?)
        }
        Source::V4l { device, width, height } => Box::new(v4l2::V4l2::open(device, *width, *height)?),
        Source::Ffmpeg { input, input_args } => {
            Box::new(ffmpeg::Ffmpeg::open(&settings.id, input, input_args, settings.max_fps)?)
        }
        Source::Browser => Box::new(browser::Browser::open(&supplies.browser)),
        Source::Demo => {
            let feed =
                supplies.feed.clone().ok_or_else(|| Trouble::lost("the demo gave this camera no scene"))?;
            Box::new(demo::Demo::open(feed, settings.max_fps, stop))
        }
    })
}
