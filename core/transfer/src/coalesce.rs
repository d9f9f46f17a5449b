//! Small chunks made into larger ones before a writer to which each call has a price.

use std::mem;

use bytes::{Bytes, BytesMut};

/// A chunk of this size goes through as it is, whatever the target: handing it over costs less than
/// copying it. A client at full speed sends chunks of 64 to 400 KiB, so nothing is copied then.
const LARGE_BYTES: usize = 64 << 10;

/// Joins small chunks. A chunk that is large by itself goes through without a copy.
#[derive(Debug)]
pub struct Coalesce {
    target_bytes: usize,
    joined: BytesMut,
}

impl Coalesce {
    /// Small chunks are joined until there are `target_bytes` of them.
    pub fn new(target_bytes: usize) -> Self {
        Self { target_bytes, joined: BytesMut::new() }
    }

    /// Takes a chunk; returns one when there is enough for it. Holds the target at most, or one
    /// chunk that is larger.
    pub fn push(&mut self, chunk: Bytes) -> Option<Bytes> {
        if self.joined.is_empty() && chunk.len() >= self.target_bytes.min(LARGE_BYTES) {
            return Some(chunk);
        }
        let is_full = self.joined.len() + chunk.len() > self.target_bytes;
        let full = (is_full && !self.joined.is_empty()).then(|| mem::take(&mut self.joined));
        if self.joined.is_empty() {
            // All of it at once: growing by doubling would end at twice the target.
            self.joined = BytesMut::with_capacity(self.target_bytes.max(chunk.len()));
        }
        self.joined.extend_from_slice(&chunk);
        full.map(BytesMut::freeze)
    }

    /// What is left at the end.
    pub fn finish(self) -> Option<Bytes> {
        (!self.joined.is_empty()).then(|| self.joined.freeze())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::pattern;

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_two_would_fit_together(
            sizes in prop::collection::vec(0_usize..40, 0..60),
        ) {
            let all = pattern(sizes.iter().sum());
            let (mut coalesce, mut out, mut rest) = (Coalesce::new(16), Vec::new(), &all[..]);
            for size in sizes {
                let (chunk, after) = rest.split_at(size);
                rest = after;
                out.extend(coalesce.push(Bytes::copy_from_slice(chunk)));
            }
            for pair in out.windows(2) {
                prop_assert!(pair[0].len() + pair[1].len() > 16);
            }
            out.extend(coalesce.finish());
            prop_assert_eq!(out.concat(), all);
        }
    }

    #[test]
    fn a_large_chunk_is_not_copied() {
        for (target_bytes, chunk_bytes) in [(16, 64), (1 << 20, LARGE_BYTES)] {
            let chunk = Bytes::from(vec![1; chunk_bytes]);
            let passed = Coalesce::new(target_bytes).push(chunk.clone()).unwrap();
            assert_eq!(passed.as_ptr(), chunk.as_ptr());
        }
    }
}
