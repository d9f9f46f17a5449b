//! Architectures of a provider, and the file of each.

use boxvault_catalog::{
    artifacts::{
        self, Artifact, ArtifactChanges, ArtifactFile, ArtifactPath, Located, NewArtifact,
    },
    boxes::OwnedBox,
};
use boxvault_types::{
    digest::ChecksumType,
    error::ErrorCode,
    identity::Identity,
    names::{ArchitectureName, ProviderName},
    params::{
        ListQuery,
        boxes::{CreateArchitectureParams, UpdateArchitectureParams},
    },
    version::BoxVersion,
    views::{
        PageView,
        boxes::ArchitectureView,
        files::{DownloadLinkView, FileView},
    },
};

use super::{App, lists};
use crate::error::{AppError, Result};

/// The name that a downloaded file is saved as.
pub(crate) const FILE_NAME: &str = "vagrant.box";

/// The path of an architecture, for what is below a box that was found.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) version: BoxVersion,
    pub(crate) provider: ProviderName,
    pub(crate) architecture: ArchitectureName,
}

impl Slot {
    /// The whole path, from the organization down.
    pub(crate) fn path<'a>(&'a self, found: &'a OwnedBox) -> ArtifactPath<'a> {
        ArtifactPath {
            organization: &found.organization.name,
            box_name: &found.vagrant_box.name,
            version: &self.version,
            provider: &self.provider,
            architecture: Some(&self.architecture),
        }
    }
}

impl App {
    /// The architectures of a provider, by name.
    pub(crate) async fn list_architectures(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        provider: &ProviderName,
        query: ListQuery,
    ) -> Result<(Vec<ArchitectureView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let row = self.provider(found, number, provider).await?;
        let listed = artifacts::list(&self.catalog, row.id, page).await?;
        let views = listed
            .items
            .into_iter()
            .map(|artifact| {
                let slot = Slot {
                    version: number.clone(),
                    provider: provider.clone(),
                    architecture: artifact.name.clone(),
                };
                self.architecture_view(found, &slot, &artifact)
            })
            .collect();
        Ok((views, lists::view(page, listed.total)))
    }

    /// Makes an architecture.
    pub(crate) async fn create_architecture(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        provider: &ProviderName,
        params: CreateArchitectureParams,
    ) -> Result<ArchitectureView> {
        let row = self.provider(found, number, provider).await?;
        let new = NewArtifact {
            provider_id: row.id,
            name: params.name.clone(),
            default_architecture: params.default_box,
        };
        let created = artifacts::create(&self.catalog, new).await?;
        let slot =
            Slot { version: number.clone(), provider: provider.clone(), architecture: params.name };
        Ok(self.architecture_view(found, &slot, &created))
    }

    /// One architecture.
    ///
    /// # Errors
    /// `ARCHITECTURE_NOT_FOUND`, or which of its parents is missing.
    pub(crate) async fn architecture(&self, found: &OwnedBox, slot: &Slot) -> Result<Artifact> {
        if let Some(located) = self.locate(found, slot).await? {
            return Ok(located.artifact);
        }
        // which part is missing is worth a query more, now that one is
        self.provider(found, &slot.version, &slot.provider).await?;
        Err(AppError::new(
            ErrorCode::ArchitectureNotFound,
            format!(
                "{} {} has no architecture {:?}",
                slot.provider,
                slot.version,
                slot.architecture.as_str()
            ),
        ))
    }

    /// One architecture with all that is above it, by one query.
    pub(crate) async fn locate(&self, found: &OwnedBox, slot: &Slot) -> Result<Option<Located>> {
        Ok(artifacts::locate(&self.catalog, slot.path(found)).await?)
    }

    /// One architecture as the API shows it.
    pub(crate) async fn read_architecture(
        &self,
        found: &OwnedBox,
        slot: &Slot,
    ) -> Result<ArchitectureView> {
        let artifact = self.architecture(found, slot).await?;
        Ok(self.architecture_view(found, slot, &artifact))
    }

