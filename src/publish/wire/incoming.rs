//! What displays, tills and the back office send, read strictly: a field that the contract does not
//! know is an error, because a misspelt `member` would otherwise quietly make an anonymous receipt.
//! A message is taken whole or refused whole. No error repeats a value of the message, since errors
//! are logged and a value may be a member's token.

use super::{MAX_LEVELS, MAX_LINES, MAX_PAYLOAD, MAX_PRODUCTS, State};
use crate::display::AckKind;
use crate::id::SlateId;
use crate::recommend::{Language, Money};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Why a message is not of the contract, in words for a log line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// `display/<d>/ack`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckMessage {
    /// About which slate (1 to 64 characters).
    pub slate: SlateId,
    /// What happened.
    pub kind: AckKind,
    /// The item concerned, if one.
    #[serde(default)]
    pub sku: Option<String>,
}

/// `display/<d>/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisplayStatusMessage {
    /// Whether the display is there.
    pub state: State,
    /// How many items it can show (1 to 12).
    #[serde(default)]
    pub items: Option<u8>,
    /// Its width in pixels (1 to 16,384).
    #[serde(default)]
    pub width: Option<u32>,
    /// Its height in pixels (1 to 16,384).
    #[serde(default)]
    pub height: Option<u32>,
    /// The language it prefers.
    #[serde(default)]
    pub language: Option<Language>,
    /// What runs on it (1 to 64 characters).
    #[serde(default)]
    pub software: Option<String>,
}

/// `receipt`: one purchase. A receipt id counts once however often it arrives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptMessage {
    /// The till's name for it, unique in the store (1 to 64 characters).
    pub receipt: String,
    /// When it was printed; at most a day ahead of the appliance's clock.
    #[serde(deserialize_with = "rfc3339")]
    pub time: Timestamp,
    /// The token of the member's card, or null (1 to 128 characters).
    #[serde(default)]
    pub member: Option<String>,
    /// 1 to 500.
    pub lines: Vec<LineMessage>,
}

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineMessage {
    /// Which product.
    pub sku: String,
    /// How many or how much: not zero, up to 100,000; below zero for goods given back.
    pub quantity: f64,
    /// Price of one in the currency's smallest unit.
    pub price: Money,
}

/// `catalogue`: products that are new or changed, each complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueMessage {
    /// 1 to 200.
    pub products: Vec<ProductMessage>,
}

/// One product of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductMessage {
    /// The store's name for it, unique (1 to 64 characters).
    pub sku: String,
    /// What a shopper reads (1 to 200 characters).
    pub name: String,
    /// From the widest to the narrowest (1 to 8, each 1 to 100 characters).
    pub category: Vec<String>,
    /// Brand (1 to 100 characters).
    #[serde(default)]
    pub brand: Option<String>,
    /// Price of one in the currency's smallest unit.
    pub price: Money,
    /// Free facts (up to 32, names and values of 1 to 100 characters).
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Pieces in stock; null if not counted.
    #[serde(default)]
    pub stock: Option<i64>,
    /// Where it stands (1 to 100 characters).
    #[serde(default)]
    pub place: Option<String>,
    /// No longer sold.
    #[serde(default)]
    pub withdrawn: bool,
    /// For adults only.
    #[serde(default)]
    pub age_restricted: bool,
    /// Never on a screen that others can see.
    #[serde(default)]
    pub sensitive: bool,
}

/// `stock`: present levels of some products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockMessage {
    /// 1 to 2,000.
    pub levels: Vec<StockLevel>,
}

/// The present level of one product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockLevel {
    /// Which product.
    pub sku: String,
    /// Pieces; null if no longer counted. Leaving it out is an error.
    #[serde(deserialize_with = "Option::deserialize")]
    pub stock: Option<i64>,
}

/// The bound of prices and stock levels, either way.
const MAX_AMOUNT: i64 = 1_000_000_000;

/// The shape of RFC 3339 with a capital `T`; the calendar is checked by the parser of times.
fn rfc3339<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = || serde::de::Error::custom("not an RFC 3339 time such as 2026-05-01T09:30:00Z");
    let zone_at = text.get(19..).and_then(|tail| tail.find(['Z', '+', '-'])).ok_or_else(wrong)? + 19;
    let (clock, zone) = (&text[..zone_at], &text[zone_at..]);
    let shaped = |part: &str, shape: &str| {
        part.len() == shape.len()
            && part
                .bytes()
                .zip(shape.bytes())
                .all(|(b, s)| if s == b'0' { b.is_ascii_digit() } else { b == s })
    };
    let whole = clock.get(..19).is_some_and(|c| shaped(c, "0000-00-00T00:00:00"));
    let fraction = &clock[19..];
    let part = fraction.is_empty()
        || ((2..=10).contains(&fraction.len())
            && fraction.starts_with('.')
            && fraction[1..].bytes().all(|b| b.is_ascii_digit()));
    let zoned = zone == "Z" || shaped(zone, "+00:00") || shaped(zone, "-00:00");
    if !(whole && part && zoned) {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Invalid> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Invalid(format!("{} bytes, more than the {MAX_PAYLOAD} allowed", payload.len())));
    }
    serde_json::from_slice(payload).map_err(|e| {
        // serde's own words may repeat a value; only those about names of fields are safe to pass on
        let words = e.to_string();
        let named = ["missing field", "unknown field", "duplicate field", "not an RFC 3339"];
        let safe = named.iter().any(|start| words.starts_with(start)) && words.len() <= 300;
        Invalid(match e.classify() {
            serde_json::error::Category::Data if safe => words,
            serde_json::error::Category::Data => {
                format!("a value of the wrong kind at line {} column {}", e.line(), e.column())
            }
            _ => format!("not JSON: broken at line {} column {}", e.line(), e.column()),
        })
    })
}

