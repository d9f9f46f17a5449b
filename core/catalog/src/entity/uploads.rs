//! The table `uploads`. Unfinished uploads. They refer to nothing by a key: what they wrote must be found when the rest is gone.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "uploads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub artifact_id: Uuid,
    pub store: String,
    pub object_key: String,
    pub declared_length: Option<i64>,
    pub checksum_type: Option<String>,
    pub checksum: Option<String>,
    pub started_at: DateTimeUtc,
    pub touched_at: DateTimeUtc,
    pub user_id: Option<Uuid>,
    pub previous_blob_id: Option<Uuid>,
    pub instance_id: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
