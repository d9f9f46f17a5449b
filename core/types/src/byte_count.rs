//! A number of bytes that people write as `10 GiB`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

const UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// A number of bytes. Parses `10 GiB`, `1.5 GB`, `4096`; prints the largest binary unit that divides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(pub u64);

/// Why a text is not a number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be a number of bytes such as 4096, 512 KiB, 10 GiB or 1.5 GB, not {0:?}")]
pub struct ByteCountError(String);

impl ByteCount {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteCount {
    type Err = ByteCountError;

    fn from_str(text: &str) -> Result<Self, ByteCountError> {
        let error = || ByteCountError(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let factor = match unit {
            "" => 1,
            unit => {
                UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(error)?.1
            }
        };
        let number = number.trim().replace('_', "");
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or_else(error);
        }
        let (whole, fraction) = number.split_once('.').ok_or_else(error)?;
        // a fraction of a byte is rounded down; nine digits are more than any unit here can show
        if fraction.is_empty()
            || fraction.len() > 9
            || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(error());
        }
        let whole: u128 = whole.parse::<u64>().map_err(|_| error())?.into();
        let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| error())?);
        let fraction: u128 = fraction.parse::<u64>().map_err(|_| error())?.into();
        let bytes = whole * u128::from(factor) + fraction * u128::from(factor) / scale;
        u64::try_from(bytes).map(Self).map_err(|_| error())
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary =
            UNITS.iter().take(4).find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        match binary {
            Some((unit, size)) => write!(f, "{} {unit}", self.0 / size),
            None => write!(f, "{} B", self.0),
        }
    }
}

impl Serialize for ByteCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = ByteCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes such as 4096 or \"10 GiB\"")
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<ByteCount, E> {
                Ok(ByteCount(value))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<ByteCount, E> {
                u64::try_from(value).map(ByteCount).map_err(|_| E::custom("must not be negative"))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ByteCount, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_people_write_and_prints_it_back() {
        for (text, bytes, printed) in [
            ("10 GiB", 10 << 30, "10 GiB"),
            ("4096", 4096, "4 KiB"),
            ("1.5 GB", 1_500_000_000, "1500000000 B"),
            ("1mib", 1 << 20, "1 MiB"),
            ("0", 0, "0 B"),
        ] {
            let count: ByteCount = text.parse().unwrap();
            assert_eq!(count.bytes(), bytes, "{text}");
            assert_eq!(count.to_string(), printed);
        }
        for bad in ["", "GiB", "-1", "1.", "1 bushel", "99999999999 TiB", "1e9"] {
            assert!(bad.parse::<ByteCount>().is_err(), "{bad:?} was accepted");
        }
    }
}
