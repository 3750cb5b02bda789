//! Values as shops write them: times, prices, quantities, yes and no. Each is taken exactly or
//! refused with what was expected; nothing is guessed where two readings are possible.

use super::findings::Reason;
use super::rows::shown;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How the file at hand writes values.
#[derive(Debug, Clone)]
pub struct Formats {
    /// Of times without an offset.
    pub time_zone: TimeZone,
    /// `3/4/2026` is the 3rd of April.
    pub day_first: bool,
    /// `2,55` instead of `2.55`.
    pub decimal_comma: bool,
    /// Digits of the currency after the decimal mark.
    pub currency_digits: u8,
    /// No time in the file is later than this.
    pub latest: Timestamp,
    /// Between the levels of a category.
    pub category_separator: String,
}

type Bad = (Reason, String);

impl Formats {
    /// RFC 3339, `2026-11-23 18:30[:15]`, `11/23/2026 18:30` (or with the day first, or AM and PM),
    /// `23.11.2026 18:30`; a date alone is its midnight.
    pub fn time(&self, text: &str) -> Result<Timestamp, Bad> {
        let bad = |why: &str| (Reason::BadTime, format!("{} {why}", shown(text)));
        let at = match text.parse::<Timestamp>() {
            Ok(at) => at,
            Err(_) => {
                let civil = civil(text, self.day_first).ok_or_else(|| {
                    bad("is none of 2026-11-23T18:30:00Z, 2026-11-23 18:30, 11/23/2026 18:30")
                })?;
                let zoned = self.time_zone.to_ambiguous_zoned(civil).compatible();
                zoned.map_err(|_| bad("is outside of the calendar"))?.timestamp()
            }
        };
        if at > self.latest {
            return Err(bad("is in the future"));
        }
        if at < Timestamp::UNIX_EPOCH {
            return Err(bad("is before 1970"));
        }
        // Kept to the millisecond.
        Timestamp::from_millisecond(at.as_millisecond()).map_err(|_| bad("is outside of the calendar"))
    }

    /// A price in the currency's smallest unit, rounded half away from zero; may be negative.
    pub fn price(&self, text: &str) -> Result<i64, Bad> {
        let bad = |why: &str| (Reason::BadPrice, format!("{} {why}", shown(text)));
        let bare = text.trim_matches(|c: char| "€$£¥ ".contains(c));
        let (negative, digits) = self.decimal(bare).ok_or_else(|| bad("is not a number like 12.50"))?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let places = usize::from(self.currency_digits);
        let kept = fraction.bytes().chain(std::iter::repeat(b'0')).take(places);
        let mut amount: i64 = 0;
        for digit in whole.bytes().chain(kept) {
            amount = amount
                .checked_mul(10)
                .and_then(|a| a.checked_add(i64::from(digit - b'0')))
                .ok_or_else(|| bad("is too large"))?;
        }
        if fraction.as_bytes().get(places).is_some_and(|d| *d >= b'5') {
            amount = amount.checked_add(1).ok_or_else(|| bad("is too large"))?;
        }
        Ok(if negative { -amount } else { amount })
    }

    /// A quantity; may be negative or 0.
    pub fn quantity(&self, text: &str) -> Result<f64, Bad> {
        let bad = || (Reason::BadQuantity, format!("{} is not a number like 2 or 0.35", shown(text)));
        let (negative, digits) = self.decimal(text).ok_or_else(bad)?;
        let value: f64 = digits.parse().map_err(|_| bad())?;
        if value > 1e9 {
            return Err((Reason::BadQuantity, format!("{} is too large", shown(text))));
        }
        Ok(if negative { -value } else { value })
    }

    /// A whole number of pieces.
    pub fn pieces(&self, text: &str) -> Result<i64, Bad> {
        let value = self.quantity(text)?;
        if value.fract() == 0.0 {
            Ok(value as i64)
        } else {
            Err((Reason::BadQuantity, format!("{} is not a whole number", shown(text))))
        }
    }

    /// Sign and digits with `.` as mark; no thousands separators, no exponent.
    fn decimal(&self, text: &str) -> Option<(bool, String)> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let mark = if self.decimal_comma { ',' } else { '.' };
        let (whole, fraction) = text.split_once(mark).unwrap_or((text, ""));
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let some = !whole.is_empty() || !fraction.is_empty();
        (some && digits(whole) && digits(fraction) && text.len() <= 40)
            .then(|| (negative, format!("{}.{fraction}", if whole.is_empty() { "0" } else { whole })))
    }
}

/// Yes or no; empty is no.
pub(super) fn flag(text: &str) -> Result<bool, Bad> {
    match text.to_lowercase().as_str() {
        "yes" | "y" | "true" | "1" | "x" | "ja" | "是" => Ok(true),
        "" | "no" | "n" | "false" | "0" | "nein" | "否" => Ok(false),
        _ => Err((Reason::BadFlag, format!("{} is neither yes nor no", shown(text)))),
    }
}

