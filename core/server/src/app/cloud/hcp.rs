//! Boxes and all that is below them as the HCP Vagrant Registry API shows them: in a tree.

use boxvault_catalog::{
    artifacts::Artifact,
    boxes::{self, OwnedBox, VersionContents},
    versions::VersionStatus,
};
use boxvault_types::{
    digest::ChecksumType,
    ids::BoxId,
    names::ProviderName,
    version::BoxVersion,
    views::{
        boxes::BoxView,
        hcp::{
            HcpArchitectureView, HcpBoxDataView, HcpBoxView, HcpProviderView, HcpState,
            HcpSummaryView, HcpVersionView,
        },
    },
};

use crate::{
    app::{App, artifacts::Slot},
    error::Result,
};

impl App {
    /// A box with its versions: all of them, or those that everybody sees.
    pub(crate) async fn hcp_box(
        &self,
        view: BoxView,
        status: Option<VersionStatus>,
    ) -> Result<HcpBoxView> {
        Ok(HcpBoxView {
            versions: self.hcp_versions(view.id, status).await?,
            name: view.name,
            description: view.description,
            short_description: view.short_description,
            is_private: !view.is_public,
            created_at: view.created_at,
            updated_at: view.updated_at,
            downloads: view.download_count.to_string(),
            state: "AVAILABLE".to_owned(),
        })
    }

    /// The versions of a box, newest first.
    pub(crate) async fn hcp_versions(
        &self,
        id: BoxId,
        status: Option<VersionStatus>,
    ) -> Result<Vec<HcpVersionView>> {
        let contents = boxes::contents(&self.catalog, id, status).await?;
        Ok(contents.into_iter().map(version_view).collect())
    }

    /// A version with its providers.
    pub(crate) async fn hcp_version(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
    ) -> Result<HcpVersionView> {
        let version = self.version(found, number).await?;
        let contents = boxes::contents_of_version(&self.catalog, version.id).await?;
        let contents = contents.unwrap_or(VersionContents { version, artifacts: Vec::new() });
        Ok(version_view(contents))
    }

    /// A provider with its architectures.
    pub(crate) async fn hcp_provider(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        name: &ProviderName,
    ) -> Result<HcpProviderView> {
        let provider = self.provider(found, number, name).await?;
        let version = self.hcp_version(found, number).await?;
        let shown = version.providers.into_iter().find(|it| it.name == provider.name.as_str());
        Ok(shown.unwrap_or_else(|| provider_view(provider.name.to_string(), Vec::new())))
    }

    /// An architecture with its file.
    pub(crate) async fn hcp_architecture(
        &self,
        found: &OwnedBox,
        slot: &Slot,
    ) -> Result<HcpArchitectureView> {
        Ok(architecture_view(&self.architecture(found, slot).await?))
    }
}

fn version_view(contents: VersionContents) -> HcpVersionView {
    let VersionContents { version, artifacts } = contents;
    let mut providers: Vec<(String, Vec<HcpArchitectureView>)> = Vec::new();
    // they come by provider
    for one in &artifacts {
        let name = one.provider.to_string();
        if providers.last().is_none_or(|(last, _)| *last != name) {
            providers.push((name, Vec::new()));
        }
        if let Some((_, architectures)) = providers.last_mut() {
            architectures.push(architecture_view(&one.artifact));
        }
    }
    HcpVersionView {
        name: version.number.to_string(),
        state: match version.status {
            VersionStatus::Unreleased => HcpState::Unreleased,
            VersionStatus::Released => HcpState::Active,
            VersionStatus::Revoked => HcpState::Revoked,
        },
        description: version.description,
        created_at: version.created_at,
        updated_at: version.updated_at,
        providers: providers.into_iter().map(|(name, below)| provider_view(name, below)).collect(),
    }
}

fn provider_view(name: String, architectures: Vec<HcpArchitectureView>) -> HcpProviderView {
    HcpProviderView {
        name,
        summary: HcpSummaryView {
            architectures_count: architectures.len().to_string(),
            architecture_types: architectures
                .iter()
                .map(|one| one.architecture_type.clone())
                .collect(),
        },
        architectures,
    }
}

fn architecture_view(artifact: &Artifact) -> HcpArchitectureView {
    let stored =
        artifact.file.as_ref().map(|file| (file.stored.digest.to_hex(), ChecksumType::Sha256));
    let declared = || artifact.expected.as_ref().map(|sum| (sum.hex().to_owned(), sum.kind()));
    let (checksum, kind) = stored.or_else(declared).unzip();
    HcpArchitectureView {
        architecture_type: artifact.name.to_string(),
        default: artifact.default_architecture,
        created_at: artifact.created_at,
        updated_at: artifact.updated_at,
        box_data: HcpBoxDataView {
            checksum: checksum.unwrap_or_default(),
            checksum_type: kind
                .map_or_else(|| "NONE".to_owned(), |kind| kind.as_str().to_ascii_uppercase()),
            download_url: String::new(),
            size: artifact.file.as_ref().map_or(0, |file| file.stored.size_bytes).to_string(),
        },
    }
}
