//! Real archives by tar and bsdtar where they are installed, built ones for the rest, cut and
//! damaged at every point.

use std::{
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Command, Stdio},
};

use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

const METADATA: &str = r#"{"provider":"libvirt","format":"qcow2","architecture":"arm64"}"#;

fn inspect(bytes: &[u8]) -> Result<BoxArchive, ArchiveRefusal> {
    inspect_within(&ArchiveLimits::default(), bytes, 64 << 10)
}

fn inspect_within(
    limits: &ArchiveLimits,
    bytes: &[u8],
    piece: usize,
) -> Result<BoxArchive, ArchiveRefusal> {
    let mut inspector = BoxInspector::new(limits);
    for piece in bytes.chunks(piece) {
        inspector.feed(piece);
    }
    inspector.finish()
}

/// An archive with these files, in GNU format.
fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn each_compression(bytes: &[u8]) -> [(Compression, Vec<u8>); 4] {
    [
        (Compression::None, bytes.to_vec()),
        (Compression::Gzip, gzip(bytes)),
        (Compression::Xz, xz(bytes)),
        (Compression::Zstd, zstd(bytes)),
    ]
}

/// Bytes that no compressor makes small.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..bytes).map(|_| next()).collect()
}

fn is_ours(found: &BoxArchive) {
    assert_eq!(found.provider, "libvirt");
    assert_eq!(found.architecture.as_deref(), Some("arm64"));
    assert_eq!(found.metadata["format"], "qcow2");
}

#[test]
fn metadata_is_found_before_and_after_the_disk_in_every_compression() {
    let disk = noise(300_000);
    let first = tar_of(&[("metadata.json", METADATA.as_bytes()), ("box.img", &disk)]);
    let last = tar_of(&[("./box.img", &disk), ("./metadata.json", METADATA.as_bytes())]);
    for archive in [first, last] {
        for (compression, bytes) in each_compression(&archive) {
            for piece in [1, 7, 512, 100_000, usize::MAX] {
                let found = inspect_within(&ArchiveLimits::default(), &bytes, piece).unwrap();
                assert_eq!(found.compression, compression);
                is_ours(&found);
            }
        }
    }
}

#[test]
fn the_inspector_stops_as_soon_as_it_has_found_the_metadata() {
    let archive = tar_of(&[("metadata.json", METADATA.as_bytes()), ("box.img", &noise(600_000))]);
    for (_, bytes) in each_compression(&archive) {
        let mut inspector = BoxInspector::new(&ArchiveLimits::default());
        let (beginning, _) = bytes.split_at(bytes.len() / 2);
        inspector.feed(beginning);
        assert!(!inspector.wants_more());
        inspector.feed(b"this is not read any more");
        is_ours(&inspector.finish().unwrap());
    }
}

#[test]
fn several_gzip_members_xz_streams_and_zstd_frames_are_one_archive() {
    let archive = tar_of(&[("a", &noise(9000)), ("metadata.json", METADATA.as_bytes())]);
    let (head, tail) = archive.split_at(5000);
    for compress in [gzip, xz, zstd] {
        let bytes = [compress(head), compress(tail)].concat();
        is_ours(&inspect(&bytes).unwrap());
    }
}

#[test]
fn an_archive_without_metadata_at_its_top_is_refused() {
    let nested = tar_of(&[("sub/metadata.json", METADATA.as_bytes()), ("a", b"x")]);
    let other = tar_of(&[("metadata.json.bak", METADATA.as_bytes())]);
    for archive in [nested, other] {
        for (_, bytes) in each_compression(&archive) {
            assert_eq!(inspect(&bytes), Err(ArchiveRefusal::NoMetadata));
        }
    }
}

