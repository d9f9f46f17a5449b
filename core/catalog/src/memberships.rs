//! Who has which role in which organization. An organization never loses its last owner.

use boxvault_types::identity::Role;
use boxvault_types::ids::{OrganizationId, UserId};
use boxvault_types::names::{OrganizationName, UserName};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, RelationDef,
};

use crate::entity::{memberships as table, organizations as organization_rows, users as user_rows};
use crate::rows::{insert, matches, stored, stored_some};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Page, Paged, Result, Taken, join_requests, paging,
    users,
};

/// The most organizations of one account that are looked at; beyond it rights are missing, never too many.
const OF_USER_MAX: u64 = 10_000;

/// A user's place in an organization, as seen by the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Its name.
    pub organization_name: OrganizationName,
    /// Whether it is deleted: there is nothing to do in it but to restore it.
    pub organization_is_deleted: bool,
    /// The role.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// A user's place in an organization, as seen by the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub user_id: UserId,
    /// Its name.
    pub name: UserName,
    /// Its e-mail address.
    pub email: Option<String>,
    /// How people see it.
    pub display_name: String,
    /// The role.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// Gives somebody a role in an organization.
///
/// # Errors
/// `AlreadyExists(Member)`; `NotFound(User)`; `NotFound(Member)` when the organization is gone.
pub async fn add(
    catalog: &Catalog,
    organization: OrganizationId,
    user: UserId,
    role: Role,
) -> Result<()> {
    let transaction = catalog.begin().await?;
    users::lock(&transaction, user).await?;
    add_in(&transaction, organization, user, role, catalog.now()).await?;
    transaction.commit().await?;
    Ok(())
}

/// The one way to become a member: there is nothing left to ask for. The caller has locked the user.
pub(crate) async fn add_in<C: ConnectionTrait>(
    db: &C,
    organization: OrganizationId,
    user: UserId,
    role: Role,
    now: DateTime<Utc>,
) -> Result<()> {
    let row = table::Model {
        organization_id: organization.0,
        user_id: user.0,
        role: role.as_str().to_owned(),
        created_at: now,
    };
    insert(db, row)
        .await
        .map_err(|error| error.taken_as(Taken::Member).without_parent(Noun::Member))?;
    join_requests::fulfil(db, organization, user, now).await
}

