//! What the Vagrant Cloud API calls a provider: which of ours is meant, and what becomes of it.

use boxvault_catalog::{
    artifacts::{self, ArtifactChanges, ArtifactPath, Located},
    boxes::{OwnedBox, ProvidedArtifact},
};
use boxvault_types::{
    digest::Checksum,
    error::ErrorCode,
    names::{ArchitectureName, ProviderName},
    params::{
        ListQuery,
        boxes::{CreateArchitectureParams, UpdateArchitectureParams, UpdateProviderParams},
        cloud::CloudProviderParams,
    },
    version::BoxVersion,
    views::cloud::CloudProviderView,
};

use super::{Place, Tag, provider_view};
use crate::{
    app::{App, artifacts::Slot},
    error::{AppError, Result},
};

/// What a client that names no architecture may delete.
pub(crate) enum Doomed {
    /// The architecture, and its provider stays.
    Architecture(Slot),
    /// The architecture is the only one, so that the provider goes with it.
    Provider(Slot),
}

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

    async fn cloud_locate(
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
        Ok(provider_view(place, Tag::of(found), &version, &provided))
    }

    /// Adds an architecture to a provider that is there.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`, in the words of Vagrant Cloud; a client without architectures is told so of any.
    pub(crate) async fn create_cloud_provider(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        provider: &ProviderName,
        params: CloudProviderParams,
    ) -> Result<Slot> {
        if params.architecture.is_none()
            && self.cloud_locate(found, number, provider, None).await.is_ok()
        {
            return Err(not_unique(provider, None));
        }
        let expected = declared(&params)?;
        let name = params.architecture.unwrap_or_else(ArchitectureName::unknown);
        let wanted = CreateArchitectureParams {
            name: name.clone(),
            default_box: params.default_architecture.unwrap_or_default(),
        };
        self.create_architecture(found, number, provider, wanted).await.map_err(
            |error| match error.code() {
                ErrorCode::AlreadyExists => not_unique(provider, Some(&name)),
                _ => error,
            },
        )?;
        let slot = Slot { version: number.clone(), provider: provider.clone(), architecture: name };
        self.expect_checksum(found, &slot, expected).await?;
        Ok(slot)
    }

    /// Changes an architecture, and the name of its provider.
    ///
    /// That it is not to be the default is what clients send of themselves, and takes nothing away from the default one.
    pub(crate) async fn update_cloud_provider(
        &self,
        found: &OwnedBox,
        mut slot: Slot,
        params: CloudProviderParams,
    ) -> Result<Slot> {
        let expected = declared(&params)?;
        let renamed = params.name.filter(|name| name.key() != slot.provider.key());
        if let Some(name) = renamed {
            if self.cloud_siblings(found, &slot).await?.len() > 1 {
                return Err(AppError::invalid(
                    "name",
                    format!(
                        "{} has several architectures, which would all be renamed; create a provider {name} instead",
                        slot.provider
                    ),
                ));
            }
            let change = UpdateProviderParams { name: Some(name.clone()), description: None };
            self.update_provider(found, &slot.version, &slot.provider, change).await?;
            slot.provider = name;
        }
        let change = UpdateArchitectureParams {
            name: params.architecture.filter(|name| name.key() != slot.architecture.key()),
            default_box: params.default_architecture.filter(|is_default| *is_default),
        };
        let name = change.name.clone();
        self.update_architecture(found, &slot, change).await?;
        slot.architecture = name.unwrap_or(slot.architecture);
        self.expect_checksum(found, &slot, expected).await?;
        Ok(slot)
    }

    /// Holds the next file to a checksum. One that is known already is what clients send back as they read it, and says
    /// nothing of the next file.
    async fn expect_checksum(
        &self,
        found: &OwnedBox,
        slot: &Slot,
        expected: Option<Checksum>,
    ) -> Result<()> {
        let Some(expected) = expected else { return Ok(()) };
        let artifact = self.architecture(found, slot).await?;
        let is_echo = artifact.file.is_some_and(|file| {
            file.stored.digest.to_hex() == expected.hex()
                || file.checksum.as_ref() == Some(&expected)
        });
        if is_echo || artifact.expected.as_ref() == Some(&expected) {
            return Ok(());
        }
        let changes = ArtifactChanges { expected: Some(expected), ..ArtifactChanges::default() };
        artifacts::update(&self.catalog, artifact.id, changes).await?;
        Ok(())
    }

    /// What is deleted for a client, which names an architecture or not.
    ///
    /// Packer names none when it takes back what it could not upload. Of several that can only be the one without a
    /// file: to delete another one would destroy a good box.
    ///
    /// # Errors
    /// `INVALID_INPUT` when that is not one alone.
    pub(crate) async fn cloud_doomed(
        &self,
        found: &OwnedBox,
        number: &BoxVersion,
        provider: &ProviderName,
        architecture: Option<&ArchitectureName>,
    ) -> Result<Doomed> {
        let mut slot = self.cloud_slot(found, number, provider, architecture).await?;
        let all = self.cloud_siblings(found, &slot).await?;
        if all.len() <= 1 {
            return Ok(Doomed::Provider(slot));
        }
        if architecture.is_none() {
            let mut empty = all.into_iter().filter(|artifact| artifact.file.is_none());
            let (Some(one), None) = (empty.next(), empty.next()) else {
                return Err(AppError::invalid(
                    "architecture",
                    format!(
                        "{provider} {number} has several architectures; say which one to delete"
                    ),
                ));
            };
            slot.architecture = one.name;
        }
        Ok(Doomed::Architecture(slot))
    }

    /// The architectures of a provider.
    async fn cloud_siblings(
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

/// The checksum that a client declares; a blank one, or one of no type, is none to Vagrant.
fn declared(params: &CloudProviderParams) -> Result<Option<Checksum>> {
    let given = |text: &Option<String>| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
    };
    let (Some(text), Some(kind)) = (given(&params.checksum), given(&params.checksum_type)) else {
        return Ok(None);
    };
    let kind = kind.parse().map_err(|error| AppError::invalid("checksum_type", error))?;
    let checksum = Checksum::parse(kind, &text);
    checksum.map(Some).map_err(|error| AppError::invalid("checksum", error))
}

fn slot_of(located: &Located) -> Slot {
    Slot {
        version: located.version.clone(),
        provider: located.provider.clone(),
        architecture: located.artifact.name.clone(),
    }
}

/// Packer and people know these words.
fn not_unique(provider: &ProviderName, architecture: Option<&ArchitectureName>) -> AppError {
    let what = architecture.map_or_else(String::new, |name| format!(" {name}"));
    AppError::new(
        ErrorCode::AlreadyExists,
        format!("Metadata provider must be unique for version: {provider}{what} is there already"),
    )
}

/// What somebody reads who left out what a new thing needs.
pub(crate) fn missing_field(field: &'static str) -> AppError {
    AppError::invalid(field, "is missing")
}
