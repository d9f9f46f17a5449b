//! Verifications: what was found when the bytes of a blob were read again, and who waits for that or does it.
//!
//! One row for each blob that somebody asked for or the scrub came by. Whoever reads holds a lease that ends by itself
//! when its server dies; nothing is ever deleted for what was found.

use std::time::Duration;

use boxvault_types::digest::Digest;
use boxvault_types::ids::{ArtifactId, BlobId};
use boxvault_types::names::{ArchitectureName, BoxName, OrganizationName, ProviderName};
use boxvault_types::version::BoxVersion;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, FromQueryResult, IntoActiveModel,
    JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, RelationDef, Select,
};

use crate::artifacts::{to_blob, to_box, to_provider, to_version};
use crate::blobs::{self, Blob};
use crate::boxes::to_organization;
use crate::clock::whole_micros;
use crate::entity::{
    artifacts as artifact_rows, blobs as blob_rows, boxes as box_rows,
    organizations as organization_rows, providers as provider_rows, verifications as table,
    versions as version_rows,
};
use crate::rows::{clean, digest, stored, stored_some};
use crate::{Catalog, CatalogError, Page, Paged, Result, paging};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The bytes are those that came.
    Ok,
    /// They are others, or fewer, or none.
    Damaged,
}

impl Outcome {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Damaged => "damaged",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Damaged].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// What is known of the bytes of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The blob.
    pub blob_id: BlobId,
    /// When somebody asked for it to be read, unless that was done since.
    pub requested_at: Option<DateTime<Utc>>,
    /// Until when somebody who reads it says no more.
    pub held_until: Option<DateTime<Utc>>,
    /// How many bytes were read, of those that are being read now.
    pub done_bytes: i64,
    /// When it was last read to its end.
    pub checked_at: Option<DateTime<Utc>>,
    /// What was found then.
    pub outcome: Option<Outcome>,
    /// What was wrong, for people.
    pub problem: Option<String>,
}

/// A file whose bytes were read to their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedFile {
    /// The organization.
    pub organization: OrganizationName,
    /// The box.
    pub box_name: BoxName,
    /// The version.
    pub version: BoxVersion,
    /// The provider.
    pub provider: ProviderName,
    /// The architecture.
    pub architecture: ArchitectureName,
    /// The architecture's id.
    pub artifact_id: ArtifactId,
    /// When.
    pub checked_at: DateTime<Utc>,
}

/// A file whose bytes are damaged, where somebody would miss it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedFile {
    /// The organization.
    pub organization: OrganizationName,
    /// The box.
    pub box_name: BoxName,
    /// The version.
    pub version: BoxVersion,
    /// The provider.
    pub provider: ProviderName,
    /// The architecture.
    pub architecture: ArchitectureName,
    /// The store.
    pub store: String,
    /// The key in the store.
    pub key: String,
    /// How many bytes it should have.
    pub size_bytes: i64,
    /// What they should hash to.
    pub digest: Digest,
    /// When it was found.
    pub checked_at: Option<DateTime<Utc>>,
    /// What is wrong.
    pub problem: Option<String>,
}

/// Who reads a blob, and for how long without another word.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// A name that nobody else has.
    pub holder: &'a str,
    /// From now.
    pub lease: Duration,
}

/// Asks for a blob to be read. Who asks while another waits, waits with them.
pub async fn request(catalog: &Catalog, id: BlobId) -> Result<Verification> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    insert_row(&transaction, id).await?;
    table::Entity::update_many()
        .col_expr(table::Column::RequestedAt, Expr::value(Some(now)))
        .filter(table::Column::BlobId.eq(id.0))
        .filter(table::Column::RequestedAt.is_null())
        .exec(&transaction)
        .await?;
    let row = table::Entity::find_by_id(id.0).one(&transaction).await?;
    transaction.commit().await?;
    row.map(from_row).ok_or(CatalogError::NotFound { what: crate::Noun::Blob })
}

