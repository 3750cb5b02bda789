//! Tracks: the same face from frame to frame of one camera, by overlap with where it should be
//! by now, then by distance. Pure: detections and `now` in, tracks out. A track that ended
//! leaves nothing behind.

use super::decode::overlap;
use super::{Detection, Rect, TrackId};
use crate::clock::Now;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Least overlap with the predicted box that continues a track without further question.
const OVERLAP: f32 = 0.25;
/// Otherwise: largest distance of the centres over the face's size, at ordinary frame rates.
const DISTANCE: f32 = 0.9;
/// Otherwise: least ratio of the sizes.
const SIZE_RATIO: f32 = 0.6;
/// After a gap longer than the timeout (a camera that paused), the overlap that continues a track.
const OVERLAP_AFTER_GAP: f32 = 0.5;
/// Longest gap over the timeout after which a face in the same place is still the same track.
const GAP_LIMIT: u32 = 3;
/// Share of a newly seen velocity in the kept one.
const VELOCITY_SHARE: f32 = 0.4;
/// Most tracks of one camera; further faces start none until others end.
const TRACK_LIMIT: usize = 64;

static NEXT: AtomicU64 = AtomicU64::new(1);

fn fresh() -> TrackId {
    TrackId(NEXT.fetch_add(1, Ordering::Relaxed))
}

#[derive(Debug, Clone)]
struct Track {
    id: TrackId,
    bbox: Rect,
    /// Pixels a second of the centre.
    velocity: [f32; 2],
    seen: Now,
}

impl Track {
    fn predicted(&self, now: Now) -> Rect {
        let dt = now.since(self.seen).as_secs_f32().min(1.0);
        // No further than one face: velocities of single frames are noisy.
        let shift = |v: f32, size: f32| (v * dt).clamp(-size, size);
        let b = self.bbox;
        Rect { x: b.x + shift(self.velocity[0], b.w), y: b.y + shift(self.velocity[1], b.h), ..b }
    }
}

/// The tracks of one camera.
#[derive(Debug, Clone)]
pub struct Tracker {
    tracks: Vec<Track>,
    timeout: Duration,
}

/// Which detection belongs to which track, and which tracks are over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracked {
    /// The track of each detection, in the order given; `None` when there are too many.
    pub tracks: Vec<Option<TrackId>>,
    /// Tracks that ended with this frame.
    pub ended: Vec<TrackId>,
}

fn centre(b: &Rect) -> [f32; 2] {
    [b.x + b.w / 2.0, b.y + b.h / 2.0]
}

/// How well a detection continues a track, above 0; `None` if it does not.
fn affinity(track: &Track, detection: &Rect, now: Now, timeout: Duration) -> Option<f32> {
    let gap = now.since(track.seen);
    let still = overlap(&track.bbox, detection);
    if gap > timeout {
        return (gap <= timeout * GAP_LIMIT && still >= OVERLAP_AFTER_GAP).then_some(still);
    }
    let predicted = track.predicted(now);
    let moved = overlap(&predicted, detection).max(still);
    if moved >= OVERLAP {
        return Some(1.0 + moved);
    }
    let (a, b) = (centre(&predicted), centre(detection));
    let size = (predicted.w * predicted.h).sqrt().max(1.0);
    let other = (detection.w * detection.h).sqrt().max(1.0);
    let distance = ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt() / size;
    let ratio = (size / other).min(other / size);
    (distance <= DISTANCE && ratio >= SIZE_RATIO).then_some(1.0 - distance / DISTANCE)
}

impl Tracker {
    /// No tracks yet. A track unseen for longer than `timeout` ends.
    pub fn new(timeout: Duration) -> Tracker {
        Tracker { tracks: Vec::new(), timeout }
    }

