//! A Video4Linux device: MJPG where it has it, else YUYV. Frames are copied out of mapped buffers; the
//! driver drops what comes while all are full.

use super::{Grab, Grabbed, SLICE, yuyv};
use crate::camera::health::Trouble;
use linuxvideo::format::{PixFormat, PixelFormat};
use linuxvideo::stream::ReadStream;
use linuxvideo::{BufType, Device};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::path::Path;

/// The open device.
pub(super) struct V4l2 {
    stream: ReadStream,
    /// What uncoded pixels look like: width, height and bytes a line; `None` for MJPG.
    pixels: Option<(u32, u32, usize)>,
    name: String,
}

impl V4l2 {
    pub(super) fn open(path: &Path, width: u32, height: u32) -> Result<Self, Trouble> {
        let name = path.display().to_string();
        let mut last = None;
        for wanted in [PixelFormat::MJPG, PixelFormat::YUYV] {
            let device = Device::open(path).map_err(|e| trouble(&name, "cannot be opened", &e))?;
            match device.video_capture(PixFormat::new(width, height, wanted)) {
                Ok(camera) if camera.format().pixel_format() == wanted => {
                    let format = camera.format();
                    let size = (format.width(), format.height(), format.bytes_per_line() as usize);
                    let pixels = (wanted != PixelFormat::MJPG).then_some(size);
                    let stream = camera.into_stream().map_err(|e| trouble(&name, "does not start", &e))?;
                    return Ok(V4l2 { stream, pixels, name });
                }
                Ok(_) => (),
                Err(error) => last = Some(error),
            }
        }
        Err(unsuitable(path, &name, last))
    }
}

/// Why a device gives neither MJPG nor YUYV.
fn unsuitable(path: &Path, name: &str, last: Option<io::Error>) -> Trouble {
    let formats = |device: Device| -> Vec<String> {
        let formats = device.formats(BufType::VIDEO_CAPTURE);
        formats.map_while(Result::ok).map(|f| f.pixel_format().to_string()).collect()
    };
    let offered = Device::open(path).map(formats).unwrap_or_default();
    match last {
        Some(error) if offered.is_empty() => trouble(name, "takes no format", &error),
        _ => Trouble::lost(format!(
            "{name} offers neither MJPG nor YUYV but {}; use the ffmpeg source for it",
            if offered.is_empty() { "nothing".into() } else { offered.join(", ") }
        )),
    }
}

/// An error of the device in words, with what to do.
fn trouble(name: &str, what: &str, error: &io::Error) -> Trouble {
    let advice = match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => "is it plugged in? see `ls /dev/video*`",
        Some(Errno::ACCESS | Errno::PERM) => "the service's user must be in the group `video`",
        Some(Errno::BUSY) => "another program uses it: see `fuser -v` on it",
        Some(Errno::NOTTY | Errno::INVAL) => "it is no camera, or not the device of it that captures",
        _ => "see the kernel's log",
    };
    Trouble::lost(format!("{name} {what}: {error}; {advice}"))
}

impl Grab for V4l2 {
    fn grab(&mut self) -> Result<Grabbed, Trouble> {
        let wait = Timespec { tv_sec: 0, tv_nsec: SLICE.as_nanos() as i64 };
        match poll(&mut [PollFd::new(&self.stream, PollFlags::IN)], Some(&wait)) {
            Ok(0) | Err(Errno::INTR) => return Ok(Grabbed::Nothing),
            Ok(_) => (),
            Err(error) => return Err(trouble(&self.name, "cannot be waited for", &error.into())),
        }
        // a frame that the driver marks as broken is left out: the next one is a moment away
        let taken = self.stream.dequeue(|frame| Ok((!frame.is_error()).then(|| frame.to_vec())));
        let frame = taken.map_err(|e| trouble(&self.name, "gives no frame", &e))?;
        let Some(bytes) = frame.filter(|bytes| !bytes.is_empty()) else { return Ok(Grabbed::Nothing) };
        let Some((width, height, stride)) = self.pixels else { return Ok(Grabbed::Coded(bytes)) };
        // a frame with bytes missing is one that the driver could not complete
        Ok(yuyv::to_rgb(&bytes, width, height, stride).map_or(Grabbed::Nothing, Grabbed::Pixels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_is_refused_with_what_to_do() {
        for (path, advice) in [("/dev/video-none", "plugged in"), ("/dev/null", "no camera")] {
            let Err(trouble) = V4l2::open(Path::new(path), 640, 480) else { panic!("{path} opened") };
            assert!(trouble.what.contains(path) && trouble.what.contains(advice), "{trouble}");
        }
    }
}
