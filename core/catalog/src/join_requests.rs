//! Requests to join an organization. A user has at most one open request to each; those that are over may be many.
//!
//! What is over stays for a while, since it counts against how often somebody may ask. Whoever becomes a member by
//! another way has no open request any more (`memberships::add_in`). Whoever decides or asks locks the user first,
//! then the organization, as everybody does who makes members.

use std::time::Duration;

use boxvault_types::identity::Role;
use boxvault_types::ids::{JoinRequestId, OrganizationId, UserId};
use boxvault_types::names::{OrganizationName, UserName};
pub use boxvault_types::views::join_requests::JoinRequestStatus;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, RelationDef, SelectTwo,
};

use crate::entity::{
    join_requests as table, memberships as member_rows, organizations as organization_rows,
    users as user_rows,
};
use crate::organizations::{self, AccessMode};
use crate::outbox::{self, NewMail};
use crate::rows::{clean, insert, stored, stored_some};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Page, Paged, Result, Taken, memberships, paging,
    users,
};

/// An open request, as the organization sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// Its id.
    pub id: JoinRequestId,
    /// Who asks.
    pub user_id: UserId,
    /// Their name.
    pub user: UserName,
    /// Their e-mail address, if it is proven.
    pub proven_email: Option<String>,
    /// The language that they chose to be told things in, as a tag.
    pub language: Option<String>,
    /// How people see them.
    pub display_name: String,
    /// Whether the account is suspended.
    pub suspended: bool,
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

/// A request to make.
#[derive(Debug, Clone)]
pub struct NewJoinRequest {
    /// Its id, which messages name.
    pub id: JoinRequestId,
    /// To which organization.
    pub organization_id: OrganizationId,
    /// Who asks.
    pub user_id: UserId,
    /// What they say.
    pub message: String,
    /// The messages that tell of it.
    pub letters: Vec<NewMail>,
}

/// How often somebody may ask.
#[derive(Debug, Clone, Copy)]
pub struct AskLimits {
    /// How many requests within a day, to whichever organizations.
    pub per_day: u64,
    /// How long after a request there is none to the same organization.
    pub pause: Duration,
}

/// Asks to join, and puts the messages to those who decide into the outbox.
///
/// # Errors
/// `AlreadyExists(Member)`; `Conflict(RequestsClosed)` when the organization does not take requests;
/// `AlreadyExists(JoinRequest)` while there is one that is open; `Conflict(AskedLately)`, `Conflict(TooManyRequests)`;
/// `NotFound` for the user or the organization.
pub async fn create(
    catalog: &Catalog,
    new: NewJoinRequest,
    limits: AskLimits,
) -> Result<OwnJoinRequest> {
    let now = catalog.now();
    let row = table::Model {
        id: new.id.0,
        organization_id: new.organization_id.0,
        user_id: new.user_id.0,
        message: clean(&new.message),
        created_at: now,
        open_mark: Some(true),
        ended_at: None,
        outcome: None,
    };
    let transaction = catalog.begin().await?;
    users::lock(&transaction, new.user_id).await?;
    let organization = organizations::lock(&transaction, new.organization_id).await?;
    let place = member_rows::Entity::find_by_id((row.organization_id, row.user_id));
    if place.one(&transaction).await?.is_some() {
        return Err(CatalogError::AlreadyExists { what: Taken::Member });
    }
    let takes_requests = organization.access_mode == AccessMode::RequestToJoin.as_str();
    if !takes_requests || organization.suspended_at.is_some() {
        return Err(CatalogError::conflict(ConflictReason::RequestsClosed));
    }
    let open = of(new.organization_id, new.user_id).add(table::Column::OpenMark.eq(true));
    if table::Entity::find().filter(open).one(&transaction).await?.is_some() {
        return Err(CatalogError::AlreadyExists { what: Taken::JoinRequest });
    }
    check_limits(&transaction, &new, limits, now).await?;
    insert(&transaction, row.clone()).await?;
    outbox::queue_all_in(&transaction, now, new.letters).await?;
    transaction.commit().await?;
    own_from_pair((row, Some(organization)))
}

