//! What vision tells the motion gates: a face is in view here. Someone who stands still moves
//! too little for a gate, but is the very person the shop is there for; while vision sees a
//! face, the camera's gate stays open.

use crate::clock::Now;
use crate::id::CameraId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Shared between vision and the cameras; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Attention(Arc<Mutex<BTreeMap<CameraId, Duration>>>);

impl Attention {
    /// Vision saw a face in a frame of `camera` at `now`: its gate stays open for
    /// [`HOLD`](crate::camera::motion::HOLD) from then.
    pub fn face_seen(&self, camera: &CameraId, now: Now) {
        let mut seen = self.0.lock().unwrap_or_else(|e| e.into_inner());
        match seen.get_mut(camera) {
            Some(last) => *last = now.mono.max(*last),
            None => {
                seen.insert(camera.clone(), now.mono);
            }
        }
    }

    /// When a face was last seen by `camera`, in monotonic time.
    pub(crate) fn last_face(&self, camera: &CameraId) -> Option<Duration> {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).get(camera).copied()
    }

    /// Forgets a camera that is gone.
    pub(crate) fn forget(&self, camera: &CameraId) {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).remove(camera);
    }
}
