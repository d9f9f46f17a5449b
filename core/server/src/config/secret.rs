//! `Secret`, a text that never shows itself, and the rules that find secrets among free-form keys.
//!
//! What is secret in a plugin's own table is told by the key's name, because the server does not
//! know the plugin's keys: better one harmless value hidden than one password printed.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is printed instead of a secret.
pub const REDACTED: &str = "<redacted>";

/// A text that `Debug`, `Display` and serialization replace by [`REDACTED`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Never log, print or store what this returns.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Secret::new(text))
            }

            // The value of a wrong type must not be quoted in the message either.
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
                Err(E::custom("must be a text: put it in quotes"))
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
                Err(E::custom("must be a text: put it in quotes"))
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
                Err(E::custom("must be a text: put it in quotes"))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// Tells whether a key of a plugin's own table names a secret.
pub(crate) fn is_secret_name(key: &str) -> bool {
    const WORDS: [&str; 6] =
        ["password", "passphrase", "secret", "token", "credential", "access_key"];
    let key = key.to_ascii_lowercase();
    // `ca_file` or `token_url` say where something is, not what it is.
    let says_where = key.ends_with("_file") || key.ends_with("_path") || key.ends_with("_url");
    !says_where && (WORDS.iter().any(|word| key.contains(word)) || key.ends_with("_key"))
}

/// Hides the password in a URL such as `postgresql://user:password@host/name`, and every query
/// value whose name sounds secret. A text that is no URL with an authority comes back unchanged.
pub(crate) fn redact_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let authority = match authority.rsplit_once('@') {
        Some((user_info, host)) => {
            let user = user_info.split_once(':').map_or(user_info, |(user, _)| user);
            let hidden = if user_info.contains(':') { ":<redacted>" } else { "" };
            format!("{user}{hidden}@{host}")
        }
        None => authority.to_owned(),
    };
    format!("{scheme}://{authority}{}", redact_query(tail))
}

fn redact_query(tail: &str) -> String {
    let Some((path, query)) = tail.split_once('?') else { return tail.to_owned() };
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret_name(name) => format!("{name}={REDACTED}"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let secret = Secret::new("hunter2hunter2");
        let shown = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(secret.expose(), "hunter2hunter2");
    }

    #[test]
    fn passwords_in_urls_are_hidden_and_the_rest_stays_readable() {
        for (url, shown) in [
            ("postgresql://bv:p@ss:w@db/boxvault", "postgresql://bv:<redacted>@db/boxvault"),
            ("postgres://db/x?user=a&password=b", "postgres://db/x?user=a&password=<redacted>"),
            ("sqlite:data/catalog.sqlite3", "sqlite:data/catalog.sqlite3"),
            ("mysql://user@host/name", "mysql://user@host/name"),
        ] {
            assert_eq!(redact_url(url), shown);
        }
    }

    #[test]
    fn secret_names_are_told_from_places() {
        for key in ["secret_access_key", "bind_password", "client_secret", "account_key"] {
            assert!(is_secret_name(key), "{key}");
        }
        for key in ["root", "bucket", "endpoint", "token_url", "ca_file", "private_key_path"] {
            assert!(!is_secret_name(key), "{key}");
        }
    }
}
