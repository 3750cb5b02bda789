//! Durations as people write them: a number and its unit, `"5 s"`, `"200 ms"`, `"2 min"`, `"24 h"`.
//! The unit is never guessed; a bare number is refused.

use std::time::Duration;

/// The units, each with its length in nanoseconds.
const UNITS: [(&str, f64); 5] = [("ms", 1e6), ("s", 1e9), ("min", 60e9), ("h", 3600e9), ("d", 86_400e9)];
/// The same as a regular expression, for the schema.
pub(super) const PATTERN: &str = "^[0-9]+(\\.[0-9]+)? *(ms|s|min|h|d)$";

/// Words that people write for the units.
const OTHER_NAMES: [(&str, &str); 20] = [
    ("msec", "ms"),
    ("millis", "ms"),
    ("millisecond", "ms"),
    ("milliseconds", "ms"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("m", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("M", "min"),
    ("S", "s"),
];
/// Longer durations are refused before any arithmetic (100 years).
const LONGEST_NANOS: f64 = 3.156e18;

/// Why a text is not a duration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotADuration {
    /// In words, to follow the value: "has no unit".
    pub(super) problem: String,
    /// The text that was probably meant.
    pub(super) meant: Option<String>,
}

/// Reads a number and a unit, with or without a space between them.
pub(super) fn parse(text: &str) -> Result<Duration, NotADuration> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = (&text[..split], text[split..].trim());
    let number: f64 = match digits.parse() {
        Ok(number) if digits.starts_with(|c: char| c.is_ascii_digit()) => number,
        _ => return Err(NotADuration { problem: "is not a duration".into(), meant: None }),
    };
    if unit.is_empty() {
        return Err(NotADuration { problem: "has no unit".into(), meant: Some(format!("{digits} s")) });
    }
    let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let other = OTHER_NAMES.iter().find(|(name, _)| *name == unit || *name == unit.to_lowercase());
        return Err(NotADuration {
            problem: format!("has the unknown unit \"{unit}\""),
            meant: other.map(|(_, name)| format!("{digits} {name}")),
        });
    };
    let nanos = number * nanos;
    if nanos > LONGEST_NANOS {
        return Err(NotADuration { problem: "is too long".into(), meant: None });
    }
    Ok(Duration::from_nanos(nanos.round() as u64))
}

/// Writes a duration in the largest unit that holds it whole, so that [`parse`] reads it back.
pub(super) fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)] {
        if millis > 0 && millis.is_multiple_of(length) {
            return format!("{} {unit}", millis / length);
        }
    }
    format!("{millis} ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_with_its_unit_is_read() {
        for (text, millis) in [
            ("5 s", 5000),
            ("5s", 5000),
            ("200 ms", 200),
            ("2 min", 120_000),
            ("24 h", 86_400_000),
            ("1.5 s", 1500),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_unit_is_never_guessed_but_the_likely_one_is_named() {
        assert_eq!(parse("5").unwrap_err().meant.as_deref(), Some("5 s"));
        assert_eq!(parse("5 sec").unwrap_err().meant.as_deref(), Some("5 s"));
        assert_eq!(parse("2 m").unwrap_err().meant.as_deref(), Some("2 min"));
        for bad in
            ["", "s", "-5 s", "five s", "5 parsec", "1.2.3 s", ".5 s", "5 s 3", "1e9 s", "99999999999 d"]
        {
            assert!(parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
