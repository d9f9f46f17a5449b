//! The one query behind [`super::locate()`].

use boxvault_types::ids::{BoxId, OrganizationId, ProviderId, VersionId};
use boxvault_types::names::{BoxName, ProviderName};
use boxvault_types::version::BoxVersion;
use sea_orm::prelude::{DateTimeUtc, Uuid};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect};

use super::{ArtifactPath, Located, from_pair, to_blob, to_box, to_provider, to_version};
use crate::entity::{
    artifacts as table, blobs as blob_rows, boxes as box_rows, organizations as organization_rows,
    providers as provider_rows, versions as version_rows,
};
use crate::rows::{stored, stored_some};
use crate::versions::VersionStatus;
use crate::{Catalog, Result, boxes};

#[derive(Debug, FromQueryResult)]
struct Row {
    organization_id: Uuid,
    box_id: Uuid,
    box_name: String,
    is_public: bool,
    version_id: Uuid,
    number: String,
    status: String,
    provider_id: Uuid,
    provider: String,
    id: Uuid,
    name: String,
    name_key: String,
    default_mark: Option<bool>,
    checksum_type: Option<String>,
    checksum: Option<String>,
    downloads: i64,
    uploaded_at: Option<DateTimeUtc>,
    uploaded_by: Option<Uuid>,
    expected_type: Option<String>,
    expected: Option<String>,
    created_at: DateTimeUtc,
    updated_at: DateTimeUtc,
    blob_id: Option<Uuid>,
    store: Option<String>,
    object_key: Option<String>,
    size_bytes: Option<i64>,
    digest: Option<Vec<u8>>,
    blob_created_at: Option<DateTimeUtc>,
}

pub(super) async fn locate(catalog: &Catalog, path: ArtifactPath<'_>) -> Result<Option<Located>> {
    let architecture = match path.architecture {
        Some(name) => table::Column::NameKey.eq(name.key()),
        None => table::Column::DefaultMark.eq(true),
    };
    let row = select_columns()
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .join(JoinType::InnerJoin, to_box())
        .join(JoinType::InnerJoin, boxes::to_organization())
        .join(JoinType::LeftJoin, to_blob())
        .filter(organization_rows::Column::NameKey.eq(path.organization.key()))
        .filter(organization_rows::Column::DeletedAt.is_null())
        .filter(box_rows::Column::NameKey.eq(path.box_name.key()))
        .filter(box_rows::Column::DeletedAt.is_null())
        .filter(version_rows::Column::SortKey.eq(path.version.sort_key()))
        .filter(provider_rows::Column::NameKey.eq(path.provider.key()))
        .filter(architecture)
        .into_model::<Row>()
        .one(catalog.reader())
        .await?;
    row.map(from_row).transpose()
}

fn select_columns() -> sea_orm::Select<table::Entity> {
    table::Entity::find()
        .select_only()
        .column_as(organization_rows::Column::Id, "organization_id")
        .column_as(box_rows::Column::Id, "box_id")
        .column_as(box_rows::Column::Name, "box_name")
        .column_as(box_rows::Column::IsPublic, "is_public")
        .column_as(version_rows::Column::Id, "version_id")
        .column_as(version_rows::Column::Number, "number")
        .column_as(version_rows::Column::Status, "status")
        .column_as(provider_rows::Column::Id, "provider_id")
        .column_as(provider_rows::Column::Name, "provider")
        .column_as(table::Column::Id, "id")
        .column_as(table::Column::Name, "name")
        .column_as(table::Column::NameKey, "name_key")
        .column_as(table::Column::DefaultMark, "default_mark")
        .column_as(table::Column::ChecksumType, "checksum_type")
        .column_as(table::Column::Checksum, "checksum")
        .column_as(table::Column::Downloads, "downloads")
        .column_as(table::Column::UploadedAt, "uploaded_at")
        .column_as(table::Column::UploadedBy, "uploaded_by")
        .column_as(table::Column::ExpectedType, "expected_type")
        .column_as(table::Column::Expected, "expected")
        .column_as(table::Column::CreatedAt, "created_at")
        .column_as(table::Column::UpdatedAt, "updated_at")
        .column_as(blob_rows::Column::Id, "blob_id")
        .column_as(blob_rows::Column::Store, "store")
        .column_as(blob_rows::Column::ObjectKey, "object_key")
        .column_as(blob_rows::Column::SizeBytes, "size_bytes")
        .column_as(blob_rows::Column::Digest, "digest")
        .column_as(blob_rows::Column::CreatedAt, "blob_created_at")
}

fn from_row(row: Row) -> Result<Located> {
    let blob = match (row.blob_id, row.store, row.object_key, row.size_bytes, row.digest) {
        (Some(id), Some(store), Some(object_key), Some(size_bytes), Some(digest)) => {
            let created_at = stored_some("blobs.created_at", row.blob_created_at)?;
            let orphaned_at = None;
            Some(blob_rows::Model {
                id,
                store,
                object_key,
                size_bytes,
                digest,
                created_at,
                orphaned_at,
            })
        }
        _ => None,
    };
    let artifact = table::Model {
        id: row.id,
        provider_id: row.provider_id,
        name: row.name,
        name_key: row.name_key,
        default_mark: row.default_mark,
        blob_id: row.blob_id,
        checksum_type: row.checksum_type,
        checksum: row.checksum,
        downloads: row.downloads,
        uploaded_at: row.uploaded_at,
        uploaded_by: row.uploaded_by,
        expected_type: row.expected_type,
        expected: row.expected,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(Located {
        organization_id: OrganizationId(row.organization_id),
        box_id: BoxId(row.box_id),
        box_name: stored("boxes.name", BoxName::parse(&row.box_name))?,
        is_public: row.is_public,
        version_id: VersionId(row.version_id),
        version: stored("versions.number", BoxVersion::parse(&row.number))?,
        version_status: stored_some("versions.status", VersionStatus::parse(&row.status))?,
        provider_id: ProviderId(row.provider_id),
        provider: stored("providers.name", ProviderName::parse(&row.provider))?,
        artifact: from_pair((artifact, blob))?,
    })
}
