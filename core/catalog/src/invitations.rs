//! Invitations into organizations: sent to an address, good for one acceptance by whoever has that address, kept only as
//! the hash of what was sent.
//!
//! An address has at most one open invitation of an organization. What is over stays for a while, since it counts
//! against how many an organization may send; only then it is forgotten. An invitation gives what whoever sent it could
//! still give: when they leave or lose their role, it is void.

use std::time::Duration;

use boxvault_types::identity::Role;
use boxvault_types::ids::{InvitationId, OrganizationId, UserId};
use boxvault_types::names::UserName;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef, SelectTwo,
};

use crate::clock::whole_micros;
use crate::entity::{
    invitations as table, memberships as member_rows, organizations as organization_rows,
    users as user_rows,
};
use crate::organizations::{self, Organization};
use crate::outbox::{self, NewMail};
use crate::rows::{Hash, clean, insert, stored, stored_some};
use crate::users::{self, NewUser, User};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Page, Paged, Result, Taken, memberships, paging,
};

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Into which organization.
    pub organization_id: OrganizationId,
    /// To which address it was sent.
    pub email: String,
    /// The role that it gives.
    pub role: Role,
    /// Who sent it, unless that account is gone.
    pub invited_by: Option<UserName>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last sent.
    pub sent_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// An invitation to send.
#[derive(Clone)]
pub struct NewInvitation {
    /// Into which organization.
    pub organization_id: OrganizationId,
    /// To which address.
    pub email: String,
    /// The role that it gives.
    pub role: Role,
    /// Who sends it.
    pub invited_by: UserId,
    /// What is sent.
    pub letter: InvitationLetter,
}

/// What is sent, and what of it is kept.
#[derive(Clone)]
pub struct InvitationLetter {
    /// The SHA-256 of the token in it.
    pub token_hash: Hash,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// The message with the token.
    pub mail: NewMail,
}

/// How often an organization may send.
#[derive(Debug, Clone, Copy)]
pub struct SendLimits {
    /// How many messages within a day.
    pub per_day: u64,
    /// How long an address is left alone after one.
    pub pause: Duration,
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Declined,
    Revoked,
    Expired,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// Makes an invitation and puts its letter into the outbox. One to the same address that has expired makes place.
///
/// # Errors
/// `AlreadyExists(Invitation)` while there is one that is open; `Conflict(InvitedLately)`,
/// `Conflict(TooManyInvitations)`; `NotFound(Organization)` when that is gone.
pub async fn create(
    catalog: &Catalog,
    new: NewInvitation,
    limits: SendLimits,
) -> Result<Invitation> {
    let now = catalog.now();
    let email = clean(&new.email);
    let row = table::Model {
        id: InvitationId::new().0,
        organization_id: new.organization_id.0,
        email_key: email.to_lowercase(),
        email,
        role: new.role.as_str().to_owned(),
        token_hash: new.letter.token_hash.to_vec(),
        invited_by: Some(new.invited_by.0),
        created_at: now,
        sent_at: now,
        sends: 1,
        expires_at: whole_micros(new.letter.expires_at),
        open_mark: Some(true),
        ended_at: None,
        outcome: None,
    };
    let transaction = catalog.begin().await?;
    // two who invite at once count each other
    organizations::lock(&transaction, new.organization_id).await?;
    let to_address = || to_address(new.organization_id, &row.email);
    ended(now, Outcome::Expired)
        .filter(to_address())
        .filter(table::Column::ExpiresAt.lte(now))
        .exec(&transaction)
        .await?;
    let open = table::Entity::find().filter(to_address()).filter(table::Column::OpenMark.eq(true));
    if open.one(&transaction).await?.is_some() {
        return Err(CatalogError::AlreadyExists { what: Taken::Invitation });
    }
    check_limits(&transaction, to_address(), new.organization_id, limits, now).await?;
    insert(&transaction, row.clone())
        .await
        .map_err(|error| error.without_parent(Noun::Organization))?;
    outbox::queue_in(&transaction, now, new.letter.mail).await?;
    transaction.commit().await?;
    read(catalog, new.organization_id, InvitationId(row.id)).await
}

/// Finds an open invitation of an organization.
///
/// # Errors
/// `NotFound(Invitation)`.
pub async fn read(
    catalog: &Catalog,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<Invitation> {
    let row = with_inviter()
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::OrganizationId.eq(organization.0))
        .one(catalog.reader())
        .await?;
    from_pair(row.ok_or(CatalogError::NotFound { what: Noun::Invitation })?)
}

/// Lists the open invitations of an organization, newest first; those that have expired, too.
pub async fn list(
    catalog: &Catalog,
    organization: OrganizationId,
    page: Page,
) -> Result<Paged<Invitation>> {
    let select = with_inviter()
        .filter(table::Column::OrganizationId.eq(organization.0))
        .order_by_desc(table::Column::CreatedAt)
        .order_by_desc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_pair).await
}

