//! Uploads whose bytes go from the client straight to the object store: begin, addresses for parts, finish.
//!
//! ```text
//! begin ──▶ row, and an object that nobody sees ──▶ addresses ──▶ the client sends parts to the store
//! finish ──▶ the store puts them together ──▶ one reading: length, hashes, archive ──▶ one transaction
//! ```
//!
//! What came is read once before anybody sees it. A store could vouch for a checksum that was signed into an address,
//! and was weighed: of an object in parts it knows only hashes of hashes, stock clients declare nothing when they ask,
//! several work-alikes accept such a header and ignore it, and the archive has to be looked into anyhow.
//!
//! Whoever ends an upload badly removes its row first, and the object only if that was there: of two who finish at once
//! one may have committed it. What is left then is dust, which the sweep finds.

use std::{sync::Arc, time::Duration};

use boxvault_catalog::{
    CatalogError,
    artifacts::{Artifact, Gate},
    uploads,
};
use boxvault_plugin_sdk::{
    ByteRange, Capabilities, ObjectMeta, PartOptions, PluginErrorKind, StorageBackend, WriteOptions,
};
use boxvault_types::{
    digest::Checksum,
    error::{ErrorCode, ErrorKind},
    ids::{ArtifactId, UploadId},
    views::files::{DirectPartView, DirectUploadView, UploadView},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, interval_at};
use tracing::{info, warn};

use super::{
    Declared, TOUCH_INTERVAL,
    unfinished::{Arrived, check, commit, lost_race, not_a_box, told},
};
use crate::{
    app::{App, resumable::Destination, stores},
    config::Transfer,
    error::{AppError, Result},
};

const AUDIENCE: &str = "boxvault-direct-upload";
/// Longer than any upload goes on. That nothing happens with it for `limits.uploads_abandoned_after` ends it earlier.
const HANDLE_TTL: TimeDelta = TimeDelta::days(7);
/// How many addresses are signed at once.
const PARTS_PER_PAGE: u32 = 100;

/// What a client keeps of an upload: what we would have to look up, signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    upl: UploadId,
    art: ArtifactId,
    /// What names it to the store.
    tok: String,
    /// Bytes of a part.
    prt: u64,
}

/// An upload that somebody began, and where it goes.
struct Open {
    claims: Claims,
    row: uploads::Upload,
}

/// What a client says of the file that it is going to send.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewDirect {
    /// Bytes. Nothing: one part of unknown length.
    pub(crate) length: Option<u64>,
    /// What the file must hash to.
    pub(crate) checksum: Option<Checksum>,
}

/// An upload of one part, of a length that nobody said.
pub(crate) struct OneAddress {
    /// Takes the file by PUT.
    pub(crate) url: String,
    /// Names the upload.
    pub(crate) handle: String,
}

impl App {
    /// Begins an upload of parts, and signs the first addresses.
    ///
    /// # Errors
    /// `DIRECT_UPLOAD_UNAVAILABLE`; `TOO_MANY_UPLOADS`; what a single request is refused for before its first byte.
    pub(crate) async fn begin_direct_upload(
        &self,
        to: &Destination,
        new: NewDirect,
    ) -> Result<DirectUploadView> {
        let (handle, open) = self.begin_direct(to, new).await?;
        self.direct_view(handle, &open, 1).await
    }

    /// Begins an upload of one part.
    ///
    /// # Errors
    /// As above.
    pub(crate) async fn begin_direct_file(&self, to: &Destination) -> Result<OneAddress> {
        let (handle, open) = self.begin_direct(to, NewDirect::default()).await?;
        let store = self.stores.get(&open.row.store)?;
        let url = self.part_address(store, &open, 1, None).await?;
        Ok(OneAddress { url, handle })
    }

    /// Signs addresses for parts from a number on.
    ///
    /// # Errors
    /// `UPLOAD_NOT_FOUND`.
    pub(crate) async fn read_direct_upload(
        &self,
        to: &Destination,
        handle: &str,
        from: u32,
    ) -> Result<DirectUploadView> {
        let open = self.open_direct(to, handle).await?;
        self.touch_direct(open.row.id).await?;
        self.direct_view(handle.to_owned(), &open, from).await
    }

