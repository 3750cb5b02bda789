//! Reads the fields of one JSON object and notes every mistake with its place. A field that was
//! never asked for is a mistake too: a misspelt `member` must not make a receipt anonymous.

use super::Fault;
use crate::recommend::Money;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// The largest price, in the smallest unit.
const PRICE: i64 = 10_000_000_000;
/// The largest quantity of one line.
const QUANTITY: f64 = 100_000.0;
/// The largest stock.
const STOCK: i64 = 1_000_000_000;

/// One object being read.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: String,
    known: Vec<&'static str>,
    faults: &'a mut Vec<Fault>,
}

/// Reads `value` with `read`; `None` when anything in it is wrong.
pub(super) fn object<T>(
    value: &Value,
    place: String,
    faults: &mut Vec<Fault>,
    read: &mut impl FnMut(&mut Fields<'_>) -> Option<T>,
) -> Option<T> {
    let Value::Object(map) = value else {
        faults.push(Fault::new(
            format!("{} where an object was expected", brief(value)),
            place,
            "Send a JSON object.",
        ));
        return None;
    };
    let before = faults.len();
    let mut fields = Fields { map, place, known: Vec::new(), faults };
    let made = read(&mut fields);
    let unknown: Vec<&String> = map.keys().filter(|k| !fields.known.contains(&k.as_str())).take(5).collect();
    // when reading stopped early, fields not asked for yet are not known to be wrong
    if made.is_some() || fields.faults.len() == before {
        for key in unknown {
            let fault = format!("there is no field \"{}\" here", shorten(key));
            let known = fields.known.join(", ");
            fields.fault(&shorten(key), fault, format!("Known fields: {known}."));
        }
    }
    let wrong = fields.faults.len() > before;
    if wrong { None } else { made }
}

impl Fields<'_> {
    fn fault(&mut self, field: &str, error: String, remedy: impl Into<String>) {
        let dot = if self.place.is_empty() { "" } else { "." };
        self.faults.push(Fault::new(error, format!("{}{dot}{field}", self.place), remedy));
    }

    /// What `take` makes of the field; a fault if it is missing or `take` refuses it.
    fn required<T>(
        &mut self,
        field: &'static str,
        expected: &str,
        take: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        self.known.push(field);
        let Some(value) = self.map.get(field) else {
            self.fault(field, format!("\"{field}\" is missing"), format!("Send {expected}."));
            return None;
        };
        let taken = take(value);
        if taken.is_none() {
            self.fault(
                field,
                format!("{} is no good \"{field}\"", brief(value)),
                format!("Send {expected}."),
            );
        }
        taken
    }

    /// Like [`required`](Self::required), but missing or null is `None` without a fault.
    fn optional<T>(
        &mut self,
        field: &'static str,
        expected: &str,
        take: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        if self.map.get(field).is_none_or(Value::is_null) {
            self.known.push(field);
            return None;
        }
        self.required(field, expected, take)
    }

    /// A text of 1 to `max` characters without control characters.
    pub(super) fn text(&mut self, field: &'static str, max: usize) -> Option<String> {
        self.required(field, &format!("1 to {max} characters"), |v| text(v, max))
    }

    /// A text, or nothing.
    pub(super) fn optional_text(&mut self, field: &'static str, max: usize) -> Option<String> {
        self.optional(field, &format!("1 to {max} characters, or null"), |v| text(v, max))
    }

    /// A moment in RFC 3339.
    pub(super) fn moment(&mut self, field: &'static str) -> Option<Timestamp> {
        self.required(field, "a time like 2026-05-04T10:00:00Z", |v| v.as_str()?.parse().ok())
    }

    /// A number above 0.
    pub(super) fn quantity(&mut self, field: &'static str) -> Option<f64> {
        self.required(field, "a number above 0, at most 100000", |v| {
            v.as_f64().filter(|q| *q > 0.0 && *q <= QUANTITY)
        })
    }

    /// A decimal amount, as number or text.
    pub(super) fn price(&mut self, field: &'static str, digits: u8) -> Option<Money> {
        let expected =
            format!("the price of one, not negative, with at most {digits} digits after the point");
        self.required(field, &expected, |v| match v {
            Value::Number(n) => money(&n.to_string(), digits),
            Value::String(s) => money(s, digits),
            _ => None,
        })
    }

    /// Pieces, or nothing.
    pub(super) fn optional_count(&mut self, field: &'static str) -> Option<i64> {
        self.optional(field, "whole pieces from 0, or null", count)
    }

    /// Pieces or null; a missing field is a fault.
    pub(super) fn required_count(&mut self, field: &'static str) -> Option<Option<i64>> {
        self.required(field, "whole pieces from 0, or null", |v| {
            if v.is_null() { Some(None) } else { count(v).map(Some) }
        })
    }

    /// true or false; missing is false.
    pub(super) fn flag(&mut self, field: &'static str) -> bool {
        self.optional(field, "true or false", Value::as_bool).unwrap_or(false)
    }

    /// Up to `most` texts; missing is empty.
    pub(super) fn texts(&mut self, field: &'static str, most: usize, max: usize) -> Vec<String> {
        self.optional(field, &format!("up to {most} texts of 1 to {max} characters"), |v| {
            let list = v.as_array().filter(|l| l.len() <= most)?;
            list.iter().map(|t| text(t, max)).collect()
        })
        .unwrap_or_default()
    }

    /// Up to `most` named texts; missing is empty.
    pub(super) fn facts(
        &mut self,
        field: &'static str,
        most: usize,
        name: usize,
        max: usize,
    ) -> Vec<(String, String)> {
        self.optional(field, &format!("an object of up to {most} texts"), |v| {
            let map = v.as_object().filter(|m| m.len() <= most)?;
            let pair = |(k, v): (&String, &Value)| Some((clean(k, name)?, text(v, max)?));
            map.iter().map(pair).collect()
        })
        .unwrap_or_default()
    }

    /// A list of objects.
    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        size: RangeInclusive<usize>,
        mut read: impl FnMut(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let map = self.map;
        let expected = format!("a list of {} to {} entries", size.start(), size.end());
        let list =
            self.required(field, &expected, |v| v.as_array().filter(|l| size.contains(&l.len())).map(|_| ()));
        list?;
        let list = map.get(field).and_then(Value::as_array)?;
        let dot = if self.place.is_empty() { "" } else { "." };
        let place = format!("{}{dot}{field}", self.place);
        let each = list.iter().enumerate();
        let made: Vec<Option<T>> =
            each.map(|(n, v)| object(v, format!("{place}[{n}]"), self.faults, &mut read)).collect();
        made.into_iter().collect()
    }
}

fn text(value: &Value, max: usize) -> Option<String> {
    clean(value.as_str()?, max)
}

fn clean(text: &str, max: usize) -> Option<String> {
    let fits = !text.trim().is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn count(value: &Value) -> Option<i64> {
    value.as_i64().filter(|n| (0..=STOCK).contains(n))
}

/// A decimal amount in the smallest unit; digits beyond the currency's must be zeros.
fn money(text: &str, digits: u8) -> Option<Money> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let number = |t: &str| (1..=15).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    if !number(whole) || !number(rest) {
        return None;
    }
    let digits = usize::from(digits);
    let (kept, beyond) = rest.split_at(digits.min(rest.len()));
    if beyond.bytes().any(|b| b != b'0') {
        return None;
    }
    let minor = format!("{whole}{kept:0<digits$}").parse().ok()?;
    (minor <= PRICE).then_some(Money(minor))
}

/// A value as an error shows it.
fn brief(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".into(),
        Value::Array(list) => format!("a list of {}", list.len()),
        other => shorten(&other.to_string()),
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
