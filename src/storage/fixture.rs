//! A small store for tests: made anew for each, in a folder that goes with it.

use super::settings::StorageSettings;
use super::{Card, Member, NewLine, NewMember, NewProduct, NewReceipt, Store};
use crate::privacy::consent::{Consent, Scope, TEXT};
use crate::recommend::Money;
use jiff::Timestamp;
use tempfile::TempDir;

pub(super) struct Shop {
    pub folder: TempDir,
    pub store: Store,
}

impl Shop {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).unwrap();
        Self { folder, store }
    }

    /// Closes the store and opens it again, after `between`.
    pub fn reopen(self, between: impl FnOnce(&std::path::Path)) -> Self {
        let Self { folder, store } = self;
        drop(store);
        between(folder.path());
        let store = open(&folder).unwrap();
        Self { folder, store }
    }

    pub fn member(&self, scope: Scope) -> Member {
        self.store.add_member(new_member(scope)).unwrap()
    }

    pub fn products(&self, skus: &[&str]) {
        let products: Vec<NewProduct> = skus.iter().map(|s| product(s)).collect();
        self.store.upsert_products(&products).unwrap();
    }

    /// Every row of every table that is about customers and products, for comparing.
    pub fn rows(&self) -> Vec<String> {
        let tables = [
            "SELECT sku, name, price, stock, listed FROM products ORDER BY sku",
            "SELECT r.receipt, r.at, m.token FROM receipts r LEFT JOIN members m ON m.id = r.member ORDER BY 1",
            "SELECT r.receipt, p.sku, l.quantity, l.unit_price FROM lines l JOIN receipts r ON r.id = l.receipt \
             JOIN products p ON p.id = l.product ORDER BY 1, 2, 3, 4",
        ];
        self.store
            .read(|db| {
                let mut all = Vec::new();
                for sql in tables {
                    let mut statement = db.prepare(sql)?;
                    let columns = statement.column_count();
                    let mut rows = statement.query([])?;
                    while let Some(row) = rows.next()? {
                        let values: Vec<rusqlite::types::Value> =
                            (0..columns).map(|c| row.get(c)).collect::<Result<_, _>>()?;
                        all.push(format!("{values:?}"));
                    }
                }
                Ok(all)
            })
            .unwrap()
    }
}

pub(super) fn open(folder: &TempDir) -> Result<Store, super::StorageError> {
    Store::open(&StorageSettings::of(folder.path()))
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

pub(super) fn consent(scope: Scope) -> Consent {
    let text = |t: &str| t.to_owned();
    Consent { scope, version: text(TEXT.0), reference: text("form 7"), action: text("signed"), at: at(0) }
}

pub(super) fn new_member(scope: Scope) -> NewMember {
    NewMember {
        token: None,
        name: Some("Anna Example".into()),
        contact: Some("anna@example.org".into()),
        consent: consent(scope),
        by: "test".into(),
    }
}

pub(super) fn product(sku: &str) -> NewProduct {
    NewProduct {
        sku: sku.into(),
        name: Some(format!("Product {sku}")),
        price: Some(Money(250)),
        ..NewProduct::default()
    }
}

pub(super) fn receipt(id: &str, member: Option<&Member>, lines: &[(&str, f64)]) -> NewReceipt {
    NewReceipt {
        id: id.into(),
        at: at(100),
        member: member.map(|m| Card::Token(m.token.clone())),
        lines: lines
            .iter()
            .map(|(sku, quantity)| NewLine {
                sku: (*sku).into(),
                quantity: *quantity,
                unit_price: 250,
                name: None,
            })
            .collect(),
        source: "test",
    }
}
