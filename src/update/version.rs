//! Numbers of releases: `1.4.0`, or `1.4.0.2` where only models or configuration are new. Ordered
//! number by number; a bundle is applied only if its number is higher than what is at work.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A release's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version([u32; 4]);

impl Version {
    /// The number of this program.
    pub fn own() -> Version {
        // The package's own version is three numbers; a test says so.
        env!("CARGO_PKG_VERSION").parse().unwrap_or(Version([0; 4]))
    }

    /// The program's part of the number: three numbers.
    pub fn of_program(self) -> Version {
        let [a, b, c, _] = self.0;
        Version([a, b, c, 0])
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}")?;
        if d > 0 { write!(f, ".{d}") } else { Ok(()) }
    }
}

/// A text that is no release's number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a release's number: expected three numbers as in 1.4.0, or four as in 1.4.0.2")]
pub struct NotAVersion(String);

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let no = || NotAVersion(text.chars().take(40).collect());
        let number = |part: &str| {
            let plain = part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            plain.then(|| part.parse::<u32>().ok()).flatten().ok_or_else(no)
        };
        let parts = text.split('.').map(number).collect::<Result<Vec<u32>, _>>()?;
        match parts[..] {
            [a, b, c] => Ok(Version([a, b, c, 0])),
            [a, b, c, d] if d > 0 => Ok(Version([a, b, c, d])),
            _ => Err(no()),
        }
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_ordered_as_numbers() {
        let of = |text: &str| text.parse::<Version>().unwrap();
        assert!(of("0.9.0") < of("0.10.0") && of("0.10.0") < of("0.10.0.1") && of("0.10.0.1") < of("1.0.0"));
        assert_eq!(of("1.2.3.4").of_program(), of("1.2.3"));
        assert_eq!(Version::own().to_string(), env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in [
            "",
            "1",
            "1.2",
            "1.2.3.0",
            "01.2.3",
            "1.2.3-rc1",
            "1.2.3.4.5",
            "1.2.+3",
            "../..",
            "1.2.4294967296",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn one_number_has_one_text(text in "[0-9.]{0,12}|.{0,12}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}
