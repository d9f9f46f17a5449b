//! Versions with all that is below them, whether it has a file or not: three queries, however many they are.

use std::collections::HashMap;

use boxvault_types::ids::{BoxId, VersionId};
use boxvault_types::names::ProviderName;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
};

use crate::artifacts::{self, Artifact, to_provider, to_version};
use crate::entity::{artifacts as artifact_rows, providers as provider_rows, versions as table};
use crate::rows::stored;
use crate::versions::{self, Version, VersionStatus};
use crate::{Catalog, Result};

/// A version and all that is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionContents {
    /// The version.
    pub version: Version,
    /// Its architectures, by provider; of each, the default one last.
    pub artifacts: Vec<ProvidedArtifact>,
}

/// An architecture and its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvidedArtifact {
    /// The provider.
    pub provider: ProviderName,
    /// The architecture, with its file if it has one.
    pub artifact: Artifact,
}

/// Loads the versions of a box, newest first; all of them, or those of one status.
pub async fn contents(
    catalog: &Catalog,
    id: BoxId,
    status: Option<VersionStatus>,
) -> Result<Vec<VersionContents>> {
    let status = status.map(|status| table::Column::Status.eq(status.as_str()));
    load(catalog, Condition::all().add(table::Column::BoxId.eq(id.0)).add_option(status)).await
}

/// Loads one version.
pub async fn contents_of_version(
    catalog: &Catalog,
    id: VersionId,
) -> Result<Option<VersionContents>> {
    let one = Condition::all().add(table::Column::Id.eq(id.0));
    Ok(load(catalog, one).await?.pop())
}

/// Loads the newest released version of each of some boxes that have one.
pub async fn newest_releases(
    catalog: &Catalog,
    ids: &[BoxId],
) -> Result<HashMap<BoxId, VersionContents>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let newest = Condition::all()
        .add(table::Column::BoxId.is_in(ids.iter().map(|id| id.0)))
        .add(table::Column::Status.eq(VersionStatus::Released.as_str()))
        .add(is_newest());
    let found = load(catalog, newest).await?;
    Ok(found.into_iter().map(|contents| (contents.version.box_id, contents)).collect())
}

/// There is no later released version of the same box.
fn is_newest() -> SimpleExpr {
    let later = Alias::new("later");
    let of_later = |column: table::Column| Expr::col((later.clone(), column));
    let own = |column: table::Column| Expr::col((table::Entity, column));
    let any = Query::select()
        .expr(Expr::val(1))
        .from_as(table::Entity, later.clone())
        .and_where(of_later(table::Column::BoxId).eq(own(table::Column::BoxId)))
        .and_where(of_later(table::Column::Status).eq(VersionStatus::Released.as_str()))
        .and_where(of_later(table::Column::SortKey).gt(own(table::Column::SortKey)))
        .take();
    Expr::exists(any).not()
}

async fn load(catalog: &Catalog, wanted: Condition) -> Result<Vec<VersionContents>> {
    let versions = table::Entity::find()
        .filter(wanted.clone())
        .order_by_desc(table::Column::SortKey)
        .all(catalog.reader())
        .await?;
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let providers = provider_rows::Entity::find()
        .join(JoinType::InnerJoin, to_version())
        .filter(wanted.clone())
        .all(catalog.reader())
        .await?;
    let providers: HashMap<Uuid, provider_rows::Model> =
        providers.into_iter().map(|row| (row.id, row)).collect();
    let pairs = artifacts::with_blob()
        .join(JoinType::InnerJoin, to_provider())
        .join(JoinType::InnerJoin, to_version())
        .filter(wanted)
        .order_by_asc(provider_rows::Column::NameKey)
        .order_by_asc(artifact_rows::Column::NameKey)
        .all(catalog.reader())
        .await?;
    let mut below = HashMap::<Uuid, Vec<ProvidedArtifact>>::new();
    for pair in pairs {
        let artifact = artifacts::from_pair(pair)?;
        // one that was made since the providers were read is seen the next time
        let Some(row) = providers.get(&artifact.provider_id.0) else { continue };
        let provider = stored("providers.name", ProviderName::parse(&row.name))?;
        below.entry(row.version_id).or_default().push(ProvidedArtifact { provider, artifact });
    }
    versions
        .into_iter()
        .map(|row| {
            let mut artifacts = below.remove(&row.id).unwrap_or_default();
            artifacts.sort_by_key(|one| (one.provider.key(), one.artifact.default_architecture));
            Ok(VersionContents { version: versions::from_row(row)?, artifacts })
        })
        .collect()
}
