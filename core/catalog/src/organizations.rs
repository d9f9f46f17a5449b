//! Organizations: the owners of boxes.

use boxvault_types::identity::Role;
use boxvault_types::ids::{OrganizationId, UserId};
use boxvault_types::names::OrganizationName;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Query;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use crate::entity::{boxes as box_rows, memberships as member_rows, organizations as table};
use crate::rows::{clean, insert, matches, search_text, stored, stored_some};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Order, Page, Paged, Result, memberships, paging,
};

pub use boxvault_types::params::organizations::AccessMode;

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: OrganizationName,
    /// What it is, for people.
    pub description: String,
    /// How to reach it.
    pub email: Option<String>,
    /// Who sees it, and how one becomes a member.
    pub access_mode: AccessMode,
    /// Who made it, unless that account is gone.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// An organization to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrganization {
    /// Its name.
    pub name: OrganizationName,
    /// What it is, for people.
    pub description: String,
    /// How to reach it.
    pub email: Option<String>,
    /// Who sees it, and how one becomes a member.
    pub access_mode: AccessMode,
    /// Who makes it, and becomes its owner.
    pub owner: UserId,
}

/// What to change of an organization; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationChanges {
    /// Its name.
    pub name: Option<OrganizationName>,
    /// What it is, for people.
    pub description: Option<String>,
    /// How to reach it; an empty text takes it away.
    pub email: Option<String>,
    /// Who sees it, and how one becomes a member.
    pub access_mode: Option<AccessMode>,
}

/// Which organizations a list may show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OrganizationScope {
    /// All of them.
    All,
    /// Those that a user is a member of.
    OfUser(UserId),
    /// Those that everybody sees.
    #[default]
    Public,
    /// Those that everybody sees, and those that a user is a member of.
    VisibleTo(UserId),
}

/// What a list of organizations is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrganizationSort {
    /// The name.
    #[default]
    Name,
    /// When it was made.
    Created,
    /// When it was last changed.
    Updated,
}

/// Which organizations to list, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationFilter {
    /// Which may be shown.
    pub scope: OrganizationScope,
    /// Part of the name or the description.
    pub q: Option<String>,
    /// What to sort by.
    pub sort: OrganizationSort,
    /// Which end first.
    pub order: Order,
}

/// What to do with the boxes of an organization that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Refuse while there are any.
    Keep,
    /// Delete them with it; the sweep finds their bytes.
    Delete,
}

/// Makes an organization with its first owner.
///
/// # Errors
/// `AlreadyExists(OrganizationName)`; `NotFound(User)` when the owner is gone.
pub async fn create(catalog: &Catalog, new: NewOrganization) -> Result<Organization> {
    let now = catalog.now();
    let id = OrganizationId::new();
    let description = clean(&new.description);
    let row = table::Model {
        id: id.0,
        name: new.name.as_str().to_owned(),
        name_key: new.name.key(),
        search_text: search_text(&[new.name.as_str(), &description]),
        description,
        email: new.email.as_deref().map(clean),
        access_mode: new.access_mode.as_str().to_owned(),
        created_by: Some(new.owner.0),
        created_at: now,
        updated_at: now,
    };
    let transaction = catalog.begin().await?;
    insert(&transaction, row.clone()).await.map_err(|error| error.without_parent(Noun::User))?;
    memberships::add_in(&transaction, id, new.owner, Role::Owner, now).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Finds an organization by its name.
pub async fn find(catalog: &Catalog, name: &OrganizationName) -> Result<Option<Organization>> {
    let named = table::Column::NameKey.eq(name.key());
    let row = table::Entity::find().filter(named).one(catalog.reader()).await?;
    row.map(from_row).transpose()
}

/// Finds an organization by its id.
pub async fn find_by_id(catalog: &Catalog, id: OrganizationId) -> Result<Option<Organization>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    row.map(from_row).transpose()
}

