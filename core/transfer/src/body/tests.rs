//! Bodies against the bytes of the file, whole, in ranges, cold and cut short.

use std::{future::poll_fn, io::Write as _};

use tempfile::NamedTempFile;

use super::*;
use crate::{LocalFiles, testing::pattern};

fn part(bytes: &[u8], range: &Range<u64>) -> Vec<u8> {
    let inside = |offset: u64| usize::try_from(offset).unwrap();
    bytes[inside(range.start)..inside(range.end)].to_vec()
}

fn file_of(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

async fn open(file: &NamedTempFile) -> LocalFile {
    LocalFiles::new().open(file.path()).await.unwrap()
}

async fn next(body: &mut FileBody) -> Option<Result<Bytes, BoxedError>> {
    let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
    Some(frame.map(|frame| frame.into_data().unwrap()))
}

async fn collect(mut body: FileBody) -> Vec<u8> {
    let promised = body.size_hint().exact().unwrap();
    let mut all = Vec::new();
    while let Some(frame) = next(&mut body).await {
        let frame = frame.unwrap();
        assert!(!frame.is_empty());
        all.extend_from_slice(&frame);
        assert_eq!(body.remaining_bytes(), promised - all.len() as u64);
    }
    assert!(body.is_end_stream());
    assert_eq!(all.len() as u64, promised);
    all
}

#[tokio::test]
async fn the_whole_file_and_every_kind_of_range_come_out_unchanged() {
    let bytes = pattern(9_500_000);
    let file = open(&file_of(&bytes)).await;
    for delivery in [Delivery::Kernel, Delivery::Memory] {
        assert_eq!(collect(FileBody::whole(file.clone(), delivery)).await, bytes);
        for range in [0..1, 0..9_500_000, 9_499_999..9_500_000, 4_194_303..4_194_305, 77..77] {
            let body = FileBody::range(file.clone(), delivery, range.clone()).unwrap();
            let expected = part(&bytes, &range);
            assert_eq!(collect(body).await, expected);
        }
    }
}

#[tokio::test]
async fn an_empty_file_is_an_empty_body() {
    let file = open(&file_of(b"")).await;
    assert_eq!(file.size_bytes(), 0);
    assert!(collect(FileBody::whole(file, Delivery::Kernel)).await.is_empty());
}

#[tokio::test]
async fn a_range_outside_the_file_is_an_error() {
    let file = open(&file_of(&pattern(100))).await;
    for range in [0..101, 101..101, 50..u64::MAX] {
        let refused = FileBody::range(file.clone(), Delivery::Kernel, range);
        assert!(matches!(refused, Err(TransferError::RangeOutside { size_bytes: 100, .. })));
    }
}

#[tokio::test]
async fn several_ranges_make_a_multipart_body_of_the_promised_length() {
    let bytes = pattern(10_000_000);
    let file = open(&file_of(&bytes)).await;
    // The second part begins where nothing has been asked for in memory yet.
    let ranges = [9_000_000..9_000_005, 0..3];
    let multipart =
        FileBody::multipart(file, Delivery::Kernel, &ranges, "application/x", "b0undary").unwrap();
    assert_eq!(multipart.content_type, "multipart/byteranges; boundary=b0undary");
    let promised = multipart.size_bytes;
    let all = collect(multipart.body).await;
    assert_eq!(all.len() as u64, promised);
    let mut expected = Vec::new();
    for (range, text) in ranges.iter().zip(["9000000-9000004", "0-2"]) {
        expected.extend_from_slice(b"\r\n--b0undary\r\nContent-Type: application/x\r\n");
        expected
            .extend_from_slice(format!("Content-Range: bytes {text}/10000000\r\n\r\n").as_bytes());
        expected.extend_from_slice(&part(&bytes, range));
    }
    expected.extend_from_slice(b"\r\n--b0undary--\r\n");
    assert_eq!(all, expected);
}

#[tokio::test]
async fn a_file_that_is_not_in_memory_is_read_first() {
    let bytes = pattern(9_000_000);
    let file = file_of(&bytes);
    file.as_file().sync_all().unwrap();
    // dd's `nocache` with no blocks drops the file from the page cache, where that is possible.
    let dropped = std::process::Command::new("dd")
        .arg(format!("if={}", file.path().display()))
        .args(["iflag=nocache", "count=0", "status=none"])
        .status();
    assert!(dropped.unwrap().success());
    let opened = open(&file).await;
    assert_eq!(collect(FileBody::whole(opened.clone(), Delivery::Kernel)).await, bytes);
    let fetched = opened.fetch(10..9_000_000, 9_000_000).await.unwrap().unwrap();
    assert_eq!(fetched, 10..9_000_000);
}

#[tokio::test]
async fn a_file_that_was_cut_fails_the_body_instead_of_the_process() {
    let file = file_of(&pattern(9_000_000));
    let opened = open(&file).await;
    let mut body = FileBody::whole(opened.clone(), Delivery::Memory);
    let first = next(&mut body).await.unwrap().unwrap();
    assert_eq!(first.len() as u64, MEMORY_FRAME_BYTES);
    file.as_file().set_len(100).unwrap();
    let mut body = FileBody::whole(opened.clone(), Delivery::Kernel);
    let failed = next(&mut body).await.unwrap().unwrap_err();
    assert!(failed.to_string().contains("was cut short"), "{failed}");
    assert!(next(&mut body).await.is_none());
    let failed = opened.fetch(0..9_000_000, 9_000_000).await.unwrap();
    assert!(matches!(failed, Err(TransferError::Truncated { .. })));
}
