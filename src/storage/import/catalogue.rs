//! A catalogue from rows, a row a product. A column that the file has is the truth, also where it
//! is empty; what it has no column for stays as it is.

use super::columns::{ColumnMap, Columns, Kind};
use super::fields::{Formats, flag};
use super::findings::{Findings, Reason};
use super::rows::{Rows, shown};
use super::{ImportError, StorageError};
use crate::recommend::Money;
use crate::storage::{NewProduct, Store, Upserted};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;

/// Products changed in one transaction.
const BATCH: usize = 1_000;

/// What became of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CatalogueImported {
    /// Rows read.
    pub rows: u64,
    /// Products by what became of them.
    pub products: Upserted,
    /// Rows that say the same of a product as an earlier one.
    pub repeated: u64,
}

/// Finds the columns of a catalogue.
pub fn columns(header: &[String], map: &ColumnMap) -> Result<Columns, String> {
    Columns::find(Kind::Catalogue, header, map)
}

/// Imports all rows; `progress` hears the number of rows read.
pub fn import<R: Read>(
    store: &Store,
    rows: &mut Rows<R>,
    columns: &Columns,
    formats: &Formats,
    findings: &mut Findings,
    progress: &mut dyn FnMut(u64),
) -> Result<CatalogueImported, ImportError> {
    let mut done = CatalogueImported::default();
    // Per SKU a hash of its first row: some bytes a product, however long the file.
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(line) = rows.advance()? {
        done.rows += 1;
        let product = rows.check().and_then(|()| parse(rows, columns, formats)).and_then(|product| {
            product.check().map_err(|e| (Reason::Unacceptable, e.to_string()))?;
            Ok(product)
        });
        match product {
            Err((reason, detail)) => findings.note(line, reason, detail)?,
            Ok(product) => {
                let mut hasher = DefaultHasher::new();
                format!("{product:?}").hash(&mut hasher);
                let hash = hasher.finish();
                match seen.get(&product.sku) {
                    Some(first) if *first == hash => done.repeated += 1,
                    Some(_) => findings.note(line, Reason::RepeatedSku, shown(&product.sku))?,
                    None => {
                        seen.insert(product.sku.clone(), hash);
                        batch.push((product, line));
                    }
                }
            }
        }
        if batch.len() >= BATCH {
            flush(store, &mut batch, &mut done.products, findings)?;
        }
        if done.rows % 512 == 0 {
            progress(done.rows);
        }
    }
    flush(store, &mut batch, &mut done.products, findings)?;
    progress(done.rows);
    findings.finish()?;
    Ok(done)
}

