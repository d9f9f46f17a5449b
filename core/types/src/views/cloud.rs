//! What the Vagrant Cloud API answers, under the names that its clients read.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::digest::ChecksumType;
use crate::ids::TokenId;

/// Who is calling.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudIdentityView {
    /// The account.
    pub user: CloudUserView,
}

/// An account that is calling.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudUserView {
    /// Its name, or `service:<organization>/<name>`.
    #[schema(example = "alice")]
    pub username: String,
    /// Nothing, as the rest: clients know these fields and look at none of them.
    pub avatar_url: String,
    /// Nothing.
    pub profile_html: Option<String>,
    /// Nothing.
    pub profile_markdown: Option<String>,
    /// None.
    pub boxes: Vec<CloudBoxView>,
}

/// A new API token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudTokenView {
    /// What it is for.
    pub description: String,
    /// The token. It shows once, here.
    pub token: String,
    /// Its id: tells it from others, and is not the token.
    pub token_hash: TokenId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The account has a second factor, and no code came with the password.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudSecondFactorView {
    /// How a code is come by.
    pub two_factor: CloudDeliveryView,
    /// What to do.
    pub errors: Vec<String>,
    /// Always false.
    pub success: bool,
}

/// How a code is come by.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudDeliveryView {
    /// The ways: `app` alone.
    pub delivery_methods: Vec<String>,
    /// The first of them.
    pub default_delivery_method: String,
}

/// An organization and its boxes, as far as the caller may see them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudOrganizationView {
    /// The organization's name.
    #[schema(example = "acme")]
    pub username: String,
    /// Nothing.
    pub avatar_url: String,
    /// Nothing.
    pub profile_html: Option<String>,
    /// Nothing.
    pub profile_markdown: Option<String>,
    /// Its boxes, without their versions.
    pub boxes: Vec<CloudBoxView>,
}

/// What a search found. Clients take no other field here.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudSearchView {
    /// The boxes of the page, each with a released version.
    pub boxes: Vec<CloudBoxView>,
}

/// A box. In lists it comes without its long texts and its versions.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudBoxView {
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Both names.
    #[schema(example = "acme/debian12")]
    pub tag: String,
    /// The second of them.
    #[schema(example = "debian12")]
    pub name: String,
    /// One line.
    pub short_description: String,
    /// The description, made into HTML.
    pub description_html: Option<String>,
    /// The description.
    pub description_markdown: Option<String>,
    /// The same again, for clients that print it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The organization's name.
    #[schema(example = "acme")]
    pub username: String,
    /// Whether only some may fetch it.
    pub private: bool,
    /// How often it was fetched.
    pub downloads: u64,
    /// The newest released version.
    pub current_version: Option<CloudVersionView>,
    /// Its versions, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versions: Option<Vec<CloudVersionView>>,
}

/// Whether clients see a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CloudStatus {
    /// Being prepared.
    Unreleased,
    /// Released.
    Active,
    /// Withdrawn.
    Revoked,
}

/// A version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudVersionView {
    /// Its number.
    #[schema(example = "1.0.0")]
    pub version: String,
    /// Whether clients see it.
    pub status: CloudStatus,
    /// The description, made into HTML.
    pub description_html: Option<String>,
    /// The description.
    pub description_markdown: Option<String>,
    /// The same again, for clients that print it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Its number again.
    #[schema(example = "1.0.0")]
    pub number: String,
    /// Where it is released.
    pub release_url: String,
    /// Where it is revoked.
    pub revoke_url: String,
    /// Its providers; in v2, each once for each of its architectures.
    pub providers: Vec<CloudProviderView>,
}

/// A provider and an architecture of it, with their file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudProviderView {
    /// The provider.
    #[schema(example = "virtualbox")]
    pub name: String,
    /// Whether the file lies here: always.
    pub hosted: bool,
    /// Nothing.
    pub hosted_token: Option<String>,
    /// Nothing: files do not lie elsewhere.
    pub original_url: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Where clients fetch the file, once there is one.
    pub download_url: String,
    /// The checksum of the file, as the server computed it; before there is one, what was declared of it.
    pub checksum: Option<String>,
    /// Its type.
    #[schema(value_type = Option<ChecksumType>)]
    pub checksum_type: Option<String>,
    /// The architecture; not in v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "amd64")]
    pub architecture: Option<String>,
    /// Whether clients get it that ask for no architecture; not in v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_architecture: Option<bool>,
}

/// Where the file goes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudUploadView {
    /// Takes the file, once and for a while, without credentials.
    pub upload_path: String,
}

/// Where the file goes, and what to call then.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloudDirectUploadView {
    /// Takes the file, once and for a while, without credentials.
    pub upload_path: String,
    /// Says that it was sent.
    pub callback: String,
}

/// Nothing more to say.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct CloudUploadedView {}
