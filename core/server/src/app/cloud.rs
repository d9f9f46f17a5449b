//! Boxes, versions and providers as the Vagrant Cloud API shows them, and what it means by a provider.
//!
//! What that API calls a provider is an architecture of ours with its provider: it has one name for both. Where a client
//! names no architecture, it means the default one; of a new provider that is `unknown`, which Vagrant 2.4 installs on
//! any host. Nothing is decided or written here that `app/boxes`, `versions`, `providers` and `artifacts` do not.

mod providers;

use boxvault_catalog::{
    boxes::{self, OwnedBox, ProvidedArtifact, VersionContents},
    versions::VersionStatus,
};
use boxvault_policy::Policy;
use boxvault_types::{
    action::{Action, Resource},
    digest::ChecksumType,
    identity::Identity,
    names::OrganizationName,
    params::{ListQuery, boxes::BoxQuery},
    version::BoxVersion,
    views::{
        PageView,
        boxes::{BoxSummaryView, BoxView},
        cloud::{CloudBoxView, CloudProviderView, CloudStatus, CloudVersionView},
    },
};

pub(crate) use providers::{Doomed, missing_field};

use super::{
    App,
    access::{Answer, Target},
    artifacts::Slot,
};
use crate::error::Result;

/// Which edition of the API a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// Before 2.4: no architectures.
    V1,
    /// 2.4 and later.
    V2,
}

impl Edition {
    fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// How a client reaches the server, and what it understands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Scheme and host, as the client knows them.
    pub(crate) base: String,
    pub(crate) edition: Edition,
}

impl Place {
    fn of_version(&self, tag: &Tag<'_>, number: &BoxVersion) -> String {
        let (base, edition) = (&self.base, self.edition.as_str());
        format!("{base}/api/{edition}/box/{}/{}/version/{number}", tag.organization, tag.name)
    }
}

impl Place {
    /// Where a provider with its architecture is.
    pub(crate) fn of_slot(&self, found: &OwnedBox, slot: &Slot) -> String {
        let version = self.of_version(&Tag::of(found), &slot.version);
        format!("{version}/provider/{}/{}", slot.provider, slot.architecture)
    }
}

/// The two names of a box.
#[derive(Clone, Copy)]
struct Tag<'a> {
    organization: &'a str,
    name: &'a str,
}

impl<'a> Tag<'a> {
    fn of(found: &'a OwnedBox) -> Self {
        Self {
            organization: found.organization.name.as_str(),
            name: found.vagrant_box.name.as_str(),
        }
    }
}

/// How much of an answer is text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    /// In lists clients take no more fields than they know, and have no use for long texts.
    None,
    All,
}

impl App {
    /// A box with its versions: all of them, or those that everybody sees.
    pub(crate) async fn cloud_box(
        &self,
        place: &Place,
        view: BoxView,
        status: Option<VersionStatus>,
    ) -> Result<CloudBoxView> {
        let contents = boxes::contents(&self.catalog, view.id, status).await?;
        let tag = Tag { organization: &view.organization, name: &view.name };
        let mut versions = Vec::with_capacity(contents.len());
        for contents in contents {
            versions.push(self.cloud_version_view(place, tag, contents, Texts::All).await?);
        }
        let current = versions.iter().find(|version| version.status == CloudStatus::Active);
        Ok(CloudBoxView {
            created_at: view.created_at,
            updated_at: view.updated_at,
            tag: format!("{}/{}", view.organization, view.name),
            current_version: current.cloned(),
            versions: Some(versions),
            name: view.name,
            short_description: view.short_description,
            description_html: Some(self.render(&view.description).await?),
            description_markdown: Some(view.description.clone()),
            description: Some(view.description),
            username: view.organization,
            private: !view.is_public,
            downloads: view.download_count,
        })
    }

    /// A version with its providers.
    pub(crate) async fn cloud_version(
        &self,
        place: &Place,
        found: &OwnedBox,
        number: &BoxVersion,
    ) -> Result<CloudVersionView> {
        let version = self.version(found, number).await?;
        let contents = boxes::contents_of_version(&self.catalog, version.id).await?;
        let contents = contents.unwrap_or(VersionContents { version, artifacts: Vec::new() });
        self.cloud_version_view(place, Tag::of(found), contents, Texts::All).await
    }

    /// The name of an organization, as it is written, if the caller may read it.
    pub(crate) async fn cloud_organization(
        &self,
        policy: &Policy,
        identity: &Identity,
        name: &OrganizationName,
    ) -> Result<Option<String>> {
        let wanted = Resource::Organization(Some(name.clone()));
        let target = Target::find(self, wanted, Action::Read).await?;
        let answer = self.answer(policy, identity, &target, Action::Read);
        let found = target.organization.filter(|_| answer == Answer::Allowed);
        Ok(found.map(|organization| organization.name.to_string()))
    }

