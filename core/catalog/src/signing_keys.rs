//! The keys that access tokens are signed with. They live here so that all servers of one catalog share them.

use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::audit::{self, NewEntry};
use crate::clock::whole_micros;
use crate::entity::{settings as setting_rows, signing_keys as table};
use crate::rows::insert;
use crate::{Catalog, Result};

/// The row of `settings` that whoever makes the first key waits on.
pub(crate) const FIRST_KEY_LOCK: &str = "lock.signing_keys";

/// The most keys that are looked at; a rotation each day for months stays below.
const KEYS_MAX: u64 = 1_000;

/// A signing key.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id, as tokens name it.
    pub kid: String,
    /// Its algorithm, as tokens name it.
    pub algorithm: String,
    /// The key itself.
    pub secret: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops to be good for anything.
    pub retire_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("created_at", &self.created_at)
            .field("retire_at", &self.retire_at)
            .finish_non_exhaustive()
    }
}

/// Lists the keys that are not retired, newest first: sign with the first, verify with any.
pub async fn list(catalog: &Catalog) -> Result<Vec<SigningKey>> {
    let rows = unretired(catalog.now()).all(catalog.reader()).await?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Adds a key, which is the newest from now on.
///
/// # Errors
/// `AlreadyExists(Id)`.
pub async fn add(catalog: &Catalog, key: SigningKey) -> Result<()> {
    insert(catalog.writer(), to_row(key)).await
}

/// Says when a key stops to be good for anything. Tells whether there is such a key.
pub async fn retire(catalog: &Catalog, kid: &str, at: DateTime<Utc>) -> Result<bool> {
    let changed = table::Entity::update_many()
        .col_expr(table::Column::RetireAt, Expr::value(Some(whole_micros(at))))
        .filter(table::Column::Kid.eq(kid))
        .exec(catalog.writer())
        .await?;
    Ok(changed.rows_affected > 0)
}

/// The newest key that is not retired; without any, this one. Several servers that start at once get the same.
pub async fn first_or_insert(catalog: &Catalog, candidate: SigningKey) -> Result<SigningKey> {
    let transaction = catalog.begin_aside().await?;
    setting_rows::Entity::find_by_id(FIRST_KEY_LOCK).lock_exclusive().one(&transaction).await?;
    if let Some(row) = unretired(catalog.now()).one(&transaction).await? {
        return Ok(from_row(row));
    }
    let row = to_row(candidate);
    insert(&transaction, row.clone()).await?;
    transaction.commit().await?;
    Ok(from_row(row))
}

/// Adds a key, unless the newest one was made after a moment; the others are retired at another one, so that what
/// they signed holds until then. The audit log says by whom. Tells whether it was added. Of several servers that want to at once, one does.
pub async fn rotate(
    catalog: &Catalog,
    candidate: SigningKey,
    unless_made_after: DateTime<Utc>,
    retire_others_at: DateTime<Utc>,
    entry: NewEntry,
) -> Result<bool> {
    let transaction = catalog.begin_aside().await?;
    setting_rows::Entity::find_by_id(FIRST_KEY_LOCK).lock_exclusive().one(&transaction).await?;
    let newest = unretired(catalog.now()).one(&transaction).await?;
    if newest.is_some_and(|row| row.created_at > unless_made_after) {
        return Ok(false);
    }
    table::Entity::update_many()
        .col_expr(table::Column::RetireAt, Expr::value(Some(whole_micros(retire_others_at))))
        .filter(table::Column::RetireAt.is_null())
        .exec(&transaction)
        .await?;
    insert(&transaction, to_row(candidate)).await?;
    audit::insert_in(&transaction, catalog.now(), vec![entry]).await?;
    transaction.commit().await?;
    Ok(true)
}

fn unretired(now: DateTime<Utc>) -> sea_orm::Select<table::Entity> {
    let good = Condition::any()
        .add(table::Column::RetireAt.is_null())
        .add(table::Column::RetireAt.gt(now));
    table::Entity::find()
        .filter(good)
        .order_by_desc(table::Column::CreatedAt)
        .order_by_desc(table::Column::Kid)
        .limit(KEYS_MAX)
}

fn to_row(key: SigningKey) -> table::Model {
    table::Model {
        kid: key.kid,
        algorithm: key.algorithm,
        secret: key.secret,
        created_at: whole_micros(key.created_at),
        retire_at: key.retire_at.map(whole_micros),
    }
}

fn from_row(row: table::Model) -> SigningKey {
    SigningKey {
        kid: row.kid,
        algorithm: row.algorithm,
        secret: row.secret,
        created_at: row.created_at,
        retire_at: row.retire_at,
    }
}
