//! Every accepted version of the policy.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::prelude::DateTimeUtc;
use sea_orm_migration::sea_query::{Expr, ExprTrait, Query};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, count, drop_tables, id, index};

pub(super) struct Migration;

const TABLE: &str = "policy_versions";
/// The row of `settings` that whoever adds a version waits on.
const LOCK: &str = "lock.policy_versions";

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261129_000401_create_policy_versions"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let versions = d
            .table(TABLE)
            .col(count("number").primary_key())
            .col(id("organization_id").null())
            .col(d.short("digest", 64))
            .col(d.long("files"))
            .col(d.short("origin", 16))
            .col(d.short("author", 128).null())
            .col(d.long("message"))
            .col(count("restores").null())
            .col(d.time("created_at"))
            .take();
        manager.create_table(versions).await?;
        let columns = &["organization_id", "number"];
        manager.create_index(index("ix_policy_versions_organization", TABLE, columns)).await?;
        let mut lock = Query::insert();
        lock.into_table("settings").columns(["name", "value", "updated_at"]);
        lock.values_panic([LOCK.into(), "".into(), DateTimeUtc::UNIX_EPOCH.into()]);
        manager.execute(lock).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[TABLE]).await?;
        let mut lock = Query::delete();
        lock.from_table("settings").and_where(Expr::col("name").eq(LOCK));
        manager.execute(lock).await
    }
}
