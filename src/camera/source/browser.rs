//! Frames that a kiosk's own browser posts. They arrive through a slot of one: the newest wins,
//! so a browser can post as fast as it likes without filling memory.

use super::{Grab, Grabbed, SLICE};
use crate::camera::health::Trouble;
use std::sync::{Arc, Condvar, Mutex};

/// Where the web server leaves what a browser posted.
#[derive(Clone, Default)]
pub(crate) struct BrowserSlot(Arc<(Mutex<Option<Vec<u8>>>, Condvar)>);

impl BrowserSlot {
    /// Leaves coded bytes, in place of what nobody has taken.
    pub(crate) fn put(&self, bytes: Vec<u8>) {
        *self.0.0.lock().unwrap_or_else(|e| e.into_inner()) = Some(bytes);
        self.0.1.notify_one();
    }

    fn take(&self) -> Option<Vec<u8>> {
        let slot = self.0.0.lock().unwrap_or_else(|e| e.into_inner());
        let waited = self.0.1.wait_timeout_while(slot, SLICE, |slot| slot.is_none());
        waited.unwrap_or_else(|e| e.into_inner()).0.take()
    }
}

/// The camera's end of the slot.
pub(super) struct Browser(BrowserSlot);

impl Browser {
    pub(super) fn open(slot: &BrowserSlot) -> Self {
        Browser(slot.clone())
    }
}

impl Grab for Browser {
    fn grab(&mut self) -> Result<Grabbed, Trouble> {
        Ok(self.0.take().map_or(Grabbed::Nothing, Grabbed::Coded))
    }
}
