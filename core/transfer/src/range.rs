//! What a `Range` header asks of a file (RFC 9110, 14.1.2 and 14.2). Pure: preconditions such as
//! `If-Range` are the caller's.

use std::ops::Range;

/// How many ranges one request may ask for. Vagrant and curl ask for one; hundreds of tiny ones are
/// an old way to make a server work.
pub const RANGES_MAX: usize = 16;

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeRequest {
    /// Everything, with 200: no range was asked for, or none that must be honored.
    Whole,
    /// One part, with 206; the end is exclusive and the range is never empty.
    Single(Range<u64>),
    /// Two to [`RANGES_MAX`] parts, with 206, in the order asked for.
    Many(Vec<Range<u64>>),
    /// Nothing, with 416 and `Content-Range: bytes */size`.
    Unsatisfiable,
}

impl RangeRequest {
    /// Reads the header's value for a file of `size_bytes`.
    ///
    /// A header that is malformed or of another unit is ignored, as the RFC demands; so is one with
    /// too many ranges or with more bytes than the file has.
    pub fn parse(header: Option<&str>, size_bytes: u64) -> Self {
        let Some(specs) = header.and_then(byte_ranges) else { return Self::Whole };
        let mut ranges = Vec::new();
        for spec in specs.split(',') {
            let spec = spec.trim_matches([' ', '\t']);
            // An empty element of a list is skipped (RFC 9110, 5.6.1.2).
            if spec.is_empty() {
                continue;
            }
            match Spec::parse(spec) {
                None => return Self::Whole,
                Some(spec) => ranges.push(spec.resolve(size_bytes)),
            }
            if ranges.len() > RANGES_MAX {
                return Self::Whole;
            }
        }
        if ranges.is_empty() {
            return Self::Whole;
        }
        let mut ranges: Vec<_> = ranges.into_iter().flatten().collect();
        let asked_bytes = ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(length(range)));
        match ranges.len() {
            0 => Self::Unsatisfiable,
            1 => ranges.pop().map_or(Self::Unsatisfiable, |range| {
                // The last bytes of nothing are nothing, which 206 cannot say.
                if range.is_empty() { Self::Whole } else { Self::Single(range) }
            }),
            _ if asked_bytes > size_bytes || size_bytes == 0 => Self::Whole,
            _ => Self::Many(ranges),
        }
    }
}

/// One range as it was written.
enum Spec {
    From { first: u64, last: Option<u64> },
    Last { bytes: u64 },
}

impl Spec {
    fn parse(spec: &str) -> Option<Self> {
        let (first, last) = spec.split_once('-')?;
        if first.is_empty() {
            return Some(Self::Last { bytes: number(last)? });
        }
        let first = number(first)?;
        if last.is_empty() {
            return Some(Self::From { first, last: None });
        }
        let last = number(last)?;
        (first <= last).then_some(Self::From { first, last: Some(last) })
    }

    /// The bytes meant, or nothing when the file has none of them.
    fn resolve(&self, size_bytes: u64) -> Option<Range<u64>> {
        match *self {
            Self::From { first, .. } if first >= size_bytes => None,
            Self::From { first, last } => {
                let end = last.map_or(size_bytes, |last| last.saturating_add(1).min(size_bytes));
                Some(first..end)
            }
            Self::Last { bytes: 0 } => None,
            Self::Last { bytes } => Some(size_bytes.saturating_sub(bytes)..size_bytes),
        }
    }
}

/// What stands after `bytes=`.
fn byte_ranges(header: &str) -> Option<&str> {
    let (unit, specs) = header.split_once('=')?;
    unit.trim_matches([' ', '\t']).eq_ignore_ascii_case("bytes").then_some(specs)
}

/// Digits only; a number that is too large is as good as the largest one.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

#[cfg(test)]
mod tests;
