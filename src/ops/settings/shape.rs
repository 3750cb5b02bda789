//! What a value must look like: a sentence for people and a reading of it. Every kind of value in
//! the configuration is one [`Shape`]; sections only name keys, shapes and defaults.

use super::duration;
use super::nearest::nearest;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::de::DeValue;

/// Longest text that is taken, in characters.
const LONGEST_TEXT: usize = 200;

/// Why a value does not fit.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// In words that follow the value, e.g. "is out of range"; `None` when the type is wrong.
    pub(super) problem: Option<String>,
    /// The value that was probably meant, as it would be written in TOML.
    pub(super) meant: Option<String>,
    /// What to do, when there is no such value.
    pub(super) help: Option<String>,
}

impl Refusal {
    /// The value is of another type than expected.
    pub(super) fn wrong_type() -> Self {
        Refusal::default()
    }

    /// The type is right, the value is not.
    pub(super) fn because(problem: impl Into<String>) -> Self {
        Refusal { problem: Some(problem.into()), ..Refusal::default() }
    }

    pub(super) fn meant(mut self, meant: Option<String>) -> Self {
        self.meant = meant;
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Reads one value.
type Read<'s, T> = Box<dyn Fn(&DeValue<'_>) -> Result<T, Refusal> + 's>;

/// What is expected of one value, and how to read it.
pub(super) struct Shape<'s, T> {
    /// In words, to follow "expected".
    pub(super) expected: String,
    /// As JSON schema, without the words.
    pub(super) schema: Value,
    read: Read<'s, T>,
}

impl<'s, T> Shape<'s, T> {
    fn new(
        expected: impl Into<String>,
        schema: Value,
        read: impl Fn(&DeValue<'_>) -> Result<T, Refusal> + 's,
    ) -> Self {
        Shape { expected: expected.into(), schema, read: Box::new(read) }
    }

    /// The same with a closer schema: what a text must look like.
    fn like(mut self, schema: Value) -> Self {
        self.schema = schema;
        self
    }

    /// Its JSON schema, with the words.
    pub(super) fn described(&self) -> Value {
        let mut schema = self.schema.clone();
        schema["description"] = Value::String(self.expected.clone());
        schema
    }

    pub(super) fn read(&self, value: &DeValue<'_>) -> Result<T, Refusal> {
        (self.read)(value)
    }
}

/// A text that `parse` takes.
pub(super) fn parsed<'s, T>(
    expected: impl Into<String>,
    parse: impl Fn(&str) -> Result<T, Refusal> + 's,
) -> Shape<'s, T> {
    Shape::new(expected, json!({ "type": "string" }), move |value| {
        parse(value.as_str().ok_or_else(Refusal::wrong_type)?)
    })
}

/// A text of 1 to 200 characters on one line.
pub(super) fn text(what: &str) -> Shape<'static, String> {
    parsed(format!("{what}: a text of 1 to {LONGEST_TEXT} characters in quotes"), |text| {
        if text.trim().is_empty() {
            Err(Refusal::because("is empty"))
        } else if text.chars().count() > LONGEST_TEXT {
            Err(Refusal::because("is too long"))
        } else if text.chars().any(char::is_control) {
            Err(Refusal::because("holds a control character or more than one line"))
        } else {
            Ok(text.to_owned())
        }
    })
    .like(json!({ "type": "string", "minLength": 1, "maxLength": LONGEST_TEXT }))
}

/// An identifier (`[a-z0-9-]{1,32}`).
pub(super) fn word<T: std::str::FromStr>(what: &str) -> Shape<'static, T> {
    parsed(format!("{what}: 1 to 32 of a-z, 0-9 and '-' in quotes"), |text| {
        text.parse().map_err(|_| {
            let plain: String = text
                .trim()
                .to_lowercase()
                .chars()
                .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
                .collect();
            let plain = plain.trim_matches('-');
            let meant = plain.parse::<T>().ok().map(|_| format!("{plain:?}"));
            Refusal::because("cannot be part of topics and addresses").meant(meant)
        })
    })
    .like(json!({ "type": "string", "pattern": "^[a-z0-9-]{1,32}$" }))
}

/// `true` or `false`.
pub(super) fn flag() -> Shape<'static, bool> {
    Shape::new("true or false, without quotes", json!({ "type": "boolean" }), |value| {
        value.as_bool().ok_or_else(Refusal::wrong_type)
    })
}

/// A whole number within `range`; `what` is its unit or meaning.
pub(super) fn whole<T>(range: RangeInclusive<T>, what: &str) -> Shape<'static, T>
where
    T: TryFrom<i128> + PartialOrd + Display + Copy + Serialize + 'static,
{
    let expected = format!("a whole number of {what} from {} to {}", range.start(), range.end());
    let schema = json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() });
    Shape::new(expected, schema, move |value| {
        let integer = match value {
            DeValue::Integer(integer) => integer,
            DeValue::Float(_) => return Err(Refusal::because("is not a whole number")),
            _ => return Err(Refusal::wrong_type()),
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        number
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| Refusal::because("is out of range"))
    })
}