    /// Puts the parts together, looks at what that is, and makes it visible.
    ///
    /// # Errors
    /// `UPLOAD_NOT_FOUND`; `LENGTH_MISMATCH` while nothing came; what a single request is refused for. The upload is over
    /// then, unless nothing came or the store or the catalog is out of reach.
    ///
    /// # Cancel safety
    /// Dropping it ends nothing: what was begun goes on to its end.
    pub(crate) async fn finish_direct_upload(
        self: &Arc<Self>,
        to: Destination,
        handle: &str,
    ) -> Result<UploadView> {
        let open = self.open_direct(&to, handle).await?;
        let permit = self.upload_permit()?;
        self.touch_direct(open.row.id).await?;
        let app = Arc::clone(self);
        let finishing = tokio::spawn(async move {
            let counted = app.metrics.upload_started();
            let outcome = app.finish_direct(&to, &open).await;
            if let Err(error) = &outcome {
                app.metrics.upload_ended("refused", 0);
                if is_over(error) {
                    app.discard_direct(&open).await;
                }
            }
            drop((counted, permit));
            outcome
        });
        finishing.await.map_err(AppError::internal)?
    }

    /// Ends an upload; what came of it goes.
    ///
    /// # Errors
    /// `UPLOAD_NOT_FOUND`.
    pub(crate) async fn end_direct_upload(&self, to: &Destination, handle: &str) -> Result<()> {
        let open = self.open_direct(to, handle).await?;
        self.discard_direct(&open).await;
        Ok(())
    }

