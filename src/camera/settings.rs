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
    Folder {
        /// The folder.
        path: PathBuf,
        /// Files a second; `None` goes by their modification times.
        fps: Option<f32>,
        /// Begins again at the end.
        repeat: bool,
    },
    /// multipart/x-mixed-replace over HTTP or HTTPS.
    Mjpeg {
        /// `http://` or `https://`, with `user:password@` if the camera asks for it.
        url: Url,
    },
    /// One JPEG or PNG a request.
    Snapshot {
        /// `http://` or `https://`, with `user:password@` if the camera asks for it.
        url: Url,
        /// Time from one request to the next.
        every: Duration,
    },
    /// A Video4Linux device, MJPG or YUYV.
    V4l {
        /// Such as `/dev/video0`.
        device: PathBuf,
        /// Wanted pixels across; the device takes the nearest it has.
        width: u32,
        /// Wanted pixels down.
        height: u32,
    },
    /// Anything that ffmpeg opens (RTSP, a file, ...), through a supervised child. The child's
    /// arguments, a password in `input` among them, can be seen in the machine's process list.
    Ffmpeg {
        /// What goes after `-i`.
        input: Url,
        /// What goes before `-i`.
        input_args: Vec<String>,
    },
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
    /// Where a badly written URL leaves it open what is secret, more is replaced rather than less.
    pub fn redacted(&self) -> String {
        let (scheme, rest) = match self.0.split_once("://") {
            Some((scheme, rest)) => (format!("{scheme}://"), rest),
            None => (String::new(), self.0.as_str()),
        };
        let (secret, rest) = match rest.rsplit_once('@') {
            // a password with an '@', '/' or '?' in it looks like a host with a path
            Some((before, _)) if before.contains('?') => return scheme + "***",
            Some((_, after)) => ("***@", after),
            None => ("", rest),
        };
        let rest = match rest.split_once('?') {
            Some((place, _)) => format!("{place}?***"),
            None => rest.to_owned(),
        };
        scheme + secret + &rest
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("rtsp://u:p@h:554/live?x=1", "rtsp://***@h:554/live?***"),
            ("http://h/snap.jpg", "http://h/snap.jpg"),
            ("/media/a film.mp4", "/media/a film.mp4"),
            ("rtsp://u:p/w@h/live", "rtsp://***@h/live"),
            ("rtsp://u:p@w@h/live", "rtsp://***@h/live"),
            ("rtsp://u:p?w@h/live", "rtsp://***"),
            ("u:p@h/live", "***@h/live"),
        ] {
            assert_eq!(Url::new(url).redacted(), shown);
            assert_eq!(format!("{:?} {}", Url::new(url), Url::new(url)), format!("{shown} {shown}"));
        }
        let source = Source::Mjpeg { url: Url::new("http://u:secret@h/v") };
        assert_eq!(format!("{source:?}"), "mjpeg http://***@h/v");
    }
}
