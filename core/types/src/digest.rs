//! Two words on purpose: a [`Digest`] is what we computed, a [`Checksum`] is what somebody declared.

use std::{fmt, str::FromStr};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// The SHA-256 of a file, computed by the server while the file streamed in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// Why a text is not a digest or a checksum.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChecksumError {
    /// Not one of the five types that Vagrant knows.
    #[error("checksum type must be md5, sha1, sha256, sha384 or sha512, not {0:?}")]
    Type(String),
    /// Not hexadecimal, or not as long as its type demands.
    #[error("a {kind} checksum has {expected} hexadecimal digits; {found:?} is not one")]
    Value {
        /// The declared type.
        kind: ChecksumType,
        /// How many digits that type has.
        expected: usize,
        /// What was given.
        found: String,
    },
}

impl Digest {
    /// Lower-case hexadecimal, 64 digits.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Parses 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The checksum types that Vagrant verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumType {
    /// 32 digits.
    Md5,
    /// 40 digits.
    Sha1,
    /// 64 digits; what the server always computes.
    Sha256,
    /// 96 digits.
    Sha384,
    /// 128 digits.
    Sha512,
}

impl ChecksumType {
    /// How many hexadecimal digits a checksum of this type has.
    pub fn hex_digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }

    /// The word that Vagrant uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for ChecksumType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ChecksumType {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let all = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];
        let found = all.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| ChecksumError::Type(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ChecksumType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A checksum that a client declared for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    kind: ChecksumType,
    hex: String,
}

impl Checksum {
    /// Parses a declared checksum; blanks around it and its case do not matter.
    pub fn parse(kind: ChecksumType, text: &str) -> Result<Self, ChecksumError> {
        let hex = text.trim().to_ascii_lowercase();
        if hex.len() != kind.hex_digits() || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ChecksumError::Value {
                kind,
                expected: kind.hex_digits(),
                found: text.to_owned(),
            });
        }
        Ok(Self { kind, hex })
    }

    /// The declared type.
    pub fn kind(&self) -> ChecksumType {
        self.kind
    }

    /// Lower-case hexadecimal.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_wrong_length_is_refused() {
        let error = Checksum::parse(ChecksumType::Sha1, "abc").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a sha1 checksum has 40 hexadecimal digits; \"abc\" is not one"
        );
        assert!("none".parse::<ChecksumType>().is_err());
    }

    #[test]
    fn case_and_blanks_do_not_matter() {
        let checksum =
            Checksum::parse("SHA1".parse().unwrap(), &format!(" {} ", "AB".repeat(20))).unwrap();
        assert_eq!(checksum.hex(), "ab".repeat(20));
    }

    #[test]
    fn digest_reads_back_what_it_prints() {
        let digest = Digest([7; 32]);
        assert_eq!(Digest::from_hex(&digest.to_hex()), Some(digest));
        assert_eq!(Digest::from_hex("07"), None);
    }
}
