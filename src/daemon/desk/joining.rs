//! A face joins, frame by frame: good frames are gathered in memory until three of them make an
//! enrolment. Pure but for the eyes it is lent.
//!
//! What always holds: nothing of it is on disk; dropping it leaves nothing; frames of a second person
//! begin it anew.

use crate::clock::Now;
use crate::gallery::Gallery;
use crate::gallery::enrolment::{self, Face, NotEnrolled};
use crate::privacy::Consent;
use crate::vision::{Embedding, EnrolError, Poor, Quality};
use crate::web::KioskHint;
use std::time::Duration;

/// Good frames are taken this far apart: three of one moment would be one.
const APART: Duration = Duration::from_millis(700);
/// A frame whose likeness to the others is below this share of the threshold is of somebody else.
const OTHER: f32 = 0.6;
/// Frames that do not agree are thrown away after so many.
const ENOUGH: usize = 8;

/// Someone who is being enrolled.
pub struct Joining {
    /// What was agreed to before the first frame.
    pub consent: Consent,
    faces: Vec<Face>,
    taken: Option<Now>,
}

/// What a frame changed.
pub enum Step {
    /// Go on, with this hint.
    Hint(KioskHint),
    /// Three frames make an enrolment: the faces, and which of them.
    Done(Vec<Face>, Vec<usize>),
    /// The gallery knows this face.
    Known,
}

impl Joining {
    /// Begins after the consent.
    pub fn new(consent: Consent) -> Self {
        Self { consent, faces: Vec::new(), taken: None }
    }

    /// Good frames so far, at most as many as are needed.
    pub fn good(&self) -> usize {
        self.faces.len().min(enrolment::FACES)
    }

    /// Takes what was seen in a frame.
    pub fn take(
        &mut self,
        seen: Result<(Embedding, Quality), EnrolError>,
        gallery: &Gallery,
        threshold: f32,
        now: Now,
    ) -> Step {
        let (embedding, quality) = match seen {
            Ok(face) => face,
            Err(error) => return Step::Hint(hint(&error)),
        };
        if self.taken.is_some_and(|at| now.since(at) < APART) {
            return Step::Hint(KioskHint::Hold);
        }
        self.taken = Some(now);
        let other = |(_, face, _): &Face| face.cosine(&embedding) < threshold * OTHER;
        if !self.faces.is_empty() && self.faces.iter().all(other) {
            self.faces.clear();
            self.faces.push((0, embedding, quality));
            return Step::Hint(KioskHint::Again);
        }
        self.faces.push((self.faces.len(), embedding, quality));
        if self.faces.len() < enrolment::FACES {
            return Step::Hint(KioskHint::Good);
        }
        match enrolment::choose(&self.faces, gallery, threshold, false) {
            Ok(chosen) => Step::Done(std::mem::take(&mut self.faces), chosen),
            Err(NotEnrolled::Known { .. }) => {
                self.faces.clear();
                Step::Known
            }
            Err(NotEnrolled::TooFew { .. } | NotEnrolled::NotOnePerson { .. }) => {
                if self.faces.len() >= ENOUGH {
                    self.faces.clear();
                }
                Step::Hint(KioskHint::Again)
            }
        }
    }
}

fn hint(error: &EnrolError) -> KioskHint {
    match error {
        EnrolError::NoFace => KioskHint::LookHere,
        EnrolError::SeveralFaces(_) => KioskHint::Alone,
        EnrolError::Poor(Poor::TooSmall) => KioskHint::Nearer,
        EnrolError::Poor(Poor::Blurred) => KioskHint::Still,
        EnrolError::Poor(Poor::Turned) => KioskHint::LookHere,
        EnrolError::Poor(Poor::BadLight) => KioskHint::Light,
        EnrolError::Poor(Poor::Cut) => KioskHint::Middle,
        EnrolError::Model(_) => KioskHint::Still,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::gallery::Template;
    use crate::id::MemberId;
    use crate::privacy::Scope;

    fn joining() -> Joining {
        Joining::new(Consent {
            scope: Scope::Face,
            version: "1".into(),
            reference: "kiosk".into(),
            action: "pressed".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
        })
    }

    fn face(angle: f32) -> Result<(Embedding, Quality), EnrolError> {
        Ok((Embedding(vec![angle.cos(), angle.sin()]), Quality { score: 0.9, poor: None }))
    }

    fn clock() -> Clock {
        Clock::simulated(jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn three_frames_of_three_moments_make_an_enrolment() {
        let (mut joining, gallery, clock) = (joining(), Gallery::new("m", 2), clock());
        for n in 0..2 {
            let step = joining.take(face(0.05 * n as f32), &gallery, 0.4, clock.now());
            assert!(matches!(step, Step::Hint(KioskHint::Good)));
            let soon = joining.take(face(0.0), &gallery, 0.4, clock.now());
            assert!(matches!(soon, Step::Hint(KioskHint::Hold)), "two frames of one moment counted");
            clock.advance(APART);
        }
        let Step::Done(faces, chosen) = joining.take(face(0.1), &gallery, 0.4, clock.now()) else {
            panic!("three good frames did not do")
        };
        assert_eq!((faces.len(), chosen.len()), (3, 3));
    }

    #[test]
    fn a_second_person_begins_it_anew() {
        let (mut joining, gallery, clock) = (joining(), Gallery::new("m", 2), clock());
        joining.take(face(0.0), &gallery, 0.4, clock.now());
        clock.advance(APART);
        joining.take(face(0.1), &gallery, 0.4, clock.now());
        clock.advance(APART);
        let step = joining.take(face(1.6), &gallery, 0.4, clock.now());
        assert!(matches!(step, Step::Hint(KioskHint::Again)));
        assert_eq!(joining.good(), 1);
    }

    #[test]
    fn someone_enrolled_already_is_not_enrolled_twice() {
        let (mut joining, clock) = (joining(), clock());
        let mut gallery = Gallery::new("m", 2);
        let known = Template { member: MemberId(1), model: "m".into(), embedding: Embedding(vec![1.0, 0.0]) };
        gallery.add(&known).unwrap();
        let mut last = None;
        for _ in 0..3 {
            last = Some(joining.take(face(0.0), &gallery, 0.4, clock.now()));
            clock.advance(APART);
        }
        assert!(matches!(last, Some(Step::Known)));
        assert_eq!(joining.good(), 0, "something of the face was kept");
    }

    #[test]
    fn every_poor_frame_has_its_hint() {
        for (poor, expected) in [
            (Poor::TooSmall, KioskHint::Nearer),
            (Poor::BadLight, KioskHint::Light),
            (Poor::Turned, KioskHint::LookHere),
        ] {
            assert_eq!(hint(&EnrolError::Poor(poor)), expected);
        }
        assert_eq!(hint(&EnrolError::SeveralFaces(2)), KioskHint::Alone);
    }
}
