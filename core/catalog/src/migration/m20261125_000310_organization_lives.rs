//! Organizations can be renamed with their old name kept, suspended, and deleted for a while.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::ConnectionTrait;
use sea_orm_migration::sea_query::ForeignKeyAction::Cascade;
use sea_orm_migration::sea_query::{ColumnDef, Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, id, index, refers};

pub(super) struct Migration;

const TABLE: &str = "organizations";
const NAMES: &str = "organization_names";
const DELETED: &str = "ix_organizations_deleted";
const SUSPENDED: &str = "ix_organizations_suspended";

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000310_organization_lives"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        for column in [
            d.time("suspended_at").null().take(),
            d.long("suspended_reason").null().take(),
            d.time("deleted_at").null().take(),
        ] {
            add_column(manager, column).await?;
        }
        manager.create_index(index(DELETED, TABLE, &["deleted_at", "id"])).await?;
        manager.create_index(index(SUSPENDED, TABLE, &["suspended_at", "id"])).await?;

        let names = d
            .table(NAMES)
            .col(d.short("name_key", 128).primary_key())
            .col(id("organization_id"))
            .col(d.time("kept_until").null())
            .foreign_key(&mut refers(
                "fk_organization_names_organization",
                (NAMES, "organization_id"),
                TABLE,
                Cascade,
            ))
            .take();
        manager.create_table(names).await?;
        let of_organization = &["organization_id", "kept_until"];
        manager.create_index(index("ix_organization_names_of", NAMES, of_organization)).await?;
        let fill = "INSERT INTO organization_names (name_key, organization_id) \
                    SELECT name_key, id FROM organizations";
        manager.get_connection().execute_unprepared(fill).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[NAMES]).await?;
        for name in [DELETED, SUSPENDED] {
            manager.drop_index(Index::drop().name(name).table(TABLE).to_owned()).await?;
        }
        for column in ["deleted_at", "suspended_reason", "suspended_at"] {
            manager.alter_table(Table::alter().table(TABLE).drop_column(column).take()).await?;
        }
        Ok(())
    }
}

/// One column at a time, which is all that SQLite takes.
async fn add_column(manager: &SchemaManager<'_>, column: ColumnDef) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(TABLE).add_column(column).take()).await
}
