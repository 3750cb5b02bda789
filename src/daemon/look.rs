//! The vision thread: newest frame in, sighting out. It waits for nobody: when the deciding thread
//! has no room, the sighting is dropped and counted.

use super::decide::Input;
use super::heartbeat::Heartbeat;
use super::models::NewEyes;
use crate::camera::{Attention, Received, Receiver};
use crate::clock::Clock;
use crate::ops::metrics::Metrics;
use crate::vision::Eyes;
use crate::web::Live;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

/// How long to wait for a frame before the heart beats again.
const PATIENCE: Duration = Duration::from_millis(500);

/// The kill switch: while it is off, no face is embedded.
#[derive(Debug, Clone)]
pub struct Recognition(Arc<AtomicBool>);

impl Recognition {
    /// On or off at the start.
    pub fn new(on: bool) -> Self {
        Self(Arc::new(AtomicBool::new(on)))
    }
    /// Turns it on or off.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one vision thread works with.
pub struct Looker {
    /// The models, and the tracks of the cameras it looks through.
    pub eyes: Eyes,
    /// Models that a reload brought.
    pub new_eyes: NewEyes,
    /// Where frames come from.
    pub frames: Receiver,
    /// Cameras that see a face keep their gate open.
    pub attention: Attention,
    /// Where sightings go.
    pub sightings: SyncSender<Input>,
    /// The kill switch.
    pub recognition: Recognition,
    /// Who watches.
    pub live: Live,
    /// Counters.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
}

impl Looker {
    /// Runs until the cameras or the deciding thread are gone.
    pub fn run(mut self, heartbeat: &Heartbeat) {
        let mut seen = 0;
        loop {
            self.new_eyes.take_over(&mut self.eyes, &mut seen);
            heartbeat.beat(self.clock.now());
            let frame = match self.frames.recv_timeout(PATIENCE) {
                Received::Frame(frame) => frame,
                Received::Nothing => continue,
                Received::Closed => return,
            };
            let began = self.clock.now();
            let sighting = self.eyes.look(&frame, self.recognition.is_on());
            Metrics::observe(&self.metrics.look, self.clock.now().since(began));
            if !sighting.faces.is_empty() {
                self.attention.face_seen(&frame.camera, frame.captured);
            }
            self.metrics.frames.get_or_create(&Metrics::camera(&frame.camera)).inc();
            self.metrics.faces.inc_by(sighting.faces.len() as u64);
            self.metrics
                .embeddings
                .inc_by(sighting.faces.iter().filter(|f| f.embedding.is_some()).count() as u64);
            let picture = self.live.watched().then_some(frame);
            match self.sightings.try_send(Input::Seen(sighting, picture)) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    self.metrics.dropped_sightings.inc();
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}
