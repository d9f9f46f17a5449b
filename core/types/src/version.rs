//! Versions of a box, valid and ordered as Vagrant's own (Ruby's `Gem::Version`).
//!
//! One bad version makes a client reject the whole box, so only what `Gem::Version` accepts is accepted here, and
//! sorting follows it: `1.0.0-rc1` < `1.0.0`, `1.10` > `1.9`, `1.0` is the same version as `1.0.0`.
//! [`BoxVersion::sort_key`] encodes that order as text, so that a database can sort and compare by an index.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// The longest version, in characters.
pub const VERSION_CHARS_MAX: usize = 64;

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VersionError {
    /// Longer than [`VERSION_CHARS_MAX`].
    #[error("must have at most {VERSION_CHARS_MAX} characters, not {0}")]
    TooLong(usize),
    /// Not of the form that Vagrant accepts.
    #[error("must be a version that Vagrant accepts, for instance 1.2.3 or 2.0.0-rc1, not {0:?}")]
    Malformed(String),
}

/// A version of a box. Equality and order are those of `Gem::Version`, not of the text.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct BoxVersion(String);

#[derive(Debug, PartialEq, Eq)]
enum Segment<'a> {
    Text(&'a str),
    /// Decimal digits without leading zeros; empty for zero.
    Number(&'a str),
}

impl Segment<'_> {
    fn is_zero(&self) -> bool {
        matches!(self, Self::Number(""))
    }
}

impl BoxVersion {
    /// Parses a version.
    ///
    /// Source: `Gem::Version::VERSION_PATTERN` in `RubyGems`.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let length = text.chars().count();
        if length > VERSION_CHARS_MAX {
            return Err(VersionError::TooLong(length));
        }
        if !is_gem_version(text) {
            return Err(VersionError::Malformed(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The version as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it holds a letter, which `Gem::Version` calls a prerelease.
    pub fn is_prerelease(&self) -> bool {
        self.0.bytes().any(|b| b.is_ascii_alphabetic() || b == b'-')
    }

    /// Text that sorts, byte by byte, as the versions do; equal for equal versions.
    ///
    /// Shape: one group per canonical segment, then `m`. A text segment is `a`, the text, `!`; a number is `n`, two
    /// digits for its length, its digits. A missing segment counts as zero, so the end lies above texts and below
    /// numbers; a zero that a text follows lies below the end (`l`), since then that text decides.
    pub fn sort_key(&self) -> String {
        let segments = self.segments();
        let mut key = String::with_capacity(self.0.len() * 3);
        for (index, segment) in segments.iter().enumerate() {
            match segment {
                Segment::Text(text) => {
                    key.push('a');
                    key.push_str(text);
                    key.push('!');
                }
                Segment::Number("") => {
                    let decides = segments.iter().skip(index).find(|s| !s.is_zero());
                    key.push_str(if matches!(decides, Some(Segment::Text(_))) {
                        "l"
                    } else {
                        "n00"
                    });
                }
                Segment::Number(digits) => {
                    key.extend(["n", &format!("{:02}", digits.len()), digits]);
                }
            }
        }
        key.push('m');
        key
    }

    /// The canonical segments: `-` reads as `.pre.`, trailing zeros of the leading numbers and of the rest dropped.
    fn segments(&self) -> Vec<Segment<'_>> {
        let mut all = Vec::new();
        for (index, part) in self.0.split('-').enumerate() {
            if index > 0 {
                all.push(Segment::Text("pre"));
            }
            for piece in part.split('.') {
                push_segments(piece, &mut all);
            }
        }
        let first_text =
            all.iter().position(|s| matches!(s, Segment::Text(_))).unwrap_or(all.len());
        let mut rest = all.split_off(first_text);
        while all.last().is_some_and(Segment::is_zero) {
            all.pop();
        }
        while rest.last().is_some_and(Segment::is_zero) {
            rest.pop();
        }
        all.append(&mut rest);
        all
    }
}

/// Splits `rc10` into `rc` and `10`, as `Gem::Version` scans for `[0-9]+|[a-z]+`.
fn push_segments<'a>(piece: &'a str, all: &mut Vec<Segment<'a>>) {
    let mut rest = piece;
    while let Some(first) = rest.bytes().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(end);
        all.push(if digits {
            Segment::Number(head.trim_start_matches('0'))
        } else {
            Segment::Text(head)
        });
        rest = tail;
    }
}

