//! The two queries behind [`super::describe()`]: released versions, and everything below them.

use std::collections::HashMap;

use boxvault_types::ids::{ArtifactId, BlobId, BoxId, ProviderId};
use boxvault_types::names::{ArchitectureName, ProviderName};
use sea_orm::prelude::Uuid;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
};

use super::{ArtifactDescription, VersionDescription};
use crate::artifacts::{to_blob, to_provider, to_version};
use crate::blobs::StoredFile;
use crate::entity::{
    artifacts as artifact_rows, blobs as blob_rows, providers as provider_rows,
    versions as version_rows,
};
use crate::rows::{checksum, digest, stored};
use crate::versions::{self, VersionStatus};
use crate::{Catalog, Result};

#[derive(Debug, FromQueryResult)]
struct Row {
    version_id: Uuid,
    provider_id: Uuid,
    provider: String,
    id: Uuid,
    architecture: String,
    default_mark: Option<bool>,
    checksum_type: Option<String>,
    checksum: Option<String>,
    blob_id: Uuid,
    store: String,
    object_key: String,
    size_bytes: i64,
    digest: Vec<u8>,
}

pub(super) async fn released_versions(
    catalog: &Catalog,
    id: BoxId,
) -> Result<Vec<VersionDescription>> {
    let released = version_rows::Column::Status.eq(VersionStatus::Released.as_str());
    let versions = version_rows::Entity::find()
        .filter(version_rows::Column::BoxId.eq(id.0))
        .filter(released.clone())
        .order_by_desc(version_rows::Column::SortKey)
        .all(catalog.reader())
        .await?;
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let rows = artifact_rows::Entity::find()
        .select_only()
        .column_as(provider_rows::Column::VersionId, "version_id")
        .column_as(provider_rows::Column::Id, "provider_id")
        .column_as(provider_rows::Column::Name, "provider")
        .column_as(artifact_rows::Column::Id, "id")
        .column_as(artifact_rows::Column::Name, "architecture")
        .column_as(artifact_rows::Column::DefaultMark, "default_mark")
        .column_as(artifact_rows::Column::ChecksumType, "checksum_type")
        .column_as(artifact_rows::Column::Checksum, "checksum")
        .column_as(blob_rows::Column::Id, "blob_id")
        .column_as(blob_rows::Column::Store, "store")
        .column_as(blob_rows::Column::ObjectKey, "object_key")
        .column_as(blob_rows::Column::SizeBytes, "size_bytes")
        .column_as(blob_rows::Column::Digest, "digest")
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .join(JoinType::InnerJoin, to_blob())
        .filter(version_rows::Column::BoxId.eq(id.0))
        .filter(released)
        .order_by_asc(provider_rows::Column::NameKey)
        .order_by_asc(artifact_rows::Column::NameKey)
        .into_model::<Row>()
        .all(catalog.reader())
        .await?;
    let mut below = HashMap::<Uuid, Vec<ArtifactDescription>>::new();
    for row in rows {
        below.entry(row.version_id).or_default().push(from_row(row)?);
    }
    versions
        .into_iter()
        .map(|row| {
            let artifacts = below.remove(&row.id).unwrap_or_default();
            Ok(VersionDescription { version: versions::from_row(row)?, artifacts })
        })
        .collect()
}

fn from_row(row: Row) -> Result<ArtifactDescription> {
    Ok(ArtifactDescription {
        id: ArtifactId(row.id),
        provider_id: ProviderId(row.provider_id),
        provider: stored("providers.name", ProviderName::parse(&row.provider))?,
        architecture: stored("artifacts.name", ArchitectureName::parse(&row.architecture))?,
        default_architecture: row.default_mark == Some(true),
        file: StoredFile {
            blob_id: BlobId(row.blob_id),
            store: row.store,
            key: row.object_key,
            size_bytes: row.size_bytes,
            digest: digest(row.digest)?,
        },
        checksum: checksum(row.checksum_type, row.checksum)?,
    })
}
