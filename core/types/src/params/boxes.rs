//! Boxes, versions, providers, architectures.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::account::Secret;
use crate::names::{ArchitectureName, BoxName, OrganizationName, ProviderName};
use crate::tags::BoxTag;
use crate::version::BoxVersion;

/// Whether clients see a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VersionStatus {
    /// Being prepared: files may change, clients do not see it.
    #[default]
    Unreleased,
    /// Clients see it: its files are immutable.
    Released,
    /// Withdrawn: clients do not see it any more.
    Revoked,
}

impl VersionStatus {
    /// Every status.
    pub const ALL: &'static [Self] = &[Self::Unreleased, Self::Released, Self::Revoked];

    /// The word in the catalog and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreleased => "unreleased",
            Self::Released => "released",
            Self::Revoked => "revoked",
        }
    }

    /// Parses the word in the catalog and the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for VersionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who may fetch a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BoxVisibility {
    /// Everybody.
    Public,
    /// Only whom its organization lets.
    Private,
}

impl FromStr for BoxVisibility {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            _ => Err("must be public or private"),
        }
    }
}

/// What lists of boxes take beyond what every list takes.
///
/// `q` finds boxes that have each of its words, or a word that begins with it, in their name, tags or short description.
/// `sort` also knows `relevance`, which is the order while there is a `q`, and `downloads`.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BoxQuery {
    /// Only boxes with this tag.
    #[param(value_type = Option<BoxTag>)]
    pub tag: Option<BoxTag>,
    /// Only boxes with a released file for this provider.
    #[param(value_type = Option<ProviderName>)]
    pub provider: Option<ProviderName>,
    /// Only boxes with a released file for this architecture, with `provider` in the same file.
    #[param(value_type = Option<ArchitectureName>)]
    pub architecture: Option<ArchitectureName>,
    /// Only boxes that everybody may fetch, or only the others among those that the caller may see.
    #[param(inline)]
    pub visibility: Option<BoxVisibility>,
}

/// What the list of all boxes takes beyond that.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiscoverQuery {
    /// Only boxes of this organization.
    #[param(value_type = Option<OrganizationName>)]
    pub organization: Option<OrganizationName>,
}

/// A new box.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateBoxParams {
    /// The second half of `organization/box`.
    pub name: BoxName,
    /// One line.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub short_description: String,
    /// Markdown.
    #[serde(default)]
    #[schema(max_length = 65_536)]
    pub description: String,
    /// Markdown.
    #[schema(max_length = 262_144)]
    pub readme: Option<String>,
    /// Short words that it is found by.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub tags: Vec<BoxTag>,
    /// Its own web page; only `https`.
    #[schema(max_length = 2048, example = "https://example.com/debian")]
    pub homepage_url: Option<String>,
    /// Where it is made from; only `https`.
    #[schema(max_length = 2048)]
    pub source_url: Option<String>,
    /// How it is used; only `https`.
    #[schema(max_length = 2048)]
    pub documentation_url: Option<String>,
    /// Whether everybody may fetch it.
    #[serde(default)]
    pub is_public: bool,
    /// Takes the name also when it still leads to another box, which had it before.
    #[serde(default)]
    pub replace_former_name: bool,
}

/// What to change of a box.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateBoxParams {
    /// A new name. For reads the old one leads to the box for a while (`boxes.former_names_lead_for`).
    pub name: Option<BoxName>,
    /// One line.
    #[schema(max_length = 255)]
    pub short_description: Option<String>,
    /// Markdown.
    #[schema(max_length = 65_536)]
    pub description: Option<String>,
    /// Markdown.
    #[schema(max_length = 262_144)]
    pub readme: Option<String>,
    /// Short words that it is found by, instead of those that it has.
    #[schema(max_items = 20)]
    pub tags: Option<Vec<BoxTag>>,
    /// Its own web page; only `https`. An empty text takes it away.
    #[schema(max_length = 2048, example = "https://example.com/debian")]
    pub homepage_url: Option<String>,
    /// Where it is made from; only `https`. An empty text takes it away.
    #[schema(max_length = 2048)]
    pub source_url: Option<String>,
    /// How it is used; only `https`. An empty text takes it away.
    #[schema(max_length = 2048)]
    pub documentation_url: Option<String>,
    /// Whether everybody may fetch it.
    pub is_public: Option<bool>,
}

/// Where a box goes.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransferBoxParams {
    /// The organization that becomes its owner. The caller needs the right to create boxes there.
    pub organization: OrganizationName,
}

/// A new version.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateVersionParams {
    /// Valid for Vagrant, such as `1.0.0`.
    #[serde(alias = "version")]
    pub version_number: BoxVersion,
    /// Markdown.
    #[serde(default)]
    #[schema(max_length = 65_536)]
    pub description: String,
    /// Markdown.
    #[schema(max_length = 262_144)]
    pub release_notes: Option<String>,
}

/// What to change of a version.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateVersionParams {
    /// Another number; only while it is unreleased.
    #[serde(alias = "version")]
    pub version_number: Option<BoxVersion>,
    /// Markdown.
    #[schema(max_length = 65_536)]
    pub description: Option<String>,
    /// Markdown.
    #[serde(alias = "release_notes")]
    #[schema(max_length = 262_144)]
    pub release_notes: Option<String>,
    /// True says that it should not be used any more, with a reason; it can still be downloaded. False takes that back.
    pub deprecated: Option<bool>,
    /// Why, for people.
    #[serde(alias = "deprecation_reason")]
    #[schema(max_length = 512)]
    pub deprecation_reason: Option<String>,
}

/// A new provider.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateProviderParams {
    /// As Vagrant calls it.
    pub name: ProviderName,
    /// What is special about it.
    #[serde(default)]
    #[schema(max_length = 4096)]
    pub description: String,
}

/// What to change of a provider.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateProviderParams {
    /// Another name; only while the version is unreleased.
    pub name: Option<ProviderName>,
    /// What is special about it.
    #[schema(max_length = 4096)]
    pub description: Option<String>,
}

/// A new architecture.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateArchitectureParams {
    /// As Vagrant calls it.
    pub name: ArchitectureName,
    /// Whether clients get it when they ask for none. The first one of a provider is, whatever this says.
    #[serde(default)]
    pub default_box: bool,
}

/// What to change of an architecture.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateArchitectureParams {
    /// Another name; only while the version is unreleased.
    pub name: Option<ArchitectureName>,
    /// True makes it the default in the place of the present one; false is refused for the default one.
    pub default_box: Option<bool>,
}

/// The end of messages about a box.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StopWatchingParams {
    /// What stands behind `#token=` in the link.
    pub token: Secret,
}
