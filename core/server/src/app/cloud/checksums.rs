//! Checksums that clients declare before they upload, in a request of its own.

use boxvault_catalog::{
    artifacts::{self, ArtifactChanges},
    boxes::OwnedBox,
};
use boxvault_types::{digest::Checksum, params::cloud::CloudProviderParams};

use crate::{
    app::{App, artifacts::Slot},
    error::{AppError, Result},
};

impl App {
    /// Holds the next file to a checksum. One that is known already is what clients send back as they read it, and says
    /// nothing of the next file.
    pub(super) async fn expect_checksum(
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
}

/// The checksum that a client declares; a blank one, or one of no type, is none to Vagrant.
pub(super) fn declared(params: &CloudProviderParams) -> Result<Option<Checksum>> {
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
