//! What becomes of what the Vagrant Cloud API calls a provider: made, changed, taken away.

use boxvault_catalog::boxes::OwnedBox;
use boxvault_types::{
    error::ErrorCode,
    names::{ArchitectureName, ProviderName},
    params::{
        boxes::{CreateArchitectureParams, UpdateArchitectureParams, UpdateProviderParams},
        cloud::CloudProviderParams,
    },
    version::BoxVersion,
};

use super::checksums::declared;
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
        let is_default = self.architecture(found, &slot).await?.default_architecture;
        let change = UpdateArchitectureParams {
            name: params.architecture.filter(|name| name.key() != slot.architecture.key()),
            default_box: params.default_architecture.filter(|wanted| *wanted && !is_default),
        };
        let name = change.name.clone();
        let says_nothing = name.is_none() && change.default_box.is_none();
        match self.update_architecture(found, &slot, change).await {
            // clients send back what they read before they ask for what they want
            Err(error) if says_nothing && error.code() == ErrorCode::VersionReleased => {}
            changed => drop(changed?),
        }
        slot.architecture = name.unwrap_or(slot.architecture);
        self.expect_checksum(found, &slot, expected).await?;
        Ok(slot)
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
}

/// Packer and people know these words.
fn not_unique(provider: &ProviderName, architecture: Option<&ArchitectureName>) -> AppError {
    let what = architecture.map_or_else(String::new, |name| format!(" {name}"));
    AppError::new(
        ErrorCode::AlreadyExists,
        format!("Metadata provider must be unique for version: {provider}{what} is there already"),
    )
}