/// What is known of a blob.
pub async fn find(catalog: &Catalog, id: BlobId) -> Result<Option<Verification>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    Ok(row.map(from_row))
}

/// Takes the next blob that somebody asked for, the longest waiting first.
pub async fn take_requested(catalog: &Catalog, reader: Reader<'_>) -> Result<Option<Blob>> {
    let row = table::Entity::find()
        .filter(table::Column::RequestedAt.is_not_null())
        .filter(free(catalog.now()))
        .order_by_asc(table::Column::RequestedAt)
        .order_by_asc(table::Column::BlobId)
        .limit(1)
        .one(catalog.reader())
        .await?;
    match row {
        Some(row) => take(catalog, BlobId(row.blob_id), reader).await,
        None => Ok(None),
    }
}

/// Takes the next blob that nobody has read for so long: those that nobody ever read first, then the longest ago.
pub async fn take_unread(
    catalog: &Catalog,
    for_at_least: Duration,
    reader: Reader<'_>,
) -> Result<Option<Blob>> {
    let read = Query::select()
        .expr(Expr::val(1))
        .from(table::Entity)
        .and_where(
            Expr::col((table::Entity, table::Column::BlobId))
                .equals((blob_rows::Entity, blob_rows::Column::Id)),
        )
        .take();
    let never = blob_rows::Entity::find()
        .filter(blob_rows::Column::OrphanedAt.is_null())
        .filter(Expr::exists(read).not())
        .order_by_asc(blob_rows::Column::Id)
        .limit(1)
        .one(catalog.reader())
        .await?;
    if let Some(blob) = never {
        let id = BlobId(blob.id);
        insert_row(catalog.writer(), id).await?;
        return take(catalog, id, reader).await;
    }
    let wait = TimeDelta::from_std(for_at_least).unwrap_or(TimeDelta::days(36_500));
    let now = catalog.now();
    // one that a server died over has no time yet
    let due = Condition::any()
        .add(table::Column::CheckedAt.is_null())
        .add(table::Column::CheckedAt.lte(now - wait));
    let row = table::Entity::find()
        .filter(due)
        .filter(free(now))
        .order_by_asc(table::Column::CheckedAt)
        .order_by_asc(table::Column::BlobId)
        .limit(1)
        .one(catalog.reader())
        .await?;
    match row {
        Some(row) => take(catalog, BlobId(row.blob_id), reader).await,
        None => Ok(None),
    }
}

/// Notes how far the reading is, and holds it for longer. Tells whether it was still held.
pub async fn progress(
    catalog: &Catalog,
    id: BlobId,
    reader: Reader<'_>,
    done_bytes: i64,
) -> Result<bool> {
    let held = table::Entity::update_many()
        .col_expr(table::Column::DoneBytes, Expr::value(done_bytes))
        .col_expr(table::Column::HeldUntil, Expr::value(Some(until(catalog, reader))))
        .filter(table::Column::BlobId.eq(id.0))
        .filter(table::Column::HeldBy.eq(reader.holder))
        .exec(catalog.writer())
        .await?;
    Ok(held.rows_affected > 0)
}

