//! Sign-ins that are going on at a provider, and how a provider names the sessions that came of them.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::{Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, bytes, drop_tables, flag, id, index, sha256};

pub(super) struct Migration;

const SESSIONS: &str = "sessions";
const PROVIDER_SESSION: &str = "provider_session";
const BY_PROVIDER_SESSION: &str = "ix_sessions_provider_session";

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000710_create_begun_sign_ins"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let table = "begun_sign_ins";
        let begun = d
            .table(table)
            .col(id("id").primary_key())
            .col(d.short("provider", 255))
            .col(sha256("browser_hash"))
            .col(bytes("sealed"))
            .col(flag("stay_logged_in"))
            .col(d.long("next_path").null())
            .col(d.time("expires_at"))
            .take();
        manager.create_table(begun).await?;
        manager.create_index(index("ix_begun_sign_ins_expires", table, &["expires_at"])).await?;
        let mut column = d.short(PROVIDER_SESSION, 64).null().take();
        manager.alter_table(Table::alter().table(SESSIONS).add_column(&mut column).take()).await?;
        manager.create_index(index(BY_PROVIDER_SESSION, SESSIONS, &[PROVIDER_SESSION])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop().name(BY_PROVIDER_SESSION).table(SESSIONS).to_owned();
        manager.drop_index(index).await?;
        let column = Table::alter().table(SESSIONS).drop_column(PROVIDER_SESSION).take();
        manager.alter_table(column).await?;
        drop_tables(manager, &["begun_sign_ins"]).await
    }
}
