//! Small chunks made into larger ones before a writer to which each call has a price.

use std::mem;

use bytes::{Bytes, BytesMut};

/// A chunk of this size goes through as it is, whatever the target: handing it over costs no more
/// than copying it. A client at full speed sends chunks of 64 to 400 KiB.
const LARGE_BYTES: usize = 128 << 10;

/// The largest target. A store keeps a few chunks waiting for each upload, so that this counts
/// several times: 64 uploads at once took 200 MiB with 1 MiB, and 126 MiB with 256 KiB.
const TARGET_BYTES_MAX: usize = 128 << 10;

/// Joins small chunks. A chunk that is large by itself is never copied.
#[derive(Debug)]
pub struct Coalesce {
    target_bytes: usize,
    waiting: Waiting,
}

/// What has come and has not gone out.
#[derive(Debug)]
enum Waiting {
    Nothing,
    /// Small ones, copied.
    Joined(BytesMut),
    /// A large one that came while small ones waited, which go before it.
    Large(Bytes),
}

impl Coalesce {
    /// Small chunks are joined up to `target_bytes`, of which more than 128 KiB are not taken.
    pub fn new(target_bytes: usize) -> Self {
        Self { target_bytes: target_bytes.min(TARGET_BYTES_MAX), waiting: Waiting::Nothing }
    }

    /// Takes a chunk; returns what is to be written now, if anything. Holds at most the target, or
    /// one large chunk.
    pub fn push(&mut self, chunk: Bytes) -> Option<Bytes> {
        let is_large = chunk.len() >= self.target_bytes.min(LARGE_BYTES);
        if let Waiting::Joined(joined) = &mut self.waiting
            && !is_large
            && joined.len() + chunk.len() <= self.target_bytes
        {
            joined.extend_from_slice(&chunk);
            return None;
        }
        let waited = mem::replace(&mut self.waiting, Waiting::Nothing).into_bytes();
        if !is_large {
            // All of it at once: growing by doubling would end at twice the target.
            let mut joined = BytesMut::with_capacity(self.target_bytes);
            joined.extend_from_slice(&chunk);
            self.waiting = Waiting::Joined(joined);
            return waited;
        }
        if waited.is_none() {
            return Some(chunk);
        }
        self.waiting = Waiting::Large(chunk);
        waited
    }

    /// What is left at the end.
    pub fn finish(self) -> Option<Bytes> {
        self.waiting.into_bytes()
    }
}

impl Waiting {
    fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Nothing => None,
            Self::Joined(joined) => (!joined.is_empty()).then(|| joined.freeze()),
            Self::Large(chunk) => Some(chunk),
        }
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
    fn a_large_chunk_is_not_copied_whatever_came_before_it() {
        for (target_bytes, chunk_bytes) in [(16, 64), (1 << 20, LARGE_BYTES)] {
            let large = Bytes::from(vec![1; chunk_bytes]);
            let small = Bytes::from_static(b"12345");
            let mut coalesce = Coalesce::new(target_bytes);
            assert_eq!(coalesce.push(large.clone()).unwrap().as_ptr(), large.as_ptr());
            assert!(coalesce.push(small.clone()).is_none());
            assert_eq!(coalesce.push(large.clone()).unwrap(), small);
            assert_eq!(coalesce.push(large.clone()).unwrap().as_ptr(), large.as_ptr());
            assert_eq!(coalesce.finish().unwrap().as_ptr(), large.as_ptr());
        }
    }
}
