//! The names that lead to organizations: each one's present name, and for a while those that it had.
//!
//! A name is a primary key here, so that no two organizations can have it, whether as the present or as an old one.

use std::time::Duration;

use boxvault_types::names::OrganizationName;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    RelationDef,
};

use crate::entity::{organization_names as table, organizations as organization_rows};
use crate::rows::insert;
use crate::{Result, Taken};

/// The most names that an organization is remembered by beside its present one, lest somebody hoards names.
const OLD_NAMES_MAX: u64 = 5;

/// From organizations to the names that lead to them; to be joined together with [`leads`].
pub(crate) fn of_organization() -> RelationDef {
    let to_organization: RelationDef = table::Entity::belongs_to(organization_rows::Entity)
        .from(table::Column::OrganizationId)
        .to(organization_rows::Column::Id)
        .into();
    to_organization.rev()
}

/// Whether a name leads anywhere now.
pub(crate) fn leads(name: &OrganizationName, now: DateTime<Utc>) -> Condition {
    let kept = Condition::any()
        .add(table::Column::KeptUntil.is_null())
        .add(table::Column::KeptUntil.gt(now));
    Condition::all().add(table::Column::NameKey.eq(name.key())).add(kept)
}

/// Makes a name the present one of an organization, also one that it had before.
///
/// # Errors
/// `AlreadyExists(OrganizationName)` while it is, or was lately, the name of another one.
pub(super) async fn take<C: ConnectionTrait>(
    db: &C,
    organization: Uuid,
    key: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    table::Entity::delete_many()
        .filter(table::Column::NameKey.eq(key))
        .filter(
            Condition::any()
                .add(table::Column::KeptUntil.lte(now))
                .add(table::Column::OrganizationId.eq(organization)),
        )
        .exec(db)
        .await?;
    let row =
        table::Model { name_key: key.to_owned(), organization_id: organization, kept_until: None };
    insert(db, row).await.map_err(|error| error.taken_as(Taken::OrganizationName))
}

/// Lets a name that was the present one lead to the organization for a while.
pub(super) async fn keep<C: ConnectionTrait>(
    db: &C,
    organization: Uuid,
    key: &str,
    now: DateTime<Utc>,
    kept_for: Duration,
) -> Result<()> {
    let until = now + TimeDelta::from_std(kept_for).unwrap_or(TimeDelta::days(36_500));
    table::Entity::update_many()
        .col_expr(table::Column::KeptUntil, Expr::value(Some(until)))
        .filter(table::Column::NameKey.eq(key))
        .filter(table::Column::OrganizationId.eq(organization))
        .exec(db)
        .await?;
    let beyond = table::Entity::find()
        .filter(table::Column::OrganizationId.eq(organization))
        .filter(table::Column::KeptUntil.is_not_null())
        .order_by_desc(table::Column::KeptUntil)
        .offset(OLD_NAMES_MAX)
        .limit(OLD_NAMES_MAX)
        .all(db)
        .await?;
    if !beyond.is_empty() {
        table::Entity::delete_many()
            .filter(table::Column::NameKey.is_in(beyond.into_iter().map(|row| row.name_key)))
            .exec(db)
            .await?;
    }
    Ok(())
}
