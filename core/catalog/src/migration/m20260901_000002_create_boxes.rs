//! Organizations, boxes, and everything below them down to the bytes.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_query::ForeignKeyAction::{Cascade, Restrict, SetNull};
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager};

use super::columns::{
    Dialect, count, day, drop_tables, flag, id, index, primary, refers, sha256, unique,
};

pub(super) struct Migration;

const TABLES: &[&str] = &[
    "organizations",
    "memberships",
    "boxes",
    "box_downloads",
    "versions",
    "providers",
    "blobs",
    "artifacts",
    "uploads",
];

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20260901_000002_create_boxes"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let d = Dialect::of(manager);
        create_organizations(manager, d).await?;
        create_boxes(manager, d).await?;
        create_versions(manager, d).await?;
        create_blobs(manager, d).await?;
        create_artifacts(manager, d).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, TABLES).await
    }
}

async fn create_organizations(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let organizations = d
        .table("organizations")
        .col(id("id").primary_key())
        .col(d.short("name", 128))
        .col(d.short("name_key", 128))
        .col(d.long("description"))
        .col(d.short("email", 254).null())
        .col(d.short("access_mode", 32))
        .col(id("created_by").null())
        .col(d.time("created_at"))
        .col(d.time("updated_at"))
        .col(d.long("search_text"))
        .foreign_key(&mut refers(
            "fk_organizations_creator",
            ("organizations", "created_by"),
            "users",
            SetNull,
        ))
        .take();
    manager.create_table(organizations).await?;
    let table = "organizations";
    manager.create_index(unique("uq_organizations_name", table, &["name_key"])).await?;
    manager.create_index(index("ix_organizations_created", table, &["created_at", "id"])).await?;
    manager.create_index(index("ix_organizations_updated", table, &["updated_at", "id"])).await?;

    let table = "memberships";
    let memberships = d
        .table(table)
        .col(id("organization_id"))
        .col(id("user_id"))
        .col(d.short("role", 16))
        .col(d.time("created_at"))
        .primary_key(&mut primary(&["organization_id", "user_id"]))
        .foreign_key(&mut refers(
            "fk_memberships_organization",
            (table, "organization_id"),
            "organizations",
            Cascade,
        ))
        .foreign_key(&mut refers("fk_memberships_user", (table, "user_id"), "users", Cascade))
        .take();
    manager.create_table(memberships).await?;
    manager.create_index(index("ix_memberships_user", table, &["user_id"])).await
}

async fn create_boxes(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = "boxes";
    let boxes = d
        .table(table)
        .col(id("id").primary_key())
        .col(id("organization_id"))
        .col(d.short("name", 128))
        .col(d.short("name_key", 128))
        .col(d.long("short_description"))
        .col(d.long("description"))
        .col(d.long("readme").null())
        .col(flag("is_public"))
        .col(id("created_by").null())
        .col(d.time("created_at"))
        .col(d.time("updated_at"))
        .col(count("downloads"))
        .col(d.long("search_text"))
        .foreign_key(&mut refers(
            "fk_boxes_organization",
            (table, "organization_id"),
            "organizations",
            Cascade,
        ))
        .foreign_key(&mut refers("fk_boxes_creator", (table, "created_by"), "users", SetNull))
        .take();
    manager.create_table(boxes).await?;
    let name = &["organization_id", "name_key"];
    manager.create_index(unique("uq_boxes_name", table, name)).await?;
    manager.create_index(index("ix_boxes_name", table, &["name_key", "id"])).await?;
    manager.create_index(index("ix_boxes_created", table, &["created_at", "id"])).await?;
    manager.create_index(index("ix_boxes_updated", table, &["updated_at", "id"])).await?;
    manager.create_index(index("ix_boxes_downloads", table, &["downloads", "id"])).await?;

    let table = "box_downloads";
    let downloads = d
        .table(table)
        .col(id("box_id"))
        .col(day("day"))
        .col(count("downloads"))
        .primary_key(&mut primary(&["box_id", "day"]))
        .foreign_key(&mut refers("fk_box_downloads_box", (table, "box_id"), "boxes", Cascade))
        .take();
    manager.create_table(downloads).await
}

