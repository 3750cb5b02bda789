//! Who comes and goes, recognised or by card, and what is told of it: stations, the recorder, the bus,
//! the staff.
//!
//! What always holds: a member is in a zone once, however they came; whoever showed a card stays until
//! they are done, whatever cameras see; whoever leaves is off every screen of the zone.

use super::{Decider, Here};
use crate::clock::Now;
use crate::daemon::record::Record;
use crate::history::View;
use crate::id::{DisplayId, MemberId, ZoneId};
use crate::ops::metrics::Metrics;
use crate::publish::wire::{VisitMessage, VisitTag};
use crate::visit::Presence;
use crate::web::{Guest, LiveWhat};
use std::collections::{BTreeMap, BTreeSet};

impl Decider {
    pub(super) fn present(&mut self, presence: Presence) {
        match presence {
            Presence::Entered { member, zone, at, captured, votes, score } => {
                Metrics::observe(&self.out.metrics.decision, at.since(captured));
                tracing::info!(%zone, votes, score = f64::from(score), "a member came");
                self.out.review.recognised(score);
                self.arrive(member, zone, at, captured, votes, score);
            }
            Presence::Dwelt { zone, .. } => tracing::debug!(%zone, "a member stays"),
            Presence::Left { member, zone, at, .. } => {
                // Whoever showed a card here stays until they are done.
                if !self.cards.values().any(|(m, z)| *m == member && *z == zone) {
                    tracing::info!(%zone, "a member left");
                    self.depart(member, zone, at);
                }
            }
        }
    }

    /// A member is in a zone from now on, recognised or by card.
    pub(super) fn arrive(
        &mut self,
        member: MemberId,
        zone: ZoneId,
        at: Now,
        captured: Now,
        votes: u32,
        score: f32,
    ) {
        if self.here.contains_key(&(member, zone.clone())) {
            return;
        }
        self.out.metrics.visits.inc();
        self.out.metrics.present.inc();
        let known = self.store.member(member).ok().flatten();
        let views = known.as_ref().is_some_and(|m| m.views_consent);
        let (alias, since) = known.map_or((String::new(), None), |m| (m.alias, Some(m.joined)));
        let tag = VisitTag::random();
        self.tell(VisitMessage { visit: tag.clone(), zone: zone.clone(), entered: at.utc, left: None });
        self.event(at, LiveWhat::Entered { alias: alias.clone(), zone: zone.clone(), votes, score });
        self.out.recorder.send(Record::Entered { member, zone: zone.clone(), at: at.utc });
        self.stations_of(&zone).for_each(|s| s.enter(member));
        let here = Here { alias, tag, entered: at, seen: captured.utc, views, since, votes, score };
        self.here.insert((member, zone), here);
    }

    /// A member is in a zone no longer. What they dwelt before there is theirs, if they agreed to that.
    pub(super) fn depart(&mut self, member: MemberId, zone: ZoneId, at: Now) {
        let Some(here) = self.here.get(&(member, zone.clone())) else { return };
        let (began, dwelt) = (here.entered.utc, at.since(here.entered));
        if here.views && dwelt >= self.recognition.dwell_after {
            let lasts = self.policy.view_lasts;
            self.views.values_mut().for_each(|v| v.retain(|_, left| at.since(*left) < lasts));
            self.views.retain(|_, v| !v.is_empty());
            for category in self.categories_of(&zone) {
                self.views.entry(member).or_default().insert(category.clone(), at);
                self.out.recorder.send(Record::Viewed { member, view: View { category, at: began, dwelt } });
            }
        }
        self.take_leave(member, zone, at);
    }

    /// What stands in a zone, as far as its displays tell.
    fn categories_of(&self, zone: &ZoneId) -> BTreeSet<String> {
        let of_zone = self.stations.iter().filter(|s| s.settings.zone == *zone);
        of_zone.filter_map(|s| s.settings.category.clone()).collect()
    }