    /// All boxes of an organization that the caller may see.
    pub(crate) async fn cloud_boxes(
        &self,
        place: &Place,
        identity: &Identity,
        organization: &OrganizationName,
    ) -> Result<Vec<CloudBoxView>> {
        let mut all = Vec::new();
        for number in 1.. {
            let query = ListQuery {
                page: Some(number),
                per_page: Some(self.config.limits.page_size_max.into()),
                ..ListQuery::default()
            };
            let wanted = BoxQuery::default();
            let (items, page) =
                self.discover_boxes(identity, Some(organization.clone()), wanted, query).await?;
            all.extend(self.cloud_list(place, items).await?);
            if page.number * page.size >= page.total {
                break;
            }
        }
        Ok(all)
    }

    /// One page of the boxes that a search finds, as far as they have a released version.
    pub(crate) async fn cloud_search(
        &self,
        place: &Place,
        identity: &Identity,
        wanted: BoxQuery,
        query: ListQuery,
    ) -> Result<(Vec<CloudBoxView>, PageView)> {
        let (items, page) = self.list_boxes(identity, None, wanted, query).await?;
        let mut boxes = self.cloud_list(place, items).await?;
        // clients break on a box that has none
        boxes.retain(|found| found.current_version.is_some());
        Ok((boxes, page))
    }

    async fn cloud_list(
        &self,
        place: &Place,
        items: Vec<BoxSummaryView>,
    ) -> Result<Vec<CloudBoxView>> {
        let ids: Vec<_> = items.iter().map(|item| item.id).collect();
        let mut newest = boxes::newest_releases(&self.catalog, &ids).await?;
        let mut views = Vec::with_capacity(items.len());
        for item in items {
            let tag = Tag { organization: &item.organization, name: &item.name };
            let current_version = match newest.remove(&item.id) {
                Some(contents) => {
                    Some(self.cloud_version_view(place, tag, contents, Texts::None).await?)
                }
                None => None,
            };
            views.push(CloudBoxView {
                created_at: item.created_at,
                updated_at: item.updated_at,
                tag: format!("{}/{}", item.organization, item.name),
                name: item.name,
                short_description: item.short_description,
                description_html: None,
                description_markdown: None,
                description: None,
                username: item.organization,
                private: !item.is_public,
                downloads: item.download_count,
                current_version,
                versions: None,
            });
        }
        Ok(views)
    }

    async fn cloud_version_view(
        &self,
        place: &Place,
        tag: Tag<'_>,
        contents: VersionContents,
        texts: Texts,
    ) -> Result<CloudVersionView> {
        let VersionContents { version, artifacts } = contents;
        let here = place.of_version(&tag, &version.number);
        let (html, markdown) = match texts {
            Texts::None => (None, None),
            Texts::All => {
                (Some(self.render(&version.description).await?), Some(version.description))
            }
        };
        let shown = artifacts
            .iter()
            .filter(|one| place.edition == Edition::V2 || one.artifact.default_architecture);
        Ok(CloudVersionView {
            providers: shown.map(|one| provider_view(place, tag, &version.number, one)).collect(),
            version: version.number.to_string(),
            number: version.number.to_string(),
            status: match version.status {
                VersionStatus::Unreleased => CloudStatus::Unreleased,
                VersionStatus::Released => CloudStatus::Active,
                VersionStatus::Revoked => CloudStatus::Revoked,
            },
            description_html: html,
            description_markdown: markdown.clone(),
            description: markdown,
            created_at: version.created_at,
            updated_at: version.updated_at,
            release_url: format!("{here}/release"),
            revoke_url: format!("{here}/revoke"),
        })
    }
}

fn provider_view(
    place: &Place,
    tag: Tag<'_>,
    number: &BoxVersion,
    provided: &ProvidedArtifact,
) -> CloudProviderView {
    let ProvidedArtifact { provider, artifact } = provided;
    let has_architectures = place.edition == Edition::V2;
    let stored =
        artifact.file.as_ref().map(|file| (file.stored.digest.to_hex(), ChecksumType::Sha256));
    let declared = || artifact.expected.as_ref().map(|sum| (sum.hex().to_owned(), sum.kind()));
    let (checksum, kind) = stored.or_else(declared).unzip();
    CloudProviderView {
        name: provider.to_string(),
        hosted: true,
        hosted_token: None,
        original_url: None,
        created_at: artifact.created_at,
        updated_at: artifact.updated_at,
        download_url: format!(
            "{}/{}/boxes/{}/versions/{number}/providers/{provider}/{}/vagrant.box",
            place.base, tag.organization, tag.name, artifact.name
        ),
        checksum_type: kind.map(|kind| kind.as_str().to_owned()),
        checksum,
        architecture: has_architectures.then(|| artifact.name.to_string()),
        default_architecture: has_architectures.then_some(artifact.default_architecture),
    }
}
