//! Work on a thread of its own, fed with batches.
//!
//! A thread and not the blocking pool: there a batch costs a thread switch to begin it and another one at its end, and at
//! full speed these were a quarter of what an upload cost. The number of threads is bounded by
//! that of uploads; one that waits for a slow client has a few pages of memory.

use std::{ops::ControlFlow, thread};

use bytes::Bytes;
use tokio::sync::{
    mpsc::{self, Permit},
    oneshot,
};

use crate::TransferError;

/// What a batch does to the state; `Break` when it wants no more.
pub(crate) type Feed<S> = fn(&mut S, &[Bytes]) -> ControlFlow<()>;

/// State of type `S` at work. Dropping it ends the thread after the batch that it works on.
pub(crate) struct Lane<S> {
    batches: mpsc::Sender<Vec<Bytes>>,
    ended: Option<S>,
    end: oneshot::Receiver<S>,
}

impl<S: Send + 'static> Lane<S> {
    /// Starts the thread.
    ///
    /// # Errors
    /// `Thread` if the system has none.
    pub(crate) fn start(mut state: S, feed: Feed<S>) -> Result<Self, TransferError> {
        let (batches, mut waiting) = mpsc::channel::<Vec<Bytes>>(1);
        let (sender, end) = oneshot::channel();
        let work = move || {
            while let Some(batch) = waiting.blocking_recv() {
                if feed(&mut state, &batch).is_break() {
                    break;
                }
            }
            drop(waiting);
            // nobody waits for it when the upload was given up
            drop(sender.send(state));
        };
        let thread = thread::Builder::new().name("boxvault-intake".to_owned());
        drop(thread.spawn(work).map_err(TransferError::Thread)?);
        Ok(Self { batches, ended: None, end })
    }

    /// Waits until there is room for a batch: one is worked on, one waits. `None` when the state wants no more.
    ///
    /// # Cancel safety
    /// Safe: nothing is taken before there is room.
    pub(crate) async fn room(&self) -> Option<Permit<'_, Vec<Bytes>>> {
        self.batches.reserve().await.ok()
    }

    /// The state, if it wants no more.
    pub(crate) fn ended(&mut self) -> Option<&S> {
        if self.ended.is_none() {
            self.ended = self.end.try_recv().ok();
        }
        self.ended.as_ref()
    }

    /// Waits for the end of all batches.
    ///
    /// # Errors
    /// `Worker` if the thread panicked.
    pub(crate) async fn finish(self) -> Result<S, TransferError> {
        drop(self.batches);
        match self.ended {
            Some(state) => Ok(state),
            None => self.end.await.map_err(|_| TransferError::Worker),
        }
    }
}
