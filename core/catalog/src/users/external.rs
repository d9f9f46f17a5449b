//! Accounts that an auth provider vouches for: what it says of somebody is taken over at each sign-in.

use boxvault_types::ids::UserId;
use boxvault_types::names::UserName;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect,
};

use super::{User, from_row, search_of};
use crate::entity::{user_groups, users as table};
use crate::rows::{clean, insert};
use crate::{Catalog, Result};

/// What an auth provider said of somebody who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The auth provider's name, never [`boxvault_types::identity::LOCAL_ISSUER`].
    pub issuer: String,
    /// Who it is, for ever, in the auth provider's words.
    pub subject: String,
    /// The name that a new account gets.
    pub name: UserName,
    /// The e-mail address; left out of the account where another account has it.
    pub email: Option<String>,
    /// How people see it.
    pub display_name: String,
    /// All its groups; those of earlier sign-ins are forgotten.
    pub groups: Vec<String>,
}

/// Finds an account by who vouches for it.
pub async fn find_by_subject(
    catalog: &Catalog,
    issuer: &str,
    subject: &str,
) -> Result<Option<User>> {
    let row = by_subject(issuer, subject).one(catalog.reader()).await?;
    row.map(from_row).transpose()
}

fn by_subject(issuer: &str, subject: &str) -> sea_orm::Select<table::Entity> {
    table::Entity::find()
        .filter(table::Column::Issuer.eq(clean(issuer)))
        .filter(table::Column::Subject.eq(clean(subject)))
}

/// Finds or makes the account that an auth provider vouches for, and takes over what it says.
///
/// # Errors
/// `AlreadyExists(UserName)` when the account is new and another one has its name.
pub async fn upsert_external(catalog: &Catalog, claims: Claims) -> Result<User> {
    let transaction = catalog.begin().await?;
    let now = catalog.now();
    let known =
        by_subject(&claims.issuer, &claims.subject).lock_exclusive().one(&transaction).await?;
    let id = known.as_ref().map_or_else(|| UserId::new().0, |row| row.id);
    let email = claims.email.as_deref().map(clean);
    let told = email.as_deref().map(str::to_lowercase);
    let (email, email_key) = match told.clone() {
        Some(key) if !email_is_taken(&transaction, &key, id).await? => (email, Some(key)),
        _ => {
            known.as_ref().map(|row| (row.email.clone(), row.email_key.clone())).unwrap_or_default()
        }
    };
    let display_name = clean(&claims.display_name);
    // the auth provider has proven the address that it tells
    let verified_at = email_key.as_ref().filter(|key| told.as_ref() == Some(key)).map(|_| now);
    let row = if let Some(known) = known {
        let search = search_of(&known.name, email.as_deref(), &display_name);
        let verified_at = known.email_verified_at.or(verified_at);
        let mut row = known.into_active_model();
        row.email = Set(email);
        row.email_key = Set(email_key);
        row.display_name = Set(display_name);
        row.search_text = Set(search);
        row.updated_at = Set(now);
        row.last_sign_in_at = Set(Some(now));
        row.email_verified_at = Set(verified_at);
        row.update(&transaction).await?
    } else {
        let row = table::Model {
            id,
            name: claims.name.as_str().to_owned(),
            name_key: claims.name.key(),
            search_text: search_of(claims.name.as_str(), email.as_deref(), &display_name),
            email,
            email_key,
            display_name,
            password_hash: None,
            issuer: clean(&claims.issuer),
            subject: clean(&claims.subject),
            platform_admin: false,
            suspended_at: None,
            created_at: now,
            updated_at: now,
            last_sign_in_at: Some(now),
            email_verified_at: verified_at,
            language: None,
            theme: None,
            time_zone: None,
            default_organization_id: None,
            avatar_digest: None,
        };
        insert(&transaction, row.clone()).await?;
        row
    };
    replace_groups(&transaction, UserId(id), claims.groups).await?;
    transaction.commit().await?;
    from_row(row)
}

async fn email_is_taken<C: ConnectionTrait>(
    db: &C,
    key: &str,
    by_other_than: sea_orm::prelude::Uuid,
) -> Result<bool> {
    let row = table::Entity::find()
        .filter(table::Column::EmailKey.eq(key))
        .filter(table::Column::Id.ne(by_other_than))
        .one(db)
        .await?;
    Ok(row.is_some())
}

async fn replace_groups<C: ConnectionTrait>(
    db: &C,
    id: UserId,
    mut groups: Vec<String>,
) -> Result<()> {
    user_groups::Entity::delete_many()
        .filter(user_groups::Column::UserId.eq(id.0))
        .exec(db)
        .await?;
    groups.sort();
    groups.dedup();
    if groups.is_empty() {
        return Ok(());
    }
    let rows = groups.into_iter().map(|name| {
        let row = user_groups::Model { user_id: id.0, name: clean(&name) };
        row.into_active_model().reset_all()
    });
    user_groups::Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}
