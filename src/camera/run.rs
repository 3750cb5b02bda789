//! One camera's thread: [`Thread::run_once`] opens the source and carries frames until it fails;
//! [`Thread::run`] logs, waits 1 to 30 s and tries again until it is told to stop. A defect in
//! one attempt (a panic) ends the attempt, not the camera.

use crate::camera::Frame;
use crate::camera::attention::Attention;
use crate::camera::decode::decode;
use crate::camera::health::{Trouble, Watch};
use crate::camera::mailbox::Mailbox;
use crate::camera::motion::{MotionGate, RESTING_FPS, Thumbnail};
use crate::camera::pace::{Backoff, Pace};
use crate::camera::settings::{CameraSettings, Source};
use crate::camera::source::{self, Grab, Grabbed, Supplies};
use crate::camera::stop::Stop;
use crate::clock::{Clock, Now};
use image::RgbImage;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

/// After so many good frames a failure counts as a new one.
const GOOD_FRAMES: u64 = 10;

/// Why an attempt ended without trouble.
enum Finish {
    Stopped,
    Ended,
}

/// What a camera's thread works with.
pub(crate) struct Thread {
    pub settings: CameraSettings,
    pub clock: Clock,
    pub mailbox: Mailbox,
    pub attention: Attention,
    pub supplies: Supplies,
    pub health: Arc<Mutex<Watch>>,
    pub stop: Stop,
}

/// What one attempt remembers from frame to frame.
struct Attempt {
    pace: Pace,
    resting_pace: Pace,
    gate: MotionGate,
    /// Of the last picture as it was coded: the same bytes again show nothing new. A hash,
    /// because the picture itself must not be kept.
    last: Option<blake3::Hash>,
}

impl Thread {
    fn health(&self) -> MutexGuard<'_, Watch> {
        self.health.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Until told to stop, or until a source with an end has come to it.
    pub(crate) fn run(self) {
        let mut backoff = Backoff::default();
        loop {
            let finish = catch_unwind(AssertUnwindSafe(|| self.run_once())).unwrap_or_else(|_| {
                Err(Trouble::lost("a defect of this program; please report what the log says"))
            });
            let trouble = match finish {
                _ if self.stop.is_set() => break,
                Ok(Finish::Stopped) => break,
                Ok(Finish::Ended) => {
                    let mut health = self.health();
                    health.ended();
                    health.log_changes(self.clock.now());
                    break;
                }
                Err(trouble) => trouble,
            };
            let wait = {
                let now = self.clock.now();
                let mut health = self.health();
                if health.good_frames() >= GOOD_FRAMES {
                    backoff.reset();
                }
                let wait = backoff.next();
                tracing::debug!(camera = %self.settings.id, error = %trouble, retry_s = wait.as_secs(), "attempt failed");
                health.failed(now, trouble, wait);
                health.log_changes(now);
                wait
            };
            if self.stop.wait(wait) {
                break;
            }
        }
    }

    /// Opens the source and carries its frames until it fails, ends, or the thread must stop.
    fn run_once(&self) -> Result<Finish, Trouble> {
        self.health().opening(self.clock.now());
        let mut source = source::open(&self.settings, &self.supplies, &self.stop)?;
        self.health().opened(self.clock.now(), self.settings.silence + source.period());
        let mut attempt = Attempt {
            pace: Pace::new(self.settings.max_fps),
            resting_pace: Pace::new(RESTING_FPS),
            gate: MotionGate::new(self.settings.motion),
            last: None,
        };
        loop {
            if self.stop.is_set() {
                return Ok(Finish::Stopped);
            }
            let grabbed = source.grab()?;
            let now = self.clock.now();
            match grabbed {
                Grabbed::Coded(bytes) => self.take(&mut attempt, Ok(bytes), now, source.as_mut()),
                Grabbed::Pixels(image) => self.take(&mut attempt, Err(image), now, source.as_mut()),
                Grabbed::Nothing => (),
                Grabbed::End => return Ok(Finish::Ended),
            }
            let mut health = self.health();
            health.log_changes(now);
            // a browser comes when it likes; there is nothing to open anew
            if self.settings.source != Source::Browser
                && let Some(trouble) = health.complaint(now)
            {
                return Err(trouble);
            }
        }
    }

    /// Decides about one frame, coded or not, doing as little as it can.
    fn take(&self, attempt: &mut Attempt, frame: Result<Vec<u8>, RgbImage>, now: Now, source: &mut dyn Grab) {
        let sequence = self.health().arrived(now);
        if !attempt.pace.accept(now.mono) {
            return self.health().limited();
        }
        let face = self.attention.last_face(&self.settings.id);
        if attempt.gate.resting(now.mono, face) {
            let same = frame.as_ref().is_ok_and(|bytes| attempt.last == Some(blake3::hash(bytes)));
            if same || !attempt.resting_pace.accept(now.mono) {
                return self.health().gated();
            }
        }
        let image = match frame {
            Ok(bytes) => match decode(&bytes) {
                Ok(image) => {
                    attempt.last = Some(blake3::hash(&bytes));
                    image
                }
                Err(why) => {
                    source.refused(&why);
                    return self.health().undecodable(&why);
                }
            },
            Err(image) => image,
        };
        let thumbnail = Thumbnail::of(&image);
        self.health().decoded(now, image.dimensions(), thumbnail.mean(), thumbnail.contrast());
        if !attempt.gate.look(&thumbnail, now.mono, face) {
            return self.health().gated();
        }
        if self.stop.is_set() {
            return;
        }
        let replaced = self.mailbox.put(Frame {
            camera: self.settings.id.clone(),
            zone: self.settings.zone.clone(),
            sequence,
            captured: now,
            image: Arc::new(image),
        });
        self.health().delivered(replaced);
    }
}
