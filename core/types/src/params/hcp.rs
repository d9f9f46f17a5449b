//! What clients of the HCP Vagrant Registry send. What they send beyond that, such as times of the year one, is left alone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cloud::{CloudBoxParams, CloudVersionParams};
use crate::names::{ArchitectureName, BoxName, ProviderName};
use crate::version::BoxVersion;

/// A box to make or to change.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct HcpBoxParams {
    /// Its name, of a new one.
    #[schema(value_type = Option<BoxName>)]
    pub name: Option<BoxName>,
    /// One line.
    #[schema(max_length = 255)]
    pub short_description: Option<String>,
    /// Markdown.
    #[schema(max_length = 65_536)]
    pub description: Option<String>,
    /// Whether only some may fetch it. These clients leave false out, so that a new box is public without it.
    pub is_private: Option<bool>,
}

/// The same in the words of the older API.
impl From<HcpBoxParams> for CloudBoxParams {
    fn from(params: HcpBoxParams) -> Self {
        Self {
            username: None,
            name: params.name,
            short_description: params.short_description,
            description: params.description,
            is_private: params.is_private,
        }
    }
}

/// A version to make or to change.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[schema(example = json!({ "name": "1.0.0", "description": "The first one." }))]
pub struct HcpVersionParams {
    /// Its number, of a new one.
    #[schema(value_type = Option<BoxVersion>)]
    pub name: Option<BoxVersion>,
    /// Markdown.
    #[schema(max_length = 65_536)]
    pub description: Option<String>,
}

/// The same in the words of the older API.
impl From<HcpVersionParams> for CloudVersionParams {
    fn from(params: HcpVersionParams) -> Self {
        Self { version: params.name, description: params.description }
    }
}

/// A provider to make.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct HcpProviderParams {
    /// Its name.
    #[schema(value_type = Option<ProviderName>)]
    pub name: Option<ProviderName>,
}

/// An architecture to make or to change.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct HcpArchitectureParams {
    /// Its name, of a new one.
    #[schema(value_type = Option<ArchitectureName>)]
    pub architecture_type: Option<ArchitectureName>,
    /// True makes it the one that clients get who ask for none.
    pub default: Option<bool>,
    /// What is known of its file.
    pub box_data: Option<HcpBoxDataParams>,
}

/// What is known of a file before it comes.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct HcpBoxDataParams {
    /// What the next file must hash to, in hexadecimal.
    pub checksum: Option<String>,
    /// Its type, such as `SHA256`; `NONE` without one.
    #[schema(example = "SHA256")]
    pub checksum_type: Option<String>,
    /// Refused: every file lies here.
    pub download_url: Option<String>,
}

/// Asks for a short-lived token.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct OAuthTokenParams {
    /// `client_credentials`.
    #[schema(example = "client_credentials")]
    pub grant_type: Option<String>,
    /// The service account: its id, or organization and name. In the form or by Basic.
    #[schema(example = "acme/ci")]
    pub client_id: Option<String>,
    /// The token of the service account. In the form or by Basic.
    pub client_secret: Option<String>,
}
