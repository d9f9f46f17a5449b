//! Uploads that can be continued: what came so far, as parts in stores, and who is writing.
//!
//! A part is an object of its own with a row from before its first byte; it counts once it is confirmed, and the offset
//! of an upload is the sum of what was confirmed. Whoever writes holds a lease that ends by itself when its server
//! dies. When all parts are there they are joined by an ordinary upload, whose commit marks this one as done.

use std::time::Duration;

use boxvault_types::digest::Checksum;
use boxvault_types::ids::{ArtifactId, BlobId, UploadId, UserId};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::audit::{self, NewEntry};
use crate::entity::{resumable_uploads as table, upload_parts as part_rows, users as user_rows};
use crate::rows::{checksum, clean, insert};
use crate::{Catalog, CatalogError, ConflictReason, Noun, PAGE_SIZE_MAX, Result, artifacts};

/// An upload that can be continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumableUpload {
    /// Its id.
    pub id: UploadId,
    /// What it is for.
    pub artifact_id: ArtifactId,
    /// Who uploads.
    pub user_id: Option<UserId>,
    /// How many bytes it will have.
    pub length: i64,
    /// How many came, and are durable.
    pub received: i64,
    /// What the whole must hash to.
    pub checksum: Option<Checksum>,
    /// What the client wants to hear again, as it sent it.
    pub metadata: String,
    /// Whether it is a piece of another upload, to be joined with others.
    pub is_piece: bool,
    /// Whether the file became visible.
    pub is_done: bool,
    /// What the artifact had when it began.
    pub previous_blob_id: Option<BlobId>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When something last came.
    pub touched_at: DateTime<Utc>,
    /// Until when somebody holds it, if they say no more.
    pub held_until: Option<DateTime<Utc>>,
}

/// An upload to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewResumable {
    /// Its id.
    pub id: UploadId,
    /// What it is for.
    pub artifact_id: ArtifactId,
    /// Who uploads.
    pub user_id: Option<UserId>,
    /// How many bytes it will have.
    pub length: i64,
    /// What the whole must hash to.
    pub checksum: Option<Checksum>,
    /// What the client wants to hear again.
    pub metadata: String,
    /// Whether it is a piece of another upload.
    pub is_piece: bool,
    /// The row of the audit log.
    pub audit: Option<NewEntry>,
}

/// A part, or what is being written to become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its id.
    pub id: UploadId,
    /// The upload that it belongs to.
    pub upload_id: UploadId,
    /// Where in the upload it begins.
    pub start: i64,
    /// How many bytes it has.
    pub size_bytes: i64,
    /// The store.
    pub store: String,
    /// The key in the store.
    pub key: String,
}

/// Who writes to an upload, and for how long without another word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease<'a> {
    /// A name that nobody else has.
    pub holder: &'a str,
    /// From now.
    pub time: Duration,
}

/// Begins an upload, unless its user has `open_max` that are not done.
///
/// # Errors
/// `NotFound(Architecture)`; `Conflict(VersionReleased)`; `Conflict(TooManyUploads)`.
pub async fn create(
    catalog: &Catalog,
    new: NewResumable,
    open_max: u64,
) -> Result<ResumableUpload> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    if let Some(user) = new.user_id {
        // held, so that of two that begin at once the second one counts the first
        user_rows::Entity::find_by_id(user.0).lock_exclusive().one(&transaction).await?;
        let open = table::Entity::find()
            .filter(table::Column::UserId.eq(user.0))
            .filter(table::Column::IsDone.eq(false))
            .count(&transaction)
            .await?;
        if open >= open_max {
            return Err(CatalogError::conflict(ConflictReason::TooManyUploads));
        }
    }
    let (artifact, _) = artifacts::lock(&transaction, new.artifact_id).await?;
    let row = table::Model {
        id: new.id.0,
        artifact_id: new.artifact_id.0,
        user_id: new.user_id.map(|user| user.0),
        length: new.length,
        received: 0,
        checksum_type: new.checksum.as_ref().map(|sum| sum.kind().as_str().to_owned()),
        checksum: new.checksum.as_ref().map(|sum| sum.hex().to_owned()),
        metadata: clean(&new.metadata),
        is_piece: new.is_piece,
        is_done: false,
        previous_blob_id: artifact.blob_id,
        created_at: now,
        touched_at: now,
        held_by: None,
        held_until: None,
    };
    insert(&transaction, row.clone()).await?;
    audit::insert_in(&transaction, now, Vec::from_iter(new.audit)).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Finds an upload.
