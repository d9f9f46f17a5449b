//! Archives: what a box says of itself, kept from when it was looked into on its way in.
//!
//! A row for each blob that came since this is kept; it goes with its blob. Blobs from before have none.

use std::collections::BTreeMap;

use boxvault_types::ids::BlobId;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
};
use serde_json::{Map, Value};

use crate::entity::archives as table;
use crate::rows::{clean, stored};
use crate::{Catalog, CatalogError, Result};

/// What the archive of a box says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// `gzip`, `xz`, `zstd` or `none`.
    pub compression: String,
    /// Its `metadata.json`, as far as it is kept.
    pub metadata: Map<String, Value>,
}

/// What is known of the archives in blobs, by one query. Blobs of which nothing is known are left out.
pub async fn find_of(catalog: &Catalog, blobs: &[BlobId]) -> Result<BTreeMap<BlobId, Archive>> {
    if blobs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids = blobs.iter().map(|blob| blob.0);
    let rows = table::Entity::find()
        .filter(table::Column::BlobId.is_in(ids))
        .all(catalog.reader())
        .await?;
    rows.into_iter().map(|row| Ok((BlobId(row.blob_id), from_row(&row)?))).collect()
}

/// Keeps what is known of a blob, within the transaction that makes it visible. What was known before stays: the
/// bytes are the same.
pub(crate) async fn keep_in<C: ConnectionTrait>(
    db: &C,
    blob: Uuid,
    archive: &Archive,
) -> Result<()> {
    let metadata = serde_json::to_string(&archive.metadata).map_err(CatalogError::unexpected)?;
    let row = table::Model {
        blob_id: blob,
        compression: archive.compression.clone(),
        metadata: clean(&metadata),
    };
    table::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(table::Column::BlobId)
                .update_column(table::Column::BlobId)
                .to_owned(),
        )
        .exec_without_returning(db)
        .await?;
    Ok(())
}

fn from_row(row: &table::Model) -> Result<Archive> {
    Ok(Archive {
        compression: row.compression.clone(),
        metadata: stored("archives.metadata", serde_json::from_str(&row.metadata))?,
    })
}
