//! Blobs: immutable bytes in stores, and what the sweep and the check of the stores need.
//!
//! An artifact refers to a blob, several may refer to one. When nothing refers to it any more, the sweep first marks
//! it, waits until downloads that were running are over, and then removes the row, and after that the bytes.

use std::time::Duration;

use boxvault_types::digest::Digest;
use boxvault_types::ids::BlobId;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::entity::{
    artifacts as artifact_rows, blob_moves as move_rows, blobs as table, upload_parts as part_rows,
    uploads as upload_rows,
};
use crate::rows::digest;
use crate::{Catalog, PAGE_SIZE_MAX, Result};

/// Where bytes are, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// The blob.
    pub blob_id: BlobId,
    /// The store.
    pub store: String,
    /// The key in the store.
    pub key: String,
    /// How many bytes.
    pub size_bytes: i64,
    /// Their SHA-256.
    pub digest: Digest,
}

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its id.
    pub id: BlobId,
    /// The store.
    pub store: String,
    /// The key in the store.
    pub key: String,
    /// How many bytes.
    pub size_bytes: i64,
    /// Their SHA-256.
    pub digest: Digest,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the sweep first saw that nothing refers to it.
    pub orphaned_at: Option<DateTime<Utc>>,
}

/// What became of a blob that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// The row is gone; the bytes may go now.
    Deleted(Blob),
    /// Something refers to it again; leave the bytes alone.
    Referenced,
    /// It was gone already.
    Missing,
}

/// Finds a blob.
pub async fn find(catalog: &Catalog, id: BlobId) -> Result<Option<Blob>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    row.map(from_row).transpose()
}

/// The bytes of the blob that an artifact has; none has zero.
pub(crate) async fn size_of<C: ConnectionTrait>(db: &C, id: Option<Uuid>) -> Result<i64> {
    let Some(id) = id else { return Ok(0) };
    let row = table::Entity::find_by_id(id).one(db).await?;
    Ok(row.map_or(0, |row| row.size_bytes))
}

/// Lists blobs that nothing has referred to for this long, oldest mark first.
///
/// Marks those that nothing refers to since the last call, so that their time begins now. At most
/// [`PAGE_SIZE_MAX`] at once: call again after deleting these.
pub async fn list_unreferenced(catalog: &Catalog, for_at_least: Duration) -> Result<Vec<Blob>> {
    let now = catalog.now();
    table::Entity::update_many()
        .col_expr(table::Column::OrphanedAt, Expr::value(Some(now)))
        .filter(table::Column::OrphanedAt.is_null())
        .filter(Expr::exists(references()).not())
        .exec(catalog.writer())
        .await?;
    let wait = TimeDelta::from_std(for_at_least).unwrap_or(TimeDelta::days(36_500));
    let rows = table::Entity::find()
        .filter(table::Column::OrphanedAt.lte(now - wait))
        .filter(Expr::exists(references()).not())
        .order_by_asc(table::Column::OrphanedAt)
        .order_by_asc(table::Column::Id)
        .limit(PAGE_SIZE_MAX)
        .all(catalog.reader())
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// Removes a blob's row unless something refers to it; asks again under the lock.
pub async fn delete_if_unreferenced(catalog: &Catalog, id: BlobId) -> Result<Deletion> {
    let transaction = catalog.begin().await?;
    let row = table::Entity::find_by_id(id.0).lock_exclusive().one(&transaction).await?;
    let Some(row) = row else {
        return Ok(Deletion::Missing);
    };
    let references = artifact_rows::Entity::find()
        .filter(artifact_rows::Column::BlobId.eq(id.0))
        .count(&transaction)
        .await?;
    if references > 0 {
        table::Entity::update_many()
            .col_expr(table::Column::OrphanedAt, Expr::value(None::<DateTime<Utc>>))
            .filter(table::Column::Id.eq(id.0))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        return Ok(Deletion::Referenced);
    }
    table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(Deletion::Deleted(from_row(row)?))
}

/// Lists all blobs by id, after one of them, at most [`PAGE_SIZE_MAX`] at once: to walk them all.
pub async fn list_after(catalog: &Catalog, after: Option<BlobId>) -> Result<Vec<Blob>> {
    let mut select = table::Entity::find();
    if let Some(after) = after {
        select = select.filter(table::Column::Id.gt(after.0));
    }
    let rows =
        select.order_by_asc(table::Column::Id).limit(PAGE_SIZE_MAX).all(catalog.reader()).await?;
    rows.into_iter().map(from_row).collect()
}

/// Which of these keys of a store the catalog knows, as a blob, as a copy that is being made, as an unfinished upload or
/// as a part of one, by four queries.
///
/// What a store lists and this does not name is dust, provided that the store was listed first.
pub async fn known_keys(catalog: &Catalog, store: &str, keys: &[String]) -> Result<Vec<String>> {
    let mut known = Vec::new();
    for some in keys.chunks(1_000) {
        // uploads and copies first: one that is committed in between is a blob by then, and never neither
        let mut uploads = upload_rows::Entity::find()
            .select_only()
            .column(upload_rows::Column::ObjectKey)
            .filter(upload_rows::Column::Store.eq(store))
            .filter(upload_rows::Column::ObjectKey.is_in(some))
            .into_tuple::<String>()
            .all(catalog.reader())
            .await?;
        let mut copies = move_rows::Entity::find()
            .select_only()
            .column(move_rows::Column::ObjectKey)
            .filter(move_rows::Column::Store.eq(store))
            .filter(move_rows::Column::ObjectKey.is_in(some))
            .into_tuple::<String>()
            .all(catalog.reader())
            .await?;
        let mut blobs = table::Entity::find()
            .select_only()
            .column(table::Column::ObjectKey)
            .filter(table::Column::Store.eq(store))
            .filter(table::Column::ObjectKey.is_in(some))
            .into_tuple::<String>()
            .all(catalog.reader())
            .await?;
        let mut parts = part_rows::Entity::find()
            .select_only()
            .column(part_rows::Column::ObjectKey)
            .filter(part_rows::Column::Store.eq(store))
            .filter(part_rows::Column::ObjectKey.is_in(some))
            .into_tuple::<String>()
            .all(catalog.reader())
            .await?;
        known.append(&mut copies);
        known.append(&mut parts);
        known.append(&mut blobs);
        known.append(&mut uploads);
    }
    known.sort();
    known.dedup();
    Ok(known)
}

pub(crate) fn references() -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(artifact_rows::Entity)
        .and_where(
            Expr::col((artifact_rows::Entity, artifact_rows::Column::BlobId))
                .equals((table::Entity, table::Column::Id)),
        )
        .take()
}

pub(crate) fn from_row(row: table::Model) -> Result<Blob> {
    Ok(Blob {
        id: BlobId(row.id),
        store: row.store,
        key: row.object_key,
        size_bytes: row.size_bytes,
        digest: digest(row.digest)?,
        created_at: row.created_at,
        orphaned_at: row.orphaned_at,
    })
}
