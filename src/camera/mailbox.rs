//! Between the cameras and vision: one slot per camera. A newer frame replaces one that nobody
//! has taken, because a result about someone who has left is worth nothing.
//!
//! Receivers take cameras in turn, so that a fast camera cannot starve a slow one. A camera
//! whose frame is being looked at is not given to another receiver: its frames are seen one
//! after the other and in order, however many receivers there are.

use crate::camera::Frame;
use crate::id::CameraId;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

struct Slot {
    camera: CameraId,
    frame: Option<Frame>,
    held: bool,
}

#[derive(Default)]
struct Slots {
    slots: Vec<Slot>,
    next: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    slots: Mutex<Slots>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// The cameras' end; cheap to clone.
#[derive(Clone, Default)]
pub struct Mailbox(Arc<Shared>);

/// What a [`Receiver`] got.
#[derive(Debug)]
pub enum Received {
    /// The newest frame of the camera whose turn it is.
    Frame(Frame),
    /// No frame came in the time given.
    Nothing,
    /// The mailbox was closed; no frame will come.
    Closed,
}

impl Mailbox {
    /// An empty mailbox. Slots appear with each camera's first frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves `frame` in its camera's slot; tells whether it replaced one that nobody had taken.
    /// A closed mailbox drops it.
    pub fn put(&self, frame: Frame) -> bool {
        let mut slots = self.0.lock();
        if slots.closed {
            return false;
        }
        let replaced = match slots.slots.iter_mut().find(|s| s.camera == frame.camera) {
            Some(slot) => slot.frame.replace(frame),
            None => {
                slots.slots.push(Slot { camera: frame.camera.clone(), frame: Some(frame), held: false });
                None
            }
        };
        drop(slots);
        self.0.changed.notify_one();
        replaced.is_some()
    }

    /// Takes a camera that is gone out of the round, with its frame.
    pub(crate) fn remove(&self, camera: &CameraId) {
        self.0.lock().slots.retain(|s| s.camera != *camera);
    }

    /// Drops what is in the slots and wakes every receiver with [`Received::Closed`].
    pub fn close(&self) {
        let mut slots = self.0.lock();
        slots.closed = true;
        slots.slots.clear();
        drop(slots);
        self.0.changed.notify_all();
    }

