//! `Listen`, where a listener is bound, and `Network`, a range of addresses.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeSeq};

/// One place to listen: a port on `server.bind`, or a full address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// That port on the address `server.bind`.
    Port(u16),
    /// That address and port, whatever `server.bind` says.
    Address(SocketAddr),
}

impl ListenAddress {
    /// The address to bind, given `server.bind`.
    pub const fn resolve(self, bind: IpAddr) -> SocketAddr {
        match self {
            Self::Port(port) => SocketAddr::new(bind, port),
            Self::Address(address) => address,
        }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
            return Ok(Self::Port(port));
        }
        // The one host name that everybody writes, and that needs no resolver.
        let numeric = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        numeric.parse().map(Self::Address).map_err(|_| {
            format!(
                "\"{text}\" is neither a port nor an address and port: write for instance \
                 5000, \"0.0.0.0:5000\", \"[::]:5000\" or \"off\""
            )
        })
    }
}

/// Where one listener is bound: nowhere (`"off"`), at one place, or at several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen(Vec<ListenAddress>);

impl Listen {
    /// One port on `server.bind`.
    pub fn port(port: u16) -> Self {
        Self(vec![ListenAddress::Port(port)])
    }

    /// One full address.
    pub fn address(address: SocketAddr) -> Self {
        Self(vec![ListenAddress::Address(address)])
    }

    /// No listener.
    pub const fn off() -> Self {
        Self(Vec::new())
    }

    /// True when there is no listener.
    pub const fn is_off(&self) -> bool {
        self.0.is_empty()
    }

    /// Every address to bind, given `server.bind`.
    pub fn resolve(&self, bind: IpAddr) -> Vec<SocketAddr> {
        self.0.iter().map(|listen| listen.resolve(bind)).collect()
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |listen: &ListenAddress| match listen {
            ListenAddress::Port(port) => port.to_string(),
            ListenAddress::Address(address) => address.to_string(),
        };
        match self.0.as_slice() {
            [] => serializer.serialize_str("off"),
            [ListenAddress::Port(port)] => serializer.serialize_u16(*port),
            [one] => serializer.serialize_str(&text(one)),
            several => {
                let mut list = serializer.serialize_seq(Some(several.len()))?;
                for one in several {
                    list.serialize_element(&text(one))?;
                }
                list.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListenVisitor)
    }
}

struct ListenVisitor;

impl<'de> de::Visitor<'de> for ListenVisitor {
    type Value = Listen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port, an address with a port, a list of them, or \"off\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.trim() == "off" {
            return Ok(Listen::off());
        }
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Listen).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        let port = u16::try_from(number)
            .map_err(|_| E::custom(format!("{number} is no port: ports go up to 65535")))?;
        Ok(Listen::port(port))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        let number = u64::try_from(number)
            .map_err(|_| E::custom(format!("{number} is no port: ports start at 0")))?;
        self.visit_u64(number)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut addresses = Vec::new();
        while let Some(Listen(one)) = list.next_element()? {
            addresses.extend(one);
        }
        if addresses.is_empty() {
            return Err(de::Error::custom("is an empty list: write \"off\" for no listener"));
        }
        Ok(Listen(addresses))
    }
}

/// A range of addresses, such as `10.0.0.0/8` or `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// True when the address lies in the range. An IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let kept = |bits: u32| {
            (u32::from(self.prefix_bits) < bits).then(|| bits - u32::from(self.prefix_bits))
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let difference = ours.to_bits() ^ theirs.to_bits();
                difference.checked_shr(kept(32).unwrap_or(0)).unwrap_or(0) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let difference = ours.to_bits() ^ theirs.to_bits();
                difference.checked_shr(kept(128).unwrap_or(0)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || {
            format!(
                "\"{text}\" is no address or network: write for instance \"10.0.0.7\" or \
                 \"10.0.0.0/8\""
            )
        };
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(Ok(bits_max), str::parse).map_err(|_| malformed())?;
        if prefix_bits > bits_max {
            return Err(malformed());
        }
        Ok(Self { address, prefix_bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(json: &str) -> Result<Listen, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_port_takes_the_bind_address_and_an_address_stands_alone() {
        let bind: IpAddr = "192.0.2.1".parse().unwrap();
        for (json, addresses) in [
            ("5000", vec!["192.0.2.1:5000"]),
            ("\":5000\"", vec!["192.0.2.1:5000"]),
            ("\"0.0.0.0:80\"", vec!["0.0.0.0:80"]),
            ("\"localhost:80\"", vec!["127.0.0.1:80"]),
            ("[\"[::1]:80\", 81]", vec!["[::1]:80", "192.0.2.1:81"]),
            ("\"[::1]:80,81\"", vec!["[::1]:80", "192.0.2.1:81"]),
            ("\"off\"", vec![]),
        ] {
            let resolved = listen(json).unwrap().resolve(bind);
            let expected: Vec<SocketAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
            assert_eq!(resolved, expected, "{json}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_examples() {
        for json in ["70000", "-1", "\"example.com:80\"", "\"\"", "[]", "true"] {
            assert!(listen(json).is_err(), "{json}");
        }
        let message = listen("\"0.0.0.0\"").unwrap_err().to_string();
        assert!(message.contains("0.0.0.0:5000"), "{message}");
    }

    #[test]
    fn networks_contain_what_they_should() {
        let contains = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("10.0.0.7", "::ffff:10.0.0.7"));
        assert!(!contains("10.0.0.7", "10.0.0.6"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }
}
