//! Looks into a box archive while it streams by: what compresses it, and what its `metadata.json`
//! says. Nothing is unpacked and nothing touches the disk.
//!
//! A box is a tar archive, plain or compressed by gzip, xz or zstd, with `metadata.json` at its top
//! (Vagrant: `lib/vagrant/box.rb`, `lib/vagrant/action/builtin/box_add.rb`). The inspector takes
//! bytes in pieces of any size and needs constant memory: the decoder's window and one output
//! buffer. It stops decompressing when it has found the metadata, unless the whole is asked for; what
//! follows is then only hashed, so that damage behind the metadata shows as a wrong digest and not here.

mod decoder;
mod tar_scan;

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use decoder::Decoder;
use tar_scan::TarScan;

/// Enough of the beginning to tell an ISO image from the rest.
const SNIFF_BYTES: usize = (32 << 10) + 6;

/// How much of an archive the inspector looks at before it gives up.
#[derive(Debug, Clone)]
pub struct ArchiveLimits {
    /// Decompressed bytes before the metadata. A disk image may come first, so this is large.
    pub decompressed_bytes_max: u64,
    /// Entries before the metadata.
    pub entries_max: u64,
    /// The size of `metadata.json`.
    pub metadata_bytes_max: u64,
    /// What an xz or zstd decoder may allocate. `xz -9` needs 65 MiB, `zstd -19` 8 MiB.
    pub decoder_memory_bytes_max: u64,
    /// How far to look.
    pub depth: ArchiveDepth,
}

/// How much of an archive is decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ArchiveDepth {
    /// Up to the metadata. Damage behind it shows as a wrong digest alone.
    #[default]
    Metadata,
    /// To the end, with the checksums of the compression: what Vagrant could unpack. The last bytes of a gzip file
    /// are a checksum of what it unpacks to, so that there is no cheaper way.
    Whole,
}

/// What compresses an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Plain tar.
    None,
    /// gzip, one or more members.
    Gzip,
    /// xz, one or more streams.
    Xz,
    /// Zstandard, one or more frames.
    Zstd,
}

/// What a box says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxArchive {
    /// What compresses the archive.
    pub compression: Compression,
    /// The provider that the box is for, such as `virtualbox`; never empty.
    pub provider: String,
    /// The architecture, where the box names one.
    pub architecture: Option<String>,
    /// All of `metadata.json`; always an object.
    pub metadata: Value,
}

/// Why a file is not a box that Vagrant could add.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArchiveRefusal {
    /// Not an archive of a kind that boxes are made of.
    #[error(
        "not a box archive: this looks like {looks_like}; a box is a tar archive, plain or \
             compressed with gzip, xz or zstd"
    )]
    NotAnArchive {
        /// What the first bytes say, with an article.
        looks_like: &'static str,
    },
    /// The archive has no `metadata.json` at its top.
    #[error("the archive has no metadata.json at its top level, which Vagrant needs")]
    NoMetadata,
    /// `metadata.json` is not a JSON object.
    #[error("metadata.json in the archive is not valid: {problem}")]
    MetadataInvalid {
        /// What is wrong, with line and column where there are any.
        problem: String,
    },
    /// `metadata.json` does not name a provider.
    #[error("metadata.json in the archive has no \"provider\", such as \"virtualbox\"")]
    MetadataWithoutProvider,
    /// The archive is larger than the inspector may look at.
    #[error("the archive exceeds the limit of {limit}: {maximum}")]
    OverLimit {
        /// Which limit.
        limit: &'static str,
        /// Its value.
        maximum: u64,
    },
    /// The file ends before the archive does.
    #[error("the archive ends in the middle: the file was not uploaded or not written completely")]
    Truncated,
    /// The archive is damaged.
    #[error("the archive is damaged: {problem}")]
    Corrupt {
        /// What the decoder found.
        problem: String,
    },
}

