//! What the configuration says of one camera, already checked.

use crate::id::{CameraId, ZoneId};
use std::path::PathBuf;
use std::time::Duration;

/// One `[[camera]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraSettings {
    /// Its name.
    pub id: CameraId,
    /// The zone it watches.
    pub zone: ZoneId,
    /// Where its frames come from.
    pub source: Source,
    /// Frames a second that go to vision at most (default 10).
    pub max_fps: f32,
    /// Share of pixels (of a 64x36 grey thumbnail) that must change for a frame to be looked at, 0..1
    /// (default 0.004); 0 turns the gate off.
    pub motion: f32,
    /// Silence after which the camera counts as lost (default 5 s).
    pub silence: Duration,
}

/// Where frames come from.
#[derive(Clone, PartialEq)]
pub enum Source {
    /// JPEG and PNG files of a folder in order of name, at `fps`, or by their modification
    /// times when `fps` is `None`; again from the start if `repeat`.
    Folder { path: PathBuf, fps: Option<f32>, repeat: bool },
    /// multipart/x-mixed-replace over HTTP or HTTPS.
    Mjpeg { url: Url },
    /// One JPEG or PNG a request.
    Snapshot { url: Url, every: Duration },
    /// A Video4Linux device, MJPG or YUYV.
    V4l { device: PathBuf, width: u32, height: u32 },
    /// Anything that ffmpeg opens (RTSP, a file, ...), through a supervised child. `input_args`
    /// go before `-i`.
    Ffmpeg { input: Url, input_args: Vec<String> },
    /// Frames that a kiosk's own browser posts to the appliance.
    Browser,
    /// The demo's rendered shoppers.
    Demo,
}

/// A URL or path that may hold a password: `Debug` and `Display` print it as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// Takes the URL as it stands in the configuration.
    pub fn new(text: impl Into<String>) -> Self {
        Url(text.into())
    }
    /// The whole URL, for opening it only: never for a log, a page or an error.
    pub fn secret(&self) -> &str {
        &self.0
    }
    /// The URL without what is secret: user information and query values replaced by `***`.
    pub fn redacted(&self) -> String {
        let (main, query) = match self.0.split_once('?') {
            Some((m, _)) => (m, "?***"),
            None => (self.0.as_str(), ""),
        };
        let main = match main.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                match authority.rsplit_once('@') {
                    Some((_, host)) => format!("{scheme}://***@{host}{path}"),
                    None => main.to_owned(),
                }
            }
            None => main.to_owned(),
        };
        main + query
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Folder { path, .. } => write!(f, "folder {}", path.display()),
            Source::Mjpeg { url } => write!(f, "mjpeg {url}"),
            Source::Snapshot { url, .. } => write!(f, "snapshot {url}"),
            Source::V4l { device, .. } => write!(f, "v4l {}", device.display()),
            Source::Ffmpeg { input, .. } => write!(f, "ffmpeg {input}"),
            Source::Browser => f.write_str("browser"),
            Source::Demo => f.write_str("demo"),
        }
    }
}
