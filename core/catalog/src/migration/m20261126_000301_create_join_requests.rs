//! Requests to join organizations.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::Cascade;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, flag, id, index, refers, unique};

pub(super) struct Migration;

const TABLE: &str = "join_requests";

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000301_create_join_requests"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let requests = d
            .table(TABLE)
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
                (TABLE, "organization_id"),
                "organizations",
                Cascade,
            ))
            .foreign_key(&mut refers("fk_join_requests_user", (TABLE, "user_id"), "users", Cascade))
            .take();
        manager.create_table(requests).await?;
        // of those that are over, there may be many: their mark is null
        let open = &["organization_id", "user_id", "open_mark"];
        manager.create_index(unique("uq_join_requests_open", TABLE, open)).await?;
        let waiting = &["organization_id", "open_mark", "created_at"];
        manager.create_index(index("ix_join_requests_waiting", TABLE, waiting)).await?;
        let own = &["user_id", "created_at"];
        manager.create_index(index("ix_join_requests_user", TABLE, own)).await?;
        manager.create_index(index("ix_join_requests_ended", TABLE, &["ended_at", "id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[TABLE]).await
    }
}