/// Looks at an archive piece by piece.
pub struct BoxInspector {
    limits: ArchiveLimits,
    stage: Stage,
}

enum Stage {
    /// Not enough bytes yet to know what this is.
    Sniffing(Vec<u8>),
    Scanning(Box<Decoder>),
    Found(Box<BoxArchive>),
    Refused(ArchiveRefusal),
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            decompressed_bytes_max: 1 << 40,
            entries_max: 100_000,
            metadata_bytes_max: 1 << 20,
            decoder_memory_bytes_max: 128 << 20,
            depth: ArchiveDepth::Metadata,
        }
    }
}

impl BoxInspector {
    /// An inspector that has seen nothing yet.
    pub fn new(limits: &ArchiveLimits) -> Self {
        Self { limits: limits.clone(), stage: Stage::Sniffing(Vec::new()) }
    }

    /// Whether more bytes could change the answer.
    pub fn wants_more(&self) -> bool {
        matches!(self.stage, Stage::Sniffing(_) | Stage::Scanning(_))
    }

    /// Why the archive is refused, if that is known already.
    pub fn refusal(&self) -> Option<&ArchiveRefusal> {
        match &self.stage {
            Stage::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Takes the next bytes. Blocks as long as it takes to decompress them.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.stage {
            Stage::Sniffing(seen) => {
                let rest = bytes.split_at(bytes.len().min(SNIFF_BYTES - seen.len()));
                seen.extend_from_slice(rest.0);
                let Some(verdict) = sniff(seen, seen.len() < SNIFF_BYTES) else { return };
                let seen = std::mem::take(seen);
                self.begin(verdict);
                self.feed(&seen);
                self.feed(rest.1);
            }
            Stage::Scanning(decoder) => {
                if let Some(result) = decoder.feed(bytes) {
                    self.conclude(result);
                }
            }
            Stage::Found(_) | Stage::Refused(_) => {}
        }
    }

    /// The answer, when no more bytes come.
    ///
    /// # Errors
    ///
    /// Why this is not a box.
    pub fn finish(mut self) -> Result<BoxArchive, ArchiveRefusal> {
        if let Stage::Sniffing(seen) = &mut self.stage {
            let seen = std::mem::take(seen);
            match sniff(&seen, false) {
                Some(verdict) => self.begin(verdict),
                None => self.stage = Stage::Refused(ArchiveRefusal::Truncated),
            }
            self.feed(&seen);
        }
        match self.stage {
            Stage::Scanning(decoder) => decoder.finish(),
            Stage::Found(found) => Ok(*found),
            Stage::Refused(refusal) => Err(refusal),
            Stage::Sniffing(_) => Err(ArchiveRefusal::Truncated),
        }
    }

    fn begin(&mut self, verdict: Result<Compression, &'static str>) {
        let decoder = match verdict {
            Ok(compression) => Decoder::new(compression, &self.limits),
            Err(looks_like) => Err(ArchiveRefusal::NotAnArchive { looks_like }),
        };
        self.stage = match decoder {
            Ok(decoder) => Stage::Scanning(Box::new(decoder)),
            Err(refusal) => Stage::Refused(refusal),
        };
    }

    fn conclude(&mut self, result: Result<BoxArchive, ArchiveRefusal>) {
        // The decoder and its window go away here, long before the upload ends.
        self.stage = match result {
            Ok(found) => Stage::Found(Box::new(found)),
            Err(refusal) => Stage::Refused(refusal),
        };
    }
}

impl Compression {
    /// Its name, as in `gzip`; `none` for plain tar.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for BoxInspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxInspector").field("refusal", &self.refusal()).finish_non_exhaustive()
    }
}

