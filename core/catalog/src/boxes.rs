//! Boxes: named families of images, each in one organization.

use boxvault_types::digest::{Checksum, Digest};
use boxvault_types::ids::{ArtifactId, BoxId, OrganizationId, ProviderId, UserId};
use boxvault_types::names::{ArchitectureName, BoxName, OrganizationName, ProviderName};
use boxvault_types::tags::BoxTag;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, JoinType,
    QueryFilter, QuerySelect, RelationDef, SelectTwo,
};

use crate::blobs::StoredFile;
use crate::entity::{boxes as table, organizations as organization_rows};
use crate::organizations::{self, Organization};
use crate::rows::{clean, digest, insert, search_text, stored, stored_some};
use crate::versions::Version;
use crate::{Catalog, Noun, Result};

mod artwork;
mod contents;
mod describe;
mod former;
mod life;
mod search;
mod words;

use former::Claim;
pub(crate) use life::{touch, touch_of};
#[cfg(test)]
pub(crate) use search::{Bounds, list_within};
pub use search::{BoxFilter, BoxSort, BoxSummary, Visibility, list};
pub(crate) use search::{SummaryRow, select_summaries, summary_of};
pub(crate) use words::{index_files, words_of};

pub use artwork::{Artwork, find_artwork, set_artwork};
pub use contents::{
    ProvidedArtifact, VersionContents, contents, contents_of_version, newest_releases,
};
pub use former::{find_by_any_name, forget_former_names};
pub use life::{
    Transfer, delete, find_even_deleted, list_deleted, purge_deleted, restore, transfer,
};

/// A box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VagrantBox {
    /// Its id.
    pub id: BoxId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Its name.
    pub name: BoxName,
    /// One line on what it is.
    pub short_description: String,
    /// What it is, in Markdown.
    pub description: String,
    /// A longer text, in Markdown.
    pub readme: Option<String>,
    /// What it is found by.
    pub tags: Vec<BoxTag>,
    /// Where to read on.
    pub links: Links,
    /// What its picture is, if it has one.
    pub artwork: Option<Digest>,
    /// Whether everybody may read it.
    pub is_public: bool,
    /// Who made it, unless that account is gone.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, or a file of it.
    pub updated_at: DateTime<Utc>,
    /// How often a file of it was downloaded.
    pub downloads: i64,
    /// When it was deleted, while it can be restored.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// A box and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedBox {
    /// The organization.
    pub organization: Organization,
    /// The box.
    pub vagrant_box: VagrantBox,
}

/// Where to read on about a box: addresses of web pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Its own page.
    pub homepage: Option<String>,
    /// What it is made from.
    pub source: Option<String>,
    /// How it is used.
    pub documentation: Option<String>,
}

/// A box to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBox {
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Its name.
    pub name: BoxName,
    /// One line on what it is.
    pub short_description: String,
    /// What it is, in Markdown.
    pub description: String,
    /// A longer text, in Markdown.
    pub readme: Option<String>,
    /// What it is found by.
    pub tags: Vec<BoxTag>,
    /// Where to read on.
    pub links: Links,
    /// Whether everybody may read it.
    pub is_public: bool,
    /// Who makes it.
    pub created_by: Option<UserId>,
    /// Whether it may have a name that still leads to another box.
    pub takes_former_name: bool,
}

/// What to change of a box; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoxChanges {
    /// Its name.
    pub name: Option<BoxName>,
    /// One line on what it is.
    pub short_description: Option<String>,
    /// What it is, in Markdown.
    pub description: Option<String>,
    /// A longer text, in Markdown; an empty one takes it away.
    pub readme: Option<String>,
    /// What it is found by, instead of what it was found by.
    pub tags: Option<Vec<BoxTag>>,
    /// Where to read on; an empty one is taken away.
    pub links: Links,
    /// Whether everybody may read it.
    pub is_public: Option<bool>,
    /// How long the name that it had leads to it, when it gets another one.
    pub old_name_leads_until: Option<DateTime<Utc>>,
}

/// All that Vagrant's catalogue tells of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxDescription {
    /// The organization.
    pub organization: Organization,
    /// The box.
    pub vagrant_box: VagrantBox,
    /// Its released versions, newest first.
    pub versions: Vec<VersionDescription>,
}

