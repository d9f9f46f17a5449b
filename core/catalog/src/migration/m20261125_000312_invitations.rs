//! Invitations into organizations.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::{Cascade, SetNull};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, count, drop_tables, flag, id, index, refers, sha256, unique};

pub(super) struct Migration;

const TABLE: &str = "invitations";

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000312_invitations"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let invitations = d
            .table(TABLE)
            .col(id("id").primary_key())
            .col(id("organization_id"))
            .col(d.short("email", 254))
            .col(d.short("email_key", 254))
            .col(d.short("role", 16))
            .col(sha256("token_hash"))
            .col(id("invited_by").null())
            .col(d.time("created_at"))
            .col(d.time("sent_at"))
            .col(count("sends"))
            .col(d.time("expires_at"))
            .col(flag("open_mark").null())
            .col(d.time("ended_at").null())
            .col(d.short("outcome", 16).null())
            .foreign_key(&mut refers(
                "fk_invitations_organization",
                (TABLE, "organization_id"),
                "organizations",
                Cascade,
            ))
            .foreign_key(&mut refers(
                "fk_invitations_inviter",
                (TABLE, "invited_by"),
                "users",
                SetNull,
            ))
            .take();
        manager.create_table(invitations).await?;
        // of those that are over, there may be many: their mark is null
        let open = &["organization_id", "email_key", "open_mark"];
        manager.create_index(unique("uq_invitations_open", TABLE, open)).await?;
        manager.create_index(unique("uq_invitations_token", TABLE, &["token_hash"])).await?;
        let sent = &["organization_id", "sent_at"];
        manager.create_index(index("ix_invitations_sent", TABLE, sent)).await?;
        manager.create_index(index("ix_invitations_inviter", TABLE, &["invited_by"])).await?;
        manager.create_index(index("ix_invitations_ended", TABLE, &["ended_at", "id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[TABLE]).await
    }
}
