//! Organizations and their members.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::identity::Role;
use crate::names::{OrganizationName, UserName};

/// Who may see an organization and ask to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessMode {
    /// Only its members see it.
    #[default]
    Private,
    /// Everybody sees it; people join by invitation.
    InviteOnly,
    /// Everybody sees it and may ask to join.
    RequestToJoin,
}

impl AccessMode {
    /// Every mode.
    pub const ALL: &'static [Self] = &[Self::Private, Self::InviteOnly, Self::RequestToJoin];

    /// The word in the catalog and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::InviteOnly => "invite_only",
            Self::RequestToJoin => "request_to_join",
        }
    }

    /// Parses the word in the catalog and the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mode| mode.as_str() == text)
    }
}

impl fmt::Display for AccessMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A new organization.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateOrganizationParams {
    /// The first half of `organization/box`. `organization` is taken as well, as the original calls it.
    #[serde(alias = "organization")]
    pub name: OrganizationName,
    /// What it is.
    #[serde(default)]
    #[schema(max_length = 4096)]
    pub description: String,
    /// Where to reach it.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Who may see it and ask to join.
    #[serde(default)]
    pub access_mode: AccessMode,
}

/// What to change of an organization.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateOrganizationParams {
    /// A new name.
    #[serde(alias = "organization")]
    pub name: Option<OrganizationName>,
    /// What it is.
    #[schema(max_length = 4096)]
    pub description: Option<String>,
    /// Where to reach it.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Who may see it and ask to join.
    pub access_mode: Option<AccessMode>,
}

/// Which organization to delete, once more.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteOrganizationQuery {
    /// The organization's name, so that nobody deletes one by mistake.
    #[param(example = "acme")]
    pub confirm: Option<String>,
}

/// Why an organization is suspended.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SuspendOrganizationParams {
    /// What its admins and owners read.
    #[serde(default)]
    #[schema(max_length = 1024, example = "unpaid since March")]
    pub reason: String,
}

/// Who is to own an organization.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HandOverParams {
    /// A member. The owner who hands over becomes an admin.
    pub username: UserName,
}

/// A new member.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddMemberParams {
    /// An existing user.
    pub username: UserName,
    /// The role.
    pub role: Role,
}

/// What to change of a member.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateMemberParams {
    /// The role.
    pub role: Role,
}
