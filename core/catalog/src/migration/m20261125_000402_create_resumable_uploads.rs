//! Uploads that can be continued, and their parts. Nothing refers to them by a key, nor they to anything: what was
//! written to stores must be found when its box is gone.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{Dialect, count, drop_tables, flag, id, index};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000402_create_resumable_uploads"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        let table = "resumable_uploads";
        let uploads = d
            .table(table)
            .col(id("id").primary_key())
            .col(id("artifact_id"))
            .col(id("user_id").null())
            .col(count("length"))
            .col(count("received"))
            .col(d.short("checksum_type", 16).null())
            .col(d.short("checksum", 128).null())
            .col(d.long("metadata"))
            .col(flag("is_piece"))
            .col(flag("is_done"))
            .col(id("previous_blob_id").null())
            .col(d.time("created_at"))
            .col(d.time("touched_at"))
            .col(d.short("held_by", 128).null())
            .col(d.time("held_until").null())
            .take();
        manager.create_table(uploads).await?;
        let touched = &["touched_at", "id"];
        manager.create_index(index("ix_resumable_uploads_touched", table, touched)).await?;
        manager.create_index(index("ix_resumable_uploads_user", table, &["user_id"])).await?;

        let table = "upload_parts";
        let parts = d
            .table(table)
            .col(id("id").primary_key())
            .col(id("upload_id"))
            .col(count("start"))
            .col(count("size_bytes"))
            .col(d.short("store", 64))
            .col(d.short("object_key", 255))
            .col(d.short("written_by", 128))
            .col(flag("is_confirmed"))
            .col(d.time("created_at"))
            .take();
        manager.create_table(parts).await?;
        let order = &["upload_id", "start"];
        manager.create_index(index("ix_upload_parts_upload", table, order)).await?;
        manager.create_index(index("ix_upload_parts_key", table, &["store", "object_key"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["resumable_uploads", "upload_parts"]).await
    }
}
