//! Boxes: named families of images, each in one organization.

use boxvault_types::digest::Checksum;
use boxvault_types::ids::{ArtifactId, BoxId, OrganizationId, ProviderId, UserId};
use boxvault_types::names::{ArchitectureName, BoxName, OrganizationName, ProviderName};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef, SelectTwo,
};

use crate::blobs::StoredFile;
use crate::entity::{boxes as table, organizations as organization_rows};
use crate::organizations::{self, Organization};
use crate::rows::{clean, insert, matches, search_text, stored, stored_some};
use crate::versions::Version;
use crate::{Catalog, CatalogError, Noun, Order, Page, Paged, Result, paging};

mod describe;

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
}

/// A box and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedBox {
    /// The organization.
    pub organization: Organization,
    /// The box.
    pub vagrant_box: VagrantBox,
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
    /// Whether everybody may read it.
    pub is_public: bool,
    /// Who makes it.
    pub created_by: Option<UserId>,
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
    /// Whether everybody may read it.
    pub is_public: Option<bool>,
}

/// Which boxes a list may show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Those that everybody may read.
    #[default]
    Public,
    /// Those that everybody may read, and all of these organizations.
    MemberOf(Vec<OrganizationId>),
    /// All of them.
    All,
}

/// What a list of boxes is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BoxSort {
    /// The name.
    #[default]
    Name,
    /// When it was made.
    Created,
    /// When it was last changed.
    Updated,
    /// How often it was downloaded.
    Downloads,
}

/// Which boxes to list, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoxFilter {
    /// Which may be shown.
    pub visibility: Visibility,
    /// Only those of one organization.
    pub organization: Option<OrganizationId>,
    /// Part of the name or the short description.
    pub q: Option<String>,
    /// What to sort by.
    pub sort: BoxSort,
    /// Which end first.
    pub order: Order,
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
/// `AlreadyExists(BoxName)`; `NotFound(Organization)` when that is gone.
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
    };
    insert(catalog.writer(), row.clone())
        .await
        .map_err(|error| error.without_parent(Noun::Organization))?;
    from_row(row)
}

/// Finds a box by its two names, and whose it is, by one query.
pub async fn find(
    catalog: &Catalog,
    organization: &OrganizationName,
    name: &BoxName,
) -> Result<Option<OwnedBox>> {
    let row = with_organization()
        .filter(organization_rows::Column::NameKey.eq(organization.key()))
        .filter(table::Column::NameKey.eq(name.key()))
        .one(catalog.reader())
        .await?;
    row.map(from_pair).transpose()
}

/// Finds a box by its id, and whose it is, by one query.
pub async fn find_by_id(catalog: &Catalog, id: BoxId) -> Result<Option<OwnedBox>> {
    let row = with_organization().filter(table::Column::Id.eq(id.0)).one(catalog.reader()).await?;
    row.map(from_pair).transpose()
}

/// Lists boxes of one organization, or of all.
pub async fn list(catalog: &Catalog, filter: &BoxFilter, page: Page) -> Result<Paged<OwnedBox>> {
    let column = match filter.sort {
        BoxSort::Name => table::Column::NameKey,
        BoxSort::Created => table::Column::CreatedAt,
        BoxSort::Updated => table::Column::UpdatedAt,
        BoxSort::Downloads => table::Column::Downloads,
    };
    let visible = match &filter.visibility {
        Visibility::All => Condition::all(),
        Visibility::Public => Condition::all().add(table::Column::IsPublic.eq(true)),
        Visibility::MemberOf(ids) => Condition::any()
            .add(table::Column::IsPublic.eq(true))
            .add(table::Column::OrganizationId.is_in(ids.iter().map(|id| id.0))),
    };
    let mut select = with_organization().filter(visible);
    if let Some(organization) = filter.organization {
        select = select.filter(table::Column::OrganizationId.eq(organization.0));
    }
    if let Some(found) = matches(table::Column::SearchText, filter.q.as_deref()) {
        select = select.filter(found);
    }
    let select = select.order_by(column, filter.order.into()).order_by_asc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_pair).await
}

/// Changes a box.
///
/// # Errors
/// `NotFound(Box)`; `AlreadyExists(BoxName)`.
pub async fn update(catalog: &Catalog, id: BoxId, changes: BoxChanges) -> Result<VagrantBox> {
    let transaction = catalog.begin().await?;
    let before = table::Entity::find_by_id(id.0).lock_exclusive().one(&transaction).await?;
    let before = before.ok_or(CatalogError::NotFound { what: Noun::Box })?;
    let name = changes.name.as_ref().map_or(before.name.as_str(), BoxName::as_str).to_owned();
    let short = changes
        .short_description
        .as_deref()
        .map_or_else(|| before.short_description.clone(), clean);
    let mut row = before.into_active_model();
    row.search_text = Set(search_text(&[&name, &short]));
    row.name_key = Set(name.to_ascii_lowercase());
    row.name = Set(name);
    row.short_description = Set(short);
    if let Some(description) = changes.description {
        row.description = Set(clean(&description));
    }
    if let Some(readme) = changes.readme {
        row.readme = Set(Some(clean(&readme)).filter(|readme| !readme.is_empty()));
    }
    if let Some(is_public) = changes.is_public {
        row.is_public = Set(is_public);
    }
    row.updated_at = Set(catalog.now());
    let row = row.update(&transaction).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Deletes a box with its versions; the sweep finds their bytes.
///
/// # Errors
/// `NotFound(Box)`.
pub async fn delete(catalog: &Catalog, id: BoxId) -> Result<()> {
    let transaction = catalog.begin().await?;
    let gone = table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    transaction.commit().await?;
    if gone.rows_affected == 0 { Err(CatalogError::not_found(Noun::Box)) } else { Ok(()) }
}

/// Loads what Vagrant's catalogue tells of a box, by three queries whatever its size.
pub async fn describe(
    catalog: &Catalog,
    organization: &OrganizationName,
    name: &BoxName,
) -> Result<Option<BoxDescription>> {
    let Some(OwnedBox { organization, vagrant_box }) = find(catalog, organization, name).await?
    else {
        return Ok(None);
    };
    let versions = describe::released_versions(catalog, vagrant_box.id).await?;
    Ok(Some(BoxDescription { organization, vagrant_box, versions }))
}

fn with_organization() -> SelectTwo<table::Entity, organization_rows::Entity> {
    table::Entity::find()
        .join(JoinType::InnerJoin, to_organization())
        .select_also(organization_rows::Entity)
}

pub(crate) fn to_organization() -> RelationDef {
    table::Entity::belongs_to(organization_rows::Entity)
        .from(table::Column::OrganizationId)
        .to(organization_rows::Column::Id)
        .into()
}

/// Notes that something in a box changed.
pub(crate) async fn touch<C: ConnectionTrait>(
    db: &C,
    id: sea_orm::prelude::Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    table::Entity::update_many()
        .col_expr(table::Column::UpdatedAt, sea_orm::sea_query::Expr::value(now))
        .filter(table::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(())
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
        is_public: row.is_public,
        created_by: row.created_by.map(UserId),
        created_at: row.created_at,
        updated_at: row.updated_at,
        downloads: row.downloads,
    })
}