    /// Continues the tracks with the detections of one frame. Best pairs first.
    pub fn update(&mut self, detections: &[Detection], now: Now) -> Tracked {
        let mut pairs = Vec::new();
        for (t, track) in self.tracks.iter().enumerate() {
            for (d, detection) in detections.iter().enumerate() {
                if let Some(value) = affinity(track, &detection.bbox, now, self.timeout) {
                    pairs.push((value, t, d));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut of_detection = vec![None; detections.len()];
        let mut taken = vec![false; self.tracks.len()];
        for (_, t, d) in pairs {
            if taken[t] || of_detection[d].is_some() {
                continue;
            }
            taken[t] = true;
            let track = &mut self.tracks[t];
            of_detection[d] = Some(track.id);
            let (from, to) = (centre(&track.bbox), centre(&detections[d].bbox));
            let dt = now.since(track.seen).as_secs_f32();
            if dt > 1e-3 {
                for axis in 0..2 {
                    let seen = (to[axis] - from[axis]) / dt;
                    track.velocity[axis] += VELOCITY_SHARE * (seen - track.velocity[axis]);
                }
            }
            track.bbox = detections[d].bbox;
            track.seen = now;
        }
        let timeout = self.timeout;
        let mut ended = Vec::new();
        self.tracks.retain(|track| {
            let lives = now.since(track.seen) <= timeout;
            if !lives {
                ended.push(track.id);
            }
            lives
        });
        for (d, detection) in detections.iter().enumerate() {
            if of_detection[d].is_none() && self.tracks.len() < TRACK_LIMIT {
                let id = fresh();
                self.tracks.push(Track { id, bbox: detection.bbox, velocity: [0.0; 2], seen: now });
                of_detection[d] = Some(id);
            }
        }
        Tracked { tracks: of_detection, ended }
    }

    /// Gives the face of `track` a new track, because it is another person's after all.
    pub fn part(&mut self, track: TrackId) -> TrackId {
        let id = fresh();
        if let Some(track) = self.tracks.iter_mut().find(|t| t.id == track) {
            track.id = id;
        }
        id
    }

    /// Ends every track, as when the camera is gone.
    pub fn end_all(&mut self) -> Vec<TrackId> {
        self.tracks.drain(..).map(|t| t.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn at(ms: u64) -> Now {
        Now { mono: Duration::from_millis(ms), utc: Timestamp::UNIX_EPOCH }
    }

    fn face(x: f32, y: f32, w: f32) -> Detection {
        Detection { bbox: Rect { x, y, w, h: w * 1.2 }, landmarks: [[0.0; 2]; 5], score: 0.9 }
    }

    fn tracker() -> Tracker {
        Tracker::new(Duration::from_secs(1))
    }

    #[test]
    fn a_walking_face_keeps_its_track_and_a_second_gets_its_own() {
        let mut t = tracker();
        let first = t.update(&[face(0.0, 50.0, 60.0)], at(0)).tracks[0].unwrap();
        for k in 1..30u64 {
            let seen = t.update(&[face(400.0, 50.0, 60.0), face(20.0 * k as f32, 50.0, 60.0)], at(100 * k));
            if k < 18 {
                assert_eq!(seen.tracks[1], Some(first), "frame {k}");
                assert_ne!(seen.tracks[0], Some(first));
            }
            assert_ne!(seen.tracks[0], seen.tracks[1]);
        }
    }

    #[test]
    fn a_short_gap_is_bridged_and_a_long_one_ends_the_track() {
        let mut t = tracker();
        let id = t.update(&[face(0.0, 0.0, 60.0)], at(0)).tracks[0].unwrap();
        assert_eq!(t.update(&[], at(500)), Tracked::default());
        assert_eq!(t.update(&[face(5.0, 0.0, 60.0)], at(900)).tracks, [Some(id)]);
        assert_eq!(t.update(&[], at(2000)).ended, [id]);
        let next = t.update(&[face(5.0, 0.0, 60.0)], at(2100));
        assert_ne!(next.tracks[0], Some(id));
        assert!(next.ended.is_empty());
    }

    #[test]
    fn a_camera_that_delivers_a_frame_in_two_seconds_keeps_a_standing_face() {
        let mut t = tracker();
        let id = t.update(&[face(0.0, 0.0, 60.0)], at(0)).tracks[0];
        for k in 1..5 {
            assert_eq!(t.update(&[face(2.0, 0.0, 60.0)], at(2000 * k)).tracks[0], id);
        }
        assert_ne!(t.update(&[face(2.0, 0.0, 60.0)], at(20_000)).tracks[0], id);
    }

    #[test]
    fn a_jump_across_the_frame_is_another_face() {
        let mut t = tracker();
        let id = t.update(&[face(0.0, 0.0, 60.0)], at(0)).tracks[0];
        assert_ne!(t.update(&[face(300.0, 0.0, 60.0)], at(100)).tracks[0], id);
    }

    proptest! {
        #[test]
        fn tracks_are_unique_in_a_frame_bounded_and_end_once(
            frames in proptest::collection::vec(
                (proptest::collection::vec((0f32..640.0, 0f32..480.0, 5f32..200.0), 0..80), 0u64..1500), 1..20)
        ) {
            let mut t = tracker();
            let mut now = 0;
            let mut over = std::collections::HashSet::new();
            for (faces, step) in frames {
                now += step;
                let detections: Vec<_> = faces.iter().map(|&(x, y, w)| face(x, y, w)).collect();
                let seen = t.update(&detections, at(now));
                let ids: Vec<_> = seen.tracks.iter().flatten().copied().collect();
                let unique: std::collections::HashSet<_> = ids.iter().copied().collect();
                prop_assert_eq!(unique.len(), ids.len());
                prop_assert!(t.tracks.len() <= TRACK_LIMIT);
                for id in seen.ended {
                    prop_assert!(over.insert(id), "ended twice");
                }
                prop_assert!(ids.iter().all(|id| !over.contains(id)), "an ended track came back");
            }
        }
    }
}
