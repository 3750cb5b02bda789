//! What others send as JSON (receipts of a point of sale, catalogue and stock of a back office),
//! the same over HTTP and MQTT: bytes in, checked rows out, or every mistake with its place.
//!
//! What always holds: one wrong row refuses the whole message; an unknown field is a mistake, not
//! a shrug; a price is a decimal amount of the store's currency (`2.95` or `"2.95"`), never a float
//! inside. No byte makes these functions panic.

mod fields;
pub mod kiosk;
pub mod staff;

use super::refusal::Fault;
use crate::recommend::Money;
use fields::Fields;
use jiff::Timestamp;
use serde_json::Value;

/// Rows in one message at most.
const ROWS: usize = 10_000;
/// Lines of one receipt at most.
const LINES: usize = 1_000;

/// One receipt as a point of sale sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiptIn {
    /// The point of sale's own number, unique in the store (1 to 64 characters).
    pub receipt: String,
    /// When it was paid.
    pub at: Timestamp,
    /// The token on the member's card, or `None` (1 to 128 characters).
    pub member: Option<String>,
    /// 1 to 1,000 lines.
    pub lines: Vec<LineIn>,
}

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq)]
pub struct LineIn {
    /// The store's name of the product.
    pub sku: String,
    /// Pieces or units of measure, above 0, at most 100,000.
    pub quantity: f64,
    /// Price of one.
    pub price: Money,
}

/// One product of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductIn {
    /// The store's name of it, unique.
    pub sku: String,
    /// What a shopper reads.
    pub name: String,
    /// From the widest to the narrowest; may be empty.
    pub category: Vec<String>,
    /// Brand, if any.
    pub brand: Option<String>,
    /// Price of one.
    pub price: Money,
    /// Free facts.
    pub attributes: Vec<(String, String)>,
    /// Pieces in stock; `None` if the store does not count.
    pub stock: Option<i64>,
    /// Where it stands.
    pub place: Option<String>,
    /// No longer sold.
    pub withdrawn: bool,
    /// May be sold to adults only.
    pub age_restricted: bool,
    /// Not to be named on a shared screen.
    pub sensitive: bool,
}

/// One product's stock.
#[derive(Debug, Clone, PartialEq)]
pub struct StockIn {
    /// Which product.
    pub sku: String,
    /// Pieces; `None` if it is no longer counted.
    pub stock: Option<i64>,
}

/// Reads one receipt or an array of them. `digits` are the currency's digits after the point.
pub fn receipts(bytes: &[u8], digits: u8) -> Result<Vec<ReceiptIn>, Vec<Fault>> {
    rows(bytes, "receipt", |row| {
        let receipt = row.text("receipt", 64)?;
        let at = row.moment("at");
        let member = row.optional_text("member", 128);
        let lines = row.list("lines", 1..=LINES, |line| {
            let sku = line.text("sku", 64);
            let quantity = line.quantity("quantity");
            let price = line.price("price", digits);
            Some(LineIn { sku: sku?, quantity: quantity?, price: price? })
        });
        Some(ReceiptIn { receipt, at: at?, member, lines: lines? })
    })
}

/// Reads one product or an array of them.
pub fn catalogue(bytes: &[u8], digits: u8) -> Result<Vec<ProductIn>, Vec<Fault>> {
    rows(bytes, "product", |row| {
        let sku = row.text("sku", 64);
        let name = row.text("name", 200);
        let price = row.price("price", digits);
        let category = row.texts("category", 8, 80);
        let attributes = row.facts("attributes", 32, 80, 200);
        let brand = row.optional_text("brand", 80);
        let stock = row.optional_count("stock");
        let place = row.optional_text("place", 80);
        let withdrawn = row.flag("withdrawn");
        let age_restricted = row.flag("age_restricted");
        let sensitive = row.flag("sensitive");
        Some(ProductIn {
            sku: sku?,
            name: name?,
            category,
            brand,
            price: price?,
            attributes,
            stock,
            place,
            withdrawn,
            age_restricted,
            sensitive,
        })
    })
}

