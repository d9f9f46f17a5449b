//! Organizations that mirror another registry, and the boxes that they have of it.
//!
//! What an upstream offers is written down as released versions whose architectures have no file yet; a file comes by an
//! upload like any other ([`crate::uploads`], [`Gate::Mirrored`](crate::artifacts::Gate)). What is there is never taken
//! away, whatever the upstream does later.

mod contents;

use boxvault_types::ids::{BoxId, OrganizationId};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};

use crate::entity::{mirrored_boxes as box_rows, mirrors as table};
use crate::rows::clean;
use crate::{Catalog, CatalogError, Noun, Result};

pub use contents::{Offer, OfferedFile};

/// How an organization mirrors another registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Whose boxes they become.
    pub organization_id: OrganizationId,
    /// The upstream.
    pub url: String,
    /// The token for it, sealed.
    pub token: Option<Vec<u8>>,
    /// Whether everybody may read the boxes.
    pub is_public: bool,
    /// The license of the boxes of which the upstream says none.
    pub license: Option<String>,
    /// How often all of it is brought over, in seconds; zero is only what is asked for.
    pub sync_seconds: i64,
    /// When all of it was last brought over, or that was last tried.
    pub synced_at: Option<DateTime<Utc>>,
    /// What was wrong then.
    pub problem: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What to make of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMirror {
    /// Whose boxes they become.
    pub organization_id: OrganizationId,
    /// The upstream.
    pub url: String,
    /// The token for it, sealed.
    pub token: Option<Vec<u8>>,
    /// Whether everybody may read the boxes.
    pub is_public: bool,
    /// The license of the boxes of which the upstream says none.
    pub license: Option<String>,
    /// How often all of it is brought over, in seconds; zero is only what is asked for.
    pub sync_seconds: i64,
}

/// What an upstream last said of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredBox {
    /// The box.
    pub box_id: BoxId,
    /// Where it was read.
    pub url: String,
    /// What was read.
    pub document: String,
    /// Its entity tag.
    pub etag: Option<String>,
    /// The license that it names.
    pub license: Option<String>,
    /// When the upstream last said so.
    pub checked_at: DateTime<Utc>,
}

/// Lists all mirrors.
pub async fn list(catalog: &Catalog) -> Result<Vec<Mirror>> {
    let rows = table::Entity::find()
        .order_by_asc(table::Column::OrganizationId)
        .all(catalog.reader())
        .await?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Finds how an organization mirrors.
pub async fn find(catalog: &Catalog, organization: OrganizationId) -> Result<Option<Mirror>> {
    let row = table::Entity::find_by_id(organization.0).one(catalog.reader()).await?;
    Ok(row.map(from_row))
}

/// Makes an organization a mirror, or changes how it is one. The boxes that it mirrors already become as public as it
/// says.
///
/// # Errors
/// `NotFound(Organization)`.
pub async fn put(catalog: &Catalog, new: NewMirror) -> Result<Mirror> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    contents::publish(&transaction, new.organization_id, new.is_public, now).await?;
    let row = table::Model {
        organization_id: new.organization_id.0,
        url: clean(&new.url),
        token: new.token,
        is_public: new.is_public,
        license: new.license.as_deref().map(clean),
        sync_seconds: new.sync_seconds,
        synced_at: None,
        problem: None,
        created_at: now,
        updated_at: now,
    };
    table::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(table::Column::OrganizationId)
                .update_columns([
                    table::Column::Url,
                    table::Column::Token,
                    table::Column::IsPublic,
                    table::Column::License,
                    table::Column::SyncSeconds,
                    table::Column::SyncedAt,
                    table::Column::Problem,
                    table::Column::UpdatedAt,
                ])
                .to_owned(),
        )
        .exec_without_returning(&transaction)
        .await
        .map_err(|error| CatalogError::from(error).without_parent(Noun::Organization))?;
    let row = table::Entity::find_by_id(new.organization_id.0).one(&transaction).await?;
    transaction.commit().await?;
    row.map(from_row).ok_or(CatalogError::NotFound { what: Noun::Organization })
}

