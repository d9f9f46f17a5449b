//! Digests against known answers, the archive beside them, and giving up half way.

use std::io::Write as _;

use super::*;
use crate::{share::PIECE_BYTES_MAX, testing::pattern};

const SIZE: usize = 3_000_001;

fn content() -> Vec<u8> {
    pattern(SIZE)
}

async fn take(options: &IntakeOptions, bytes: &[u8], piece: usize) -> IntakeReport {
    let mut intake = Intake::start(options).unwrap();
    for piece in bytes.chunks(piece) {
        intake.push(Bytes::copy_from_slice(piece)).await;
    }
    assert_eq!(intake.size_bytes(), bytes.len() as u64);
    intake.finish().await.unwrap()
}

/// A gzip archive with `metadata.json` behind a file.
fn a_box() -> Vec<u8> {
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, content) in
        [("box.img", content().as_slice()), ("metadata.json", br#"{"provider":"libvirt"}"#)]
    {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, content).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[tokio::test]
async fn the_digests_do_not_depend_on_the_pieces() {
    let bytes = content();
    let whole = take(&IntakeOptions::default(), &bytes, SIZE).await;
    for piece in [999, PIECE_BYTES_MAX, 700_000] {
        let pieces = take(&IntakeOptions::default(), &bytes, piece).await;
        assert_eq!(pieces.digests, whole.digests);
        assert_eq!(pieces.size_bytes, SIZE as u64);
        assert!(pieces.archive.is_none());
    }
}

#[tokio::test]
async fn every_algorithm_gives_its_known_answer() {
    // RFC 1321, FIPS 180-4: the digests of "abc".
    for (name, expected) in [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "sha384",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            "sha512",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ] {
        let options = IntakeOptions { declared: name.parse().ok(), archive: None };
        let report = take(&options, b"abc", 1).await;
        assert_eq!(report.digests.declared.as_deref(), Some(expected));
        assert!(report.digests.sha256_hex().starts_with("ba7816bf"));
    }
    assert!("sha-256".parse::<DigestAlgorithm>().is_err());
}

#[tokio::test]
async fn nothing_has_a_digest_too() {
    let report = take(&IntakeOptions::default(), b"", 1).await;
    assert_eq!(report.size_bytes, 0);
    assert!(report.digests.sha256_hex().starts_with("e3b0c442"));
}

#[tokio::test]
async fn a_box_is_recognized_beside_its_digest() {
    let (options, bytes) =
        (IntakeOptions { declared: None, archive: Some(ArchiveLimits::default()) }, a_box());
    let plain = take(&IntakeOptions::default(), &bytes, 5000).await;
    let report = take(&options, &bytes, 5000).await;
    assert_eq!(report.digests, plain.digests);
    assert_eq!(report.archive.unwrap().unwrap().provider, "libvirt");
}

#[tokio::test]
async fn a_refusal_is_known_before_the_end() {
    let options = IntakeOptions { declared: None, archive: Some(ArchiveLimits::default()) };
    let mut intake = Intake::start(&options).unwrap();
    let page = Bytes::from_static(b"<!doctype html><html>");
    intake.push(page).await;
    while intake.refusal().is_none() {
        intake.push(Bytes::from(vec![b' '; PIECE_BYTES_MAX])).await;
    }
    assert!(intake.refusal().unwrap().to_string().contains("HTML"));
    // what comes after that is still counted and hashed
    intake.push(Bytes::from(vec![b' '; PIECE_BYTES_MAX])).await;
    let size = intake.size_bytes();
    let report = intake.finish().await.unwrap();
    assert!(report.archive.unwrap().is_err());
    assert_eq!(report.size_bytes, size);
}

#[tokio::test]
async fn a_push_that_is_given_up_has_taken_its_chunk() {
    let bytes = content();
    let mut intake = Intake::start(&IntakeOptions::default()).unwrap();
    for piece in bytes.chunks(PIECE_BYTES_MAX) {
        let mut push = Box::pin(intake.push(Bytes::copy_from_slice(piece)));
        // Polled once and dropped, whether it was done or not.
        let _first_poll = futures_util::poll!(push.as_mut());
        drop(push);
    }
    let report = intake.finish().await.unwrap();
    let whole = take(&IntakeOptions::default(), &bytes, SIZE).await;
    assert_eq!(report.digests, whole.digests);
}

#[test]
fn a_dropped_intake_lets_the_runtime_end() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut intake = Intake::start(&IntakeOptions::default()).unwrap();
        intake.push(Bytes::from(vec![0; 4 * PIECE_BYTES_MAX])).await;
        drop(intake);
    });
    // Returns only when no work is left.
    drop(runtime);
    std::io::sink().flush().unwrap();
}
