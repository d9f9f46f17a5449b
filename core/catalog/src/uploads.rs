//! Uploads: a row before the first byte, and one transaction that makes the bytes exist.
//!
//! Whatever ends in between leaves a row that says where the dust is. No lock is held while the bytes stream.

use std::time::Duration;

use boxvault_types::digest::{Checksum, Digest};
use boxvault_types::ids::{ArtifactId, BlobId, UploadId, UserId};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::archives::{self, Archive};
use crate::artifacts::{self, ArtifactFile, Gate};
use crate::audit::{self, NewEntry};
use crate::blobs;
use crate::entity::{blobs as blob_rows, uploads as table};
use crate::quotas::{self, Limits};
use crate::rows::{checksum, clean, insert};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Page, Paged, Result, boxes, paging, resumable,
};

/// An unfinished upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// What it is for.
    pub artifact_id: ArtifactId,
    /// The store that it writes to.
    pub store: String,
    /// The key that it writes to, used by nothing before.
    pub key: String,
    /// How many bytes were announced.
    pub declared_length: Option<i64>,
    /// The checksum that was announced.
    pub checksum: Option<Checksum>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was last known to be alive.
    pub touched_at: DateTime<Utc>,
    /// Who uploads.
    pub user_id: Option<UserId>,
    /// What the artifact had when it began.
    pub previous_blob_id: Option<BlobId>,
    /// The server that takes it.
    pub instance_id: String,
}

/// An upload to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// Its id; the key is made of it.
    pub id: UploadId,
    /// What it is for.
    pub artifact_id: ArtifactId,
    /// The store that it writes to.
    pub store: String,
    /// The key that it writes to, used by nothing before.
    pub key: String,
    /// How many bytes were announced.
    pub declared_length: Option<i64>,
    /// The checksum that was announced.
    pub checksum: Option<Checksum>,
    /// Who uploads.
    pub user_id: Option<UserId>,
    /// The server that takes it.
    pub instance_id: String,
    /// Which artifacts take it.
    pub gate: Gate,
}

/// What was found in the bytes, once all were written.
#[derive(Debug, Clone)]
pub struct Received {
    /// How many there are, as the store says.
    pub size_bytes: i64,
    /// Their SHA-256, as the server computed it.
    pub digest: Digest,
    /// The declared checksum to show to clients; it was compared before.
    pub checksum: Option<Checksum>,
    /// What the archive says of itself.
    pub archive: Option<Archive>,
    /// Which artifacts take it.
    pub gate: Gate,
    /// The upload that was continued until it was whole, and is done by this.
    pub finishes: Option<UploadId>,
    /// What organizations may have that no platform admin allowed something else.
    pub default_limits: Limits,
    /// The audit row, written by the same transaction.
    pub audit: Option<NewEntry>,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The file that the artifact has now.
    pub file: ArtifactFile,
    /// How often it was downloaded.
    pub downloads: i64,
    /// The key that the upload wrote, when the same bytes were there already: delete it from the store.
    pub surplus_key: Option<String>,
    /// What the artifact had before; the sweep takes it when nothing else refers to it.
    pub replaced: Option<BlobId>,
}

/// Begins an upload.
///
/// # Errors
/// `NotFound(Architecture)`; `Conflict(VersionReleased)`; `AlreadyExists(UploadKey)`.
pub async fn begin(catalog: &Catalog, new: NewUpload) -> Result<Upload> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let (artifact, _) = artifacts::lock_for(&transaction, new.artifact_id, new.gate).await?;
    let row = table::Model {
        id: new.id.0,
        artifact_id: new.artifact_id.0,
        store: new.store,
        object_key: new.key,
        declared_length: new.declared_length,
        checksum_type: new.checksum.as_ref().map(|sum| sum.kind().as_str().to_owned()),
        checksum: new.checksum.as_ref().map(|sum| sum.hex().to_owned()),
        started_at: now,
        touched_at: now,
        user_id: new.user_id.map(|user| user.0),
        previous_blob_id: artifact.blob_id,
        instance_id: clean(&new.instance_id),
    };
    insert(&transaction, row.clone()).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Finds an upload.
pub async fn find(catalog: &Catalog, id: UploadId) -> Result<Option<Upload>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    row.map(from_row).transpose()
}

