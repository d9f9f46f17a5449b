//! Upload tickets: an address that takes one file from whoever has it, for clients that upload without credentials.
//!
//! A ticket is a signed statement like a download link: who made it and with what, for which architecture, until when,
//! and which file that had. So it needs no row, dies with the right, the session or the API token of its maker, and is
//! good for one file: once another one is there, only the very same bytes are taken again, as a client sends them
//! that did not hear that they had arrived.
//!
//! Of an upload that clients call direct, the callback says what became of it, since they print what that says and not what
//! the address answered. Why a file was refused is kept in memory until then ([`RefusedUploads`]): another server says that
//! none came.

use boxvault_catalog::{artifacts::Artifact, boxes::OwnedBox};
use boxvault_types::{
    digest::{Checksum, ChecksumType},
    error::ErrorCode,
    identity::Identity,
    ids::ArtifactId,
};
use chrono::TimeDelta;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{App, artifacts::Slot, download_links::Maker};
use crate::error::{AppError, Result};

const AUDIENCE: &str = "boxvault-upload";
/// How many refusals wait for the callback that tells them.
const REFUSED_MAX: usize = 1_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    /// The artifact.
    art: ArtifactId,
    /// Which file it had.
    was: FileMark,
    /// Who tells what became of the file.
    end: Verdict,
    #[serde(flatten)]
    maker: Maker,
}

/// Who tells a client what became of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// The answer to the upload.
    AtOnce,
    /// The callback after it.
    ByCallback,
}

/// Why files were refused, for the callbacks that ask.
pub(crate) struct RefusedUploads(Cache<(ArtifactId, FileMark), (ErrorCode, String)>);

impl RefusedUploads {
    /// Knows of none.
    pub(crate) fn new() -> Self {
        Self(Cache::new(REFUSED_MAX))
    }
}

/// Tells a file of an artifact from the one before: when it was uploaded, in microseconds; zero where there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    verdict: Verdict,
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
        verdict: Verdict,
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
            end: verdict,
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
        let grant = TicketGrant { artifact: claims.art, was: claims.was, verdict: claims.end };
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

    /// Leaves it to the callback to tell why a file was refused, if that is where the client looks. Only what is wrong with
    /// the file itself waits; whatever else failed is tried again.
    pub(crate) fn tells_later(&self, grant: &TicketGrant, error: &AppError) -> bool {
        let is_of_the_file = matches!(
            error.code(),
            ErrorCode::NotABox | ErrorCode::ChecksumMismatch | ErrorCode::ProviderMismatch
        );
        let waits = is_of_the_file && grant.verdict == Verdict::ByCallback;
        if waits {
            let why = (error.code(), error.message().to_owned());
            self.refused_uploads.0.insert((grant.artifact, grant.was), why);
        }
        waits
    }

    /// Sees that a file came since a ticket was given.
    ///
    /// # Errors
    /// Why it was refused, or `VERSION_EMPTY`.
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
        if let Some((code, why)) = self.refused_uploads.0.get(&(artifact.id, was)) {
            return Err(AppError::new(code, why));
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
