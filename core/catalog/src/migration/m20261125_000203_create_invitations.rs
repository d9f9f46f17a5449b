//! Invitations into organizations, and requests to join them.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::{Cascade, SetNull};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, flag, id, index, refers, sha256, unique};

pub(super) struct Migration;

const INVITATIONS: &str = "invitations";
const REQUESTS: &str = "join_requests";

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000203_invitations"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        create_invitations(manager, d).await?;
        create_requests(manager, d).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[INVITATIONS, REQUESTS]).await
    }
}

async fn create_invitations(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = INVITATIONS;
    let invitations = d
        .table(table)
        .col(id("id").primary_key())
        .col(id("organization_id"))
        .col(d.short("email", 254))
        .col(d.short("email_key", 254))
        .col(d.short("role", 16))
        .col(sha256("token_hash"))
        .col(id("invited_by").null())
        .col(d.time("created_at"))
        .col(d.time("sent_at"))
        .col(d.time("expires_at"))
        .col(flag("open_mark").null())
        .col(d.time("ended_at").null())
        .col(d.short("outcome", 16).null())
        .foreign_key(&mut refers(
            "fk_invitations_organization",
            (table, "organization_id"),
            "organizations",
            Cascade,
        ))
        .foreign_key(&mut refers("fk_invitations_inviter", (table, "invited_by"), "users", SetNull))
        .take();
    manager.create_table(invitations).await?;
    // of those that are over, there may be many: their mark is null
    let open = &["organization_id", "email_key", "open_mark"];
    manager.create_index(unique("uq_invitations_open", table, open)).await?;
    manager.create_index(unique("uq_invitations_token", table, &["token_hash"])).await?;
    manager.create_index(index("ix_invitations_inviter", table, &["invited_by"])).await?;
    manager.create_index(index("ix_invitations_ended", table, &["ended_at", "id"])).await
}

async fn create_requests(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = REQUESTS;
    let requests = d
        .table(table)
        .col(id("id").primary_key())
        .col(id("organization_id"))
        .col(id("user_id"))
        .col(d.long("message"))
        .col(d.time("created_at"))
        .col(flag("open_mark").null())
        .col(d.time("ended_at").null())
        .col(d.short("outcome", 16).null())
        .foreign_key(&mut refers(
            "fk_join_requests_organization",
            (table, "organization_id"),
            "organizations",
            Cascade,
        ))
        .foreign_key(&mut refers("fk_join_requests_user", (table, "user_id"), "users", Cascade))
        .take();
    manager.create_table(requests).await?;
    let open = &["organization_id", "user_id", "open_mark"];
    manager.create_index(unique("uq_join_requests_open", table, open)).await?;
    manager.create_index(index("ix_join_requests_user", table, &["user_id", "id"])).await?;
    manager.create_index(index("ix_join_requests_ended", table, &["ended_at", "id"])).await
}
