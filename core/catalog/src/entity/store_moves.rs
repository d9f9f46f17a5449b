//! The table `store_moves`. Moves from store to store that somebody asked a server for, and how far they are.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "store_moves")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub from_store: String,
    pub to_store: String,
    pub organization_id: Option<Uuid>,
    pub box_id: Option<Uuid>,
    pub organization_name: Option<String>,
    pub box_name: Option<String>,
    pub larger_than: Option<i64>,
    pub bytes_per_second: Option<i64>,
    pub concurrency: i32,
    pub state: String,
    pub total_files: i64,
    pub total_bytes: i64,
    pub moved_files: i64,
    pub moved_bytes: i64,
    pub copied_bytes: i64,
    pub failed_files: i64,
    pub damaged_files: i64,
    pub problem: Option<String>,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub held_by: Option<String>,
    pub held_until: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
