//! How many members and public boxes organizations have, for lists that show them.

use std::collections::HashMap;

use boxvault_types::ids::OrganizationId;
use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::entity::{boxes as box_rows, memberships as member_rows};
use crate::{Catalog, Result};

/// What an organization has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Members.
    pub members: u64,
    /// Boxes that everybody sees.
    pub public_boxes: u64,
}

/// Counts for some organizations, by two queries however many there are. One that has nothing may be missing.
pub async fn counts(
    catalog: &Catalog,
    ids: &[OrganizationId],
) -> Result<HashMap<OrganizationId, Counts>> {
    let ids = || ids.iter().map(|id| id.0);
    let members = member_rows::Entity::find()
        .select_only()
        .column(member_rows::Column::OrganizationId)
        .column_as(member_rows::Column::UserId.count(), "number")
        .filter(member_rows::Column::OrganizationId.is_in(ids()))
        .group_by(member_rows::Column::OrganizationId)
        .into_tuple::<(Uuid, i64)>()
        .all(catalog.reader())
        .await?;
    let boxes = box_rows::Entity::find()
        .select_only()
        .column(box_rows::Column::OrganizationId)
        .column_as(box_rows::Column::Id.count(), "number")
        .filter(box_rows::Column::OrganizationId.is_in(ids()))
        .filter(box_rows::Column::IsPublic.eq(true))
        .group_by(box_rows::Column::OrganizationId)
        .into_tuple::<(Uuid, i64)>()
        .all(catalog.reader())
        .await?;
    let mut counts = HashMap::<_, Counts>::new();
    for (id, number) in members {
        counts.entry(OrganizationId(id)).or_default().members = number.unsigned_abs();
    }
    for (id, number) in boxes {
        counts.entry(OrganizationId(id)).or_default().public_boxes = number.unsigned_abs();
    }
    Ok(counts)
}
