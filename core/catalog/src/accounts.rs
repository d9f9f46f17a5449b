//! Everything that is needed to know who is calling: an account, its places in organizations, its groups.

use std::sync::Arc;

use boxvault_types::identity::{Caller, Credential, Identity, TokenScope};
use boxvault_types::ids::UserId;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::user_groups;
use crate::memberships::{self, Membership};
use crate::users::User;
use crate::{Catalog, Result, users};

/// The most groups of one account that are looked at.
const GROUPS_MAX: u64 = 10_000;

/// An account with all that its rights depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account itself.
    pub user: User,
    /// Its places in organizations, by name.
    pub memberships: Vec<Membership>,
    /// Its groups, as the auth provider told at the last sign-in.
    pub groups: Vec<String>,
}

impl Account {
    /// The account as the policy sees it.
    ///
    /// Groups are prefixed by the auth provider's name: `corp:admins`.
    pub fn into_identity(self, credential: Credential, scope: TokenScope) -> Identity {
        let Self { user, memberships, groups } = self;
        let groups = groups.iter().map(|group| format!("{}:{group}", user.issuer)).collect();
        Identity::User(Arc::new(Caller {
            user_id: user.id,
            name: user.name,
            issuer: user.issuer,
            platform_admin: user.platform_admin,
            language: None,
            memberships: memberships
                .into_iter()
                .map(|membership| (membership.organization_name, membership.role))
                .collect(),
            groups,
            credential,
            scope,
            service: None,
        }))
    }
}

/// Loads an account, also a suspended one, by three queries.
pub async fn load(catalog: &Catalog, id: UserId) -> Result<Option<Account>> {
    match users::find(catalog, id).await? {
        Some(user) => complete(catalog.reader(), user).await.map(Some),
        None => Ok(None),
    }
}

/// Adds memberships and groups to an account, by two queries.
pub(crate) async fn complete<C: ConnectionTrait>(db: &C, user: User) -> Result<Account> {
    let memberships = memberships::of_user_in(db, user.id).await?;
    let groups = user_groups::Entity::find()
        .filter(user_groups::Column::UserId.eq(user.id.0))
        .order_by_asc(user_groups::Column::Name)
        .limit(GROUPS_MAX)
        .all(db)
        .await?;
    let groups = groups.into_iter().map(|row| row.name).collect();
    Ok(Account { user, memberships, groups })
}
