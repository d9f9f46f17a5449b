//! The upload's second reader: hashes the bytes and looks into the archive while the caller writes
//! the same bytes to a store.
//!
//! Chunks are collected into batches, and each batch is one piece of work for the blocking pool: as
//! soon as the last one is done and there are [`BATCH_BYTES_MIN`], and at the latest at
//! [`BATCH_BYTES_MAX`], where `push` waits. So an upload holds at most two batches and the chunk that
//! overfilled each, and no thread while its client is slow: a task per upload that waited for chunks
//! would let some hundred idle clients use up the pool.

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{
    ArchiveLimits, ArchiveRefusal, BoxArchive, BoxInspector, DigestAlgorithm, Digests,
    TransferError, digests::Hasher,
};

/// The least that is handed to the blocking pool: large against the price of waking a thread (some
/// microseconds), small against a processor's cache, so that the bytes are still there.
pub(crate) const BATCH_BYTES_MIN: usize = 128 << 10;

/// The most that is collected while the last batch is worked on.
pub(crate) const BATCH_BYTES_MAX: usize = 256 << 10;

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
/// Dropping it ends the work: at most one batch is finished on the blocking pool and thrown away.
/// A `push` that is dropped while it waits has taken its chunk.
#[derive(Debug)]
pub struct Intake {
    hashing: Lane<Hasher>,
    inspecting: Option<Lane<BoxInspector>>,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    size_bytes: u64,
}

/// Some state that lives here or, while a batch is worked into it, on the blocking pool.
enum Lane<S> {
    Idle(S),
    Busy(JoinHandle<S>),
    /// The worker panicked, or a wait was interrupted between the two.
    Lost,
}

impl Intake {
    /// Begins an upload.
    pub fn new(options: &IntakeOptions) -> Self {
        Self {
            hashing: Lane::Idle(Hasher::new(options.declared)),
            inspecting: options.archive.as_ref().map(|it| Lane::Idle(BoxInspector::new(it))),
            batch: Vec::new(),
            batch_bytes: 0,
            size_bytes: 0,
        }
    }

    /// Takes the next chunk. Waits while the last batch is not done and the next is full.
    ///
    /// # Errors
    ///
    /// `Worker` when the blocking pool is going away; the upload cannot go on then.
    pub async fn push(&mut self, chunk: Bytes) -> Result<(), TransferError> {
        self.size_bytes += chunk.len() as u64;
        self.batch_bytes += chunk.len();
        self.batch.push(chunk);
        let (is_full, is_enough) =
            (self.batch_bytes >= BATCH_BYTES_MAX, self.batch_bytes >= BATCH_BYTES_MIN);
        if is_full || (is_enough && self.is_idle()) {
            self.settle().await?;
            self.start();
        }
        Ok(())
    }

    /// Why the archive is refused, as soon as that is known. The caller may stop reading then.
    pub fn refusal(&self) -> Option<&ArchiveRefusal> {
        match &self.inspecting {
            Some(Lane::Idle(inspector)) => inspector.refusal(),
            _ => None,
        }
    }

    /// How many bytes were pushed so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Ends the upload and waits for the last batch.
    ///
    /// # Errors
    ///
    /// `Worker`, as for [`push`](Self::push).
    pub async fn finish(mut self) -> Result<IntakeReport, TransferError> {
        self.settle().await?;
        if !self.batch.is_empty() {
            self.start();
        }
        let digests = self.hashing.into_state().await?.finish();
        let archive = match self.inspecting {
            Some(lane) => {
                let inspector = lane.into_state().await?;
                Some(spawn_blocking(move || inspector.finish()).await?)
            }
            None => None,
        };
        Ok(IntakeReport { size_bytes: self.size_bytes, digests, archive })
    }

    /// Whether [`settle`](Self::settle) would not wait.
    fn is_idle(&self) -> bool {
        self.hashing.is_idle() && self.inspecting.as_ref().is_none_or(Lane::is_idle)
    }

    async fn settle(&mut self) -> Result<(), TransferError> {
        self.hashing.settle().await?;
        if let Some(inspecting) = &mut self.inspecting {
            inspecting.settle().await?;
        }
        Ok(())
    }

    /// Hands the batch to the blocking pool; both lanes are idle.
    fn start(&mut self) {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if let Some(inspecting) = &mut self.inspecting {
            inspecting.start_if(BoxInspector::wants_more, batch.clone(), BoxInspector::feed);
        }
        self.hashing.start_if(|_| true, batch, Hasher::update);
    }
}

impl<S: Send + 'static> Lane<S> {
    fn is_idle(&self) -> bool {
        match self {
            Self::Busy(work) => work.is_finished(),
            Self::Idle(_) | Self::Lost => true,
        }
    }

    /// Waits until the state is back. Dropping the wait loses nothing.
    async fn settle(&mut self) -> Result<(), TransferError> {
        if let Self::Busy(work) = self {
            *self = Self::Idle(work.await?);
        }
        Ok(())
    }

    async fn into_state(mut self) -> Result<S, TransferError> {
        self.settle().await?;
        match self {
            Self::Idle(state) => Ok(state),
            Self::Busy(work) => Ok(work.await?),
            Self::Lost => unreachable!("only `start_if` sets it, and replaces it at once"),
        }
    }

    fn start_if(&mut self, wanted: fn(&S) -> bool, batch: Vec<Bytes>, feed: fn(&mut S, &[u8])) {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Idle(mut state) if wanted(&state) => Self::Busy(spawn_blocking(move || {
                for chunk in batch {
                    feed(&mut state, &chunk);
                }
                state
            })),
            other => other,
        };
    }
}

impl<S> std::fmt::Debug for Lane<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Idle(_) => "Idle",
            Self::Busy(_) => "Busy",
            Self::Lost => "Lost",
        })
    }
}

#[cfg(test)]
mod tests;
