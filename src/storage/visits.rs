//! Visits and views, of members only: there is no way to write one of anybody else.

use super::{StorageError, Store};
use crate::id::{MemberId, ProductId, VisitId, ZoneId};
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

    /// A member dwelt before a product.
    pub fn add_view(
        &self,
        member: MemberId,
        product: ProductId,
        at: Timestamp,
        dwelt: Duration,
    ) -> Result<(), StorageError> {
        let dwelt = i64::try_from(dwelt.as_millis()).unwrap_or(i64::MAX);
        self.write(move |db| {
            super::members::expect(db, member)?;
            db.prepare_cached("INSERT INTO views (member, product, at, milliseconds) VALUES (?, ?, ?, ?)")?
                .execute([member.0, product.0, at.as_millisecond(), dwelt])?;
            Ok(())
        })
    }
}
