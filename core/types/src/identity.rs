//! Who is calling, after authentication. Says nothing of what they may do: that is the policy's.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::ids::{SessionId, TokenId, UserId};
use crate::names::{BoxName, OrganizationName, UserName};

/// The issuer of accounts whose password hash is in the catalog.
pub const LOCAL_ISSUER: &str = "local";

/// Somebody's place in an organization.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads and publishes.
    Member,
    /// Also manages members and settings.
    Admin,
    /// Also hands over and deletes the organization.
    Owner,
}

impl Role {
    /// Every role, lowest first.
    pub const ALL: &'static [Self] = &[Self::Member, Self::Admin, Self::Owner];

    /// The word in the catalog and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Parses the word in the catalog and the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a caller presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// Nothing.
    None,
    /// The access token of a session.
    Session(SessionId),
    /// An API token.
    Token(TokenId),
}

impl Credential {
    /// The word in logs and audit rows.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Session(_) => "session",
            Self::Token(_) => "token",
        }
    }
}

/// What an API token may at most be used for. It never gives more than its owner has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenScope {
    /// The actions; `None` for all.
    pub actions: Option<Vec<Action>>,
    /// The organization that it is limited to; `None` for all.
    pub organization: Option<OrganizationName>,
    /// The box that it is limited to; `None` for all. Only together with an organization.
    #[serde(rename = "box")]
    pub box_name: Option<BoxName>,
}

impl TokenScope {
    /// Whether an action on something of this organization and box lies within the scope.
    pub fn covers(
        &self,
        action: Action,
        organization: Option<&OrganizationName>,
        object: &str,
    ) -> bool {
        let action_fits = self.actions.as_ref().is_none_or(|actions| actions.contains(&action));
        let organization_fits = self
            .organization
            .as_ref()
            .is_none_or(|limit| organization.is_some_and(|name| name.key() == limit.key()));
        let box_fits = self.box_name.as_ref().is_none_or(|limit| {
            let mut segments = object.split('/');
            segments.next() == Some("box") && segments.next() == Some(limit.key().as_str())
        });
        action_fits && organization_fits && box_fits
    }
}

/// A known user who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub user_id: UserId,
    /// Its name.
    pub name: UserName,
    /// Who vouches for it: [`LOCAL_ISSUER`], or the name of an auth provider.
    pub issuer: String,
    /// Whether it administers the whole server.
    pub platform_admin: bool,
    /// Its places in organizations.
    pub memberships: Vec<(OrganizationName, Role)>,
    /// Its groups as the auth provider told at the last sign-in, each `<auth provider>:<name>`.
    pub groups: Vec<String>,
    /// What it presented.
    pub credential: Credential,
    /// What the credential is limited to.
    pub scope: TokenScope,
}

impl Caller {
    /// The caller's role in an organization.
    pub fn role_in(&self, organization: &OrganizationName) -> Option<Role> {
        let key = organization.key();
        self.memberships.iter().find(|(name, _)| name.key() == key).map(|(_, role)| *role)
    }
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Identity {
    /// Nobody that we know.
    #[default]
    Anonymous,
    /// A known user.
    User(std::sync::Arc<Caller>),
}

impl Identity {
    /// The known user, if there is one.
    pub fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Anonymous => None,
            Self::User(caller) => Some(caller),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_limits_actions_organization_and_box() {
        let acme = OrganizationName::parse("acme").unwrap();
        let scope = TokenScope {
            actions: Some(vec![Action::Read]),
            organization: Some(OrganizationName::parse("Acme").unwrap()),
            box_name: Some(BoxName::parse("web").unwrap()),
        };
        assert!(scope.covers(Action::Read, Some(&acme), "box/web/version/1.0"));
        assert!(!scope.covers(Action::Delete, Some(&acme), "box/web"));
        assert!(!scope.covers(Action::Read, Some(&acme), "box/web2"));
        assert!(!scope.covers(Action::Read, Some(&acme), "box"));
        assert!(!scope.covers(Action::Read, None, "profile"));
        assert!(TokenScope::default().covers(Action::Delete, None, "profile"));
    }
}
