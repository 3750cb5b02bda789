//! What the deciding thread reads again because another thread or process changed it: members and
//! their templates, products and stock, receipts, the model at work.
//!
//! What always holds: what cannot be read leaves what is known in use; a single receipt is learned in
//! place, and many are read by the stock-taking thread, so nobody before a display waits for them.

use super::{Decider, stocktake};
use crate::clock::Now;
use crate::daemon::station::Station;
use crate::daemon::stocktake::Taken;
use crate::gallery::Gallery;
use crate::id::{MemberId, ZoneId};
use crate::recommend::Audience;
use crate::storage::{Revisions, StorageError};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often it asks whether another process changed members or products.
const LOOK_ROUND: Duration = Duration::from_secs(1);
/// Catalogue and popularity are read again at least so often.
const CATALOGUE_AGE: Duration = Duration::from_secs(600);
/// After new receipts they are read again once so many times as long has passed as reading took: a
/// large store's thread is not held up by it, and a small store's displays follow within seconds.
const CATALOGUE_REST: u32 = 500;
/// And not more often than this.
const CATALOGUE_PAUSE: Duration = Duration::from_secs(2);
/// Reading all receipts that has not ended by then has failed, and is asked for again.
const STOCKTAKE_ENDS: Duration = Duration::from_secs(600);
/// All receipts are read again at least so often.
const STOCKTAKE: Duration = Duration::from_secs(24 * 3600);
/// When so many members have new receipts at once, all receipts are read again instead.
const MANY: usize = 200;

impl Decider {
    /// Reads again what another thread or process changed: members, templates, products, stock.
    pub(super) fn look_round(&mut self, now: Now) {
        if self.looked.is_some_and(|at| now.since(at) < LOOK_ROUND) {
            return;
        }
        self.looked = Some(now);
        if let Err(error) = self.refresh(now) {
            tracing::error!(id = "shop-unread", %error, "members and products cannot be read; those known are used on");
        }
    }

    fn refresh(&mut self, now: Now) -> Result<(), StorageError> {
        let revisions = self.store.revisions()?;
        let before = self.read;
        if before.is_none_or(|(_, known)| known.gallery != revisions.gallery) {
            self.refresh_gallery()?;
        }
        self.refresh_receipts(revisions.receipts, now)?;
        let old = |(at, known): (Now, Revisions)| {
            known.catalogue != revisions.catalogue
                || now.since(at) >= CATALOGUE_AGE
                || (self.sold != revisions.receipts && now.since(at) >= self.catalogue_rest)
        };
        if before.is_none_or(old) {
            self.refresh_catalogue(now)?;
            self.sold = revisions.receipts;
            let took = self.clock.now().since(now);
            self.catalogue_rest = CATALOGUE_PAUSE.max(took * CATALOGUE_REST);
            self.read = Some((now, revisions));
        } else {
            self.read = before.map(|(at, _)| (at, revisions));
        }
        Ok(())
    }

    fn refresh_gallery(&mut self) -> Result<(), StorageError> {
        let mut gallery = Gallery::new(self.embedder.model.as_str(), self.embedder.dimensions);
        let templates = self.store.templates()?;
        let known: BTreeSet<MemberId> = templates.iter().map(|t| t.member).collect();
        let refused: BTreeSet<MemberId> =
            gallery.extend(templates).into_iter().map(|(member, _)| member).collect();
        if !refused.is_empty() {
            tracing::warn!(
                id = "templates-of-another-model",
                members = refused.len(),
                "templates of another embedder are not used: those members need to enrol again"
            );
        }
        self.gallery = gallery;
        // Whoever was erased is no evidence about anybody from now on.
        let members: BTreeSet<MemberId> = self.store.members()?.into_iter().map(|m| m.id).collect();
        let erased: Vec<MemberId> = self.shop.members().filter(|m| !members.contains(m)).collect();
        erased.into_iter().for_each(|member| self.shop.forget(member));
        let gone: BTreeSet<MemberId> =
            self.here.keys().map(|(m, _)| *m).filter(|m| !known.contains(m)).collect();
        for member in gone {
            let by_card = self.cards.values().any(|(m, _)| *m == member);
            if by_card && self.store.member(member)?.is_some() {
                continue;
            }
            self.cards.retain(|_, (m, _)| *m != member);
            for presence in self.visits.forget(member) {
                self.present(presence);
            }
            let zones: Vec<ZoneId> =
                self.here.keys().filter(|(m, _)| *m == member).map(|(_, z)| z.clone()).collect();
            zones.into_iter().for_each(|zone| self.depart(member, zone, self.clock.now()));
            self.dismissed.remove(&member);
            self.views.remove(&member);
            self.awaited.retain(|a| a.slate.audience != Audience::Personal { member });
        }
        Ok(())
    }

