//! What the tests of several modules need.

/// Bytes that tell where they stand: neither a shift by a page nor by a window goes unseen.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index % 251 + (index >> 12)).to_le_bytes()[0]).collect()
}
