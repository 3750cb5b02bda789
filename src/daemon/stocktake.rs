//! The stock-taking thread: reads all receipts and the model into a new [`Shop`], away from the
//! deciding thread, which goes on with the one it has meanwhile.
//!
//! What always holds: a shop that cannot be read leaves the one in use in place; receipts that came
//! while it was read are learned by whoever takes it, because it says how far it has read.

use super::decide::Input;
use crate::clock::Clock;
use crate::history::screening;
use crate::id::{MemberId, ProductId};
use crate::recommend::{Catalogue, Sales, Shop, Trained, likelier};
use crate::storage::{StorageError, Store};
use crate::train::shelf::Shelf;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// A year, for what is bought at this time of it.
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);
/// What a season is: so long from this day on, a year ago.
const SEASON: SignedDuration = SignedDuration::from_hours(28 * 24);

/// The name of the model that should be at work; `None` if there is none or it cannot be told.
pub fn live_model(store: &Store) -> Option<String> {
    Shelf::of_store(store.folder()).live_id().ok().flatten()
}

/// A shop just read, and the newest receipt that it knows.
pub struct Taken {
    /// The shop.
    pub shop: Shop,
    /// Row of the newest receipt that was read.
    pub receipts: i64,
    /// The model that was live when it was read.
    pub live: Option<String>,
    /// Members that are tills or businesses: their receipts say nothing of anybody's taste.
    pub left_out: BTreeSet<MemberId>,
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a shop up to receipt {}", self.receipts)
    }
}

/// Asks for stock to be taken. Cheap to clone; asking twice before it begins is asking once.
#[derive(Debug, Clone)]
pub struct Asks(SyncSender<()>);

impl Asks {
    /// The asking end and the end that [`run`] reads.
    pub fn new() -> (Asks, Receiver<()>) {
        let (ask, asked) = sync_channel(1);
        (Asks(ask), asked)
    }

    /// Asks; false if the thread is gone.
    pub fn ask(&self) -> bool {
        !matches!(self.0.try_send(()), Err(TrySendError::Disconnected(())))
    }
}

/// Takes stock whenever it is asked to, until nobody can ask any more or nobody decides.
pub fn run(asked: &Receiver<()>, store: &Store, clock: &Clock, decider: &SyncSender<Input>) {
    for () in asked {
        match take(store, clock.now().utc) {
            Ok(taken) => {
                if decider.send(Input::Shop(Box::new(taken))).is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(id = "receipts-unread", %error, "the receipts cannot be read; suggestions go on with those known");
            }
        }
    }
}

/// Reads everything once.
pub fn take(store: &Store, now: Timestamp) -> Result<Taken, StorageError> {
    let receipts = store.revisions()?.receipts;
    let live = live_model(store);
    let products = store.products()?;
    let all = store.histories()?;
    let members: BTreeSet<MemberId> = all.keys().copied().collect();
    let histories = screening::screen(all, now).histories;
    let left_out: BTreeSet<MemberId> = members.into_iter().filter(|m| !histories.contains_key(m)).collect();
    let (model, refused) = Shelf::of_store(store.folder()).last_good();
    for error in refused {
        tracing::error!(id = "ranker-refused", %error, "a trained model is not used; `shopguide train --list` shows them all");
    }
    let trained = model.map(|m| Trained { id: m.id, learned: m.learned, products: m.products });
    let mut shop = Shop::new(&products, &histories, seasons(store, now)?, trained);
    // Whoever can be recognised will be asked about.
    for template in store.templates()? {
        shop.prepare(template.member);
    }
    Ok(Taken { shop, receipts, live, left_out })
}

/// Popularity is counted over this many days.
const POPULAR_DAYS: u32 = 28;

/// Reads the catalogue with the sales of the last weeks.
pub fn catalogue(store: &Store, time_zone: &TimeZone, now: Timestamp) -> Result<Catalogue, StorageError> {
    let since = now - SignedDuration::from_hours(24 * i64::from(POPULAR_DAYS));
    let ahead = time_zone.to_offset(now).seconds();
    let sales = store.sales(since, now, ahead)?;
    let catalogue = Catalogue::new(store.products()?, &sales, POPULAR_DAYS);
    Ok(catalogue.with_new(store.new_products(since)?))
}

/// For each product the logarithm of how much more it was bought from this day of the year on, a year
/// ago, than over that whole year; nothing for a store that has not been open for a year.
fn seasons(store: &Store, now: Timestamp) -> Result<HashMap<ProductId, f32>, StorageError> {
    let ago = now - YEAR;
    let season = store.sales(ago, ago + SEASON, 0)?;
    let all = |sales: &[u32]| sales.iter().sum::<u32>() as f32;
    let in_season: f32 = season.values().map(|s| all(s)).sum();
    if in_season == 0.0 {
        return Ok(HashMap::new());
    }
    let year = store.sales(ago, now, 0)?;
    let usual = in_season / year.values().map(|s| all(s)).sum::<f32>().max(1.0);
    let likelier = |(id, sales): (&ProductId, &Sales)| {
        let here = season.get(id).map_or(0.0, |s| all(s));
        (*id, likelier(here, all(sales), usual))
    };
    Ok(year.iter().map(likelier).collect())
}
