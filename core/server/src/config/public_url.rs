//! `PublicUrl`: how clients reach the server; the beginning of every URL that it prints.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

/// `http` or `https`, a host, maybe a port; no path, because the routes begin at the root.
/// Prints without a trailing slash, so that a path can follow: `http://127.0.0.1:5000`.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// The host without the port, as it stands in a certificate: a name, or an address (an IPv6
    /// address without brackets).
    pub fn host(&self) -> String {
        match self.0.host() {
            Some(url::Host::Domain(name)) => name.to_owned(),
            Some(url::Host::Ipv4(address)) => address.to_string(),
            Some(url::Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        }
    }

    /// The host, with the port where it is not the scheme's own, as a `Host` header names it.
    pub fn authority(&self) -> &str {
        self.0.authority()
    }

    /// True for `https`.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The parsed URL.
    pub const fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |why: &str| {
            Err(format!("\"{text}\" {why}: write for instance \"https://boxes.example.com\""))
        };
        let Ok(url) = Url::parse(text.trim()) else { return refuse("is not a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("begins with neither http:// nor https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            // Not quoted: there may be a password in it.
            return Err("holds a user name or a password, which do not belong here".to_owned());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return refuse(
                "has something after the host and port, where the server has its routes",
            );
        }
        Ok(Self(url))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PublicUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_so_that_a_path_can_follow() {
        let url: PublicUrl = "https://Boxes.Example.com:443/".parse().unwrap();
        assert_eq!(format!("{url}/acme/debian"), "https://boxes.example.com/acme/debian");
        assert_eq!(url.host(), "boxes.example.com");
        let url: PublicUrl = "http://[::1]:5000".parse().unwrap();
        assert_eq!((url.host().as_str(), url.authority()), ("::1", "[::1]:5000"));
    }

    #[test]
    fn what_is_not_scheme_host_and_port_is_refused() {
        for text in [
            "boxes.example.com",
            "ftp://boxes.example.com",
            "https://boxes.example.com/registry",
            "https://boxes.example.com/?a=b",
            "https://",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
        let message = "https://user:canary@host".parse::<PublicUrl>().unwrap_err();
        assert!(!message.contains("canary"), "{message}");
    }
}
