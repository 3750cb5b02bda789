//! Retention: what is older than the settings allow goes by itself. The cut-off never goes back and
//! moves on by at most [`STEP`] a call, so that a clock that jumped years ahead cannot empty the
//! database: with one call a day there is time to notice. Members, their consent and templates stay
//! until they are erased.

use super::{StorageError, Store};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

/// How far the cut-off moves in one call.
pub const STEP: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Rows deleted in one transaction, so that other changes get their turn.
const CHUNK: i64 = 2_000;

/// What one call deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Receipts, with their lines.
    pub receipts: u64,
    /// Visits and views.
    pub visits: u64,
    /// Slates, with their impressions and outcomes.
    pub slates: u64,
    /// Scores that staff refused.
    pub refusals: u64,
    /// There is more to expire than one call may: call again (a day later, if the clock is in doubt).
    pub behind: bool,
}

impl Store {
    /// Deletes receipts, visits, views, slates and refused scores older than `keep_days` before `now`. For a call a
    /// day.
    pub fn expire(&self, now: Timestamp, keep_days: u32) -> Result<Expired, StorageError> {
        let keep = SignedDuration::from_hours(i64::from(keep_days) * 24);
        let wanted = now.checked_sub(keep).unwrap_or(Timestamp::MIN).as_millisecond();
        let Some(until) = self.write(move |db| advance(db, wanted))? else { return Ok(Expired::default()) };
        let mut expired = Expired { behind: until < wanted, ..Expired::default() };
        expired.receipts = self.delete_before("receipts", "at", until)?;
        expired.visits = self.delete_before("views", "at", until)?;
        expired.slates = self.delete_before("slates", "made", until)?;
        expired.visits += self.delete_before("visits", "entered", until)?;
        expired.refusals = self.delete_before("refusals", "at", until)?;
        Ok(expired)
    }

    fn delete_before(&self, table: &str, time: &str, until: i64) -> Result<u64, StorageError> {
        let chosen = format!("SELECT rowid FROM {table} WHERE {time} < ? LIMIT {CHUNK}");
        let sql = format!("DELETE FROM {table} WHERE rowid IN ({chosen})");
        let mut total = 0;
        loop {
            let sql = sql.clone();
            let gone = self.write(move |db| Ok(db.execute(&sql, [until])?))?;
            total += gone as u64;
            if gone < CHUNK as usize {
                return Ok(total);
            }
        }
    }
}

/// The new cut-off, kept; `None` if there is nothing to expire.
fn advance(db: &Connection, wanted: i64) -> Result<Option<i64>, StorageError> {
    let kept: Option<i64> = db.query_row("SELECT until FROM retention", [], |r| r.get(0)).optional()?;
    let oldest: Option<i64> = db.query_row(
        "SELECT MIN(t) FROM (SELECT MIN(at) AS t FROM receipts UNION ALL SELECT MIN(at) FROM views \
         UNION ALL SELECT MIN(made) FROM slates UNION ALL SELECT MIN(entered) FROM visits \
         UNION ALL SELECT MIN(at) FROM refusals)",
        [],
        |r| r.get(0),
    )?;
    let Some(oldest) = oldest.filter(|t| *t < wanted) else { return Ok(None) };
    let from = kept.map_or(oldest, |k| k.max(oldest));
    // A clock that was set back asks for less than was done: the cut-off stays.
    let until = wanted.min(from.saturating_add(STEP.as_millis() as i64)).max(kept.unwrap_or(i64::MIN));
    db.execute("INSERT OR REPLACE INTO retention VALUES (1, ?)", [until])?;
    Ok(Some(until.min(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::fixture::{Shop, at, receipt};

    const DAY: i64 = 86_400;

    fn shop() -> Shop {
        let shop = Shop::new();
        for day in 0..100 {
            let mut r = receipt(&format!("r{day}"), None, &[("tea", 1.0)]);
            r.at = at(day * DAY);
            shop.store.record_receipt(&r).unwrap();
        }
        shop
    }

    #[test]
    fn what_is_older_than_allowed_goes_and_the_rest_stays() {
        let shop = shop();
        let expired = shop.store.expire(at(100 * DAY), 80).unwrap();
        assert_eq!((expired.receipts, expired.behind), (20, false));
        assert_eq!(shop.store.counts().unwrap().receipts, 80);
        assert_eq!(shop.store.expire(at(100 * DAY), 80).unwrap(), Expired::default());
        assert!(shop.store.check().unwrap().is_empty());
    }

    #[test]
    fn what_staff_refused_goes_with_the_rest() {
        let shop = shop();
        let anna = shop.member(crate::privacy::consent::Scope::Face);
        for day in [1, 99] {
            shop.store.record_refusal(anna.id, &"tea".parse().unwrap(), at(day * DAY), Some(0.5), 3).unwrap();
        }
        assert_eq!(shop.store.expire(at(100 * DAY), 80).unwrap().refusals, 1);
        assert_eq!(shop.store.refused_scores(9).unwrap().len(), 1);
    }

    #[test]
    fn a_clock_that_jumped_years_ahead_does_not_empty_the_database() {
        let shop = shop();
        let expired = shop.store.expire(at(100 * 365 * DAY), 80).unwrap();
        assert!(expired.behind);
        assert_eq!(shop.store.counts().unwrap().receipts, 70);
    }

    #[test]
    fn a_clock_that_was_set_back_brings_the_cut_off_no_further() {
        let shop = shop();
        shop.store.expire(at(100 * DAY), 80).unwrap();
        assert_eq!(shop.store.expire(at(50 * DAY), 80).unwrap(), Expired::default());
        assert_eq!(shop.store.counts().unwrap().receipts, 80);
    }
}
