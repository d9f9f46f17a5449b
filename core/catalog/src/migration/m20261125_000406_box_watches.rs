//! Who watches which box, and the releases that watchers have still to be told of.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::Cascade;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, id, index, primary, refers};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000406_box_watches"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let table = "box_watches";
        let watches = d
            .table(table)
            .col(id("box_id"))
            .col(id("user_id"))
            .col(d.time("created_at"))
            .primary_key(&mut primary(&["box_id", "user_id"]))
            .foreign_key(&mut refers("fk_box_watches_box", (table, "box_id"), "boxes", Cascade))
            .foreign_key(&mut refers("fk_box_watches_user", (table, "user_id"), "users", Cascade))
            .take();
        manager.create_table(watches).await?;
        let of_user = &["user_id", "created_at"];
        manager.create_index(index("ix_box_watches_user", table, of_user)).await?;

        let table = "release_notices";
        let notices = d
            .table(table)
            .col(id("version_id").primary_key())
            .col(id("after_user_id").null())
            .col(d.time("created_at"))
            .foreign_key(&mut refers(
                "fk_release_notices_version",
                (table, "version_id"),
                "versions",
                Cascade,
            ))
            .take();
        manager.create_table(notices).await?;
        manager.create_index(index("ix_release_notices_created", table, &["created_at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["box_watches", "release_notices"]).await
    }
}
