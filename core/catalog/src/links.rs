//! Links in messages: who opens one has the mailbox that it was sent to.
//!
//! Only the SHA-256 of a link's token is kept, and a link works once: it is removed by the transaction that does what
//! it stands for. A new link of a kind ends the older ones of the same account.

use std::time::Duration;

use boxvault_types::identity::LOCAL_ISSUER;
use boxvault_types::ids::UserId;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect,
};
use uuid::Uuid;

use crate::clock::whole_micros;
use crate::entity::{account_links as table, users as user_rows};
use crate::outbox::{self, NewMail};
use crate::rows::{Hash, clean, insert};
use crate::users::{self, User};
use crate::{Catalog, Noun, Result, sessions};

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// To choose a new password.
    ResetPassword,
    /// To prove an address.
    VerifyEmail,
}

impl LinkKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset_password",
            Self::VerifyEmail => "verify_email",
        }
    }
}

/// A link to make.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// Whose account it is about.
    pub user_id: UserId,
    /// What it is for.
    pub kind: LinkKind,
    /// The SHA-256 of its token.
    pub token_hash: Hash,
    /// The address that it is sent to.
    pub email: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// A link that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whose account it is about.
    pub user_id: UserId,
    /// The address that it was sent to.
    pub email: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Makes a link in the place of older ones of its kind, together with the messages that carry it and tell of it.
///
/// # Errors
/// `NotFound(User)` when the account is gone.
pub async fn create(catalog: &Catalog, link: NewLink, mails: Vec<NewMail>) -> Result<()> {
    let transaction = catalog.begin().await?;
    create_in(&transaction, catalog.now(), link, mails)
        .await
        .map_err(|error| error.without_parent(Noun::User))?;
    transaction.commit().await?;
    Ok(())
}

/// Makes a link in the place of an account's password, which ends, as every session of the account does.
///
/// # Errors
/// `NotFound(User)` when the account is gone; `Conflict(LastAdmin)` when nobody would be left who administers the server
/// and may sign in.
pub async fn create_in_place_of_password(
    catalog: &Catalog,
    link: NewLink,
    mail: NewMail,
) -> Result<()> {
    let (user, now) = (link.user_id, catalog.now());
    let transaction = catalog.begin().await?;
    users::keep_an_admin(&transaction, user).await?;
    let mut row = users::lock(&transaction, user).await?.into_active_model();
    row.password_hash = Set(None);
    row.updated_at = Set(now);
    row.update(&transaction).await?;
    create_in(&transaction, now, link, vec![mail]).await?;
    sessions::revoke_all_in(&transaction, now, user).await?;
    transaction.commit().await?;
    Ok(())
}

/// The same as [`create`] without messages, unless the account has a link of the kind that was made after a moment and works. Tells
/// whether it was made.
///
/// # Errors
/// `NotFound(User)` when the account is gone.
pub async fn create_unless_recent(
    catalog: &Catalog,
    link: NewLink,
    made_after: DateTime<Utc>,
) -> Result<bool> {
    let transaction = catalog.begin().await?;
    let now = catalog.now();
    users::lock(&transaction, link.user_id).await?;
    let recent = table::Entity::find()
        .filter(table::Column::UserId.eq(link.user_id.0))
        .filter(table::Column::Kind.eq(link.kind.as_str()))
        .filter(table::Column::ExpiresAt.gt(now))
        .filter(table::Column::CreatedAt.gt(made_after))
        .one(&transaction)
        .await?;
    if recent.is_some() {
        return Ok(false);
    }
    create_in(&transaction, now, link, Vec::new()).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(crate) async fn create_in<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    link: NewLink,
    mails: Vec<NewMail>,
) -> Result<()> {
    forget(db, link.user_id, Some(link.kind)).await?;
    let row = table::Model {
        id: Uuid::now_v7(),
        user_id: link.user_id.0,
        kind: link.kind.as_str().to_owned(),
        token_hash: link.token_hash.to_vec(),
        email: clean(&link.email),
        created_at: now,
        expires_at: whole_micros(link.expires_at),
    };
    insert(db, row).await?;
    for mail in mails {
        outbox::queue_in(db, now, mail).await?;
    }
    Ok(())
}

/// Finds a link by the SHA-256 of its token, and its account; neither an expired one nor one that was used.
pub async fn find(catalog: &Catalog, kind: LinkKind, hash: &Hash) -> Result<Option<(Link, User)>> {
    let row = live(kind, hash, catalog.now()).one(catalog.reader()).await?;
    let Some(row) = row else { return Ok(None) };
    let user = users::find(catalog, UserId(row.user_id)).await?;
    Ok(user.map(|user| (from_row(row), user)))
}

