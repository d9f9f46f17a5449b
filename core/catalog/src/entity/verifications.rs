//! The table `verifications`. What was found when the bytes of blobs were read again.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "verifications")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub blob_id: Uuid,
    pub requested_at: Option<DateTimeUtc>,
    pub held_by: Option<String>,
    pub held_until: Option<DateTimeUtc>,
    pub done_bytes: i64,
    pub checked_at: Option<DateTimeUtc>,
    pub outcome: Option<String>,
    pub problem: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
