//! Opaque tokens: random, recognizable by their beginning, kept only as a hash.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

/// What a token is for; the beginning of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// An API token.
    Api,
    /// The secret of a service account.
    Service,
    /// A refresh token.
    Refresh,
    /// The token of a link in a message.
    Link,
    /// The one-time set-up token.
    Setup,
}

impl TokenKind {
    /// Lets people and secret scanners see what they have found.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Api => "bvt_",
            Self::Service => "bvc_",
            Self::Refresh => "bvr_",
            Self::Link => "bvl_",
            Self::Setup => "bvs_",
        }
    }

    /// A new token: 160 random bits.
    pub(crate) fn generate(self) -> String {
        self.of(&rand::random())
    }

    /// The token that a keyed digest stands for: 160 bits of it, which are random to all who lack the key.
    pub(crate) fn derive(self, digest: &[u8; 32]) -> String {
        self.of(digest.first_chunk().expect("a digest is longer than a token"))
    }

    fn of(self, bits: &[u8; 20]) -> String {
        format!("{}{}", self.prefix(), BASE32_NOPAD.encode(bits).to_ascii_lowercase())
    }
}

/// What is kept of a token. It is random through and through, so a fast hash is as good as a slow one.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_token_is_that_of_its_digest_and_looks_like_any_other() {
        let derived = TokenKind::Refresh.derive(&[7; 32]);
        assert_eq!(derived, TokenKind::Refresh.derive(&[7; 32]));
        assert_ne!(derived, TokenKind::Refresh.derive(&[8; 32]));
        assert_eq!(derived.len(), TokenKind::Refresh.generate().len());
    }

    #[test]
    fn tokens_differ_and_tell_their_kind() {
        let (one, two) = (TokenKind::Api.generate(), TokenKind::Api.generate());
        assert_ne!(one, two);
        assert!(one.starts_with("bvt_") && one.len() == 4 + 32, "{one}");
        assert_ne!(hash(&one), hash(&two));
    }
}
