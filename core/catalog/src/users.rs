//! Accounts: who can sign in, built-in or vouched for by an auth provider.
//!
//! A password is known here only as the hash that the server made of it.

mod admins;
mod external;

use std::fmt;

use boxvault_types::digest::Digest;
use boxvault_types::identity::{LOCAL_ISSUER, Role};
use boxvault_types::ids::{OrganizationId, SessionId, UserId};
use boxvault_types::names::UserName;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::entity::{memberships as member_rows, users as table};
use crate::links::{LinkKind, NewLink};
use crate::outbox::NewMail;
use crate::rows::{Hash, clean, digest, insert, matches, search_text, stored};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Order, Page, Paged, Result, links, outbox, paging,
    sessions,
};

pub use admins::{
    create_first_admin, grant_platform_admin, resume, suspend, withdraw_platform_admin,
};
pub use external::{Claims, find_by_subject, upsert_external};

#[cfg(test)]
pub(crate) use admins::FIRST_ADMIN_LOCK;
pub(crate) use admins::keep_an_admin;

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The name to sign in by.
    pub name: UserName,
    /// The e-mail address; external accounts may lack one.
    pub email: Option<String>,
    /// How people see it; may be empty.
    pub display_name: String,
    /// The password's hash, for built-in accounts that have one.
    pub password_hash: Option<String>,
    /// Who vouches for it: [`LOCAL_ISSUER`], or the name of an auth provider.
    pub issuer: String,
    /// Its name with that issuer; for built-in accounts the id.
    pub subject: String,
    /// Whether it administers the whole server.
    pub platform_admin: bool,
    /// Since when it may not sign in.
    pub suspended_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it last signed in.
    pub last_sign_in_at: Option<DateTime<Utc>>,
    /// Since when the e-mail address is known to be theirs.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// How the user wants things.
    pub preferences: Preferences,
    /// The SHA-256 of the picture, if there is one.
    pub avatar_digest: Option<Digest>,
}

/// How a user wants things; what is `None` is left to the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// A language tag, such as `en` or `de-AT`.
    pub language: Option<String>,
    /// How pages look.
    pub theme: Option<String>,
    /// A time zone, such as `Europe/Vienna`.
    pub time_zone: Option<String>,
    /// The organization that comes first. Means nothing while the user has no place in it.
    pub default_organization: Option<OrganizationId>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("issuer", &self.issuer)
            .field("platform_admin", &self.platform_admin)
            .field("suspended_at", &self.suspended_at)
            .finish_non_exhaustive()
    }
}

/// A built-in account to make.
#[derive(Clone)]
pub struct NewUser {
    /// The name to sign in by.
    pub name: UserName,
    /// The e-mail address.
    pub email: Option<String>,
    /// How people see it.
    pub display_name: String,
    /// The password's hash; without one nobody can sign in by password.
    pub password_hash: Option<String>,
    /// Whether it administers the whole server.
    pub platform_admin: bool,
    /// Whether the address needs no proof: an operator vouches for it.
    pub email_verified: bool,
}

/// An account that begins with a link: whoever makes one for themselves proves its address by it, whoever was made one
/// chooses a password.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// The account.
    pub user: NewUser,
    /// What the link is for.
    pub kind: LinkKind,
    /// The SHA-256 of the link's token.
    pub token_hash: Hash,
    /// When the link ends.
    pub expires_at: DateTime<Utc>,
    /// The message that carries the link.
    pub mail: NewMail,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser")
            .field("name", &self.name)
            .field("platform_admin", &self.platform_admin)
            .finish_non_exhaustive()
    }
}

/// What to change of an account; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChanges {
    /// The name to sign in by.
    pub name: Option<UserName>,
    /// The e-mail address.
    pub email: Option<String>,
    /// How people see it.
    pub display_name: Option<String>,
    /// Whether it administers the whole server.
    pub platform_admin: Option<bool>,
    /// Whether it may not sign in: then its sessions end, its tokens are refused, its links open nothing.
    pub suspended: Option<bool>,
}

