//! Who the provider under test knows, as `boxvault plugin check --people FILE` reads it.

use std::collections::BTreeMap;

use boxvault_plugin_conformance::auth::{Driver, Fixture};
use boxvault_plugin_sdk::{Claims, Credentials};
use serde::Deserialize;

use super::CliError;

/// The file: somebody who signs in, what the provider says of them, perhaps somebody who may not, and who drives the
/// browser where people are sent to another site.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct People {
    user: Pair,
    claims: Facts,
    disabled: Option<Pair>,
    redirect: Option<Redirect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redirect {
    /// A program and its arguments.
    driver: Vec<String>,
    callback_url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    issuer: String,
    subject: String,
    username: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    display_name: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<String>>,
}

impl From<Pair> for Credentials {
    fn from(pair: Pair) -> Self {
        Self::new(pair.username, pair.password)
    }
}

impl People {
    /// Whom the suites work with. Starts the driver, if one is named.
    ///
    /// # Errors
    /// When that does not start.
    pub(super) fn into_fixture(self) -> Result<Fixture, CliError> {
        let Self { user, claims: facts, disabled, redirect } = self;
        let driver = redirect.map(|Redirect { driver, callback_url }| {
            let program = driver.first().map_or("", String::as_str).to_owned();
            let failed = |error: std::io::Error| CliError::PluginFile {
                file: program.into(),
                reason: format!("the driver of the browser does not start: {error}"),
            };
            Driver::start(&driver, callback_url).map_err(failed)
        });
        Ok(Fixture {
            credentials: user.into(),
            claims: Claims {
                issuer: facts.issuer,
                subject: facts.subject,
                username: facts.username,
                email: facts.email,
                email_verified: facts.email_verified,
                display_name: facts.display_name,
                groups: facts.groups,
                attributes: facts.attributes,
                ..Claims::default()
            },
            disabled: disabled.map(Into::into),
            driver: driver.transpose()?,
        })
    }
}
