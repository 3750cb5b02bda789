//! What people who watch are shown of recognition: the live view's boxes, and why a face was not
//! recognised. Nothing of it is made while nobody watches.

use super::Decider;
use crate::camera::Frame;
use crate::clock::Now;
use crate::gallery::Match;
use crate::vision::{Sighting, TrackId};
use crate::visit::TrackState;
use crate::web::{Doubt, LiveFrame, LiveLabel, LiveTrack, Why};

impl Decider {
    pub(super) fn show_live(&self, frame: &Frame, sighting: &Sighting, matches: &[(TrackId, Match)]) {
        let track = |face: &crate::vision::TrackedFace| {
            let (label, score) = match self.visits.who(face.track) {
                TrackState::Undecided => (LiveLabel::Undecided, None),
                TrackState::Stranger => (LiveLabel::Stranger, None),
                TrackState::Member(member) => {
                    let found = matches.iter().find(|(track, _)| *track == face.track);
                    let score = found.and_then(|(_, m)| m.best).filter(|(m, _)| *m == member).map(|(_, s)| s);
                    (LiveLabel::Member(self.alias(member)), score)
                }
            };
            LiveTrack { bbox: face.detection.bbox, label, score, quality: Some(face.quality.score) }
        };
        self.out.live.show(LiveFrame {
            camera: frame.camera.clone(),
            captured: frame.captured,
            image: frame.image.clone(),
            tracks: sighting.faces.iter().map(track).collect(),
        });
    }

    /// Says why faces are not recognised, once a track and reason, while an administrator watches.
    pub(super) fn review(&mut self, sighting: &Sighting, matches: &[(TrackId, Match)], now: Now) {
        if !self.out.review.watched() {
            return self.doubted.clear();
        }
        for face in &sighting.faces {
            if matches!(self.visits.who(face.track), TrackState::Member(_)) {
                continue;
            }
            let found = matches.iter().find(|(track, _)| *track == face.track).map(|(_, m)| m);
            let why = match (face.quality.poor, found) {
                (Some(poor), _) => Why::from(poor),
                _ if !self.recognition.enabled => Why::SwitchedOff,
                (None, Some(m)) => match m.best {
                    Some((_, score)) if score >= self.threshold() => {
                        if score - m.second >= self.recognition.margin {
                            continue; // a vote: more are needed
                        }
                        Why::NoMargin
                    }
                    _ => Why::BelowThreshold,
                },
                (None, None) => continue,
            };
            if self.doubted.insert(face.track, why) != Some(why) {
                let width = (face.detection.bbox.w / 10.0).round() as u32 * 10;
                let (camera, zone) = (sighting.camera.clone(), sighting.zone.clone());
                self.out.review.doubt(Doubt { at: now.utc, camera, zone, why, width });
            }
        }
    }

    pub(super) fn threshold(&self) -> f32 {
        self.recognition.threshold.unwrap_or(self.embedder.threshold)
    }
}
