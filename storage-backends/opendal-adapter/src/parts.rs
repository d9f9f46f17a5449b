//! How large the parts of an object are, for services that take objects in parts.

/// For how long an object is taken whose length nobody declared: longer than what a server takes by default.
const UNDECLARED_BYTES: u64 = 256 << 30;

/// The parts of a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The size of a part, while more of them need not be larger.
    pub bytes: usize,
    /// The most parts that the service takes for one object.
    pub count_max: u64,
    /// How many are sent at once. As many are in memory, and two more: the one that is being filled, and one that
    /// waits, since an object of a single part is sent in another way.
    pub concurrent: usize,
}

impl Parts {
    /// The size of a part of an object of this length.
    pub fn bytes(&self, size_hint: Option<u64>) -> usize {
        let needed = size_hint.unwrap_or(UNDECLARED_BYTES).div_ceil(self.count_max);
        self.bytes.max(usize::try_from(needed).unwrap_or(usize::MAX))
    }

    /// The longest object of parts of this size.
    pub fn object_bytes_max(&self, part_bytes: usize) -> u64 {
        self.count_max.saturating_mul(part_bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: Parts = Parts { bytes: 8 << 20, count_max: 10_000, concurrent: 2 };

    #[test]
    fn parts_grow_with_the_declared_length_so_that_their_number_suffices() {
        assert_eq!(PARTS.bytes(Some(0)), 8 << 20);
        assert_eq!(PARTS.bytes(Some(10_000 * (8 << 20))), 8 << 20);
        for size in [10_000 * (8 << 20) + 1, 200 << 30, 5 << 40] {
            let bytes = PARTS.bytes(Some(size));
            assert!(bytes > 8 << 20 && PARTS.object_bytes_max(bytes) >= size, "{size}: {bytes}");
            assert!(PARTS.object_bytes_max(bytes - 1) < size, "{size}: no larger than needed");
        }
    }

    #[test]
    fn an_object_of_unknown_length_may_become_long() {
        let bytes = PARTS.bytes(None);
        assert!(PARTS.object_bytes_max(bytes) >= UNDECLARED_BYTES);
        assert!(bytes < 32 << 20);
    }
}
