//! Which store takes a new file: what a platform admin chose for the organization, else the most specific rule of the
//! configuration, else the default store. Files that are there stay where they are.

use std::sync::Arc;

use boxvault_catalog::{
    audit::NewEntry,
    organizations::Organization,
    placements::{self, Placement},
};
use boxvault_plugin_sdk::StorageBackend;
use boxvault_types::{
    params::storage::SetPlacementParams,
    views::storage::{PlacementView, TakingStoreView},
};

use super::App;
use crate::{
    config::placement::{bounds, placed},
    error::{AppError, Result},
};

impl App {
    /// The store that takes a new file of an organization, of so many bytes if that is known.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`: a file that belongs elsewhere is not put into another store instead.
    pub(crate) async fn store_for(
        &self,
        organization: &Organization,
        size_bytes: Option<u64>,
    ) -> Result<(String, Arc<dyn StorageBackend>)> {
        let chosen = placements::find(&self.catalog, organization.id).await?;
        let name = self.store_name_for(organization, chosen.as_ref(), size_bytes);
        let store = self.stores.get(name)?;
        Ok((name.to_owned(), Arc::clone(store)))
    }

    /// Where new files of an organization go.
    pub(crate) async fn placement(&self, organization: &Organization) -> Result<PlacementView> {
        let chosen = placements::find(&self.catalog, organization.id).await?;
        Ok(self.placement_view(organization, chosen))
    }

    /// Chooses a store for the new files of an organization, or leaves it to the configuration.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a store that is not configured.
    pub(crate) async fn set_placement(
        &self,
        organization: &Organization,
        params: SetPlacementParams,
        audit: NewEntry,
    ) -> Result<PlacementView> {
        if let Some(store) = &params.store {
            self.require_store("store", store)?;
        }
        let chosen = placements::put(&self.catalog, organization.id, params.store, audit).await?;
        Ok(self.placement_view(organization, chosen))
    }

    /// Refuses the name of a store that is none.
    pub(super) fn require_store(&self, field: &str, name: &str) -> Result<()> {
        if self.stores.is_configured(name) {
            return Ok(());
        }
        let known: Vec<&str> = self.stores.iter().map(|(name, _)| name.as_str()).collect();
        Err(AppError::invalid(
            field,
            format!("there is no store {name:?}; configured are: {}", known.join(", ")),
        ))
    }

    fn store_name_for<'a>(
        &'a self,
        organization: &Organization,
        chosen: Option<&'a Placement>,
        size_bytes: Option<u64>,
    ) -> &'a str {
        let rules = &self.config.storage.rules;
        match chosen {
            Some(chosen) => &chosen.store,
            None => placed(rules, &organization.name, size_bytes)
                .unwrap_or_else(|| self.stores.default_name()),
        }
    }

    fn placement_view(
        &self,
        organization: &Organization,
        chosen: Option<Placement>,
    ) -> PlacementView {
        let mut takes: Vec<TakingStoreView> = Vec::new();
        let bounds = bounds(&self.config.storage.rules, &organization.name);
        // just above each bound, and below all of them
        let sizes = bounds.into_iter().map(|bound| (Some(bound), bound.saturating_add(1)));
        for (larger_than, size) in [(None, 0)].into_iter().chain(sizes) {
            let store = self.store_name_for(organization, chosen.as_ref(), Some(size));
            if takes.last().is_none_or(|last| last.store != store) {
                takes.push(TakingStoreView { larger_than, store: store.to_owned() });
            }
        }
        PlacementView {
            chosen_at: chosen.as_ref().map(|chosen| chosen.chosen_at),
            store: chosen.map(|chosen| chosen.store),
            takes,
        }
    }
}