/// Refuses one request too many: soon after another one to the same organization, or over what a day allows.
async fn check_limits<C: ConnectionTrait>(
    db: &C,
    new: &NewJoinRequest,
    limits: AskLimits,
    now: DateTime<Utc>,
) -> Result<()> {
    let pause = TimeDelta::from_std(limits.pause).unwrap_or(TimeDelta::days(36_500));
    let lately = table::Entity::find()
        .filter(of(new.organization_id, new.user_id))
        .filter(table::Column::CreatedAt.gt(now - pause));
    if lately.limit(1).one(db).await?.is_some() {
        return Err(CatalogError::conflict(ConflictReason::AskedLately));
    }
    let today = table::Entity::find()
        .filter(table::Column::UserId.eq(new.user_id.0))
        .filter(table::Column::CreatedAt.gt(now - TimeDelta::days(1)))
        .count(db)
        .await?;
    if today >= limits.per_day {
        return Err(CatalogError::conflict(ConflictReason::TooManyRequests));
    }
    Ok(())
}

/// Finds an open request to an organization.
///
/// # Errors
/// `NotFound(JoinRequest)`.
pub async fn read(
    catalog: &Catalog,
    organization: OrganizationId,
    id: JoinRequestId,
) -> Result<JoinRequest> {
    let row =
        waiting(organization).filter(table::Column::Id.eq(id.0)).one(catalog.reader()).await?;
    from_pair(row.ok_or(CatalogError::NotFound { what: Noun::JoinRequest })?)
}

/// Lists the open requests to an organization, oldest first.
pub async fn list(
    catalog: &Catalog,
    organization: OrganizationId,
    page: Page,
) -> Result<Paged<JoinRequest>> {
    let select = waiting(organization)
        .order_by_asc(table::Column::CreatedAt)
        .order_by_asc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_pair).await
}

/// Lists the requests of a user, latest first, also those that are over. Of an organization that nobody but its
/// members may know by now, only the open one and the approved ones show.
pub async fn list_of_user(
    catalog: &Catalog,
    user: UserId,
    page: Page,
) -> Result<Paged<OwnJoinRequest>> {
    let known = Condition::any()
        .add(organization_rows::Column::AccessMode.ne(AccessMode::Private.as_str()))
        .add(table::Column::Outcome.is_null())
        .add(table::Column::Outcome.eq(JoinRequestStatus::Approved.as_str()));
    let select = of_user(user)
        .filter(known)
        .order_by_desc(table::Column::CreatedAt)
        .order_by_desc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, own_from_pair).await
}

/// Makes whoever asked a member, and puts the message to them into the outbox.
///
/// # Errors
/// `NotFound(JoinRequest)` when it is not open (any more); `Conflict(AccountSuspended)`: then it stays open.
pub async fn approve(
    catalog: &Catalog,
    organization: OrganizationId,
    id: JoinRequestId,
    role: Role,
    letter: Option<NewMail>,
) -> Result<()> {
    decide(catalog, organization, id, Some(role), letter).await
}

/// Says no to whoever asked, and puts the message to them into the outbox. They may ask again.
///
/// # Errors
/// `NotFound(JoinRequest)` when it is not open (any more).
pub async fn deny(
    catalog: &Catalog,
    organization: OrganizationId,
    id: JoinRequestId,
    letter: Option<NewMail>,
) -> Result<()> {
    decide(catalog, organization, id, None, letter).await
}