#[test]
fn metadata_must_be_json_with_a_provider() {
    let with = |json: &str| inspect(&gzip(&tar_of(&[("metadata.json", json.as_bytes())])));
    let problem = |json: &str| match with(json) {
        Err(ArchiveRefusal::MetadataInvalid { problem }) => problem,
        other => panic!("{other:?}"),
    };
    assert!(problem("{\n \"provider\": }").contains("line 2"));
    assert!(problem("").contains("line 1"));
    assert!(problem("[]").contains("object"));
    assert!(problem(r#"{"provider": 1}"#).contains("string"));
    assert!(problem(r#"{"provider": "x", "architecture": []}"#).contains("string"));
    for json in ["{}", r#"{"provider": null}"#, r#"{"provider": " "}"#] {
        assert_eq!(with(json), Err(ArchiveRefusal::MetadataWithoutProvider));
    }
    assert_eq!(with(r#"{"provider": "x"}"#).unwrap().architecture, None);
}

#[test]
fn other_files_are_named_in_the_refusal() {
    let iso = [vec![0; 32_769], b"CD001".to_vec(), vec![0; 100]].concat();
    let cases: [(&[u8], &str); 9] = [
        (b"", "empty file"),
        (b"  <!DOCTYPE html><html>", "HTML"),
        (b"PK\x03\x04rest", "zip"),
        (b"{\"a\":1}", "JSON"),
        (b"QFI\xfb\0\0\0\x03", "qcow2"),
        (b"BZh91AY&SY", "bzip2"),
        (&iso, "ISO"),
        (b"hello", "unknown"),
        (&noise(100_000), "unknown"),
    ];
    for (bytes, expected) in cases {
        for piece in [1, 1000, usize::MAX] {
            match inspect_within(&ArchiveLimits::default(), bytes, piece) {
                Err(ArchiveRefusal::NotAnArchive { looks_like }) => {
                    assert!(looks_like.contains(expected), "{looks_like} / {expected}");
                }
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_compressed_file_that_is_no_tar_is_refused() {
    for compress in [gzip, xz, zstd] {
        match inspect(&compress(&noise(5000))) {
            Err(ArchiveRefusal::NotAnArchive { looks_like }) => {
                assert!(looks_like.contains("without a tar"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn limits_refuse_bombs_large_metadata_and_hungry_decoders() {
    let over = |limits: &ArchiveLimits, bytes: &[u8]| match inspect_within(limits, bytes, 4096) {
        Err(ArchiveRefusal::OverLimit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    let small = |change: fn(&mut ArchiveLimits)| {
        let mut limits = ArchiveLimits::default();
        change(&mut limits);
        limits
    };
    let zeros = vec![0; 4 << 20];
    let bomb = tar_of(&[("zeros", &zeros), ("metadata.json", METADATA.as_bytes())]);
    for (_, bytes) in each_compression(&bomb) {
        let limits = small(|it| it.decompressed_bytes_max = 1 << 20);
        assert_eq!(over(&limits, &bytes), "decompressed bytes");
    }
    let limits = small(|it| it.metadata_bytes_max = 10);
    let archive = tar_of(&[("metadata.json", METADATA.as_bytes())]);
    assert_eq!(over(&limits, &archive), "bytes of metadata.json");
    let limits = small(|it| it.entries_max = 1);
    let archive = tar_of(&[("a", b""), ("metadata.json", METADATA.as_bytes())]);
    assert_eq!(over(&limits, &archive), "entries before metadata.json");
    let limits = small(|it| it.decoder_memory_bytes_max = 64 << 10);
    assert_eq!(over(&limits, &xz(&bomb)), "memory for xz, in bytes");
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&noise(2 << 20)).unwrap();
    assert_eq!(over(&limits, &encoder.finish().unwrap()), "memory for zstd, in bytes");
}

#[test]
fn metadata_that_is_a_link_is_refused() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    archive.append_link(&mut header, "metadata.json", "/etc/passwd").unwrap();
    let refusal = inspect(&archive.into_inner().unwrap()).unwrap_err();
    assert!(refusal.to_string().contains("regular file"), "{refusal}");
}

/// Runs a program in `folder` and returns what it printed, or nothing where it is not installed.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    assert!(output.status.success(), "{program} {arguments:?}");
    Some(output.stdout)
}

#[test]
fn archives_of_the_common_programs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(path).unwrap().write_all(bytes).unwrap();
    };
    let long_folder = "d".repeat(120);
    write(&format!("{long_folder}/{}", "f".repeat(200)), &noise(3000));
    write("Vagrantfile", b"Vagrant.configure('2') {}");
    write("box.img", &noise(70_000));
    write("z/metadata.json", br#"{"provider":"wrong"}"#);
    write("metadata.json", METADATA.as_bytes());
    // A sparse file with enough holes that the map of old GNU archives needs further blocks.
    let sparse = std::fs::File::create(folder.path().join("sparse.img")).unwrap();
    for hole in 0..40_u64 {
        sparse.write_all_at(&noise(4096), hole * (1 << 16)).unwrap();
    }
    sparse.set_len(4 << 20).unwrap();
    let names = [long_folder.as_str(), "sparse.img", "z", "box.img", "metadata.json"];
    let programs: [(&str, &[&str]); 10] = [
        ("tar", &["--format=gnu", "-cf", "-"]),
        ("tar", &["--format=posix", "-cf", "-"]),
        ("tar", &["--format=oldgnu", "--sparse", "-cf", "-"]),
        ("tar", &["--format=posix", "--sparse", "-czf", "-"]),
        ("tar", &["--format=gnu", "--sparse", "-cf", "-"]),
        ("tar", &["--format=gnu", "-cJf", "-"]),
        ("bsdtar", &["--format=pax", "-cf", "-"]),
        ("bsdtar", &["--format=gnutar", "-czf", "-"]),
        ("bsdtar", &["--format=gnutar", "-c", "--zstd", "-f", "-"]),
        ("bsdtar", &["--format=pax", "-cJf", "-"]),
    ];
    let mut ran = 0;
    for (program, arguments) in programs {
        for last in [&names[..], &["."]] {
            let arguments = [arguments, last].concat();
            let Some(archive) = run(folder.path(), program, &arguments) else { continue };
            is_ours(
                &inspect(&archive).unwrap_or_else(|it| panic!("{program} {arguments:?}: {it}")),
            );
            ran += 1;
        }
    }
    println!("{ran} archives by tar and bsdtar");
    assert!(ran > 0, "no tar is installed");
}

/// What a prefix of a good archive may be called.
fn is_honest(answer: &Result<BoxArchive, ArchiveRefusal>) -> bool {
    match answer {
        Ok(found) => found.provider == "libvirt",
        Err(refusal) => matches!(
            refusal,
            ArchiveRefusal::Truncated
                | ArchiveRefusal::NoMetadata
                | ArchiveRefusal::NotAnArchive { .. }
        ),
    }
}

#[test]
fn an_archive_cut_anywhere_is_called_truncated() {
    let files: [(&str, &[u8]); 2] =
        [("box.img", &noise(3000)), ("metadata.json", METADATA.as_bytes())];
    let archive = tar_of(&files);
    for (compression, bytes) in each_compression(&archive) {
        for cut in 0..bytes.len() {
            let (beginning, _) = bytes.split_at(cut);
            let answer = inspect(beginning);
            assert!(is_honest(&answer), "{compression} cut at {cut}: {answer:?}");
            // In a compressed archive nothing but the first bytes may be taken for anything else.
            if compression != Compression::None && cut >= 6 && answer.is_err() {
                assert_eq!(answer, Err(ArchiveRefusal::Truncated), "{compression} cut at {cut}");
            }
        }
    }
}

fn whole() -> ArchiveLimits {
    ArchiveLimits { depth: ArchiveDepth::Whole, ..ArchiveLimits::default() }
}

#[test]
fn damage_behind_the_metadata_is_found_when_the_whole_is_looked_at() {
    let disk = noise(200_000);
    let archive = tar_of(&[("metadata.json", METADATA.as_bytes()), ("box.img", &disk)]);
    for (compression, bytes) in each_compression(&archive) {
        for piece in [100, 64 << 10] {
            is_ours(&inspect_within(&whole(), &bytes, piece).unwrap());
        }
        for cut in [bytes.len() / 2, bytes.len() - 2000] {
            let beginning = &bytes[..cut];
            assert!(inspect(beginning).is_ok(), "{compression}: nobody looked");
            let found = inspect_within(&whole(), beginning, 1000);
            assert_eq!(found, Err(ArchiveRefusal::Truncated), "{compression} cut at {cut}");
        }
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 0x10;
        assert!(inspect(&flipped).is_ok(), "{compression}: nobody looked");
        let found = inspect_within(&whole(), &flipped, 1000);
        // plain tar has checksums of headers only, and zstd one only where it was asked for
        match compression {
            Compression::Gzip | Compression::Xz => {
                assert!(found.is_err(), "{compression}");
            }
            Compression::None => assert!(found.is_ok()),
            Compression::Zstd => {}
        }
    }
}

#[test]
fn the_whole_may_have_more_entries_than_are_looked_at_before_the_metadata() {
    let many: Vec<(&str, &[u8])> = [("metadata.json", METADATA.as_bytes())]
        .into_iter()
        .chain((0..50).map(|_| ("a", &b"b"[..])))
        .collect();
    let limits = ArchiveLimits { entries_max: 3, ..whole() };
    for (compression, bytes) in each_compression(&tar_of(&many)) {
        assert!(inspect_within(&limits, &bytes, 777).is_ok(), "{compression}");
    }
    let none = tar_of(&[("a", b"b")]);
    assert_eq!(inspect_within(&whole(), &none, 777), Err(ArchiveRefusal::NoMetadata));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The answer does not depend on how the bytes are cut into pieces.
    #[test]
    fn pieces_make_no_difference(
        sizes in prop::collection::vec(0_usize..5000, 0..5),
        position in 0_usize..5,
        piece in 1_usize..3000,
        which in 0_usize..4,
    ) {
        let contents: Vec<_> = sizes.iter().map(|size| noise(*size)).collect();
        let mut files: Vec<_> = contents.iter().map(|it| ("some/file", it.as_slice())).collect();
        files.insert(position.min(files.len()), ("./metadata.json", METADATA.as_bytes()));
        let (_, bytes) = &each_compression(&tar_of(&files))[which];
        let found = inspect_within(&ArchiveLimits::default(), bytes, piece);
        prop_assert!(found.is_ok(), "{found:?}");
        prop_assert_eq!(&found, &inspect(bytes));
        prop_assert_eq!(&found, &inspect_within(&whole(), bytes, piece));
    }

    /// Damage is answered, never a panic, and never takes more than the limits.
    #[test]
    fn damaged_archives_are_answered(
        which in 0_usize..4,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let archive = tar_of(&[("box.img", &noise(2000)), ("metadata.json", METADATA.as_bytes())]);
        let (_, bytes) = &mut each_compression(&archive)[which];
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= value;
        }
        let limits = ArchiveLimits {
            decompressed_bytes_max: 1 << 20,
            decoder_memory_bytes_max: 16 << 20,
            ..ArchiveLimits::default()
        };
        let _answer = inspect_within(&limits, &bytes[..cut.index(bytes.len())], 100);
        let _answer = inspect_within(&limits, bytes, 1000);
    }

    /// So is anything else.
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(inspect(&bytes).is_err());
    }
}
