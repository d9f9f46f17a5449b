//! The audit log knows organizations by their id, so that neither a new name nor another owner of an old one changes
//! whose history it is; and it knows how the request ended.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::ConnectionTrait;
use sea_orm_migration::sea_query::{Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{id, index, small_count};

pub(super) struct Migration;

const TABLE: &str = "audit";
/// (name, columns) of the indexes that go, and of those that take their place.
const BEFORE: &[(&str, &[&str])] = &[
    ("ix_audit_organization", &["organization", "at", "id"]),
    ("ix_audit_actor", &["actor_id", "at", "id"]),
];
const AFTER: &[(&str, &[&str])] = &[
    ("ix_audit_organization_id", &["organization_id", "at", "id"]),
    ("ix_audit_actor_name", &["actor_name", "at", "id"]),
];

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000501_widen_audit"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // one column a statement: SQLite takes no more
        for column in [id("organization_id").null().take(), small_count("status").null().take()] {
            manager.alter_table(Table::alter().table(TABLE).add_column(column).take()).await?;
        }
        // what was written so far belongs to the organization that has the name now
        manager
            .get_connection()
            .execute_unprepared(
                "UPDATE audit SET organization_id = (SELECT o.id FROM organizations o \
                 WHERE o.name_key = audit.organization) WHERE organization IS NOT NULL",
            )
            .await?;
        replace_indexes(manager, BEFORE, AFTER).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        replace_indexes(manager, AFTER, BEFORE).await?;
        for column in ["status", "organization_id"] {
            manager.alter_table(Table::alter().table(TABLE).drop_column(column).take()).await?;
        }
        Ok(())
    }
}

async fn replace_indexes(
    manager: &SchemaManager<'_>,
    old: &[(&'static str, &[&'static str])],
    new: &[(&'static str, &[&'static str])],
) -> Result<(), DbErr> {
    for (name, _) in old {
        manager.drop_index(Index::drop().name(*name).table(TABLE).to_owned()).await?;
    }
    for (name, columns) in new {
        manager.create_index(index(name, TABLE, columns)).await?;
    }
    Ok(())
}
