//! Tags: short words that boxes are found by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// The longest tag, in characters.
pub const TAG_CHARS_MAX: usize = 32;

/// The form of a tag, for the API document.
const PATTERN: &str = "^[A-Za-z0-9]([A-Za-z0-9._+-]*[A-Za-z0-9+])?$";

/// Why a text is no tag.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TagError {
    /// Nothing, or more than [`TAG_CHARS_MAX`].
    #[error("a tag has 1 to {TAG_CHARS_MAX} characters, not {0}")]
    Length(usize),
    /// A character outside of the alphabet, or punctuation at an end.
    #[error(
        "a tag has letters, digits, '.', '_', '-' and '+', and begins and ends with a letter, a digit or '+', unlike {0:?}"
    )]
    Form(String),
}

/// A tag, in lower case: tags that differ only in case are the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct BoxTag(String);

impl BoxTag {
    /// Parses a tag.
    ///
    /// # Errors
    /// [`TagError`].
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let length = text.chars().count();
        if !(1..=TAG_CHARS_MAX).contains(&length) {
            return Err(TagError::Length(length));
        }
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
        let well_formed = text.chars().all(inner)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '+');
        if !well_formed {
            return Err(TagError::Form(text.to_owned()));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BoxTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BoxTag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for BoxTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for BoxTag {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .min_length(Some(1))
            .max_length(Some(TAG_CHARS_MAX))
            .pattern(Some(PATTERN))
            .examples(["linux"])
            .into()
    }
}

impl utoipa::ToSchema for BoxTag {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_short_word_in_lower_case() {
        for (text, tag) in [("Linux", "linux"), ("c++", "c++"), ("lts-22.04", "lts-22.04")] {
            assert_eq!(BoxTag::parse(text).unwrap().as_str(), tag);
        }
        let long = "a".repeat(TAG_CHARS_MAX + 1);
        for bad in ["", " ", "a b", "-a", "a-", "ä", "a/b", "a:b", "<b>", long.as_str()] {
            assert!(BoxTag::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
