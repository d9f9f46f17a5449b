//! Messages that wait to be sent.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, id, index, small_count};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000101_create_mail_outbox"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let table = "mail_outbox";
        let outbox = d
            .table(table)
            .col(id("id").primary_key())
            .col(d.short("kind", 64))
            .col(d.large_bytes("payload"))
            .col(d.time("created_at"))
            .col(small_count("attempts"))
            .col(d.time("next_attempt_at").null())
            .col(id("claim_id").null())
            .col(d.long("problem").null())
            .take();
        manager.create_table(outbox).await?;
        let due = index("ix_mail_outbox_due", table, &["next_attempt_at", "id"]);
        manager.create_index(due).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["mail_outbox"]).await
    }
}
