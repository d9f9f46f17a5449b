//! Suspending and resuming, deleting, restoring and purging organizations.

use std::time::Duration;

use boxvault_types::identity::Role;
use boxvault_types::ids::{OrganizationId, UserId};
use boxvault_types::names::OrganizationName;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Organization, from_row, named};
use crate::entity::{boxes as box_rows, memberships as member_rows, organizations as table};
use crate::rows::clean;
use crate::{Catalog, CatalogError, Noun, Page, Paged, Result, paging, policies};

/// How many boxes one statement of a purge removes, so that no lock is held for long.
const PURGE_CHUNK: u64 = 100;

/// Lets an organization serve nothing and take nothing, and says why; once more to say it better.
///
/// # Errors
/// `NotFound(Organization)`.
pub async fn suspend(catalog: &Catalog, id: OrganizationId, reason: &str) -> Result<()> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let changed = table::Entity::update_many()
        .col_expr(table::Column::SuspendedAt, Expr::value(Some(now)))
        .col_expr(table::Column::SuspendedReason, Expr::value(Some(clean(reason))))
        .col_expr(table::Column::UpdatedAt, Expr::value(now))
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::DeletedAt.is_null())
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    found(changed.rows_affected)
}

/// Ends a suspension; one that is not suspended stays so.
///
/// # Errors
/// `NotFound(Organization)`.
pub async fn resume(catalog: &Catalog, id: OrganizationId) -> Result<()> {
    let transaction = catalog.begin().await?;
    let changed = table::Entity::update_many()
        .col_expr(table::Column::SuspendedAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(table::Column::SuspendedReason, Expr::value(None::<String>))
        .col_expr(table::Column::UpdatedAt, Expr::value(catalog.now()))
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::DeletedAt.is_null())
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    found(changed.rows_affected)
}

/// Deletes an organization with all that is in it. Until it is purged it keeps its names, and can be restored.
///
/// # Errors
/// `NotFound(Organization)`.
pub async fn delete(catalog: &Catalog, id: OrganizationId) -> Result<()> {
    let transaction = catalog.begin().await?;
    let changed = table::Entity::update_many()
        .col_expr(table::Column::DeletedAt, Expr::value(Some(catalog.now())))
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::DeletedAt.is_null())
        .exec(&transaction)
        .await?;
    policies::organizations_changed(&transaction).await?;
    transaction.commit().await?;
    found(changed.rows_affected)
}

/// Brings back an organization as it was, unless it was deleted longer ago: that one is the purge's.
///
/// # Errors
/// `NotFound(Organization)` when it is not deleted, or was so for too long.
pub async fn restore(catalog: &Catalog, id: OrganizationId, within: Duration) -> Result<()> {
    let since = before(catalog, within);
    let transaction = catalog.begin().await?;
    let changed = table::Entity::update_many()
        .col_expr(table::Column::DeletedAt, Expr::value(None::<DateTime<Utc>>))
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::DeletedAt.gt(since))
        .exec(&transaction)
        .await?;
    policies::organizations_changed(&transaction).await?;
    transaction.commit().await?;
    found(changed.rows_affected)
}

/// Finds a deleted organization by the name that it had.
pub async fn find_deleted(
    catalog: &Catalog,
    name: &OrganizationName,
) -> Result<Option<Organization>> {
    let row = named(catalog, name)
        .filter(table::Column::DeletedAt.is_not_null())
        .one(catalog.reader())
        .await?;
    row.map(from_row).transpose()
}

/// Lists deleted organizations, the latest first: those that a user owned, or all.
pub async fn list_deleted(
    catalog: &Catalog,
    owner: Option<UserId>,
    page: Page,
) -> Result<Paged<Organization>> {
    let mut select = table::Entity::find().filter(table::Column::DeletedAt.is_not_null());
    if let Some(owner) = owner {
        let owned = Query::select()
            .column(member_rows::Column::OrganizationId)
            .from(member_rows::Entity)
            .and_where(member_rows::Column::UserId.eq(owner.0))
            .and_where(member_rows::Column::Role.eq(Role::Owner.as_str()))
            .take();
        select = select.filter(table::Column::Id.in_subquery(owned));
    }
    let select = select.order_by_desc(table::Column::DeletedAt).order_by_desc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_row).await
}

/// Removes organizations for good that were deleted this long ago, and all that was in them; the sweep finds their
/// bytes. Answers how many there were.
///
/// Boxes go first, some at a time. What is due here is not restored any more ([`restore`]), so nobody gets half of it.
pub async fn purge_deleted(catalog: &Catalog, for_at_least: Duration) -> Result<u64> {
    let before = before(catalog, for_at_least);
    let mut count = 0;
    loop {
        let due = table::Entity::find()
            .filter(table::Column::DeletedAt.lte(before))
            .order_by_asc(table::Column::DeletedAt)
            .one(catalog.reader())
            .await?;
        let Some(due) = due else { return Ok(count) };
        loop {
            let some = box_rows::Entity::find()
                .select_only()
                .column(box_rows::Column::Id)
                .filter(box_rows::Column::OrganizationId.eq(due.id))
                .limit(PURGE_CHUNK)
                .into_tuple::<sea_orm::prelude::Uuid>()
                .all(catalog.reader())
                .await?;
            if some.is_empty() {
                break;
            }
            box_rows::Entity::delete_many()
                .filter(box_rows::Column::Id.is_in(some))
                .exec(catalog.writer())
                .await?;
        }
        let gone = table::Entity::delete_many()
            .filter(table::Column::Id.eq(due.id))
            .filter(table::Column::DeletedAt.lte(before))
            .exec(catalog.writer())
            .await?;
        count += gone.rows_affected;
    }
}

fn before(catalog: &Catalog, this_long: Duration) -> DateTime<Utc> {
    catalog.now() - TimeDelta::from_std(this_long).unwrap_or(TimeDelta::days(36_500))
}

fn found(rows: u64) -> Result<()> {
    if rows == 0 { Err(CatalogError::not_found(Noun::Organization)) } else { Ok(()) }
}