/// Sends an open invitation again, with another token; the one before ends at once. Whoever sends it answers for it from
/// now on.
///
/// # Errors
/// `NotFound(Invitation)`; `Conflict(InvitedLately)`, `Conflict(TooManyInvitations)`.
pub async fn resend(
    catalog: &Catalog,
    id: InvitationId,
    again: NewInvitation,
    limits: SendLimits,
) -> Result<Invitation> {
    let now = catalog.now();
    let (organization, letter) = (again.organization_id, again.letter);
    let address = to_address(organization, &again.email);
    let transaction = catalog.begin().await?;
    organizations::lock(&transaction, organization).await?;
    check_limits(&transaction, address, organization, limits, now).await?;
    let changed = table::Entity::update_many()
        .col_expr(table::Column::TokenHash, Expr::value(letter.token_hash.to_vec()))
        .col_expr(table::Column::ExpiresAt, Expr::value(whole_micros(letter.expires_at)))
        .col_expr(table::Column::SentAt, Expr::value(now))
        .col_expr(table::Column::Sends, Expr::col(table::Column::Sends).add(1))
        .col_expr(table::Column::InvitedBy, Expr::value(Some(again.invited_by.0)))
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::OpenMark.eq(true))
        .exec(&transaction)
        .await?;
    found(changed.rows_affected)?;
    outbox::queue_in(&transaction, now, letter.mail).await?;
    transaction.commit().await?;
    read(catalog, organization, id).await
}

/// What an organization has sent to an address.
fn to_address(organization: OrganizationId, email: &str) -> Condition {
    Condition::all()
        .add(table::Column::OrganizationId.eq(organization.0))
        .add(table::Column::EmailKey.eq(clean(email).to_lowercase()))
}

/// Refuses one message too many: soon after another one to the same address, or over what a day allows.
async fn check_limits<C: ConnectionTrait>(
    db: &C,
    address: Condition,
    organization: OrganizationId,
    limits: SendLimits,
    now: DateTime<Utc>,
) -> Result<()> {
    let pause = TimeDelta::from_std(limits.pause).unwrap_or(TimeDelta::days(36_500));
    let lately =
        table::Entity::find().filter(address).filter(table::Column::SentAt.gt(now - pause));
    if lately.limit(1).one(db).await?.is_some() {
        return Err(CatalogError::conflict(ConflictReason::InvitedLately));
    }
    let today = table::Entity::find()
        .select_only()
        .column(table::Column::Sends)
        .filter(table::Column::OrganizationId.eq(organization.0))
        .filter(table::Column::SentAt.gt(now - TimeDelta::days(1)))
        .limit(limits.per_day)
        .into_tuple::<i64>()
        .all(db)
        .await?;
    let sent: i64 = today.iter().sum();
    if u64::try_from(sent).unwrap_or(u64::MAX) >= limits.per_day {
        return Err(CatalogError::conflict(ConflictReason::TooManyInvitations));
    }
    Ok(())
}

