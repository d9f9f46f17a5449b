//! What boxes are found by: their words, in one table for all databases, and indexes in the order of lists.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend};
use sea_orm_migration::sea_query::{ForeignKeyAction::Cascade, Index, Table};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, flag, id, index, primary, refers, small_count};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000302_box_search"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let tags = Table::alter().table("boxes").add_column(d.long("tags").null().take()).take();
        manager.alter_table(tags).await?;
        // every column that decides who sees a box, so that they are counted without reading them
        let seen = &["deleted_at", "is_public", "organization_id", "id"];
        manager.create_index(index("ix_boxes_seen", "boxes", seen)).await?;

        let table = "box_words";
        let words = d
            .table(table)
            .col(id("box_id"))
            .col(d.short("word", 300))
            .col(small_count("weight"))
            .col(flag("of_files"))
            .primary_key(&mut primary(&["box_id", "word"]))
            .foreign_key(&mut refers("fk_box_words_box", (table, "box_id"), "boxes", Cascade))
            .take();
        manager.create_table(words).await?;
        manager.create_index(index("ix_box_words_word", table, &["word", "box_id"])).await?;
        fill(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["box_words"]).await?;
        let drop = Index::drop().name("ix_boxes_seen").table("boxes").to_owned();
        manager.drop_index(drop).await?;
        let tags = Table::alter().table("boxes").drop_column("tags").take();
        manager.alter_table(tags).await
    }
}

/// Boxes that are there are found by their whole name and their files; by more from their next change on.
async fn fill(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let joined = |parts: &[&str]| match manager.get_database_backend() {
        DatabaseBackend::MySql => format!("CONCAT({})", parts.join(", ")),
        _ => parts.join(" || "),
    };
    let (no, yes) = match manager.get_database_backend() {
        DatabaseBackend::Postgres => ("FALSE", "TRUE"),
        _ => ("0", "1"),
    };
    db.execute_unprepared(&format!(
        "INSERT INTO box_words (box_id, word, weight, of_files) SELECT id, name_key, 4, {no} FROM boxes"
    ))
    .await?;
    let files = "FROM artifacts JOIN providers ON providers.id = artifacts.provider_id \
                 JOIN versions ON versions.id = providers.version_id \
                 WHERE versions.status = 'released' AND artifacts.blob_id IS NOT NULL";
    for word in [
        joined(&["'=platform:'", "providers.name_key", "'/'", "artifacts.name_key"]),
        joined(&["'=architecture:'", "artifacts.name_key"]),
    ] {
        db.execute_unprepared(&format!(
            "INSERT INTO box_words (box_id, word, weight, of_files) \
             SELECT DISTINCT versions.box_id, {word}, 0, {yes} {files}"
        ))
        .await?;
    }
    Ok(())
}
