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
        let bytes: [u8; 20] = rand::random();
        format!("{}{}", self.prefix(), BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
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
    fn tokens_differ_and_tell_their_kind() {
        let (one, two) = (TokenKind::Api.generate(), TokenKind::Api.generate());
        assert_ne!(one, two);
        assert!(one.starts_with("bvt_") && one.len() == 4 + 32, "{one}");
        assert_ne!(hash(&one), hash(&two));
    }
}