    /// Another end for a vision thread.
    pub fn receiver(&self) -> Receiver {
        Receiver { shared: self.0.clone(), holding: None }
    }
}

/// A vision thread's end. From [`Receiver::recv_timeout`] until the next call (or until it is
/// dropped) the frame's camera is this receiver's alone.
pub struct Receiver {
    shared: Arc<Shared>,
    holding: Option<CameraId>,
}

impl Receiver {
    /// Waits at most `timeout` for a frame.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Received {
        self.release();
        let end = Instant::now() + timeout;
        let mut slots = self.shared.lock();
        loop {
            if slots.closed {
                return Received::Closed;
            }
            let count = slots.slots.len();
            for n in 0..count {
                let place = (slots.next + n) % count;
                let slot = &mut slots.slots[place];
                if slot.held {
                    continue;
                }
                if let Some(frame) = slot.frame.take() {
                    slot.held = true;
                    slots.next = place + 1;
                    self.holding = Some(frame.camera.clone());
                    return Received::Frame(frame);
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Received::Nothing;
            }
            slots = self.shared.changed.wait_timeout(slots, left).unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    fn release(&mut self) {
        let Some(camera) = self.holding.take() else { return };
        let mut slots = self.shared.lock();
        let waiting = slots.slots.iter_mut().find(|s| s.camera == camera).is_some_and(|slot| {
            slot.held = false;
            slot.frame.is_some()
        });
        drop(slots);
        if waiting {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::id::ZoneId;
    use proptest::prelude::*;

    const NO_TIME: Duration = Duration::ZERO;

    fn frame(camera: &str, sequence: u64) -> Frame {
        Frame {
            camera: CameraId::new(camera).unwrap(),
            zone: ZoneId::new("tea").unwrap(),
            sequence,
            captured: Clock::system().now(),
            image: Arc::new(image::RgbImage::new(1, 1)),
        }
    }

    fn take(receiver: &mut Receiver) -> Option<(String, u64)> {
        match receiver.recv_timeout(NO_TIME) {
            Received::Frame(frame) => Some((frame.camera.to_string(), frame.sequence)),
            _ => None,
        }
    }

    #[test]
    fn the_newest_frame_wins_and_the_older_is_counted() {
        let mailbox = Mailbox::new();
        let mut receiver = mailbox.receiver();
        assert!(!mailbox.put(frame("a", 1)));
        assert!(mailbox.put(frame("a", 2)));
        assert_eq!(take(&mut receiver), Some(("a".into(), 2)));
        assert_eq!(take(&mut receiver), None);
    }

    #[test]
    fn a_fast_camera_does_not_starve_a_slow_one() {
        let mailbox = Mailbox::new();
        let mut receiver = mailbox.receiver();
        for camera in ["a", "b", "c"] {
            mailbox.put(frame(camera, 1));
        }
        let mut order = String::new();
        for n in 2..8 {
            let (camera, _) = take(&mut receiver).unwrap();
            order += &camera;
            mailbox.put(frame("a", n));
            mailbox.put(frame(&camera, n));
        }
        assert_eq!(order, "abcabc");
    }

    #[test]
    fn two_receivers_never_work_on_one_camera_at_once() {
        let mailbox = Mailbox::new();
        let (mut one, mut two) = (mailbox.receiver(), mailbox.receiver());
        mailbox.put(frame("a", 1));
        assert_eq!(take(&mut one), Some(("a".into(), 1)));
        mailbox.put(frame("a", 2));
        assert_eq!(take(&mut two), None);
        mailbox.put(frame("b", 1));
        assert_eq!(take(&mut two), Some(("b".into(), 1)));
        assert_eq!(take(&mut one), Some(("a".into(), 2)));
        drop(one);
        mailbox.put(frame("a", 3));
        assert_eq!(take(&mut two), Some(("a".into(), 3)));
    }

    #[test]
    fn closing_wakes_a_receiver_that_waits() {
        let mailbox = Mailbox::new();
        let mut receiver = mailbox.receiver();
        let waiting = std::thread::spawn(move || {
            matches!(receiver.recv_timeout(Duration::from_secs(600)), Received::Closed)
        });
        mailbox.close();
        assert!(waiting.join().unwrap());
        assert!(!mailbox.put(frame("a", 1)));
    }

    #[test]
    fn a_frame_wakes_a_receiver_that_waits() {
        let mailbox = Mailbox::new();
        let mut receiver = mailbox.receiver();
        let waiting = std::thread::spawn(move || {
            matches!(receiver.recv_timeout(Duration::from_secs(600)), Received::Frame(_))
        });
        mailbox.put(frame("a", 1));
        assert!(waiting.join().unwrap());
    }

    proptest! {
        #[test]
        fn frames_of_a_camera_arrive_in_order_and_none_waits_for_ever(
            steps in prop::collection::vec((0usize..4, 0usize..2), 1..200),
        ) {
            let cameras = ["a", "b", "c"];
            let mailbox = Mailbox::new();
            let mut receivers = [mailbox.receiver(), mailbox.receiver()];
            let (mut put, mut taken, mut replaced) = ([0u64; 3], [0u64; 3], 0u64);
            let mut arrived = 0u64;
            for (camera, receiver) in steps {
                if let Some(name) = cameras.get(camera) {
                    put[camera] += 1;
                    replaced += u64::from(mailbox.put(frame(name, put[camera])));
                } else if let Some((name, sequence)) = take(&mut receivers[receiver]) {
                    let camera = cameras.iter().position(|c| *c == name).unwrap();
                    prop_assert!(sequence > taken[camera]);
                    taken[camera] = sequence;
                    arrived += 1;
                }
            }
            drop(receivers);
            let mut last = mailbox.receiver();
            while take(&mut last).is_some() {
                arrived += 1;
            }
            prop_assert_eq!(arrived + replaced, put.iter().sum::<u64>());
        }
    }
}
