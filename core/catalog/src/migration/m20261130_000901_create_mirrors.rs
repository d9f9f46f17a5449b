//! Organizations that mirror another registry, and what was last read of each box there.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, bytes, count, drop_tables, flag, id, refers};

pub(super) struct Migration;

const MIRRORS: &str = "mirrors";
const BOXES: &str = "mirrored_boxes";

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000901_create_mirrors"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let mirrors = d
            .table(MIRRORS)
            .col(id("organization_id").primary_key())
            .col(d.long("url"))
            .col(bytes("token").null())
            .col(flag("is_public"))
            .col(d.long("license").null())
            .col(count("sync_seconds"))
            .col(d.time("synced_at").null())
            .col(d.long("problem").null())
            .col(d.time("created_at"))
            .col(d.time("updated_at"))
            .foreign_key(&mut refers(
                "fk_mirrors_organization",
                (MIRRORS, "organization_id"),
                "organizations",
                ForeignKeyAction::Cascade,
            ))
            .take();
        manager.create_table(mirrors).await?;
        let boxes = d
            .table(BOXES)
            .col(id("box_id").primary_key())
            .col(d.long("url"))
            .col(d.long("document"))
            .col(d.long("etag").null())
            .col(d.long("license").null())
            .col(d.time("checked_at"))
            .foreign_key(&mut refers(
                "fk_mirrored_boxes_box",
                (BOXES, "box_id"),
                "boxes",
                ForeignKeyAction::Cascade,
            ))
            .take();
        manager.create_table(boxes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[MIRRORS, BOXES]).await
    }
}
