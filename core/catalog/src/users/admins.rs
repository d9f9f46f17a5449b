//! Platform admins: the first one, and that there always is one who may sign in.

use boxvault_types::ids::UserId;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
};

use super::{NewUser, User, UserChanges, create_in, update};
use crate::entity::{settings as setting_rows, users as table};
use crate::{Catalog, CatalogError, ConflictReason, Result};

/// The row of `settings` that whoever makes the first admin waits on.
pub(crate) const FIRST_ADMIN_LOCK: &str = "lock.first_admin";

/// Makes the first account of a new server, a platform admin. Of several attempts one wins.
///
/// # Errors
/// `Conflict(AlreadySetUp)` when any account exists.
pub async fn create_first_admin(catalog: &Catalog, new: NewUser) -> Result<User> {
    let transaction = catalog.begin().await?;
    setting_rows::Entity::find_by_id(FIRST_ADMIN_LOCK).lock_exclusive().one(&transaction).await?;
    if table::Entity::find().limit(1).one(&transaction).await?.is_some() {
        return Err(CatalogError::conflict(ConflictReason::AlreadySetUp));
    }
    let new = NewUser { platform_admin: true, ..new };
    let user = create_in(&transaction, catalog.now(), new).await?;
    transaction.commit().await?;
    Ok(user)
}

/// Makes an account a platform admin.
pub async fn grant_platform_admin(catalog: &Catalog, id: UserId) -> Result<()> {
    let changes = UserChanges { platform_admin: Some(true), ..UserChanges::default() };
    update(catalog, id, changes).await.map(drop)
}

/// Makes an account an ordinary one again.
///
/// # Errors
/// `NotFound`; `Conflict(LastAdmin)` when nobody would be left who administers the server.
pub async fn withdraw_platform_admin(catalog: &Catalog, id: UserId) -> Result<()> {
    let changes = UserChanges { platform_admin: Some(false), ..UserChanges::default() };
    update(catalog, id, changes).await.map(drop)
}

/// Keeps an account from signing in: its sessions end, its tokens are refused, its links open nothing.
///
/// # Errors
/// `NotFound`; `Conflict(LastAdmin)` when nobody would be left who administers the server.
pub async fn suspend(catalog: &Catalog, id: UserId) -> Result<()> {
    let changes = UserChanges { suspended: Some(true), ..UserChanges::default() };
    update(catalog, id, changes).await.map(drop)
}

/// Lets a suspended account in again.
pub async fn resume(catalog: &Catalog, id: UserId) -> Result<()> {
    let changes = UserChanges { suspended: Some(false), ..UserChanges::default() };
    update(catalog, id, changes).await.map(drop)
}

/// Refuses to lose the last account that administers the server and may sign in. All who would take one away wait on
/// the same row, so that two admins who leave at once do not count on each other.
pub(crate) async fn keep_an_admin<C: ConnectionTrait>(db: &C, leaving: UserId) -> Result<()> {
    setting_rows::Entity::find_by_id(FIRST_ADMIN_LOCK).lock_exclusive().one(db).await?;
    let admins = table::Entity::find()
        .filter(table::Column::PlatformAdmin.eq(true))
        .filter(table::Column::SuspendedAt.is_null());
    let is_one = admins.clone().filter(table::Column::Id.eq(leaving.0)).count(db).await? > 0;
    let others = admins.filter(table::Column::Id.ne(leaving.0)).count(db).await?;
    if is_one && others == 0 {
        return Err(CatalogError::conflict(ConflictReason::LastAdmin));
    }
    Ok(())
}
