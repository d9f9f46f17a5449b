//! Requests that may be sent twice and are done once.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::Cascade;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, id, index, refers, sha256, small_count};

pub(super) struct Migration;

const TABLE: &str = "idempotency_keys";

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000502_create_idempotency_keys"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let keys = d
            .table(TABLE)
            .col(sha256("key_hash").primary_key())
            .col(id("user_id"))
            .col(sha256("body_hash"))
            .col(small_count("status").null())
            .col(d.long("body").null())
            .col(d.short("etag", 128).null())
            .col(d.time("lease_until"))
            .col(d.time("expires_at"))
            .foreign_key(&mut refers(
                "fk_idempotency_keys_user",
                (TABLE, "user_id"),
                "users",
                Cascade,
            ))
            .take();
        manager.create_table(keys).await?;
        manager.create_index(index("ix_idempotency_keys_user", TABLE, &["user_id"])).await?;
        manager.create_index(index("ix_idempotency_keys_expires", TABLE, &["expires_at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[TABLE]).await
    }
}
