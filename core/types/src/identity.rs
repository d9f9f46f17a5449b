//! Who is calling, after authentication. Says nothing of what they may do: that is the policy's.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{OrganizationId, ServiceAccountId, SessionId, TokenId, UserId};
use crate::names::{OrganizationName, ServiceAccountName, UserName};
pub use crate::scope::TokenScope;

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
    /// The secret of a service account.
    Service(ServiceAccountId),
}

impl Credential {
    /// The word in logs and audit rows.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Session(_) => "session",
            Self::Token(_) => "token",
            Self::Service(_) => "service",
        }
    }
}

/// A known user who is calling, or a service account.
///
/// Of a service account the fields say what it may at most do: a member of its own organization and of nothing else,
/// limited to it. The user is then its sponsor, in whose name rows are written.
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
    /// The language that they chose to be told things in, as a tag.
    pub language: Option<String>,
    /// Its places in organizations.
    pub memberships: Vec<(OrganizationName, Role)>,
    /// Its groups as the auth provider told at the last sign-in, each `<auth provider>:<name>`.
    pub groups: Vec<String>,
    /// What it presented.
    pub credential: Credential,
    /// What the credential is limited to.
    pub scope: TokenScope,
    /// The service account, where one is calling.
    pub service: Option<ServiceCaller>,
}

/// A service account that is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCaller {
    /// The account.
    pub id: ServiceAccountId,
    /// Its name in its organization.
    pub name: ServiceAccountName,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The organization's name.
    pub organization: OrganizationName,
    /// Who vouches for it: it may nothing that they may not do themselves.
    pub sponsor: Box<Caller>,
}

impl fmt::Display for ServiceCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service:{}/{}", self.organization.key(), self.name.key())
    }
}

impl Caller {
    /// Who it is, for logs and audit rows: the user's name, or `service:<organization>/<name>`.
    pub fn actor(&self) -> String {
        match &self.service {
            Some(service) => service.to_string(),
            None => self.name.to_string(),
        }
    }

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
