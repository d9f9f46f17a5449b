//! Sessions: one sign-in and all its refreshes.
//!
//! A refresh token is used once: each use gives the next. Only the SHA-256 of the present one and of the one before
//! are kept. The server puts the session's id into the token, so whatever is presented for a session and is not its
//! present token is an older one, stolen or copied, and ends the session. The one exception is the token just before,
//! for a short grace and as long as its successor was not used: a page that was reloaded in the middle never got the
//! answer, and two tabs of one browser refresh at the same time. Whoever presents it then gets the successor that is
//! there, which their server makes of it once more; so it does not matter which of the answers a browser keeps.

use std::time::Duration;

use boxvault_types::ids::{SessionId, UserId};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait,
    IntoActiveModel, JoinType, QueryFilter, QueryOrder, QuerySelect,
};

use crate::accounts::{self, Account};
use crate::clock::whole_micros;
use crate::entity::{sessions as table, users as user_rows};
use crate::rows::{Hash, clean, insert, stored_some};
use crate::{Catalog, CatalogError, Noun, Page, Paged, Result, paging, users};

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When somebody signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed.
    pub last_used_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// Whether it was meant to last.
    pub stay_logged_in: bool,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// Where the client was.
    pub address: Option<String>,
    /// When it was ended.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A session to make.
#[derive(Clone)]
pub struct NewSession {
    /// Its id; the refresh token is made with it.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// Whether it is meant to last.
    pub stay_logged_in: bool,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// Where the client is.
    pub address: Option<String>,
    /// The SHA-256 of the first refresh token.
    pub refresh_hash: Hash,
    /// The session at the auth provider that it came of, in at most 64 characters.
    pub provider_session: Option<String>,
}

/// Sessions that an auth provider says have ended there.
#[derive(Debug, Clone)]
pub struct EndedThere<'a> {
    /// The auth provider's name.
    pub issuer: &'a str,
    /// Whose they are, if it says so.
    pub subject: Option<&'a str>,
    /// Which one it is, if it says so: [`NewSession::provider_session`].
    pub provider_session: Option<&'a str>,
    /// Those that began later are not meant.
    pub begun_until: DateTime<Utc>,
}

/// A use of a refresh token.
#[derive(Clone)]
pub struct Refresh {
    /// The session that the token names.
    pub session_id: SessionId,
    /// The SHA-256 of the token.
    pub presented: Hash,
    /// The SHA-256 of the token that takes its place.
    pub next: Hash,
    /// When the session ends by itself from now on.
    pub expires_at: DateTime<Utc>,
    /// How long after a refresh the token before it still leads to the present one, and does not end the session.
    pub grace: Duration,
}

/// What became of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The next token is valid now, the presented one no more.
    Rotated(Session),
    /// The token was exchanged a moment ago, for the same next token, which nobody has used. Nothing changed.
    Repeated(Session),
    /// The token was exchanged a moment ago, for another next token than was made now. Nothing changed.
    JustRotated,
    /// An older token came, so somebody copied it: the session is ended.
    Reused(Session),
    /// No such session, or it ended before.
    Invalid,
}

/// Makes a session.
///
/// # Errors
/// `NotFound(User)` when the account is gone.
pub async fn create(catalog: &Catalog, new: NewSession) -> Result<Session> {
    let now = catalog.now();
    let row = table::Model {
        id: new.id.0,
        user_id: new.user_id.0,
        created_at: now,
        last_used_at: now,
        expires_at: whole_micros(new.expires_at),
        stay_logged_in: new.stay_logged_in,
        user_agent: new.user_agent.as_deref().map(clean),
        address: new.address.as_deref().map(clean),
        refresh_hash: new.refresh_hash.to_vec(),
        previous_hash: None,
        rotated_at: None,
        revoked_at: None,
        provider_session: new.provider_session.as_deref().map(clean),
    };
    insert(catalog.writer(), row.clone())
        .await
        .map_err(|error| error.without_parent(Noun::User))?;
    Ok(from_row(row))
}

