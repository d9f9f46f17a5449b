//! Names that a box had before: for a while they lead to it, and nobody else gets them by accident.
//!
//! Stock clients keep asking for the old name, and a download that was cut resumes at its old URL. Whoever could take
//! the name at once would hand those clients other bytes, so it has to be taken knowingly.

use boxvault_types::names::{BoxName, OrganizationName};
use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect};

use super::{OwnedBox, find, find_by_id};
use crate::entity::{former_box_names as table, organization_names};
use crate::rows::insert;
use crate::{Catalog, CatalogError, ConflictReason, Result, organizations};

/// Who may have a name that still leads to another box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody.
    Careful,
    /// The claimant, who said so.
    Knowing,
}

/// Finds a box by its two names, or by names that it had before: one query, and two more for a former name.
///
/// Whoever needs to know compares the names of what is found with those that were asked for.
pub async fn find_by_any_name(
    catalog: &Catalog,
    organization: &OrganizationName,
    name: &BoxName,
) -> Result<Option<OwnedBox>> {
    if let Some(found) = find(catalog, organization, name).await? {
        return Ok(Some(found));
    }
    let former = table::Entity::find()
        .join(
            JoinType::InnerJoin,
            table::Entity::belongs_to(organization_names::Entity)
                .from(table::Column::OrganizationId)
                .to(organization_names::Column::OrganizationId)
                .into(),
        )
        .filter(organizations::names::leads(organization, catalog.now()))
        .filter(table::Column::NameKey.eq(name.key()))
        .filter(table::Column::ExpiresAt.gt(catalog.now()))
        .one(catalog.reader())
        .await?;
    match former {
        Some(former) => find_by_id(catalog, boxvault_types::ids::BoxId(former.box_id)).await,
        None => Ok(None),
    }
}

/// Forgets former names whose time is over.
pub async fn forget_former_names(catalog: &Catalog) -> Result<()> {
    table::Entity::delete_many()
        .filter(table::Column::ExpiresAt.lte(catalog.now()))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

/// Makes a name free for a box, or refuses: it may still lead to another one.
pub(super) async fn claim<C: ConnectionTrait>(
    db: &C,
    (organization_id, name_key): (Uuid, &str),
    by: Uuid,
    claim: Claim,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = (organization_id, name_key.to_owned());
    let Some(former) = table::Entity::find_by_id(id.clone()).one(db).await? else { return Ok(()) };
    if former.box_id != by && former.expires_at > now && claim == Claim::Careful {
        return Err(CatalogError::conflict(ConflictReason::FormerName));
    }
    table::Entity::delete_by_id(id).exec(db).await?;
    Ok(())
}

/// Lets a name lead to a box from now on, if there is a time for that.
pub(super) async fn lead<C: ConnectionTrait>(
    db: &C,
    (organization_id, name_key): (Uuid, String),
    box_id: Uuid,
    until: Option<DateTime<Utc>>,
) -> Result<()> {
    let Some(expires_at) = until else { return Ok(()) };
    // what led elsewhere was refused or taken when this box got the name; a box that has it comes first in any case
    table::Entity::delete_by_id((organization_id, name_key.clone())).exec(db).await?;
    insert(db, table::Model { organization_id, name_key, box_id, expires_at }).await
}
