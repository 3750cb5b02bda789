//! The configuration as JSON schema, for editors and for whoever generates configurations. It is made
//! from a reading of the documented configuration with every example turned on: what the reading
//! asked for is what there is, in the shapes that it was asked in.
//!
//! Not in it: rules between keys, such as that only a network camera has a `url`.

use super::table::{Credentials, Known};
use super::{Surroundings, read};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The documented configuration.
pub(super) const SHIPPED: &str = include_str!("../../../config/shopguide.toml");

/// The schema (draft 2020-12).
pub fn schema() -> Value {
    let known = known(&uncommented(true));
    let mut root = object();
    for (path, key) in &known {
        let parts: Vec<&str> = path.split('.').collect();
        place(&mut root, &parts, key);
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("shopguide.toml");
    root["required"] = json!(required_sections());
    root
}

/// The shipped file with its defaults (`#key = value`) or also its examples (`##...`) turned on.
pub(super) fn uncommented(examples: bool) -> String {
    let turned_on = |line: &'static str| {
        let example = line.strip_prefix("##").filter(|_| examples);
        let default = line
            .strip_prefix('#')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '['));
        example.or(default).unwrap_or(line)
    };
    SHIPPED.lines().map(|line| turned_on(line).to_owned() + "\n").collect()
}

fn known(text: &str) -> BTreeMap<String, Known> {
    read_anywhere(text).1
}

/// Sections without which there is no configuration.
fn required_sections() -> Vec<String> {
    let Err(mistakes) = read_anywhere("").0 else { return Vec::new() };
    let sections = mistakes.findings().iter().filter_map(|f| Some(f.key.split_once('.')?.0.to_owned()));
    let mut sections: Vec<String> = sections.collect();
    sections.dedup();
    sections
}

/// Files that it names need not be there: what is known of keys does not depend on them.
fn read_anywhere(text: &str) -> (super::Reading, BTreeMap<String, Known>) {
    let file = Path::new("/nowhere/shopguide.toml");
    let folder = Path::new("/nowhere").to_owned();
    let credentials = Credentials::Unchecked;
    read(text, Surroundings { file, folder, credentials, is_world_readable: false, drop_ins: Vec::new() })
}

fn object() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

/// Puts a key where its path says; `[camera]` is an entry of the list `camera`.
fn place(object: &mut Value, path: &[&str], key: &Known) {
    let Some((first, rest)) = path.split_first() else { return };
    let name = first.trim_matches(['[', ']']);
    let is_entry = first.starts_with('[');
    if rest.is_empty() {
        if key.is_required {
            push(object, name);
        }
        let properties = properties(object);
        let made = match &key.schema {
            Some(schema) => schema.clone(),
            None if key.is_free => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            None => self::object(),
        };
        properties.entry(name).or_insert(made);
        return;
    }
    let made = || if is_entry { json!({ "type": "array", "items": self::object() }) } else { self::object() };
    let inner = properties(object).entry(name).or_insert_with(made);
    if is_entry {
        // `camera` itself was placed first, as a section.
        if inner.get("items").is_none() {
            *inner = made();
        }
        place(&mut inner["items"], rest, key);
    } else {
        place(inner, rest, key);
    }
}

fn properties(object: &mut Value) -> &mut Map<String, Value> {
    if !object["properties"].is_object() {
        object["properties"] = Value::Object(Map::new());
    }
    match &mut object["properties"] {
        Value::Object(properties) => properties,
        _ => unreachable!("it was made an object above"),
    }
}

fn push(object: &mut Value, name: &str) {
    match object.get_mut("required").and_then(Value::as_array_mut) {
        Some(required) => required.push(json!(name)),
        None => object["required"] = json!([name]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_sections_entries_shapes_and_what_is_required() {
        let schema = schema();
        let at = |pointer: &str| schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).clone();
        assert_eq!(at("/required"), json!(["store"]));
        assert_eq!(at("/properties/recognition/properties/votes/maximum"), 20);
        assert_eq!(at("/properties/camera/items/required"), json!(["id", "source", "zone"]));
        assert!(at("/properties/camera/items/properties/source/enum").to_string().contains("mjpeg"));
        assert_eq!(at("/properties/mqtt/properties/tls/required"), json!(["ca"]));
        assert_eq!(at("/properties/import/properties/catalogue/additionalProperties/type"), "string");
        assert_eq!(at("/properties/backup/properties/keep/minimum"), 1);
    }

    #[test]
    fn the_schema_that_is_shipped_is_this_one() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/shopguide.schema.json");
        let text = format!("{:#}\n", schema());
        if std::env::var_os("SHOPGUIDE_WRITE_SCHEMA").is_some() {
            std::fs::write(&shipped, &text).unwrap();
        }
        let now = std::fs::read_to_string(shipped).unwrap();
        assert_eq!(now, text, "shopguide check-config --schema > config/shopguide.schema.json");
    }
}