/// Exchanges a refresh token for the next one, which is to be the same whenever it is made of the same token.
pub async fn rotate(catalog: &Catalog, refresh: Refresh) -> Result<Rotation> {
    let now = catalog.now();
    let transaction = catalog.begin().await?;
    let row =
        table::Entity::find_by_id(refresh.session_id.0).lock_exclusive().one(&transaction).await?;
    let Some(row) = row.filter(|row| row.revoked_at.is_none() && row.expires_at > now) else {
        return Ok(Rotation::Invalid);
    };
    let is_present = row.refresh_hash == refresh.presented;
    let is_previous = row.previous_hash.as_deref() == Some(refresh.presented.as_slice());
    let grace = TimeDelta::from_std(refresh.grace).unwrap_or(TimeDelta::zero());
    if !is_present && is_previous && row.rotated_at.is_some_and(|at| now - at <= grace) {
        let is_same = row.refresh_hash == refresh.next;
        return Ok(if is_same { Rotation::Repeated(from_row(row)) } else { Rotation::JustRotated });
    }
    let before = row.refresh_hash.clone();
    let mut row = row.into_active_model();
    if is_present {
        row.previous_hash = Set(Some(before));
        row.refresh_hash = Set(refresh.next.to_vec());
        row.rotated_at = Set(Some(now));
        row.last_used_at = Set(now);
        row.expires_at = Set(whole_micros(refresh.expires_at));
    } else {
        row.revoked_at = Set(Some(now));
    }
    let row = row.update(&transaction).await?;
    transaction.commit().await?;
    let session = from_row(row);
    Ok(if is_present { Rotation::Rotated(session) } else { Rotation::Reused(session) })
}

/// Finds a session that is neither ended nor expired, and whose account may sign in, by three queries.
pub async fn find_live(catalog: &Catalog, id: SessionId) -> Result<Option<(Session, Account)>> {
    let row = table::Entity::find_by_id(id.0)
        .join(JoinType::InnerJoin, to_user())
        .select_also(user_rows::Entity)
        .filter(live(catalog.now()))
        .filter(user_rows::Column::SuspendedAt.is_null())
        .one(catalog.reader())
        .await?;
    let Some((row, user)) = row else {
        return Ok(None);
    };
    let user = users::from_row(stored_some("sessions.user_id", user)?)?;
    let account = accounts::complete(catalog.reader(), user).await?;
    Ok(Some((from_row(row), account)))
}

/// Lists the sessions of a user that are neither ended nor expired, last used first.
pub async fn list(catalog: &Catalog, user: UserId, page: Page) -> Result<Paged<Session>> {
    let select = table::Entity::find()
        .filter(table::Column::UserId.eq(user.0))
        .filter(live(catalog.now()))
        .order_by_desc(table::Column::LastUsedAt)
        .order_by_desc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, |row| Ok(from_row(row))).await
}

/// Ends one session of a user.
///
/// # Errors
/// `NotFound(Session)` when the user has no such session, or it was ended before.
pub async fn revoke(catalog: &Catalog, user: UserId, id: SessionId) -> Result<()> {
    let one = Condition::all().add(table::Column::Id.eq(id.0));
    if revoke_where(catalog.writer(), catalog.now(), user, one).await? == 0 {
        return Err(CatalogError::not_found(Noun::Session));
    }
    Ok(())
}

/// Ends all sessions of a user; tells how many.
pub async fn revoke_all(catalog: &Catalog, user: UserId) -> Result<u64> {
    let transaction = catalog.begin().await?;
    let ended = revoke_all_in(&transaction, catalog.now(), user).await?;
    transaction.commit().await?;
    Ok(ended)
}

pub(crate) async fn revoke_all_in<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    user: UserId,
) -> Result<u64> {
    revoke_where(db, now, user, Condition::all()).await
}