/// Makes a mirror an organization like others: what it has stays, what it only offered goes. Tells whether it was one.
pub async fn delete(catalog: &Catalog, organization: OrganizationId) -> Result<bool> {
    let transaction = catalog.begin().await?;
    let gone = table::Entity::delete_by_id(organization.0).exec(&transaction).await?;
    contents::forget(&transaction, organization).await?;
    transaction.commit().await?;
    Ok(gone.rows_affected > 0)
}

impl Mirror {
    /// Whether the time has come to bring all of it over.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        let next = self.synced_at.map(|last| last + TimeDelta::seconds(self.sync_seconds));
        self.sync_seconds > 0 && next.is_none_or(|next| next <= now)
    }
}

/// Takes a mirror whose time has come, so that of several servers one brings everything over.
pub async fn claim(catalog: &Catalog, mirror: &Mirror) -> Result<bool> {
    let now = catalog.now();
    let due = now - TimeDelta::seconds(mirror.sync_seconds);
    let free = Condition::any()
        .add(table::Column::SyncedAt.is_null())
        .add(table::Column::SyncedAt.lte(due));
    let taken = table::Entity::update_many()
        .col_expr(table::Column::SyncedAt, Expr::value(Some(now)))
        .filter(table::Column::OrganizationId.eq(mirror.organization_id.0))
        .filter(table::Column::SyncSeconds.gt(0))
        .filter(free)
        .exec(catalog.writer())
        .await?;
    Ok(taken.rows_affected > 0)
}

/// Says that everything is still being brought over, so that no other server begins.
pub async fn hold(catalog: &Catalog, organization: OrganizationId) -> Result<()> {
    table::Entity::update_many()
        .col_expr(table::Column::SyncedAt, Expr::value(Some(catalog.now())))
        .filter(table::Column::OrganizationId.eq(organization.0))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

/// Notes how bringing everything over ended.
pub async fn note(
    catalog: &Catalog,
    organization: OrganizationId,
    problem: Option<&str>,
) -> Result<()> {
    table::Entity::update_many()
        .col_expr(table::Column::Problem, Expr::value(problem.map(clean)))
        .filter(table::Column::OrganizationId.eq(organization.0))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

/// Finds what an upstream last said of a box.
pub async fn find_box(catalog: &Catalog, id: BoxId) -> Result<Option<MirroredBox>> {
    let row = box_rows::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    Ok(row.map(box_from_row))
}

/// Notes what an upstream says of a box, and makes what it offers and is not there yet.
///
/// # Errors
/// `NotFound(Box)`.
pub async fn put_box(catalog: &Catalog, new: MirroredBox, offers: &[Offer]) -> Result<()> {
    let now = catalog.now();
    let id = new.box_id;
    let transaction = catalog.begin().await?;
    contents::offer(&transaction, id, offers, now).await?;
    let row = box_rows::Model {
        box_id: id.0,
        url: clean(&new.url),
        document: clean(&new.document),
        etag: new.etag.as_deref().map(clean),
        license: new.license.as_deref().map(clean),
        checked_at: now,
    };
    box_rows::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(box_rows::Column::BoxId)
                .update_columns([
                    box_rows::Column::Url,
                    box_rows::Column::Document,
                    box_rows::Column::Etag,
                    box_rows::Column::License,
                    box_rows::Column::CheckedAt,
                ])
                .to_owned(),
        )
        .exec_without_returning(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Makes what an upstream offers of a box and is not there.
///
/// # Errors
/// `NotFound(Box)`.
pub async fn put_offers(catalog: &Catalog, id: BoxId, offers: &[Offer]) -> Result<()> {
    let transaction = catalog.begin().await?;
    contents::offer(&transaction, id, offers, catalog.now()).await?;
    transaction.commit().await?;
    Ok(())
}

fn from_row(row: table::Model) -> Mirror {
    Mirror {
        organization_id: OrganizationId(row.organization_id),
        url: row.url,
        token: row.token,
        is_public: row.is_public,
        license: row.license,
        sync_seconds: row.sync_seconds,
        synced_at: row.synced_at,
        problem: row.problem,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn box_from_row(row: box_rows::Model) -> MirroredBox {
    MirroredBox {
        box_id: BoxId(row.box_id),
        url: row.url,
        document: row.document,
        etag: row.etag,
        license: row.license,
        checked_at: row.checked_at,
    }
}
