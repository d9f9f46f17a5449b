//! Accounts, sessions and tokens.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::action::Action;
use crate::names::{BoxName, OrganizationName, UserName};

/// A text that must not be written down: it does not show in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(example = "correct horse battery")]
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
}

/// A refresh token.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshParams {
    /// The token of the last sign-in or refresh. It works once.
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
    /// The box that it is limited to, together with the organization.
    #[serde(rename = "box")]
    pub box_name: Option<BoxName>,
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
    /// The first password.
    pub password: Secret,
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
