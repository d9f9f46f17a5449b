//! `HumanDuration`: a length of time as people write it in a configuration file, such as `"15 min"`.
//!
//! One number and one unit, nothing else: no fractions, no "1 h 30 min". A bare number is refused,
//! because a reader cannot tell seconds from milliseconds.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const UNITS: [(&str, u64); 5] =
    [("days", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time, at millisecond precision, that prints the way it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(Duration);

impl HumanDuration {
    /// No time at all; where a key says so, it means "off".
    pub const ZERO: Self = Self(Duration::ZERO);

    /// That many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// That many minutes.
    pub const fn from_mins(minutes: u64) -> Self {
        Self::from_secs(minutes * 60)
    }

    /// That many hours.
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_mins(hours * 60)
    }

    /// That many days of 24 hours.
    pub const fn from_days(days: u64) -> Self {
        Self::from_hours(days * 24)
    }

    /// The same length of time for the standard library and tokio.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// True for zero, which some keys read as "off".
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<HumanDuration> for Duration {
    fn from(duration: HumanDuration) -> Self {
        duration.0
    }
}

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// There is no unit after the number.
    #[error("\"{0}\" has no unit: write for instance \"{0} s\" or \"{0} min\"")]
    NoUnit(String),
    /// The text is not a whole number and a unit.
    #[error("\"{0}\" is not a length of time: write a whole number and ms, s, min, h or days")]
    Malformed(String),
    /// The number does not fit.
    #[error("\"{0}\" is too long")]
    TooLong(String),
}

impl FromStr for HumanDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let digits_end = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits_end);
        let unit = unit.trim_start();
        if number.is_empty() {
            return Err(DurationError::Malformed(text.to_owned()));
        }
        let factor = match unit {
            "" => return Err(DurationError::NoUnit(trimmed.to_owned())),
            "ms" => 1,
            "s" | "sec" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            _ => return Err(DurationError::Malformed(text.to_owned())),
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            // A century is more than any key means, and still far from where clocks overflow.
            .filter(|milliseconds| *milliseconds <= 100 * 366 * 86_400_000)
            .map(|milliseconds| Self(Duration::from_millis(milliseconds)))
            .ok_or_else(|| DurationError::TooLong(text.to_owned()))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, factor) = UNITS
            .into_iter()
            .find(|(_, factor)| milliseconds > 0 && milliseconds.is_multiple_of(*factor))
            .unwrap_or(("s", 1_000));
        let number = milliseconds / factor;
        write!(f, "{number} {}", if (number, unit) == (1, "days") { "day" } else { unit })
    }
}

impl fmt::Debug for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = HumanDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time such as \"30 s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                Err(E::custom(DurationError::NoUnit(number.to_string())))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Err(E::custom(DurationError::NoUnit(number.to_string())))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_printed_back_the_same() {
        for text in ["250 ms", "30 s", "15 min", "12 h", "1 day", "30 days", "0 s", "90 s"] {
            assert_eq!(text.parse::<HumanDuration>().unwrap().to_string(), text);
        }
        assert_eq!("60s".parse::<HumanDuration>().unwrap(), HumanDuration::from_mins(1));
    }

    #[test]
    fn a_bare_number_is_refused_with_the_way_to_write_it() {
        let error = "30".parse::<HumanDuration>().unwrap_err();
        assert!(error.to_string().contains("\"30 s\""), "{error}");
    }

    #[test]
    fn nonsense_and_overflow_are_refused() {
        for text in ["", "s", "-1 s", "1.5 h", "1 fortnight", "99999999999999999999 s", "1 h 2 s"] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
        assert!("18446744073709551615 days".parse::<HumanDuration>().is_err());
    }
}
