//! Response bodies of byte ranges of local files.
//!
//! A body hands out slices of the mapped file. Before it hands out a window, it asks whether the
//! window is in memory; when it is not, the blocking pool reads it first, so that neither a page
//! fault nor `sendfile(2)` waits for the disk on an async worker. Memory per download does not
//! depend on the size of the file, nor on how slow the client is.

use std::{
    collections::VecDeque,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use salvo::{
    BoxedError,
    http::{ResBody, Version, uri::Scheme},
};
use tokio::task::JoinHandle;

use crate::{LocalFile, TransferError, os::Residency};

/// How much is made sure to be in memory at once. A client that stops inside a window may find its
/// end evicted; smaller windows cost more questions.
const WINDOW_BYTES: u64 = 4 << 20;

/// A slice for TLS or HTTP/2. Pages become resident in our address space as it is encrypted and
/// leave it when the slice is dropped, so this bounds what a slow client occupies.
const MEMORY_FRAME_BYTES: u64 = 256 << 10;

/// How the bytes of a body leave the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Over a [`FileSocket`](crate::FileSocket), by the kernel: slices of some MiB.
    Kernel,
    /// Through TLS, HTTP/2 or anything else that reads the bytes: slices of some hundred KiB.
    Memory,
}

/// A response body of ranges of one file, and text between them.
#[derive(Debug)]
pub struct FileBody {
    file: LocalFile,
    delivery: Delivery,
    parts: VecDeque<Part>,
    remaining_bytes: u64,
    /// What is known to be in memory.
    window: Range<u64>,
    fetching: Option<JoinHandle<Result<Range<u64>, TransferError>>>,
}

/// A body of several ranges and the header that must go with it (RFC 9110, 14.6).
#[derive(Debug)]
pub struct MultipartBody {
    /// For the header `Content-Type`.
    pub content_type: String,
    /// For the header `Content-Length`.
    pub size_bytes: u64,
    /// The body.
    pub body: FileBody,
}

#[derive(Debug)]
enum Part {
    Text(Bytes),
    Range(Range<u64>),
}

impl Delivery {
    /// The delivery for a request that came over a plain [`FileListener`](crate::FileListener) or
    /// over TLS.
    pub fn of(scheme: &Scheme, version: Version) -> Self {
        match (scheme == &Scheme::HTTP, version) {
            (true, Version::HTTP_09 | Version::HTTP_10 | Version::HTTP_11) => Self::Kernel,
            _ => Self::Memory,
        }
    }
}

impl FileBody {
    /// The whole file.
    pub fn whole(file: LocalFile, delivery: Delivery) -> Self {
        let size_bytes = file.size_bytes();
        Self::of_parts(file, delivery, VecDeque::from([Part::Range(0..size_bytes)]))
    }

    /// One range of the file; the end is exclusive.
    ///
    /// # Errors
    ///
    /// `RangeOutside`.
    pub fn range(
        file: LocalFile,
        delivery: Delivery,
        range: Range<u64>,
    ) -> Result<Self, TransferError> {
        check(&file, &range)?;
        Ok(Self::of_parts(file, delivery, VecDeque::from([Part::Range(range)])))
    }