/// What the first bytes are, or `None` when only more bytes could tell.
fn sniff(seen: &[u8], more: bool) -> Option<Result<Compression, &'static str>> {
    const COMPRESSIONS: [(&[u8], Compression); 3] = [
        (b"\x1f\x8b", Compression::Gzip),
        (b"\xfd7zXZ\0", Compression::Xz),
        (b"\x28\xb5\x2f\xfd", Compression::Zstd),
    ];
    for (magic, compression) in COMPRESSIONS {
        if seen.starts_with(magic) {
            return Some(Ok(compression));
        }
        if more && magic.starts_with(seen) {
            return None;
        }
    }
    // A skippable frame may stand before the first zstd frame.
    if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] = seen {
        return Some(Ok(Compression::Zstd));
    }
    if more && seen.len() < tar_scan::BLOCK_BYTES {
        return None;
    }
    if seen.first_chunk().is_some_and(tar_scan::is_header) {
        return Some(Ok(Compression::None));
    }
    let known = looks_like(seen);
    if known.is_none() && more { None } else { Some(Err(known.unwrap_or("unknown data"))) }
}

/// What other files begin with, as people upload them by mistake.
fn looks_like(seen: &[u8]) -> Option<&'static str> {
    const KNOWN: [(usize, &[u8], &str); 19] = [
        (0, b"PK\x03\x04", "a zip archive"),
        (0, b"PK\x05\x06", "an empty zip archive"),
        (0, b"BZh", "a bzip2 file"),
        (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (0, b"Rar!\x1a\x07", "a rar archive"),
        (0, b"\x04\x22\x4d\x18", "an lz4 file"),
        (0, b"LZIP", "an lzip file"),
        (0, b"\x5d\0\0", "an lzma file"),
        (0, b"\x1f\x9d", "a compress (.Z) file"),
        (0, b"QFI\xfb", "a qcow2 disk image"),
        (0, b"KDMV", "a VMDK disk image"),
        (0, b"# Disk DescriptorFile", "a VMDK disk description"),
        (0, b"<<< Oracle VM", "a VDI disk image"),
        (0, b"conectix", "a VHD disk image"),
        (0, b"vhdxfile", "a VHDX disk image"),
        (0, b"\x7fELF", "an ELF program"),
        (0, b"MZ", "a Windows program"),
        (0, b"!<arch>", "an ar archive or Debian package"),
        (32_769, b"CD001", "an ISO image"),
    ];
    if seen.is_empty() {
        return Some("an empty file");
    }
    let matches = |offset: usize, magic: &[u8]| {
        seen.get(offset..).is_some_and(|from_there| from_there.starts_with(magic))
    };
    let known = KNOWN.iter().find(|(offset, magic, _)| matches(*offset, magic));
    known.map(|(_, _, name)| *name).or_else(|| looks_like_text(seen))
}

fn looks_like_text(seen: &[u8]) -> Option<&'static str> {
    let text = seen.trim_ascii_start();
    let begins =
        |with: &[u8]| text.get(..with.len()).is_some_and(|it| it.eq_ignore_ascii_case(with));
    if begins(b"<!doctype html") || begins(b"<html") {
        Some("an HTML page")
    } else if begins(b"<?xml") {
        Some("an XML document")
    } else if begins(b"{") || begins(b"[") {
        Some("a JSON document")
    } else if begins(b"#!") {
        Some("a script")
    } else {
        None
    }
}

/// Reads `metadata.json`.
fn read_metadata(compression: Compression, json: &[u8]) -> Result<BoxArchive, ArchiveRefusal> {
    let invalid = |problem: String| ArchiveRefusal::MetadataInvalid { problem };
    // serde_json's messages end with line and column.
    let metadata: Value =
        serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
    let Value::Object(object) = &metadata else {
        return Err(invalid("it must be a JSON object".to_owned()));
    };
    let text = |key: &str| match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|it| !it.is_empty())),
        Some(_) => Err(invalid(format!("\"{key}\" must be a string"))),
    };
    let provider = text("provider")?.ok_or(ArchiveRefusal::MetadataWithoutProvider)?;
    let architecture = text("architecture")?;
    Ok(BoxArchive { compression, provider, architecture, metadata })
}

#[cfg(test)]
mod tests;