/// What a list of accounts is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserSort {
    /// The name.
    #[default]
    Name,
    /// When it was made.
    Created,
    /// When it last signed in.
    LastSignIn,
}

/// Which accounts to list, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Part of the name, e-mail address or display name.
    pub q: Option<String>,
    /// What to sort by.
    pub sort: UserSort,
    /// Which end first.
    pub order: Order,
}

/// Makes a built-in account.
///
/// # Errors
/// `AlreadyExists` for the name or the e-mail address.
pub async fn create(catalog: &Catalog, new: NewUser) -> Result<User> {
    create_in(catalog.writer(), catalog.now(), new).await
}

/// Makes a built-in account with the link that it begins with, and the message that carries it.
///
/// # Errors
/// `AlreadyExists` for the name or the e-mail address.
pub async fn sign_up(catalog: &Catalog, new: SignUp) -> Result<User> {
    let transaction = catalog.begin().await?;
    let now = catalog.now();
    let user = create_in(&transaction, now, new.user).await?;
    let link = NewLink {
        user_id: user.id,
        kind: new.kind,
        token_hash: new.token_hash,
        email: user.email.clone().unwrap_or_default(),
        expires_at: new.expires_at,
    };
    links::create_in(&transaction, now, link, vec![new.mail]).await?;
    transaction.commit().await?;
    Ok(user)
}

pub(crate) async fn create_in<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    new: NewUser,
) -> Result<User> {
    let id = UserId::new();
    let email = new.email.as_deref().map(clean);
    let display_name = clean(&new.display_name);
    let row = table::Model {
        id: id.0,
        name: new.name.as_str().to_owned(),
        name_key: new.name.key(),
        email_key: email.as_deref().map(str::to_lowercase),
        search_text: search_of(new.name.as_str(), email.as_deref(), &display_name),
        email,
        display_name,
        password_hash: new.password_hash,
        issuer: LOCAL_ISSUER.to_owned(),
        subject: id.to_string(),
        platform_admin: new.platform_admin,
        suspended_at: None,
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
        email_verified_at: new.email_verified.then_some(now),
        language: None,
        theme: None,
        time_zone: None,
        default_organization_id: None,
        avatar_digest: None,
    };
    insert(db, row.clone()).await?;
    from_row(row)
}

/// Finds an account by its id.
pub async fn find(catalog: &Catalog, id: UserId) -> Result<Option<User>> {
    let row = table::Entity::find_by_id(id.0).one(catalog.reader()).await?;
    row.map(from_row).transpose()
}

/// Finds an account by its name.
pub async fn find_by_name(catalog: &Catalog, name: &UserName) -> Result<Option<User>> {
    let named = table::Column::NameKey.eq(name.key());
    let row = table::Entity::find().filter(named).one(catalog.reader()).await?;
    row.map(from_row).transpose()
}

/// Finds a built-in account by what somebody typed at sign-in: its name, or its e-mail address.
///
/// A name never holds `@`, so the two cannot be taken for each other.
pub async fn find_by_name_or_email(catalog: &Catalog, typed: &str) -> Result<Option<User>> {
    let key = clean(typed.trim()).to_lowercase();
    let column = if key.contains('@') { table::Column::EmailKey } else { table::Column::NameKey };
    let row = table::Entity::find()
        .filter(column.eq(key))
        .filter(table::Column::Issuer.eq(LOCAL_ISSUER))
        .one(catalog.reader())
        .await?;
    row.map(from_row).transpose()
}

/// Lists accounts.
pub async fn list(catalog: &Catalog, filter: &UserFilter, page: Page) -> Result<Paged<User>> {
    let column = match filter.sort {
        UserSort::Name => table::Column::NameKey,
        UserSort::Created => table::Column::CreatedAt,
        UserSort::LastSignIn => table::Column::LastSignInAt,
    };
    let mut select = table::Entity::find();
    if let Some(found) = matches(table::Column::SearchText, filter.q.as_deref()) {
        select = select.filter(found);
    }
    let select = select.order_by(column, filter.order.into()).order_by_asc(table::Column::Id);
    paging::fetch(catalog.reader(), select, page, from_row).await
}

