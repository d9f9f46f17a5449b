//! Accounts, sessions and tokens.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::action::Action;
use crate::names::{BoxName, OrganizationName, UserName};
use crate::scope::BoxPattern;

/// A text that must not be written down: it does not show in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a text into safe keeping.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The first platform admin of a new server.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetupParams {
    /// The one-time token that the server printed when it started.
    pub token: Secret,
    /// The name to sign in with.
    pub username: UserName,
    /// Where to reach them.
    #[schema(example = "alice@example.com", max_length = 254)]
    pub email: String,
    /// At least as long as the server's configuration demands.
    pub password: Secret,
    /// The name to show.
    #[schema(max_length = 255)]
    pub name: Option<String>,
}

/// A new account.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignUpParams {
    /// The name to sign in with.
    pub username: UserName,
    /// Where to reach them.
    #[schema(example = "bob@example.com", max_length = 254)]
    pub email: String,
    /// At least as long as the server's configuration demands.
    pub password: Secret,
    /// The name to show.
    #[schema(max_length = 255)]
    pub name: Option<String>,
    /// What stands behind `#token=` in the link of an invitation to this address: the account is a member at once.
    pub invitation: Option<Secret>,
}

/// Name and password. Unknown fields are ignored, since clients of the original send more.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInParams {
    /// The name, or the e-mail address.
    #[schema(example = "alice", max_length = 254)]
    pub username: String,
    /// The password.
    pub password: Secret,
    /// Whether the session should outlive the browser.
    #[serde(default)]
    pub stay_logged_in: bool,
    /// The auth provider; `local` when absent.
    pub provider: Option<String>,
    /// The code of the second factor, or a recovery code, where the account has one.
    #[schema(example = "123456")]
    pub code: Option<Secret>,
}

/// A sign-in at another site.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BeginSignInParams {
    /// Whether the session should outlive the browser.
    #[serde(default)]
    pub stay_logged_in: bool,
    /// Where to go afterwards: a path of this server.
    #[schema(example = "/acme/debian12", max_length = 2048)]
    pub next: Option<String>,
}

/// What the browser brought back from the other site.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishSignInParams {
    /// Every parameter of the address that it was sent back to, by its name.
    #[schema(value_type = BTreeMap<String, String>, example = json!({ "code": "SplxlOBeZQQYbYS6WxSbIA", "state": "af0ifjsldkj" }))]
    pub answer: BTreeMap<String, Secret>,
}

/// What an auth provider sends when a session ended there.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct LogoutNoticeParams {
    /// A signed statement of it: the logout token of OpenID Connect.
    pub logout_token: Secret,
}

/// Whose link to send.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestLinkParams {
    /// The account's e-mail address, or its name.
    #[schema(example = "alice@example.com", max_length = 254)]
    pub email: String,
}

/// A new password, for whoever has the link.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetPasswordParams {
    /// What stands behind `#token=` in the link.
    pub token: Secret,
    /// The new password.
    pub new_password: Secret,
}

/// The proof of an address.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyEmailParams {
    /// What stands behind `#token=` in the link.
    pub token: Secret,
}

/// Another address for the caller's own account.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeEmailParams {
    /// The new address.
    #[schema(example = "alice@example.org", max_length = 254)]
    pub email: String,
    /// The present password.
    pub current_password: Secret,
}

/// The caller's own password, for what a stolen session alone must not do.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordParams {
    /// The present password.
    pub current_password: Secret,
}

/// The caller's own password, where it is kept here.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteProfileParams {
    /// The present password; accounts of an auth provider have none.
    pub current_password: Option<Secret>,
}

/// A code of the second factor.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CodeParams {
    /// The six digits that the app shows.
    #[schema(example = "123456")]
    pub code: Secret,
}

/// How the caller wants things. What is absent stays as it is; `null` leaves it to the client.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreferencesParams {
    /// A language tag (BCP 47).
    #[serde(default, deserialize_with = "super::present")]
    #[schema(value_type = Option<String>, example = "en", max_length = 35)]
    pub language: Option<Option<String>>,
    /// How pages look.
    #[serde(default, deserialize_with = "super::present")]
    #[schema(value_type = Option<Theme>)]
    pub theme: Option<Option<Theme>>,
    /// A time zone (IANA).
    #[serde(default, deserialize_with = "super::present")]
    #[schema(value_type = Option<String>, example = "Europe/Vienna", max_length = 64)]
    pub time_zone: Option<Option<String>>,
    /// The organization that comes first; one of the caller's own.
    #[serde(default, deserialize_with = "super::present")]
    #[schema(value_type = Option<OrganizationName>)]
    pub default_organization: Option<Option<OrganizationName>>,
}

/// How pages look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
    /// As the system has it.
    Auto,
}

impl Theme {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Auto => "auto",
        }
    }
}

/// A refresh token.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshParams {
    /// The token of the last sign-in or refresh. It works once, and again for 30 seconds if the answer was lost.
    pub refresh_token: Secret,
}

/// What to change of the caller's own account.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateProfileParams {
    /// The name to show.
    #[schema(max_length = 255)]
    pub name: Option<String>,
}

/// A new password.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangePasswordParams {
    /// The present one.
    pub current_password: Secret,
    /// The new one.
    pub new_password: Secret,
}

/// A new API token.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTokenParams {
    /// What it is for.
    #[schema(example = "build pipeline", max_length = 255)]
    pub description: String,
    /// After how many days it ends; never, when absent.
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<u32>,
    /// The actions that it is limited to; all, when absent.
    pub actions: Option<Vec<Action>>,
    /// The organization that it is limited to; all, when absent.
    pub organization: Option<OrganizationName>,
    /// The box that it is limited to, together with the organization; short for the pattern `box/<name>/**`.
    #[serde(rename = "box")]
    pub box_name: Option<BoxName>,
    /// The boxes, or parts of boxes, that it is limited to, together with the organization.
    pub pattern: Option<BoxPattern>,
}

/// A user, made by a platform admin.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateUserParams {
    /// The name to sign in with.
    pub username: UserName,
    /// Where to reach them.
    #[schema(max_length = 254)]
    pub email: String,
    /// The first password; when absent, they get a message with a link to choose one.
    pub password: Option<Secret>,
    /// The name to show.
    #[schema(max_length = 255)]
    pub name: Option<String>,
    /// Whether they administer the whole server.
    #[serde(default)]
    pub platform_admin: bool,
}

/// What a platform admin changes of a user.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateUserParams {
    /// The name to show.
    #[schema(max_length = 255)]
    pub name: Option<String>,
    /// Where to reach them.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Whether they administer the whole server.
    pub platform_admin: Option<bool>,
    /// Whether they may not sign in. Ends their sessions at once.
    pub suspended: Option<bool>,
}
