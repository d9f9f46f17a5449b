//! The provider as it describes itself, and its keys. Both are asked for when they are needed and then known for a while.

use std::{sync::Arc, time::Duration};

use boxvault_plugin_sdk::{PluginError, Result};
use jsonwebtoken::jwk::JwkSet;
use reqwest::Client;
use serde::Deserialize;

use crate::{Config, http, remembered::Remembered};

/// What a provider says of itself (OpenID Connect Discovery).
#[derive(Debug, Deserialize)]
pub(crate) struct Description {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) jwks_uri: String,
    pub(crate) userinfo_endpoint: Option<String>,
    pub(crate) end_session_endpoint: Option<String>,
    code_challenge_methods_supported: Option<Vec<String>>,
    pub(crate) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether it names itself when it sends the browser back (RFC 9207).
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

/// A key of a kind that is not known here is not one that anybody needs.
#[derive(Deserialize)]
struct Keys {
    keys: Vec<serde_json::Value>,
}

/// See the module.
pub(crate) struct Issuer {
    pub(crate) client: Client,
    pub(crate) config: Config,
    description: Remembered<Description>,
    keys: Remembered<JwkSet>,
}

impl Issuer {
    pub(crate) async fn new(config: Config) -> Result<Self> {
        let client = http::client(&config).await?;
        let (description, keys) = (Remembered::default(), Remembered::default());
        Ok(Self { client, config, description, keys })
    }

    /// What the provider says of itself.
    pub(crate) async fn description(&self) -> Result<Arc<Description>> {
        let max_age = self.config.keys_max_age();
        self.description.get(max_age, Duration::ZERO, self.discover()).await
    }

    /// Asks the provider for its description, whatever is known.
    pub(crate) async fn look_again(&self) -> Result<()> {
        let asked = self.description.get(Duration::ZERO, Duration::ZERO, self.discover());
        asked.await.map(drop)
    }

    /// The keys that the provider signs with.
    pub(crate) async fn keys(&self, description: &Description) -> Result<Arc<JwkSet>> {
        let max_age = self.config.keys_max_age();
        self.keys.get(max_age, Duration::ZERO, self.ask_keys(description)).await
    }

    /// The same for somebody who found an unknown one: asked again, but not more often than the pause allows.
    pub(crate) async fn newer_keys(&self, description: &Description) -> Result<Arc<JwkSet>> {
        let pause = self.config.keys_pause();
        self.keys.get(pause, pause, self.ask_keys(description)).await
    }

    async fn ask_keys(&self, description: &Description) -> Result<JwkSet> {
        let answer = http::ask("the keys", self.client.get(&description.jwks_uri)).await?;
        if !answer.status.is_success() {
            let problem = format!("the keys of the provider: status {}", answer.status);
            return Err(PluginError::unavailable(problem));
        }
        let found: Keys = answer.json("the keys")?;
        let keys = found.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(JwkSet { keys: keys.collect() })
    }

    async fn discover(&self) -> Result<Description> {
        let issuer = &self.config.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let answer = http::ask("the description", self.client.get(&url)).await?;
        if !answer.status.is_success() {
            return Err(PluginError::unavailable(format!(
                "{url} answers with status {}; is issuer the provider's address?",
                answer.status
            )));
        }
        let found: Description = answer.json("the description")?;
        if found.issuer != *issuer {
            return Err(PluginError::invalid_config(format!(
                "issuer: the provider calls itself {:?}; write exactly that",
                found.issuer
            )));
        }
        for (name, url) in [
            ("authorization_endpoint", Some(&found.authorization_endpoint)),
            ("token_endpoint", Some(&found.token_endpoint)),
            ("jwks_uri", Some(&found.jwks_uri)),
            ("userinfo_endpoint", found.userinfo_endpoint.as_ref()),
            ("end_session_endpoint", found.end_session_endpoint.as_ref()),
        ] {
            if let Some(url) = url {
                let checked = self.config.check_url(name, url);
                checked.map_err(|error| error.context("the description of the provider"))?;
            }
        }
        let methods = found.code_challenge_methods_supported.as_deref();
        if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err(PluginError::invalid_config(
                "the provider does not protect codes with S256 (PKCE); allow that for this client",
            ));
        }
        Ok(found)
    }
}
