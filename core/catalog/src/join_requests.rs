//! Requests to join an organization. A user has at most one open request to each; those that were decided may be many.

use std::time::Duration;

use boxvault_types::identity::Role;
use boxvault_types::ids::{JoinRequestId, OrganizationId, UserId};
use boxvault_types::names::{OrganizationName, UserName};
use boxvault_types::views::invitations::JoinRequestStatus;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef,
};

use crate::entity::{
    join_requests as table, memberships as member_rows, organizations as organization_rows,
    users as user_rows,
};
use crate::organizations::Organization;
use crate::outbox::{self, NewMail};
use crate::rows::{clean, insert, stored, stored_some};
use crate::{Catalog, CatalogError, Noun, Page, Paged, Result, Taken, memberships, paging};

/// An open request, as the organization sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// Its id.
    pub id: JoinRequestId,
    /// Who asks.
    pub user_id: UserId,
    /// Their name.
    pub user: UserName,
    /// Their e-mail address.
    pub email: Option<String>,
    /// How people see them.
    pub display_name: String,
    /// What they say.
    pub message: String,
    /// When they asked.
    pub created_at: DateTime<Utc>,
}

/// A request, as whoever asked sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnJoinRequest {
    /// Its id.
    pub id: JoinRequestId,
    /// The organization.
    pub organization: OrganizationName,
    /// What was said.
    pub message: String,
    /// What became of it.
    pub status: JoinRequestStatus,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was decided or withdrawn.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Asks to join, and puts letters to those who decide into the outbox.
///
/// # Errors
/// `AlreadyExists(Member)`; `AlreadyExists(JoinRequest)` while there is an open one; `NotFound(Organization)`.
pub async fn create(
    catalog: &Catalog,
    organization: &Organization,
    user: UserId,
    message: &str,
    letters: Vec<NewMail>,
) -> Result<OwnJoinRequest> {
    let now = catalog.now();
    let id = JoinRequestId::new();
    let name = organization.name.clone();
    let organization = organization.id;
    let message = clean(message);
    let row = table::Model {
        id: id.0,
        organization_id: organization.0,
        user_id: user.0,
        message: message.clone(),
        created_at: now,
        open_mark: Some(true),
        ended_at: None,
        outcome: None,
    };
    let transaction = catalog.begin().await?;
    let place = member_rows::Entity::find_by_id((organization.0, user.0));
    if place.one(&transaction).await?.is_some() {
        return Err(CatalogError::AlreadyExists { what: Taken::Member });
    }
    insert(&transaction, row).await.map_err(|error| error.without_parent(Noun::Organization))?;
    for letter in letters {
        outbox::queue_in(&transaction, now, letter).await?;
    }
    transaction.commit().await?;
    Ok(OwnJoinRequest {
        id,
        organization: name,
        message,
        status: JoinRequestStatus::Pending,
        created_at: now,
        ended_at: None,
    })
}

/// Lists the open requests to an organization, oldest first.
pub async fn list(
    catalog: &Catalog,
    organization: OrganizationId,
    page: Page,
) -> Result<Paged<JoinRequest>> {
    let select = table::Entity::find()
        .join(JoinType::InnerJoin, to_user())
        .select_also(user_rows::Entity)
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::OpenMark.eq(true))
        .order_by_asc(table::Column::CreatedAt)
        .order_by_asc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, |(row, user)| {
        let user = stored_some("join_requests.user_id", user)?;
        Ok(JoinRequest {
            id: JoinRequestId(row.id),
            user_id: UserId(user.id),
            user: stored("users.name", UserName::parse(&user.name))?,
            email: user.email,
            display_name: user.display_name,
            message: row.message,
            created_at: row.created_at,
        })
    })
    .await
}

/// Lists the requests of a user, latest first, also those that are over.
pub async fn list_of_user(
    catalog: &Catalog,
    user: UserId,
    page: Page,
) -> Result<Paged<OwnJoinRequest>> {
    let select = table::Entity::find()
        .join(JoinType::InnerJoin, to_organization())
        .select_also(organization_rows::Entity)
        .filter(table::Column::UserId.eq(user.0))
        .filter(organization_rows::Column::DeletedAt.is_null())
        .order_by_desc(table::Column::CreatedAt)
        .order_by_desc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, |(row, organization)| {
        let organization = stored_some("join_requests.organization_id", organization)?;
        let name = OrganizationName::parse(&organization.name);
        let status = match &row.outcome {
            None => JoinRequestStatus::Pending,
            Some(word) => {
                stored_some("join_requests.outcome", JoinRequestStatus::parse(word))?
            }
        };
        Ok(OwnJoinRequest {
            id: JoinRequestId(row.id),
            organization: stored("organizations.name", name)?,
            message: row.message,
            status,
            created_at: row.created_at,
            ended_at: row.ended_at,
        })
    })
    .await
}

