//! A folder of JPEG and PNG files, replayed in order of name at a rate, or in order and pace of
//! their modification times. Files are read one at a time; a bad one is skipped, with one
//! warning however often it comes around.

use super::{Grab, Grabbed};
use crate::camera::decode::{DecodeError, MAX_BYTES};
use crate::camera::health::Trouble;
use crate::camera::pace::Pace;
use crate::camera::stop::Stop;
use std::collections::{BTreeSet, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// A longer pause between two modification times is shortened to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The open folder.
pub(super) struct Folder {
    path: PathBuf,
    fps: Option<f32>,
    repeat: bool,
    /// From one file to the next: at the rate, or where modification times do not tell.
    period: Duration,
    files: VecDeque<(SystemTime, PathBuf)>,
    last: Option<(SystemTime, PathBuf)>,
    warned: BTreeSet<PathBuf>,
    due: Instant,
    stop: Stop,
}

impl Folder {
    pub(super) fn open(
        path: &Path,
        fps: Option<f32>,
        repeat: bool,
        max_fps: f32,
        stop: &Stop,
    ) -> Result<Self, Trouble> {
        Ok(Folder {
            path: path.to_owned(),
            fps,
            repeat,
            period: Pace::new(fps.unwrap_or(max_fps)).period(),
            files: list(path, fps.is_some())?,
            last: None,
            warned: BTreeSet::new(),
            due: Instant::now(),
            stop: stop.clone(),
        })
    }

    /// The time from `last` to a file of the modification time `next`.
    fn pause(&self, next: SystemTime) -> Duration {
        let gap = match (&self.last, self.fps) {
            (Some((last, _)), None) => next.duration_since(*last).unwrap_or_default(),
            _ => return self.period,
        };
        if gap < Duration::from_millis(1) { self.period } else { gap.min(LONGEST_PAUSE) }
    }

    fn warn(&mut self, file: PathBuf, why: &dyn std::fmt::Display) {
        if !self.warned.contains(&file) {
            tracing::warn!(id = "frame-skipped", file = %file.display(), "skipped {}: {why}", file.display());
            self.warned.insert(file);
        }
    }
}

impl Grab for Folder {
    fn grab(&mut self) -> Result<Grabbed, Trouble> {
        let Some((time, file)) = self.files.pop_front() else {
            if !self.repeat {
                return Ok(Grabbed::End);
            }
            self.files = list(&self.path, self.fps.is_some())?;
            self.last = None;
            return Ok(Grabbed::Nothing);
        };
        self.due = (self.due + self.pause(time)).max(Instant::now() - Duration::from_millis(50));
        if self.stop.wait(self.due.saturating_duration_since(Instant::now())) {
            return Ok(Grabbed::Nothing);
        }
        self.last = Some((time, file.clone()));
        match read(&file) {
            Ok(bytes) => Ok(Grabbed::Coded(bytes)),
            Err(error) => {
                self.warn(file, &error);
                Ok(Grabbed::Nothing)
            }
        }
    }

    fn period(&self) -> Duration {
        if self.fps.is_some() { self.period } else { LONGEST_PAUSE.max(self.period) }
    }

    fn refused(&mut self, why: &DecodeError) {
        if let Some((_, file)) = self.last.clone() {
            self.warn(file, why);
        }
    }
}

/// The bytes of a file, one more than allowed at most.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// JPEG and PNG files in order of name, or of modification time and name.
fn list(path: &Path, by_name: bool) -> Result<VecDeque<(SystemTime, PathBuf)>, Trouble> {
    let fail = |error: std::io::Error| {
        Trouble::lost(format!(
            "cannot read the folder {}: {error}; check that it exists and may be read",
            path.display()
        ))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fail)? {
        let file = entry.map_err(fail)?.path();
        let kind = file.extension().map(|e| e.to_ascii_lowercase());
        if !kind.is_some_and(|e| e == "jpg" || e == "jpeg" || e == "png") {
            continue;
        }
        // follows links; a file that went away in between is none
        if let Ok(facts) = std::fs::metadata(&file)
            && facts.is_file()
        {
            files.push((facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), file));
        }
    }
    if files.is_empty() {
        return Err(Trouble::lost(format!("no .jpg, .jpeg or .png file in the folder {}", path.display())));
    }
    match by_name {
        true => files.sort_by(|a, b| a.1.cmp(&b.1)),
        false => files.sort(),
    }
    Ok(files.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn names(folder: &mut Folder) -> Vec<String> {
        let mut out = Vec::new();
        loop {
            match folder.grab().unwrap() {
                Grabbed::Coded(bytes) => out.push(String::from_utf8(bytes).unwrap()),
                Grabbed::End => return out,
                _ => (),
            }
        }
    }

    #[test]
    fn files_come_by_name_at_a_rate_or_by_time() {
        let dir = tempfile::tempdir().unwrap();
        for (n, name) in ["b.jpg", "c.PNG", "a.jpeg", "notes.txt"].iter().enumerate() {
            std::fs::write(dir.path().join(name), name).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000 + 30 * n as u64);
            File::options().write(true).open(dir.path().join(name)).unwrap().set_modified(time).unwrap();
        }
        let stop = Stop::default();
        let mut by_name = Folder::open(dir.path(), Some(500.0), false, 10.0, &stop).unwrap();
        assert_eq!(names(&mut by_name), ["a.jpeg", "b.jpg", "c.PNG"]);
        let mut by_time = Folder::open(dir.path(), None, false, 100.0, &stop).unwrap();
        let begin = Instant::now();
        assert_eq!(names(&mut by_time), ["b.jpg", "c.PNG", "a.jpeg"]);
        assert!(begin.elapsed() >= Duration::from_millis(50));
    }

    #[test]
    fn a_folder_without_pictures_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let stop = Stop::default();
        for path in [dir.path().to_owned(), dir.path().join("missing")] {
            let Err(trouble) = Folder::open(&path, None, true, 10.0, &stop) else {
                panic!("opened {path:?}")
            };
            assert!(trouble.what.contains(path.to_str().unwrap()), "{trouble}");
        }
    }
}