/// Withdraws an open invitation.
///
/// # Errors
/// `NotFound(Invitation)`.
pub async fn revoke(
    catalog: &Catalog,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<()> {
    let changed = ended(catalog.now(), Outcome::Revoked)
        .filter(table::Column::Id.eq(id.0))
        .filter(table::Column::OrganizationId.eq(organization.0))
        .exec(catalog.writer())
        .await?;
    found(changed.rows_affected)
}

/// Finds the invitation that a token opens now, and into which organization.
pub async fn find_by_token(
    catalog: &Catalog,
    hash: &Hash,
) -> Result<Option<(Invitation, Organization)>> {
    let row = with_inviter()
        .filter(table::Column::TokenHash.eq(hash.to_vec()))
        .filter(table::Column::ExpiresAt.gt(catalog.now()))
        .one(catalog.reader())
        .await?;
    let Some(row) = row else { return Ok(None) };
    if !can_give(catalog.reader(), &row.0).await? {
        return Ok(None);
    }
    let invitation = from_pair(row)?;
    let organization = organizations::find_by_id(catalog, invitation.organization_id).await?;
    let serving = organization.filter(|organization| organization.suspension.is_none());
    Ok(serving.map(|organization| (invitation, organization)))
}

/// Says no to an invitation.
///
/// # Errors
/// `NotFound(Invitation)` when the token opens none.
pub async fn decline(catalog: &Catalog, hash: &Hash) -> Result<()> {
    let now = catalog.now();
    let changed = ended(now, Outcome::Declined)
        .filter(table::Column::TokenHash.eq(hash.to_vec()))
        .filter(table::Column::ExpiresAt.gt(now))
        .exec(catalog.writer())
        .await?;
    found(changed.rows_affected)
}

/// Makes a user a member by an invitation to their address, which is over with it and whose address is then known to be
/// theirs. Of several attempts one succeeds.
///
/// # Errors
/// `NotFound(Invitation)` when the token opens none; `Conflict(OtherAddress)` when it went to somebody else, and
/// `AlreadyExists(Member)`: then it stays open.
pub async fn accept(catalog: &Catalog, hash: &Hash, user: UserId) -> Result<Invitation> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let row = users::lock(&transaction, user).await?;
    let (address, proven) = (row.email_key.clone(), row.email_verified_at.is_some());
    let invitation = accept_in(&transaction, hash, (user, address.as_deref()), now).await?;
    if !proven {
        let mut row = row.into_active_model();
        row.email_verified_at = Set(Some(now));
        row.updated_at = Set(now);
        row.update(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(invitation)
}

/// Makes an account of the invited address, and a member of it: both or neither.
///
/// # Errors
/// `NotFound(Invitation)` when the token opens none; `Conflict(OtherAddress)` when it went to another one;
/// `AlreadyExists` for the name or the e-mail address.
pub async fn accept_as_new_user(
    catalog: &Catalog,
    hash: &Hash,
    new: NewUser,
) -> Result<(User, Invitation)> {
    let now = catalog.now();
    let address = new.email.as_deref().map(|email| clean(email).to_lowercase());
    let transaction = catalog.begin().await?;
    // the invitation first: whoever has none learns nothing of names and addresses
    let row = open_in(&transaction, hash, address.as_deref(), now).await?;
    let user = users::create_in(&transaction, now, NewUser { email_verified: true, ..new }).await?;
    let invitation = end_in(&transaction, row, user.id, now).await?;
    transaction.commit().await?;
    Ok((user, invitation))
}

async fn accept_in<C: ConnectionTrait>(
    db: &C,
    hash: &Hash,
    (user, address): (UserId, Option<&str>),
    now: DateTime<Utc>,
) -> Result<Invitation> {
    let row = open_in(db, hash, address, now).await?;
    end_in(db, row, user, now).await
}

/// The open invitation of a token, for whoever has the address that it went to.
async fn open_in<C: ConnectionTrait>(
    db: &C,
    hash: &Hash,
    address: Option<&str>,
    now: DateTime<Utc>,
) -> Result<table::Model> {
    let row = table::Entity::find()
        .join(JoinType::InnerJoin, to_organization())
        .filter(organization_rows::Column::DeletedAt.is_null())
        .filter(organization_rows::Column::SuspendedAt.is_null())
        .filter(table::Column::TokenHash.eq(hash.to_vec()))
        .filter(table::Column::OpenMark.eq(true))
        .filter(table::Column::ExpiresAt.gt(now))
        .one(db)
        .await?;
    let row = row.ok_or(CatalogError::NotFound { what: Noun::Invitation })?;
    if !can_give(db, &row).await? {
        return Err(CatalogError::not_found(Noun::Invitation));
    }
    if address != Some(row.email_key.as_str()) {
        return Err(CatalogError::conflict(ConflictReason::OtherAddress));
    }
    Ok(row)
}

async fn end_in<C: ConnectionTrait>(
    db: &C,
    row: table::Model,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Invitation> {
    // whoever comes second finds it ended
    let changed =
        ended(now, Outcome::Accepted).filter(table::Column::Id.eq(row.id)).exec(db).await?;
    found(changed.rows_affected)?;
    let invitation = from_pair((row, None))?;
    memberships::add_in(db, invitation.organization_id, user, invitation.role, now).await?;
    Ok(invitation)
}

/// Whether whoever sent an invitation may still give its role: they have that role or a higher one there, or are a
/// platform admin, and are not suspended.
async fn can_give<C: ConnectionTrait>(db: &C, row: &table::Model) -> Result<bool> {
    let Some(inviter) = row.invited_by else { return Ok(false) };
    let Some(user) = user_rows::Entity::find_by_id(inviter).one(db).await? else {
        return Ok(false);
    };
    if user.suspended_at.is_some() {
        return Ok(false);
    }
    if user.platform_admin {
        return Ok(true);
    }
    let place = member_rows::Entity::find_by_id((row.organization_id, inviter)).one(db).await?;
    let Some(place) = place else { return Ok(false) };
    let role = stored_some("memberships.role", Role::parse(&place.role))?;
    Ok(role >= stored_some("invitations.role", Role::parse(&row.role))?)
}

/// Forgets invitations that have been over, or expired, for this long.
pub async fn forget_ended(catalog: &Catalog, for_at_least: Duration) -> Result<u64> {
    let wait = TimeDelta::from_std(for_at_least).unwrap_or(TimeDelta::days(36_500));
    let before = catalog.now() - wait;
    let over = Condition::any()
        .add(table::Column::EndedAt.lte(before))
        .add(table::Column::ExpiresAt.lte(before));
    let gone = table::Entity::delete_many().filter(over).exec(catalog.writer()).await?;
    Ok(gone.rows_affected)
}

/// Ends open invitations; which, the caller adds.
fn ended(now: DateTime<Utc>, outcome: Outcome) -> sea_orm::UpdateMany<table::Entity> {
    table::Entity::update_many()
        .col_expr(table::Column::OpenMark, Expr::value(None::<bool>))
        .col_expr(table::Column::EndedAt, Expr::value(Some(now)))
        .col_expr(table::Column::Outcome, Expr::value(Some(outcome.as_str())))
        .filter(table::Column::OpenMark.eq(true))
}

fn found(rows: u64) -> Result<()> {
    if rows == 0 { Err(CatalogError::not_found(Noun::Invitation)) } else { Ok(()) }
}

fn with_inviter() -> SelectTwo<table::Entity, user_rows::Entity> {
    let to_inviter: RelationDef = table::Entity::belongs_to(user_rows::Entity)
        .from(table::Column::InvitedBy)
        .to(user_rows::Column::Id)
        .into();
    table::Entity::find()
        .join(JoinType::LeftJoin, to_inviter)
        .select_also(user_rows::Entity)
        .filter(table::Column::OpenMark.eq(true))
}

fn to_organization() -> RelationDef {
    table::Entity::belongs_to(organization_rows::Entity)
        .from(table::Column::OrganizationId)
        .to(organization_rows::Column::Id)
        .into()
}

fn from_pair((row, inviter): (table::Model, Option<user_rows::Model>)) -> Result<Invitation> {
    let inviter = inviter.map(|user| stored("users.name", UserName::parse(&user.name)));
    Ok(Invitation {
        id: InvitationId(row.id),
        organization_id: OrganizationId(row.organization_id),
        email: row.email,
        role: stored_some("invitations.role", Role::parse(&row.role))?,
        invited_by: inviter.transpose()?,
        created_at: row.created_at,
        sent_at: row.sent_at,
        expires_at: row.expires_at,
    })
}
