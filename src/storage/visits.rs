//! Visits and views, of members only: there is no way to write one of anybody else.

use super::{StorageError, Store, columns};
use crate::history::View;
use crate::id::{MemberId, VisitId, ZoneId};
use jiff::Timestamp;
use rusqlite::params;
use std::time::Duration;

impl Store {
    /// A member came to a zone.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMember`] if the member was erased meanwhile.
    pub fn enter_visit(
        &self,
        member: MemberId,
        zone: &ZoneId,
        at: Timestamp,
    ) -> Result<VisitId, StorageError> {
        let zone = zone.clone();
        self.write(move |db| {
            super::members::expect(db, member)?;
            db.prepare_cached("INSERT INTO visits (member, zone, entered) VALUES (?, ?, ?)")?
                .execute(params![member.0, zone.as_str(), at.as_millisecond()])?;
            Ok(VisitId(db.last_insert_rowid()))
        })
    }

    /// The member left. A visit that has ended, or went with its member, stays as it is. If the clock
    /// was set back meanwhile, the visit ends when it began.
    pub fn leave_visit(&self, visit: VisitId, at: Timestamp) -> Result<(), StorageError> {
        self.write(move |db| {
            db.prepare_cached("UPDATE visits SET left = MAX(?, entered) WHERE id = ? AND left IS NULL")?
                .execute([at.as_millisecond(), visit.0])?;
            Ok(())
        })
    }

    /// Ends visits that a daemon left open when it was cut off: nobody knows how long they lasted, so
    /// they end when they began. For the daemon's start; returns how many there were.
    pub fn end_open_visits(&self) -> Result<u32, StorageError> {
        self.write(|db| Ok(db.execute("UPDATE visits SET left = entered WHERE left IS NULL", [])? as u32))
    }

    /// Keeps the score of a recognition that staff said was wrong; `None` when a card had been shown.
    pub fn record_refusal(
        &self,
        member: MemberId,
        zone: &ZoneId,
        at: Timestamp,
        score: Option<f32>,
        votes: u32,
    ) -> Result<(), StorageError> {
        let zone = zone.clone();
        self.write(move |db| {
            super::members::expect(db, member)?;
            db.prepare_cached(
                "INSERT INTO refusals (at, zone, member, score, votes) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![at.as_millisecond(), zone.as_str(), member.0, score, votes])?;
            Ok(())
        })
    }

    /// Scores of recognitions that staff said were wrong, newest first, at most `most`.
    pub fn refused_scores(&self, most: usize) -> Result<Vec<f32>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(
                "SELECT score FROM refusals WHERE score IS NOT NULL ORDER BY at DESC LIMIT ?",
            )?;
            let scores = rows.query_map([most as i64], |r| r.get(0))?.collect::<Result<_, _>>()?;
            Ok(scores)
        })
    }

    /// A member dwelt before a shelf. The database refuses it without a consent to a text that says so.
    pub fn add_view(&self, member: MemberId, view: View) -> Result<(), StorageError> {
        let dwelt = i64::try_from(view.dwelt.as_millis()).unwrap_or(i64::MAX);
        self.write(move |db| {
            super::members::expect(db, member)?;
            db.prepare_cached("INSERT INTO views (member, category, at, milliseconds) VALUES (?, ?, ?, ?)")?
                .execute(params![member.0, view.category, view.at.as_millisecond(), dwelt])?;
            Ok(())
        })
    }

    /// What a member dwelt before since then, oldest first.
    pub fn views_since(&self, member: MemberId, since: Timestamp) -> Result<Vec<View>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(
                "SELECT category, at, milliseconds FROM views WHERE member = ? AND at >= ? ORDER BY at, id",
            )?;
            let view = |r: &rusqlite::Row<'_>| {
                let dwelt = Duration::from_millis(r.get::<_, i64>(2)?.unsigned_abs());
                Ok(View { category: r.get(0)?, at: columns::time(r, 1)?, dwelt })
            };
            let views =
                rows.query_map([member.0, since.as_millisecond()], view)?.collect::<Result<_, _>>()?;
            Ok(views)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::consent::Scope;
    use crate::storage::fixture::{Shop, at, new_member};

    fn left(shop: &Shop) -> Vec<Option<i64>> {
        shop.store
            .read(|db| {
                let mut rows = db.prepare("SELECT (left - entered) / 1000 FROM visits ORDER BY id")?;
                let left = rows.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
                Ok(left)
            })
            .unwrap()
    }

    #[test]
    fn a_visit_ends_once_and_one_cut_off_ends_at_the_next_start() {
        let shop = Shop::new();
        let anna = shop.member(Scope::Face);
        let zone: ZoneId = "tea".parse().unwrap();
        let first = shop.store.enter_visit(anna.id, &zone, at(0)).unwrap();
        shop.store.leave_visit(first, at(30)).unwrap();
        shop.store.leave_visit(first, at(99)).unwrap();
        let back = shop.store.enter_visit(anna.id, &zone, at(100)).unwrap();
        shop.store.leave_visit(back, at(50)).unwrap();
        shop.store.enter_visit(anna.id, &zone, at(200)).unwrap();
        assert_eq!(left(&shop), [Some(30), Some(0), None]);
        let shop = shop.reopen(|_| {});
        assert_eq!(shop.store.end_open_visits().unwrap(), 1);
        assert_eq!(left(&shop), [Some(30), Some(0), Some(0)]);
    }

    #[test]
    fn only_members_have_visits_and_views() {
        let shop = Shop::new();
        let nobody = MemberId(5);
        assert!(shop.store.enter_visit(nobody, &"tea".parse().unwrap(), at(0)).is_err());
        let view = |s| View { category: "Tea".into(), at: at(s), dwelt: Duration::from_secs(3) };
        assert!(shop.store.add_view(nobody, view(0)).is_err());
        let anna = shop.member(Scope::Face);
        shop.store.add_view(anna.id, view(0)).unwrap();
        shop.store.add_view(anna.id, view(60)).unwrap();
        assert_eq!(shop.store.views_since(anna.id, at(1)).unwrap(), [view(60)]);
        assert_eq!(shop.store.history(anna.id).unwrap().views, [view(0), view(60)]);
        shop.store.add_consent_text("shop-1", "I agree.").unwrap();
        let mut new = new_member(Scope::Card);
        new.consent.version = "shop-1".into();
        let ben = shop.store.add_member(new).unwrap();
        assert!(!ben.views_consent && anna.views_consent);
        assert!(shop.store.add_view(ben.id, view(0)).is_err(), "a view of one who did not agree to it");
        assert_eq!(shop.store.erase_member(anna.id, "test", at(99)).unwrap().visits, 2);
        assert_eq!(shop.store.views_since(anna.id, at(0)).unwrap(), []);
    }
}
