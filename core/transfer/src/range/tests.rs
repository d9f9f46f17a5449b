//! The grammar by examples from the RFC, and the promises by random headers.

use proptest::prelude::*;

use super::*;

#[expect(clippy::single_range_in_vec_init, reason = "one range is what is meant")]
fn ranges(header: &str, size_bytes: u64) -> Vec<Range<u64>> {
    match RangeRequest::parse(Some(header), size_bytes) {
        RangeRequest::Single(range) => vec![range],
        RangeRequest::Many(ranges) => ranges,
        RangeRequest::Whole => vec![0..size_bytes],
        RangeRequest::Unsatisfiable => Vec::new(),
    }
}

#[test]
fn the_forms_of_one_range_are_understood() {
    for (header, expected) in [
        ("bytes=0-499", 0..500),
        ("bytes=500-999", 500..1000),
        ("bytes=-500", 9500..10_000),
        ("bytes=9500-", 9500..10_000),
        ("bytes=0-0", 0..1),
        ("bytes=9999-9999", 9999..10_000),
        ("bytes=9999-20000", 9999..10_000),
        ("bytes=-20000", 0..10_000),
        ("Bytes = 0-1", 0..2),
        ("bytes= 0-1 ", 0..2),
        ("bytes=,0-1,", 0..2),
        ("bytes=0-99999999999999999999999999", 0..10_000),
    ] {
        let parsed = RangeRequest::parse(Some(header), 10_000);
        assert_eq!(parsed, RangeRequest::Single(expected), "{header}");
    }
}

#[test]
fn what_is_malformed_or_of_another_unit_is_ignored() {
    for header in [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=1--2",
        "bytes=-",
        "bytes=+1-2",
        "bytes=1-2x",
        "bytes=0x1-2",
        "items=0-1",
        "bytes=0-1,a",
        "0-1",
        "bytes=1",
        "bytes=0-1;2-3",
        "bytes=\u{0661}-2",
    ] {
        let parsed = RangeRequest::parse(Some(header), 10_000);
        assert_eq!(parsed, RangeRequest::Whole, "{header}");
    }
    assert_eq!(RangeRequest::parse(None, 10_000), RangeRequest::Whole);
}

#[test]
fn a_range_beyond_the_end_is_unsatisfiable() {
    for header in ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=20000-,30000-40000"] {
        let parsed = RangeRequest::parse(Some(header), 10_000);
        assert_eq!(parsed, RangeRequest::Unsatisfiable, "{header}");
    }
    assert_eq!(RangeRequest::parse(Some("bytes=0-"), 0), RangeRequest::Unsatisfiable);
}

#[test]
fn the_last_bytes_of_an_empty_file_are_the_whole_file() {
    assert_eq!(RangeRequest::parse(Some("bytes=-5"), 0), RangeRequest::Whole);
    assert_eq!(RangeRequest::parse(Some("bytes=-5,-6"), 0), RangeRequest::Whole);
}

#[test]
fn several_ranges_keep_their_order_and_lose_those_beyond_the_end() {
    assert_eq!(ranges("bytes=500-600,0-0,-1", 1000), [500..601, 0..1, 999..1000]);
    let one_is_left = RangeRequest::parse(Some("bytes=500-600, 2000-"), 1000);
    assert_eq!(one_is_left, RangeRequest::Single(500..601));
}

#[test]
fn too_many_ranges_or_more_bytes_than_there_are_give_the_whole_file() {
    let many = vec!["0-0"; RANGES_MAX + 1].join(",");
    assert_eq!(RangeRequest::parse(Some(&format!("bytes={many}")), 1000), RangeRequest::Whole);
    assert_eq!(RangeRequest::parse(Some("bytes=0-,0-,0-"), 1000), RangeRequest::Whole);
    let most = vec!["0-0"; RANGES_MAX].join(",");
    assert_eq!(ranges(&format!("bytes={most}"), 1000).len(), RANGES_MAX);
}

fn spec() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u64..2000, 0_u64..2000).prop_map(|(first, last)| format!("{first}-{last}")),
        (0_u64..2000).prop_map(|first| format!("{first}-")),
        (0_u64..2000).prop_map(|bytes| format!("-{bytes}")),
        any::<(u64, u64)>().prop_map(|(first, last)| format!("{first}-{last}")),
        "[0-9 ,=-]{0,8}",
    ]
}

proptest! {
    /// Whatever is asked, what is sent lies inside the file and is bounded.
    #[test]
    fn every_answer_lies_inside_the_file(
        specs in prop::collection::vec(spec(), 0..20),
        size_bytes in prop_oneof![0_u64..1500, any::<u64>()],
    ) {
        let header = format!("bytes={}", specs.join(","));
        match RangeRequest::parse(Some(&header), size_bytes) {
            RangeRequest::Whole | RangeRequest::Unsatisfiable => {}
            RangeRequest::Single(range) => {
                prop_assert!(range.start < range.end && range.end <= size_bytes);
            }
            RangeRequest::Many(ranges) => {
                prop_assert!((2..=RANGES_MAX).contains(&ranges.len()));
                let mut sum = 0_u64;
                for range in ranges {
                    prop_assert!(range.start < range.end && range.end <= size_bytes);
                    sum += range.end - range.start;
                }
                prop_assert!(sum <= size_bytes);
            }
        }
    }

    /// Against the definition: byte `index` is sent exactly when it was asked for.
    #[test]
    fn one_range_sends_exactly_the_bytes_asked_for(
        first in 0_u64..60, last in prop::option::of(0_u64..60), size_bytes in 1_u64..50,
    ) {
        let header = format!("bytes={first}-{}", last.map(|it| it.to_string()).unwrap_or_default());
        let malformed = last.is_some_and(|last| last < first);
        let asked = |index: u64| first <= index && last.is_none_or(|last| index <= last);
        let sent = ranges(&header, size_bytes);
        for index in 0..size_bytes {
            let is_sent = sent.iter().any(|range| range.contains(&index));
            prop_assert_eq!(is_sent, malformed || asked(index));
        }
    }

    /// No header makes the parser panic.
    #[test]
    fn any_text_is_answered(header in ".{0,64}", size_bytes: u64) {
        let _answer = RangeRequest::parse(Some(&header), size_bytes);
        let _answer = RangeRequest::parse(Some(&format!("bytes={header}")), size_bytes);
    }
}
