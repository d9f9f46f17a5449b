//! Sign-in through OpenID Connect: Keycloak, Entra ID, Okta, Google, GitLab and whoever else speaks it.
//!
//! The browser goes to the provider and comes back with a code; this plugin exchanges the code, on a connection of its
//! own, for a signed token that says who it was (authorization code flow with PKCE). State and the browser are the host's
//! business. Everything here is about *who* somebody is; rules say what a group may do.
//!
//! What can go wrong and must not: a token that somebody else signed, or nobody; one for another client, from another
//! provider, for another sign-in (nonce), or too old; a key that the provider took back, or a new one that is not known
//! yet; a flood of unknown keys that would become a flood of questions. Each is a test.
#![forbid(unsafe_code)]

mod claims;
mod client_key;
mod config;
mod http;
mod issuer;
mod provider;
mod remembered;
mod token;

#[cfg(test)]
mod conformance;

use boxvault_plugin_sdk::{AuthPlugin, AuthProvider, Result, export_auth_provider};

use client_key::ClientKey;
pub use config::{ClientAuthentication, Config, JwtAlgorithm, JwtAudience, Userinfo};
use provider::Provider;

/// The plugin: makes a provider of a [`Config`].
#[derive(Debug)]
pub struct Oidc;

impl AuthPlugin for Oidc {
    type Config = Config;

    fn validate(config: &Config) -> Result<()> {
        config.check()
    }

    async fn create(config: Config) -> Result<Box<dyn AuthProvider>> {
        config.check()?;
        // a key that cannot be used is told now, and not to whoever signs in first
        drop(ClientKey::read(&config).await?);
        // a provider that is away now may be back when somebody signs in
        Ok(Box::new(Provider::new(config).await?))
    }
}

export_auth_provider!(Oidc, name = "oidc");
