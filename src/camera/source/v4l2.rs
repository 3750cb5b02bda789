//! A Video4Linux device: MJPG where it has it, else YUYV. Frames are copied out of four mapped
//! buffers; the driver drops what comes while all are full.

use super::{Grab, Grabbed, SLICE, yuyv};
use crate::camera::health::Trouble;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use v4l::buffer::Type;
use v4l::io::traits::{CaptureStream, Stream};
use v4l::prelude::*;
use v4l::video::Capture;
use v4l::{Format, FourCC};

const BUFFERS: u32 = 4;
const MJPG: &[u8; 4] = b"MJPG";
const YUYV: &[u8; 4] = b"YUYV";
/// `POLLIN` of poll(2).
const READABLE: i16 = libc::POLLIN;

/// The open device.
pub(super) struct V4l2 {
    /// `None` only while it is dropped.
    stream: Option<MmapStream<'static>>,
    format: Format,
    name: String,
}

impl V4l2 {
    pub(super) fn open(path: &Path, width: u32, height: u32) -> Result<Self, Trouble> {
        let name = path.display().to_string();
        let device = Device::with_path(path).map_err(|e| trouble(&name, "cannot be opened", &e))?;
        let format = choose(&device, width, height, &name)?;
        let mut stream = MmapStream::with_buffers(&device, Type::VideoCapture, BUFFERS)
            .map_err(|e| trouble(&name, "gives no buffers", &e))?;
        // `next` queues buffer 0 itself; a driver may have granted fewer than were asked for
        for index in 1..BUFFERS as usize {
            if CaptureStream::queue(&mut stream, index).is_err() {
                break;
            }
        }
        stream.set_timeout(SLICE);
        let started = stream.start();
        let camera = V4l2 { stream: Some(stream), format, name };
        started.map_err(|e| trouble(&camera.name, "does not start", &e))?;
        Ok(camera)
    }
}

/// Sets the nearest format to what is wanted.
fn choose(device: &Device, width: u32, height: u32, name: &str) -> Result<Format, Trouble> {
    let mut last = None;
    for fourcc in [MJPG, YUYV] {
        match device.set_format(&Format::new(width, height, FourCC::new(fourcc))) {
            Ok(format) if format.fourcc == FourCC::new(fourcc) => return Ok(format),
            Ok(_) => (),
            Err(error) => last = Some(error),
        }
    }
    let offered: Vec<String> =
        device.enum_formats().unwrap_or_default().iter().map(|f| f.fourcc.to_string()).collect();
    Err(match last {
        Some(error) if offered.is_empty() => trouble(name, "takes no format", &error),
        _ => Trouble::lost(format!(
            "{name} offers neither MJPG nor YUYV but {}; use the ffmpeg source for it",
            if offered.is_empty() { "nothing".into() } else { offered.join(", ") }
        )),
    })
}

/// An error of the device in words, with what to do.
fn trouble(name: &str, what: &str, error: &std::io::Error) -> Trouble {
    let advice = match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => "is it plugged in? see `ls /dev/video*`",
        Some(libc::EACCES | libc::EPERM) => "the service's user must be in the group `video`",
        Some(libc::EBUSY) => "another program uses it: see `fuser -v` on it",
        Some(libc::ENOTTY | libc::EINVAL) => "it is no camera, or not the device of it that captures",
        _ => "see the kernel's log",
    };
    Trouble::lost(format!("{name} {what}: {error}; {advice}"))
}

impl Grab for V4l2 {
    fn grab(&mut self) -> Result<Grabbed, Trouble> {
        let Some(stream) = &mut self.stream else { return Ok(Grabbed::End) };
        match stream.handle().poll(READABLE, SLICE.as_millis() as i32) {
            Ok(0) => return Ok(Grabbed::Nothing),
            Ok(_) => (),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(Grabbed::Nothing),
            Err(error) => return Err(trouble(&self.name, "cannot be waited for", &error)),
        }
        let (bytes, facts) = stream.next().map_err(|e| trouble(&self.name, "gives no frame", &e))?;
        let used = bytes.get(..facts.bytesused as usize).unwrap_or(bytes);
        if used.is_empty() {
            return Ok(Grabbed::Nothing);
        }
        if self.format.fourcc == FourCC::new(MJPG) {
            return Ok(Grabbed::Coded(used.to_vec()));
        }
        let Format { width, height, stride, .. } = self.format;
        // a frame with bytes missing is one that the driver could not complete
        Ok(yuyv::to_rgb(used, width, height, stride as usize).map_or(Grabbed::Nothing, Grabbed::Pixels))
    }
}

impl Drop for V4l2 {
    fn drop(&mut self) {
        // the crate panics when a device that is gone cannot be told to stop
        let stream = self.stream.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(stream)));
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
