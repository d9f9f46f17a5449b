//! What the Vagrant Cloud API calls a provider: which architecture of ours is meant, and how it is shown.

use boxvault_catalog::{
    artifacts::{self, ArtifactPath, Located},
    boxes::{OwnedBox, ProvidedArtifact},
};
use boxvault_types::{
    digest::ChecksumType,
    error::ErrorCode,
    names::{ArchitectureName, ProviderName},
    params::ListQuery,
    version::BoxVersion,
    views::cloud::CloudProviderView,
};

use super::{Edition, Place, Tag};
use crate::{
    app::{App, artifacts::Slot},
    error::{AppError, Result},
};

impl App {
    /// The architecture that a client means: the one that it names, or the default one.
    ///
    /// # Errors
    /// `ARCHITECTURE_NOT_FOUND`, or which of its parents is missing.
    pub(crate) async fn cloud_slot(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        provider: &ProviderName,
        architecture: Option<&ArchitectureName>,
    ) -> Result<Slot> {
        let located = self.cloud_locate(found, number, provider, architecture).await?;
        Ok(slot_of(&located))
    }

    pub(super) async fn cloud_locate(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        provider: &ProviderName,
        architecture: Option<&ArchitectureName>,
    ) -> Result<Located> {
        let path = ArtifactPath {
            organization: &found.organization.name,
            box_name: &found.vagrant_box.name,
            version: number,
            provider,
            architecture,
        };
        if let Some(located) = artifacts::locate(&self.catalog, path).await? {
            return Ok(located);
        }
        self.provider(found, number, provider).await?;
        let what = architecture.map_or_else(String::new, |name| format!(" {:?}", name.as_str()));
        Err(AppError::new(
            ErrorCode::ArchitectureNotFound,
            format!("{provider} {number} has no architecture{what}"),
        ))
    }

    /// A provider as this API shows it.
    pub(crate) async fn cloud_provider(
        &self,
        place: &Place,
        found: &OwnedBox,
        slot: &Slot,
    ) -> Result<CloudProviderView> {
        let architecture = Some(&slot.architecture);
        let located = self.cloud_locate(found, &slot.version, &slot.provider, architecture).await?;
        let Located { provider, artifact, version, .. } = located;
        let provided = ProvidedArtifact { provider, artifact };
        Ok(view(place, Tag::of(found), &version, &provided))
    }

    /// The architectures of a provider.
    pub(super) async fn cloud_siblings(
        &self,
        found: &OwnedBox,
        slot: &Slot,
    ) -> Result<Vec<artifacts::Artifact>> {
        let provider = self.provider(found, &slot.version, &slot.provider).await?;
        let most = Some(self.config.limits.page_size_max.into());
        let page = self.page(&ListQuery { per_page: most, ..ListQuery::default() })?;
        Ok(artifacts::list(&self.catalog, provider.id, page).await?.items)
    }
}

fn slot_of(located: &Located) -> Slot {
    Slot {
        version: located.version.clone(),
        provider: located.provider.clone(),
        architecture: located.artifact.name.clone(),
    }
}

pub(super) fn view(
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
