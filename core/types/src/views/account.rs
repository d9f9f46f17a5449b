//! Accounts, sessions and tokens.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{boxes::WatchView, join_requests::OwnJoinRequestView};
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
    /// Whether the address is known to be theirs.
    pub email_verified: bool,
    /// Where the picture is, if there is one.
    #[schema(example = "/api/avatars/01a209f3-f74e-71ed-aee1-23a3bce95a3e?v=8f434346")]
    pub avatar_url: Option<String>,
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
    /// Whether it comes first, as the preferences say.
    pub primary: bool,
}

/// How the caller wants things; what is null is left to the client.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreferencesView {
    /// A language tag (BCP 47).
    #[schema(example = "en")]
    pub language: Option<String>,
    /// How pages look: `light`, `dark` or `auto`.
    #[schema(example = "auto")]
    pub theme: Option<String>,
    /// A time zone (IANA).
    #[schema(example = "Europe/Vienna")]
    pub time_zone: Option<String>,
    /// The organization that comes first.
    #[schema(example = "acme")]
    pub default_organization: Option<String>,
    /// When the account was last changed, which they are part of.
    pub updated_at: DateTime<Utc>,
}

/// Whether signing in needs a code.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecondFactorView {
    /// Whether it does.
    pub enabled: bool,
    /// Since when.
    pub enabled_at: Option<DateTime<Utc>>,
    /// How many recovery codes are left.
    pub recovery_codes_left: u64,
}

/// What an authenticator app needs. Shown once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSecondFactorView {
    /// The secret, in base 32, to type in.
    #[schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")]
    pub secret: String,
    /// The same for a picture that the app reads.
    #[schema(example = "otpauth://totp/…")]
    pub uri: String,
}

/// Codes that sign in without the app. Shown once; each works once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodesView {
    /// The codes.
    pub recovery_codes: Vec<String>,
}

/// Everything that the server knows of the caller.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportView {
    /// The account and its places in organizations.
    pub profile: ProfileView,
    /// How the caller wants things.
    pub preferences: PreferencesView,
    /// Whether signing in needs a code.
    pub second_factor: SecondFactorView,
    /// The sessions.
    pub sessions: Vec<SessionView>,
    /// The API tokens, without the tokens themselves.
    pub tokens: Vec<TokenView>,
    /// The watched boxes, as far as the caller may still see them.
    pub watches: Vec<WatchView>,
    /// The requests to join organizations, with what became of them.
    pub join_requests: Vec<OwnJoinRequestView>,
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

/// Where a sign-in at another site goes on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BegunSignInView {
    /// Send the browser there.
    #[schema(example = "https://id.example.com/auth?client_id=boxvault")]
    pub url: String,
}

/// A new session that was begun at another site.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct FinishedSignInView {
    /// The session and its tokens.
    #[serde(flatten)]
    pub session: SignInView,
    /// Where to go now, as it was said at the beginning.
    #[schema(example = "/acme/debian12")]
    pub next: Option<String>,
}

/// A session that has ended.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedOutView {
    /// Where the session at the auth provider is ended, too; null where there is none, or it lasts.
    #[schema(example = "https://id.example.com/session/end?client_id=boxvault")]
    pub provider_url: Option<String>,
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
