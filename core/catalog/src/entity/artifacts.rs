//! The table `artifacts`. Architectures of a provider, each with at most one file. `default_mark` is true or null: so a unique index
//! holds at most one default for each provider on every database.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "artifacts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub provider_id: Uuid,
    pub name: String,
    pub name_key: String,
    pub default_mark: Option<bool>,
    pub blob_id: Option<Uuid>,
    pub checksum_type: Option<String>,
    pub checksum: Option<String>,
    pub downloads: i64,
    pub uploaded_at: Option<DateTimeUtc>,
    pub uploaded_by: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub expected_type: Option<String>,
    pub expected: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
