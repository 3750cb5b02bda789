//! Who is in which zone now and what is shown to them: the present state, which the staff's pages follow.

use crate::id::{DisplayId, MemberId, ZoneId};
use crate::recommend::Slate;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::watch;

/// A member who is in the shop now.
#[derive(Debug, Clone, PartialEq)]
pub struct Guest {
    /// Never leaves the appliance.
    pub member: MemberId,
    /// On screens.
    pub alias: String,
    /// Where.
    pub zone: ZoneId,
    /// Since when in that zone.
    pub since: Timestamp,
    /// Member since.
    pub joined: Option<Timestamp>,
    /// Mean cosine of the votes; `None` for a card.
    pub score: Option<f32>,
    /// What displays show them now.
    pub slates: Vec<(DisplayId, Arc<Slate>)>,
}

impl Guest {
    /// A name for this visit that says nothing of the member: pages use it to speak about it.
    pub fn visit(&self) -> String {
        let text = format!("{}/{}/{}", self.member, self.zone, self.since);
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }
}

/// Everybody who is here. Cheap to clone; the last state counts.
#[derive(Debug, Clone)]
pub struct Floor(Arc<watch::Sender<Vec<Guest>>>);

impl Default for Floor {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }
}

impl Floor {
    /// Says who is here; watchers wake only if it really changed.
    pub fn set(&self, guests: Vec<Guest>) {
        self.0.send_if_modified(|present| {
            let changed = *present != guests;
            if changed {
                *present = guests;
            }
            changed
        });
    }

    /// Follows who is here.
    pub fn watch(&self) -> watch::Receiver<Vec<Guest>> {
        self.0.subscribe()
    }
}