/// Reads one `{sku, stock}` or an array of them.
pub fn stock(bytes: &[u8]) -> Result<Vec<StockIn>, Vec<Fault>> {
    rows(bytes, "stock row", |row| {
        let sku = row.text("sku", 64);
        let stock = row.required_count("stock");
        Some(StockIn { sku: sku?, stock: stock? })
    })
}

/// One object or an array of them, each read by `read`; a row counts only if it has no fault.
fn rows<T>(
    bytes: &[u8],
    what: &str,
    mut read: impl FnMut(&mut Fields<'_>) -> Option<T>,
) -> Result<Vec<T>, Vec<Fault>> {
    let value: Value = serde_json::from_slice(bytes).map_err(|e| {
        let place = format!("line {}, column {}", e.line(), e.column());
        vec![Fault::new(
            format!("this is no valid JSON: {e}"),
            place,
            format!("Send one {what} as a JSON object, or an array of them."),
        )]
    })?;
    let list = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    if list.is_empty() || list.len() > ROWS {
        let error = format!("the message has {} rows", list.len());
        return Err(vec![Fault::new(error, "", format!("Send 1 to {ROWS} at a time."))]);
    }
    let many = list.len() > 1;
    let mut faults = Vec::new();
    let mut good = Vec::with_capacity(list.len());
    for (at, value) in list.iter().enumerate() {
        let place = if many { format!("[{at}]") } else { String::new() };
        good.extend(fields::object(value, place, &mut faults, &mut read));
        if faults.len() >= 100 {
            break; // enough to mend first
        }
    }
    if faults.is_empty() { Ok(good) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = r#"{"receipt":"r-1","at":"2026-05-04T10:00:00+02:00","member":"card-7",
        "lines":[{"sku":"tea","quantity":2,"price":2.95},{"sku":"oil","quantity":0.5,"price":"12"}]}"#;

    fn first_fault(json: &str) -> Fault {
        receipts(json.as_bytes(), 2).expect_err(json).remove(0)
    }

    #[test]
    fn a_receipt_is_read_exactly() {
        let read = receipts(GOOD.as_bytes(), 2).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].at.to_string(), "2026-05-04T08:00:00Z");
        assert_eq!(read[0].member.as_deref(), Some("card-7"));
        assert_eq!(read[0].lines[0].price, Money(295));
        assert_eq!(read[0].lines[1], LineIn { sku: "oil".into(), quantity: 0.5, price: Money(1200) });
        let many = format!("[{GOOD},{GOOD}]");
        assert_eq!(receipts(many.as_bytes(), 2).unwrap().len(), 2);
    }

    #[test]
    fn every_mistake_says_where_it_is() {
        let line = |l: &str| format!(r#"{{"receipt":"r","at":"2026-05-04T10:00:00Z","lines":[{l}]}}"#);
        for (json, place) in [
            (line(r#"{"sku":"a","quantity":0,"price":1}"#), "lines[0].quantity"),
            (line(r#"{"sku":"a","quantity":-1,"price":1}"#), "lines[0].quantity"),
            (line(r#"{"sku":"a","quantity":"2","price":1}"#), "lines[0].quantity"),
            (line(r#"{"sku":"","quantity":1,"price":1}"#), "lines[0].sku"),
            (line(r#"{"sku":"a\u0000","quantity":1,"price":1}"#), "lines[0].sku"),
            (line(r#"{"sku":"a","quantity":1,"price":1.005}"#), "lines[0].price"),
            (line(r#"{"sku":"a","quantity":1,"price":-1}"#), "lines[0].price"),
            (line(r#"{"sku":"a","quantity":1,"price":1e30}"#), "lines[0].price"),
            (line(r#"{"sku":"a","quantity":1}"#), "lines[0].price"),
            (line(r#"{"sku":"a","quantity":1,"price":1,"tax":2}"#), "lines[0].tax"),
            (line(""), "lines"),
            (r#"{"receipt":"r","at":"yesterday","lines":[]}"#.into(), "at"),
            (r#"{"at":"2026-05-04T10:00:00Z","lines":[]}"#.into(), "receipt"),
            (r#"[{},7]"#.into(), "[0].receipt"),
            ("7".into(), ""),
            ("[]".into(), ""),
            ("{".into(), "line 1, column 1"),
        ] {
            let fault = first_fault(&json);
            assert_eq!(fault.place, place, "{json}: {fault:?}");
            assert!(!fault.remedy.is_empty() && !fault.error.is_empty());
        }
    }

    #[test]
    fn one_wrong_row_refuses_all() {
        let json = format!(r#"[{GOOD},{{"receipt":"x","at":"2026-05-04T10:00:00Z","lines":[]}}]"#);
        let faults = receipts(json.as_bytes(), 2).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].place, "[1].lines");
    }

    #[test]
    fn prices_follow_the_currency() {
        let json = |p: &str| format!(r#"{{"sku":"a","name":"A","price":{p}}}"#);
        for (price, digits, minor) in [
            ("3", 0, 3),
            ("3.5", 1, 35),
            ("\"0.05\"", 2, 5),
            ("19.99", 2, 1999),
            ("1.500", 2, 150),
            ("0.1", 3, 100),
        ] {
            assert_eq!(catalogue(json(price).as_bytes(), digits).unwrap()[0].price, Money(minor), "{price}");
        }
        for price in
            ["3.5", "\"\"", "\".\"", "\"1.\"", "\"+1\"", "\" 1\"", "null", "\"1e3\"", "99999999999999"]
        {
            assert!(catalogue(json(price).as_bytes(), 0).is_err(), "{price}");
        }
    }

    #[test]
    fn a_product_and_its_stock_are_read() {
        let json = r#"{"sku":"a","name":"Olive oil","price":8,"category":["Food","Oil"],"brand":null,
            "attributes":{"organic":"yes"},"stock":4,"age_restricted":true}"#;
        let product = catalogue(json.as_bytes(), 2).unwrap().remove(0);
        assert_eq!(product.category, ["Food", "Oil"]);
        assert_eq!(product.attributes, [("organic".to_owned(), "yes".to_owned())]);
        assert!(product.age_restricted && !product.withdrawn && product.brand.is_none());
        assert_eq!(stock(br#"{"sku":"a","stock":null}"#).unwrap()[0].stock, None);
        assert_eq!(stock(br#"[{"sku":"a","stock":3}]"#).unwrap()[0].stock, Some(3));
        assert!(stock(br#"{"sku":"a"}"#).is_err(), "a missing stock is not 'no longer counted'");
        assert!(stock(br#"{"sku":"a","stock":1.5}"#).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), digits in 0u8..=255) {
            let _ = receipts(&bytes, digits);
            let _ = catalogue(&bytes, digits);
            let _ = stock(&bytes);
        }

        #[test]
        fn no_damage_to_a_good_receipt_panics(at in 0usize..200, with in any::<u8>(), cut in 0usize..200) {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at % GOOD.len()] = with;
            let _ = receipts(&bytes, 2);
            bytes.truncate(cut % bytes.len());
            let _ = receipts(&bytes, 2);
        }

        #[test]
        fn a_price_written_out_reads_back(minor in 0i64..100_000_000, digits in 0u8..=4) {
            let unit = 10i64.pow(digits.into());
            let text = if digits == 0 { minor.to_string() }
                else { format!("{}.{:0w$}", minor / unit, minor % unit, w = usize::from(digits)) };
            let json = format!(r#"{{"sku":"a","name":"A","price":"{text}"}}"#);
            prop_assert_eq!(catalogue(json.as_bytes(), digits).unwrap()[0].price, Money(minor));
        }
    }
}
