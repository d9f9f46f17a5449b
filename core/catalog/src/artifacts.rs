//! Artifacts: the architectures of a provider, each with at most one file.
//!
//! Exactly one architecture of a provider is the default: the first becomes it, setting one unsets the others, and
//! deleting the default promotes the oldest of the rest. A unique index keeps a second default out.

use boxvault_types::digest::Checksum;
use boxvault_types::ids::{
    ArtifactId, BlobId, BoxId, OrganizationId, ProviderId, UserId, VersionId,
};
use boxvault_types::names::{ArchitectureName, BoxName, OrganizationName, ProviderName};
use boxvault_types::version::BoxVersion;
use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef, SelectTwo,
};

use crate::blobs::StoredFile;
use crate::entity::{
    artifacts as table, blobs as blob_rows, boxes as box_rows, providers as provider_rows,
    versions as version_rows,
};
use crate::rows::{checksum, digest, insert, stored, stored_some};
use crate::versions::VersionStatus;
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Page, Paged, Result, boxes, paging, providers,
    versions,
};

pub(crate) mod locate;

/// An architecture of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// Whose it is.
    pub provider_id: ProviderId,
    /// The architecture.
    pub name: ArchitectureName,
    /// Whether it is what a client gets that names none.
    pub default_architecture: bool,
    /// Its file, when one was uploaded.
    pub file: Option<ArtifactFile>,
    /// What the next file must hash to.
    pub expected: Option<Checksum>,
    /// How often the file was downloaded.
    pub downloads: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// The file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Where its bytes are.
    pub stored: StoredFile,
    /// What its publisher declared.
    pub checksum: Option<Checksum>,
    /// When it became visible.
    pub uploaded_at: DateTime<Utc>,
    /// Who uploaded it, unless that account is gone.
    pub uploaded_by: Option<UserId>,
}

/// An architecture to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewArtifact {
    /// Whose it is.
    pub provider_id: ProviderId,
    /// The architecture.
    pub name: ArchitectureName,
    /// Whether it becomes the default; the first does in any case.
    pub default_architecture: bool,
}

/// What to change of an architecture; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArtifactChanges {
    /// The architecture.
    pub name: Option<ArchitectureName>,
    /// Makes it the default. `Some(false)` on the default promotes the oldest other one, if there is one.
    pub default_architecture: Option<bool>,
    /// What the next file must hash to.
    pub expected: Option<Checksum>,
}

/// Which artifacts take a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gate {
    /// Those of a version that is being prepared.
    #[default]
    Prepared,
    /// Those without a file, of a released version: a mirror fetches what it offers.
    Mirrored,
}

/// The names that lead to an artifact.
#[derive(Debug, Clone, Copy)]
pub struct ArtifactPath<'a> {
    /// The organization.
    pub organization: &'a OrganizationName,
    /// The box.
    pub box_name: &'a BoxName,
    /// The version.
    pub version: &'a BoxVersion,
    /// The provider.
    pub provider: &'a ProviderName,
    /// The architecture; `None` for the provider's default.
    pub architecture: Option<&'a ArchitectureName>,
}

/// Everything that a download or an upload needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The box.
    pub box_id: BoxId,
    /// The box's name, as its owner writes it.
    pub box_name: BoxName,
    /// Whether everybody may read it.
    pub is_public: bool,
    /// The version.
    pub version_id: VersionId,
    /// The version's number, as its owner writes it.
    pub version: BoxVersion,
    /// The version's status.
    pub version_status: VersionStatus,
    /// The provider.
    pub provider_id: ProviderId,
    /// The provider's name, as its owner writes it.
    pub provider: ProviderName,
    /// The artifact, with its file.
    pub artifact: Artifact,
}

/// Makes an architecture of a provider whose version is unreleased.
///
/// # Errors
/// `AlreadyExists(Architecture)`; `NotFound(Provider)`; `Conflict(VersionReleased)`.
pub async fn create(catalog: &Catalog, new: NewArtifact) -> Result<Artifact> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let provider = providers::read(&transaction, new.provider_id.0).await?;
    versions::lock_unreleased(&transaction, provider.version_id).await?;
    let current = default_of(new.provider_id.0).one(&transaction).await?;
    if new.default_architecture && current.is_some() {
        unset_default(&transaction, new.provider_id.0, now).await?;
    }
    let is_default = new.default_architecture || current.is_none();
    let row = table::Model {
        id: ArtifactId::new().0,
        provider_id: new.provider_id.0,
        name: new.name.as_str().to_owned(),
        name_key: new.name.key(),
        default_mark: is_default.then_some(true),
        blob_id: None,
        checksum_type: None,
        checksum: None,
        downloads: 0,
        uploaded_at: None,
        uploaded_by: None,
        created_at: now,
        updated_at: now,
        expected_type: None,
        expected: None,
    };
    insert(&transaction, row.clone())
        .await
        .map_err(|error| error.without_parent(Noun::Provider))?;
    transaction.commit().await?;
    from_pair((row, None))
}