/// Uses a link to give its account another password: ends all its sessions and links, and proves its address, where
/// the link went there. `None` when the link does not work (any more).
pub async fn reset_password(
    catalog: &Catalog,
    hash: &Hash,
    password_hash: String,
    notice: NewMail,
) -> Result<Option<User>> {
    let transaction = catalog.begin().await?;
    let now = catalog.now();
    let Some((link, row)) = take(&transaction, LinkKind::ResetPassword, hash, now).await? else {
        return Ok(None);
    };
    if row.issuer != LOCAL_ISSUER || row.suspended_at.is_some() {
        return Ok(None);
    }
    let proven = row.email_key == Some(link.email.to_lowercase());
    let verified_at = row.email_verified_at.or(proven.then_some(now));
    let mut row = row.into_active_model();
    row.password_hash = Set(Some(password_hash));
    row.email_verified_at = Set(verified_at);
    row.updated_at = Set(now);
    let row = row.update(&transaction).await?;
    forget(&transaction, UserId(row.id), None).await?;
    sessions::revoke_all_in(&transaction, now, UserId(row.id)).await?;
    outbox::queue_in(&transaction, now, notice).await?;
    transaction.commit().await?;
    users::from_row(row).map(Some)
}

/// Uses a link to prove the address that it went to, which becomes the account's. `None` when the link does not work
/// (any more).
///
/// # Errors
/// `AlreadyExists(Email)` when another account has the address by now.
pub async fn verify_email(catalog: &Catalog, hash: &Hash) -> Result<Option<User>> {
    let transaction = catalog.begin().await?;
    let now = catalog.now();
    let Some((link, row)) = take(&transaction, LinkKind::VerifyEmail, hash, now).await? else {
        return Ok(None);
    };
    let search = users::search_of(&row.name, Some(&link.email), &row.display_name);
    // a link to the address before would give the account back to whoever has that mailbox
    forget(&transaction, UserId(row.id), None).await?;
    let mut row = row.into_active_model();
    row.email_key = Set(Some(link.email.to_lowercase()));
    row.email = Set(Some(link.email));
    row.search_text = Set(search);
    row.email_verified_at = Set(Some(now));
    row.updated_at = Set(now);
    let row = row.update(&transaction).await?;
    transaction.commit().await?;
    users::from_row(row).map(Some)
}

/// Forgets links that expired this long ago; tells how many.
pub async fn forget_expired(catalog: &Catalog, age: Duration) -> Result<u64> {
    let before = catalog.now() - TimeDelta::from_std(age).unwrap_or(TimeDelta::days(36_500));
    let gone = table::Entity::delete_many()
        .filter(table::Column::ExpiresAt.lt(before))
        .exec(catalog.writer())
        .await?;
    Ok(gone.rows_affected)
}

/// Removes a link that works, and locks its account. Of two who use it at once, one gets it.
async fn take<C: ConnectionTrait>(
    db: &C,
    kind: LinkKind,
    hash: &Hash,
    now: DateTime<Utc>,
) -> Result<Option<(table::Model, user_rows::Model)>> {
    let Some(link) = live(kind, hash, now).lock_exclusive().one(db).await? else {
        return Ok(None);
    };
    let taken = table::Entity::delete_by_id(link.id).exec(db).await?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    let user = user_rows::Entity::find_by_id(link.user_id).lock_exclusive().one(db).await?;
    Ok(user.map(|user| (link, user)))
}

/// Removes the links of an account, of one kind or of all.
pub(crate) async fn forget<C: ConnectionTrait>(
    db: &C,
    user: UserId,
    kind: Option<LinkKind>,
) -> Result<()> {
    let mut delete = table::Entity::delete_many().filter(table::Column::UserId.eq(user.0));
    if let Some(kind) = kind {
        delete = delete.filter(table::Column::Kind.eq(kind.as_str()));
    }
    delete.exec(db).await?;
    Ok(())
}

fn live(kind: LinkKind, hash: &Hash, now: DateTime<Utc>) -> sea_orm::Select<table::Entity> {
    table::Entity::find()
        .filter(table::Column::TokenHash.eq(hash.to_vec()))
        .filter(table::Column::Kind.eq(kind.as_str()))
        .filter(table::Column::ExpiresAt.gt(now))
}

fn from_row(row: table::Model) -> Link {
    Link { user_id: UserId(row.user_id), email: row.email, created_at: row.created_at }
}
