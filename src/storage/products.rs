//! The catalogue. A catalogue says only what it knows: a field that it leaves out stays as it is,
//! so that a price list does not reset the stock that another system counts.

use super::{StorageError, Store, columns};
use crate::id::ProductId;
use crate::recommend::{Money, Product};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;

/// A product as a catalogue describes it. `None` leaves what is there (for a new product: nothing).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewProduct {
    /// What the store calls it, 1 to 64 characters.
    pub sku: String,
    /// What a shopper reads, 1 to 200 characters; a new product needs it.
    pub name: Option<String>,
    /// Present price of one; a new product needs it.
    pub price: Option<Money>,
    /// From the widest to the narrowest.
    pub category: Option<Vec<String>>,
    /// Brand; empty takes it away.
    pub brand: Option<String>,
    /// Free facts.
    pub attributes: Option<Vec<(String, String)>>,
    /// Pieces; `Some(None)` says that the store does not count them.
    pub stock: Option<Option<i64>>,
    /// Where it stands; empty takes it away.
    pub place: Option<String>,
    /// No longer sold.
    pub withdrawn: Option<bool>,
    /// May be sold to adults only.
    pub age_restricted: Option<bool>,
    /// Of a category that nobody wants named on a shared screen.
    pub sensitive: Option<bool>,
}

/// What became of the products of one call, in number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upserted {
    /// Not known before (or known from receipts only).
    pub new: u32,
    /// Known, and now different.
    pub changed: u32,
    /// Known, and as described.
    pub unchanged: u32,
}

impl NewProduct {
    /// What is wrong with it, if anything.
    pub fn check(&self) -> Result<(), StorageError> {
        let invalid = |what: &str| Err(StorageError::Invalid(format!("product \"{}\": {what}", self.sku)));
        let fits =
            |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
        if !is_sku(&self.sku) {
            return Err(StorageError::Invalid(
                "a SKU has 1 to 64 characters without control characters or spaces around it".into(),
            ));
        }
        if self.name.as_ref().is_some_and(|n| n.trim().is_empty() || !fits(n, 200)) {
            return invalid("a name has 1 to 200 characters");
        }
        if self.price.is_some_and(|p| !(0..=MOST_PRICE).contains(&p.0)) {
            return invalid("a price is not negative and below 10^12");
        }
        let texts = self.category.iter().flatten().chain(&self.brand).chain(&self.place);
        let pairs = self.attributes.iter().flatten().flat_map(|(k, v)| [k, v]);
        if !texts.chain(pairs).all(|t| fits(t, 200)) {
            return invalid("category, brand, place and attributes have at most 200 characters each");
        }
        if self.category.as_ref().is_some_and(|c| c.len() > 8 || c.iter().any(|s| s.trim().is_empty())) {
            return invalid("a category has at most 8 levels, none of them empty");
        }
        if self.attributes.as_ref().is_some_and(|a| a.len() > 64) {
            return invalid("a product has at most 64 attributes");
        }
        if self.stock.flatten().is_some_and(|n| n.abs() > MOST_STOCK) {
            return invalid("a stock is below 10^12 pieces");
        }
        Ok(())
    }
}

/// No price of one is above this, in the currency's smallest unit.
pub(super) const MOST_PRICE: i64 = 1_000_000_000_000;
const MOST_STOCK: i64 = 1_000_000_000_000;

/// Whether a text can be a SKU.
pub(super) fn is_sku(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control)
}

const PRODUCT: &str = "SELECT id, sku, name, category, brand, price, attributes, stock, place, withdrawn, \
    age_restricted, sensitive, listed FROM products";

fn product(row: &rusqlite::Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product {
        id: ProductId(row.get(0)?),
        sku: row.get(1)?,
        name: row.get(2)?,
        category: columns::from_json(row, 3)?,
        brand: row.get(4)?,
        price: Money(row.get(5)?),
        attributes: columns::from_json(row, 6)?,
        stock: row.get(7)?,
        place: row.get(8)?,
        withdrawn: row.get(9)?,
        age_restricted: row.get(10)?,
        sensitive: row.get(11)?,
    })
}