    fn refresh_catalogue(&mut self, now: Now) -> Result<(), StorageError> {
        let catalogue = stocktake::catalogue(&self.store, &self.time_zone, now.utc)?;
        self.shop.describe(catalogue.iter().map(|(product, _)| product));
        self.catalogue = catalogue;
        self.refresh_store_slates(now);
        // Who was shown nothing because nothing could be said may be shown something now.
        let empty: Vec<MemberId> = self.stations.iter().filter_map(Station::serving_nothing_to).collect();
        empty.into_iter().for_each(|member| self.remake(member, now));
        Ok(())
    }

    fn refresh_store_slates(&mut self, now: Now) {
        let mut stations = std::mem::take(&mut self.stations);
        for station in &mut stations {
            if let Some(slate) = station.refresh_store(&mut self.means(now)) {
                self.made(slate, &station.settings.zone);
            }
        }
        self.stations = stations;
    }

    /// Learns receipts that came in, be it through another process, one member after the other. Many at
    /// once, another model gone live, or a day gone by: all receipts are read again.
    fn refresh_receipts(&mut self, newest: i64, now: Now) -> Result<(), StorageError> {
        let again = if self.taking { STOCKTAKE_ENDS } else { STOCKTAKE };
        let exchanged = !self.taking && stocktake::live_model(&self.store) != self.live;
        if exchanged || self.asked.is_none_or(|at| now.since(at) >= again) {
            self.ask_for_stocktake(now);
        } else if newest > self.receipts && !self.taking {
            let buyers = self.store.buyers_after(self.receipts)?;
            if buyers.len() > MANY {
                self.ask_for_stocktake(now);
            } else {
                self.receipts = newest;
                for member in buyers {
                    self.bought(member, now);
                }
            }
        }
        Ok(())
    }

    fn ask_for_stocktake(&mut self, now: Now) {
        self.asked = Some(now);
        self.taking = self.out.stocktake.ask();
        if !self.taking {
            tracing::error!(id = "receipts-not-read", "receipts are not read any more; restart the service");
        }
    }

    /// All receipts were read again: whoever is being served gets a slate made from them.
    pub(super) fn take(&mut self, taken: Taken, now: Now) {
        self.shop = taken.shop;
        self.receipts = taken.receipts;
        self.left_out = taken.left_out;
        self.live = taken.live;
        self.taking = false;
        // Members erased while it was read are forgotten in this one too.
        (self.read, self.looked) = (None, None);
        self.look_round(now);
        tracing::info!(model = self.shop.trained().unwrap_or("none yet"), "all receipts were read");
        self.refresh_store_slates(now);
        let served: BTreeSet<MemberId> = self.stations.iter().filter_map(Station::serving).collect();
        served.into_iter().for_each(|member| self.remake(member, now));
    }

    /// A receipt of a member was stored.
    pub(super) fn bought(&mut self, member: MemberId, now: Now) {
        if self.left_out.contains(&member) {
            return;
        }
        if let Err(error) = self.learn(member) {
            tracing::error!(id = "receipt-not-learned", %error, "a receipt cannot be learned from now; it is kept");
        }
        self.remake(member, now);
    }

    /// Learns what a member bought since; all of it again where something else changed too.
    fn learn(&mut self, member: MemberId) -> Result<(), StorageError> {
        let (known, last) = self.shop.known(member);
        match self.store.history_since(member, known, last)? {
            Some(more) => self.shop.learn_more(member, more),
            None => self.shop.learn(member, &self.store.history(member)?),
        }
        Ok(())
    }
}
