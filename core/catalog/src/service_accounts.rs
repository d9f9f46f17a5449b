//! Service accounts: callers of their own that belong to one organization, known by the SHA-256 of their secret.
//!
//! Each has a sponsor, the user who made it or last gave it a new secret. It never may more than its sponsor may now;
//! without one it may nothing. Its organization is known by its id, so that a rename changes nothing.

use boxvault_types::identity::{Role, TokenScope};
use boxvault_types::ids::{OrganizationId, ServiceAccountId, UserId};
use boxvault_types::names::{OrganizationName, ServiceAccountName, UserName};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef, Select,
    SelectTwo,
};

use crate::accounts::{self, Account};
use crate::clock::whole_micros;
use crate::entity::{
    organizations as organization_rows, service_accounts as table, users as user_rows,
};
use crate::rows::{Hash, clean, insert, matches, stored, stored_some};
use crate::{Catalog, CatalogError, Noun, Page, Paged, Result, paging, users};

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Its name in the organization.
    pub name: ServiceAccountName,
    /// What it is for.
    pub description: String,
    /// Its role there, as long as its sponsor has no lower one.
    pub role: Role,
    /// What it is limited to beside that; of the organization it always is.
    pub scope: TokenScope,
    /// Who vouches for it, unless that account is gone.
    pub sponsor: Option<UserName>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When its secret ends by itself.
    pub expires_at: DateTime<Utc>,
    /// Since when its secret is refused.
    pub suspended_at: Option<DateTime<Utc>>,
    /// When it was last used, give or take a batch.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A service account to make.
#[derive(Clone)]
pub struct NewServiceAccount {
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// Its name in the organization.
    pub name: ServiceAccountName,
    /// What it is for.
    pub description: String,
    /// Its role there.
    pub role: Role,
    /// What it is limited to.
    pub scope: TokenScope,
    /// Its secret.
    pub secret: Secret,
}

/// A secret, who vouches for what is done with it, and until when.
#[derive(Clone, Copy)]
pub struct Secret {
    /// The SHA-256 of it.
    pub hash: Hash,
    /// The account that hands it out.
    pub sponsor: UserId,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// What to change of a service account; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceAccountChanges {
    /// What it is for.
    pub description: Option<String>,
    /// Its role.
    pub role: Option<Role>,
    /// Whether its secret is refused.
    pub suspended: Option<bool>,
}

/// A service account that may act now, with all that its rights depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveServiceAccount {
    /// The account.
    pub service: ServiceAccount,
    /// The present name of its organization.
    pub organization: OrganizationName,
    /// Who vouches for it.
    pub sponsor: Account,
}

/// Makes a service account.
///
/// # Errors
/// `AlreadyExists(ServiceAccount)`; `NotFound(Organization)` when that, or the sponsor, is gone.
pub async fn create(catalog: &Catalog, new: NewServiceAccount) -> Result<ServiceAccount> {
    let now = catalog.now();
    let row = table::Model {
        id: ServiceAccountId::new().0,
        organization_id: new.organization_id.0,
        name: new.name.as_str().to_owned(),
        name_key: new.name.key(),
        description: clean(&new.description),
        role: new.role.as_str().to_owned(),
        secret_hash: new.secret.hash.to_vec(),
        scope: serde_json::to_string(&new.scope).map_err(CatalogError::unexpected)?,
        sponsor_id: Some(new.secret.sponsor.0),
        created_at: now,
        updated_at: now,
        expires_at: whole_micros(new.secret.expires_at),
        suspended_at: None,
        last_used_at: None,
    };
    insert(catalog.writer(), row)
        .await
        .map_err(|error| error.without_parent(Noun::Organization))?;
    read(catalog, new.organization_id, &new.name).await
}

/// Finds a service account of an organization.
pub async fn find(
    catalog: &Catalog,
    organization: OrganizationId,
    name: &ServiceAccountName,
) -> Result<Option<ServiceAccount>> {
    let row = with_sponsor(table::Entity::find())
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::NameKey.eq(name.key()))
        .one(catalog.reader())
        .await?;
    row.map(from_pair).transpose()
}

async fn read(
    catalog: &Catalog,
    organization: OrganizationId,
    name: &ServiceAccountName,
) -> Result<ServiceAccount> {
    let found = find(catalog, organization, name).await?;
    found.ok_or(CatalogError::NotFound { what: Noun::ServiceAccount })
}

/// Finds a service account by its secret, by four queries: one that is neither suspended nor expired, whose organization
/// is not deleted, and whose sponsor may sign in.
pub async fn find_live(catalog: &Catalog, hash: &Hash) -> Result<Option<LiveServiceAccount>> {
    find_live_where(catalog, table::Column::SecretHash.eq(hash.to_vec())).await
}

/// The same by its id, for what was made by a service account and is to die with it.
pub async fn find_live_by_id(
    catalog: &Catalog,
    id: ServiceAccountId,
) -> Result<Option<LiveServiceAccount>> {
    find_live_where(catalog, table::Column::Id.eq(id.0)).await
}

