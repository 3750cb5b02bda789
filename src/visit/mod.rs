//! Presence: votes over a track become "member M is at zone Z". One high score never
//! decides; uncertain means stranger, and of a stranger nothing is kept. Pure.

pub mod settings;

use crate::clock::Now;
use crate::id::{MemberId, ZoneId};

/// What changed about who is where.
#[derive(Debug, Clone, PartialEq)]
pub enum Presence {
    /// A member came to a zone. `captured` is the capture time of the frame that decided it.
    Entered { member: MemberId, zone: ZoneId, at: Now, captured: Now, votes: u32, score: f32 },
    /// Still there, after the settings' dwell time; said once a visit.
    Dwelt { member: MemberId, zone: ZoneId, at: Now },
    /// Gone.
    Left { member: MemberId, zone: ZoneId, entered: Now, at: Now },
}
