//! Versions as the Vagrant Cloud API shows them, with their providers.

use boxvault_catalog::{
    boxes::{self, OwnedBox, VersionContents},
    versions::VersionStatus,
};
use boxvault_types::{
    version::BoxVersion,
    views::cloud::{CloudStatus, CloudVersionView},
};

use super::{Edition, Place, Tag, providers};
use crate::{app::App, error::Result};

/// How much of an answer is text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// In lists clients take no more fields than they know, and have no use for long texts.
    None,
    All,
}

impl App {
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

    pub(super) async fn cloud_version_view(
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
            providers: shown.map(|one| providers::view(place, tag, &version.number, one)).collect(),
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
