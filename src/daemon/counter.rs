//! The staff's counterpart: signing in, products, a member by their card, the day.

use super::desk::{holder, known_of};
use super::status::Models;
use crate::clock::Clock;
use crate::display::StoreSettings;
use crate::privacy::audit::{Action, Audited};
use crate::privacy::password;
use crate::recommend::{Language, Money, Product};
use crate::storage::{Day, Role, StorageError, Store};
use crate::train::shelf::Shelf;
use crate::web::{Found, Kept, MemberFound};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// Products that a search gives at most.
const MOST: usize = 20;
/// Entries of the audit that are shown.
const AUDIT: usize = 50;
/// Scores that staff refused, of which the newest are drawn.
const REFUSED: usize = 200;
/// What is compared with when there is no such user, so that a name cannot be told from the time.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2hvcGd1aWRlLW5vYm9keQ$\
                      RdescudvJCsgt3ub+b5dWRWJTmaaJObG9bbmDsm+S6g";

/// Serves the staff. Every call blocks.
pub struct Counter {
    /// Where all is kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Currency and time zone.
    pub shop: StoreSettings,
    /// The networks at work.
    pub models: Arc<Mutex<Models>>,
}

impl Counter {
    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.shop.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// The role of whoever brings the right secret. Audited, whether it is right or not.
    pub fn sign_in(&self, name: &str, secret: &str) -> Option<Role> {
        let found = match self.store.user(name) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(id = "sign-in-broken", %error, "nobody can sign in");
                return None;
            }
        };
        let hash = found.as_ref().map_or(NOBODY, |(_, hash)| hash);
        let right = password::is_right(secret, hash) && found.is_some();
        // What is no user may be a secret typed into the wrong field: it is not kept.
        let by = found.as_ref().map_or("nobody known", |(user, _)| &user.name).to_owned();
        let detail = if right { "signed in" } else { "refused: wrong name or secret" }.to_owned();
        let at = self.clock.now().utc;
        if let Err(error) = self.store.audit(Audited { at, by, action: Action::Login, member: None, detail })
        {
            tracing::error!(id = "sign-in-broken", %error, "nobody can sign in, because it cannot be audited");
            return None;
        }
        found.filter(|_| right).map(|(user, _)| user.role)
    }

    /// Products that have all the words in name, SKU, brand or category; those in stock first.
    pub fn search(&self, words: &str) -> Result<Vec<Found>, StorageError> {
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        let all = |p: &Product| {
            let brand = p.brand.as_deref().unwrap_or_default();
            let text = format!("{} {} {brand} {}", p.sku, p.name, p.category.join(" ")).to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        let mut found: Vec<Product> =
            self.store.products()?.into_iter().filter(|p| !p.withdrawn && all(p)).collect();
        found.sort_by_key(|p| (p.stock == Some(0), p.name.clone()));
        let product = |p: Product| Found {
            price: self.shop.price(p.price),
            sku: p.sku,
            name: p.name,
            stock: p.stock,
            place: p.place,
        };
        Ok(found.into_iter().take(MOST).map(product).collect())
    }

    /// The member with the card that they handed over. The look is audited.
    pub fn member(&self, card: &str, by: &str) -> Result<Option<MemberFound>, StorageError> {
        let Some(member) = holder(&self.store, card)? else { return Ok(None) };
        let (at, zone) = (self.clock.now().utc, self.zone());
        let detail = "by the card, at the staff screen".to_owned();
        let by = format!("staff {by}");
        self.store.audit(Audited { at, by, action: Action::View, member: Some(member.id), detail })?;
        let knows = known_of(&self.store, member.id, &zone, Language::En, at)?;
        let since = member.joined.to_zoned(zone).strftime("%F").to_string();
        Ok(Some(MemberFound { alias: member.alias, since, knows }))
    }

    /// All that is kept of the member with the card that they handed over, to be printed for them: times
    /// and prices as a person reads them. The copy is audited.
    pub fn copy(&self, card: &str, by: &str) -> Result<Option<Value>, StorageError> {
        let Some(member) = holder(&self.store, card)? else { return Ok(None) };
        let mut copy = self.store.export(member.id, &format!("staff {by}"), self.clock.now().utc)?;
        self.readable(&mut copy);
        Ok(Some(copy))
    }

    fn readable(&self, value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|v| self.readable(v)),
            Value::Object(map) => {
                if let Some(price) = map.get("unit_price").and_then(Value::as_i64) {
                    map.insert("unit_price".into(), self.shop.price(Money(price)).into());
                }
                map.values_mut().for_each(|v| self.readable(v));
            }
            Value::String(text) => {
                if let Ok(at) = text.parse::<jiff::Timestamp>() {
                    *text = at.to_zoned(self.zone()).strftime("%F %R").to_string();
                }
            }
            _ => {}
        }
    }

    /// The day so far, from midnight of the store's own time.
    pub fn day(&self) -> Result<Day, StorageError> {
        let now = self.clock.now().utc.to_zoned(self.zone());
        let midnight = now.start_of_day().map_or(now.timestamp(), |z| z.timestamp());
        self.store.day(midnight)
    }

    /// An administrator watches the cameras. Audited, or it may not be.
    pub fn watches(&self, by: &str) -> Result<(), StorageError> {
        let (at, by) = (self.clock.now().utc, format!("admin {by}"));
        let detail = "the cameras' live pictures".to_owned();
        self.store.audit(Audited { at, by, action: Action::View, member: None, detail })
    }

    /// What administrators see of what is kept; the audit's chain is followed each time.
    pub fn kept(&self) -> Result<Kept, StorageError> {
        let store = &self.store;
        let audit_is = match store.verify_audit()? {
            Ok(entries) => format!("All {entries} entries are as they were written; the newest are shown."),
            Err(broken) => {
                format!("The audit was changed: {broken:?}. Keep the disk as it is and call for help.")
            }
        };
        // Without its shelf the page still says everything else; the training and `doctor` say what is wrong.
        let shelf = Shelf::of_store(store.folder());
        Ok(Kept {
            networks: self
                .models
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .cards
                .all()
                .cloned()
                .collect(),
            rankers: shelf.list().unwrap_or_default(),
            judged: shelf.judged().unwrap_or_default(),
            counts: store.counts()?,
            audit: store.audited(AUDIT)?,
            audit_is,
            users: store.users()?,
            refused: store.refused_scores(REFUSED)?,
        })
    }
}