/// A number, whole or not, within `range`; `what` is its unit or meaning.
pub(super) fn number(range: RangeInclusive<f32>, what: &str) -> Shape<'static, f32> {
    let expected = format!("a number from {} to {} ({what})", range.start(), range.end());
    let schema = json!({ "type": "number", "minimum": range.start(), "maximum": range.end() });
    Shape::new(expected, schema, move |value| {
        let number = match value {
            DeValue::Float(float) => float.as_str().parse::<f32>().ok(),
            DeValue::Integer(integer) => {
                i128::from_str_radix(integer.as_str(), integer.radix()).ok().map(|number| number as f32)
            }
            _ => return Err(Refusal::wrong_type()),
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| Refusal::because("is out of range"))
    })
}

/// A duration with its unit, within `range`.
pub(super) fn length_of_time(range: RangeInclusive<Duration>) -> Shape<'static, Duration> {
    let [least, most] = [*range.start(), *range.end()].map(duration::format);
    let expected =
        format!("a duration from \"{least}\" to \"{most}\": a number and ms, s, min, h or d, in quotes");
    let schema = json!({ "type": "string", "pattern": duration::PATTERN });
    Shape::new(expected, schema, move |value| match value {
        DeValue::String(text) => match duration::parse(text) {
            Ok(length) if range.contains(&length) => Ok(length),
            Ok(_) => Err(Refusal::because("is out of range")),
            Err(no) => Err(Refusal::because(no.problem).meant(no.meant.map(|text| format!("{text:?}")))),
        },
        DeValue::Integer(number) => {
            Err(Refusal::because("has no unit").meant(Some(format!("\"{} s\"", number.as_str()))))
        }
        DeValue::Float(number) => {
            Err(Refusal::because("has no unit").meant(Some(format!("\"{} s\"", number.as_str()))))
        }
        _ => Err(Refusal::wrong_type()),
    })
}

/// One of a few words. `other_names` are words that people write instead, with the word they mean.
pub(super) fn choice<'s, T: Copy + 's>(
    choices: &'s [(&'s str, T)],
    other_names: &'s [(&'s str, &'s str)],
) -> Shape<'s, T> {
    let words: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let names: Vec<_> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
    parsed(format!("one of {}", names.join(", ")), move |text| {
        choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
            let other = other_names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            let meant = other.map(|(_, name)| *name);
            let meant = meant.or_else(|| nearest(text, choices.iter().map(|(name, _)| *name)));
            Refusal::because("is not one of the choices").meant(meant.map(|name| format!("{name:?}")))
        })
    })
    .like(json!({ "enum": words }))
}

/// A list of texts.
pub(super) fn texts(what: &str) -> Shape<'static, Vec<String>> {
    let schema = json!({ "type": "array", "items": { "type": "string" } });
    Shape::new(format!("{what}: texts in quotes between [ and ]"), schema, |value| {
        let list = value.as_array().ok_or_else(Refusal::wrong_type)?;
        let texts = list.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
        texts
            .collect::<Option<_>>()
            .ok_or_else(|| Refusal::because("holds something that is not a text in quotes"))
    })
}

/// An address to listen on.
pub(super) fn address() -> Shape<'static, SocketAddr> {
    let expected = "an address and a port, e.g. \"127.0.0.1:8080\" (this machine only), \"0.0.0.0:8080\" \
                    (every network) or \"[::1]:8080\"";
    let schema = json!({ "type": "string", "pattern": ":[0-9]{1,5}$" });
    Shape::new(expected, schema, |value| {
        let port = |port: &str| port.parse::<u16>().ok().map(|port| format!("\"127.0.0.1:{port}\""));
        let text = match value {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(number) => {
                return Err(Refusal::because("has no address").meant(port(number.as_str())));
            }
            _ => return Err(Refusal::wrong_type()),
        };
        text.parse().map_err(|_| match text.rsplit_once(':') {
            Some(("localhost" | "", digits)) => Refusal::because("names no address").meant(port(digits)),
            Some((address, digits))
                if address.parse::<IpAddr>().is_ok() && digits.parse::<u16>().is_err() =>
            {
                Refusal::because("has no port from 0 to 65535")
            }
            _ if text.parse::<IpAddr>().is_ok() => Refusal::because("has no port"),
            None if text.parse::<u16>().is_ok() => Refusal::because("has no address").meant(port(text)),
            _ => Refusal::because("is not an address with a port")
                .help("write the address in digits, not a name"),
        })
    })
}
