//! Organizations: the owners of boxes.
//!
//! One that is deleted is found by nothing here but what restores or purges it, until the sweep purges it ([`lives`]).
//! Its name, and names that it had, lead to it and to nothing else ([`names`]).

use std::time::Duration;

use boxvault_types::identity::Role;
use boxvault_types::ids::{OrganizationId, UserId};
use boxvault_types::names::OrganizationName;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Query;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, JoinType, QueryFilter, QueryOrder, QuerySelect,
};

use crate::entity::{memberships as member_rows, organizations as table};
use crate::rows::{clean, insert, matches, search_text, stored, stored_some};
use crate::{
    Catalog, CatalogError, Noun, Order, Page, Paged, Result, memberships, paging, policies,
};

pub use boxvault_types::params::organizations::AccessMode;

mod counts;
mod lives;
pub(crate) mod names;

pub use counts::{Counts, counts};
pub use lives::{delete, find_deleted, list_deleted, purge_deleted, restore, resume, suspend};

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
    /// Since when it serves nothing and takes nothing, and why.
    pub suspension: Option<Suspension>,
    /// When it was deleted; nothing finds it since, but what restores it.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Why an organization serves nothing and takes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Since when.
    pub since: DateTime<Utc>,
    /// What its admins are told; may be empty.
    pub reason: String,
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
    /// How long the name that it had leads to it, and is nobody else's.
    pub old_name_kept_for: Duration,
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

/// Makes an organization with its first owner. A name that another one had, and that still leads there, is taken.
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
        suspended_at: None,
        suspended_reason: None,
        deleted_at: None,
    };
    let transaction = catalog.begin().await?;
    insert(&transaction, row.clone()).await.map_err(|error| error.without_parent(Noun::User))?;
    names::take(&transaction, row.id, &row.name_key, now).await?;
    memberships::add_in(&transaction, id, new.owner, Role::Owner, now).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Finds an organization by its name, or by one that it had and that is still kept, by one query.
pub async fn find(catalog: &Catalog, name: &OrganizationName) -> Result<Option<Organization>> {
    let row = named(catalog, name)
        .filter(table::Column::DeletedAt.is_null())
        .one(catalog.reader())
        .await?;
    row.map(from_row).transpose()
}

fn named(catalog: &Catalog, name: &OrganizationName) -> sea_orm::Select<table::Entity> {
    table::Entity::find()
        .join(JoinType::InnerJoin, names::of_organization())
        .filter(names::leads(name, catalog.now()))
}

/// Finds an organization by its id.
pub async fn find_by_id(catalog: &Catalog, id: OrganizationId) -> Result<Option<Organization>> {
    let row = table::Entity::find_by_id(id.0)
        .filter(table::Column::DeletedAt.is_null())
        .one(catalog.reader())
        .await?;
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
    let public = Condition::all()
        .add(table::Column::AccessMode.ne(AccessMode::Private.as_str()))
        .add(table::Column::SuspendedAt.is_null());
    let scope = match filter.scope {
        OrganizationScope::All => Condition::all(),
        OrganizationScope::OfUser(user) => Condition::all().add(of_user(user)),
        OrganizationScope::Public => public,
        OrganizationScope::VisibleTo(user) => Condition::any().add(public).add(of_user(user)),
    };
    let mut select = table::Entity::find().filter(scope).filter(table::Column::DeletedAt.is_null());
    if let Some(found) = matches(table::Column::SearchText, filter.q.as_deref()) {
        select = select.filter(found);
    }
    let select = select.order_by(column, filter.order.into()).order_by_asc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_row).await
}

/// Changes an organization. The name that it had stays its own for as long as the changes say.
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
    let (old_key, key, now) = (before.name_key.clone(), name.to_ascii_lowercase(), catalog.now());
    let mut row = before.into_active_model();
    row.search_text = Set(search_text(&[&name, &description]));
    row.name_key = Set(key.clone());
    row.name = Set(name);
    row.description = Set(description);
    if let Some(email) = changes.email {
        row.email = Set(Some(clean(&email)).filter(|email| !email.is_empty()));
    }
    if let Some(mode) = changes.access_mode {
        row.access_mode = Set(mode.as_str().to_owned());
    }
    row.updated_at = Set(now);
    let row = row.update(&transaction).await?;
    if key != old_key {
        names::take(&transaction, id.0, &key, now).await?;
        names::keep(&transaction, id.0, &old_key, now, changes.old_name_kept_for).await?;
        policies::organizations_changed(&transaction).await?;
    }
    transaction.commit().await?;
    from_row(row)
}

pub(crate) async fn lock<C: ConnectionTrait>(db: &C, id: OrganizationId) -> Result<table::Model> {
    let row = table::Entity::find_by_id(id.0)
        .filter(table::Column::DeletedAt.is_null())
        .lock_exclusive()
        .one(db)
        .await?;
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
        suspension: row
            .suspended_at
            .map(|since| Suspension { since, reason: row.suspended_reason.unwrap_or_default() }),
        deleted_at: row.deleted_at,
    })
}
