//! Versions of boxes, ordered as Vagrant orders them.
//!
//! A version goes from unreleased to released to revoked and never back. What is below a version changes only while
//! it is unreleased: [`lock_unreleased`] holds its row for everything that would change a file.

use boxvault_types::ids::{BoxId, VersionId};
use boxvault_types::version::BoxVersion;
use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    JoinType, QueryFilter, QueryOrder, QuerySelect,
};

use crate::artifacts::to_provider;
use crate::entity::{artifacts as artifact_rows, providers as provider_rows, versions as table};
use crate::rows::{clean, insert, stored, stored_some};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Order, Page, Paged, Result, boxes, paging, watches,
};

pub use boxvault_types::params::boxes::VersionStatus;

/// A version of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// Whose it is.
    pub box_id: BoxId,
    /// Its number.
    pub number: BoxVersion,
    /// What it is.
    pub description: String,
    /// What changed, in Markdown.
    pub release_notes: String,
    /// What it is to clients.
    pub status: VersionStatus,
    /// When it was released.
    pub released_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Since when and why it should not be used any more; it still can.
    pub deprecation: Option<Deprecation>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Why a version should not be used any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// Since when.
    pub at: DateTime<Utc>,
    /// What its publisher says.
    pub reason: String,
}

/// A version to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// Whose it is.
    pub box_id: BoxId,
    /// Its number.
    pub number: BoxVersion,
    /// What it is.
    pub description: String,
    /// What changed, in Markdown.
    pub release_notes: String,
}

/// What to change of a version; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionChanges {
    /// Its number; only before the release.
    pub number: Option<BoxVersion>,
    /// What it is.
    pub description: Option<String>,
    /// What changed, in Markdown.
    pub release_notes: Option<String>,
    /// Whether it should still be used.
    pub deprecation: Option<NewDeprecation>,
}

/// Whether a version should still be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewDeprecation {
    /// Not any more, for this reason.
    Deprecate(String),
    /// Yes, after all.
    Undo,
}

/// Which versions of a box to list, newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VersionFilter {
    /// Only those of one status.
    pub status: Option<VersionStatus>,
    /// Which end first; the number decides, not the time.
    pub order: VersionOrder,
}

/// Which end of the versions comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VersionOrder {
    /// The highest number.
    #[default]
    NewestFirst,
    /// The lowest number.
    OldestFirst,
}

/// Makes an unreleased version.
///
/// # Errors
/// `AlreadyExists(Version)`; `NotFound(Box)` when that is gone.
pub async fn create(catalog: &Catalog, new: NewVersion) -> Result<Version> {
    let now = catalog.now();
    let row = table::Model {
        id: VersionId::new().0,
        box_id: new.box_id.0,
        sort_key: new.number.sort_key(),
        number: new.number.as_str().to_owned(),
        description: clean(&new.description),
        release_notes: clean(&new.release_notes),
        status: VersionStatus::Unreleased.as_str().to_owned(),
        released_at: None,
        revoked_at: None,
        created_at: now,
        updated_at: now,
        deprecated_at: None,
        deprecation_reason: None,
    };
    insert(catalog.writer(), row.clone()).await.map_err(|error| error.without_parent(Noun::Box))?;
    from_row(row)
}

/// Finds a version of a box by its number; `1.0` finds `1.0.0`.
pub async fn find(
    catalog: &Catalog,
    box_id: BoxId,
    number: &BoxVersion,
) -> Result<Option<Version>> {
    let row = table::Entity::find()
        .filter(table::Column::BoxId.eq(box_id.0))
        .filter(table::Column::SortKey.eq(number.sort_key()))
        .one(catalog.reader())
        .await?;
    row.map(from_row).transpose()
}

/// Finds the highest version of a box that clients see.
pub async fn find_newest_released(catalog: &Catalog, box_id: BoxId) -> Result<Option<Version>> {
    let row = table::Entity::find()
        .filter(table::Column::BoxId.eq(box_id.0))
        .filter(table::Column::Status.eq(VersionStatus::Released.as_str()))
        .order_by_desc(table::Column::SortKey)
        .one(catalog.reader())
        .await?;
    row.map(from_row).transpose()
}

/// Lists the versions of a box by number.
pub async fn list(
    catalog: &Catalog,
    box_id: BoxId,
    filter: VersionFilter,
    page: Page,
) -> Result<Paged<Version>> {
    let order = match filter.order {
        VersionOrder::NewestFirst => Order::Descending,
        VersionOrder::OldestFirst => Order::Ascending,
    };
    let mut select = table::Entity::find().filter(table::Column::BoxId.eq(box_id.0));
    if let Some(status) = filter.status {
        select = select.filter(table::Column::Status.eq(status.as_str()));
    }
    let select = select.order_by(table::Column::SortKey, order.into());
    paging::fetch(catalog.reader(), select, page, from_row).await
}