fn flush(
    store: &Store,
    batch: &mut Vec<(NewProduct, u64)>,
    sum: &mut Upserted,
    findings: &mut Findings,
) -> Result<(), ImportError> {
    let (products, lines): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
    let mut add = |done: Upserted| {
        sum.new += done.new;
        sum.changed += done.changed;
        sum.unchanged += done.unchanged;
    };
    match store.upsert_products(&products) {
        Ok(done) => add(done),
        // One of them is new and lacks something: find out which.
        Err(StorageError::Invalid(_)) => {
            for (product, line) in products.iter().zip(lines) {
                match store.upsert_products(std::slice::from_ref(product)) {
                    Ok(done) => add(done),
                    Err(StorageError::Invalid(what)) => findings.note(line, Reason::Missing, what)?,
                    Err(other) => return Err(other.into()),
                }
            }
        }
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

fn parse<R: Read>(
    rows: &Rows<R>,
    columns: &Columns,
    formats: &Formats,
) -> Result<NewProduct, (Reason, String)> {
    let column = |field: &str| -> Result<Option<&str>, (Reason, String)> {
        columns.of(field).map(|c| rows.field(Some(c))).transpose()
    };
    let needed = |field: &str| match column(field)? {
        Some("") => Err((Reason::Missing, field.to_owned())),
        other => Ok(other),
    };
    let text = |field: &str| Ok(column(field)?.map(str::to_owned));
    let yes_no = |field: &str| column(field)?.map(flag).transpose();
    let price = match needed("price")?.map(|p| formats.price(p)).transpose()? {
        Some(amount) if amount < 0 => return Err((Reason::BadPrice, "it is below 0".to_owned())),
        other => other.map(Money),
    };
    let stock = match column("stock")? {
        None => None,
        Some("") => Some(None),
        Some(pieces) => Some(Some(formats.pieces(pieces)?)),
    };
    let mut category: Option<Vec<String>> = None;
    for field in ["category", "category2", "category3"] {
        if let Some(path) = column(field)? {
            let levels = path.split(formats.category_separator.as_str()).map(str::trim);
            let levels = levels.filter(|l| !l.is_empty()).map(str::to_owned);
            category.get_or_insert_default().extend(levels);
        }
    }
    Ok(NewProduct {
        sku: needed("sku")?.unwrap_or_default().to_owned(),
        name: needed("name")?.map(str::to_owned),
        price,
        category,
        brand: text("brand")?,
        attributes: column("attributes")?.map(attributes).transpose()?,
        stock,
        place: text("place")?,
        withdrawn: yes_no("withdrawn")?,
        age_restricted: yes_no("age_restricted")?,
        sensitive: yes_no("sensitive")?,
    })
}

/// `organic = yes; fat = 1.5 %`.
fn attributes(text: &str) -> Result<Vec<(String, String)>, (Reason, String)> {
    text.split(';')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            }
            _ => {
                Err((Reason::Unacceptable, format!("attribute {} is not like `organic = yes`", shown(pair))))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::fixture::Shop;
    use crate::storage::import::fields::formats;
    use std::path::Path;

    fn import_text(shop: &Shop, text: &str) -> (CatalogueImported, Findings) {
        let mut rows = Rows::read(Path::new("test.csv"), text.as_bytes(), b',').unwrap();
        let columns = columns(rows.header(), &ColumnMap::default()).unwrap();
        let mut findings = Findings::default();
        let done = import(&shop.store, &mut rows, &columns, &formats(), &mut findings, &mut |_| {}).unwrap();
        (done, findings)
    }

    const CATALOGUE: &str = "sku,name,category,subcategory,brand,price,stock,shelf,age_restricted,attributes
tea,Green tea,Drinks/Tea,Green,Meadow,3.49,12,Aisle 3,no,organic = yes; grams = 100
gin,Gin,Drinks,Spirits,,19.90,,,yes,
";

    #[test]
    fn a_catalogue_is_imported_once_however_often_it_comes() {
        let shop = Shop::new();
        let (done, findings) = import_text(&shop, CATALOGUE);
        assert_eq!((done.products.new, findings.groups().len()), (2, 0));
        let products = shop.store.products().unwrap();
        assert_eq!(products[0].category, ["Drinks", "Tea", "Green"]);
        assert_eq!((products[0].price, products[0].stock), (Money(349), Some(12)));
        assert_eq!(products[0].attributes[1], ("grams".to_owned(), "100".to_owned()));
        assert!(products[1].age_restricted && products[1].stock.is_none());
        let (again, _) = import_text(&shop, CATALOGUE);
        assert_eq!(again.products, Upserted { unchanged: 2, ..Upserted::default() });
        assert_eq!(shop.store.products().unwrap(), products);
    }

    #[test]
    fn every_bad_row_is_told_and_the_others_are_imported() {
        let shop = Shop::new();
        let (done, findings) = import_text(
            &shop,
            "sku,name,price,stock,sensitive\n,No sku,1,,\nx,,1,,\nx,X,dear,,\nx,X,-1,,\nx,X,1,half,\nx,X,1,,perhaps\n\
             x,X\nok,Good,1,,\nok,Good,1,,\nok,Better,2,,\n",
        );
        let count = |reason| findings.groups().get(&reason).map_or(0, |g| g.count);
        assert_eq!((done.rows, done.products.new, done.repeated), (10, 1, 1));
        assert_eq!((count(Reason::Missing), count(Reason::BadPrice)), (2, 2));
        assert_eq!((count(Reason::BadQuantity), count(Reason::BadFlag)), (1, 1));
        assert_eq!((count(Reason::ColumnCount), count(Reason::RepeatedSku)), (1, 1));
        assert_eq!(findings.groups()[&Reason::BadFlag].first[0].0, 7);
        assert_eq!(shop.store.products().unwrap()[0].name, "Good");
    }

    #[test]
    fn a_stock_list_changes_only_the_stock_and_tells_unknown_products() {
        let shop = Shop::new();
        import_text(&shop, CATALOGUE);
        let (done, findings) = import_text(&shop, "sku,stock\ntea,3\nrum,5\n");
        assert_eq!((done.products.changed, findings.groups()[&Reason::Missing].first[0].0), (1, 3));
        let tea = shop.store.products().unwrap().remove(0);
        assert_eq!((tea.stock, tea.name.as_str()), (Some(3), "Green tea"));
    }
}