    async fn begin_direct(&self, to: &Destination, new: NewDirect) -> Result<(String, Open)> {
        let (store_name, store) = self.store_for(&to.found.organization, new.length).await?;
        if self.transfer(&store_name) == Transfer::Proxy
            || !store.capabilities().contains(Capabilities::PRESIGN_WRITE)
        {
            return Err(AppError::new(
                ErrorCode::DirectUploadUnavailable,
                "files go through the server here, and not straight to the object store; upload them as usual",
            ));
        }
        let artifact = self.architecture(&to.found, &to.slot).await?;
        self.refuse_in_vain(to, &artifact, new.length.unwrap_or_default()).await?;
        self.refuse_too_many(to).await?;
        let id = UploadId::new();
        let row = uploads::begin(
            &self.catalog,
            uploads::NewUpload {
                id,
                artifact_id: artifact.id,
                store: store_name,
                key: stores::key(id),
                declared_length: new.length.and_then(|length| i64::try_from(length).ok()),
                // what was said of it before counts, unless more is said with it
                checksum: new.checksum.or(artifact.expected),
                user_id: to.user,
                instance_id: self.instance_id.clone(),
                gate: Gate::Prepared,
            },
        )
        .await?;
        if row.previous_blob_id.is_some() && !to.replace {
            uploads::abort(&self.catalog, id).await?;
            return Err(lost_race());
        }
        let begun = store.begin_direct(&row.key, WriteOptions::with_size_hint(new.length)).await;
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) => {
                uploads::abort(&self.catalog, id).await?;
                return Err(error.into());
            }
        };
        let claims = Claims {
            aud: AUDIENCE.to_owned(),
            exp: (self.catalog.now() + HANDLE_TTL).timestamp(),
            upl: id,
            art: artifact.id,
            tok: begun.token,
            prt: begun.part_bytes,
        };
        Ok((self.download_links.sign(&claims)?, Open { claims, row }))
    }

    /// Refuses what a single request would be refused for before its first byte.
    async fn refuse_in_vain(
        &self,
        to: &Destination,
        artifact: &Artifact,
        length: u64,
    ) -> Result<()> {
        let replaced = artifact.file.as_ref().map_or(0, |file| file.stored.size_bytes);
        let room = self.room(&to.found, replaced).await?;
        self.refuse_too_large(&Declared { room, ..Declared::default() }, length)?;
        self.refuse_released(&to.found, &to.slot).await
    }

    async fn refuse_too_many(&self, to: &Destination) -> Result<()> {
        let Some(user) = to.user else { return Ok(()) };
        let open_max = self.config.limits.uploads_open_per_user_max;
        if uploads::count_of_user(&self.catalog, user).await? < open_max {
            return Ok(());
        }
        Err(AppError::new(
            ErrorCode::TooManyUploads,
            format!(
                "you have {open_max} unfinished uploads (limits.uploads_open_per_user_max); finish or delete one, or \
                 wait until it expires"
            ),
        )
        .with_retry_after(Duration::from_mins(1)))
    }

    /// The upload that a handle names, if it is this caller's and for this architecture.
    async fn open_direct(&self, to: &Destination, handle: &str) -> Result<Open> {
        let claims: Claims =
            self.download_links.verify(handle, AUDIENCE).ok_or_else(no_direct_upload)?;
        let artifact = self.architecture(&to.found, &to.slot).await?;
        let row = uploads::find(&self.catalog, claims.upl).await?;
        let row = row.filter(|row| {
            row.artifact_id == artifact.id && claims.art == artifact.id && row.user_id == to.user
        });
        Ok(Open { claims, row: row.ok_or_else(no_direct_upload)? })
    }

    /// Says that an upload is alive.
    async fn touch_direct(&self, id: UploadId) -> Result<()> {
        match uploads::touch(&self.catalog, &[id]).await? {
            0 => Err(no_direct_upload()),
            _ => Ok(()),
        }
    }

    async fn part_address(
        &self,
        store: &Arc<dyn StorageBackend>,
        open: &Open,
        number: u32,
        length: Option<u64>,
    ) -> Result<String> {
        let time = self.config.limits.presigned_upload_ttl.into();
        let options = PartOptions::new(number, length, time);
        Ok(store.presign_part(&open.row.key, &open.claims.tok, options).await?)
    }

    async fn direct_view(&self, id: String, open: &Open, from: u32) -> Result<DirectUploadView> {
        let store = self.stores.get(&open.row.store)?;
        let file_size = open.row.declared_length.unwrap_or_default();
        let file_size = u64::try_from(file_size).unwrap_or_default();
        let layout = Layout { file_size, part_size: open.claims.prt };
        let mut parts = Vec::new();
        for number in (from..=layout.count()).take(PARTS_PER_PAGE as usize) {
            let (offset, size) = layout.part(number);
            let url = self.part_address(store, open, number, Some(size)).await?;
            parts.push(DirectPartView { number, offset, size, url });
        }
        Ok(DirectUploadView {
            id,
            file_size,
            part_size: layout.part_size,
            part_count: layout.count(),
            parts,
            addresses_expire_at: self.addresses_expire_at()?,
        })
    }

    fn addresses_expire_at(&self) -> Result<DateTime<Utc>> {
        let time: Duration = self.config.limits.presigned_upload_ttl.into();
        Ok(self.catalog.now() + TimeDelta::from_std(time).map_err(AppError::internal)?)
    }

    async fn finish_direct(&self, to: &Destination, open: &Open) -> Result<UploadView> {
        let store = Arc::clone(self.stores.get(&open.row.store)?);
        let key = &open.row.key;
        let meta = store.finish_direct(key, &open.claims.tok).await;
        let meta = meta.map_err(|error| match error.kind {
            PluginErrorKind::NotFound => AppError::new(
                ErrorCode::LengthMismatch,
                "nothing came at the addresses of this upload; send its parts there first",
            )
            .with_source(NothingCame),
            _ => error.into(),
        })?;
        let artifact = self.architecture(&to.found, &to.slot).await?;
        self.refuse_in_vain(to, &artifact, meta.size).await?;
        let declared = Declared {
            length: open.row.declared_length.and_then(|length| u64::try_from(length).ok()),
            checksum: open.row.checksum.clone(),
            ..Declared::default()
        };
        let arrived = self.look_at_object(to, &declared, &store, open, &meta).await?;
        let (size_bytes, compression) =
            (arrived.size_bytes, arrived.archive.compression.name().to_owned());
        let committed = commit(self, open.row.id, arrived, declared, to.audit.clone()).await;
        let committed = committed.map_err(|error| {
            // it may have come to its end all the same
            let unsure =
                matches!(error, CatalogError::Unavailable { .. } | CatalogError::Unexpected { .. });
            if unsure {
                warn!(upload = %open.row.id, %error, "it is not known whether an upload was committed");
            }
            told(error)
        })?;
        self.metrics.upload_ended("stored", 0);
        self.catalogues.clear();
        if let Some(surplus) = &committed.surplus_key {
            self.delete_object(&committed.file.stored.store, surplus).await;
        }
        info!(
            box.name = %to.found.vagrant_box.name, organization = %to.found.organization.name, size_bytes,
            "took over the file of {}/{} {} {} {} from the object store",
            to.found.organization.name, to.found.vagrant_box.name, to.slot.version, to.slot.provider,
            to.slot.architecture
        );
        let file = self.file_view(&to.found, &to.slot, &committed.file, committed.downloads);
        Ok(UploadView { file, compression, replaced: committed.replaced.is_some() })
    }

    /// Reads an object once, and compares it with what was declared.
    async fn look_at_object(
        &self,
        to: &Destination,
        declared: &Declared,
        store: &Arc<dyn StorageBackend>,
        open: &Open,
        meta: &ObjectMeta,
    ) -> Result<Arrived> {
        if let Some(length) = declared.length.filter(|length| *length != meta.size) {
            return Err(AppError::new(
                ErrorCode::LengthMismatch,
                format!("{length} bytes were declared and {} came; begin a new upload", meta.size),
            ));
        }
        let mut intake = self.intake(declared.checksum.as_ref())?;
        let mut reader = store.open_reader(&open.row.key, ByteRange::FULL).await?;
        let mut alive = interval_at(Instant::now() + TOUCH_INTERVAL, TOUCH_INTERVAL);
        loop {
            tokio::select! {
                chunk = reader.next() => {
                    let Some(chunk) = chunk? else { break };
                    intake.push(chunk).await;
                    if let Some(refusal) = intake.refusal() {
                        return Err(not_a_box(refusal));
                    }
                }
                _ = alive.tick() => self.touch_direct(open.row.id).await?,
            }
        }
        let report = intake.finish().await.map_err(AppError::internal)?;
        if report.size_bytes != meta.size {
            return Err(AppError::internal(format!(
                "the store told of {} bytes and gave {}",
                meta.size, report.size_bytes
            )));
        }
        let archive = report.archive.unwrap_or(Err(boxvault_transfer::ArchiveRefusal::NoMetadata));
        check(&to.slot, declared, report.size_bytes, &report.digests, archive)
    }

    /// Removes the row of an upload, and what it brought: in this order, see the module.
    async fn discard_direct(&self, open: &Open) {
        match uploads::abort(&self.catalog, open.row.id).await {
            Ok(true) => self.delete_sent(&open.row.store, &open.row.key).await,
            Ok(false) => {}
            Err(error) => {
                warn!(upload = %open.row.id, %error, "could not remove the row of an upload; the sweep will");
            }
        }
    }

    /// Removes what clients sent for a key that no row knows any more, put together or not. What stays is the sweep's.
    pub(in crate::app) async fn delete_sent(&self, store: &str, key: &str) {
        self.delete_object(store, key).await;
        let Ok(backend) = self.stores.get(store) else { return };
        if let Err(error) = backend.abort_unfinished(key).await {
            warn!(store, key, %error, "could not remove what was never finished; the sweep will");
        }
    }
}

