//! What boxes are found by: their words, in one table for all databases, and indexes in the order of lists.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend, prelude::Uuid};
use sea_orm_migration::sea_query::{
    Expr, ExprTrait, ForeignKeyAction::Cascade, Index, Order, Query, Table,
};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, drop_tables, flag, id, index, primary, refers, small_count};
use crate::boxes::words_of;

pub(super) struct Migration;

/// How many boxes are indexed by one statement: with all their words they are less than a statement has parameters.
const BOXES_EACH: u64 = 50;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000404_box_search"
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
        fill_texts(manager).await?;
        fill_files(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["box_words"]).await?;
        let drop = Index::drop().name("ix_boxes_seen").table("boxes").to_owned();
        manager.drop_index(drop).await?;
        let tags = Table::alter().table("boxes").drop_column("tags").take();
        manager.alter_table(tags).await
    }
}

/// Boxes that are there are found by their names and short descriptions; they have no tags yet.
async fn fill_texts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let mut last: Option<Uuid> = None;
    loop {
        let mut some = Query::select();
        some.columns(["id", "name", "short_description"])
            .from("boxes")
            .order_by("id", Order::Asc)
            .limit(BOXES_EACH);
        if let Some(last) = last {
            some.and_where(Expr::col("id").gt(last));
        }
        let rows = db.query_all(&some).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut words = Query::insert();
        words.into_table("box_words").columns(["box_id", "word", "weight", "of_files"]);
        for row in rows {
            let id: Uuid = row.try_get("", "id")?;
            let name: String = row.try_get("", "name")?;
            let short: String = row.try_get("", "short_description")?;
            for (word, weight) in words_of(&name, &[], &short) {
                let row = [id.into(), word.into(), weight.into(), false.into()];
                words.values(row).map_err(|error| DbErr::Migration(error.to_string()))?;
            }
            last = Some(id);
        }
        db.execute(&words).await?;
    }
}

/// And by their files.
async fn fill_files(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let backend = manager.get_database_backend();
    let joined = |parts: &[&str]| match backend {
        DatabaseBackend::MySql => format!("CONCAT({})", parts.join(", ")),
        _ => parts.join(" || "),
    };
    let yes = if backend == DatabaseBackend::Postgres { "TRUE" } else { "1" };
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
