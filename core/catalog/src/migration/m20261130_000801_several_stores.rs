//! Several stores: which one takes an organization's files, blobs on their way to another one, and who asked for that.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::Cascade;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, count, drop_tables, id, index, refers, small_count};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_000801_several_stores"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        create_choices(manager, d).await?;
        create_blob_moves(manager, d).await?;
        create_store_moves(manager, d).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["organization_stores", "blob_moves", "store_moves"]).await
    }
}

async fn create_choices(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = "organization_stores";
    let choices = d
        .table(table)
        .col(id("organization_id").primary_key())
        .col(d.short("store", 64))
        .col(d.time("updated_at"))
        .foreign_key(&mut refers(
            "fk_organization_stores_organization",
            (table, "organization_id"),
            "organizations",
            Cascade,
        ))
        .take();
    manager.create_table(choices).await
}

async fn create_blob_moves(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = "blob_moves";
    let moves = d
        .table(table)
        .col(id("blob_id").primary_key())
        .col(d.short("store", 64))
        .col(d.short("object_key", 255))
        .col(d.short("held_by", 128))
        .col(d.time("held_until"))
        .foreign_key(&mut refers("fk_blob_moves_blob", (table, "blob_id"), "blobs", Cascade))
        .take();
    manager.create_table(moves).await?;
    manager.create_index(index("ix_blob_moves_key", table, &["store", "object_key"])).await?;
    manager.create_index(index("ix_blob_moves_held", table, &["held_until"])).await
}

async fn create_store_moves(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = "store_moves";
    let moves = d
        .table(table)
        .col(id("id").primary_key())
        .col(d.short("from_store", 64))
        .col(d.short("to_store", 64))
        .col(id("organization_id").null())
        .col(id("box_id").null())
        .col(d.short("organization_name", 128).null())
        .col(d.short("box_name", 128).null())
        .col(count("larger_than").null())
        .col(count("bytes_per_second").null())
        .col(small_count("concurrency"))
        .col(d.short("state", 16))
        .col(count("total_files"))
        .col(count("total_bytes"))
        .col(count("moved_files"))
        .col(count("moved_bytes"))
        .col(count("copied_bytes"))
        .col(count("failed_files"))
        .col(count("damaged_files"))
        .col(d.long("problem").null())
        .col(d.time("created_at"))
        .col(d.time("started_at").null())
        .col(d.time("ended_at").null())
        .col(d.short("held_by", 128).null())
        .col(d.time("held_until").null())
        .foreign_key(&mut refers(
            "fk_store_moves_organization",
            (table, "organization_id"),
            "organizations",
            Cascade,
        ))
        .foreign_key(&mut refers("fk_store_moves_box", (table, "box_id"), "boxes", Cascade))
        .take();
    manager.create_table(moves).await?;
    manager.create_index(index("ix_store_moves_state", table, &["state", "id"])).await
}
