//! A limit on how long a stream of bytes may be silent: a store that hangs must not hold a client,
//! and a client that hangs must not hold an upload.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep};

use crate::TransferError;

/// A stream that fails with [`TransferError::Idle`] when the next item takes longer than the limit.
/// The clock runs only while somebody waits for an item, so a slow reader is not blamed.
#[derive(Debug)]
pub struct IdleBound<S> {
    source: S,
    limit: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    ended: bool,
}

impl<S> IdleBound<S> {
    /// Bounds each wait for an item of `source`.
    pub fn new(source: S, limit: Duration) -> Self {
        Self { source, limit, deadline: None, waiting: false, ended: false }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = Instant::now() + self.limit;
        let deadline =
            self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !self.waiting {
            self.waiting = true;
            deadline.as_mut().reset(until);
        }
        deadline.as_mut().poll(cx)
    }
}

impl<S, E> Stream for IdleBound<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Item = Result<Bytes, TransferError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let item = match Pin::new(&mut this.source).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => Some(Ok(bytes)),
            Poll::Ready(Some(Err(error))) => Some(Err(TransferError::Source(error.into()))),
            Poll::Ready(None) => None,
            Poll::Pending => match this.poll_deadline(cx) {
                Poll::Ready(()) => Some(Err(TransferError::Idle { limit: this.limit })),
                Poll::Pending => return Poll::Pending,
            },
        };
        this.waiting = false;
        this.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests;