/// Finds an architecture of a provider by its name.
pub async fn find(
    catalog: &Catalog,
    provider_id: ProviderId,
    name: &ArchitectureName,
) -> Result<Option<Artifact>> {
    let row = with_blob()
        .filter(table::Column::ProviderId.eq(provider_id.0))
        .filter(table::Column::NameKey.eq(name.key()))
        .one(catalog.reader())
        .await?;
    row.map(from_pair).transpose()
}

/// Finds an architecture by its id.
pub async fn find_by_id(catalog: &Catalog, id: ArtifactId) -> Result<Option<Artifact>> {
    find_in(catalog.reader(), id.0).await
}

async fn find_in<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Artifact>> {
    let row = with_blob().filter(table::Column::Id.eq(id)).one(db).await?;
    row.map(from_pair).transpose()
}

/// Lists the architectures of a provider by name.
pub async fn list(
    catalog: &Catalog,
    provider_id: ProviderId,
    page: Page,
) -> Result<Paged<Artifact>> {
    let select = with_blob()
        .filter(table::Column::ProviderId.eq(provider_id.0))
        .order_by_asc(table::Column::NameKey);
    paging::fetch(catalog.reader(), select, page, from_pair).await
}

/// Lists the architectures of all providers of a version, by provider and name.
pub async fn list_of_version(
    catalog: &Catalog,
    version_id: VersionId,
    page: Page,
) -> Result<Paged<Artifact>> {
    let select = with_blob()
        .join(JoinType::InnerJoin, to_provider())
        .filter(provider_rows::Column::VersionId.eq(version_id.0))
        .order_by_asc(provider_rows::Column::NameKey)
        .order_by_asc(table::Column::NameKey);
    paging::fetch(catalog.reader(), select, page, from_pair).await
}

/// Changes an architecture of an unreleased version.
///
/// # Errors
/// `NotFound(Architecture)`; `AlreadyExists(Architecture)`; `Conflict(VersionReleased)`.
pub async fn update(
    catalog: &Catalog,
    id: ArtifactId,
    changes: ArtifactChanges,
) -> Result<Artifact> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let (before, _) = lock(&transaction, id).await?;
    let provider_id = before.provider_id;
    let is_default = before.default_mark == Some(true);
    let mut row = before.into_active_model();
    if let Some(name) = changes.name {
        row.name_key = Set(name.key());
        row.name = Set(name.as_str().to_owned());
    }
    match changes.default_architecture {
        Some(true) if !is_default => {
            unset_default(&transaction, provider_id, now).await?;
            row.default_mark = Set(Some(true));
        }
        Some(false) if is_default => {
            if let Some(heir) = heir_of(&transaction, provider_id, id.0).await? {
                unset_default(&transaction, provider_id, now).await?;
                set_default(&transaction, heir, now).await?;
                row.default_mark = Set(None);
            }
        }
        _ => {}
    }
    if let Some(expected) = changes.expected {
        row.expected_type = Set(Some(expected.kind().as_str().to_owned()));
        row.expected = Set(Some(expected.hex().to_owned()));
    }
    row.updated_at = Set(now);
    row.update(&transaction).await?;
    let artifact = find_in(&transaction, id.0).await?;
    transaction.commit().await?;
    artifact.ok_or(CatalogError::NotFound { what: Noun::Architecture })
}

/// Deletes an architecture of an unreleased version with its file; the sweep finds its bytes.
///
/// # Errors
/// `NotFound(Architecture)`; `Conflict(VersionReleased)`.
pub async fn delete(catalog: &Catalog, id: ArtifactId) -> Result<()> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let (row, _) = lock(&transaction, id).await?;
    let heir = match row.default_mark {
        Some(true) => heir_of(&transaction, row.provider_id, id.0).await?,
        _ => None,
    };
    table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    if let Some(heir) = heir {
        set_default(&transaction, heir, now).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Takes the file of an artifact of an unreleased version away; the sweep finds its bytes.
///
/// # Errors
/// `NotFound(Architecture)`; `NotFound(File)` when there is none; `Conflict(VersionReleased)`.
pub async fn delete_file(catalog: &Catalog, id: ArtifactId) -> Result<()> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let (row, version) = lock(&transaction, id).await?;
    if row.blob_id.is_none() {
        return Err(CatalogError::not_found(Noun::File));
    }
    let mut row = row.into_active_model();
    row.blob_id = Set(None);
    row.checksum = Set(None);
    row.checksum_type = Set(None);
    row.uploaded_at = Set(None);
    row.uploaded_by = Set(None);
    row.updated_at = Set(now);
    row.update(&transaction).await?;
    boxes::touch(&transaction, version.box_id, now).await?;
    transaction.commit().await?;
    Ok(())
}

/// Finds everything that a download or an upload needs, by one query.
///
/// An artifact without a file is found, too. Says nothing of who may read it.
pub async fn locate(catalog: &Catalog, path: ArtifactPath<'_>) -> Result<Option<Located>> {
    locate::locate(catalog, path).await
}

