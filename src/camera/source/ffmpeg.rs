//! Anything that ffmpeg opens (RTSP above all), through a child that writes JPEG images to us.
//!
//! The child is killed when the source is dropped; should the daemon die without dropping it,
//! it finds its output closed at the next frame. It cannot be told a password other than in its
//! arguments: those are visible in the machine's process list (`ps`), though never in our log.

use super::{Grab, Grabbed, SLICE};
use crate::camera::health::Trouble;
use crate::camera::jpeg::Splitter;
use crate::camera::redact::Redactor;
use crate::camera::settings::Url;
use crate::id::CameraId;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// So much that is no image, and it never will be one.
const MOST_SKIPPED: u64 = 8 << 20;
/// Lines of the child's complaints that are kept, and the length of each.
const LINES: usize = 4;
const LINE: usize = 400;

type Complaints = Arc<Mutex<VecDeque<String>>>;

/// The running child.
pub(super) struct Ffmpeg {
    child: Child,
    pictures: UnixStream,
    splitter: Splitter,
    chunk: Vec<u8>,
    complaints: Complaints,
    listener: Option<JoinHandle<()>>,
    /// A file is played once; what is live is opened again when it ends.
    file: bool,
    shown: String,
}

impl Ffmpeg {
    pub(super) fn open(
        id: &CameraId,
        input: &Url,
        input_args: &[String],
        max_fps: f32,
    ) -> Result<Self, Trouble> {
        let shown = input.redacted();
        let fail = |what: &str, e: std::io::Error| Trouble::lost(format!("{shown}: {what}: {e}"));
        // a socket instead of a pipe, because it has a time limit for reading
        let (pictures, theirs) = UnixStream::pair().map_err(|e| fail("no socket for ffmpeg", e))?;
        pictures.set_read_timeout(Some(SLICE)).map_err(|e| fail("no time limit for ffmpeg", e))?;
        let mut child = Command::new("ffmpeg")
            .args(arguments(input, input_args, max_fps))
            .stdin(Stdio::null())
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| match e.kind() {
                ErrorKind::NotFound => Trouble::lost(format!(
                    "{shown}: ffmpeg is not installed; install it (Debian: apt install ffmpeg)"
                )),
                _ => fail("ffmpeg cannot be started", e),
            })?;
        let complaints = Complaints::default();
        let redactor = Redactor::new(input).with_args(input_args);
        let listener = child.stderr.take().and_then(|stderr| {
            let (id, complaints) = (id.clone(), complaints.clone());
            std::thread::Builder::new()
                .name(format!("ffmpeg-{id}"))
                .spawn(move || listen(stderr, &id, &redactor, &complaints))
                .ok()
        });
        let file = is_file(input.secret());
        let splitter = Splitter::default();
        Ok(Ffmpeg { child, pictures, splitter, chunk: vec![0; CHUNK], complaints, listener, file, shown })
    }

    /// The child closed its output: how it ended.
    fn finished(&mut self) -> Result<Grabbed, Trouble> {
        let status = self.child.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join(); // it ends with the child
        }
        if self.file && status.as_ref().is_ok_and(|s| s.success()) {
            return Ok(Grabbed::End);
        }
        let complaints = self.complaints.lock().unwrap_or_else(|e| e.into_inner());
        let said: Vec<&str> = complaints.iter().map(String::as_str).collect();
        let how = status.map_or_else(|e| e.to_string(), |s| s.to_string());
        Err(Trouble::lost(match said.is_empty() {
            true => format!("{}: ffmpeg ended ({how})", self.shown),
            false => format!("{}: ffmpeg ended ({how}): {}", self.shown, said.join("; ")),
        }))
    }
}

impl Grab for Ffmpeg {
    fn grab(&mut self) -> Result<Grabbed, Trouble> {
        if let Some(image) = self.splitter.next_image() {
            return Ok(Grabbed::Coded(image));
        }
        match self.pictures.read(&mut self.chunk) {
            Ok(0) => self.finished(),
            Ok(count) => {
                self.splitter.push(&self.chunk[..count]);
                let image = self.splitter.next_image();
                if image.is_none() && self.splitter.skipped() > MOST_SKIPPED {
                    return Err(Trouble::garbage(format!("{}: ffmpeg sends no JPEG images", self.shown)));
                }
                Ok(image.map_or(Grabbed::Nothing, Grabbed::Coded))
            }
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                Ok(Grabbed::Nothing)
            }
            Err(e) => Err(Trouble::lost(format!("{}: reading from ffmpeg: {e}", self.shown))),
        }
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// The child's arguments.
fn arguments(input: &Url, input_args: &[String], max_fps: f32) -> Vec<String> {
    let mut args: Vec<String> = ["-nostdin", "-hide_banner", "-loglevel", "error"].map(str::to_owned).into();
    let scheme = input.secret().split_once("://").map(|(s, _)| s.to_ascii_lowercase());
    let chosen = input_args.iter().any(|a| a == "-rtsp_transport");
    if scheme.is_some_and(|s| s == "rtsp" || s == "rtsps") && !chosen {
        // over UDP a lossy network gives torn pictures
        args.extend(["-rtsp_transport".into(), "tcp".into()]);
    }
    args.extend_from_slice(input_args);
    args.extend(["-i".into(), input.secret().to_owned()]);
    args.extend(["-map", "0:v:0", "-an", "-sn", "-dn"].map(str::to_owned));
    if max_fps.is_finite() && max_fps > 0.0 {
        // what would be dropped anyway need not be coded
        args.extend(["-fpsmax".into(), max_fps.to_string()]);
    }
    args.extend(["-c:v", "mjpeg", "-q:v", "3", "-f", "mjpeg", "pipe:1"].map(str::to_owned));
    args
}

/// Whether the input is something with an end.
fn is_file(input: &str) -> bool {
    let lower = input.to_ascii_lowercase();
    match lower.split_once("://") {
        Some((scheme, _)) => scheme == "file",
        None => !lower.starts_with("/dev/"),
    }
}

/// Logs what the child says, and keeps the last of it, without secrets.
fn listen(stderr: ChildStderr, id: &CameraId, redactor: &Redactor, complaints: &Complaints) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(16 * LINE as u64).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => (),
        }
        let said: String = redactor.clean(&String::from_utf8_lossy(&line)).chars().take(LINE).collect();
        if said.is_empty() {
            continue;
        }
        tracing::debug!(camera = %id, "ffmpeg: {said}");
        let mut kept = complaints.lock().unwrap_or_else(|e| e.into_inner());
        if kept.len() == LINES {
            kept.pop_front();
        }
        kept.push_back(said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtsp_goes_over_tcp_unless_the_administrator_says_otherwise() {
        let plain = arguments(&Url::new("rtsp://h/live"), &[], 10.0).join(" ");
        assert!(plain.contains("-rtsp_transport tcp -i rtsp://h/live"), "{plain}");
        let args = ["-rtsp_transport", "udp"].map(String::from);
        let udp = arguments(&Url::new("rtsp://h/live"), &args, 10.0).join(" ");
        assert!(udp.contains("-rtsp_transport udp -i") && !udp.contains("tcp"), "{udp}");
        assert!(!arguments(&Url::new("film.mp4"), &[], 10.0).join(" ").contains("rtsp"));
    }

    #[test]
    fn a_file_has_an_end_and_a_camera_has_none() {
        for (input, file) in [
            ("film.mp4", true),
            ("/srv/film.mp4", true),
            ("file:///x.mp4", true),
            ("rtsp://h/x", false),
            ("/dev/video0", false),
        ] {
            assert_eq!(is_file(input), file, "{input}");
        }
    }
}
