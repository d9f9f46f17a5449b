//! How much one upload has on its way, by how many there are.
//!
//! Large pieces are cheap and small ones save memory: an upload of 1 GiB took 1.64 s of processor time in pieces of
//! 128 KiB, and 1.42 s in pieces of 512 KiB; with 512 KiB, 64 uploads at once held up to 128 MiB. So all of them share one sum.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What the pieces of all uploads sum up to. Each piece counts several times: it is read while the one before it is
/// hashed, and the one before that is written.
const TOGETHER_BYTES: usize = 16 << 20;

/// The largest piece, and so what a connection should read at once. Larger ones were no faster.
pub const PIECE_BYTES_MAX: usize = 512 << 10;

/// The smallest one, however many uploads there are.
const PIECE_BYTES_MIN: usize = 128 << 10;

static UPLOADS: AtomicUsize = AtomicUsize::new(0);

/// An upload that takes its share until it is dropped.
#[derive(Debug)]
pub(crate) struct Share(());

impl Share {
    pub(crate) fn take() -> Self {
        UPLOADS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        UPLOADS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How large the pieces of an upload are to be now.
pub(crate) fn piece_bytes() -> usize {
    piece_bytes_of(UPLOADS.load(Ordering::Relaxed))
}

fn piece_bytes_of(uploads: usize) -> usize {
    (TOGETHER_BYTES / uploads.max(1)).clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_uploads_have_large_pieces_and_many_have_small_ones() {
        let sizes = [0, 1, 32, 64, 128, 10_000].map(|uploads| piece_bytes_of(uploads) >> 10);
        assert_eq!(sizes, [512, 512, 512, 256, 128, 128]);
    }
}
