//! Providers of a version: the hypervisors that it has files for.

use std::collections::{BTreeMap, BTreeSet};

use boxvault_types::ids::{ProviderId, VersionId};
use boxvault_types::names::ProviderName;
use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder,
};

use crate::entity::providers as table;
use crate::rows::{clean, insert, stored};
use crate::{Catalog, CatalogError, Noun, Page, Paged, Result, paging, versions};

/// A provider of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Whose it is.
    pub version_id: VersionId,
    /// Its name.
    pub name: ProviderName,
    /// What it is.
    pub description: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A provider to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProvider {
    /// Whose it is.
    pub version_id: VersionId,
    /// Its name.
    pub name: ProviderName,
    /// What it is.
    pub description: String,
}

/// What to change of a provider; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderChanges {
    /// Its name; only before the release.
    pub name: Option<ProviderName>,
    /// What it is.
    pub description: Option<String>,
}

/// The names of providers, by one query.
pub async fn names_of(
    catalog: &Catalog,
    ids: impl IntoIterator<Item = ProviderId>,
) -> Result<BTreeMap<ProviderId, ProviderName>> {
    let ids: BTreeSet<Uuid> = ids.into_iter().map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows =
        table::Entity::find().filter(table::Column::Id.is_in(ids)).all(catalog.reader()).await?;
    rows.into_iter()
        .map(|row| {
            let name = stored("providers.name", ProviderName::parse(&row.name))?;
            Ok((ProviderId(row.id), name))
        })
        .collect()
}

/// Makes a provider of an unreleased version.
///
/// # Errors
/// `AlreadyExists(Provider)`; `NotFound(Version)`; `Conflict(VersionReleased)`.
pub async fn create(catalog: &Catalog, new: NewProvider) -> Result<Provider> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    versions::lock_unreleased(&transaction, new.version_id.0).await?;
    let row = table::Model {
        id: ProviderId::new().0,
        version_id: new.version_id.0,
        name: new.name.as_str().to_owned(),
        name_key: new.name.key(),
        description: clean(&new.description),
        created_at: now,
        updated_at: now,
    };
    insert(&transaction, row.clone()).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Finds a provider of a version by its name.
pub async fn find(
    catalog: &Catalog,
    version_id: VersionId,
    name: &ProviderName,
) -> Result<Option<Provider>> {
    let row = table::Entity::find()
        .filter(table::Column::VersionId.eq(version_id.0))
        .filter(table::Column::NameKey.eq(name.key()))
        .one(catalog.reader())
        .await?;
    row.map(from_row).transpose()
}

/// Lists the providers of a version by name.
pub async fn list(catalog: &Catalog, version_id: VersionId, page: Page) -> Result<Paged<Provider>> {
    let select = table::Entity::find()
        .filter(table::Column::VersionId.eq(version_id.0))
        .order_by_asc(table::Column::NameKey);
    paging::fetch(catalog.reader(), select, page, from_row).await
}

/// Changes a provider.
///
/// # Errors
/// `NotFound(Provider)`; `AlreadyExists(Provider)`; `Conflict(VersionReleased)` for another name after the release.
pub async fn update(
    catalog: &Catalog,
    id: ProviderId,
    changes: ProviderChanges,
) -> Result<Provider> {
    let transaction = catalog.begin().await?;
    let before = read(&transaction, id.0).await?;
    let renamed = changes.name.filter(|name| name.as_str() != before.name);
    if renamed.is_some() {
        versions::lock_unreleased(&transaction, before.version_id).await?;
    }
    let mut row = before.into_active_model();
    if let Some(name) = renamed {
        row.name_key = Set(name.key());
        row.name = Set(name.as_str().to_owned());
    }
    if let Some(description) = changes.description {
        row.description = Set(clean(&description));
    }
    row.updated_at = Set(catalog.now());
    let row = row.update(&transaction).await.map_err(gone)?;
    transaction.commit().await?;
    from_row(row)
}

/// Deletes a provider of an unreleased version with its files; the sweep finds their bytes.
///
/// # Errors
/// `NotFound(Provider)`; `Conflict(VersionReleased)`.
pub async fn delete(catalog: &Catalog, id: ProviderId) -> Result<()> {
    let transaction = catalog.begin().await?;
    let row = read(&transaction, id.0).await?;
    versions::lock_unreleased(&transaction, row.version_id).await?;
    table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Reads a provider within a transaction.
pub(crate) async fn read<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<table::Model> {
    let row = table::Entity::find_by_id(id).one(db).await?;
    row.ok_or(CatalogError::NotFound { what: Noun::Provider })
}

/// Reads an update that met no row: somebody deleted it in between.
fn gone(error: sea_orm::DbErr) -> CatalogError {
    match error {
        sea_orm::DbErr::RecordNotUpdated => CatalogError::not_found(Noun::Provider),
        other => other.into(),
    }
}

pub(crate) fn from_row(row: table::Model) -> Result<Provider> {
    Ok(Provider {
        id: ProviderId(row.id),
        version_id: VersionId(row.version_id),
        name: stored("providers.name", ProviderName::parse(&row.name))?,
        description: row.description,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