async fn create_versions(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = "versions";
    let versions = d
        .table(table)
        .col(id("id").primary_key())
        .col(id("box_id"))
        .col(d.short("number", 64))
        .col(d.short("sort_key", 400))
        .col(d.long("description"))
        .col(d.long("release_notes"))
        .col(d.short("status", 16))
        .col(d.time("released_at").null())
        .col(d.time("revoked_at").null())
        .col(d.time("created_at"))
        .col(d.time("updated_at"))
        .foreign_key(&mut refers("fk_versions_box", (table, "box_id"), "boxes", Cascade))
        .take();
    manager.create_table(versions).await?;
    let number = &["box_id", "sort_key"];
    manager.create_index(unique("uq_versions_number", table, number)).await?;

    let table = "providers";
    let providers = d
        .table(table)
        .col(id("id").primary_key())
        .col(id("version_id"))
        .col(d.short("name", 128))
        .col(d.short("name_key", 128))
        .col(d.long("description"))
        .col(d.time("created_at"))
        .col(d.time("updated_at"))
        .foreign_key(&mut refers(
            "fk_providers_version",
            (table, "version_id"),
            "versions",
            Cascade,
        ))
        .take();
    manager.create_table(providers).await?;
    manager.create_index(unique("uq_providers_name", table, &["version_id", "name_key"])).await
}

async fn create_blobs(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = "blobs";
    let blobs = d
        .table(table)
        .col(id("id").primary_key())
        .col(d.short("store", 64))
        .col(d.short("object_key", 255))
        .col(count("size_bytes"))
        .col(sha256("digest"))
        .col(d.time("created_at"))
        .col(d.time("orphaned_at").null())
        .take();
    manager.create_table(blobs).await?;
    manager.create_index(unique("uq_blobs_key", table, &["store", "object_key"])).await?;
    manager.create_index(index("ix_blobs_digest", table, &["digest", "store"])).await?;
    manager.create_index(index("ix_blobs_orphaned", table, &["orphaned_at", "id"])).await
}

async fn create_artifacts(manager: &SchemaManager<'_>, d: Dialect) -> Result<(), DbErr> {
    let table = "artifacts";
    let artifacts = d
        .table(table)
        .col(id("id").primary_key())
        .col(id("provider_id"))
        .col(d.short("name", 128))
        .col(d.short("name_key", 128))
        .col(flag("default_mark").null())
        .col(id("blob_id").null())
        .col(d.short("checksum_type", 16).null())
        .col(d.short("checksum", 128).null())
        .col(count("downloads"))
        .col(d.time("uploaded_at").null())
        .col(id("uploaded_by").null())
        .col(d.time("created_at"))
        .col(d.time("updated_at"))
        .foreign_key(&mut refers(
            "fk_artifacts_provider",
            (table, "provider_id"),
            "providers",
            Cascade,
        ))
        .foreign_key(&mut refers("fk_artifacts_blob", (table, "blob_id"), "blobs", Restrict))
        .foreign_key(&mut refers("fk_artifacts_user", (table, "uploaded_by"), "users", SetNull))
        .take();
    manager.create_table(artifacts).await?;
    manager.create_index(unique("uq_artifacts_name", table, &["provider_id", "name_key"])).await?;
    let default = &["provider_id", "default_mark"];
    manager.create_index(unique("uq_artifacts_default", table, default)).await?;
    manager.create_index(index("ix_artifacts_blob", table, &["blob_id"])).await?;

    let table = "uploads";
    let uploads = d
        .table(table)
        .col(id("id").primary_key())
        .col(id("artifact_id"))
        .col(d.short("store", 64))
        .col(d.short("object_key", 255))
        .col(count("declared_length").null())
        .col(d.short("checksum_type", 16).null())
        .col(d.short("checksum", 128).null())
        .col(d.time("started_at"))
        .col(d.time("touched_at"))
        .col(id("user_id").null())
        .col(id("previous_blob_id").null())
        .col(d.short("instance_id", 128))
        .take();
    manager.create_table(uploads).await?;
    manager.create_index(unique("uq_uploads_key", table, &["store", "object_key"])).await?;
    manager.create_index(index("ix_uploads_touched", table, &["touched_at", "id"])).await
}
