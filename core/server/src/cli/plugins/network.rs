//! `boxvault plugin check --network`: a tunnel on the way from a plugin to its service.
//!
//! Usually the table is changed, so that it names the tunnel. Where a service is known by its address alone (an issuer,
//! a certificate, what it says of itself), the table stays as it is and names the place of the tunnel.

use std::str::FromStr;

use boxvault_plugin_conformance::faults::Tunnel;
use serde_json::Value;
use url::Url;

use super::CliError;

/// The key of the table that names the service, as `KEY` or `KEY=HOST:PORT`.
#[derive(Clone, Debug)]
pub(super) struct Network {
    key: String,
    /// Where the service listens, if the key names the place of the tunnel.
    service: Option<(String, u16)>,
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((key, place)) = text.split_once('=') else {
            return Ok(Self { key: text.to_owned(), service: None });
        };
        let service = place.rsplit_once(':').and_then(|(host, port)| {
            let host = Some(host.to_owned()).filter(|host| !host.is_empty());
            host.zip(port.parse().ok())
        });
        let service = Some(service.ok_or("expected KEY, or KEY=HOST:PORT of the service")?);
        Ok(Self { key: key.to_owned(), service })
    }
}

/// A tunnel, and the table of a plugin that leads through it.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) tunnel: Tunnel,
    pub(super) table: Value,
}

/// The ways of one plugin to its service.
#[derive(Debug)]
pub(super) struct Ways {
    key: String,
    table: Value,
    named: Named,
    /// The only one, which the plugin's own table leads through.
    only: Option<Way>,
}

impl Ways {
    /// Finds in a table, and in the schema of such tables, where the service is. A tunnel whose place the table names is
    /// open afterwards.
    pub(super) async fn of(
        network: Network,
        table: &Value,
        schema: &Value,
    ) -> Result<Self, CliError> {
        let Network { key, service } = network;
        let named = Named::find(&key, table, schema)?;
        let mut ways = Self { key, table: table.clone(), named, only: None };
        if let Some(service) = service {
            let tunnel = ways.tunnel(ways.named.place(), service).await?;
            ways.only = Some(Way { tunnel, table: table.clone() });
        }
        Ok(ways)
    }

    /// Whether there is one for all, so that nothing else goes on while it is cut.
    pub(super) fn is_one(&self) -> bool {
        self.only.is_some()
    }

    /// Opens one.
    pub(super) async fn open(&self) -> Result<Way, CliError> {
        if let Some(way) = &self.only {
            return Ok(way.clone());
        }
        let tunnel = self.tunnel(("127.0.0.1".to_owned(), 0), self.named.place()).await?;
        let mut table = self.table.clone();
        let moved = self.named.lead(&self.key, &mut table, tunnel.address().port());
        moved.ok_or_else(|| bad(&self.key, "its address cannot be changed"))?;
        Ok(Way { tunnel, table })
    }

    async fn tunnel(
        &self,
        place: (String, u16),
        service: (String, u16),
    ) -> Result<Tunnel, CliError> {
        let tunnel = Tunnel::start((&*place.0, place.1), service).await;
        tunnel.map_err(|error| {
            bad(&self.key, &format!("no tunnel at {}:{}: {error}", place.0, place.1))
        })
    }
}

/// How a table names a service.
#[derive(Debug)]
struct Named {
    /// What stands in the table.
    text: String,
    host: String,
    port: u16,
    /// If it is by an address, and not by a host with `port` beside it.
    url: Option<Url>,
}

impl Named {
    fn find(key: &str, table: &Value, schema: &Value) -> Result<Self, CliError> {
        let value = table.get(key).ok_or_else(|| bad(key, "the table has no such key"))?;
        // of a list of servers the first
        let value = value.as_array().map_or(Some(value), |list| list.first());
        let value = value.ok_or_else(|| bad(key, "it names no address"))?;
        let text = value.as_str().ok_or_else(|| bad(key, "it is no text"))?;
        if !text.contains("://") {
            let default = || schema.get("properties")?.get("port")?.get("default");
            let port = table.get("port").or_else(default).and_then(Value::as_u64);
            let port = port.and_then(|port| u16::try_from(port).ok());
            let problem = "it is no address, and no host with the key `port` beside it";
            let port = port.ok_or_else(|| bad(key, problem))?;
            return Ok(Self { text: text.to_owned(), host: text.to_owned(), port, url: None });
        }
        let url: Url = text.parse().map_err(|_| bad(key, "it is no address"))?;
        let default = if url.scheme() == "ldaps" { 636 } else { 389 };
        let port = url.port_or_known_default().unwrap_or(default);
        let host = url.host_str().ok_or_else(|| bad(key, "it names no host"))?.to_owned();
        Ok(Self { text: text.to_owned(), host, port, url: Some(url) })
    }