/// Where the parts of a file lie.
#[derive(Clone, Copy)]
struct Layout {
    file_size: u64,
    part_size: u64,
}

impl Layout {
    /// At least one.
    fn count(self) -> u32 {
        let count = self.file_size.div_ceil(self.part_size.max(1)).max(1);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Offset and size of a part.
    fn part(self, number: u32) -> (u64, u64) {
        let offset = u64::from(number.saturating_sub(1)) * self.part_size;
        (offset, self.part_size.min(self.file_size.saturating_sub(offset)))
    }
}

/// Nothing came yet: the upload goes on.
#[derive(Debug, thiserror::Error)]
#[error("no part is there")]
struct NothingCame;

/// Whether an upload is over with an error. Where the store or the catalog is out of reach it is not, nor where nothing
/// came yet.
fn is_over(error: &AppError) -> bool {
    let source = std::error::Error::source(error);
    let open = source.is_some_and(<dyn std::error::Error>::is::<NothingCame>);
    !open
        && !matches!(
            error.kind(),
            ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::StorageFull
        )
}

fn no_direct_upload() -> AppError {
    AppError::new(
        ErrorCode::UploadNotFound,
        "there is no such upload of yours for this architecture: it was finished or given up, a sweep removed what was \
         left of it, or its id is wrong; begin a new one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_file_without_gaps() {
        for (file_size, part_size, sizes) in
            [(1, 10, vec![1]), (10, 10, vec![10]), (25, 10, vec![10, 10, 5]), (0, 10, vec![0])]
        {
            let layout = Layout { file_size, part_size };
            let parts: Vec<_> = (1..=layout.count()).map(|number| layout.part(number)).collect();
            let mut end = 0;
            for (offset, size) in &parts {
                assert_eq!(*offset, end);
                end += size;
            }
            assert_eq!(end, file_size);
            assert_eq!(parts.iter().map(|(_, size)| *size).collect::<Vec<_>>(), sizes);
        }
    }
}