fn text(field: &str, value: &str, most: usize) -> Result<(), Invalid> {
    if !(1..=most).contains(&value.chars().count()) {
        return Err(Invalid(format!("{field} must have 1 to {most} characters")));
    }
    if value.chars().any(char::is_control) {
        return Err(Invalid(format!("{field} holds a control character")));
    }
    Ok(())
}

fn optional(field: &str, value: &Option<String>, most: usize) -> Result<(), Invalid> {
    value.as_deref().map_or(Ok(()), |v| text(field, v, most))
}

fn count(field: &str, n: usize, most: usize) -> Result<(), Invalid> {
    if (1..=most).contains(&n) { Ok(()) } else { Err(Invalid(format!("{field}: {n}, must be 1 to {most}"))) }
}

fn amount(field: &str, value: i64, least: i64) -> Result<(), Invalid> {
    if (least..=MAX_AMOUNT).contains(&value) {
        Ok(())
    } else {
        Err(Invalid(format!("{field} must lie between {least} and {MAX_AMOUNT}")))
    }
}

impl AckMessage {
    /// Reads `payload`, or says what is wrong with it.
    pub fn parse(payload: &[u8]) -> Result<Self, Invalid> {
        let ack: Self = read(payload)?;
        text("slate", &ack.slate.0, 64)?;
        optional("sku", &ack.sku, 64)?;
        Ok(ack)
    }
}

impl DisplayStatusMessage {
    /// Reads `payload`, or says what is wrong with it.
    pub fn parse(payload: &[u8]) -> Result<Self, Invalid> {
        let status: Self = read(payload)?;
        if let Some(n) = status.items {
            count("items", n.into(), 12)?;
        }
        for (field, value) in [("width", status.width), ("height", status.height)] {
            if let Some(n) = value {
                count(field, n as usize, 16_384)?;
            }
        }
        optional("software", &status.software, 64)?;
        Ok(status)
    }
}

impl ReceiptMessage {
    /// Reads `payload` at `now`, or says what is wrong with it.
    pub fn parse(payload: &[u8], now: Timestamp) -> Result<Self, Invalid> {
        let receipt: Self = read(payload)?;
        text("receipt", &receipt.receipt, 64)?;
        optional("member", &receipt.member, 128)?;
        let tomorrow = now.checked_add(Duration::from_secs(86_400)).unwrap_or(Timestamp::MAX);
        if receipt.time > tomorrow {
            return Err(Invalid("time lies more than a day ahead: check the till's clock".into()));
        }
        if receipt.time.as_second() < 946_684_800 {
            return Err(Invalid("time lies before the year 2000: check the till's clock".into()));
        }
        count("lines", receipt.lines.len(), MAX_LINES)?;
        for (i, line) in receipt.lines.iter().enumerate() {
            let at = |e: Invalid| Invalid(format!("lines[{i}]: {e}"));
            text("sku", &line.sku, 64).map_err(at)?;
            amount("price", line.price.0, 0).map_err(at)?;
            if line.quantity == 0.0 || !line.quantity.is_finite() || line.quantity.abs() > 100_000.0 {
                return Err(at(Invalid("quantity must not be zero nor beyond 100,000".into())));
            }
        }
        Ok(receipt)
    }
}

impl CatalogueMessage {
    /// Reads `payload`, or says what is wrong with it.
    pub fn parse(payload: &[u8]) -> Result<Self, Invalid> {
        let message: Self = read(payload)?;
        count("products", message.products.len(), MAX_PRODUCTS)?;
        for (i, product) in message.products.iter().enumerate() {
            product.check().map_err(|e| Invalid(format!("products[{i}]: {e}")))?;
        }
        Ok(message)
    }
}

impl ProductMessage {
    fn check(&self) -> Result<(), Invalid> {
        text("sku", &self.sku, 64)?;
        text("name", &self.name, 200)?;
        count("category", self.category.len(), 8)?;
        self.category.iter().try_for_each(|c| text("category", c, 100))?;
        optional("brand", &self.brand, 100)?;
        optional("place", &self.place, 100)?;
        amount("price", self.price.0, 0)?;
        if let Some(stock) = self.stock {
            amount("stock", stock, -MAX_AMOUNT)?;
        }
        if self.attributes.len() > 32 {
            return Err(Invalid("attributes: more than 32".into()));
        }
        self.attributes.iter().try_for_each(|(name, value)| {
            text("an attribute's name", name, 100)?;
            text("an attribute's value", value, 100)
        })
    }
}

impl StockMessage {
    /// Reads `payload`, or says what is wrong with it.
    pub fn parse(payload: &[u8]) -> Result<Self, Invalid> {
        let message: Self = read(payload)?;
        count("levels", message.levels.len(), MAX_LEVELS)?;
        for (i, level) in message.levels.iter().enumerate() {
            let at = |e: Invalid| Invalid(format!("levels[{i}]: {e}"));
            text("sku", &level.sku, 64).map_err(at)?;
            if let Some(stock) = level.stock {
                amount("stock", stock, -MAX_AMOUNT).map_err(at)?;
            }
        }
        Ok(message)
    }
}