    fn place(&self) -> (String, u16) {
        (self.host.clone(), self.port)
    }

    /// Has a table name a port of this machine instead. `None` where that cannot be written.
    fn lead(&self, key: &str, table: &mut Value, port: u16) -> Option<()> {
        // the name stays where it can, since certificates are for names
        let is_here = matches!(&*self.host, "localhost" | "127.0.0.1");
        let host = if is_here { &self.host } else { "127.0.0.1" };
        let text = match &self.url {
            None => {
                table.as_object_mut()?.insert("port".to_owned(), port.into());
                host.to_owned()
            }
            Some(url) => {
                let mut url = url.clone();
                url.set_host(Some(host)).ok()?;
                url.set_port(Some(port)).ok()?;
                let text = url.to_string();
                // a path that was not there is not there now either
                let ends = self.text.ends_with('/');
                if ends { text } else { text.trim_end_matches('/').to_owned() }
            }
        };
        let value = table.get_mut(key)?;
        // a list: the first alone, so that there is no other way
        *value = if value.is_array() { vec![text].into() } else { text.into() };
        Some(())
    }
}

fn bad(key: &str, reason: &str) -> CliError {
    CliError::PluginNetwork { key: key.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn led(key: &str, mut table: Value) -> Value {
        let schema = json!({ "properties": { "port": { "default": 22 } } });
        let named = Named::find(key, &table, &schema).unwrap();
        named.lead(key, &mut table, 7).unwrap();
        table
    }

    #[test]
    fn a_table_leads_through_the_tunnel_however_it_names_its_service() {
        for (key, table, moved) in [
            (
                "endpoint",
                json!({ "endpoint": "http://s3.test" }),
                json!({ "endpoint": "http://127.0.0.1:7" }),
            ),
            (
                "urls",
                json!({ "urls": ["ldaps://localhost", "x"] }),
                json!({ "urls": ["ldaps://localhost:7"] }),
            ),
            (
                "at",
                json!({ "at": "https://a.test:1/b/" }),
                json!({ "at": "https://127.0.0.1:7/b/" }),
            ),
            ("host", json!({ "host": "a.test" }), json!({ "host": "127.0.0.1", "port": 7 })),
            (
                "host",
                json!({ "host": "localhost", "port": 1 }),
                json!({ "host": "localhost", "port": 7 }),
            ),
        ] {
            assert_eq!(led(key, table), moved);
        }
    }

    #[test]
    fn what_names_no_service_is_told_by_its_key() {
        for (key, table) in [
            ("gone", json!({})),
            ("urls", json!({ "urls": [] })),
            ("root", json!({ "root": "/srv" })),
            ("part_bytes", json!({ "part_bytes": 7 })),
            ("url", json!({ "url": "http://" })),
            ("host", json!({ "host": "a.test", "port": 70_000 })),
        ] {
            let told = Named::find(key, &table, &json!({})).unwrap_err().to_string();
            assert!(told.starts_with(&format!("--network {key}: ")), "{told}");
        }
    }

    #[test]
    fn the_place_of_a_service_has_a_host_and_a_port() {
        let network: Network = "issuer=127.0.0.1:443".parse().unwrap();
        assert_eq!(
            (&*network.key, network.service),
            ("issuer", Some(("127.0.0.1".to_owned(), 443)))
        );
        assert!("endpoint".parse::<Network>().unwrap().service.is_none());
        for wrong in ["issuer=", "issuer=:1", "issuer=a", "issuer=a:b", "issuer=a:70000"] {
            wrong.parse::<Network>().unwrap_err();
        }
    }
}
