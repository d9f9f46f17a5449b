//! The record of who did what. Refers to nothing by a key: it outlives what it speaks of.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, flag, id, index};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20260901_000003_create_audit"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let table = "audit";
        let audit = d
            .table(table)
            .col(id("id").primary_key())
            .col(d.time("at"))
            .col(id("actor_id").null())
            .col(d.short("actor_name", 128).null())
            .col(d.short("credential", 32))
            .col(d.short("action", 64))
            .col(d.short("organization", 128).null())
            .col(d.long("object"))
            .col(flag("allowed"))
            .col(d.short("address", 64).null())
            .col(d.short("request_id", 128).null())
            .col(d.short("policy_digest", 128).null())
            .col(d.long("detail").null())
            .take();
        manager.create_table(audit).await?;
        manager.create_index(index("ix_audit_at", table, &["at", "id"])).await?;
        let by_organization = &["organization", "at", "id"];
        manager.create_index(index("ix_audit_organization", table, by_organization)).await?;
        manager.create_index(index("ix_audit_actor", table, &["actor_id", "at", "id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["audit"]).await
    }
}
