//! The table `resumable_uploads`. Uploads that can be continued. They refer to nothing by a key: their parts must be
//! found when the rest is gone.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "resumable_uploads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub artifact_id: Uuid,
    pub user_id: Option<Uuid>,
    pub length: i64,
    pub received: i64,
    pub checksum_type: Option<String>,
    pub checksum: Option<String>,
    pub metadata: String,
    pub is_piece: bool,
    pub is_done: bool,
    pub previous_blob_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub touched_at: DateTimeUtc,
    pub held_by: Option<String>,
    pub held_until: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