fn civil(text: &str, day_first: bool) -> Option<DateTime> {
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, time.trim()),
        None => (text, ""),
    };
    let parts = |mark| -> Option<[i16; 3]> {
        let mut numbers = date.split(mark).map(number);
        let parts = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(parts)
    };
    let [year, month, day] = if let Some([d, m, y]) = parts('.') {
        [y, m, d]
    } else if let Some([a, b, y]) = parts('/') {
        if a > 31 {
            [a, b, y]
        } else if day_first {
            [y, b, a]
        } else {
            [y, a, b]
        }
    } else {
        parts('-')?
    };
    if year < 1000 {
        return None;
    }
    let (hour, minute, second) = clock(time)?;
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    DateTime::new(year, month, day, hour, minute, second, 0).ok()
}

fn clock(text: &str) -> Option<(i8, i8, i8)> {
    if text.is_empty() {
        return Some((0, 0, 0));
    }
    let lower = text.to_ascii_lowercase();
    let (bare, noon) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(bare), _) => (bare.trim_end(), Some(0)),
        (_, Some(bare)) => (bare.trim_end(), Some(12)),
        _ => (lower.as_str(), None),
    };
    let mut numbers = bare.split(':');
    let hour = number(numbers.next()?)?;
    let minute = number(numbers.next()?)?;
    let second = match numbers.next() {
        None => 0,
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            if !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            number(whole)?
        }
    };
    let hour = match noon {
        None => hour,
        Some(noon) if (1..=12).contains(&hour) => hour % 12 + noon,
        Some(_) => return None,
    };
    let small = |n: i16| i8::try_from(n).ok();
    numbers.next().is_none().then_some((small(hour)?, small(minute)?, small(second)?))
}

fn number(text: &str) -> Option<i16> {
    (!text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
pub(super) fn formats() -> Formats {
    Formats {
        time_zone: TimeZone::UTC,
        day_first: false,
        decimal_comma: false,
        currency_digits: 2,
        latest: "2030-01-01T00:00:00Z".parse().unwrap(),
        category_separator: "/".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_in_every_usual_form() {
        let expected: Timestamp = "2011-12-09T12:50:00Z".parse().unwrap();
        for text in [
            "2011-12-09T12:50:00Z",
            "2011-12-09T13:50:00+01:00",
            "2011-12-09 12:50",
            "2011-12-09 12:50:00",
            "2011-12-09T12:50:00.000",
            "12/9/2011 12:50",
            "12/09/2011 12:50:00 PM",
            "09.12.2011 12:50",
        ] {
            assert_eq!(formats().time(text).ok(), Some(expected), "{text}");
        }
        let day_first = Formats { day_first: true, ..formats() };
        assert_eq!(day_first.time("9/12/2011 12:50").ok(), Some(expected));
        assert_eq!(formats().time("2011-12-09").unwrap().to_string(), "2011-12-09T00:00:00Z");
        assert_eq!(formats().time("12/9/2011 12:05 AM").unwrap().to_string(), "2011-12-09T00:05:00Z");
    }

    #[test]
    fn a_time_without_an_offset_is_in_the_stores_zone() {
        let berlin = Formats { time_zone: TimeZone::get("Europe/Berlin").unwrap(), ..formats() };
        assert_eq!(berlin.time("2011-07-01 12:00").unwrap().to_string(), "2011-07-01T10:00:00Z");
        assert_eq!(berlin.time("2011-12-01 12:00").unwrap().to_string(), "2011-12-01T11:00:00Z");
    }

    #[test]
    fn times_that_are_none_are_refused() {
        for bad in [
            "",
            "soon",
            "2011-13-01 10:00",
            "2011-02-30",
            "9/12/11 10:00",
            "2011-12-09 25:00",
            "13/13/2011",
            "2031-01-01",
            "1969-01-01",
            "2011-12-09 10:00 Uhr",
            "1-2-3-4",
        ] {
            assert!(formats().time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prices_are_exact() {
        let comma = Formats { decimal_comma: true, ..formats() };
        for (text, amount) in [
            ("2.55", 255),
            ("11062.06", 1_106_206),
            ("-3", -300),
            ("0.001", 0),
            ("1.005", 101),
            (".5", 50),
            ("£40.00", 4000),
            ("0.0", 0),
        ] {
            assert_eq!(formats().price(text).ok(), Some(amount), "{text}");
        }
        assert_eq!(comma.price("2,55").ok(), Some(255));
        for bad in ["", "2,55", "1,234.50", "1e3", "abc", "--1", "99999999999999999999", "1.2.3", "."] {
            assert!(formats().price(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn quantities_and_flags_are_taken_or_refused() {
        assert_eq!(formats().quantity("-12").ok(), Some(-12.0));
        assert_eq!(formats().quantity("0.35").ok(), Some(0.35));
        assert!(formats().quantity("NaN").is_err() && formats().quantity("inf").is_err());
        assert!(formats().pieces("1.5").is_err());
        assert_eq!((flag("Yes").ok(), flag("").ok(), flag("maybe").ok()), (Some(true), Some(false), None));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}", digits in "[0-9:./ TAPMapm+-]{0,25}") {
            for text in [&text, &digits] {
                let _ = (formats().time(text), formats().price(text), formats().quantity(text), flag(text));
            }
        }

        #[test]
        fn a_price_that_was_written_is_read(cents in 0_i64..1_000_000_000_000) {
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            prop_assert_eq!(formats().price(&text).ok(), Some(cents));
        }
    }
}