async fn find_live_where(catalog: &Catalog, is_it: Expr) -> Result<Option<LiveServiceAccount>> {
    let row = with_sponsor(table::Entity::find())
        .filter(is_it)
        .filter(table::Column::ExpiresAt.gt(catalog.now()))
        .filter(table::Column::SuspendedAt.is_null())
        .filter(user_rows::Column::SuspendedAt.is_null())
        .one(catalog.reader())
        .await?;
    let Some((row, Some(sponsor))) = row else { return Ok(None) };
    let organization = organization_rows::Entity::find_by_id(row.organization_id)
        .filter(organization_rows::Column::DeletedAt.is_null())
        .one(catalog.reader())
        .await?;
    let Some(organization) = organization else { return Ok(None) };
    let name = OrganizationName::parse(&organization.name);
    let service = from_pair((row, Some(sponsor.clone())))?;
    Ok(Some(LiveServiceAccount {
        service,
        organization: stored("organizations.name", name)?,
        sponsor: accounts::complete(catalog.reader(), users::from_row(sponsor)?).await?,
    }))
}

/// Lists the service accounts of an organization by name.
pub async fn list(
    catalog: &Catalog,
    organization: OrganizationId,
    q: Option<&str>,
    page: Page,
) -> Result<Paged<ServiceAccount>> {
    let mut select = with_sponsor(table::Entity::find())
        .filter(table::Column::OrganizationId.eq(organization.0));
    if let Some(found) = matches(table::Column::NameKey, q) {
        select = select.filter(found);
    }
    let select = select.order_by_asc(table::Column::NameKey);
    paging::fetch(catalog.reader(), select, page, from_pair).await
}

/// Changes a service account.
///
/// # Errors
/// `NotFound(ServiceAccount)`.
pub async fn update(
    catalog: &Catalog,
    organization: OrganizationId,
    name: &ServiceAccountName,
    changes: ServiceAccountChanges,
) -> Result<ServiceAccount> {
    let now = catalog.now();
    let mut update = one(organization, name).col_expr(table::Column::UpdatedAt, Expr::value(now));
    if let Some(description) = changes.description {
        update = update.col_expr(table::Column::Description, Expr::value(clean(&description)));
    }
    if let Some(role) = changes.role {
        update = update.col_expr(table::Column::Role, Expr::value(role.as_str()));
    }
    if let Some(suspended) = changes.suspended {
        let since = suspended.then_some(now);
        update = update.col_expr(table::Column::SuspendedAt, Expr::value(since));
    }
    let transaction = catalog.begin().await?;
    let changed = update.exec(&transaction).await?;
    transaction.commit().await?;
    found(changed.rows_affected)?;
    read(catalog, organization, name).await
}

/// Gives a service account another secret; the one before ends at once. Whoever hands it out vouches from now on.
///
/// # Errors
/// `NotFound(ServiceAccount)`.
pub async fn set_secret(
    catalog: &Catalog,
    organization: OrganizationId,
    name: &ServiceAccountName,
    secret: Secret,
) -> Result<ServiceAccount> {
    let transaction = catalog.begin().await?;
    let changed = one(organization, name)
        .col_expr(table::Column::SecretHash, Expr::value(secret.hash.to_vec()))
        .col_expr(table::Column::SponsorId, Expr::value(Some(secret.sponsor.0)))
        .col_expr(table::Column::ExpiresAt, Expr::value(whole_micros(secret.expires_at)))
        .col_expr(table::Column::UpdatedAt, Expr::value(catalog.now()))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    found(changed.rows_affected)?;
    read(catalog, organization, name).await
}

/// Deletes a service account.
///
/// # Errors
/// `NotFound(ServiceAccount)`.
pub async fn delete(
    catalog: &Catalog,
    organization: OrganizationId,
    name: &ServiceAccountName,
) -> Result<()> {
    let transaction = catalog.begin().await?;
    let gone = table::Entity::delete_many()
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::NameKey.eq(name.key()))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    found(gone.rows_affected)
}

/// Notes that service accounts were used just now, all by one statement.
pub async fn touch(catalog: &Catalog, ids: &[ServiceAccountId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    table::Entity::update_many()
        .col_expr(table::Column::LastUsedAt, Expr::value(Some(catalog.now())))
        .filter(table::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .exec(catalog.writer())
        .await?;
    Ok(())
}

fn one(
    organization: OrganizationId,
    name: &ServiceAccountName,
) -> sea_orm::UpdateMany<table::Entity> {
    table::Entity::update_many()
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::NameKey.eq(name.key()))
}

fn found(rows: u64) -> Result<()> {
    if rows == 0 { Err(CatalogError::not_found(Noun::ServiceAccount)) } else { Ok(()) }
}

fn with_sponsor(select: Select<table::Entity>) -> SelectTwo<table::Entity, user_rows::Entity> {
    let to_sponsor: RelationDef = table::Entity::belongs_to(user_rows::Entity)
        .from(table::Column::SponsorId)
        .to(user_rows::Column::Id)
        .into();
    select.join(JoinType::LeftJoin, to_sponsor).select_also(user_rows::Entity)
}

fn from_pair((row, sponsor): (table::Model, Option<user_rows::Model>)) -> Result<ServiceAccount> {
    let sponsor = sponsor.map(|user| stored("users.name", UserName::parse(&user.name)));
    Ok(ServiceAccount {
        id: ServiceAccountId(row.id),
        organization_id: OrganizationId(row.organization_id),
        name: stored("service_accounts.name", ServiceAccountName::parse(&row.name))?,
        description: row.description,
        role: stored_some("service_accounts.role", Role::parse(&row.role))?,
        scope: stored("service_accounts.scope", serde_json::from_str(&row.scope))?,
        sponsor: sponsor.transpose()?,
        created_at: row.created_at,
        updated_at: row.updated_at,
        expires_at: row.expires_at,
        suspended_at: row.suspended_at,
        last_used_at: row.last_used_at,
    })
}
