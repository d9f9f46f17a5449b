//! The table `mirrors`. Organizations that mirror another registry. The token is sealed; no seconds is on demand alone.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mirrors")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: Uuid,
    pub url: String,
    pub token: Option<Vec<u8>>,
    pub is_public: bool,
    pub license: Option<String>,
    pub sync_seconds: i64,
    pub synced_at: Option<DateTimeUtc>,
    pub problem: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
