//! Accounts, sessions and tokens.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::{Role, TokenScope};
use crate::ids::{SessionId, TokenId, UserId};

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// Never changes.
    pub id: UserId,
    /// The name to sign in with.
    #[schema(example = "alice")]
    pub username: String,
    /// The name to show.
    pub name: Option<String>,
    /// Where to reach them.
    #[schema(example = "alice@example.com")]
    pub email: String,
    /// Whether they administer the whole server.
    pub platform_admin: bool,
    /// Whether they may not sign in.
    pub suspended: bool,
    /// Who vouches for the account: `local`, or the name of an auth provider.
    #[schema(example = "local")]
    pub issuer: String,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it last signed in.
    pub last_sign_in_at: Option<DateTime<Utc>>,
}

/// The caller's own account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileView {
    /// The account.
    #[serde(flatten)]
    pub user: UserView,
    /// Its places in organizations.
    pub organizations: Vec<MembershipView>,
}

/// A place in an organization, as its holder sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MembershipView {
    /// The organization.
    #[schema(example = "acme")]
    pub name: String,
    /// The role there.
    pub role: Role,
}

/// A new or refreshed session.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInView {
    /// The caller's own account.
    #[serde(flatten)]
    pub profile: ProfileView,
    /// Send it as `x-access-token` or `Authorization: Bearer`.
    pub access_token: String,
    /// When the access token ends.
    pub access_token_expires_at: DateTime<Utc>,
    /// Gives a new pair, once.
    pub refresh_token: String,
    /// When the session ends unless it is refreshed.
    pub refresh_token_expires_at: DateTime<Utc>,
    /// Whether the session outlives the browser.
    pub stay_logged_in: bool,
}

/// A session of the caller.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// What signed in.
    pub user_agent: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is refreshed.
    pub expires_at: DateTime<Utc>,
}

/// An API token. The token itself is shown once, when it is made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    #[schema(example = "build pipeline")]
    pub description: String,
    /// What it is limited to.
    pub scope: TokenScope,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; never, when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A new API token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewTokenView {
    /// What was made.
    #[serde(flatten)]
    pub info: TokenView,
    /// The token. It cannot be shown again.
    #[schema(example = "bvt_…")]
    pub token: String,
}

/// A way to sign in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInMethodView {
    /// The name in the configuration.
    #[schema(example = "local")]
    pub name: String,
    /// `password`: with name and password; `redirect`: at another site.
    #[schema(example = "password")]
    pub kind: String,
}
