//! What accounts gained: proven addresses, preferences, links by e-mail, second factors, pictures.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::{ForeignKeyAction::Cascade, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{
    Dialect, bytes, count, drop_tables, id, index, primary, refers, sha256, unique,
};

pub(super) struct Migration;

const TABLES: &[&str] = &["account_links", "second_factors", "recovery_codes", "avatars"];

/// Columns that `users` gained.
const COLUMNS: &[&str] = &[
    "email_verified_at",
    "language",
    "theme",
    "time_zone",
    "default_organization_id",
    "avatar_digest",
];

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000102_complete_accounts"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        // one statement each: SQLite takes no more
        for mut column in [
            d.time("email_verified_at"),
            d.short("language", 35),
            d.short("theme", 16),
            d.short("time_zone", 64),
            id("default_organization_id"),
            sha256("avatar_digest"),
        ] {
            let change = Table::alter().table("users").add_column(column.null()).take();
            manager.alter_table(change).await?;
        }
        create_links(manager, d).await?;
        create_second_factors(manager, d).await?;
        let avatars = d
            .table("avatars")
            .col(id("user_id").primary_key())
            .col(d.short("content_type", 32))
            .col(d.large_bytes("bytes"))
            .col(sha256("digest"))
            .foreign_key(&mut refers("fk_avatars_user", ("avatars", "user_id"), "users", Cascade))
            .take();
        manager.create_table(avatars).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, TABLES).await?;
        for column in COLUMNS {
            manager.alter_table(Table::alter().table("users").drop_column(*column).take()).await?;
        }
        Ok(())
    }
}

async fn create_links(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = "account_links";
    let links = d
        .table(table)
        .col(id("id").primary_key())
        .col(id("user_id"))
        .col(d.short("kind", 32))
        .col(sha256("token_hash"))
        .col(d.short("email", 254))
        .col(d.time("created_at"))
        .col(d.time("expires_at"))
        .foreign_key(&mut refers("fk_account_links_user", (table, "user_id"), "users", Cascade))
        .take();
    manager.create_table(links).await?;
    manager.create_index(unique("uq_account_links_token", table, &["token_hash"])).await?;
    manager.create_index(index("ix_account_links_user", table, &["user_id", "kind"])).await?;
    manager.create_index(index("ix_account_links_expires", table, &["expires_at"])).await
}

async fn create_second_factors(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = "second_factors";
    let factors = d
        .table(table)
        .col(id("user_id").primary_key())
        .col(bytes("secret"))
        .col(d.time("created_at"))
        .col(d.time("confirmed_at").null())
        .col(count("last_step"))
        .foreign_key(&mut refers("fk_second_factors_user", (table, "user_id"), "users", Cascade))
        .take();
    manager.create_table(factors).await?;
    let table = "recovery_codes";
    let codes = d
        .table(table)
        .col(id("user_id"))
        .col(sha256("code_hash"))
        .primary_key(&mut primary(&["user_id", "code_hash"]))
        .foreign_key(&mut refers("fk_recovery_codes_user", (table, "user_id"), "users", Cascade))
        .take();
    manager.create_table(codes).await
}
