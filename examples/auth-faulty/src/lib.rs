//! An auth plugin that misbehaves on request, for the tests. The user name says how; whoever else
//! signs in with the password `right` is who they say.

use std::future::pending;

use boxvault_plugin_sdk::{
    AuthFacets, AuthPlugin, AuthProvider, Claims, Credentials, PluginError, Result, async_trait,
    export_auth_provider,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};

/// Nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {}

/// The plugin.
#[derive(Debug)]
pub struct Faulty;

impl AuthPlugin for Faulty {
    type Config = Config;

    async fn create(_: Config) -> Result<Box<dyn AuthProvider>> {
        Ok(Box::new(Provider))
    }
}

export_auth_provider!(Faulty, name = "faulty");

struct Provider;

#[async_trait]
impl AuthProvider for Provider {
    fn facets(&self) -> AuthFacets {
        AuthFacets::PASSWORD
    }

    async fn health(&self) -> Result<()> {
        Ok(())
    }

    async fn authenticate_password(&self, credentials: Credentials) -> Result<Claims> {
        match credentials.username.as_str() {
            "panic" => panic!("signing in panics, as told"),
            "abort" => std::process::abort(),
            "hang" => pending().await,
            "leak" => leak(),
            _ => {}
        }
        if credentials.password.expose() != "right" {
            return Err(PluginError::bad_credentials());
        }
        Ok(Claims {
            issuer: "faulty".to_owned(),
            subject: credentials.username.clone(),
            username: credentials.username,
            ..Claims::default()
        })
    }
}

/// Takes memory until there is none.
fn leak() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; 16 << 20]);
    }
}
