//! One day of the shop in figures, for the staff.

use super::{StorageError, Store};
use jiff::Timestamp;
use serde::Serialize;

/// Figures of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Day {
    /// Visits of members.
    pub visits: u64,
    /// Members who came.
    pub members: u64,
    /// Personal slates that a display confirmed.
    pub shown: u64,
    /// Products taken from a slate, as a person said.
    pub taken: u64,
    /// Products dismissed.
    pub dismissed: u64,
    /// Products bought after they were shown.
    pub bought: u64,
    /// Receipts.
    pub receipts: u64,
    /// Receipts of members.
    pub member_receipts: u64,
    /// People who joined.
    pub joined: u64,
    /// "Not this person".
    pub refused: u64,
}

impl Store {
    /// What happened from `since` on.
    pub fn day(&self, since: Timestamp) -> Result<Day, StorageError> {
        let since = since.as_millisecond();
        self.read(|db| {
            let count = |sql: &str| -> rusqlite::Result<u64> {
                let n: i64 = db
                    .prepare_cached(&format!("SELECT COUNT({sql} >= ?"))?
                    .query_row([since], |r| r.get(0))?;
                Ok(n.unsigned_abs())
            };
            Ok(Day {
                visits: count("*) FROM visits WHERE entered")?,
                members: count("DISTINCT member) FROM visits WHERE entered")?,
                shown: count(
                    "*) FROM impressions i JOIN slates s ON s.id = i.slate WHERE s.member NOT NULL AND i.at",
                )?,
                taken: count("*) FROM outcomes WHERE kind = 'taken' AND at")?,
                dismissed: count("*) FROM outcomes WHERE kind = 'dismissed' AND at")?,
                bought: count("*) FROM outcomes WHERE kind = 'bought' AND at")?,
                receipts: count("*) FROM receipts WHERE at")?,
                member_receipts: count("*) FROM receipts WHERE member NOT NULL AND at")?,
                joined: count("*) FROM members WHERE joined")?,
                refused: count("*) FROM refusals WHERE at")?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::privacy::Scope;
    use crate::storage::fixture::{Shop, at};

    #[test]
    fn a_day_counts_what_happened_since_it_began() {
        let shop = Shop::new();
        let anna = shop.member(Scope::Face);
        for second in [1, 500] {
            shop.store.enter_visit(anna.id, &"tea".parse().unwrap(), at(second)).unwrap();
        }
        shop.store.record_refusal(anna.id, &"tea".parse().unwrap(), at(501), Some(0.5), 3).unwrap();
        let day = shop.store.day(at(400)).unwrap();
        assert_eq!((day.visits, day.members, day.refused), (1, 1, 1));
        assert_eq!(shop.store.refused_scores(9).unwrap(), [0.5]);
    }
}
