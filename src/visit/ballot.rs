//! The votes of one track. A look is a face compared with the gallery; a vote is a look that
//! names one member clearly. Only the last looks count, so that chance cannot add up for as
//! long as a stranger stands there. A ballot lives no longer than its track.

use super::TrackState;
use super::settings::RecognitionSettings;
use crate::clock::Now;
use crate::gallery::Match;
use crate::id::MemberId;
use std::collections::VecDeque;

/// Looks that are remembered, at least.
const LOOKS: usize = 10;
/// How far below the threshold a look at a decided member still speaks for them.
const WEAK: f32 = 0.15;
/// Looks in a row without support after which a decision is taken back.
const DOUBTS: usize = 4;

#[derive(Debug, Clone, Copy)]
struct Look {
    best: Option<(MemberId, f32)>,
    /// Whether it names `best` clearly.
    vote: bool,
}

/// A member that enough votes agree on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Claim {
    pub member: MemberId,
    pub votes: u32,
    /// Mean cosine of the votes.
    pub score: f32,
}

/// One track's votes.
#[derive(Debug)]
pub(super) struct Ballot {
    pub seen: Now,
    pub decided: Option<MemberId>,
    /// Members that this track is not, because a person said so.
    pub refused: Vec<MemberId>,
    looks: VecDeque<Look>,
}

impl Ballot {
    pub fn new(seen: Now) -> Ballot {
        Ballot { seen, decided: None, refused: Vec::new(), looks: VecDeque::new() }
    }

    /// Takes a look into account.
    pub fn cast(&mut self, found: &Match, threshold: f32, settings: &RecognitionSettings) {
        let clear =
            |(_, score): (MemberId, f32)| score >= threshold && score - found.second >= settings.margin;
        let capacity = LOOKS.max(3 * settings.votes as usize);
        while self.looks.len() >= capacity {
            self.looks.pop_front();
        }
        self.looks.push_back(Look { best: found.best, vote: found.best.is_some_and(clear) });
    }

    /// Takes the decision back if the last looks all speak against it; says whether it did.
    /// Those looks stay: they may already name another member.
    pub fn doubt(&mut self, threshold: f32) -> bool {
        let Some(member) = self.decided else { return false };
        let recent = self.looks.len().saturating_sub(DOUBTS);
        let supports = |look: &Look| look.best.is_some_and(|(m, s)| m == member && s >= threshold - WEAK);
        if self.looks.len() < DOUBTS || self.looks.range(recent..).any(supports) {
            return false;
        }
        self.looks.drain(..recent);
        self.decided = None;
        true
    }

    /// Forgets the votes and the decision.
    pub fn clear(&mut self) {
        self.looks.clear();
        self.decided = None;
    }

    /// Forgets one member's share in the looks.
    pub fn clear_of(&mut self, member: MemberId) {
        self.looks.retain(|look| look.best.is_none_or(|(m, _)| m != member));
        self.refused.retain(|m| *m != member);
    }

    /// The member that the votes agree on: enough votes, enough of them for the same member, and
    /// at least a third of all remembered looks.
    pub fn claim(&self, settings: &RecognitionSettings) -> Option<Claim> {
        let mut tally: Vec<(MemberId, u32, f32)> = Vec::new();
        let mut total = 0;
        for look in self.looks.iter().filter(|look| look.vote) {
            let Some((member, score)) = look.best else { continue };
            total += 1;
            match tally.iter_mut().find(|t| t.0 == member) {
                Some(t) => (t.1, t.2) = (t.1 + 1, t.2 + score),
                None => tally.push((member, 1, score)),
            }
        }
        let (member, votes, sum) =
            tally.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(a.2.total_cmp(&b.2)))?;
        let enough = votes >= settings.votes.max(1)
            && votes as f32 >= settings.agreement * total as f32
            && votes as usize * 3 >= self.looks.len();
        enough.then(|| Claim { member, votes, score: sum / votes as f32 })
    }

    /// What the live view says of the track.
    pub fn state(&self, settings: &RecognitionSettings) -> TrackState {
        let looked = self.looks.len() >= 2 * settings.votes.max(1) as usize;
        match self.decided {
            Some(member) => TrackState::Member(member),
            None if looked && !self.looks.iter().any(|look| look.vote) => TrackState::Stranger,
            None => TrackState::Undecided,
        }
    }
}
