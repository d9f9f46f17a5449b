//! What was found when the bytes of blobs were read again.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::Cascade;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, count, drop_tables, id, index, refers};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000403_create_verifications"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let table = "verifications";
        let verifications = d
            .table(table)
            .col(id("blob_id").primary_key())
            .col(d.time("requested_at").null())
            .col(d.short("held_by", 128).null())
            .col(d.time("held_until").null())
            .col(count("done_bytes"))
            .col(d.time("checked_at").null())
            .col(d.short("outcome", 16).null())
            .col(d.long("problem").null())
            .foreign_key(&mut refers("fk_verifications_blob", (table, "blob_id"), "blobs", Cascade))
            .take();
        manager.create_table(verifications).await?;
        let requested = &["requested_at", "blob_id"];
        manager.create_index(index("ix_verifications_requested", table, requested)).await?;
        let checked = &["checked_at", "blob_id"];
        manager.create_index(index("ix_verifications_checked", table, checked)).await?;
        manager.create_index(index("ix_verifications_outcome", table, &["outcome"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["verifications"]).await
    }
}