pub async fn find(catalog: &Catalog, id: UploadId) -> Result<Option<ResumableUpload>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    row.map(from_row).transpose()
}

/// Finds the newest upload of nobody for an artifact that is not done and was begun with this metadata.
pub async fn find_unfinished(
    catalog: &Catalog,
    artifact_id: ArtifactId,
    metadata: &str,
) -> Result<Option<ResumableUpload>> {
    let row = table::Entity::find()
        .filter(table::Column::ArtifactId.eq(artifact_id.0))
        .filter(table::Column::UserId.is_null())
        .filter(table::Column::IsDone.eq(false))
        .filter(table::Column::Metadata.eq(metadata))
        .order_by_desc(table::Column::CreatedAt)
        .order_by_desc(table::Column::Id)
        .one(catalog.reader())
        .await?;
    row.map(from_row).transpose()
}

/// Takes an upload to write to it. `None` when somebody else holds it.
///
/// # Errors
/// `NotFound(Upload)`.
pub async fn take(
    catalog: &Catalog,
    id: UploadId,
    lease: Lease<'_>,
) -> Result<Option<ResumableUpload>> {
    let now = catalog.now();
    let free = Condition::any()
        .add(table::Column::HeldUntil.is_null())
        .add(table::Column::HeldUntil.lte(now));
    let taken = extend(id, lease, now).filter(free).exec(catalog.writer()).await?;
    let row = table::Entity::find_by_id(id.0).one(catalog.writer()).await?;
    let row = row.ok_or(CatalogError::NotFound { what: Noun::Upload })?;
    if taken.rows_affected == 0 { Ok(None) } else { from_row(row).map(Some) }
}

/// Holds an upload for longer. Tells whether it was still held.
pub async fn renew(catalog: &Catalog, id: UploadId, lease: Lease<'_>) -> Result<bool> {
    let renewed = extend(id, lease, catalog.now())
        .filter(table::Column::HeldBy.eq(lease.holder))
        .exec(catalog.writer())
        .await?;
    Ok(renewed.rows_affected > 0)
}

/// Lets an upload go.
pub async fn release(catalog: &Catalog, id: UploadId, holder: &str) -> Result<()> {
    table::Entity::update_many()
        .col_expr(table::Column::HeldBy, Expr::value(None::<String>))
        .col_expr(table::Column::HeldUntil, Expr::value(None::<DateTime<Utc>>))
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::HeldBy.eq(holder))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

fn extend(
    id: UploadId,
    lease: Lease<'_>,
    now: DateTime<Utc>,
) -> sea_orm::UpdateMany<table::Entity> {
    let until = now + TimeDelta::from_std(lease.time).unwrap_or(TimeDelta::minutes(1));
    table::Entity::update_many()
        .col_expr(table::Column::HeldBy, Expr::value(Some(lease.holder.to_owned())))
        .col_expr(table::Column::HeldUntil, Expr::value(Some(until)))
        .col_expr(table::Column::TouchedAt, Expr::value(now))
        .filter(table::Column::Id.eq(id.0))
}

/// Notes a part before its first byte.
pub async fn begin_part(catalog: &Catalog, part: Part, holder: &str) -> Result<()> {
    let row = part_rows::Model {
        id: part.id.0,
        upload_id: part.upload_id.0,
        start: part.start,
        size_bytes: part.size_bytes,
        store: part.store,
        object_key: part.key,
        written_by: holder.to_owned(),
        is_confirmed: false,
        created_at: catalog.now(),
    };
    insert(catalog.writer(), row).await
}

