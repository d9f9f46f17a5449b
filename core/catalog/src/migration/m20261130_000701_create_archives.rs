//! What the archives of boxes say of themselves: their compression, and their `metadata.json`.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::Cascade;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, id, refers};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000701_create_archives"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let table = "archives";
        let archives = d
            .table(table)
            .col(id("blob_id").primary_key())
            .col(d.short("compression", 16))
            .col(d.long("metadata"))
            .foreign_key(&mut refers("fk_archives_blob", (table, "blob_id"), "blobs", Cascade))
            .take();
        manager.create_table(archives).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["archives"]).await
    }
}
