//! What a mirrored box offers, as rows: released versions whose architectures may have no file.

use std::collections::{HashMap, HashSet};

use boxvault_types::ids::{ArtifactId, BoxId, OrganizationId, ProviderId, VersionId};
use boxvault_types::names::{ArchitectureName, ProviderName};
use boxvault_types::version::BoxVersion;
use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QuerySelect,
};

use crate::entity::{
    artifacts as artifact_rows, boxes as box_table, mirrored_boxes as box_rows,
    providers as provider_rows, versions as version_rows,
};
use crate::rows::clean;
use crate::versions::VersionStatus;
use crate::{CatalogError, Noun, Result};

/// How many rows one statement adds.
const CHUNK: usize = 500;

/// A version that an upstream offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its number.
    pub number: BoxVersion,
    /// What it is.
    pub description: String,
    /// Its files.
    pub files: Vec<OfferedFile>,
}

/// A file that an upstream offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedFile {
    /// The provider.
    pub provider: ProviderName,
    /// The architecture.
    pub architecture: ArchitectureName,
    /// Whether it is what a client gets that names none.
    pub default_architecture: bool,
}

/// What a box has: versions by sort key, providers and architectures by the key of their names.
#[derive(Default)]
struct Present {
    versions: HashMap<String, Uuid>,
    providers: HashMap<(Uuid, String), Uuid>,
    artifacts: HashSet<(Uuid, String)>,
    /// The providers that have a default one.
    with_default: HashSet<Uuid>,
}

/// Makes what is offered and is not there. What is there stays as it is.
pub(super) async fn offer<C: ConnectionTrait>(
    db: &C,
    box_id: BoxId,
    offers: &[Offer],
    now: DateTime<Utc>,
) -> Result<()> {
    // held, so that no two do so at once
    let held = box_table::Entity::find_by_id(box_id.0).lock_exclusive().one(db).await?;
    held.ok_or(CatalogError::NotFound { what: Noun::Box })?;
    let mut present = read(db, box_id).await?;
    let (mut versions, mut providers, mut artifacts) = (Vec::new(), Vec::new(), Vec::new());
    for offer in offers {
        let sort_key = offer.number.sort_key();
        let version_id = *present.versions.entry(sort_key.clone()).or_insert_with(|| {
            let row = version_row(box_id, offer, sort_key, now);
            let id = row.id;
            versions.push(row);
            id
        });
        for file in &offer.files {
            let key = (version_id, file.provider.key());
            let provider_id = *present.providers.entry(key).or_insert_with(|| {
                let row = provider_row(version_id, &file.provider, now);
                let id = row.id;
                providers.push(row);
                id
            });
            let key = (provider_id, file.architecture.key());
            if !present.artifacts.insert(key) {
                continue;
            }
            let is_default = file.default_architecture && present.with_default.insert(provider_id);
            artifacts.push(artifact_row(provider_id, &file.architecture, is_default, now));
        }
    }
    insert_all::<version_rows::Entity, C, _>(db, versions).await?;
    insert_all::<provider_rows::Entity, C, _>(db, providers).await?;
    insert_all::<artifact_rows::Entity, C, _>(db, artifacts).await
}

/// Shows the boxes that an organization mirrors to everybody, or to its own alone.
pub(super) async fn publish<C: ConnectionTrait>(
    db: &C,
    organization: OrganizationId,
    is_public: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let mirrored = Query::select().column(box_rows::Column::BoxId).from(box_rows::Entity).take();
    box_table::Entity::update_many()
        .col_expr(box_table::Column::IsPublic, Expr::value(is_public))
        .col_expr(box_table::Column::UpdatedAt, Expr::value(now))
        .filter(box_table::Column::OrganizationId.eq(organization.0))
        .filter(box_table::Column::IsPublic.ne(is_public))
        .filter(box_table::Column::Id.in_subquery(mirrored))
        .exec(db)
        .await?;
    Ok(())
}

/// Takes what a mirror only offered: architectures without a file, and what is empty without them.
pub(super) async fn forget<C: ConnectionTrait>(db: &C, organization: OrganizationId) -> Result<()> {
    let boxes = box_table::Entity::find()
        .select_only()
        .column(box_table::Column::Id)
        .filter(box_table::Column::OrganizationId.eq(organization.0))
        .into_tuple::<Uuid>()
        .all(db)
        .await?;
    let mirrored = box_rows::Entity::find()
        .select_only()
        .column(box_rows::Column::BoxId)
        .filter(box_rows::Column::BoxId.is_in(boxes))
        .into_tuple::<Uuid>()
        .all(db)
        .await?;
    for box_id in mirrored {
        forget_box(db, box_id).await?;
    }
    Ok(())
}