/// Lists organizations.
pub async fn list(
    catalog: &Catalog,
    filter: &OrganizationFilter,
    page: Page,
) -> Result<Paged<Organization>> {
    let column = match filter.sort {
        OrganizationSort::Name => table::Column::NameKey,
        OrganizationSort::Created => table::Column::CreatedAt,
        OrganizationSort::Updated => table::Column::UpdatedAt,
    };
    let of_user = |user: UserId| {
        table::Column::Id.in_subquery(
            Query::select()
                .column(member_rows::Column::OrganizationId)
                .from(member_rows::Entity)
                .and_where(member_rows::Column::UserId.eq(user.0))
                .take(),
        )
    };
    let public = table::Column::AccessMode.ne(AccessMode::Private.as_str());
    let scope = match filter.scope {
        OrganizationScope::All => Condition::all(),
        OrganizationScope::OfUser(user) => Condition::all().add(of_user(user)),
        OrganizationScope::Public => Condition::all().add(public),
        OrganizationScope::VisibleTo(user) => Condition::any().add(public).add(of_user(user)),
    };
    let mut select = table::Entity::find().filter(scope);
    if let Some(found) = matches(table::Column::SearchText, filter.q.as_deref()) {
        select = select.filter(found);
    }
    let select = select.order_by(column, filter.order.into()).order_by_asc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_row).await
}

/// Changes an organization.
///
/// # Errors
/// `NotFound(Organization)`; `AlreadyExists(OrganizationName)`.
pub async fn update(
    catalog: &Catalog,
    id: OrganizationId,
    changes: OrganizationChanges,
) -> Result<Organization> {
    let transaction = catalog.begin().await?;
    let before = lock(&transaction, id).await?;
    let name =
        changes.name.as_ref().map_or(before.name.as_str(), OrganizationName::as_str).to_owned();
    let description =
        changes.description.as_deref().map_or_else(|| before.description.clone(), clean);
    let mut row = before.into_active_model();
    row.search_text = Set(search_text(&[&name, &description]));
    row.name_key = Set(name.to_ascii_lowercase());
    row.name = Set(name);
    row.description = Set(description);
    if let Some(email) = changes.email {
        row.email = Set(Some(clean(&email)).filter(|email| !email.is_empty()));
    }
    if let Some(mode) = changes.access_mode {
        row.access_mode = Set(mode.as_str().to_owned());
    }
    row.updated_at = Set(catalog.now());
    let row = row.update(&transaction).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Deletes an organization.
///
/// # Errors
/// `NotFound(Organization)`; `Conflict(NotEmpty)` when it has boxes and they are to be kept.
pub async fn delete(catalog: &Catalog, id: OrganizationId, contents: Contents) -> Result<()> {
    let transaction = catalog.begin().await?;
    lock(&transaction, id).await?;
    if contents == Contents::Keep {
        let inside = box_rows::Column::OrganizationId.eq(id.0);
        let there = box_rows::Column::DeletedAt.is_null();
        let first = box_rows::Entity::find()
            .filter(inside)
            .filter(there)
            .limit(1)
            .one(&transaction)
            .await?;
        if first.is_some() {
            return Err(CatalogError::conflict(ConflictReason::NotEmpty));
        }
    }
    table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

pub(crate) async fn lock<C: ConnectionTrait>(db: &C, id: OrganizationId) -> Result<table::Model> {
    let row = table::Entity::find_by_id(id.0).lock_exclusive().one(db).await?;
    row.ok_or(CatalogError::NotFound { what: Noun::Organization })
}

pub(crate) fn from_row(row: table::Model) -> Result<Organization> {
    Ok(Organization {
        id: OrganizationId(row.id),
        name: stored("organizations.name", OrganizationName::parse(&row.name))?,
        description: row.description,
        email: row.email,
        access_mode: stored_some("organizations.access_mode", AccessMode::parse(&row.access_mode))?,
        created_by: row.created_by.map(UserId),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