    /// Changes an architecture.
    pub(crate) async fn update_architecture(
        &self,
        found: &OwnedBox,
        slot: &Slot,
        params: UpdateArchitectureParams,
    ) -> Result<ArchitectureView> {
        let artifact = self.architecture(found, slot).await?;
        if params.default_box == Some(false) && artifact.default_architecture {
            return Err(AppError::invalid(
                "defaultBox",
                "one architecture of a provider is always the default; make another one the default instead",
            ));
        }
        let changes = ArtifactChanges {
            name: params.name,
            default_architecture: params.default_box,
            expected: None,
        };
        let changed = artifacts::update(&self.catalog, artifact.id, changes).await?;
        self.catalogues.clear();
        let slot = Slot { architecture: changed.name.clone(), ..slot.clone() };
        Ok(self.architecture_view(found, &slot, &changed))
    }

    /// Removes an architecture with its file.
    pub(crate) async fn delete_architecture(&self, found: &OwnedBox, slot: &Slot) -> Result<()> {
        let artifact = self.architecture(found, slot).await?;
        artifacts::delete(&self.catalog, artifact.id).await?;
        self.catalogues.clear();
        Ok(())
    }

    /// The facts of a file, and what is known of its stored bytes.
    ///
    /// # Errors
    /// `FILE_NOT_FOUND`.
    pub(crate) async fn file_info(&self, found: &OwnedBox, slot: &Slot) -> Result<FileView> {
        let artifact = self.architecture(found, slot).await?;
        let file = artifact.file.as_ref().ok_or_else(|| no_file(slot))?;
        let verification = self.verification(&file.stored).await?;
        let archive = self.archive(file.stored.blob_id).await?;
        Ok(FileView {
            archive,
            verification,
            ..self.file_view(found, slot, file, artifact.downloads)
        })
    }

    /// A link that downloads the file without credentials.
    ///
    /// # Errors
    /// `FILE_NOT_FOUND`.
    pub(crate) async fn make_download_link(
        &self,
        identity: &Identity,
        found: &OwnedBox,
        slot: &Slot,
    ) -> Result<DownloadLinkView> {
        let artifact = self.architecture(found, slot).await?;
        let file = artifact.file.as_ref().ok_or_else(|| no_file(slot))?;
        let (link, expires_at) = self.download_link(identity, artifact.id, &file.stored.digest)?;
        let view = self.file_view(found, slot, file, artifact.downloads);
        Ok(DownloadLinkView {
            download_url: format!("{}?link={link}", view.download_url),
            expires_at,
            checksum: view.checksum,
            checksum_type: view.checksum_type,
            file_size: view.file_size,
        })
    }

    /// Takes the file away; the architecture stays.
    pub(crate) async fn delete_file(&self, found: &OwnedBox, slot: &Slot) -> Result<()> {
        let artifact = self.architecture(found, slot).await?;
        artifacts::delete_file(&self.catalog, artifact.id).await?;
        self.catalogues.clear();
        Ok(())
    }

    fn architecture_view(
        &self,
        found: &OwnedBox,
        slot: &Slot,
        artifact: &Artifact,
    ) -> ArchitectureView {
        let downloads = artifact.downloads;
        ArchitectureView {
            id: artifact.id,
            name: artifact.name.to_string(),
            default_box: artifact.default_architecture,
            file: artifact.file.as_ref().map(|file| self.file_view(found, slot, file, downloads)),
            created_at: artifact.created_at,
            updated_at: artifact.updated_at,
        }
    }

    /// A file as the API shows it.
    pub(crate) fn file_view(
        &self,
        found: &OwnedBox,
        slot: &Slot,
        file: &ArtifactFile,
        downloads: i64,
    ) -> FileView {
        FileView {
            file_name: FILE_NAME.to_owned(),
            file_size: u64::try_from(file.stored.size_bytes).unwrap_or_default(),
            checksum: file.stored.digest.to_hex(),
            checksum_type: ChecksumType::Sha256,
            download_url: format!(
                "{}/api/organization/{}/box/{}/version/{}/provider/{}/architecture/{}/file/download",
                self.public_url,
                found.organization.name,
                found.vagrant_box.name,
                slot.version,
                slot.provider,
                slot.architecture
            ),
            download_count: u64::try_from(downloads).unwrap_or_default(),
            uploaded_at: file.uploaded_at,
            archive: None,
            verification: None,
        }
    }
}

/// What somebody reads who asks for a file that nobody uploaded.
pub(crate) fn no_file(slot: &Slot) -> AppError {
    AppError::new(
        ErrorCode::FileNotFound,
        format!(
            "nothing was uploaded for {} {} {} yet",
            slot.version, slot.provider, slot.architecture
        ),
    )
}