/// Finds somebody's role in an organization.
pub async fn find(
    catalog: &Catalog,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<Role>> {
    let row = table::Entity::find_by_id((organization.0, user.0)).one(catalog.reader()).await?;
    row.map(|row| stored_some("memberships.role", Role::parse(&row.role))).transpose()
}

/// Gives a member another role.
///
/// # Errors
/// `NotFound(Member)`; `Conflict(LastOwner)` when no owner would be left.
pub async fn set_role(
    catalog: &Catalog,
    organization: OrganizationId,
    user: UserId,
    role: Role,
) -> Result<()> {
    let transaction = catalog.begin().await?;
    let member = member_to_change(&transaction, organization, user).await?;
    if role != Role::Owner {
        keep_an_owner(&transaction, &member).await?;
    }
    table::Entity::update_many()
        .col_expr(table::Column::Role, Expr::value(role.as_str()))
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::UserId.eq(user.0))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Makes a member an owner; the owner who hands over, if it is one, becomes an admin.
///
/// # Errors
/// `NotFound(Member)` when the new owner is none.
pub async fn hand_over(
    catalog: &Catalog,
    organization: OrganizationId,
    from: UserId,
    to: UserId,
) -> Result<()> {
    let transaction = catalog.begin().await?;
    member_to_change(&transaction, organization, to).await?;
    let steps = [(from, Role::Admin, Some(Role::Owner)), (to, Role::Owner, None)];
    for (user, role, only_from) in steps {
        let mut update = table::Entity::update_many()
            .col_expr(table::Column::Role, Expr::value(role.as_str()))
            .filter(table::Column::OrganizationId.eq(organization.0))
            .filter(table::Column::UserId.eq(user.0));
        if let Some(present) = only_from {
            update = update.filter(table::Column::Role.eq(present.as_str()));
        }
        update.exec(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Takes somebody out of an organization.
///
/// # Errors
/// `NotFound(Member)`; `Conflict(LastOwner)` when no owner would be left.
pub async fn remove(catalog: &Catalog, organization: OrganizationId, user: UserId) -> Result<()> {
    let transaction = catalog.begin().await?;
    let member = member_to_change(&transaction, organization, user).await?;
    keep_an_owner(&transaction, &member).await?;
    table::Entity::delete_by_id((organization.0, user.0)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Lists the members of an organization by name.
pub async fn list(
    catalog: &Catalog,
    organization: OrganizationId,
    q: Option<&str>,
    page: Page,
) -> Result<Paged<Member>> {
    let mut select = table::Entity::find()
        .join(JoinType::InnerJoin, to_user())
        .select_also(user_rows::Entity)
        .filter(table::Column::OrganizationId.eq(organization.0));
    if let Some(found) = matches(user_rows::Column::SearchText, q) {
        select = select.filter(found);
    }
    let select = select.order_by_asc(user_rows::Column::NameKey);
    paging::fetch(catalog.reader(), select, page, |(row, user)| {
        let user = stored_some("memberships.user_id", user)?;
        Ok(Member {
            user_id: UserId(user.id),
            name: stored("users.name", UserName::parse(&user.name))?,
            email: user.email,
            display_name: user.display_name,
            role: stored_some("memberships.role", Role::parse(&row.role))?,
            created_at: row.created_at,
        })
    })
    .await
}

/// Somebody who can be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// Their address, which is proven.
    pub email: String,
    /// The language that they chose to be told things in, as a tag.
    pub language: Option<String>,
}

/// The admins and owners of an organization who can be written to, by name, at most so many. Suspended ones are left
/// out.
pub async fn list_admins_to_tell(
    catalog: &Catalog,
    organization: OrganizationId,
    limit: u64,
) -> Result<Vec<Addressee>> {
    let rows: Vec<(Option<String>, Option<String>)> = table::Entity::find()
        .join(JoinType::InnerJoin, to_user())
        .select_only()
        .column(user_rows::Column::Email)
        .column(user_rows::Column::Language)
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::Role.is_in([Role::Admin.as_str(), Role::Owner.as_str()]))
        .filter(user_rows::Column::EmailVerifiedAt.is_not_null())
        .filter(user_rows::Column::SuspendedAt.is_null())
        .order_by_asc(user_rows::Column::NameKey)
        .limit(limit)
        .into_tuple()
        .all(catalog.reader())
        .await?;
    let addressees = rows.into_iter();
    Ok(addressees
        .filter_map(|(email, language)| Some(Addressee { email: email?, language }))
        .collect())
}

/// All organizations of a user, by name; deleted ones, too.
pub async fn of_user(catalog: &Catalog, user: UserId) -> Result<Vec<Membership>> {
    of_user_in(catalog.reader(), user).await
}

pub(crate) async fn of_user_in<C: ConnectionTrait>(
    db: &C,
    user: UserId,
) -> Result<Vec<Membership>> {
    let rows = table::Entity::find()
        .join(JoinType::InnerJoin, to_organization())
        .select_also(organization_rows::Entity)
        .filter(table::Column::UserId.eq(user.0))
        .order_by_asc(organization_rows::Column::NameKey)
        .limit(OF_USER_MAX)
        .all(db)
        .await?;
    rows.into_iter()
        .map(|(row, organization)| {
            let organization = stored_some("memberships.organization_id", organization)?;
            let name = OrganizationName::parse(&organization.name);
            Ok(Membership {
                organization_id: OrganizationId(organization.id),
                organization_name: stored("organizations.name", name)?,
                organization_is_deleted: organization.deleted_at.is_some(),
                role: stored_some("memberships.role", Role::parse(&row.role))?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// Holds organizations until the transaction ends, so that their owners do not change meanwhile.
pub(crate) async fn lock_organizations<C: ConnectionTrait>(
    db: &C,
    ids: &[OrganizationId],
) -> Result<()> {
    organization_rows::Entity::find()
        .filter(organization_rows::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .order_by_asc(organization_rows::Column::Id)
        .lock_exclusive()
        .all(db)
        .await?;
    Ok(())
}

async fn member_to_change<C: ConnectionTrait>(
    db: &C,
    organization: OrganizationId,
    user: UserId,
) -> Result<table::Model> {
    lock_organizations(db, &[organization]).await?;
    let row = table::Entity::find_by_id((organization.0, user.0)).one(db).await?;
    row.ok_or(CatalogError::NotFound { what: Noun::Member })
}

async fn keep_an_owner<C: ConnectionTrait>(db: &C, leaving: &table::Model) -> Result<()> {
    if Role::parse(&leaving.role) != Some(Role::Owner) {
        return Ok(());
    }
    let others = table::Entity::find()
        .filter(table::Column::OrganizationId.eq(leaving.organization_id))
        .filter(table::Column::UserId.ne(leaving.user_id))
        .filter(table::Column::Role.eq(Role::Owner.as_str()))
        .count(db)
        .await?;
    if others == 0 { Err(CatalogError::conflict(ConflictReason::LastOwner)) } else { Ok(()) }
}

fn to_user() -> RelationDef {
    table::Entity::belongs_to(user_rows::Entity)
        .from(table::Column::UserId)
        .to(user_rows::Column::Id)
        .into()
}

pub(crate) fn to_organization() -> RelationDef {
    table::Entity::belongs_to(organization_rows::Entity)
        .from(table::Column::OrganizationId)
        .to(organization_rows::Column::Id)
        .into()
}
