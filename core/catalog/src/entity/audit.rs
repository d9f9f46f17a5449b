//! The table `audit`. Who did what.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub at: DateTimeUtc,
    pub actor_id: Option<Uuid>,
    pub actor_name: Option<String>,
    pub credential: String,
    pub action: String,
    pub organization: Option<String>,
    pub object: String,
    pub allowed: bool,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub policy_digest: Option<String>,
    pub detail: Option<String>,
    pub organization_id: Option<Uuid>,
    pub status: Option<i32>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
