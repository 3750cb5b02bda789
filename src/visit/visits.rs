//! The state machine of presence. A member is in one zone at a time; of two faces that claim the
//! same member before one camera only the better is believed; a visit survives a broken track
//! for as long as the settings allow. Only monotonic time is looked at.

use super::ballot::{Ballot, Claim};
use super::settings::RecognitionSettings;
use super::{Presence, TrackState};
use crate::clock::Now;
use crate::gallery::Match;
use crate::id::{MemberId, ZoneId};
use crate::vision::{Sighting, TrackId};
use std::collections::HashMap;
use std::time::Duration;

/// A member seen this recently in one zone is not believed to be in another.
const STILL_THERE: Duration = Duration::from_secs(1);
/// How much better a second face's score must be to take a member from the first.
const BETTER: f32 = 0.03;
/// A track unseen for this long is gone, even if its camera never said so.
const TRACK_EXPIRY: Duration = Duration::from_secs(15);

#[derive(Debug)]
struct Visit {
    zone: ZoneId,
    entered: Now,
    seen: Now,
    tracks: Vec<TrackId>,
    dwelt: bool,
}

/// Who is where, and the votes of every living track.
#[derive(Debug)]
pub struct Visits {
    settings: RecognitionSettings,
    threshold: f32,
    ballots: HashMap<TrackId, Ballot>,
    visits: HashMap<MemberId, Visit>,
    /// "Not this person": the member is not believed in the zone before this moment.
    refusals: HashMap<(MemberId, ZoneId), Duration>,
}

impl Visits {
    /// Nobody anywhere. `threshold` is the embedder card's; the settings' own comes first.
    pub fn new(settings: RecognitionSettings, threshold: f32) -> Visits {
        let threshold = settings.threshold.unwrap_or(threshold);
        Visits {
            settings,
            threshold,
            ballots: HashMap::new(),
            visits: HashMap::new(),
            refusals: HashMap::new(),
        }
    }

    /// Takes new settings; visits go on.
    pub fn set(&mut self, settings: RecognitionSettings, threshold: f32) {
        self.threshold = settings.threshold.unwrap_or(threshold);
        self.settings = settings;
    }

    /// What one sighting changes. `matches` holds the search result of each embedded face.
    pub fn observe(&mut self, sighting: &Sighting, matches: &[(TrackId, Match)], now: Now) -> Vec<Presence> {
        for track in &sighting.ended {
            self.drop_track(*track);
        }
        let seen = sighting.captured;
        for face in &sighting.faces {
            self.ballots.entry(face.track).or_insert_with(|| Ballot::new(seen)).seen = seen;
        }
        for (track, found) in matches {
            if let Some(ballot) = self.ballots.get_mut(track) {
                ballot.cast(found, self.threshold, &self.settings);
                if ballot.doubt(self.threshold) {
                    self.visits.values_mut().for_each(|v| v.tracks.retain(|t| t != track));
                }
            }
        }
        let mut claims: Vec<(TrackId, Claim)> = matches
            .iter()
            .filter_map(|(track, _)| {
                let ballot = self.ballots.get(track).filter(|b| b.decided.is_none())?;
                Some((*track, ballot.claim(&self.settings)?))
            })
            .collect();
        claims.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
        let mut changes = Vec::new();
        for (track, claim) in claims {
            self.consider(track, claim, sighting, now, &mut changes);
        }
        for face in &sighting.faces {
            let member = self.ballots.get(&face.track).and_then(|b| b.decided);
            if let Some(visit) = member.and_then(|m| self.visits.get_mut(&m))
                && seen.mono > visit.seen.mono
            {
                visit.seen = seen;
            }
        }
        changes.extend(self.tick(now));
        changes
    }

    /// Believes a claim, or not.
    fn consider(
        &mut self,
        track: TrackId,
        claim: Claim,
        sighting: &Sighting,
        now: Now,
        changes: &mut Vec<Presence>,
    ) {
        let member = claim.member;
        let zone = &sighting.zone;
        let refused = self.ballots.get(&track).is_some_and(|b| b.refused.contains(&member));
        if refused || self.refusals.contains_key(&(member, zone.clone())) {
            // Whoever was taken for this member still stands there.
            self.refusals.insert((member, zone.clone()), now.mono + self.settings.leave_after);
            return;
        }
        if let Some(visit) = self.visits.get(&member) {
            if &visit.zone == zone {
                let beside = |t: &TrackId| *t != track && sighting.faces.iter().any(|f| f.track == *t);
                let rivals: Vec<TrackId> = visit.tracks.iter().copied().filter(beside).collect();
                let score_of = |t: &TrackId| self.ballots.get(t)?.claim(&self.settings).map(|c| c.score);
                let best = rivals.iter().filter_map(score_of).fold(f32::NEG_INFINITY, f32::max);
                if !rivals.is_empty() && claim.score <= best + BETTER {
                    return;
                }
                for rival in rivals {
                    self.release(rival, member);
                }
            } else if now.since(visit.seen) < STILL_THERE {
                return;
            } else {
                changes.extend(self.end(member));
            }
        }
        if let Some(ballot) = self.ballots.get_mut(&track) {
            ballot.decided = Some(member);
        }
        match self.visits.get_mut(&member) {
            Some(visit) => visit.tracks.push(track),
            None => {
                let captured = sighting.captured;
                let visit = Visit {
                    zone: zone.clone(),
                    entered: now,
                    seen: captured,
                    tracks: vec![track],
                    dwelt: false,
                };
                self.visits.insert(member, visit);
                let (votes, score) = (claim.votes, claim.score);
                changes.push(Presence::Entered {
                    member,
                    zone: zone.clone(),
                    at: now,
                    captured,
                    votes,
                    score,
                });
            }
        }
    }

