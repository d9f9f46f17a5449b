//! Who the provider under test knows, as `boxvault plugin check --people FILE` reads it.

use std::collections::BTreeMap;

use boxvault_plugin_conformance::auth::Fixture;
use boxvault_plugin_sdk::{Claims, Credentials};
use serde::Deserialize;

/// The file: somebody who signs in, what the provider says of them, and perhaps somebody who may not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct People {
    user: Pair,
    claims: Facts,
    disabled: Option<Pair>,
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

impl From<People> for Fixture {
    fn from(people: People) -> Self {
        let facts = people.claims;
        Self {
            credentials: people.user.into(),
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
            disabled: people.disabled.map(Into::into),
        }
    }
}
