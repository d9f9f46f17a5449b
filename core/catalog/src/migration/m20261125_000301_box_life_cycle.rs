//! Boxes that are deleted for a while, names that boxes had before, and versions that are discouraged.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::{ForeignKeyAction::Cascade, Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, id, index, primary, refers};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000301_box_life_cycle"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        // one column at a time: SQLite adds no two at once
        for (table, column) in [
            ("boxes", d.time("deleted_at").null().take()),
            ("versions", d.time("deprecated_at").null().take()),
            ("versions", d.long("deprecation_reason").null().take()),
        ] {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        manager.create_index(index("ix_boxes_deleted", "boxes", &["deleted_at", "id"])).await?;

        let table = "former_box_names";
        let names = d
            .table(table)
            .col(id("organization_id"))
            .col(d.short("name_key", 128))
            .col(id("box_id"))
            .col(d.time("expires_at"))
            .primary_key(&mut primary(&["organization_id", "name_key"]))
            .foreign_key(&mut refers(
                "fk_former_box_names_organization",
                (table, "organization_id"),
                "organizations",
                Cascade,
            ))
            .foreign_key(&mut refers(
                "fk_former_box_names_box",
                (table, "box_id"),
                "boxes",
                Cascade,
            ))
            .take();
        manager.create_table(names).await?;
        manager.create_index(index("ix_former_box_names_box", table, &["box_id"])).await?;
        manager.create_index(index("ix_former_box_names_expiry", table, &["expires_at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["former_box_names"]).await?;
        let drop = Index::drop().name("ix_boxes_deleted").table("boxes").to_owned();
        manager.drop_index(drop).await?;
        for (table, column) in [
            ("boxes", "deleted_at"),
            ("versions", "deprecated_at"),
            ("versions", "deprecation_reason"),
        ] {
            manager.alter_table(Table::alter().table(table).drop_column(column).take()).await?;
        }
        Ok(())
    }
}
