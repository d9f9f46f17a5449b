//! The upload's second reader: hashes the bytes and looks into the archive while the caller writes
//! the same bytes to a store.
//!
//! Chunks are collected into batches of about an upload's share (`share.rs`), each of which goes to two threads of the upload's own
//! (`lane.rs`). `push` waits while a batch waits already, so that an upload holds at most three batches and the chunk that
//! overfilled each.

use std::{fmt, ops::ControlFlow};

use bytes::Bytes;

use crate::{
    ArchiveLimits, ArchiveRefusal, BoxArchive, BoxInspector, DigestAlgorithm, Digests,
    TransferError,
    digests::Hasher,
    lane::Lane,
    share::{Share, piece_bytes},
};

/// What to do with an upload's bytes besides writing them.
#[derive(Debug, Clone, Default)]
pub struct IntakeOptions {
    /// The digest that the uploader declared; SHA-256 is computed in any case.
    pub declared: Option<DigestAlgorithm>,
    /// Look into the box archive, within these limits; without them the bytes may be anything.
    pub archive: Option<ArchiveLimits>,
}

/// What an upload was.
#[derive(Debug)]
pub struct IntakeReport {
    /// How many bytes were pushed.
    pub size_bytes: u64,
    /// The digests of all bytes.
    pub digests: Digests,
    /// What the archive says of itself, or why it is none; `None` when nobody asked.
    pub archive: Option<Result<BoxArchive, ArchiveRefusal>>,
}

/// Takes an upload's bytes as they arrive.
///
/// # Cancel safety
///
/// Dropping it ends the work: at most two batches are worked on and thrown away.
/// A `push` that is dropped while it waits has taken its chunk.
pub struct Intake {
    hashing: Lane<Hasher>,
    inspecting: Option<Lane<BoxInspector>>,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    size_bytes: u64,
    _share: Share,
}

impl Intake {
    /// Begins an upload.
    ///
    /// # Errors
    ///
    /// `Thread` when the system has none left.
    pub fn start(options: &IntakeOptions) -> Result<Self, TransferError> {
        let hashing = Lane::start(Hasher::new(options.declared), |hasher, batch| {
            for chunk in batch {
                hasher.update(chunk);
            }
            ControlFlow::Continue(())
        })?;
        let inspecting = options.archive.as_ref().map(|limits| {
            Lane::start(BoxInspector::new(limits), |inspector, batch| {
                for chunk in batch {
                    inspector.feed(chunk);
                }
                if inspector.wants_more() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
        });
        let inspecting = inspecting.transpose()?;
        Ok(Self {
            hashing,
            inspecting,
            batch: Vec::new(),
            batch_bytes: 0,
            size_bytes: 0,
            _share: Share::take(),
        })
    }

    /// Takes the next chunk. Waits while a batch is full and another one waits.
    pub async fn push(&mut self, chunk: Bytes) {
        self.size_bytes += chunk.len() as u64;
        self.batch_bytes += chunk.len();
        self.batch.push(chunk);
        if self.batch_bytes >= piece_bytes() {
            self.hand_over().await;
        }
    }

    /// Why the archive is refused, as soon as that is known. The caller may stop reading then.
    pub fn refusal(&mut self) -> Option<&ArchiveRefusal> {
        self.inspecting.as_mut()?.ended()?.refusal()
    }

    /// How many bytes were pushed so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Ends the upload and waits for the last batch.
    ///
    /// # Errors
    ///
    /// `Worker` when the work panicked.
    pub async fn finish(mut self) -> Result<IntakeReport, TransferError> {
        self.hand_over().await;
        let digests = self.hashing.finish().await?.finish();
        let archive = match self.inspecting {
            Some(lane) => {
                let inspector = lane.finish().await?;
                Some(tokio::task::spawn_blocking(move || inspector.finish()).await?)
            }
            None => None,
        };
        Ok(IntakeReport { size_bytes: self.size_bytes, digests, archive })
    }

    /// Hands the batch to both threads. One that wants no more, or has panicked, gets none; `finish` tells.
    async fn hand_over(&mut self) {
        let hashing = self.hashing.room().await;
        let inspecting = match &self.inspecting {
            Some(lane) => lane.room().await,
            None => None,
        };
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        if let Some(room) = inspecting {
            room.send(batch.clone());
        }
        if let Some(room) = hashing {
            room.send(batch);
        }
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
