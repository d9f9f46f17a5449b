//! What the page of a box shows: links, and a picture.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::{ForeignKeyAction::Cascade, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, id, refers, sha256};

pub(super) struct Migration;

const LINKS: [&str; 3] = ["homepage_url", "source_url", "documentation_url"];

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000405_box_pages"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let mut columns: Vec<_> = LINKS.iter().map(|link| d.long(link).null().take()).collect();
        columns.push(sha256("artwork").null().take());
        for column in columns {
            manager.alter_table(Table::alter().table("boxes").add_column(column).take()).await?;
        }
        // beside the boxes, so that no list reads over pictures
        let table = "box_artworks";
        let artworks = d
            .table(table)
            .col(id("box_id").primary_key())
            .col(d.short("media_type", 32))
            .col(d.large_bytes("content"))
            .foreign_key(&mut refers("fk_box_artworks_box", (table, "box_id"), "boxes", Cascade))
            .take();
        manager.create_table(artworks).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["box_artworks"]).await?;
        for column in LINKS.into_iter().chain(["artwork"]) {
            manager.alter_table(Table::alter().table("boxes").drop_column(column).take()).await?;
        }
        Ok(())
    }
}
