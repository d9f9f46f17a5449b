//! Names that people give to things, parsed once and then trusted.
//!
//! One rule for all of them: ASCII letters, digits, `.`, `_`, `-`; first and last a letter or digit; 1 to 128
//! characters; no `..`. So a name is always one safe path segment of a URL, a key or a policy object. Two names are
//! the same when they differ only in case ([`OrganizationName::key`] and its likes give the form to compare).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 128;

/// First path segments that the server itself answers, and so may not name an organization.
///
/// Source: the router table, and the segments that the dialects of stock clients need.
pub const RESERVED_NAMES: &[&str] = &[
    "admin",
    "api",
    "api-docs",
    "assets",
    "auth",
    "badge",
    "boxes",
    "discover",
    "favicon.ico",
    "health",
    "invitation",
    "invite",
    "login",
    "logout",
    "metrics",
    "oauth2",
    "operation",
    "organization",
    "organizations",
    "policies",
    "reset-password",
    "robots.txt",
    "scim",
    "search",
    "session",
    "settings",
    "setup",
    "static",
    "stop-watching",
    "system",
    "user",
    "users",
    "vagrant",
    "verify-email",
    "version",
];

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`NAME_CHARS_MAX`].
    #[error("must have at most {NAME_CHARS_MAX} characters, not {0}")]
    TooLong(usize),
    /// A character outside the alphabet.
    #[error("may hold only letters, digits, '.', '_' and '-', not {0:?}")]
    Character(char),
    /// Begins or ends with punctuation.
    #[error("must begin and end with a letter or a digit")]
    Edge,
    /// Holds `..`.
    #[error("must not hold '..'")]
    DoubleDot,
    /// A word that the server uses itself.
    #[error("{0:?} is reserved for the server itself; choose another name")]
    Reserved(String),
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let length = text.chars().count();
    if length > NAME_CHARS_MAX {
        return Err(NameError::TooLong(length));
    }
    if let Some(bad) =
        text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
    {
        return Err(NameError::Character(bad));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !text.ends_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Err(NameError::Edge);
    }
    if text.contains("..") {
        return Err(NameError::DoubleDot);
    }
    Ok(())
}

fn check_top_level(text: &str) -> Result<(), NameError> {
    check(text)?;
    let lower = text.to_ascii_lowercase();
    if RESERVED_NAMES.contains(&lower.as_str()) {
        return Err(NameError::Reserved(lower));
    }
    Ok(())
}

fn check_architecture(text: &str) -> Result<(), NameError> {
    check(text)?;
    // `…/provider/{provider}/upload` is a path of the Vagrant Cloud API
    if text.eq_ignore_ascii_case("upload") {
        return Err(NameError::Reserved(text.to_ascii_lowercase()));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Parses a name.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The form to compare by: names that differ only in case are the same name.
            pub fn key(&self) -> String {
                self.0.to_ascii_lowercase()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .min_length(Some(1))
                    .max_length(Some(NAME_CHARS_MAX))
                    .pattern(Some(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

name! {
    /// The owner of boxes, one tenant.
    OrganizationName, check_top_level
}
name! {
    /// Somebody who signs in.
    UserName, check
}
name! {
    /// A family of images within an organization.
    BoxName, check
}
name! {
    /// A service account of an organization.
    ServiceAccountName, check
}
name! {
    /// A hypervisor as Vagrant calls it: `virtualbox`, `libvirt`, …
    ProviderName, check
}
name! {
    /// A processor architecture as Vagrant calls it: `amd64`, `arm64`, … or `unknown`.
    ArchitectureName, check_architecture
}

impl ArchitectureName {
    /// What clients that know no architecture publish as; Vagrant 2.4 installs it on any host when it is the default.
    pub fn unknown() -> Self {
        Self("unknown".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn organization_named_dot_is_refused() {
        for bad in [
            ".", "..", "-", "_", "a..b", "-a", "a-", ".a", "a.", "a/b", "a\\b", "a%2Fb", "a\0b",
            "ä", "a b",
        ] {
            assert!(OrganizationName::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn reserved_words_are_refused_for_organizations_only() {
        assert_eq!(OrganizationName::parse("API"), Err(NameError::Reserved("api".to_owned())));
        assert!(BoxName::parse("api").is_ok());
        assert!(ArchitectureName::parse("Upload").is_err());
    }

    #[test]
    fn length_is_bounded() {
        assert!(BoxName::parse(&"a".repeat(128)).is_ok());
        assert_eq!(BoxName::parse(&"a".repeat(10_240)), Err(NameError::TooLong(10_240)));
        assert_eq!(BoxName::parse(""), Err(NameError::Empty));
    }

    #[test]
    fn names_that_differ_in_case_have_one_key() {
        let (a, b) = (BoxName::parse("Debian.12").unwrap(), BoxName::parse("debian.12").unwrap());
        assert_eq!(a.key(), b.key());
        assert_ne!(a, b);
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_one_plain_path_segment(text in "\\PC{0,20}") {
            if let Ok(name) = BoxName::parse(&text) {
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)));
                prop_assert!(!name.as_str().contains("..") && name.as_str() != ".");
            }
        }
    }
}
