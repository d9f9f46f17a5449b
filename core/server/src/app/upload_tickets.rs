//! Upload tickets: an address that takes one file from whoever has it, for clients that upload without credentials.
//!
//! A ticket is a signed statement like a download link: who made it and with what, for which architecture, until when,
//! and which file that had. So it needs no row, dies with the right, the session or the API token of its maker, and is
//! good for one file: once another one is there, only the very same bytes are taken again, as a client sends them
//! that did not hear that they had arrived.

use boxvault_catalog::{artifacts::Artifact, boxes::OwnedBox};
use boxvault_types::{
    digest::{Checksum, ChecksumType},
    error::ErrorCode,
    identity::Identity,
    ids::ArtifactId,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{App, artifacts::Slot, download_links::Maker};
use crate::error::{AppError, Result};

const AUDIENCE: &str = "boxvault-upload";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    /// The artifact.
    art: ArtifactId,
    /// Which file it had.
    was: FileMark,
    #[serde(flatten)]
    maker: Maker,
}

/// Tells a file of an artifact from the one before: when it was uploaded, in microseconds; zero where there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FileMark(pub(crate) i64);

impl FileMark {
    fn of(artifact: &Artifact) -> Self {
        let file = artifact.file.as_ref();
        Self(file.map_or(0, |file| file.uploaded_at.timestamp_micros()))
    }
}

/// What a presented ticket is good for, beside what its maker may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TicketGrant {
    artifact: ArtifactId,
    was: FileMark,
}

impl App {
    /// A ticket for the next file of an architecture, and which file it has now.
    ///
    /// # Errors
    /// `VERSION_RELEASED`, so that nobody uploads in vain.
    pub(crate) async fn upload_ticket(
        &self,
        identity: &Identity,
        found: &OwnedBox,
        slot: &Slot,
    ) -> Result<(String, FileMark)> {
        self.refuse_released(found, slot).await?;
        let artifact = self.architecture(found, slot).await?;
        let time: Duration = self.config.limits.upload_ticket_ttl.into();
        let end = self.catalog.now() + TimeDelta::from_std(time).map_err(AppError::internal)?;
        let was = FileMark::of(&artifact);
        let claims = Claims {
            aud: AUDIENCE.to_owned(),
            exp: end.timestamp(),
            art: artifact.id,
            was,
            maker: Maker::of(identity),
        };
        Ok((self.download_links.sign(&claims)?, was))
    }

    /// Who made a ticket, and what it is good for.
    ///
    /// # Errors
    /// `LINK_INVALID`, without saying why.
    pub(crate) async fn identify_ticket(&self, ticket: &str) -> Result<(Identity, TicketGrant)> {
        let claims: Claims = self.download_links.verify(ticket, AUDIENCE).ok_or_else(invalid)?;
        let grant = TicketGrant { artifact: claims.art, was: claims.was };
        let maker = self.identify_maker(&claims.maker).await?.ok_or_else(invalid)?;
        Ok((maker, grant))
    }

    /// What a ticket still takes: any file, or once one came only that one again.
    ///
    /// # Errors
    /// `LINK_INVALID` for another architecture.
    pub(crate) async fn held_by_ticket(
        &self,
        grant: &TicketGrant,
        found: &OwnedBox,
        slot: &Slot,
    ) -> Result<Option<Checksum>> {
        let artifact = self.architecture(found, slot).await?;
        if artifact.id != grant.artifact {
            return Err(invalid());
        }
        if FileMark::of(&artifact) == grant.was {
            return Ok(None);
        }
        let file = artifact.file.ok_or_else(invalid)?;
        let digest = file.stored.digest.to_hex();
        Checksum::parse(ChecksumType::Sha256, &digest).map(Some).map_err(AppError::internal)
    }

    /// Sees that a file came since a ticket was given.
    ///
    /// # Errors
    /// `VERSION_EMPTY`.
    pub(crate) async fn require_file_since(
        &self,
        found: &OwnedBox,
        slot: &Slot,
        was: FileMark,
    ) -> Result<()> {
        let artifact = self.architecture(found, slot).await?;
        if artifact.file.is_some() && FileMark::of(&artifact) != was {
            return Ok(());
        }
        Err(AppError::new(
            ErrorCode::VersionEmpty,
            format!(
                "no file came for {} {} {} at its upload address; upload it first",
                slot.version, slot.provider, slot.architecture
            ),
        ))
    }
}

fn invalid() -> AppError {
    AppError::new(
        ErrorCode::LinkInvalid,
        "the upload address is expired, or what it was made for is gone; ask for another one",
    )
}
