//! Small chunks made into larger ones before a writer to which each call has a price.

use bytes::{Bytes, BytesMut};

/// Joins small chunks. A chunk that is large by itself goes through without a copy.
#[derive(Debug)]
pub struct Coalesce {
    target_bytes: usize,
    joined: BytesMut,
}

impl Coalesce {
    /// Chunks that come out have at least `target_bytes`, except the last one.
    pub fn new(target_bytes: usize) -> Self {
        Self { target_bytes, joined: BytesMut::new() }
    }

    /// Takes a chunk; returns one when there is enough for it.
    pub fn push(&mut self, chunk: Bytes) -> Option<Bytes> {
        if self.joined.is_empty() && chunk.len() >= self.target_bytes {
            return Some(chunk);
        }
        self.joined.extend_from_slice(&chunk);
        (self.joined.len() >= self.target_bytes).then(|| self.joined.split().freeze())
    }

    /// What is left at the end.
    pub fn finish(self) -> Option<Bytes> {
        (!self.joined.is_empty()).then(|| self.joined.freeze())
    }
}