async fn decide(
    catalog: &Catalog,
    organization: OrganizationId,
    id: JoinRequestId,
    role: Option<Role>,
    letter: Option<NewMail>,
) -> Result<()> {
    let now = catalog.now();
    let missing = || CatalogError::not_found(Noun::JoinRequest);
    let transaction = catalog.begin().await?;
    let open = table::Entity::find_by_id(id.0)
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::OpenMark.eq(true));
    let row = open.one(&transaction).await?.ok_or_else(missing)?;
    let user = users::lock(&transaction, UserId(row.user_id)).await?;
    let status = match role {
        Some(_) if user.suspended_at.is_some() => {
            return Err(CatalogError::conflict(ConflictReason::AccountSuspended));
        }
        Some(_) => JoinRequestStatus::Approved,
        None => JoinRequestStatus::Denied,
    };
    // whoever comes second finds it ended
    let this = Condition::all().add(table::Column::Id.eq(id.0));
    if end(&transaction, this, status, now).await? == 0 {
        return Err(missing());
    }
    if let Some(role) = role {
        memberships::add_in(&transaction, organization, UserId(user.id), role, now).await?;
    }
    outbox::queue_all_in(&transaction, now, letter.into_iter().collect()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Takes an open request back.
///
/// # Errors
/// `NotFound(JoinRequest)` when the user has no such open request.
pub async fn withdraw(
    catalog: &Catalog,
    user: UserId,
    id: JoinRequestId,
) -> Result<OwnJoinRequest> {
    let missing = || CatalogError::not_found(Noun::JoinRequest);
    let transaction = catalog.begin().await?;
    let this =
        Condition::all().add(table::Column::Id.eq(id.0)).add(table::Column::UserId.eq(user.0));
    if end(&transaction, this, JoinRequestStatus::Withdrawn, catalog.now()).await? == 0 {
        return Err(missing());
    }
    let row = of_user(user).filter(table::Column::Id.eq(id.0)).one(&transaction).await?;
    let withdrawn = own_from_pair(row.ok_or_else(missing)?)?;
    transaction.commit().await?;
    Ok(withdrawn)
}

/// Ends the open request of whoever has just become a member.
pub(crate) async fn fulfil<C: ConnectionTrait>(
    db: &C,
    organization: OrganizationId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<()> {
    end(db, of(organization, user), JoinRequestStatus::Approved, now).await?;
    Ok(())
}

/// Forgets requests that have been over for this long.
pub async fn forget_ended(catalog: &Catalog, for_at_least: Duration) -> Result<u64> {
    let wait = TimeDelta::from_std(for_at_least).unwrap_or(TimeDelta::days(36_500));
    let over = table::Column::EndedAt.lte(catalog.now() - wait);
    let gone = table::Entity::delete_many().filter(over).exec(catalog.writer()).await?;
    Ok(gone.rows_affected)
}

/// Ends those of some requests that are open; tells how many were.
async fn end<C: ConnectionTrait>(
    db: &C,
    which: Condition,
    status: JoinRequestStatus,
    now: DateTime<Utc>,
) -> Result<u64> {
    let changed = table::Entity::update_many()
        .col_expr(table::Column::OpenMark, Expr::value(None::<bool>))
        .col_expr(table::Column::EndedAt, Expr::value(Some(now)))
        .col_expr(table::Column::Outcome, Expr::value(Some(status.as_str())))
        .filter(which)
        .filter(table::Column::OpenMark.eq(true))
        .exec(db)
        .await?;
    Ok(changed.rows_affected)
}

fn of(organization: OrganizationId, user: UserId) -> Condition {
    Condition::all()
        .add(table::Column::OrganizationId.eq(organization.0))
        .add(table::Column::UserId.eq(user.0))
}

/// The open requests to an organization, with who asks.
fn waiting(organization: OrganizationId) -> SelectTwo<table::Entity, user_rows::Entity> {
    let to_user: RelationDef = table::Entity::belongs_to(user_rows::Entity)
        .from(table::Column::UserId)
        .to(user_rows::Column::Id)
        .into();
    table::Entity::find()
        .join(JoinType::InnerJoin, to_user)
        .select_also(user_rows::Entity)
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::OpenMark.eq(true))
}

/// The requests of a user to organizations that are there.
fn of_user(user: UserId) -> SelectTwo<table::Entity, organization_rows::Entity> {
    let to_organization: RelationDef = table::Entity::belongs_to(organization_rows::Entity)
        .from(table::Column::OrganizationId)
        .to(organization_rows::Column::Id)
        .into();
    table::Entity::find()
        .join(JoinType::InnerJoin, to_organization)
        .select_also(organization_rows::Entity)
        .filter(table::Column::UserId.eq(user.0))
        .filter(organization_rows::Column::DeletedAt.is_null())
}

fn from_pair((row, user): (table::Model, Option<user_rows::Model>)) -> Result<JoinRequest> {
    let user = stored_some("join_requests.user_id", user)?;
    Ok(JoinRequest {
        id: JoinRequestId(row.id),
        user_id: UserId(user.id),
        user: stored("users.name", UserName::parse(&user.name))?,
        proven_email: user.email.filter(|_| user.email_verified_at.is_some()),
        language: user.language,
        display_name: user.display_name,
        suspended: user.suspended_at.is_some(),
        message: row.message,
        created_at: row.created_at,
    })
}

fn own_from_pair(
    (row, organization): (table::Model, Option<organization_rows::Model>),
) -> Result<OwnJoinRequest> {
    let organization = stored_some("join_requests.organization_id", organization)?;
    let name = OrganizationName::parse(&organization.name);
    let status = match &row.outcome {
        None => JoinRequestStatus::Pending,
        Some(word) => stored_some("join_requests.outcome", JoinRequestStatus::parse(word))?,
    };
    Ok(OwnJoinRequest {
        id: JoinRequestId(row.id),
        organization: stored("organizations.name", name)?,
        message: row.message,
        status,
        created_at: row.created_at,
        ended_at: row.ended_at,
    })
}