impl Store {
    /// Every product, in order of id. One that only receipts know comes as `withdrawn`: until a
    /// catalogue names it nobody can say whether it may be shown.
    pub fn products(&self) -> Result<Vec<Product>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(&format!("{PRODUCT} ORDER BY id"))?;
            let products = rows.query_map([], |row| {
                let mut product = product(row)?;
                product.withdrawn |= !row.get::<_, bool>(12)?;
                Ok(product)
            })?;
            Ok(products.collect::<Result<_, _>>()?)
        })
    }

    /// Products that a catalogue first named at or after `since`, if it named others before: what a
    /// store begins with is not new.
    pub fn new_products(&self, since: Timestamp) -> Result<BTreeSet<ProductId>, StorageError> {
        self.read(|db| {
            let mut rows = db.prepare_cached(
                "SELECT id FROM products WHERE listed AND first_listed >= ?1 AND EXISTS \
                 (SELECT 1 FROM products WHERE listed AND (first_listed IS NULL OR first_listed < ?1))",
            )?;
            let ids = rows.query_map([since.as_millisecond()], |row| row.get(0).map(ProductId))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    /// Adds or changes products: all of them, or none if one is not acceptable.
    pub fn upsert_products(&self, products: &[NewProduct]) -> Result<Upserted, StorageError> {
        for product in products {
            product.check()?;
        }
        let products = products.to_vec();
        self.write(move |db| {
            let mut done = Upserted::default();
            for product in &products {
                match upsert(db, product)? {
                    Kind::New => done.new += 1,
                    Kind::Changed => done.changed += 1,
                    Kind::Unchanged => done.unchanged += 1,
                }
            }
            Ok(done)
        })
    }

    /// Sets the pieces in stock; `None` if the store no longer counts them.
    pub fn set_stock(&self, sku: &str, pieces: Option<i64>) -> Result<(), StorageError> {
        let change = NewProduct { sku: sku.to_owned(), stock: Some(pieces), ..NewProduct::default() };
        change.check()?;
        self.write(move |db| {
            let known: bool = db
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM products WHERE sku = ?)")?
                .query_row([&change.sku], |r| r.get(0))?;
            if !known {
                return Err(StorageError::NoSuchProduct(change.sku));
            }
            db.prepare_cached("UPDATE products SET stock = ?1 WHERE sku = ?2 AND stock IS NOT ?1")?
                .execute(params![pieces, change.sku])?;
            Ok(())
        })
    }
}

enum Kind {
    New,
    Changed,
    Unchanged,
}

fn upsert(db: &Connection, new: &NewProduct) -> Result<Kind, StorageError> {
    let known = db
        .prepare_cached(&format!("{PRODUCT} WHERE sku = ?"))?
        .query_row([&new.sku], |row| Ok((product(row)?, row.get::<_, bool>(12)?)))
        .optional()?;
    let needs = |what| StorageError::Invalid(format!("product \"{}\" is new and needs a {what}", new.sku));
    let (before, listed) = match known {
        Some((product, listed)) => (Some(product), listed),
        None => (None, false),
    };
    if !listed && new.name.is_none() && before.is_none() {
        return Err(needs("name"));
    }
    if !listed && new.price.is_none() && before.is_none() {
        return Err(needs("price"));
    }
    let after = merged(before.clone(), new);
    if listed && before.as_ref() == Some(&after) {
        return Ok(Kind::Unchanged);
    }
    db.prepare_cached(
        "INSERT INTO products (sku, name, category, brand, price, attributes, stock, place, withdrawn, \
         age_restricted, sensitive, listed, first_listed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
         ?11, 1, CAST(unixepoch('subsec') * 1000 AS INTEGER)) ON CONFLICT (sku) DO UPDATE SET name = ?2, category = ?3, brand = ?4, price = ?5, attributes = ?6, \
         stock = ?7, place = ?8, withdrawn = ?9, age_restricted = ?10, sensitive = ?11, listed = 1, \
         first_listed = CASE listed WHEN 0 THEN excluded.first_listed ELSE first_listed END",
    )?
    .execute(params![
        after.sku,
        after.name,
        columns::json(&after.category)?,
        after.brand,
        after.price.0,
        columns::json(&after.attributes)?,
        after.stock,
        after.place,
        after.withdrawn,
        after.age_restricted,
        after.sensitive
    ])?;
    Ok(if listed { Kind::Changed } else { Kind::New })
}

