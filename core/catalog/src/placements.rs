//! Placements: the stores that platform admins chose for the new files of organizations.

use boxvault_types::ids::OrganizationId;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};

use crate::audit::{self, NewEntry};
use crate::entity::organization_stores as table;
use crate::{Catalog, CatalogError, Noun, Result};

/// A store that was chosen, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The store's name in the configuration.
    pub store: String,
    /// When it was chosen.
    pub chosen_at: DateTime<Utc>,
}

/// What was chosen for an organization; nothing where the configuration decides.
pub async fn find(catalog: &Catalog, id: OrganizationId) -> Result<Option<Placement>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    Ok(row.map(|row| Placement { store: row.store, chosen_at: row.updated_at }))
}

/// Chooses a store for an organization, or leaves it to the configuration again. Files that are there stay where they
/// are.
///
/// # Errors
/// `NotFound(Organization)`.
pub async fn put(
    catalog: &Catalog,
    id: OrganizationId,
    store: Option<String>,
    entry: NewEntry,
) -> Result<Option<Placement>> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    if let Some(store) = &store {
        let row = table::Model { organization_id: id.0, store: store.clone(), updated_at: now };
        table::Entity::insert(row.into_active_model().reset_all())
            .on_conflict(
                OnConflict::column(table::Column::OrganizationId)
                    .update_columns([table::Column::Store, table::Column::UpdatedAt])
                    .to_owned(),
            )
            .exec_without_returning(&transaction)
            .await
            .map_err(|error| CatalogError::from(error).without_parent(Noun::Organization))?;
    } else {
        table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    }
    audit::insert_in(&transaction, now, vec![entry]).await?;
    transaction.commit().await?;
    Ok(store.map(|store| Placement { store, chosen_at: now }))
}
