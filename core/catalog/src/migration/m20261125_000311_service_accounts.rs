//! Service accounts: callers that belong to an organization. API tokens know their organization by its id.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::{Cascade, SetNull};
use sea_orm_migration::sea_query::Table;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, id, index, refers, sha256, unique};

pub(super) struct Migration;

const TABLE: &str = "service_accounts";
const TOKENS: &str = "api_tokens";

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000311_service_accounts"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let accounts = d
            .table(TABLE)
            .col(id("id").primary_key())
            .col(id("organization_id"))
            .col(d.short("name", 128))
            .col(d.short("name_key", 128))
            .col(d.long("description"))
            .col(d.short("role", 16))
            .col(sha256("secret_hash"))
            .col(d.long("scope"))
            .col(id("sponsor_id").null())
            .col(d.time("created_at"))
            .col(d.time("updated_at"))
            .col(d.time("expires_at"))
            .col(d.time("suspended_at").null())
            .col(d.time("last_used_at").null())
            .foreign_key(&mut refers(
                "fk_service_accounts_organization",
                (TABLE, "organization_id"),
                "organizations",
                Cascade,
            ))
            .foreign_key(&mut refers(
                "fk_service_accounts_sponsor",
                (TABLE, "sponsor_id"),
                "users",
                SetNull,
            ))
            .take();
        manager.create_table(accounts).await?;
        let name = &["organization_id", "name_key"];
        manager.create_index(unique("uq_service_accounts_name", TABLE, name)).await?;
        let secret = &["secret_hash"];
        manager.create_index(unique("uq_service_accounts_secret", TABLE, secret)).await?;
        manager.create_index(index("ix_service_accounts_sponsor", TABLE, &["sponsor_id"])).await?;
        // no foreign key, which SQLite adds to no table that exists: a token whose organization is gone is dead
        let column = id("organization_id").null().take();
        manager.alter_table(Table::alter().table(TOKENS).add_column(column).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = Table::alter().table(TOKENS).drop_column("organization_id").take();
        manager.alter_table(column).await?;
        drop_tables(manager, &[TABLE]).await
    }
}