/// All that Vagrant's catalogue tells of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionDescription {
    /// The version.
    pub version: Version,
    /// Its files, by provider, then by architecture. What has no file is left out.
    pub artifacts: Vec<ArtifactDescription>,
}

/// All that Vagrant's catalogue tells of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactDescription {
    /// The artifact.
    pub id: ArtifactId,
    /// The provider's id.
    pub provider_id: ProviderId,
    /// The provider.
    pub provider: ProviderName,
    /// The architecture.
    pub architecture: ArchitectureName,
    /// Whether it is the provider's default.
    pub default_architecture: bool,
    /// Where its bytes are.
    pub file: StoredFile,
    /// What its publisher declared.
    pub checksum: Option<Checksum>,
}

/// Makes a box.
///
/// # Errors
/// `AlreadyExists(BoxName)`, also while a deleted box has the name; `Conflict(FormerName)`; `NotFound(Organization)`
/// when that is gone.
pub async fn create(catalog: &Catalog, new: NewBox) -> Result<VagrantBox> {
    let now = catalog.now();
    let short_description = clean(&new.short_description);
    let row = table::Model {
        id: BoxId::new().0,
        organization_id: new.organization_id.0,
        name: new.name.as_str().to_owned(),
        name_key: new.name.key(),
        search_text: search_text(&[new.name.as_str(), &short_description]),
        short_description,
        description: clean(&new.description),
        readme: new.readme.as_deref().map(clean),
        is_public: new.is_public,
        created_by: new.created_by.map(|user| user.0),
        created_at: now,
        updated_at: now,
        downloads: 0,
        deleted_at: None,
        tags: tags_text(&new.tags),
        homepage_url: new.links.homepage,
        source_url: new.links.source,
        documentation_url: new.links.documentation,
        artwork: None,
    };
    let claim = if new.takes_former_name { Claim::Knowing } else { Claim::Careful };
    let transaction = catalog.begin().await?;
    former::claim(&transaction, (row.organization_id, &row.name_key), row.id, claim, now).await?;
    insert(&transaction, row.clone())
        .await
        .map_err(|error| error.without_parent(Noun::Organization))?;
    let texts = (&new.name, &*new.tags, &*row.short_description);
    words::index_texts(&transaction, row.id, texts).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Finds a box by its two names, and whose it is, by one query. The organization's may be one that it had.
pub async fn find(
    catalog: &Catalog,
    organization: &OrganizationName,
    name: &BoxName,
) -> Result<Option<OwnedBox>> {
    let row = named(catalog, organization, name)
        .filter(table::Column::DeletedAt.is_null())
        .one(catalog.reader())
        .await?;
    row.map(from_pair).transpose()
}

/// Finds a box by its id, and whose it is, by one query.
pub async fn find_by_id(catalog: &Catalog, id: BoxId) -> Result<Option<OwnedBox>> {
    let row = with_organization()
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::DeletedAt.is_null())
        .one(catalog.reader())
        .await?;
    row.map(from_pair).transpose()
}

