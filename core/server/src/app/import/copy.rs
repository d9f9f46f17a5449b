//! One file of an upstream, brought here: at once, or in parts that a later run goes on with.

use std::{sync::Arc, time::Duration};

use boxvault_catalog::{
    audit::NewEntry,
    boxes::OwnedBox,
    resumable::{self, ResumableUpload},
};
use boxvault_types::{error::ErrorCode, ids::ArtifactId};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};

use super::failure;
use crate::{
    app::{
        App,
        artifacts::Slot,
        resumable::{Chunk, Destination, NewUpload},
        uploads::Declared,
    },
    error::{AppError, Result},
    upstream::{FileBody, Reader, UpstreamError, UpstreamFile},
};

/// How often it is looked whether a run that was killed has let go, and how many times: longer than its lease lasts.
const LOCK_LOOKS: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// Hears how many bytes of a file came, and of how many, where that is known.
pub(super) type Hear<'a> = &'a mut (dyn FnMut(u64, Option<u64>) + Send);

impl App {
    /// Brings a file; tells its size.
    pub(super) async fn copy_file(
        self: &Arc<Self>,
        reader: &Reader,
        found: &Arc<OwnedBox>,
        slot: &Slot,
        (file, audit): (&UpstreamFile, NewEntry),
        hear: Hear<'_>,
    ) -> Result<u64> {
        let to = Destination {
            found: Arc::clone(found),
            slot: slot.clone(),
            user: None,
            replace: false,
            audit,
        };
        let artifact = self.architecture(found, slot).await?.id;
        let mark = mark(file);
        let begun = match &mark {
            Some(mark) => self.unfinished(artifact, mark).await?,
            None => None,
        };
        let from = begun.as_ref().map_or(0, |begun| begun.received.cast_unsigned());
        let is_whole = begun.as_ref().is_some_and(|begun| begun.received == begun.length);
        if let (Some(begun), true) = (&begun, is_whole) {
            return self.go_on(to, begun, futures_util::stream::empty::<Piece>()).await;
        }
        let body = reader.file(&file.url, from).await.map_err(failure)?;
        let length = body.length;
        if let Some(begun) = begun {
            if body.from == from && length == Some(begun.length.cast_unsigned()) {
                return self.go_on_with(to, &begun, body, hear).await;
            }
            // another file than it was, or no ranges
            self.end_upload(&to, begun.id).await?;
            let body = if body.from == 0 {
                body
            } else {
                drop(body);
                reader.file(&file.url, 0).await.map_err(failure)?
            };
            return self.copy_whole(to, (file, mark), body, hear).await;
        }
        self.copy_whole(to, (file, mark), body, hear).await
    }

    /// A file from its first byte on: in parts if it is longer than one, and can be told again.
    async fn copy_whole(
        self: &Arc<Self>,
        to: Destination,
        (file, mark): (&UpstreamFile, Option<String>),
        body: FileBody,
        hear: Hear<'_>,
    ) -> Result<u64> {
        let part = self.config.limits.upload_part_bytes_max.bytes();
        if let (Some(length), Some(metadata)) = (body.length.filter(|length| *length > part), mark)
        {
            let checksum = file.checksum.clone();
            let new = NewUpload { length, checksum, metadata, is_piece: false };
            let begun = self.begin_upload(&to, new).await?;
            return self.go_on_with(to, &begun, body, hear).await;
        }
        let declared = Declared {
            length: body.length,
            checksum: file.checksum.clone(),
            ..Declared::default()
        };
        let Destination { found, slot, user, audit, .. } = to;
        let audit = NewEntry { status: Some(200), ..audit };
        let stream = heard(body, 0, hear);
        let view = Box::pin(self.upload(&found, &slot, declared, user, audit, stream)).await?;
        Ok(view.file.file_size)
    }

    /// The rest of a file. What moves it lives on its own, so what came is told over a channel.
    async fn go_on_with(
        self: &Arc<Self>,
        to: Destination,
        begun: &ResumableUpload,
        body: FileBody,
        hear: Hear<'_>,
    ) -> Result<u64> {
        let (from, length) = (body.from, body.length);
        let (came, mut heard) = tokio::sync::watch::channel(from);
        let mut total = from;
        let stream = body.into_stream().inspect(move |piece| {
            if let Ok(piece) = piece {
                total += piece.len() as u64;
                came.send_replace(total);
            }
        });
        let work = self.go_on(to, begun, stream);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                Ok(()) = heard.changed() => hear(*heard.borrow_and_update(), length),
            }
        }
    }

    async fn go_on(
        self: &Arc<Self>,
        to: Destination,
        begun: &ResumableUpload,
        body: impl Stream<Item = Piece> + Send + Unpin + 'static,
    ) -> Result<u64> {
        let offset = begun.received.cast_unsigned();
        let chunk = Chunk { offset, length: None, checksum: None };
        let after = self.append(to, begun.id, chunk, body).await?;
        if after.is_done {
            return Ok(after.length.cast_unsigned());
        }
        Err(AppError::new(
            ErrorCode::LengthMismatch,
            format!("{} of {} bytes came; another run goes on there", after.received, after.length),
        ))
    }

    /// What an earlier run left of this very file, once nobody holds it.
    async fn unfinished(
        &self,
        artifact: ArtifactId,
        mark: &str,
    ) -> Result<Option<ResumableUpload>> {
        for _ in 0..LOCK_LOOKS {
            let begun = resumable::find_unfinished(&self.catalog, artifact, mark).await?;
            match begun {
                Some(begun) if self.is_locked(&begun) => tokio::time::sleep(LOCK_PAUSE).await,
                Some(begun) if self.expires_at(&begun) <= self.catalog.now() => return Ok(None),
                begun => return Ok(begun),
            }
        }
        Err(AppError::new(
            ErrorCode::UploadLocked,
            "another import brings this file at the moment; try again when it is done",
        ))
    }
}

type Piece = std::result::Result<Bytes, UpstreamError>;

/// The bytes, with somebody listening.
fn heard<'a>(
    body: FileBody,
    from: u64,
    hear: Hear<'a>,
) -> impl Stream<Item = Piece> + Unpin + use<'a> {
    let (mut total, length) = (from, body.length);
    body.into_stream().inspect(move |piece| {
        if let Ok(piece) = piece {
            total += piece.len() as u64;
            hear(total, length);
        }
    })
}

/// What tells a file again: where it is, and what it hashes to. Without a checksum nothing does.
fn mark(file: &UpstreamFile) -> Option<String> {
    let checksum = file.checksum.as_ref()?;
    let digest = Sha256::new()
        .chain_update(file.url.as_str())
        .chain_update([0])
        .chain_update(checksum.hex())
        .finalize();
    Some(format!("import {}", data_encoding::HEXLOWER.encode(&digest)))
}
