//! The table `policy_versions`. Each accepted text of the policy, kept for ever: `files` is a JSON list of names and
//! texts. Without an organization it is the platform's. It names no other table, since it outlives what it speaks of.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy_versions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub organization_id: Option<Uuid>,
    pub digest: String,
    pub files: String,
    pub origin: String,
    pub author: Option<String>,
    pub message: String,
    pub restores: Option<i64>,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