/// Makes whoever asked a member. Answers who that is.
///
/// # Errors
/// `NotFound(JoinRequest)` when it is not open any more.
pub async fn approve(
    catalog: &Catalog,
    organization: OrganizationId,
    id: JoinRequestId,
    role: Role,
    letter: impl FnOnce(&str) -> Option<NewMail> + Send,
) -> Result<UserName> {
    decide(catalog, organization, id, Some(role), letter).await
}

/// Says no. Answers to whom.
///
/// # Errors
/// `NotFound(JoinRequest)` when it is not open any more.
pub async fn deny(
    catalog: &Catalog,
    organization: OrganizationId,
    id: JoinRequestId,
) -> Result<UserName> {
    decide(catalog, organization, id, None, |_| None).await
}

async fn decide(
    catalog: &Catalog,
    organization: OrganizationId,
    id: JoinRequestId,
    role: Option<Role>,
    letter: impl FnOnce(&str) -> Option<NewMail> + Send,
) -> Result<UserName> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let row = table::Entity::find()
        .join(JoinType::InnerJoin, to_user())
        .select_also(user_rows::Entity)
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::OpenMark.eq(true))
        .one(&transaction)
        .await?;
    let Some((row, Some(user))) = row else {
        return Err(CatalogError::not_found(Noun::JoinRequest));
    };
    let status = match role {
        Some(_) => JoinRequestStatus::Approved,
        None => JoinRequestStatus::Denied,
    };
    end(&transaction, row.id, status, now).await?;
    if let Some(role) = role {
        memberships::add_in(&transaction, organization, UserId(user.id), role, now).await?;
    }
    if let Some(letter) = user.email.as_deref().and_then(letter) {
        outbox::queue_in(&transaction, now, letter).await?;
    }
    transaction.commit().await?;
    stored("users.name", UserName::parse(&user.name))
}

/// Takes an open request back.
///
/// # Errors
/// `NotFound(JoinRequest)` when the user has no such open request.
pub async fn withdraw(catalog: &Catalog, user: UserId, id: JoinRequestId) -> Result<()> {
    let transaction = catalog.begin().await?;
    let own = table::Entity::find_by_id(id.0).filter(table::Column::UserId.eq(user.0));
    if own.one(&transaction).await?.is_none() {
        return Err(CatalogError::not_found(Noun::JoinRequest));
    }
    end(&transaction, id.0, JoinRequestStatus::Withdrawn, catalog.now()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Forgets requests that have been over for this long.
pub async fn forget_ended(catalog: &Catalog, for_at_least: Duration) -> Result<u64> {
    let wait = TimeDelta::from_std(for_at_least).unwrap_or(TimeDelta::days(36_500));
    let before = catalog.now() - wait;
    let over = table::Column::EndedAt.lte(before);
    let gone = table::Entity::delete_many().filter(over).exec(catalog.writer()).await?;
    Ok(gone.rows_affected)
}

async fn end<C: ConnectionTrait>(
    db: &C,
    id: sea_orm::prelude::Uuid,
    status: JoinRequestStatus,
    now: DateTime<Utc>,
) -> Result<()> {
    let changed = table::Entity::update_many()
        .col_expr(table::Column::OpenMark, Expr::value(None::<bool>))
        .col_expr(table::Column::EndedAt, Expr::value(Some(now)))
        .col_expr(table::Column::Outcome, Expr::value(Some(status.as_str())))
        .filter(table::Column::Id.eq(id))
        .filter(table::Column::OpenMark.eq(true))
        .exec(db)
        .await?;
    if changed.rows_affected == 0 {
        return Err(CatalogError::not_found(Noun::JoinRequest));
    }
    Ok(())
}

fn to_user() -> RelationDef {
    table::Entity::belongs_to(user_rows::Entity)
        .from(table::Column::UserId)
        .to(user_rows::Column::Id)
        .into()
}

fn to_organization() -> RelationDef {
    table::Entity::belongs_to(organization_rows::Entity)
        .from(table::Column::OrganizationId)
        .to(organization_rows::Column::Id)
        .into()
}