/// Notes that uploads are alive, all by one statement; tells how many still have a row.
pub async fn touch(catalog: &Catalog, ids: &[UploadId]) -> Result<u64> {
    let touched = table::Entity::update_many()
        .col_expr(table::Column::TouchedAt, Expr::value(catalog.now()))
        .filter(table::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .exec(catalog.writer())
        .await?;
    Ok(touched.rows_affected)
}

/// Makes the bytes exist: all of it, or nothing.
///
/// # Errors
/// `NotFound(Upload)` when it was aborted or swept; `NotFound(Architecture)` when that is gone;
/// `Conflict(VersionReleased)`; `Conflict(LostRace)` when the artifact got another file since the upload began, or its
/// box went to another organization, whose quota was not asked; `OverQuota`.
pub async fn commit(catalog: &Catalog, id: UploadId, received: Received) -> Result<Committed> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let upload = table::Entity::find_by_id(id.0).lock_exclusive().one(&transaction).await?;
    let upload = upload.ok_or(CatalogError::NotFound { what: Noun::Upload })?;
    let artifact_id = ArtifactId(upload.artifact_id);
    let (owner, mut room) =
        quotas::hold(&transaction, artifact_id, received.default_limits).await?;
    let (artifact, version) = artifacts::lock_for(&transaction, artifact_id, received.gate).await?;
    if artifact.blob_id != upload.previous_blob_id {
        return Err(CatalogError::conflict(ConflictReason::LostRace));
    }
    room.replaced = blobs::size_of(&transaction, artifact.blob_id).await?;
    room.check(received.size_bytes).map_err(|why| CatalogError::OverQuota { why })?;
    let known = same_bytes(&transaction, &upload.store, &received).await?;
    let (blob, surplus_key) = if let Some(blob) = known {
        (blob, Some(upload.object_key.clone()))
    } else {
        let blob = blob_rows::Model {
            id: BlobId::new().0,
            store: upload.store.clone(),
            object_key: upload.object_key.clone(),
            size_bytes: received.size_bytes,
            digest: received.digest.0.to_vec(),
            created_at: now,
            orphaned_at: None,
        };
        insert(&transaction, blob.clone()).await?;
        (blob, None)
    };
    if let Some(archive) = &received.archive {
        archives::keep_in(&transaction, blob.id, archive).await?;
    }
    let replaced = artifact.blob_id.filter(|before| *before != blob.id).map(BlobId);
    let downloads = artifact.downloads;
    let mut row = artifact.into_active_model();
    row.blob_id = Set(Some(blob.id));
    row.checksum_type = Set(received.checksum.as_ref().map(|sum| sum.kind().as_str().to_owned()));
    row.checksum = Set(received.checksum.as_ref().map(|sum| sum.hex().to_owned()));
    // it was for this one
    row.expected_type = Set(None);
    row.expected = Set(None);
    row.uploaded_at = Set(Some(now));
    row.uploaded_by = Set(upload.user_id);
    row.updated_at = Set(now);
    let row = row.update(&transaction).await?;
    let file = artifacts::file_of(&row, blob)?;
    table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    if let Some(resumable) = received.finishes {
        resumable::finish(&transaction, resumable, now).await?;
    }
    if !boxes::touch_of(&transaction, version.box_id, owner, now).await? {
        return Err(CatalogError::conflict(ConflictReason::LostRace));
    }
    if received.gate == Gate::Mirrored {
        // its release was before
        boxes::index_files(&transaction, version.box_id).await?;
    }
    if let Some(entry) = received.audit {
        audit::insert_in(&transaction, now, vec![entry]).await?;
    }
    transaction.commit().await?;
    Ok(Committed { file, downloads, surplus_key, replaced })
}

/// Finds bytes of the same store, size and digest, and holds them against the sweep.
async fn same_bytes<C: ConnectionTrait>(
    db: &C,
    store: &str,
    received: &Received,
) -> Result<Option<blob_rows::Model>> {
    let row = blob_rows::Entity::find()
        .filter(blob_rows::Column::Store.eq(store))
        .filter(blob_rows::Column::Digest.eq(received.digest.0.to_vec()))
        .filter(blob_rows::Column::SizeBytes.eq(received.size_bytes))
        .order_by_asc(blob_rows::Column::Id)
        .limit(1)
        .lock_exclusive()
        .one(db)
        .await?;
    match row {
        Some(row) if row.orphaned_at.is_some() => {
            let mut row = row.into_active_model();
            row.orphaned_at = Set(None);
            Ok(Some(row.update(db).await?))
        }
        other => Ok(other),
    }
}

/// Forgets an upload, once what it wrote is gone from the store. Tells whether there was a row.
pub async fn abort(catalog: &Catalog, id: UploadId) -> Result<bool> {
    let gone = table::Entity::delete_by_id(id.0).exec(catalog.writer()).await?;
    Ok(gone.rows_affected > 0)
}

/// Forgets an upload that still nobody touched for this long. Tells whether there was one: nobody can commit it then.
pub async fn abort_untouched(
    catalog: &Catalog,
    id: UploadId,
    for_at_least: Duration,
) -> Result<bool> {
    let gone = table::Entity::delete_many()
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::TouchedAt.lte(catalog.now() - span(for_at_least)))
        .exec(catalog.writer())
        .await?;
    Ok(gone.rows_affected > 0)
}

/// Counts the uploads of a user that are neither finished nor aborted.
pub async fn count_of_user(catalog: &Catalog, user: UserId) -> Result<u64> {
    let select = table::Entity::find().filter(table::Column::UserId.eq(user.0));
    Ok(select.count(catalog.reader()).await?)
}

/// Lists uploads that nobody touched for this long, oldest first, at most 200 at once.
pub async fn list_untouched(catalog: &Catalog, for_at_least: Duration) -> Result<Vec<Upload>> {
    let rows = table::Entity::find()
        .filter(table::Column::TouchedAt.lte(catalog.now() - span(for_at_least)))
        .order_by_asc(table::Column::TouchedAt)
        .order_by_asc(table::Column::Id)
        .limit(crate::PAGE_SIZE_MAX)
        .all(catalog.reader())
        .await?;
    rows.into_iter().map(from_row).collect()
}

/// Lists all uploads, oldest first.
pub async fn list(catalog: &Catalog, page: Page) -> Result<Paged<Upload>> {
    let select = table::Entity::find()
        .order_by_asc(table::Column::StartedAt)
        .order_by_asc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_row).await
}

fn span(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::days(36_500))
}

fn from_row(row: table::Model) -> Result<Upload> {
    Ok(Upload {
        id: UploadId(row.id),
        artifact_id: ArtifactId(row.artifact_id),
        store: row.store,
        key: row.object_key,
        declared_length: row.declared_length,
        checksum: checksum(row.checksum_type, row.checksum)?,
        started_at: row.started_at,
        touched_at: row.touched_at,
        user_id: row.user_id.map(UserId),
        previous_blob_id: row.previous_blob_id.map(BlobId),
        instance_id: row.instance_id,
    })
}
