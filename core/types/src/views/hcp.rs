//! What the HCP Vagrant Registry API answers, under the names that its clients read. Whole numbers are text, as they are
//! everywhere in that API.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A failure, as clients of HCP read it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpErrorEnvelope {
    /// A number of gRPC: 5 for what is not there.
    #[schema(example = 5)]
    pub code: i32,
    /// What went wrong, and what to do.
    #[schema(example = "there is no box \"debian12\" in \"acme\"")]
    pub message: String,
    /// Nothing.
    pub details: Vec<String>,
}

/// A failure, as OAuth clients read it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OAuthErrorView {
    /// A word of RFC 6749.
    #[schema(example = "invalid_client")]
    pub error: String,
    /// What went wrong, and what to do.
    pub error_description: String,
}

/// A short-lived token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct OAuthTokenView {
    /// The token.
    pub access_token: String,
    /// `bearer`.
    #[schema(example = "bearer")]
    pub token_type: String,
    /// For how many seconds.
    #[schema(example = 3600)]
    pub expires_in: u64,
}

/// A box, in its frame.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpBoxAnswer {
    /// The box.
    #[serde(rename = "box")]
    pub vagrant_box: HcpBoxView,
    /// What made it, of a new one: it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<HcpOperationView>,
}

/// A box with its versions.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpBoxView {
    /// Its name.
    #[schema(example = "debian12")]
    pub name: String,
    /// Markdown.
    pub description: String,
    /// One line.
    pub short_description: String,
    /// Whether only some may fetch it.
    pub is_private: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// How often it was fetched.
    #[schema(example = "0")]
    pub downloads: String,
    /// `AVAILABLE`.
    #[schema(example = "AVAILABLE")]
    pub state: String,
    /// Its versions, newest first.
    pub versions: Vec<HcpVersionView>,
}

/// Whether clients see a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HcpState {
    /// Being prepared.
    Unreleased,
    /// Released.
    Active,
    /// Withdrawn.
    Revoked,
}

/// A version, in its frame.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpVersionAnswer {
    /// The version.
    pub version: HcpVersionView,
}

/// Versions, in their frame.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpVersionsAnswer {
    /// The versions, newest first.
    pub versions: Vec<HcpVersionView>,
}

/// A version with its providers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpVersionView {
    /// Its number.
    #[schema(example = "1.0.0")]
    pub name: String,
    /// Whether clients see it.
    pub state: HcpState,
    /// Markdown.
    pub description: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Its providers that have an architecture.
    pub providers: Vec<HcpProviderView>,
}

/// A provider, in its frame.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpProviderAnswer {
    /// The provider.
    pub provider: HcpProviderView,
}

/// Providers, in their frame.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpProvidersAnswer {
    /// The providers that have an architecture.
    pub providers: Vec<HcpProviderView>,
}

/// A provider with its architectures.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpProviderView {
    /// Its name.
    #[schema(example = "virtualbox")]
    pub name: String,
    /// Its architectures, the default one last.
    pub architectures: Vec<HcpArchitectureView>,
    /// The same in short.
    pub summary: HcpSummaryView,
}

/// The architectures of a provider in short.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpSummaryView {
    /// How many.
    #[schema(example = "1")]
    pub architectures_count: String,
    /// Their names.
    pub architecture_types: Vec<String>,
}

/// An architecture, in its frame.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpArchitectureAnswer {
    /// The architecture.
    pub architecture: HcpArchitectureView,
}

/// Architectures, in their frame.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpArchitecturesAnswer {
    /// The architectures, the default one last.
    pub architectures: Vec<HcpArchitectureView>,
}

/// An architecture.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpArchitectureView {
    /// Its name.
    #[schema(example = "amd64")]
    pub architecture_type: String,
    /// Whether clients get it that ask for no architecture.
    pub default: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Its file.
    pub box_data: HcpBoxDataView,
}

/// A file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpBoxDataView {
    /// The checksum of the file, as the server computed it; before there is one, what was declared of it.
    pub checksum: String,
    /// Its type, or `NONE`.
    #[schema(example = "SHA256")]
    pub checksum_type: String,
    /// Nothing: the file lies here.
    pub download_url: String,
    /// Its size in bytes; 0 without a file.
    #[schema(example = "4416")]
    pub size: String,
}

/// Where the file is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpDownloadView {
    /// Where clients fetch it.
    pub url: String,
    /// Its checksum.
    pub checksum: String,
    /// The type of that, or `NONE`.
    #[schema(example = "SHA256")]
    pub checksum_type: String,
}

/// Where the file goes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpUploadView {
    /// Takes the file, once and for a while, without credentials.
    pub url: String,
}

/// Where the file goes, and what to say then.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpDirectUploadView {
    /// Takes the file, once and for a while, without credentials.
    pub url: String,
    /// Stands in the path that says that it was sent.
    pub object: String,
    /// Nothing: clients know the path.
    pub callback: String,
}

/// An operation, in its frame.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpOperationAnswer {
    /// The operation.
    pub operation: HcpOperationView,
}

/// An operation. Here each is done before it is answered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpOperationView {
    /// Its id.
    pub id: String,
    /// `DONE`.
    #[schema(example = "DONE")]
    pub state: String,
    /// Where it can be waited for.
    pub location: HcpLocationView,
}

/// Where something is in HCP: the same everywhere here.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HcpLocationView {
    /// Stands in the path of the operation.
    pub organization_id: String,
    /// Stands in the path of the operation.
    pub project_id: String,
}

/// Nothing more to say.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct HcpNothing {}
