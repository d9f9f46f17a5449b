//! The table `blobs`. Immutable bytes in stores. `orphaned_at` is when the sweep first saw that nothing refers to them.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub store: String,
    pub object_key: String,
    pub size_bytes: i64,
    pub digest: Vec<u8>,
    pub created_at: DateTimeUtc,
    pub orphaned_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