fn merged(before: Option<Product>, new: &NewProduct) -> Product {
    let mut product = before.unwrap_or_else(|| Product {
        id: ProductId(0),
        sku: new.sku.clone(),
        name: String::new(),
        category: Vec::new(),
        brand: None,
        price: Money(0),
        attributes: Vec::new(),
        stock: None,
        place: None,
        withdrawn: false,
        age_restricted: false,
        sensitive: false,
    });
    fn set<T: Clone>(field: &mut T, new: &Option<T>) {
        if let Some(value) = new {
            field.clone_from(value);
        }
    }
    let text = |new: &Option<String>| new.as_ref().map(|t| Some(t.clone()).filter(|t| !t.trim().is_empty()));
    set(&mut product.name, &new.name);
    set(&mut product.price, &new.price);
    set(&mut product.category, &new.category);
    set(&mut product.brand, &text(&new.brand));
    set(&mut product.attributes, &new.attributes);
    set(&mut product.stock, &new.stock);
    set(&mut product.place, &text(&new.place));
    set(&mut product.withdrawn, &new.withdrawn);
    set(&mut product.age_restricted, &new.age_restricted);
    set(&mut product.sensitive, &new.sensitive);
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::fixture::{Shop, product, receipt};

    #[test]
    fn the_same_catalogue_again_changes_nothing() {
        let shop = Shop::new();
        let catalogue = [product("tea"), product("jam")];
        assert_eq!(
            shop.store.upsert_products(&catalogue).unwrap(),
            Upserted { new: 2, ..Upserted::default() }
        );
        let before = shop.store.revisions().unwrap();
        let again = shop.store.upsert_products(&catalogue).unwrap();
        assert_eq!(again, Upserted { unchanged: 2, ..Upserted::default() });
        assert_eq!(shop.store.revisions().unwrap(), before);
    }

    #[test]
    fn a_price_list_leaves_the_stock_as_it_is() {
        let shop = Shop::new();
        shop.products(&["tea"]);
        shop.store.set_stock("tea", Some(7)).unwrap();
        let change = NewProduct { sku: "tea".into(), price: Some(Money(300)), ..NewProduct::default() };
        assert_eq!(shop.store.upsert_products(&[change]).unwrap().changed, 1);
        let tea = shop.store.products().unwrap().remove(0);
        assert_eq!((tea.price, tea.stock, tea.name.as_str()), (Money(300), Some(7), "Product tea"));
        assert!(matches!(shop.store.set_stock("tee", Some(1)), Err(StorageError::NoSuchProduct(_))));
    }

    #[test]
    fn everything_a_catalogue_says_comes_back() {
        let shop = Shop::new();
        let full = NewProduct {
            category: Some(vec!["Drinks".into(), "Tea / Herbal".into()]),
            brand: Some("Meadow".into()),
            attributes: Some(vec![("organic".into(), "yes".into())]),
            stock: Some(Some(3)),
            place: Some("Aisle 3".into()),
            withdrawn: Some(true),
            age_restricted: Some(true),
            sensitive: Some(true),
            ..product("tea")
        };
        shop.store.upsert_products(std::slice::from_ref(&full)).unwrap();
        let tea = shop.store.products().unwrap().remove(0);
        assert_eq!(Some(tea.category), full.category);
        assert_eq!((tea.brand, tea.place), (full.brand, full.place));
        assert_eq!((Some(tea.attributes), Some(tea.stock)), (full.attributes, full.stock));
        assert!(tea.withdrawn && tea.age_restricted && tea.sensitive);
    }

    #[test]
    fn a_product_that_only_receipts_know_is_not_shown_until_a_catalogue_names_it() {
        let shop = Shop::new();
        shop.store.record_receipt(&receipt("r1", None, &[("gin", 1.0)])).unwrap();
        assert!(!shop.store.products().unwrap()[0].may_be_shown());
        assert_eq!(shop.store.upsert_products(&[product("gin")]).unwrap().new, 1);
        let gin = shop.store.products().unwrap().remove(0);
        assert!(gin.may_be_shown() && gin.name == "Product gin");
    }

    #[test]
    fn one_bad_product_refuses_them_all() {
        let shop = Shop::new();
        let bad = [
            NewProduct { sku: "new".into(), ..NewProduct::default() },
            NewProduct { sku: String::new(), ..product("x") },
            NewProduct { sku: " x".into(), ..product("x") },
            NewProduct { price: Some(Money(-1)), ..product("x") },
            NewProduct { name: Some("a\u{7}b".into()), ..product("x") },
            NewProduct { category: Some(vec![String::new()]), ..product("x") },
        ];
        for bad in bad {
            let both = [product("good"), bad];
            assert!(matches!(shop.store.upsert_products(&both), Err(StorageError::Invalid(_))), "{both:?}");
        }
        assert!(shop.store.products().unwrap().is_empty());
    }
}