async fn forget_box<C: ConnectionTrait>(db: &C, box_id: Uuid) -> Result<()> {
    let versions = || {
        Query::select()
            .column(version_rows::Column::Id)
            .from(version_rows::Entity)
            .and_where(version_rows::Column::BoxId.eq(box_id))
            .and_where(version_rows::Column::Status.eq(VersionStatus::Released.as_str()))
            .take()
    };
    let providers = Query::select()
        .column(provider_rows::Column::Id)
        .from(provider_rows::Entity)
        .and_where(provider_rows::Column::VersionId.in_subquery(versions()))
        .take();
    artifact_rows::Entity::delete_many()
        .filter(artifact_rows::Column::BlobId.is_null())
        .filter(artifact_rows::Column::ProviderId.in_subquery(providers))
        .exec(db)
        .await?;
    let with_files = Query::select()
        .column(artifact_rows::Column::ProviderId)
        .from(artifact_rows::Entity)
        .take();
    provider_rows::Entity::delete_many()
        .filter(provider_rows::Column::VersionId.in_subquery(versions()))
        .filter(provider_rows::Column::Id.not_in_subquery(with_files))
        .exec(db)
        .await?;
    let with_providers =
        Query::select().column(provider_rows::Column::VersionId).from(provider_rows::Entity).take();
    version_rows::Entity::delete_many()
        .filter(version_rows::Column::BoxId.eq(box_id))
        .filter(version_rows::Column::Status.eq(VersionStatus::Released.as_str()))
        .filter(version_rows::Column::Id.not_in_subquery(with_providers))
        .exec(db)
        .await?;
    box_rows::Entity::delete_by_id(box_id).exec(db).await?;
    Ok(())
}

async fn read<C: ConnectionTrait>(db: &C, box_id: BoxId) -> Result<Present> {
    let mut present = Present::default();
    let versions = version_rows::Entity::find()
        .select_only()
        .columns([version_rows::Column::SortKey, version_rows::Column::Id])
        .filter(version_rows::Column::BoxId.eq(box_id.0))
        .into_tuple::<(String, Uuid)>()
        .all(db)
        .await?;
    present.versions = versions.into_iter().collect();
    let of_box = Query::select()
        .column(version_rows::Column::Id)
        .from(version_rows::Entity)
        .and_where(version_rows::Column::BoxId.eq(box_id.0))
        .take();
    let providers = provider_rows::Entity::find()
        .filter(provider_rows::Column::VersionId.in_subquery(of_box.clone()))
        .all(db)
        .await?;
    for row in providers {
        present.providers.insert((row.version_id, row.name_key), row.id);
    }
    let of_versions = Query::select()
        .column(provider_rows::Column::Id)
        .from(provider_rows::Entity)
        .and_where(provider_rows::Column::VersionId.in_subquery(of_box))
        .take();
    let artifacts = artifact_rows::Entity::find()
        .select_only()
        .columns([
            artifact_rows::Column::ProviderId,
            artifact_rows::Column::NameKey,
            artifact_rows::Column::DefaultMark,
        ])
        .filter(artifact_rows::Column::ProviderId.in_subquery(of_versions))
        .into_tuple::<(Uuid, String, Option<bool>)>()
        .all(db)
        .await?;
    for (provider, name, mark) in artifacts {
        if mark == Some(true) {
            present.with_default.insert(provider);
        }
        present.artifacts.insert((provider, name));
    }
    Ok(present)
}

fn version_row(
    box_id: BoxId,
    offer: &Offer,
    sort_key: String,
    now: DateTime<Utc>,
) -> version_rows::Model {
    version_rows::Model {
        id: VersionId::new().0,
        box_id: box_id.0,
        sort_key,
        number: offer.number.as_str().to_owned(),
        description: clean(&offer.description),
        release_notes: String::new(),
        status: VersionStatus::Released.as_str().to_owned(),
        released_at: Some(now),
        revoked_at: None,
        created_at: now,
        updated_at: now,
        deprecated_at: None,
        deprecation_reason: None,
    }
}

fn provider_row(version: Uuid, name: &ProviderName, now: DateTime<Utc>) -> provider_rows::Model {
    provider_rows::Model {
        id: ProviderId::new().0,
        version_id: version,
        name: name.as_str().to_owned(),
        name_key: name.key(),
        description: String::new(),
        created_at: now,
        updated_at: now,
    }
}

fn artifact_row(
    provider: Uuid,
    name: &ArchitectureName,
    is_default: bool,
    now: DateTime<Utc>,
) -> artifact_rows::Model {
    artifact_rows::Model {
        id: ArtifactId::new().0,
        provider_id: provider,
        name: name.as_str().to_owned(),
        name_key: name.key(),
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
    }
}

async fn insert_all<E, C, A>(db: &C, rows: Vec<E::Model>) -> Result<()>
where
    E: EntityTrait,
    C: ConnectionTrait,
    A: ActiveModelTrait<Entity = E>,
    E::Model: IntoActiveModel<A>,
{
    let mut rows =
        rows.into_iter().map(|row| row.into_active_model().reset_all()).collect::<Vec<A>>();
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(CHUNK));
        E::insert_many(rows).exec_without_returning(db).await?;
        rows = rest;
    }
    Ok(())
}
