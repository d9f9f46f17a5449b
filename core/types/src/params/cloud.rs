//! What clients of the Vagrant Cloud API send. What they send beyond that is left alone, and null says nothing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::Secret;
use crate::names::{ArchitectureName, BoxName, OrganizationName, ProviderName};
use crate::version::BoxVersion;

/// Signs in for a token.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct CloudSignInParams {
    /// Who.
    pub user: CloudCredentials,
    /// What the token is to be.
    pub token: Option<CloudTokenParams>,
    /// The second factor.
    pub two_factor: Option<CloudSecondFactor>,
}

/// A name and a password.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub struct CloudCredentials {
    /// The name, or the e-mail address.
    #[schema(example = "alice")]
    pub login: String,
    /// The password.
    pub password: Secret,
}

/// A token to make.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct CloudTokenParams {
    /// What it is for.
    #[schema(max_length = 255)]
    pub description: Option<String>,
}

/// A second factor.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct CloudSecondFactor {
    /// The code of the app, or a recovery code.
    pub code: Option<Secret>,
}

/// A box to make or to change, bare or as `{"box": {…}}`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct CloudBoxParams {
    /// The organization, of a new box.
    #[schema(value_type = Option<OrganizationName>)]
    pub username: Option<OrganizationName>,
    /// Its name, or another one.
    #[schema(value_type = Option<BoxName>)]
    pub name: Option<BoxName>,
    /// One line.
    #[schema(max_length = 255)]
    pub short_description: Option<String>,
    /// Markdown.
    #[schema(max_length = 65_536)]
    pub description: Option<String>,
    /// Whether only some may fetch it; a new box is private unless this says otherwise.
    pub is_private: Option<bool>,
}

/// A version to make or to change, bare or as `{"version": {…}}`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct CloudVersionParams {
    /// Its number, or another one.
    #[schema(value_type = Option<BoxVersion>)]
    pub version: Option<BoxVersion>,
    /// Markdown.
    #[schema(max_length = 65_536)]
    pub description: Option<String>,
}

/// A provider to make or to change, bare or as `{"provider": {…}}`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct CloudProviderParams {
    /// The provider, or another name of it.
    #[schema(value_type = Option<ProviderName>)]
    pub name: Option<ProviderName>,
    /// The architecture, or another one; `unknown` when a new provider comes without.
    #[schema(value_type = Option<ArchitectureName>)]
    pub architecture: Option<ArchitectureName>,
    /// True makes it the one that clients get who ask for none.
    pub default_architecture: Option<bool>,
    /// Refused: every file lies here.
    pub url: Option<String>,
    /// What the next file must hash to, in hexadecimal.
    pub checksum: Option<String>,
    /// Its type, such as `sha256`.
    #[schema(example = "sha256")]
    pub checksum_type: Option<String>,
}
