//! Sign-in through a directory: OpenLDAP and others that speak LDAP, and Active Directory.
//!
//! Somebody is searched by what they typed, and the directory is asked, by a bind on a connection of its own, whether
//! the password is theirs. What they are, and in which groups, is read by the account that searches. Everything here is
//! about *who* somebody is; rules say what a group may do.
//!
//! What can go wrong with LDAP and must not: a password that is empty (a bind as nobody, which succeeds), a name that
//! becomes a part of the filter, a password on a wire without TLS, an account that is disabled and whose password is
//! right, a group within a group, a list that the server cuts off. Each is a test.
#![forbid(unsafe_code)]

mod config;
mod connection;
mod entry;
mod provider;
mod template;

#[cfg(test)]
mod conformance;

use boxvault_plugin_sdk::{AuthPlugin, AuthProvider, Result, export_auth_provider};

pub use config::{Config, Directory};
use provider::Provider;

/// The plugin: makes a provider of a [`Config`].
#[derive(Debug)]
pub struct Ldap;

impl AuthPlugin for Ldap {
    type Config = Config;

    fn validate(config: &Config) -> Result<()> {
        config.check()
    }

    async fn create(config: Config) -> Result<Box<dyn AuthProvider>> {
        config.check()?;
        // a directory that is away now may be back when somebody signs in
        Ok(Box::new(Provider::new(config).await?))
    }
}

export_auth_provider!(Ldap, name = "ldap");
