//! Second factors: a secret that one-time codes come from, sealed by the server, and recovery codes, hashed.
//!
//! What was used is remembered in the same statement that looks whether it was used: of two who present one code at
//! once, one gets in.

use boxvault_types::ids::UserId;
use chrono::{DateTime, Utc};
use sea_orm::ActiveModelTrait;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect,
};

use crate::entity::{recovery_codes, second_factors as table};
use crate::rows::{Hash, insert};
use crate::{Catalog, CatalogError, Noun, Result};

/// A second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// Since when signing in needs it; nothing while it is being set up.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The last step of time of which a code was used.
    pub last_step: i64,
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecondFactor")
            .field("confirmed_at", &self.confirmed_at)
            .field("last_step", &self.last_step)
            .finish_non_exhaustive()
    }
}

/// Finds the second factor of an account, set up or being so.
pub async fn find(catalog: &Catalog, user: UserId) -> Result<Option<SecondFactor>> {
    let row = table::Entity::find_by_id(user.0).one(catalog.reader()).await?;
    Ok(row.map(|row| SecondFactor {
        secret: row.secret,
        confirmed_at: row.confirmed_at,
        last_step: row.last_step,
    }))
}

/// Begins to set one up, in the place of one that was begun and not confirmed. Tells whether it could: not over one
/// that is confirmed.
///
/// # Errors
/// `NotFound(User)` when the account is gone.
pub async fn begin(catalog: &Catalog, user: UserId, secret: Vec<u8>) -> Result<bool> {
    let transaction = catalog.begin().await?;
    let known = table::Entity::find_by_id(user.0).lock_exclusive().one(&transaction).await?;
    if known.is_some_and(|row| row.confirmed_at.is_some()) {
        return Ok(false);
    }
    table::Entity::delete_by_id(user.0).exec(&transaction).await?;
    let row = table::Model {
        user_id: user.0,
        secret,
        created_at: catalog.now(),
        confirmed_at: None,
        last_step: 0,
    };
    insert(&transaction, row).await.map_err(|error| error.without_parent(Noun::User))?;
    transaction.commit().await?;
    Ok(true)
}

/// Confirms the one that was begun, by a code of a step, with its recovery codes. Tells whether there was one to
/// confirm.
pub async fn confirm(catalog: &Catalog, user: UserId, step: i64, codes: &[Hash]) -> Result<bool> {
    let transaction = catalog.begin().await?;
    let confirmed = table::Entity::update_many()
        .col_expr(table::Column::ConfirmedAt, Expr::value(Some(catalog.now())))
        .col_expr(table::Column::LastStep, Expr::value(step))
        .filter(table::Column::UserId.eq(user.0))
        .filter(table::Column::ConfirmedAt.is_null())
        .exec(&transaction)
        .await?;
    if confirmed.rows_affected == 0 {
        return Ok(false);
    }
    replace_codes(&transaction, user, codes).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Uses the code of a step: tells whether no code of that step or a later one was used before.
pub async fn use_step(catalog: &Catalog, user: UserId, step: i64) -> Result<bool> {
    let used = table::Entity::update_many()
        .col_expr(table::Column::LastStep, Expr::value(step))
        .filter(table::Column::UserId.eq(user.0))
        .filter(table::Column::LastStep.lt(step))
        .exec(catalog.writer())
        .await?;
    Ok(used.rows_affected > 0)
}

/// Uses a recovery code: tells whether it was one that nobody used before.
pub async fn use_recovery_code(catalog: &Catalog, user: UserId, hash: &Hash) -> Result<bool> {
    let used = recovery_codes::Entity::delete_many()
        .filter(recovery_codes::Column::UserId.eq(user.0))
        .filter(recovery_codes::Column::CodeHash.eq(hash.to_vec()))
        .exec(catalog.writer())
        .await?;
    Ok(used.rows_affected > 0)
}

/// How many recovery codes are left.
pub async fn count_recovery_codes(catalog: &Catalog, user: UserId) -> Result<u64> {
    let of_user = recovery_codes::Column::UserId.eq(user.0);
    Ok(recovery_codes::Entity::find().filter(of_user).count(catalog.reader()).await?)
}

/// Gives new recovery codes in the place of the old ones. Tells whether there is a confirmed second factor.
pub async fn renew_recovery_codes(catalog: &Catalog, user: UserId, codes: &[Hash]) -> Result<bool> {
    let transaction = catalog.begin().await?;
    let known = table::Entity::find_by_id(user.0).lock_exclusive().one(&transaction).await?;
    if known.is_none_or(|row| row.confirmed_at.is_none()) {
        return Ok(false);
    }
    replace_codes(&transaction, user, codes).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Takes the second factor away, with its recovery codes. Tells whether there was one.
pub async fn remove(catalog: &Catalog, user: UserId) -> Result<bool> {
    let transaction = catalog.begin().await?;
    replace_codes(&transaction, user, &[]).await?;
    let gone = table::Entity::delete_by_id(user.0).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(gone.rows_affected > 0)
}

async fn replace_codes<C: ConnectionTrait>(db: &C, user: UserId, codes: &[Hash]) -> Result<()> {
    recovery_codes::Entity::delete_many()
        .filter(recovery_codes::Column::UserId.eq(user.0))
        .exec(db)
        .await?;
    if codes.is_empty() {
        return Ok(());
    }
    let rows = codes.iter().map(|hash| {
        let row = recovery_codes::Model { user_id: user.0, code_hash: hash.to_vec() };
        row.into_active_model().reset_all()
    });
    recovery_codes::Entity::insert_many(rows)
        .exec_without_returning(db)
        .await
        .map_err(CatalogError::from)?;
    Ok(())
}
