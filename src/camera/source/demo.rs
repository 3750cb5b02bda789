//! The demo's rendered shoppers. The renderer makes coded JPEG, which then takes the same way
//! as a real camera's: the same decoder, gate and mailbox.

use super::{Grab, Grabbed};
use crate::camera::health::Trouble;
use crate::camera::pace::Pace;
use crate::camera::stop::Stop;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Renders the next frame as JPEG bytes, or `None` when the scene is over. It is called on the
/// camera's thread, `max_fps` times a second.
pub type DemoFeed = Box<dyn FnMut() -> Option<Vec<u8>> + Send>;

/// A feed that outlives one opening of its camera.
pub(crate) type SharedFeed = Arc<Mutex<DemoFeed>>;

/// The open feed.
pub(super) struct Demo {
    feed: SharedFeed,
    period: Duration,
    due: Instant,
    stop: Stop,
}

impl Demo {
    pub(super) fn open(feed: SharedFeed, fps: f32, stop: &Stop) -> Self {
        Demo { feed, period: Pace::new(fps).period(), due: Instant::now(), stop: stop.clone() }
    }
}

impl Grab for Demo {
    fn grab(&mut self) -> Result<Grabbed, Trouble> {
        if self.stop.wait(self.due.saturating_duration_since(Instant::now())) {
            return Ok(Grabbed::Nothing);
        }
        // a renderer that is late does not hurry to catch up
        self.due = self.due.max(Instant::now() - self.period.min(Duration::from_millis(50))) + self.period;
        let mut feed = self.feed.lock().unwrap_or_else(|e| e.into_inner());
        Ok((*feed)().map_or(Grabbed::End, Grabbed::Coded))
    }

    fn period(&self) -> Duration {
        self.period
    }
}
