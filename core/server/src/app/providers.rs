//! Providers of a version: the hypervisors that it has files for.

use boxvault_catalog::{
    boxes::OwnedBox,
    providers::{self, NewProvider, Provider, ProviderChanges},
};
use boxvault_types::{
    error::ErrorCode,
    names::ProviderName,
    params::{
        ListQuery,
        boxes::{CreateProviderParams, UpdateProviderParams},
    },
    version::BoxVersion,
    views::{PageView, boxes::ProviderView},
};

use super::{App, lists, organizations::check_length};
use crate::error::{AppError, Result};

/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 4096;

impl App {
    /// The providers of a version, by name.
    pub(crate) async fn list_providers(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        query: ListQuery,
    ) -> Result<(Vec<ProviderView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let version = self.version(found, number).await?;
        let found = providers::list(&self.catalog, version.id, page).await?;
        Ok((found.items.into_iter().map(view).collect(), lists::view(page, found.total)))
    }

    /// Makes a provider.
    pub(crate) async fn create_provider(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        params: CreateProviderParams,
    ) -> Result<ProviderView> {
        check_length("description", &params.description, DESCRIPTION_CHARS_MAX)?;
        let version = self.version(found, number).await?;
        let new = NewProvider {
            version_id: version.id,
            name: params.name,
            description: params.description,
        };
        Ok(view(providers::create(&self.catalog, new).await?))
    }

    /// One provider.
    ///
    /// # Errors
    /// `PROVIDER_NOT_FOUND`, `VERSION_NOT_FOUND`.
    pub(crate) async fn provider(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        name: &ProviderName,
    ) -> Result<Provider> {
        let version = self.version(found, number).await?;
        providers::find(&self.catalog, version.id, name).await?.ok_or_else(|| {
            AppError::new(
                ErrorCode::ProviderNotFound,
                format!("version {number} has no provider {:?}", name.as_str()),
            )
        })
    }

    /// Changes a provider.
    pub(crate) async fn update_provider(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        name: &ProviderName,
        params: UpdateProviderParams,
    ) -> Result<ProviderView> {
        check_length(
            "description",
            params.description.as_deref().unwrap_or_default(),
            DESCRIPTION_CHARS_MAX,
        )?;
        let provider = self.provider(found, number, name).await?;
        let changes = ProviderChanges { name: params.name, description: params.description };
        let changed = providers::update(&self.catalog, provider.id, changes).await?;
        self.catalogues.clear();
        Ok(view(changed))
    }

    /// Removes a provider with its files.
    pub(crate) async fn delete_provider(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        name: &ProviderName,
    ) -> Result<()> {
        let provider = self.provider(found, number, name).await?;
        providers::delete(&self.catalog, provider.id).await?;
        self.catalogues.clear();
        Ok(())
    }
}

/// A provider as the API shows it.
pub(crate) fn view(provider: Provider) -> ProviderView {
    ProviderView {
        id: provider.id,
        name: provider.name.to_string(),
        description: provider.description,
        created_at: provider.created_at,
        updated_at: provider.updated_at,
    }
}
