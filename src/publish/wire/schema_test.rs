//! Keeps `contract.schema.json` true: what is sent fits it, and the parsers accept what it accepts
//! and refuse what it refuses. The validator below knows the keywords that the schema uses, and
//! fails on any other.

use super::*;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: &str = "2026-05-01T12:00:00Z";

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        other => panic!("type {other}"),
    }
}

/// Whether `value` fits `rule`, a schema inside `root`.
fn fits(root: &Value, rule: &Value, value: &Value) -> bool {
    let rules = rule.as_object().expect("a schema is an object");
    let size = |n: &Value| n.as_u64().unwrap() as usize;
    rules.iter().all(|(keyword, want)| match keyword.as_str() {
        "description" => true,
        "$ref" => {
            let name = want.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            fits(root, &root["$defs"][name], value)
        }
        "type" => match want {
            Value::String(name) => has_type(value, name),
            names => names.as_array().unwrap().iter().any(|n| has_type(value, n.as_str().unwrap())),
        },
        "enum" => want.as_array().unwrap().contains(value),
        "const" => value == want || (want == &json!(0) && value.as_f64() == Some(0.0)),
        "not" => !fits(root, want, value),
        "oneOf" => want.as_array().unwrap().iter().filter(|one| fits(root, one, value)).count() == 1,
        "minimum" => value.as_f64().is_none_or(|n| n >= want.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|n| n <= want.as_f64().unwrap()),
        "minLength" => value.as_str().is_none_or(|s| s.chars().count() >= size(want)),
        "maxLength" => value.as_str().is_none_or(|s| s.chars().count() <= size(want)),
        "format" => value.as_str().is_none_or(|s| s.parse::<Timestamp>().is_ok() && s.contains('T')),
        "pattern" => value.as_str().is_none_or(|s| match want.as_str().unwrap() {
            "^[a-z0-9-]{1,32}$" => crate::id::ZoneId::new(s).is_ok(),
            "^[^\\p{Cc}]*$" => !s.chars().any(char::is_control),
            other => panic!("pattern {other}"),
        }),
        "items" => value.as_array().is_none_or(|a| a.iter().all(|v| fits(root, want, v))),
        "minItems" => value.as_array().is_none_or(|a| a.len() >= size(want)),
        "maxItems" => value.as_array().is_none_or(|a| a.len() <= size(want)),
        "required" => value
            .as_object()
            .is_none_or(|o| want.as_array().unwrap().iter().all(|k| o.contains_key(k.as_str().unwrap()))),
        "properties" => value.as_object().is_none_or(|o| {
            o.iter().all(|(k, v)| want.get(k).is_none_or(|property| fits(root, property, v)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|o| {
            let known = |k: &String| rule.get("properties").is_some_and(|p| p.get(k).is_some());
            o.iter().filter(|(k, _)| !known(k)).all(|(_, v)| match want {
                Value::Bool(allowed) => *allowed,
                schema => fits(root, schema, v),
            })
        }),
        "maxProperties" => value.as_object().is_none_or(|o| o.len() <= size(want)),
        "propertyNames" => {
            value.as_object().is_none_or(|o| o.keys().all(|k| fits(root, want, &Value::String(k.clone()))))
        }
        other => panic!("the validator does not know the keyword {other}"),
    })
}

fn fits_kind(kind: &str, value: &Value) -> bool {
    let root = schema();
    fits(&root, &root["$defs"][kind], value)
}

fn parses(kind: &str, payload: &[u8]) -> Result<(), Invalid> {
    match kind {
        "ack" => AckMessage::parse(payload).map(drop),
        "display-status" => DisplayStatusMessage::parse(payload).map(drop),
        "receipt" => ReceiptMessage::parse(payload, NOW.parse().unwrap()).map(drop),
        "catalogue" => CatalogueMessage::parse(payload).map(drop),
        "stock" => StockMessage::parse(payload).map(drop),
        other => panic!("{other}"),
    }
}

fn valid(kind: &str) -> Value {
    match kind {
        "ack" => json!({"slate": "b1-7", "kind": "taken", "sku": "A1"}),
        "display-status" => {
            json!({"state": "online", "items": 3, "width": 800, "height": 480, "language": "en", "software": "kiosk 1"})
        }
        "receipt" => json!({"receipt": "r-1", "time": "2026-05-01T11:59:00+02:00", "member": "token",
            "lines": [{"sku": "A1", "quantity": 0.35, "price": 1290}, {"sku": "B2", "quantity": -1, "price": 0}]}),
        "catalogue" => json!({"products": [{"sku": "A1", "name": "Tea", "category": ["Drinks", "Tea"],
            "brand": "B", "price": 250, "attributes": {"organic": "yes"}, "stock": null, "place": "Aisle 1",
            "withdrawn": false, "age_restricted": false, "sensitive": true}]}),
        "stock" => json!({"levels": [{"sku": "A1", "stock": 4}, {"sku": "B2", "stock": null}]}),
        other => panic!("{other}"),
    }
}

const KINDS: [&str; 5] = ["ack", "display-status", "receipt", "catalogue", "stock"];

/// Every place inside `value`, as JSON pointers.
fn places(value: &Value, at: String, out: &mut Vec<String>) {
    out.push(at.clone());
    match value {
        Value::Object(o) => o.iter().for_each(|(k, v)| places(v, format!("{at}/{k}"), out)),
        Value::Array(a) => a.iter().enumerate().for_each(|(i, v)| places(v, format!("{at}/{i}"), out)),
        _ => {}
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!({})),
        Just(json!([])),
        Just(json!("")),
        Just(json!(0)),
        Just(json!(-1)),
        Just(json!(0.5)),
        Just(json!("shown")),
        Just(json!("a\u{7}b")),
        Just(json!("x".repeat(65))),
        Just(json!("ü".repeat(64))),
        Just(json!("x".repeat(129))),
        Just(json!("2026-13-01T00:00:00Z")),
        Just(json!("2026-01-01 00:00:00Z")),
        Just(json!("2026-01-01T00:00:00Z")),
        any::<i64>().prop_map(|n| json!(n)),
        (-200_000_i64..20_000).prop_map(|n| json!(n)),
        "[ -~]{0,40}".prop_map(|s| json!(s)),
    ]
}

#[test]
fn a_valid_message_of_every_kind_fits_the_schema_and_is_read() {
    for kind in KINDS {
        let message = valid(kind);
        assert!(fits_kind(kind, &message), "{kind} does not fit the schema");
        parses(kind, message.to_string().as_bytes()).unwrap_or_else(|e| panic!("{kind}: {e}"));
    }
}

#[test]
fn what_is_sent_fits_the_schema() {
    use crate::recommend::{Money, Reason};
    let at: Timestamp = NOW.parse().unwrap();
    let reasons = [
        Reason::Rhythm { every_days: 14, last_days_ago: 15, times: 6 },
        Reason::BoughtBefore { times: 2, last_days_ago: 90 },
        Reason::GoesWith { with: "Pasta".into(), baskets_ago: 0 },
        Reason::LikeMinded { buyers: 12, near: 200 },
        Reason::Category { category: "Tea".into(), share_percent: 20, new: true },
        Reason::Brand { brand: "Hill".into(), share_percent: 20 },
        Reason::Declared { liked: None },
        Reason::Viewed { category: "Tea".into(), minutes_ago: 4 },
        Reason::Taste {},
        Reason::TimeOfDay {},
        Reason::Season {},
        Reason::Popular { receipts: 12, days: 28 },
    ];
    let item = |reason| ItemMessage {
        sku: "A1".into(),
        name: "Tea".into(),
        price: Money(250),
        price_text: "€2.50".into(),
        place: None,
        reason,
        reason_text: "…".into(),
    };
    let slate = SlateMessage {
        slate: crate::id::SlateId("b1-7".into()),
        display: crate::id::DisplayId::new("tea").unwrap(),
        sequence: 1_777_000_000_000,
        made_at: at,
        valid_until: at,
        audience: Audience::Personal,
        greeting: None,
        items: reasons.map(item).to_vec(),
        captured: Some(at),
    };
    let status =
        StatusMessage { state: State::Offline, boot_id: "b1".into(), version: "0".into(), since: at };
    let zone = crate::id::ZoneId::new("entrance").unwrap();
    let visit = VisitMessage { visit: VisitTag::random(), zone, entered: at, left: None };
    for (kind, value) in [
        ("slate", serde_json::to_value(slate).unwrap()),
        ("status", serde_json::to_value(status).unwrap()),
        ("visit", serde_json::to_value(visit).unwrap()),
    ] {
        assert!(fits_kind(kind, &value), "{kind}: {value}");
    }
}

#[test]
fn errors_name_the_place_and_never_repeat_a_value() {
    let cases = [
        (
            "receipt",
            r#"{"receipt":"r","time":"2026-05-01T10:00:00Z","member":424242,"lines":[]}"#,
            "wrong kind",
        ),
        (
            "receipt",
            r#"{"receipt":"r","time":"2026-05-01T10:00:00Z","membr":"424242","lines":[]}"#,
            "`membr`",
        ),
        ("receipt", r#"{"receipt":"424242","time":"2026-05-01T10:00:00Z","lines":[]}"#, "lines: 0"),
        ("receipt", r#"{"receipt":"424242","time":"2026-05-09T10:00:00Z","lines":[]}"#, "day ahead"),
        ("receipt", r#"{"receipt":"424242","time":"9 o'clock","lines":[]}"#, "RFC 3339"),
        ("ack", r#"{"slate":"424242"}"#, "missing field `kind`"),
        ("ack", r#"{"slate":"424242","kind":"shown"#, "not JSON"),
        ("stock", r#"{"levels":[{"sku":"424242","stock":1},{"sku":"","stock":1}]}"#, "levels[1]: sku"),
    ];
    for (kind, payload, expected) in cases {
        let error = parses(kind, payload.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{payload}: {error}");
        assert!(!error.contains("424242"), "{payload}: {error}");
    }
}

#[test]
fn a_payload_beyond_the_limit_is_refused_unread() {
    let payload = vec![b' '; MAX_PAYLOAD + 1];
    for kind in KINDS {
        assert!(parses(kind, &payload).unwrap_err().to_string().contains("250000 allowed"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_a_panic(kind in 0..KINDS.len(), payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parses(KINDS[kind], &payload);
    }

    #[test]
    fn schema_and_parser_agree_on_messages_that_are_almost_right(
        kind in 0..KINDS.len(), place in any::<prop::sample::Index>(), odd in odd_value(), how in 0..3_u8,
    ) {
        let kind = KINDS[kind];
        let mut message = valid(kind);
        let mut all = Vec::new();
        places(&message, String::new(), &mut all);
        let at = all[place.index(all.len())].clone();
        match how {
            0 => *message.pointer_mut(&at).unwrap() = odd,
            1 => if let Some(object) = message.pointer_mut(&at).unwrap().as_object_mut() {
                object.insert("further".into(), odd);
            },
            _ => if let Some((parent, key)) = at.rsplit_once('/')
                && let Some(object) = message.pointer_mut(parent).unwrap().as_object_mut() {
                object.remove(key);
            },
        }
        let read = parses(kind, message.to_string().as_bytes());
        let late = read.as_ref().err().is_some_and(|e| e.0.starts_with("time lies"));
        prop_assert_eq!(read.is_ok() || late, fits_kind(kind, &message), "{} {}: {:?}", kind, message, read);
    }
}