fn is_gem_version(text: &str) -> bool {
    let (release, prerelease) = match text.split_once('-') {
        Some((release, prerelease)) => (release, Some(prerelease)),
        None => (text, None),
    };
    let mut parts = release.split('.');
    let first_is_number =
        parts.next().is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    let filled = |p: &str, dash: bool| {
        !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || (dash && b == b'-'))
    };
    first_is_number
        && parts.all(|p| filled(p, false))
        && prerelease.is_none_or(|p| p.split('.').all(|p| filled(p, true)))
}

impl Ord for BoxVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.segments(), other.segments());
        let zero = Segment::Number("");
        for index in 0..left.len().max(right.len()) {
            let pair = (left.get(index).unwrap_or(&zero), right.get(index).unwrap_or(&zero));
            let order = match pair {
                (Segment::Text(a), Segment::Text(b)) => a.cmp(b),
                (Segment::Text(_), Segment::Number(_)) => Ordering::Less,
                (Segment::Number(_), Segment::Text(_)) => Ordering::Greater,
                (Segment::Number(a), Segment::Number(b)) => {
                    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
                }
            };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl PartialOrd for BoxVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for BoxVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for BoxVersion {}

impl fmt::Display for BoxVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BoxVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for BoxVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for BoxVersion {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .min_length(Some(1))
            .max_length(Some(VERSION_CHARS_MAX))
            .pattern(Some(r"^[0-9]+(\.[0-9A-Za-z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"))
            .examples(["1.0.0"])
            .into()
    }
}

impl utoipa::ToSchema for BoxVersion {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> BoxVersion {
        BoxVersion::parse(text).unwrap()
    }

    #[test]
    fn what_gem_version_refuses_is_refused() {
        for bad in [
            "",
            "v1",
            "latest",
            "1.",
            ".1",
            "1..2",
            "1.0+build",
            "1.0-",
            "1.0 ",
            "-1",
            "1.0-a.",
            "1_0",
            "1.0/2",
        ] {
            assert!(BoxVersion::parse(bad).is_err(), "{bad:?} was accepted");
        }
        for good in
            ["0", "1.2.3", "1.0.0-rc1", "1.0.rc1", "20260101.0.0", "1-2-3", "1.0.0-rc.1", "1.a"]
        {
            assert!(BoxVersion::parse(good).is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn order_is_that_of_gem_version() {
        let ordered = [
            "0.9",
            "1.0.0-alpha",
            "1.0.0-rc1",
            "1.0.0-rc2",
            "1.0.0-rc10",
            "1.0.0",
            "1.0.1-a",
            "1.0.1",
            "1.9",
            "1.10",
            "2",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} should be below {}", pair[0], pair[1]);
        }
        assert_eq!(version("1.0"), version("1.0.0"));
        assert_eq!(version("1.0.0-rc1"), version("1.0.0.pre.rc1"));
    }

    fn any_version() -> impl Strategy<Value = BoxVersion> {
        "[0-9]{1,3}(\\.(0|[0-9]{1,3}|[a-c]{1,2}[0-9]?)){0,4}(-[0-2a-c]{1,2}(\\.[0a-b]){0,2})?"
            .prop_map(|text| version(&text))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn sort_key_sorts_as_the_versions_do(a in any_version(), b in any_version()) {
            prop_assert_eq!(a.cmp(&b), a.sort_key().cmp(&b.sort_key()), "{} {}", a.sort_key(), b.sort_key());
        }
    }
}