/// Notes what was found, and lets the blob go.
pub async fn finish(
    catalog: &Catalog,
    id: BlobId,
    holder: &str,
    outcome: Outcome,
    problem: Option<&str>,
) -> Result<()> {
    table::Entity::update_many()
        .col_expr(table::Column::CheckedAt, Expr::value(Some(catalog.now())))
        .col_expr(table::Column::Outcome, Expr::value(Some(outcome.as_str())))
        .col_expr(table::Column::Problem, Expr::value(problem.map(clean)))
        .col_expr(table::Column::RequestedAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(table::Column::HeldBy, Expr::value(None::<String>))
        .col_expr(table::Column::HeldUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(table::Column::DoneBytes, Expr::value(0_i64))
        .filter(table::Column::BlobId.eq(id.0))
        .filter(table::Column::HeldBy.eq(holder))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

/// Notes what somebody found who read a blob for another reason.
///
/// # Errors
/// `NotFound(Blob)`.
pub async fn note(
    catalog: &Catalog,
    id: BlobId,
    outcome: Outcome,
    problem: Option<&str>,
) -> Result<()> {
    let transaction = catalog.begin().await?;
    insert_row(&transaction, id).await?;
    table::Entity::update_many()
        .col_expr(table::Column::CheckedAt, Expr::value(Some(catalog.now())))
        .col_expr(table::Column::Outcome, Expr::value(Some(outcome.as_str())))
        .col_expr(table::Column::Problem, Expr::value(problem.map(clean)))
        .filter(table::Column::BlobId.eq(id.0))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Lists files whose bytes are damaged, by organization and box.
pub async fn list_damaged(catalog: &Catalog, page: Page) -> Result<Paged<DamagedFile>> {
    let select = select_files()
        .column_as(blob_rows::Column::Store, "store")
        .column_as(blob_rows::Column::ObjectKey, "object_key")
        .column_as(blob_rows::Column::SizeBytes, "size_bytes")
        .column_as(blob_rows::Column::Digest, "digest")
        .column_as(table::Column::Problem, "problem")
        .filter(table::Column::Outcome.eq(Outcome::Damaged.as_str()))
        .order_by_asc(organization_rows::Column::NameKey)
        .order_by_asc(box_rows::Column::NameKey)
        .order_by_asc(artifact_rows::Column::Id)
        .into_model::<DamagedRow>();
    paging::fetch(catalog.reader(), select, page, DamagedRow::into_file).await
}

/// Files whose bytes were read to their end since a moment, the first read first, at most so many: for who follows that.
pub async fn list_checked_since(
    catalog: &Catalog,
    since: DateTime<Utc>,
    rows_max: u64,
) -> Result<Vec<CheckedFile>> {
    let rows = select_files()
        .column_as(artifact_rows::Column::Id, "id")
        .filter(table::Column::CheckedAt.gte(whole_micros(since)))
        .order_by_asc(table::Column::CheckedAt)
        .order_by_asc(artifact_rows::Column::Id)
        .limit(rows_max)
        .into_model::<CheckedRow>()
        .all(catalog.reader())
        .await?;
    rows.into_iter().map(CheckedRow::into_file).collect()
}

/// Files with where they are in words and when they were read, for those whose bytes somebody has read.
fn select_files() -> Select<artifact_rows::Entity> {
    artifact_rows::Entity::find()
        .select_only()
        .column_as(organization_rows::Column::Name, "organization")
        .column_as(box_rows::Column::Name, "box_name")
        .column_as(version_rows::Column::Number, "version")
        .column_as(provider_rows::Column::Name, "provider")
        .column_as(artifact_rows::Column::Name, "architecture")
        .column_as(table::Column::CheckedAt, "checked_at")
        .join(JoinType::InnerJoin, to_blob())
        .join(JoinType::InnerJoin, to_verification())
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .join(JoinType::InnerJoin, to_box())
        .join(JoinType::InnerJoin, to_organization())
}

/// How many blobs wait to be read, or are being read, because somebody asked.
pub async fn count_requested(catalog: &Catalog) -> Result<u64> {
    let requested = table::Column::RequestedAt.is_not_null();
    Ok(table::Entity::find().filter(requested).count(catalog.reader()).await?)
}

/// How many blobs are damaged.
pub async fn count_damaged(catalog: &Catalog) -> Result<u64> {
    let damaged = table::Column::Outcome.eq(Outcome::Damaged.as_str());
    Ok(table::Entity::find().filter(damaged).count(catalog.reader()).await?)
}

async fn take(catalog: &Catalog, id: BlobId, reader: Reader<'_>) -> Result<Option<Blob>> {
    let taken = table::Entity::update_many()
        .col_expr(table::Column::HeldBy, Expr::value(Some(reader.holder.to_owned())))
        .col_expr(table::Column::HeldUntil, Expr::value(Some(until(catalog, reader))))
        .col_expr(table::Column::DoneBytes, Expr::value(0_i64))
        .filter(table::Column::BlobId.eq(id.0))
        .filter(free(catalog.now()))
        .exec(catalog.writer())
        .await?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    blobs::find(catalog, id).await
}

/// A row that says nothing, unless there is one.
async fn insert_row<C: sea_orm::ConnectionTrait>(db: &C, id: BlobId) -> Result<()> {
    let row = table::Model {
        blob_id: id.0,
        requested_at: None,
        held_by: None,
        held_until: None,
        done_bytes: 0,
        checked_at: None,
        outcome: None,
        problem: None,
    };
    table::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(table::Column::BlobId)
                .update_column(table::Column::BlobId)
                .to_owned(),
        )
        .exec_without_returning(db)
        .await
        .map_err(|error| CatalogError::from(error).without_parent(crate::Noun::Blob))?;
    Ok(())
}

fn until(catalog: &Catalog, reader: Reader<'_>) -> DateTime<Utc> {
    catalog.now() + TimeDelta::from_std(reader.lease).unwrap_or(TimeDelta::minutes(1))
}

fn free(now: DateTime<Utc>) -> Condition {
    Condition::any().add(table::Column::HeldUntil.is_null()).add(table::Column::HeldUntil.lte(now))
}

fn to_verification() -> RelationDef {
    blob_rows::Entity::belongs_to(table::Entity)
        .from(blob_rows::Column::Id)
        .to(table::Column::BlobId)
        .into()
}

fn from_row(row: table::Model) -> Verification {
    Verification {
        blob_id: BlobId(row.blob_id),
        requested_at: row.requested_at,
        held_until: row.held_until,
        done_bytes: row.done_bytes,
        checked_at: row.checked_at,
        outcome: row.outcome.as_deref().and_then(Outcome::parse),
        problem: row.problem,
    }
}

#[derive(Debug, FromQueryResult)]
struct CheckedRow {
    organization: String,
    box_name: String,
    version: String,
    provider: String,
    architecture: String,
    id: Uuid,
    checked_at: Option<DateTime<Utc>>,
}

impl CheckedRow {
    fn into_file(self) -> Result<CheckedFile> {
        Ok(CheckedFile {
            organization: stored(
                "organizations.name",
                OrganizationName::parse(&self.organization),
            )?,
            box_name: stored("boxes.name", BoxName::parse(&self.box_name))?,
            version: stored("versions.number", BoxVersion::parse(&self.version))?,
            provider: stored("providers.name", ProviderName::parse(&self.provider))?,
            architecture: stored("artifacts.name", ArchitectureName::parse(&self.architecture))?,
            artifact_id: ArtifactId(self.id),
            checked_at: stored_some("verifications.checked_at", self.checked_at)?,
        })
    }
}

#[derive(Debug, FromQueryResult)]
struct DamagedRow {
    organization: String,
    box_name: String,
    version: String,
    provider: String,
    architecture: String,
    store: String,
    object_key: String,
    size_bytes: i64,
    digest: Vec<u8>,
    checked_at: Option<DateTime<Utc>>,
    problem: Option<String>,
}

impl DamagedRow {
    fn into_file(self) -> Result<DamagedFile> {
        Ok(DamagedFile {
            organization: stored(
                "organizations.name",
                OrganizationName::parse(&self.organization),
            )?,
            box_name: stored("boxes.name", BoxName::parse(&self.box_name))?,
            version: stored("versions.number", BoxVersion::parse(&self.version))?,
            provider: stored("providers.name", ProviderName::parse(&self.provider))?,
            architecture: stored("artifacts.name", ArchitectureName::parse(&self.architecture))?,
            store: self.store,
            key: self.object_key,
            size_bytes: self.size_bytes,
            digest: digest(self.digest)?,
            checked_at: self.checked_at,
            problem: self.problem,
        })
    }
}