/// Notes how long a part became. It does not count before it is confirmed.
pub async fn end_part(catalog: &Catalog, id: UploadId, size_bytes: i64) -> Result<()> {
    part_rows::Entity::update_many()
        .col_expr(part_rows::Column::SizeBytes, Expr::value(size_bytes))
        .filter(part_rows::Column::Id.eq(id.0))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

/// Lets what the holder wrote from one offset to another count.
///
/// # Errors
/// `NotFound(Upload)`; `Conflict(LostRace)` when somebody else holds it now.
pub async fn confirm(
    catalog: &Catalog,
    id: UploadId,
    holder: &str,
    from: i64,
    to: i64,
) -> Result<()> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let row = table::Entity::find_by_id(id.0).lock_exclusive().one(&transaction).await?;
    let row = row.ok_or(CatalogError::NotFound { what: Noun::Upload })?;
    if row.held_by.as_deref() != Some(holder) || row.received != from || to > row.length {
        return Err(CatalogError::conflict(ConflictReason::LostRace));
    }
    part_rows::Entity::update_many()
        .col_expr(part_rows::Column::IsConfirmed, Expr::value(true))
        .filter(part_rows::Column::UploadId.eq(id.0))
        .filter(part_rows::Column::WrittenBy.eq(holder))
        .filter(part_rows::Column::Start.gte(from))
        .filter(part_rows::Column::Start.lt(to))
        .exec(&transaction)
        .await?;
    let mut row = row.into_active_model();
    row.received = Set(to);
    row.touched_at = Set(now);
    row.update(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// The parts of an upload that count, in their order.
pub async fn parts(catalog: &Catalog, id: UploadId) -> Result<Vec<Part>> {
    list_parts(catalog, id, true).await
}

/// What was written for an upload and never counted.
pub async fn unconfirmed_parts(catalog: &Catalog, id: UploadId) -> Result<Vec<Part>> {
    list_parts(catalog, id, false).await
}

/// How many parts an upload has, counted or not.
pub async fn count_parts(catalog: &Catalog, id: UploadId) -> Result<u64> {
    let of_upload = part_rows::Column::UploadId.eq(id.0);
    Ok(part_rows::Entity::find().filter(of_upload).count(catalog.reader()).await?)
}

async fn list_parts(catalog: &Catalog, id: UploadId, confirmed: bool) -> Result<Vec<Part>> {
    let rows = part_rows::Entity::find()
        .filter(part_rows::Column::UploadId.eq(id.0))
        .filter(part_rows::Column::IsConfirmed.eq(confirmed))
        .order_by_asc(part_rows::Column::Start)
        .all(catalog.writer())
        .await?;
    Ok(rows.into_iter().map(from_part).collect())
}

/// Forgets parts, once what they wrote is gone from the store.
pub async fn forget_parts(catalog: &Catalog, ids: &[UploadId]) -> Result<()> {
    for some in ids.chunks(1_000) {
        part_rows::Entity::delete_many()
            .filter(part_rows::Column::Id.is_in(some.iter().map(|id| id.0)))
            .exec(catalog.writer())
            .await?;
    }
    Ok(())
}

/// Joins pieces into an upload that the holder has just begun: their parts become its own, and they are gone.
///
/// # Errors
/// `NotFound(Upload)` when one is not a whole piece for the same artifact by the same user; `Conflict(LostRace)` when
/// one is being written to.
pub async fn join(
    catalog: &Catalog,
    id: UploadId,
    holder: &str,
    pieces: &[UploadId],
) -> Result<ResumableUpload> {
    let now = catalog.now();
    let missing = || CatalogError::NotFound { what: Noun::Upload };
    let transaction = catalog.begin().await?;
    let row = table::Entity::find_by_id(id.0).lock_exclusive().one(&transaction).await?;
    let row = row.filter(|row| row.held_by.as_deref() == Some(holder)).ok_or_else(missing)?;
    let mut length = 0_i64;
    // as many as one header can name
    for piece in pieces {
        let found = table::Entity::find_by_id(piece.0).lock_exclusive().one(&transaction).await?;
        let found = found
            .filter(|found| found.is_piece && found.received == found.length)
            .filter(|found| (found.artifact_id, found.user_id) == (row.artifact_id, row.user_id))
            .ok_or_else(missing)?;
        if found.held_until.is_some_and(|until| until > now) {
            return Err(CatalogError::conflict(ConflictReason::LostRace));
        }
        part_rows::Entity::update_many()
            .col_expr(part_rows::Column::UploadId, Expr::value(id.0))
            .col_expr(part_rows::Column::Start, Expr::col(part_rows::Column::Start).add(length))
            .filter(part_rows::Column::UploadId.eq(piece.0))
            .exec(&transaction)
            .await?;
        length = length.saturating_add(found.length);
        table::Entity::delete_by_id(piece.0).exec(&transaction).await?;
    }
    let mut row = row.into_active_model();
    row.length = Set(length);
    row.received = Set(length);
    let row = row.update(&transaction).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Notes that the file of an upload became visible, in the transaction that makes it so.
pub(crate) async fn finish<C: ConnectionTrait>(
    db: &C,
    id: UploadId,
    now: DateTime<Utc>,
) -> Result<()> {
    table::Entity::update_many()
        .col_expr(table::Column::IsDone, Expr::value(true))
        .col_expr(table::Column::TouchedAt, Expr::value(now))
        .filter(table::Column::Id.eq(id.0))
        .exec(db)
        .await?;
    Ok(())
}

/// Forgets an upload, once its parts are gone, and writes into the audit log who wanted it gone. Tells whether there
/// was a row.
pub async fn remove(catalog: &Catalog, id: UploadId, audit: Option<NewEntry>) -> Result<bool> {
    let transaction = catalog.begin_aside().await?;
    let gone = table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    if gone.rows_affected == 0 {
        return Ok(false);
    }
    audit::insert_in(&transaction, catalog.now(), Vec::from_iter(audit)).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Lists uploads to which nothing came for this long, oldest first, at most 200 at once.
pub async fn list_untouched(
    catalog: &Catalog,
    for_at_least: Duration,
) -> Result<Vec<ResumableUpload>> {
    let wait = TimeDelta::from_std(for_at_least).unwrap_or(TimeDelta::days(36_500));
    let now = catalog.now();
    let free = Condition::any()
        .add(table::Column::HeldUntil.is_null())
        .add(table::Column::HeldUntil.lte(now));
    let rows = table::Entity::find()
        .filter(table::Column::TouchedAt.lte(now - wait))
        .filter(free)
        .order_by_asc(table::Column::TouchedAt)
        .order_by_asc(table::Column::Id)
        .limit(PAGE_SIZE_MAX)
        .all(catalog.reader())
        .await?;
    rows.into_iter().map(from_row).collect()
}

fn from_row(row: table::Model) -> Result<ResumableUpload> {
    Ok(ResumableUpload {
        id: UploadId(row.id),
        artifact_id: ArtifactId(row.artifact_id),
        user_id: row.user_id.map(UserId),
        length: row.length,
        received: row.received,
        checksum: checksum(row.checksum_type, row.checksum)?,
        metadata: row.metadata,
        is_piece: row.is_piece,
        is_done: row.is_done,
        previous_blob_id: row.previous_blob_id.map(BlobId),
        created_at: row.created_at,
        touched_at: row.touched_at,
        held_until: row.held_until,
    })
}

fn from_part(row: part_rows::Model) -> Part {
    Part {
        id: UploadId(row.id),
        upload_id: UploadId(row.upload_id),
        start: row.start,
        size_bytes: row.size_bytes,
        store: row.store,
        key: row.object_key,
    }
}
