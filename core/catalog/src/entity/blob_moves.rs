//! The table `blob_moves`. Blobs that are being copied to another store: where to, and by whom.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blob_moves")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub blob_id: Uuid,
    pub store: String,
    pub object_key: String,
    pub held_by: String,
    pub held_until: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