/// Ends all sessions of a user but one; tells how many.
pub async fn revoke_others(catalog: &Catalog, user: UserId, keep: SessionId) -> Result<u64> {
    let transaction = catalog.begin().await?;
    let ended = revoke_others_in(&transaction, catalog.now(), user, keep).await?;
    transaction.commit().await?;
    Ok(ended)
}

pub(crate) async fn revoke_others_in<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    user: UserId,
    keep: SessionId,
) -> Result<u64> {
    let others = Condition::all().add(table::Column::Id.ne(keep.0));
    revoke_where(db, now, user, others).await
}

/// Ends the sessions that ended at their auth provider; tells how many.
///
/// One that is named ends only the sessions that came of it, and those of the same account of which nobody knows what
/// they came of. Neither a subject nor a session ends nothing.
pub async fn revoke_ended_there(catalog: &Catalog, ended: &EndedThere<'_>) -> Result<u64> {
    if ended.subject.is_none() && ended.provider_session.is_none() {
        return Ok(0);
    }
    let mut accounts = Query::select()
        .column(user_rows::Column::Id)
        .from(user_rows::Entity)
        .and_where(user_rows::Column::Issuer.eq(clean(ended.issuer)))
        .take();
    if let Some(subject) = ended.subject {
        accounts.and_where(user_rows::Column::Subject.eq(clean(subject)));
    }
    let which = match (ended.provider_session, ended.subject) {
        (None, _) => Condition::all(),
        (Some(session), None) => {
            Condition::all().add(table::Column::ProviderSession.eq(clean(session)))
        }
        (Some(session), Some(_)) => Condition::any()
            .add(table::Column::ProviderSession.eq(clean(session)))
            .add(table::Column::ProviderSession.is_null()),
    };
    let revoked = table::Entity::update_many()
        .col_expr(table::Column::RevokedAt, Expr::value(Some(catalog.now())))
        .filter(table::Column::UserId.in_subquery(accounts))
        .filter(table::Column::RevokedAt.is_null())
        .filter(table::Column::CreatedAt.lte(whole_micros(ended.begun_until)))
        .filter(which)
        .exec(catalog.writer())
        .await?;
    Ok(revoked.rows_affected)
}

async fn revoke_where<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    user: UserId,
    which: Condition,
) -> Result<u64> {
    let revoked = table::Entity::update_many()
        .col_expr(table::Column::RevokedAt, Expr::value(Some(now)))
        .filter(table::Column::UserId.eq(user.0))
        .filter(table::Column::RevokedAt.is_null())
        .filter(which)
        .exec(db)
        .await?;
    Ok(revoked.rows_affected)
}

/// Forgets sessions that ended or expired this long ago; tells how many.
pub async fn forget_ended(catalog: &Catalog, age: Duration) -> Result<u64> {
    let before = catalog.now() - TimeDelta::from_std(age).unwrap_or(TimeDelta::days(36_500));
    let ended = Condition::any()
        .add(table::Column::ExpiresAt.lt(before))
        .add(table::Column::RevokedAt.lt(before));
    let gone = table::Entity::delete_many().filter(ended).exec(catalog.writer()).await?;
    Ok(gone.rows_affected)
}

fn live(now: DateTime<Utc>) -> Condition {
    Condition::all().add(table::Column::RevokedAt.is_null()).add(table::Column::ExpiresAt.gt(now))
}

fn to_user() -> sea_orm::RelationDef {
    table::Entity::belongs_to(user_rows::Entity)
        .from(table::Column::UserId)
        .to(user_rows::Column::Id)
        .into()
}

fn from_row(row: table::Model) -> Session {
    Session {
        id: SessionId(row.id),
        user_id: UserId(row.user_id),
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
        stay_logged_in: row.stay_logged_in,
        user_agent: row.user_agent,
        address: row.address,
        revoked_at: row.revoked_at,
    }
}
