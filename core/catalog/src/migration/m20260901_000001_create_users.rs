//! Accounts, how they sign in, and the settings that all servers share.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::prelude::DateTimeUtc;
use sea_orm_migration::sea_query::{ForeignKeyAction::Cascade, Query};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{
    Dialect, bytes, drop_tables, flag, id, index, primary, refers, sha256, small_count, unique,
};

pub(super) struct Migration;

const TABLES: &[&str] = &[
    "users",
    "user_groups",
    "sign_in_attempts",
    "sessions",
    "api_tokens",
    "signing_keys",
    "settings",
];

/// Rows of `settings` to wait on, where there is no other row yet.
const LOCKS: &[&str] = &["lock.first_admin", "lock.signing_keys"];

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20260901_000001_create_users"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        create_users(manager, d).await?;
        create_sessions(manager, d).await?;
        create_settings(manager, d).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, TABLES).await
    }
}

async fn create_users(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let users = d
        .table("users")
        .col(id("id").primary_key())
        .col(d.short("name", 128))
        .col(d.short("name_key", 128))
        .col(d.short("email", 254).null())
        .col(d.short("email_key", 254).null())
        .col(d.long("display_name"))
        .col(d.long("password_hash").null())
        .col(d.short("issuer", 128))
        .col(d.short("subject", 255))
        .col(flag("platform_admin"))
        .col(d.time("suspended_at").null())
        .col(d.time("created_at"))
        .col(d.time("updated_at"))
        .col(d.time("last_sign_in_at").null())
        .col(d.long("search_text"))
        .take();
    manager.create_table(users).await?;
    manager.create_index(unique("uq_users_name", "users", &["name_key"])).await?;
    manager.create_index(unique("uq_users_email", "users", &["email_key"])).await?;
    manager.create_index(unique("uq_users_subject", "users", &["issuer", "subject"])).await?;
    manager.create_index(index("ix_users_created", "users", &["created_at", "id"])).await?;
    manager.create_index(index("ix_users_sign_in", "users", &["last_sign_in_at", "id"])).await?;

    let groups = d
        .table("user_groups")
        .col(id("user_id"))
        .col(d.short("name", 255))
        .primary_key(&mut primary(&["user_id", "name"]))
        .foreign_key(&mut refers(
            "fk_user_groups_user",
            ("user_groups", "user_id"),
            "users",
            Cascade,
        ))
        .take();
    manager.create_table(groups).await?;

    let attempts = d
        .table("sign_in_attempts")
        .col(d.short("attempt_key", 255).primary_key())
        .col(small_count("failures"))
        .col(d.time("last_failure_at"))
        .col(d.time("locked_until").null())
        .take();
    manager.create_table(attempts).await?;
    let by_time = index("ix_sign_in_attempts_time", "sign_in_attempts", &["last_failure_at"]);
    manager.create_index(by_time).await
}

async fn create_sessions(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let sessions = d
        .table("sessions")
        .col(id("id").primary_key())
        .col(id("user_id"))
        .col(d.time("created_at"))
        .col(d.time("last_used_at"))
        .col(d.time("expires_at"))
        .col(flag("stay_logged_in"))
        .col(d.long("user_agent").null())
        .col(d.short("address", 64).null())
        .col(sha256("refresh_hash"))
        .col(sha256("previous_hash").null())
        .col(d.time("rotated_at").null())
        .col(d.time("revoked_at").null())
        .foreign_key(&mut refers("fk_sessions_user", ("sessions", "user_id"), "users", Cascade))
        .take();
    manager.create_table(sessions).await?;
    manager.create_index(unique("uq_sessions_refresh", "sessions", &["refresh_hash"])).await?;
    let of_user = index("ix_sessions_user", "sessions", &["user_id", "last_used_at"]);
    manager.create_index(of_user).await?;
    manager.create_index(index("ix_sessions_expires", "sessions", &["expires_at"])).await?;

    let tokens = d
        .table("api_tokens")
        .col(id("id").primary_key())
        .col(id("user_id"))
        .col(d.long("description"))
        .col(sha256("token_hash"))
        .col(d.long("scope"))
        .col(d.time("created_at"))
        .col(d.time("expires_at").null())
        .col(d.time("last_used_at").null())
        .col(d.time("revoked_at").null())
        .foreign_key(&mut refers("fk_api_tokens_user", ("api_tokens", "user_id"), "users", Cascade))
        .take();
    manager.create_table(tokens).await?;
    manager.create_index(unique("uq_api_tokens_hash", "api_tokens", &["token_hash"])).await?;
    let of_user = index("ix_api_tokens_user", "api_tokens", &["user_id", "created_at"]);
    manager.create_index(of_user).await
}

async fn create_settings(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let keys = d
        .table("signing_keys")
        .col(d.short("kid", 128).primary_key())
        .col(d.short("algorithm", 16))
        .col(bytes("secret"))
        .col(d.time("created_at"))
        .col(d.time("retire_at").null())
        .take();
    manager.create_table(keys).await?;

    let settings = d
        .table("settings")
        .col(d.short("name", 128).primary_key())
        .col(d.long("value"))
        .col(d.time("updated_at"))
        .take();
    manager.create_table(settings).await?;
    let mut locks = Query::insert();
    locks.into_table("settings").columns(["name", "value", "updated_at"]);
    for name in LOCKS {
        locks.values_panic([(*name).into(), "".into(), DateTimeUtc::UNIX_EPOCH.into()]);
    }
    manager.execute(locks).await
}
