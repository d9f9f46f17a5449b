//! The smallest auth plugin: people written into the configuration.
//!
//! For trying things out. Passwords stand in the configuration as they are, so this is not for real
//! people; what it shows is the whole of an auth plugin: a configuration, a facet, an answer.

#[cfg(test)]
mod conformance;

use boxvault_plugin_sdk::{
    AuthFacets, AuthPlugin, AuthProvider, Claims, Credentials, PluginError, PluginErrorKind,
    Result, Secret, async_trait, export_auth_provider,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};

/// The plugin's table in the configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// Who vouches for these people; a name that never changes.
    #[serde(default = "issuer")]
    pub issuer: String,
    /// Everybody who may sign in.
    pub users: Vec<User>,
}

fn issuer() -> String {
    "static".to_owned()
}

/// One person.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct User {
    /// The name to sign in with; also the subject.
    pub username: String,
    /// The password, as it is.
    pub password: Secret,
    /// An address, taken as verified.
    pub email: Option<String>,
    /// The name for people to read.
    pub display_name: Option<String>,
    /// The groups that they are in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether they are kept out.
    #[serde(default)]
    pub disabled: bool,
}

/// The plugin: makes a provider of a [`Config`].
#[derive(Debug)]
pub struct Static;

impl AuthPlugin for Static {
    type Config = Config;

    fn validate(config: &Config) -> Result<()> {
        for (index, user) in config.users.iter().enumerate() {
            let problem = if user.username.is_empty() {
                "username is empty"
            } else if user.password.is_empty() {
                "password is empty"
            } else if config.users.iter().take(index).any(|u| u.username == user.username) {
                "username is there twice"
            } else {
                continue;
            };
            return Err(PluginError::invalid_config(format!("users.{index}: {problem}")));
        }
        Ok(())
    }

    async fn create(config: Config) -> Result<Box<dyn AuthProvider>> {
        Self::validate(&config)?;
        Ok(Box::new(Provider { config }))
    }
}

export_auth_provider!(Static, name = "static");

struct Provider {
    config: Config,
}

#[async_trait]
impl AuthProvider for Provider {
    fn facets(&self) -> AuthFacets {
        AuthFacets::PASSWORD | AuthFacets::REFRESH | AuthFacets::GROUPS
    }

    async fn health(&self) -> Result<()> {
        Ok(())
    }

    async fn authenticate_password(&self, credentials: Credentials) -> Result<Claims> {
        credentials.check()?;
        let password = credentials.password.expose().as_bytes();
        // Everybody is compared, so that the time does not tell which names there are.
        let mut found = None;
        for user in &self.config.users {
            let right = same(user.password.expose().as_bytes(), password);
            if right && user.username == credentials.username {
                found = Some(user);
            }
        }
        match found {
            None => Err(PluginError::bad_credentials()),
            Some(user) if user.disabled => Err(disabled()),
            Some(user) => Ok(self.claims(user)),
        }
    }

    async fn refresh(&self, subject: &str) -> Result<Claims> {
        let user = self.user(subject)?;
        if user.disabled { Err(disabled()) } else { Ok(self.claims(user)) }
    }

    async fn groups(&self, subject: &str) -> Result<Vec<String>> {
        self.user(subject).map(|user| user.groups.clone())
    }
}

impl Provider {
    fn user(&self, subject: &str) -> Result<&User> {
        let user = self.config.users.iter().find(|user| user.username == subject);
        user.ok_or_else(|| PluginError::not_found("there is no such account"))
    }

    fn claims(&self, user: &User) -> Claims {
        Claims {
            issuer: self.config.issuer.clone(),
            subject: user.username.clone(),
            username: user.username.clone(),
            email: user.email.clone(),
            email_verified: user.email.is_some(),
            display_name: user.display_name.clone(),
            groups: user.groups.clone(),
            ..Claims::default()
        }
    }
}

fn disabled() -> PluginError {
    PluginError::new(PluginErrorKind::AccountDisabled, "the account is disabled")
}

/// Compares without stopping at the first difference.
fn same(one: &[u8], other: &[u8]) -> bool {
    let different = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && different == 0
}
