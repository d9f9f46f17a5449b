//! Boxes, versions, providers, architectures.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::files::FileView;
use super::mirrors::BoxOriginView;
use crate::ids::{ArtifactId, BoxId, ProviderId, VersionId};
use crate::params::boxes::VersionStatus;
use crate::tags::BoxTag;

/// A box.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoxView {
    /// Never changes.
    pub id: BoxId,
    /// The second half of `organization/box`.
    #[schema(example = "debian12")]
    pub name: String,
    /// Whose it is.
    #[schema(example = "acme")]
    pub organization: String,
    /// One line.
    pub short_description: String,
    /// Markdown.
    pub description: String,
    /// Markdown.
    pub readme: Option<String>,
    /// What it is found by.
    pub tags: Vec<BoxTag>,
    /// Its own web page.
    pub homepage_url: Option<String>,
    /// Where it is made from.
    pub source_url: Option<String>,
    /// How it is used.
    pub documentation_url: Option<String>,
    /// Whether it has a picture, at `…/artwork`.
    pub has_artwork: bool,
    /// Whether everybody may fetch it.
    pub is_public: bool,
    /// Where it comes from, if its organization mirrors another registry. Only where one box is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<BoxOriginView>,
    /// How often it was fetched.
    pub download_count: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// The place of a file in a version, and what is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionFileView {
    /// The provider, as Vagrant calls it.
    #[schema(example = "virtualbox")]
    pub provider: String,
    /// The architecture, as Vagrant calls it.
    #[schema(example = "amd64")]
    pub architecture: String,
    /// Whether clients get it when they ask for no architecture. Exactly one of a provider is.
    pub default_box: bool,
    /// What was uploaded, with what its archive says of itself.
    pub file: Option<FileView>,
}

/// A box that somebody watches.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchView {
    /// Never changes.
    pub id: BoxId,
    /// The second half of `organization/box`.
    #[schema(example = "debian12")]
    pub name: String,
    /// Whose it is.
    #[schema(example = "acme")]
    pub organization: String,
    /// One line.
    pub short_description: String,
    /// Since when.
    pub watched_since: DateTime<Utc>,
}

/// Whether somebody watches a box.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WatchStateView {
    /// Whether they do.
    pub watched: bool,
}

/// How often a box was fetched.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoxDownloadsView {
    /// All in all, also of versions that are gone. A download counts when the first bytes are asked for, so once however
    /// often it is continued; `HEAD` and requests for the first few bytes alone do not count.
    pub download_count: u64,
    /// By version, the newest first.
    pub versions: Vec<VersionDownloadsView>,
    /// By day (UTC), the last 90 days. Days without any are left out.
    pub days: Vec<DayDownloadsView>,
}

/// How often a version was fetched.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionDownloadsView {
    /// The version.
    #[schema(example = "1.0.0")]
    pub version_number: String,
    /// How often.
    pub download_count: u64,
}

/// How often a box was fetched on a day.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DayDownloadsView {
    /// The day.
    pub day: NaiveDate,
    /// How often.
    pub download_count: u64,
}

/// The long texts of a box as HTML that is safe in a page.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderedBoxView {
    /// The description.
    #[schema(example = "<p>A small <strong>Debian</strong>.</p>")]
    pub description: String,
    /// The README.
    pub readme: Option<String>,
}

/// The long texts of a version as HTML that is safe in a page.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderedVersionView {
    /// The description.
    pub description: String,
    /// What changed.
    pub release_notes: Option<String>,
}

/// A box as lists show it: without its long texts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoxSummaryView {
    /// Never changes.
    pub id: BoxId,
    /// The second half of `organization/box`.
    #[schema(example = "debian12")]
    pub name: String,
    /// Whose it is.
    #[schema(example = "acme")]
    pub organization: String,
    /// One line.
    pub short_description: String,
    /// What it is found by.
    pub tags: Vec<BoxTag>,
    /// Whether everybody may fetch it.
    pub is_public: bool,
    /// How often it was fetched.
    pub download_count: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A deleted box that can be restored.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedBoxView {
    /// Never changes.
    pub id: BoxId,
    /// The name that it had, which nobody else can have meanwhile.
    #[schema(example = "debian12")]
    pub name: String,
    /// Whose it is.
    #[schema(example = "acme")]
    pub organization: String,
    /// One line.
    pub short_description: String,
    /// When it was deleted.
    pub deleted_at: DateTime<Utc>,
    /// When it is removed for good.
    pub restorable_until: DateTime<Utc>,
}

/// A version of a box.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionView {
    /// Never changes.
    pub id: VersionId,
    /// Valid for Vagrant.
    #[schema(example = "1.0.0")]
    pub version_number: String,
    /// Markdown.
    pub description: String,
    /// Markdown.
    pub release_notes: Option<String>,
    /// Whether clients see it.
    pub status: VersionStatus,
    /// Whether it should not be used any more; it can still be downloaded.
    pub deprecated: bool,
    /// Why not.
    pub deprecation_reason: Option<String>,
    /// Since when not.
    pub deprecated_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was released.
    pub released_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A provider of a version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderView {
    /// Never changes.
    pub id: ProviderId,
    /// As Vagrant calls it.
    #[schema(example = "virtualbox")]
    pub name: String,
    /// What is special about it.
    pub description: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// An architecture of a provider.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchitectureView {
    /// Never changes.
    pub id: ArtifactId,
    /// As Vagrant calls it.
    #[schema(example = "amd64")]
    pub name: String,
    /// Whether clients get it when they ask for none. Exactly one of a provider is.
    pub default_box: bool,
    /// What was uploaded.
    pub file: Option<FileView>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}