/// Holds an artifact and its version until the transaction ends: first the version, as everybody does.
pub(crate) async fn lock<C: ConnectionTrait>(
    db: &C,
    id: ArtifactId,
) -> Result<(table::Model, version_rows::Model)> {
    lock_for(db, id, Gate::Prepared).await
}

/// The same, of an artifact that takes a file.
pub(crate) async fn lock_for<C: ConnectionTrait>(
    db: &C,
    id: ArtifactId,
    gate: Gate,
) -> Result<(table::Model, version_rows::Model)> {
    let missing = || CatalogError::not_found(Noun::Architecture);
    let (_, provider) = table::Entity::find_by_id(id.0)
        .join(JoinType::InnerJoin, to_provider())
        .select_also(provider_rows::Entity)
        .one(db)
        .await?
        .ok_or_else(missing)?;
    let provider = stored_some("artifacts.provider_id", provider)?;
    let version = match gate {
        Gate::Prepared => versions::lock_unreleased(db, provider.version_id).await?,
        Gate::Mirrored => versions::lock_released(db, provider.version_id).await?,
    };
    let row = table::Entity::find_by_id(id.0).lock_exclusive().one(db).await?;
    let row = row.ok_or_else(missing)?;
    if gate == Gate::Mirrored && row.blob_id.is_some() {
        return Err(CatalogError::conflict(ConflictReason::LostRace));
    }
    Ok((row, version))
}

fn default_of(provider_id: Uuid) -> sea_orm::Select<table::Entity> {
    table::Entity::find()
        .filter(table::Column::ProviderId.eq(provider_id))
        .filter(table::Column::DefaultMark.eq(true))
}

async fn heir_of<C: ConnectionTrait>(
    db: &C,
    provider_id: Uuid,
    except: Uuid,
) -> Result<Option<Uuid>> {
    let row = table::Entity::find()
        .filter(table::Column::ProviderId.eq(provider_id))
        .filter(table::Column::Id.ne(except))
        .order_by_asc(table::Column::CreatedAt)
        .order_by_asc(table::Column::Id)
        .limit(1)
        .one(db)
        .await?;
    Ok(row.map(|row| row.id))
}

async fn unset_default<C: ConnectionTrait>(
    db: &C,
    provider_id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    table::Entity::update_many()
        .col_expr(table::Column::DefaultMark, Expr::value(None::<bool>))
        .col_expr(table::Column::UpdatedAt, Expr::value(now))
        .filter(table::Column::ProviderId.eq(provider_id))
        .filter(table::Column::DefaultMark.eq(true))
        .exec(db)
        .await?;
    Ok(())
}

async fn set_default<C: ConnectionTrait>(db: &C, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    table::Entity::update_many()
        .col_expr(table::Column::DefaultMark, Expr::value(Some(true)))
        .col_expr(table::Column::UpdatedAt, Expr::value(now))
        .filter(table::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(())
}

pub(crate) fn with_blob() -> SelectTwo<table::Entity, blob_rows::Entity> {
    table::Entity::find().join(JoinType::LeftJoin, to_blob()).select_also(blob_rows::Entity)
}

pub(crate) fn to_blob() -> RelationDef {
    table::Entity::belongs_to(blob_rows::Entity)
        .from(table::Column::BlobId)
        .to(blob_rows::Column::Id)
        .into()
}

pub(crate) fn to_provider() -> RelationDef {
    table::Entity::belongs_to(provider_rows::Entity)
        .from(table::Column::ProviderId)
        .to(provider_rows::Column::Id)
        .into()
}

pub(crate) fn to_version() -> RelationDef {
    provider_rows::Entity::belongs_to(version_rows::Entity)
        .from(provider_rows::Column::VersionId)
        .to(version_rows::Column::Id)
        .into()
}

pub(crate) fn to_box() -> RelationDef {
    version_rows::Entity::belongs_to(box_rows::Entity)
        .from(version_rows::Column::BoxId)
        .to(box_rows::Column::Id)
        .into()
}

type Pair = (table::Model, Option<blob_rows::Model>);

/// The file of a row, from the blob that it refers to.
pub(crate) fn file_of(row: &table::Model, blob: blob_rows::Model) -> Result<ArtifactFile> {
    Ok(ArtifactFile {
        stored: StoredFile {
            blob_id: BlobId(blob.id),
            store: blob.store,
            key: blob.object_key,
            size_bytes: blob.size_bytes,
            digest: digest(blob.digest)?,
        },
        checksum: checksum(row.checksum_type.clone(), row.checksum.clone())?,
        uploaded_at: row.uploaded_at.unwrap_or(row.updated_at),
        uploaded_by: row.uploaded_by.map(UserId),
    })
}

pub(crate) fn from_pair((row, blob): Pair) -> Result<Artifact> {
    let file = blob.map(|blob| file_of(&row, blob)).transpose()?;
    Ok(Artifact {
        expected: checksum(row.expected_type, row.expected)?,
        id: ArtifactId(row.id),
        provider_id: ProviderId(row.provider_id),
        name: stored("artifacts.name", ArchitectureName::parse(&row.name))?,
        default_architecture: row.default_mark == Some(true),
        file,
        downloads: row.downloads,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