/// How many accounts there are.
pub async fn count(catalog: &Catalog) -> Result<u64> {
    Ok(table::Entity::find().count(catalog.reader()).await?)
}

/// Changes an account: all of it, or nothing.
///
/// # Errors
/// `NotFound`; `AlreadyExists` for the name or the e-mail address; `Conflict(LastAdmin)` when nobody would be left who
/// administers the server.
pub async fn update(catalog: &Catalog, id: UserId, changes: UserChanges) -> Result<User> {
    let transaction = catalog.begin().await?;
    let now = catalog.now();
    if changes.platform_admin == Some(false) || changes.suspended == Some(true) {
        keep_an_admin(&transaction, id).await?;
    }
    let before = lock(&transaction, id).await?;
    let name = changes.name.as_ref().map_or(before.name.as_str(), UserName::as_str).to_owned();
    let email = changes.email.as_deref().map(clean).or_else(|| before.email.clone());
    let display_name =
        changes.display_name.as_deref().map_or_else(|| before.display_name.clone(), clean);
    let search = search_of(&name, email.as_deref(), &display_name);
    let email_key = email.as_deref().map(str::to_lowercase);
    let moved = email_key != before.email_key;
    if moved {
        // what was sent to the address before opens nothing any more
        links::forget(&transaction, id, None).await?;
    }
    if changes.suspended == Some(true) {
        links::forget(&transaction, id, None).await?;
        sessions::revoke_all_in(&transaction, now, id).await?;
    }
    let mut row = before.into_active_model();
    if moved {
        row.email_verified_at = Set(None);
    }
    if let Some(platform_admin) = changes.platform_admin {
        row.platform_admin = Set(platform_admin);
    }
    if let Some(suspended) = changes.suspended {
        row.suspended_at = Set(suspended.then_some(now));
    }
    row.name_key = Set(name.to_ascii_lowercase());
    row.name = Set(name);
    row.email_key = Set(email_key);
    row.email = Set(email);
    row.display_name = Set(display_name);
    row.search_text = Set(search);
    row.updated_at = Set(now);
    let row = row.update(&transaction).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Sets the hash of an account's password, or takes it away.
pub async fn set_password(catalog: &Catalog, id: UserId, hash: Option<String>) -> Result<()> {
    set(catalog, id, table::Column::PasswordHash, Expr::value(hash)).await
}

/// Gives an account another password: ends its links and its sessions, except the one to keep, and tells the user.
///
/// # Errors
/// `NotFound`.
pub async fn change_password(
    catalog: &Catalog,
    id: UserId,
    hash: String,
    keep: Option<SessionId>,
    notice: Option<NewMail>,
) -> Result<()> {
    let transaction = catalog.begin().await?;
    let now = catalog.now();
    let hash = Expr::value(Some(hash));
    set_in(&transaction, now, id, table::Column::PasswordHash, hash).await?;
    links::forget(&transaction, id, Some(LinkKind::ResetPassword)).await?;
    match keep {
        Some(keep) => sessions::revoke_others_in(&transaction, now, id, keep).await?,
        None => sessions::revoke_all_in(&transaction, now, id).await?,
    };
    if let Some(notice) = notice {
        outbox::queue_in(&transaction, now, notice).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Notes how a user wants things.
///
/// # Errors
/// `NotFound`.
pub async fn set_preferences(
    catalog: &Catalog,
    id: UserId,
    preferences: Preferences,
) -> Result<User> {
    let transaction = catalog.begin().await?;
    let mut row = lock(&transaction, id).await?.into_active_model();
    row.language = Set(preferences.language);
    row.theme = Set(preferences.theme);
    row.time_zone = Set(preferences.time_zone);
    row.default_organization_id = Set(preferences.default_organization.map(|id| id.0));
    row.updated_at = Set(catalog.now());
    let row = row.update(&transaction).await?;
    transaction.commit().await?;
    from_row(row)
}

/// Notes that an account signed in just now.
pub async fn record_sign_in(catalog: &Catalog, id: UserId) -> Result<()> {
    let changed = table::Entity::update_many()
        .col_expr(table::Column::LastSignInAt, Expr::value(Some(catalog.now())))
        .filter(table::Column::Id.eq(id.0))
        .exec(catalog.writer())
        .await?;
    found(changed.rows_affected)
}

async fn set(catalog: &Catalog, id: UserId, column: table::Column, to: Expr) -> Result<()> {
    let transaction = catalog.begin().await?;
    set_in(&transaction, catalog.now(), id, column, to).await?;
    transaction.commit().await?;
    Ok(())
}

async fn set_in<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    id: UserId,
    column: table::Column,
    to: Expr,
) -> Result<()> {
    let changed = table::Entity::update_many()
        .col_expr(column, to)
        .col_expr(table::Column::UpdatedAt, Expr::value(now))
        .filter(table::Column::Id.eq(id.0))
        .exec(db)
        .await?;
    found(changed.rows_affected)
}

fn found(rows: u64) -> Result<()> {
    if rows == 0 { Err(CatalogError::not_found(Noun::User)) } else { Ok(()) }
}

/// Removes an account with its memberships, sessions and tokens. Boxes and organizations stay.
///
/// # Errors
/// `NotFound`; `Conflict(LastOwner)` while it is the only owner of an organization that has other members;
/// `Conflict(LastAdmin)` when nobody would be left who administers the server.
pub async fn delete(catalog: &Catalog, id: UserId) -> Result<()> {
    let transaction = catalog.begin().await?;
    keep_an_admin(&transaction, id).await?;
    lock(&transaction, id).await?;
    // what it deleted, it does not have to hand over
    let owned = member_rows::Entity::find()
        .join(JoinType::InnerJoin, crate::memberships::to_organization())
        .filter(crate::entity::organizations::Column::DeletedAt.is_null())
        .filter(member_rows::Column::UserId.eq(id.0))
        .filter(member_rows::Column::Role.eq(Role::Owner.as_str()))
        .all(&transaction)
        .await?;
    let ids = owned.iter().map(|row| OrganizationId(row.organization_id)).collect::<Vec<_>>();
    crate::memberships::lock_organizations(&transaction, &ids).await?;
    let others = member_rows::Entity::find()
        .filter(member_rows::Column::OrganizationId.is_in(ids.iter().map(|id| id.0)))
        .filter(member_rows::Column::UserId.ne(id.0))
        .all(&transaction)
        .await?;
    let shared = |organization: &OrganizationId| {
        others.iter().any(|row| row.organization_id == organization.0)
    };
    let owned_by_others = |organization: &OrganizationId| {
        let owner = Role::Owner.as_str();
        others.iter().any(|row| row.organization_id == organization.0 && row.role == owner)
    };
    if ids.iter().any(|organization| shared(organization) && !owned_by_others(organization)) {
        return Err(CatalogError::conflict(ConflictReason::LastOwner));
    }
    table::Entity::delete_by_id(id.0).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

pub(crate) async fn lock<C: ConnectionTrait>(db: &C, id: UserId) -> Result<table::Model> {
    let row = table::Entity::find_by_id(id.0).lock_exclusive().one(db).await?;
    row.ok_or(CatalogError::NotFound { what: Noun::User })
}

pub(crate) fn search_of(name: &str, email: Option<&str>, display_name: &str) -> String {
    search_text(&[name, email.unwrap_or_default(), display_name])
}

pub(crate) fn from_row(row: table::Model) -> Result<User> {
    Ok(User {
        id: UserId(row.id),
        name: stored("users.name", UserName::parse(&row.name))?,
        email: row.email,
        display_name: row.display_name,
        password_hash: row.password_hash,
        issuer: row.issuer,
        subject: row.subject,
        platform_admin: row.platform_admin,
        suspended_at: row.suspended_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
        last_sign_in_at: row.last_sign_in_at,
        email_verified_at: row.email_verified_at,
        preferences: Preferences {
            language: row.language,
            theme: row.theme,
            time_zone: row.time_zone,
            default_organization: row.default_organization_id.map(OrganizationId),
        },
        avatar_digest: row.avatar_digest.map(digest).transpose()?,
    })
}