    /// Several ranges of the file as `multipart/byteranges`. The boundary must be of letters and
    /// digits, and unguessable, so that no file contains it by intent.
    ///
    /// # Errors
    ///
    /// `RangeOutside`.
    pub fn multipart(
        file: LocalFile,
        delivery: Delivery,
        ranges: &[Range<u64>],
        content_type: &str,
        boundary: &str,
    ) -> Result<MultipartBody, TransferError> {
        let size_bytes = file.size_bytes();
        let mut parts = VecDeque::with_capacity(2 * ranges.len() + 1);
        for range in ranges {
            check(&file, range)?;
            let last = range.end.saturating_sub(1);
            parts.push_back(Part::Text(Bytes::from(format!(
                "\r\n--{boundary}\r\nContent-Type: {content_type}\r\n\
                 Content-Range: bytes {}-{last}/{size_bytes}\r\n\r\n",
                range.start
            ))));
            parts.push_back(Part::Range(range.clone()));
        }
        parts.push_back(Part::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
        let body = Self::of_parts(file, delivery, parts);
        let content_type = format!("multipart/byteranges; boundary={boundary}");
        Ok(MultipartBody { content_type, size_bytes: body.remaining_bytes, body })
    }

    /// How many bytes are still to come.
    pub fn remaining_bytes(&self) -> u64 {
        self.remaining_bytes
    }

    /// For `Response::replace_body`.
    pub fn into_res_body(self) -> ResBody {
        ResBody::Boxed(Box::pin(self))
    }

    fn of_parts(file: LocalFile, delivery: Delivery, parts: VecDeque<Part>) -> Self {
        let remaining_bytes = parts.iter().map(Part::bytes).sum();
        Self { file, delivery, parts, remaining_bytes, window: 0..0, fetching: None }
    }

    /// The beginning of a range that is in memory, in the form that suits the delivery, and where
    /// it ends.
    fn slice(&self, range: Range<u64>) -> (Bytes, u64) {
        match self.delivery {
            Delivery::Kernel => (self.file.slice(&range), range.end),
            Delivery::Memory => {
                let end = range.end.min(range.start.saturating_add(MEMORY_FRAME_BYTES));
                (self.file.slice_to_read(&(range.start..end)), end)
            }
        }
    }

    /// The end of what is in memory from `start` on, once it is.
    fn poll_window(
        &mut self,
        cx: &mut Context<'_>,
        start: u64,
        end: u64,
    ) -> Poll<Result<u64, TransferError>> {
        if let Some(fetching) = &mut self.fetching {
            let fetched = ready!(Pin::new(fetching).poll(cx));
            self.fetching = None;
            self.window = fetched.map_err(TransferError::from).flatten()?;
        }
        if self.window.contains(&start) {
            return Poll::Ready(Ok(self.window.end));
        }
        let window = start..end.min(start.saturating_add(WINDOW_BYTES));
        if self.file.residency(&window)? == Residency::Resident {
            self.window = window;
            return Poll::Ready(Ok(self.window.end));
        }
        self.fetching = Some(self.file.fetch(window, end));
        self.poll_window(cx, start, end)
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = BoxedError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxedError>>> {
        let this = &mut *self;
        let bytes = loop {
            match this.parts.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Text(text)) => break text,
                Some(Part::Range(range)) if range.is_empty() => {}
                Some(Part::Range(range)) => {
                    let polled = this.poll_window(cx, range.start, range.end);
                    let in_memory = match polled {
                        Poll::Ready(Ok(end)) => end,
                        Poll::Ready(Err(error)) => {
                            // Nothing more comes out of a body that failed.
                            this.parts.clear();
                            return Poll::Ready(Some(Err(error.into())));
                        }
                        Poll::Pending => {
                            this.parts.push_front(Part::Range(range));
                            return Poll::Pending;
                        }
                    };
                    let in_window = range.start..in_memory.min(range.end);
                    let (bytes, end) = this.slice(in_window);
                    this.parts.push_front(Part::Range(end..range.end));
                    break bytes;
                }
            }
        };
        this.remaining_bytes = this.remaining_bytes.saturating_sub(bytes.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining_bytes == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining_bytes)
    }
}

impl Part {
    fn bytes(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Range(range) => range.end.saturating_sub(range.start),
        }
    }
}

fn check(file: &LocalFile, range: &Range<u64>) -> Result<(), TransferError> {
    let size_bytes = file.size_bytes();
    if range.start <= range.end && range.end <= size_bytes {
        return Ok(());
    }
    let path = file.path().to_owned();
    Err(TransferError::RangeOutside { path, start: range.start, end: range.end, size_bytes })
}

#[cfg(test)]
mod tests;
