//! How much the files of an organization may take.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::Cascade;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, count, drop_tables, id, refers};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000401_create_quotas"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let table = "quotas";
        let quotas = d
            .table(table)
            .col(id("organization_id").primary_key())
            .col(count("bytes").null())
            .col(count("file_bytes").null())
            .col(d.time("updated_at"))
            .foreign_key(&mut refers(
                "fk_quotas_organization",
                (table, "organization_id"),
                "organizations",
                Cascade,
            ))
            .take();
        manager.create_table(quotas).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["quotas"]).await
    }
}
