//! The built-in auth provider: names and argon2id hashes in the catalog, behind the same trait as a plugin.

use std::sync::Arc;

use async_trait::async_trait;
use boxvault_catalog::{Catalog, users};
use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, Claims, Credentials, PluginError, PluginErrorKind, Result,
};
use boxvault_types::identity::LOCAL_ISSUER;

use super::passwords::Passwords;

/// See the module.
pub(crate) struct LocalAuth {
    catalog: Catalog,
    passwords: Arc<Passwords>,
}

impl LocalAuth {
    /// Over the accounts of a catalog.
    pub(crate) fn new(catalog: Catalog, passwords: Arc<Passwords>) -> Self {
        Self { catalog, passwords }
    }
}

#[async_trait]
impl AuthProvider for LocalAuth {
    fn facets(&self) -> AuthFacets {
        AuthFacets::PASSWORD
    }

    async fn health(&self) -> Result<()> {
        self.catalog.ping().await.map_err(|_| {
            PluginError::new(PluginErrorKind::Unavailable, "the catalog is out of reach")
        })
    }

    async fn authenticate_password(&self, credentials: Credentials) -> Result<Claims> {
        credentials.check()?;
        let unavailable =
            |_| PluginError::new(PluginErrorKind::Unavailable, "the catalog is out of reach");
        let user = users::find_by_name_or_email(&self.catalog, &credentials.username)
            .await
            .map_err(unavailable)?;
        let hash = user.as_ref().and_then(|user| user.password_hash.clone());
        let fits =
            self.passwords.verify(credentials.password.expose(), hash).await.map_err(|error| {
                PluginError::new(PluginErrorKind::Unexpected, error.to_string())
            })?;
        let Some(user) = user.filter(|_| fits) else { return Err(PluginError::bad_credentials()) };
        if user.suspended_at.is_some() {
            return Err(PluginError::new(
                PluginErrorKind::AccountDisabled,
                "the account is suspended",
            ));
        }
        Ok(Claims {
            issuer: LOCAL_ISSUER.to_owned(),
            subject: user.subject,
            username: user.name.to_string(),
            email: user.email,
            display_name: Some(user.display_name).filter(|name| !name.is_empty()),
            ..Claims::default()
        })
    }
}