/// Changes a box.
///
/// # Errors
/// `NotFound(Box)`; `AlreadyExists(BoxName)`; `Conflict(FormerName)`.
pub async fn update(catalog: &Catalog, id: BoxId, changes: BoxChanges) -> Result<VagrantBox> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let before = life::lock(&transaction, id).await?;
    let old = (before.organization_id, before.name_key.clone());
    let name = match changes.name {
        Some(name) => name,
        None => stored("boxes.name", BoxName::parse(&before.name))?,
    };
    let tags = match changes.tags {
        Some(tags) => tags,
        None => tags_of(before.tags.as_deref())?,
    };
    let short = changes
        .short_description
        .as_deref()
        .map_or_else(|| before.short_description.clone(), clean);
    let mut row = before.into_active_model();
    row.search_text = Set(search_text(&[name.as_str(), &short]));
    let name_key = name.key();
    let renamed = name_key != old.1;
    if renamed {
        former::claim(&transaction, (old.0, &name_key), id.0, Claim::Careful, now).await?;
    }
    row.name_key = Set(name_key);
    row.name = Set(name.as_str().to_owned());
    row.short_description = Set(short);
    row.tags = Set(tags_text(&tags));
    if let Some(description) = changes.description {
        row.description = Set(clean(&description));
    }
    if let Some(readme) = changes.readme {
        row.readme = Set(Some(clean(&readme)).filter(|readme| !readme.is_empty()));
    }
    let given = |link: Option<String>| link.map(|link| Some(link).filter(|link| !link.is_empty()));
    if let Some(link) = given(changes.links.homepage) {
        row.homepage_url = Set(link);
    }
    if let Some(link) = given(changes.links.source) {
        row.source_url = Set(link);
    }
    if let Some(link) = given(changes.links.documentation) {
        row.documentation_url = Set(link);
    }
    if let Some(is_public) = changes.is_public {
        row.is_public = Set(is_public);
    }
    row.updated_at = Set(now);
    let row = row.update(&transaction).await?;
    words::index_texts(&transaction, id.0, (&name, &tags, &row.short_description)).await?;
    if renamed {
        former::lead(&transaction, old, id.0, changes.old_name_leads_until).await?;
    }
    transaction.commit().await?;
    from_row(row)
}

/// Loads what Vagrant's catalogue tells of a box, by three queries whatever its size.
pub async fn describe(catalog: &Catalog, id: BoxId) -> Result<Option<BoxDescription>> {
    let Some(OwnedBox { organization, vagrant_box }) = find_by_id(catalog, id).await? else {
        return Ok(None);
    };
    let versions = describe::released_versions(catalog, vagrant_box.id).await?;
    Ok(Some(BoxDescription { organization, vagrant_box, versions }))
}

fn named(
    catalog: &Catalog,
    organization: &OrganizationName,
    name: &BoxName,
) -> SelectTwo<table::Entity, organization_rows::Entity> {
    with_organization()
        .join(JoinType::InnerJoin, organizations::names::of_organization())
        .filter(organizations::names::leads(organization, catalog.now()))
        .filter(table::Column::NameKey.eq(name.key()))
}

fn with_organization() -> SelectTwo<table::Entity, organization_rows::Entity> {
    table::Entity::find()
        .join(JoinType::InnerJoin, to_organization())
        .select_also(organization_rows::Entity)
        .filter(organization_rows::Column::DeletedAt.is_null())
}

pub(crate) fn to_organization() -> RelationDef {
    table::Entity::belongs_to(organization_rows::Entity)
        .from(table::Column::OrganizationId)
        .to(organization_rows::Column::Id)
        .into()
}

type Pair = (table::Model, Option<organization_rows::Model>);

fn from_pair((row, organization): Pair) -> Result<OwnedBox> {
    let organization = stored_some("boxes.organization_id", organization)?;
    Ok(OwnedBox {
        organization: organizations::from_row(organization)?,
        vagrant_box: from_row(row)?,
    })
}

pub(crate) fn from_row(row: table::Model) -> Result<VagrantBox> {
    Ok(VagrantBox {
        id: BoxId(row.id),
        organization_id: OrganizationId(row.organization_id),
        name: stored("boxes.name", BoxName::parse(&row.name))?,
        short_description: row.short_description,
        description: row.description,
        readme: row.readme,
        tags: tags_of(row.tags.as_deref())?,
        links: Links {
            homepage: row.homepage_url,
            source: row.source_url,
            documentation: row.documentation_url,
        },
        artwork: row.artwork.map(digest).transpose()?,
        is_public: row.is_public,
        created_by: row.created_by.map(UserId),
        created_at: row.created_at,
        updated_at: row.updated_at,
        downloads: row.downloads,
        deleted_at: row.deleted_at,
    })
}

/// Tags hold no blanks, so blanks hold them apart.
fn tags_text(tags: &[BoxTag]) -> Option<String> {
    let text = tags.iter().map(BoxTag::as_str).collect::<Vec<_>>().join(" ");
    Some(text).filter(|text| !text.is_empty())
}

fn tags_of(text: Option<&str>) -> Result<Vec<BoxTag>> {
    let tags = text.unwrap_or_default().split_whitespace();
    tags.map(|tag| stored("boxes.tags", BoxTag::parse(tag))).collect()
}
