//! The table `boxes`. Families of images.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "boxes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub organization_id: Uuid,
    pub name: String,
    pub name_key: String,
    pub short_description: String,
    pub description: String,
    pub readme: Option<String>,
    pub is_public: bool,
    pub created_by: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub downloads: i64,
    pub search_text: String,
    pub deleted_at: Option<DateTimeUtc>,
    pub tags: Option<String>,
    pub homepage_url: Option<String>,
    pub source_url: Option<String>,
    pub documentation_url: Option<String>,
    pub artwork: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