    /// The categories that a member dwelt before during this visit, elsewhere than in this zone, with the
    /// minutes since.
    pub(super) fn viewed(&mut self, member: MemberId, zone: &ZoneId, now: Now) -> BTreeMap<String, u32> {
        let minutes = |at: Now| (now.since(at).as_secs() / 60) as u32;
        let mut viewed = BTreeMap::new();
        if let Some(views) = self.views.get_mut(&member) {
            views.retain(|_, at| now.since(*at) < self.policy.view_lasts);
            viewed.extend(views.iter().map(|(category, at)| (category.clone(), minutes(*at))));
        }
        let elsewhere = self.here.iter().filter(|((m, z), _)| *m == member && z != zone);
        for ((_, other), here) in elsewhere {
            if here.views && now.since(here.entered) >= self.recognition.dwell_after {
                viewed.extend(self.categories_of(other).into_iter().map(|category| (category, 0)));
            }
        }
        viewed
    }

    fn take_leave(&mut self, member: MemberId, zone: ZoneId, at: Now) {
        let Some(here) = self.here.remove(&(member, zone.clone())) else { return };
        self.out.metrics.present.dec();
        self.out.recorder.send(Record::Left { member, zone: zone.clone(), at: at.utc });
        self.stations_of(&zone).for_each(|s| s.leave(member));
        let left = Some(at.utc.max(here.entered.utc));
        self.tell(VisitMessage { visit: here.tag, zone: zone.clone(), entered: here.entered.utc, left });
        let stayed = Some(at.since(here.entered));
        self.event(at, LiveWhat::Left { alias: here.alias, zone, stayed });
    }

    /// Someone showed a card at a kiosk, or is done there.
    pub(super) fn card(&mut self, kiosk: &DisplayId, member: Option<MemberId>, now: Now) {
        if let Some((before, zone)) = self.cards.remove(kiosk) {
            let seen = self.visits.present().any(|(m, z, _)| m == before && *z == zone);
            let elsewhere = self.cards.values().any(|(m, z)| *m == before && *z == zone);
            if !seen && !elsewhere {
                self.depart(before, zone, now);
            }
        }
        let zone = self.stations.iter().find(|s| s.settings.id == *kiosk).map(|s| s.settings.zone.clone());
        if let Some((member, zone)) = member.zip(zone) {
            self.cards.insert(kiosk.clone(), (member, zone.clone()));
            self.arrive(member, zone, now, now, 0, 0.0);
        }
    }

    /// "Not this person": the visit ends, and the score that made it is kept for the threshold's review.
    pub(super) fn not_them(&mut self, member: MemberId, zone: &ZoneId, now: Now) {
        let Some(here) = self.here.get(&(member, zone.clone())) else { return };
        let (score, votes) = ((here.votes > 0).then_some(here.score), here.votes);
        self.out.recorder.send(Record::Refused { member, zone: zone.clone(), at: now.utc, score, votes });
        self.cards.retain(|_, (m, z)| *m != member || z != zone);
        // They were not here: nothing that was dwelt before here is theirs.
        self.take_leave(member, zone.clone(), now);
        for presence in self.visits.dismiss(member, zone, now) {
            self.present(presence);
        }
    }

    pub(super) fn say_who_is_here(&self) {
        let guest = |((member, zone), here): (&(MemberId, ZoneId), &Here)| Guest {
            member: *member,
            alias: here.alias.clone(),
            zone: zone.clone(),
            since: here.entered.utc,
            joined: here.since,
            score: (here.votes > 0).then_some(here.score),
            slates: self
                .stations
                .iter()
                .filter(|s| s.settings.zone == *zone && s.serving() == Some(*member))
                .filter_map(|s| Some((s.settings.id.clone(), s.shown()?)))
                .collect(),
        };
        self.out.floor.set(self.here.iter().map(guest).collect());
    }
}
