//! How a box changes hands, goes and comes back.
//!
//! A deleted box keeps its row, its name and its bytes until it is purged, so that restoring it cannot fail on a name
//! that somebody else took meanwhile. It is found by nothing but [`find_even_deleted`] and [`list_deleted`].

use std::time::Duration;

use boxvault_types::ids::{BoxId, OrganizationId};
use boxvault_types::names::{BoxName, OrganizationName};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, UpdateMany,
};

use super::former::{self, Claim};
use super::{OwnedBox, VagrantBox, from_pair, from_row, named, table, with_organization};
use crate::quotas::{self, Limits};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, PAGE_SIZE_MAX, Page, Paged, Result, organizations,
    paging, usage,
};

/// How a box changes hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Whose it will be.
    pub to: OrganizationId,
    /// What that organization may have, if no platform admin allowed it something else.
    pub default_limits: Limits,
    /// How long the name that it had leads to it; `None` for not at all.
    pub old_name_leads_until: Option<DateTime<Utc>>,
}

/// Finds a box by its two names, also one that is deleted and can be restored.
pub async fn find_even_deleted(
    catalog: &Catalog,
    organization: &OrganizationName,
    name: &BoxName,
) -> Result<Option<OwnedBox>> {
    let row = named(catalog, organization, name).one(catalog.reader()).await?;
    row.map(from_pair).transpose()
}

/// Lists the deleted boxes of an organization, the last deleted first.
pub async fn list_deleted(
    catalog: &Catalog,
    organization: OrganizationId,
    page: Page,
) -> Result<Paged<OwnedBox>> {
    let select = with_organization()
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::DeletedAt.is_not_null())
        .order_by_desc(table::Column::DeletedAt)
        .order_by_asc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_pair).await
}

/// Hands a box to another organization. Its bytes stay where they are, and count there from now on.
///
/// # Errors
/// `NotFound(Box)`, `NotFound(Organization)`; `AlreadyExists(BoxName)` or `Conflict(FormerName)` when the name is
/// taken there; `OverQuota`.
pub async fn transfer(catalog: &Catalog, id: BoxId, transfer: Transfer) -> Result<VagrantBox> {
    let Transfer { to, default_limits, old_name_leads_until } = transfer;
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let room = quotas::hold_organization(&transaction, to, default_limits).await?;
    let before = lock(&transaction, id).await?;
    let old = (before.organization_id, before.name_key.clone());
    if old.0 == to.0 {
        return from_row(before);
    }
    let (bytes, largest) = usage::bytes_of_box(&transaction, id).await?;
    room.check_all(bytes, largest).map_err(|why| CatalogError::OverQuota { why })?;
    organizations::lock(&transaction, to).await?;
    former::claim(&transaction, (to.0, &old.1), id.0, Claim::Careful, now).await?;
    let mut row = before.into_active_model();
    row.organization_id = Set(to.0);
    row.updated_at = Set(now);
    let row = row
        .update(&transaction)
        .await
        .map_err(|error| CatalogError::from(error).without_parent(Noun::Organization))?;
    former::lead(&transaction, old, id.0, old_name_leads_until).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Deletes a box for a while: it is found no more, and [`restore`] brings it back.
///
/// # Errors
/// `NotFound(Box)`.
pub async fn delete(catalog: &Catalog, id: BoxId) -> Result<VagrantBox> {
    set_deleted(catalog, id, Some(catalog.now())).await
}

/// Brings a deleted box back, with all that it had. No quota is asked: its bytes count while it is deleted, too.
///
/// # Errors
/// `NotFound(Box)` when it was purged; `Conflict(NotDeleted)`.
pub async fn restore(catalog: &Catalog, id: BoxId) -> Result<VagrantBox> {
    set_deleted(catalog, id, None).await
}

async fn set_deleted(
    catalog: &Catalog,
    id: BoxId,
    deleted_at: Option<DateTime<Utc>>,
) -> Result<VagrantBox> {
    let transaction = catalog.begin().await?;
    let row = table::Entity::find_by_id(id.0).lock_exclusive().one(&transaction).await?;
    let row = row.ok_or(CatalogError::NotFound { what: Noun::Box })?;
    match (row.deleted_at, deleted_at) {
        (Some(_), Some(_)) => return Err(CatalogError::not_found(Noun::Box)),
        (None, None) => return Err(CatalogError::conflict(ConflictReason::NotDeleted)),
        _ => {}
    }
    let mut row = row.into_active_model();
    row.deleted_at = Set(deleted_at);
    row.updated_at = Set(catalog.now());
    let row = row.update(&transaction).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Removes boxes that have been deleted for this long, with their versions; the sweep then finds their bytes.
///
/// Tells how many; at most [`PAGE_SIZE_MAX`] at once: call again until there are none.
pub async fn purge_deleted(catalog: &Catalog, for_at_least: Duration) -> Result<u64> {
    let wait = TimeDelta::from_std(for_at_least).unwrap_or(TimeDelta::days(36_500));
    let is_old = table::Column::DeletedAt.lte(catalog.now() - wait);
    let ids = table::Entity::find()
        .select_only()
        .column(table::Column::Id)
        .filter(is_old.clone())
        .limit(PAGE_SIZE_MAX)
        .into_tuple::<Uuid>()
        .all(catalog.reader())
        .await?;
    let mut count = 0;
    // one at a time, since each takes its versions along; asked again, since it may have been restored meanwhile
    for id in ids {
        let purged = table::Entity::delete_many()
            .filter(table::Column::Id.eq(id))
            .filter(is_old.clone())
            .exec(catalog.writer())
            .await?;
        count += purged.rows_affected;
    }
    Ok(count)
}

/// Holds a box until the transaction ends.
pub(super) async fn lock<C: ConnectionTrait>(db: &C, id: BoxId) -> Result<table::Model> {
    let row = table::Entity::find_by_id(id.0)
        .filter(table::Column::DeletedAt.is_null())
        .lock_exclusive()
        .one(db)
        .await?;
    row.ok_or(CatalogError::NotFound { what: Noun::Box })
}

/// Notes that something in a box changed, and holds the box until the transaction ends.
pub(crate) async fn touch<C: ConnectionTrait>(db: &C, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    touching(id, now).exec(db).await?;
    Ok(())
}

/// The same for a box of an organization. Says whether it still is one.
pub(crate) async fn touch_of<C: ConnectionTrait>(
    db: &C,
    id: Uuid,
    owner: OrganizationId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let touched = touching(id, now).filter(table::Column::OrganizationId.eq(owner.0));
    Ok(touched.exec(db).await?.rows_affected > 0)
}

fn touching(id: Uuid, now: DateTime<Utc>) -> UpdateMany<table::Entity> {
    table::Entity::update_many()
        .col_expr(table::Column::UpdatedAt, Expr::value(now))
        .filter(table::Column::Id.eq(id))
}