    /// What the passing of time changes: dwells, leaves, and tracks that nobody ended.
    pub fn tick(&mut self, now: Now) -> Vec<Presence> {
        let mut changes = Vec::new();
        for (&member, visit) in &mut self.visits {
            if !visit.dwelt && visit.seen.since(visit.entered) >= self.settings.dwell_after {
                visit.dwelt = true;
                changes.push(Presence::Dwelt { member, zone: visit.zone.clone(), at: now });
            }
        }
        let silent = |v: &Visit| now.since(v.seen) > self.settings.leave_after;
        let mut gone: Vec<MemberId> =
            self.visits.iter().filter(|(_, v)| silent(v)).map(|(m, _)| *m).collect();
        gone.sort();
        for member in gone {
            changes.extend(self.end(member));
        }
        self.refusals.retain(|_, until| now.mono < *until);
        let expiry = TRACK_EXPIRY.max(self.settings.leave_after);
        self.ballots.retain(|_, ballot| now.since(ballot.seen) <= expiry);
        changes
    }

    /// "Not this person": ends the member's visit to the zone. Its tracks are never taken for that
    /// member again, nor is any face in the zone until no face has looked like them for the
    /// settings' `leave_after`.
    pub fn dismiss(&mut self, member: MemberId, zone: &ZoneId, now: Now) -> Vec<Presence> {
        let Some(visit) = self.visits.get(&member).filter(|v| &v.zone == zone) else {
            return Vec::new();
        };
        for track in &visit.tracks {
            if let Some(ballot) = self.ballots.get_mut(track) {
                ballot.refused.push(member);
            }
        }
        self.refusals.insert((member, zone.clone()), now.mono + self.settings.leave_after);
        self.end(member).into_iter().collect()
    }

    /// Ends a member's visit and takes back every vote, as when they are erased or withdraw.
    pub fn forget(&mut self, member: MemberId) -> Vec<Presence> {
        self.refusals.retain(|(m, _), _| *m != member);
        let left = self.end(member);
        for ballot in self.ballots.values_mut() {
            ballot.clear_of(member);
        }
        left.into_iter().collect()
    }

    /// Ends every visit and forgets every track, as when recognition is switched off.
    pub fn clear(&mut self) -> Vec<Presence> {
        let mut members: Vec<MemberId> = self.visits.keys().copied().collect();
        members.sort();
        let changes = members.into_iter().filter_map(|m| self.end(m)).collect();
        self.ballots.clear();
        self.refusals.clear();
        changes
    }

    /// What is known of a track; undecided if it is not known at all.
    pub fn who(&self, track: TrackId) -> TrackState {
        self.ballots.get(&track).map_or(TrackState::Undecided, |b| b.state(&self.settings))
    }

    /// The members present: who, where, since when.
    pub fn present(&self) -> impl Iterator<Item = (MemberId, &ZoneId, Now)> {
        self.visits.iter().map(|(member, visit)| (*member, &visit.zone, visit.entered))
    }

    /// Living tracks that votes are kept for.
    pub fn tracks(&self) -> usize {
        self.ballots.len()
    }

    fn drop_track(&mut self, track: TrackId) {
        if let Some(member) = self.ballots.remove(&track).and_then(|b| b.decided)
            && let Some(visit) = self.visits.get_mut(&member)
        {
            visit.tracks.retain(|t| *t != track);
        }
    }

    fn release(&mut self, track: TrackId, member: MemberId) {
        if let Some(ballot) = self.ballots.get_mut(&track) {
            ballot.clear();
        }
        if let Some(visit) = self.visits.get_mut(&member) {
            visit.tracks.retain(|t| *t != track);
        }
    }

    fn end(&mut self, member: MemberId) -> Option<Presence> {
        let visit = self.visits.remove(&member)?;
        for track in &visit.tracks {
            if let Some(ballot) = self.ballots.get_mut(track) {
                ballot.clear();
            }
        }
        Some(Presence::Left { member, zone: visit.zone, entered: visit.entered, at: visit.seen })
    }
}

#[cfg(test)]
#[path = "visits_tests.rs"]
mod tests;
