//! What may be reached: which hosts, and whether at private addresses.
//!
//! Names are looked at before a request, and addresses when the name has been resolved, by the very look-up that the
//! connection is made with: a name that leads elsewhere a moment later is not asked again.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::UpstreamError;

/// Which hosts may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Every one.
    Any,
    /// Those of these names; `*.example.com` stands for all below it.
    Named(Vec<String>),
}

impl Hosts {
    /// As a configuration writes them: names, with `*` for every one.
    pub(crate) fn of(names: &[String]) -> Self {
        if names.iter().any(|name| name == "*") {
            return Self::Any;
        }
        Self::Named(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    fn hold(&self, host: &str) -> bool {
        let Self::Named(names) = self else { return true };
        let host = host.trim_start_matches('[').trim_end_matches([']', '.']).to_ascii_lowercase();
        names.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => {
                host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => host == *name,
        })
    }
}

/// What may be reached.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// Which hosts.
    pub(crate) hosts: Hosts,
    /// Whether a host may be at an address of this machine or of a private network.
    pub(crate) private_addresses: bool,
}

impl Reach {
    /// Whether an address may be asked, as far as its text tells.
    ///
    /// # Errors
    /// `HostRefused`, `PrivateAddress`, `Address`.
    pub(crate) fn check(&self, url: &Url) -> Result<(), UpstreamError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UpstreamError::Address(format!(
                "{} is no scheme of the web",
                url.scheme()
            )));
        }
        let host = url.host_str().unwrap_or_default();
        if !self.hosts.hold(host) {
            return Err(UpstreamError::HostRefused(host.to_owned()));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        match address {
            Some(address) if !self.may_connect(address) => {
                Err(UpstreamError::PrivateAddress(host.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn may_connect(&self, address: IpAddr) -> bool {
        self.private_addresses || is_public(address)
    }
}

/// Marks a look-up that found private addresses alone.
#[derive(Debug, thiserror::Error)]
#[error("it has private addresses alone")]
pub(super) struct OnlyPrivate;

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            let (open, closed): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| reach.may_connect(address.ip()));
            // a name that leads to both is answered with neither: who mixes them means to get past this
            if !closed.is_empty() {
                return Err(OnlyPrivate.into());
            }
            let addresses: Addrs = Box::new(open.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is one of the open internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Source: the registry of special-purpose addresses (RFC 6890 and what followed it).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocols = a == 192 && b == 0 && c == 0;
    let benchmarks = a == 198 && (b == 18 || b == 19);
    !(a == 0
        || a >= 240
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || shared
        || protocols
        || benchmarks)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(embedded) = embedded_v4(address) {
        return is_public_v4(embedded);
    }
    let [first, second, ..] = address.segments();
    // all that is given out lies in 2000::/3; of it, 2001::/23 is for protocols and 2001:db8::/32 for documents
    (first & 0xe000) == 0x2000
        && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        && !(first == 0x3fff && second < 0x1000)
}

/// The address behind one that carries another: mapped, translated (64:ff9b::/96), 6to4.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return Some(mapped);
    }
    let ([0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..]) = address.segments()
    else {
        return None;
    };
    Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

impl FromStr for Hosts {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::of(&text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(hosts: &str, private_addresses: bool) -> Reach {
        Reach { hosts: hosts.parse().unwrap(), private_addresses }
    }

    fn check(reach: &Reach, url: &str) -> Result<(), UpstreamError> {
        reach.check(&url.parse().unwrap())
    }

    #[test]
    fn only_configured_hosts_are_asked() {
        let some = reach("boxes.example.com,*.cdn.example.com", false);
        for url in [
            "https://boxes.example.com/a",
            "http://BOXES.example.com:8080/",
            "https://x.cdn.example.com/",
        ] {
            assert!(check(&some, url).is_ok(), "{url}");
        }
        for url in [
            "https://example.com/",
            "https://cdn.example.com/",
            "https://.cdn.example.com/",
            "https://xcdn.example.com/",
            "https://boxes.example.com.evil.net/",
        ] {
            assert!(matches!(check(&some, url), Err(UpstreamError::HostRefused(_))), "{url}");
        }
        assert!(check(&reach("*", false), "https://anything.example.net/").is_ok());
        assert!(check(&reach("", false), "https://anything.example.net/").is_err());
        assert!(check(&reach("*", true), "file:///etc/passwd").is_err());
    }

    #[test]
    fn private_addresses_are_refused_unless_they_are_allowed() {
        for host in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "2130706433",
            "0x7f.1",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12::1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::a00:1]",
            "[2002:7f00:1::]",
            "[2001:db8::1]",
            "[ff02::1]",
        ] {
            let url = format!("http://{host}/");
            let refused = check(&reach("*", false), &url);
            assert!(matches!(refused, Err(UpstreamError::PrivateAddress(_))), "{host}");
            assert!(check(&reach("*", true), &url).is_ok(), "{host}");
        }
        for host in ["93.184.216.34", "[2606:2800:220:1::1]", "[::ffff:8.8.8.8]"] {
            assert!(check(&reach("*", false), &format!("http://{host}/")).is_ok(), "{host}");
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_does_not_resolve_unless_it_may() {
        let name = || Name::from_str("localhost").unwrap();
        assert!(reach("*", false).resolve(name()).await.is_err());
        assert!(reach("*", true).resolve(name()).await.unwrap().next().is_some());
    }
}