/// Changes a version.
///
/// # Errors
/// `NotFound(Version)`; `AlreadyExists(Version)`; `Conflict(VersionReleased)` for another number after the release.
pub async fn update(catalog: &Catalog, id: VersionId, changes: VersionChanges) -> Result<Version> {
    let transaction = catalog.begin().await?;
    let before = lock(&transaction, id).await?;
    let unreleased = status(&before)? == VersionStatus::Unreleased;
    let renumbered = changes.number.filter(|number| number.as_str() != before.number);
    let since = before.deprecated_at;
    let mut row = before.into_active_model();
    if let Some(number) = renumbered {
        if !unreleased {
            return Err(CatalogError::conflict(ConflictReason::VersionReleased));
        }
        row.sort_key = Set(number.sort_key());
        row.number = Set(number.as_str().to_owned());
    }
    if let Some(description) = changes.description {
        row.description = Set(clean(&description));
    }
    if let Some(notes) = changes.release_notes {
        row.release_notes = Set(clean(&notes));
    }
    let now = catalog.now();
    match changes.deprecation {
        Some(NewDeprecation::Deprecate(reason)) => {
            row.deprecated_at = Set(since.or(Some(now)));
            row.deprecation_reason = Set(Some(clean(&reason)));
        }
        Some(NewDeprecation::Undo) => {
            row.deprecated_at = Set(None);
            row.deprecation_reason = Set(None);
        }
        None => {}
    }
    row.updated_at = Set(now);
    let row = row.update(&transaction).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Deletes a version, whatever its status; the sweep finds its bytes.
///
/// # Errors
/// `NotFound(Version)`.
pub async fn delete(catalog: &Catalog, id: VersionId) -> Result<()> {
    let transaction = catalog.begin().await?;
    let row = lock(&transaction, id).await?;
    table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    boxes::touch(&transaction, row.box_id, catalog.now()).await?;
    boxes::index_files(&transaction, row.box_id).await?;
    transaction.commit().await?;
    Ok(())
}

/// Offers a version to clients, for ever.
///
/// # Errors
/// `NotFound(Version)`; `Conflict(VersionState)` unless it is unreleased; `Conflict(VersionEmpty)` without a file.
pub async fn release(catalog: &Catalog, id: VersionId) -> Result<Version> {
    let transaction = catalog.begin().await?;
    let row = lock(&transaction, id).await?;
    if status(&row)? != VersionStatus::Unreleased {
        return Err(CatalogError::conflict(ConflictReason::VersionState));
    }
    let file = artifact_rows::Entity::find()
        .join(JoinType::InnerJoin, to_provider())
        .filter(provider_rows::Column::VersionId.eq(id.0))
        .filter(artifact_rows::Column::BlobId.is_not_null())
        .limit(1)
        .one(&transaction)
        .await?;
    if file.is_none() {
        return Err(CatalogError::conflict(ConflictReason::VersionEmpty));
    }
    let now = catalog.now();
    let box_id = row.box_id;
    let mut row = row.into_active_model();
    row.status = Set(VersionStatus::Released.as_str().to_owned());
    row.released_at = Set(Some(now));
    row.updated_at = Set(now);
    let row = row.update(&transaction).await?;
    watches::note_release(&transaction, id.0, now).await?;
    boxes::touch(&transaction, box_id, now).await?;
    boxes::index_files(&transaction, box_id).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Withdraws a released version.
///
/// # Errors
/// `NotFound(Version)`; `Conflict(VersionState)` unless it is released.
pub async fn revoke(catalog: &Catalog, id: VersionId) -> Result<Version> {
    let transaction = catalog.begin().await?;
    let row = lock(&transaction, id).await?;
    if status(&row)? != VersionStatus::Released {
        return Err(CatalogError::conflict(ConflictReason::VersionState));
    }
    let now = catalog.now();
    let box_id = row.box_id;
    let mut row = row.into_active_model();
    row.status = Set(VersionStatus::Revoked.as_str().to_owned());
    row.revoked_at = Set(Some(now));
    row.updated_at = Set(now);
    let row = row.update(&transaction).await?;
    boxes::touch(&transaction, box_id, now).await?;
    boxes::index_files(&transaction, box_id).await?;
    transaction.commit().await?;
    from_row(row)
}

async fn lock<C: ConnectionTrait>(db: &C, id: VersionId) -> Result<table::Model> {
    let row = table::Entity::find_by_id(id.0).lock_exclusive().one(db).await?;
    row.ok_or(CatalogError::NotFound { what: Noun::Version })
}

/// Holds a version until the transaction ends, and makes sure that its files may still change.
pub(crate) async fn lock_unreleased<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<table::Model> {
    let row = lock(db, VersionId(id)).await?;
    if status(&row)? == VersionStatus::Unreleased {
        Ok(row)
    } else {
        Err(CatalogError::conflict(ConflictReason::VersionReleased))
    }
}

/// Holds a version until the transaction ends, and makes sure that clients see it.
pub(crate) async fn lock_released<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<table::Model> {
    let row = lock(db, VersionId(id)).await?;
    if status(&row)? == VersionStatus::Released {
        Ok(row)
    } else {
        Err(CatalogError::conflict(ConflictReason::VersionState))
    }
}

fn status(row: &table::Model) -> Result<VersionStatus> {
    stored_some("versions.status", VersionStatus::parse(&row.status))
}

pub(crate) fn from_row(row: table::Model) -> Result<Version> {
    Ok(Version {
        id: VersionId(row.id),
        box_id: BoxId(row.box_id),
        status: status(&row)?,
        number: stored("versions.number", BoxVersion::parse(&row.number))?,
        description: row.description,
        release_notes: row.release_notes,
        released_at: row.released_at,
        revoked_at: row.revoked_at,
        deprecation: row
            .deprecated_at
            .map(|at| Deprecation { at, reason: row.deprecation_reason.unwrap_or_default() }),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
