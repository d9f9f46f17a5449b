//! API tokens: long-lived, opaque, kept only as the SHA-256 of their secret.

use boxvault_types::identity::TokenScope;
use boxvault_types::ids::{OrganizationId, TokenId, UserId};
use boxvault_types::names::OrganizationName;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef, SelectTwo,
};

use crate::accounts::{self, Account};
use crate::clock::whole_micros;
use crate::entity::{api_tokens as table, organizations as organization_rows, users as user_rows};
use crate::rows::{Hash, clean, insert, stored, stored_some};
use crate::{Catalog, CatalogError, Noun, Page, Paged, Result, organizations, paging, users};

/// An API token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is for.
    pub description: String,
    /// What it may at most be used for; the organization by its present name.
    pub scope: TokenScope,
    /// The organization that it is limited to.
    pub organization_id: Option<OrganizationId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, give or take a batch.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was withdrawn.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A token to make.
#[derive(Clone)]
pub struct NewToken {
    /// Whose it is.
    pub user_id: UserId,
    /// What it is for.
    pub description: String,
    /// The SHA-256 of its secret.
    pub token_hash: Hash,
    /// What it may at most be used for.
    pub scope: TokenScope,
    /// The organization of the scope: it is the same one, whatever it will be called.
    pub organization_id: Option<OrganizationId>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a token.
///
/// # Errors
/// `AlreadyExists(Token)`; `NotFound(User)` when the account is gone.
pub async fn create(catalog: &Catalog, new: NewToken) -> Result<ApiToken> {
    let row = table::Model {
        id: TokenId::new().0,
        user_id: new.user_id.0,
        description: clean(&new.description),
        token_hash: new.token_hash.to_vec(),
        scope: serde_json::to_string(&new.scope).map_err(CatalogError::unexpected)?,
        created_at: catalog.now(),
        expires_at: new.expires_at.map(whole_micros),
        last_used_at: None,
        revoked_at: None,
        organization_id: new.organization_id.map(|id| id.0),
    };
    insert(catalog.writer(), row.clone())
        .await
        .map_err(|error| error.without_parent(Noun::User))?;
    from_row(row)
}

/// Finds a token that is neither withdrawn nor expired, whose account may sign in, and whose organization, if it is limited
/// to one, is there; by three queries, and one more where the account is no member of that organization.
pub async fn find_live(catalog: &Catalog, hash: &Hash) -> Result<Option<(ApiToken, Account)>> {
    find_live_where(catalog, table::Column::TokenHash.eq(hash.to_vec())).await
}

/// The same by its id, for what was made with a token and is to die with it.
pub async fn find_live_by_id(
    catalog: &Catalog,
    id: TokenId,
) -> Result<Option<(ApiToken, Account)>> {
    find_live_where(catalog, table::Column::Id.eq(id.0)).await
}

async fn find_live_where(catalog: &Catalog, is_it: Expr) -> Result<Option<(ApiToken, Account)>> {
    let row = table::Entity::find()
        .join(JoinType::InnerJoin, to_user())
        .select_also(user_rows::Entity)
        .filter(is_it)
        .filter(live(catalog.now()))
        .filter(user_rows::Column::SuspendedAt.is_null())
        .one(catalog.reader())
        .await?;
    let Some((row, user)) = row else {
        return Ok(None);
    };
    let user = users::from_row(stored_some("api_tokens.user_id", user)?)?;
    let account = accounts::complete(catalog.reader(), user).await?;
    let mut token = from_row(row)?;
    // a name alone is nobody's: whoever has it now may be another one than it was meant for
    if token.organization_id.is_none() && token.scope.organization.is_some() {
        return Ok(None);
    }
    if let Some(id) = token.organization_id {
        let own = account.memberships.iter().find(|place| place.organization_id == id);
        let name = match own {
            Some(place) => Some(place.organization_name.clone()),
            None => organizations::find_by_id(catalog, id).await?.map(|found| found.name),
        };
        let Some(name) = name else { return Ok(None) };
        token.scope.organization = Some(name);
    }
    Ok(Some((token, account)))
}

/// Finds a token of a user that is not withdrawn.
pub async fn find(catalog: &Catalog, user: UserId, id: TokenId) -> Result<Option<ApiToken>> {
    let row = of_user(user).filter(table::Column::Id.eq(id.0)).one(catalog.reader()).await?;
    row.map(from_pair).transpose()
}

/// Lists the tokens of a user that are not withdrawn, newest first; expired ones, too.
pub async fn list(catalog: &Catalog, user: UserId, page: Page) -> Result<Paged<ApiToken>> {
    let select =
        of_user(user).order_by_desc(table::Column::CreatedAt).order_by_desc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_pair).await
}

fn of_user(user: UserId) -> SelectTwo<table::Entity, organization_rows::Entity> {
    let to_organization: RelationDef = table::Entity::belongs_to(organization_rows::Entity)
        .from(table::Column::OrganizationId)
        .to(organization_rows::Column::Id)
        .into();
    table::Entity::find()
        .join(JoinType::LeftJoin, to_organization)
        .select_also(organization_rows::Entity)
        .filter(table::Column::UserId.eq(user.0))
        .filter(table::Column::RevokedAt.is_null())
}

/// Withdraws a token of a user.
///
/// # Errors
/// `NotFound(Token)` when the user has no such token, or it was withdrawn before.
pub async fn revoke(catalog: &Catalog, user: UserId, id: TokenId) -> Result<()> {
    let revoked = table::Entity::update_many()
        .col_expr(table::Column::RevokedAt, Expr::value(Some(catalog.now())))
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::UserId.eq(user.0))
        .filter(table::Column::RevokedAt.is_null())
        .exec(catalog.writer())
        .await?;
    if revoked.rows_affected == 0 {
        return Err(CatalogError::not_found(Noun::Token));
    }
    Ok(())
}

/// Notes that tokens were used just now, all by one statement.
pub async fn touch(catalog: &Catalog, ids: &[TokenId]) -> Result<()> {
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

fn live(now: DateTime<Utc>) -> Condition {
    let unexpired = Condition::any()
        .add(table::Column::ExpiresAt.is_null())
        .add(table::Column::ExpiresAt.gt(now));
    Condition::all().add(table::Column::RevokedAt.is_null()).add(unexpired)
}

fn to_user() -> RelationDef {
    table::Entity::belongs_to(user_rows::Entity)
        .from(table::Column::UserId)
        .to(user_rows::Column::Id)
        .into()
}

/// A token with the present name of its organization.
fn from_pair(
    (row, organization): (table::Model, Option<organization_rows::Model>),
) -> Result<ApiToken> {
    let mut token = from_row(row)?;
    if let Some(organization) = organization {
        let name = OrganizationName::parse(&organization.name);
        token.scope.organization = Some(stored("organizations.name", name)?);
    }
    Ok(token)
}

fn from_row(row: table::Model) -> Result<ApiToken> {
    Ok(ApiToken {
        id: TokenId(row.id),
        user_id: UserId(row.user_id),
        description: row.description,
        scope: stored("api_tokens.scope", serde_json::from_str(&row.scope))?,
        organization_id: row.organization_id.map(OrganizationId),
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        revoked_at: row.revoked_at,
    })
}
