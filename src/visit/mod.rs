//! Presence: votes over a track become "member M is at zone Z". One high score never
//! decides; uncertain means stranger, and of a stranger nothing is kept. Pure.

mod ballot;
pub mod settings;
mod visits;

pub use visits::Visits;

use crate::clock::Now;
use crate::id::{MemberId, ZoneId};

/// What changed about who is where.
#[derive(Debug, Clone, PartialEq)]
pub enum Presence {
    /// A member came to a zone.
    Entered {
        /// Who.
        member: MemberId,
        /// Where.
        zone: ZoneId,
        /// When it was decided.
        at: Now,
        /// Capture time of the frame that decided it.
        captured: Now,
        /// Votes that decided it.
        votes: u32,
        /// Their mean cosine.
        score: f32,
    },
    /// Still there, after the settings' dwell time; said once a visit.
    Dwelt {
        /// Who.
        member: MemberId,
        /// Where.
        zone: ZoneId,
        /// When.
        at: Now,
    },
    /// Gone.
    Left {
        /// Who.
        member: MemberId,
        /// Where.
        zone: ZoneId,
        /// When the visit began.
        entered: Now,
        /// When the member was last seen there.
        at: Now,
    },
}

/// What is known of a track's identity, for the live view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackState {
    /// Not enough good looks yet, or votes that disagree.
    Undecided,
    /// Looked at often enough, and like no member.
    Stranger,
    /// A member.
    Member(MemberId),
}
