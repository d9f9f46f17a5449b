//! Walks over a tar archive that is pushed through it, keeping one header block and the few entries
//! it reads: long names, extended headers and `metadata.json`.
//!
//! Written by hand because the readers at hand pull: they would hold a thread per upload. Formats:
//! v7, ustar, GNU (long names, old sparse files, binary sizes) and pax. Source: POSIX.1-2017 pax,
//! "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format".

use super::{ArchiveDepth, ArchiveLimits, ArchiveRefusal, BoxArchive, Compression, read_metadata};

/// Everything in a tar archive begins on a multiple of this.
pub(super) const BLOCK_BYTES: usize = 512;

/// Long names and extended headers; Linux paths end at 4 KiB.
const EXTENSION_BYTES_MAX: u64 = 1 << 20;

/// The file that makes an archive a box.
const METADATA: &[u8] = b"metadata.json";

/// A scan in progress.
pub(super) struct TarScan {
    compression: Compression,
    limits: ArchiveLimits,
    state: State,
    block: [u8; BLOCK_BYTES],
    filled: usize,
    zero_blocks: u32,
    entries: u64,
    bytes: u64,
    /// From a GNU long name or a pax header, for the next entry.
    next_name: Option<Vec<u8>>,
    next_size: Option<u64>,
    verdict: Option<Result<BoxArchive, ArchiveRefusal>>,
    /// The metadata, while the rest is still looked through.
    found: Option<BoxArchive>,
}

enum State {
    /// A header comes next.
    Header,
    /// The archive is over; what fills up its last record means nothing.
    Ended,
    /// GNU: more of a sparse file's map comes next, then its data.
    SparseMap { data_bytes: u64 },
    /// Bytes that nobody wants.
    Skip { left: u64 },
    /// Bytes that are kept, and how many of padding follow.
    Collect { what: Wanted, content: Vec<u8>, left: u64 },
}

#[derive(Clone, Copy)]
enum Wanted {
    LongName,
    PaxHeader,
    Metadata,
}

impl TarScan {
    pub(super) fn new(compression: Compression, limits: &ArchiveLimits) -> Self {
        Self {
            compression,
            limits: limits.clone(),
            state: State::Header,
            block: [0; BLOCK_BYTES],
            filled: 0,
            zero_blocks: 0,
            entries: 0,
            bytes: 0,
            next_name: None,
            next_size: None,
            verdict: None,
            found: None,
        }
    }

    /// The answer, once there is one.
    pub(super) fn verdict(&self) -> Option<&Result<BoxArchive, ArchiveRefusal>> {
        self.verdict.as_ref()
    }

    /// The metadata, where everything behind it is looked through as well.
    pub(super) fn found(&self) -> Option<&BoxArchive> {
        self.found.as_ref()
    }

    /// Whether the archive could end here. Some programs leave out the two empty blocks.
    pub(super) fn is_between_entries(&self) -> bool {
        let ended = matches!(self.state, State::Ended);
        ended || (matches!(self.state, State::Header) && self.filled == 0 && self.entries > 0)
    }

    /// Takes the next bytes of the archive.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.bytes > self.limits.decompressed_bytes_max {
            let maximum = self.limits.decompressed_bytes_max;
            self.refuse(ArchiveRefusal::OverLimit { limit: "decompressed bytes", maximum });
        }
        while !bytes.is_empty() && self.verdict.is_none() {
            bytes = self.step(bytes);
        }
    }

    /// Does one thing with the beginning of `bytes`, and returns the rest.
    fn step<'bytes>(&mut self, bytes: &'bytes [u8]) -> &'bytes [u8] {
        match &mut self.state {
            State::Ended => &[],
            State::Header | State::SparseMap { .. } => self.fill_block(bytes),
            State::Skip { left } => {
                let (skipped, rest) = split(bytes, *left);
                *left -= skipped.len() as u64;
                if *left == 0 {
                    self.state = State::Header;
                }
                rest
            }
            State::Collect { what, content, left } => {
                let (wanted, rest) = split(bytes, *left);
                content.extend_from_slice(wanted);
                *left -= wanted.len() as u64;
                if *left == 0 {
                    let (what, content) = (*what, std::mem::take(content));
                    let padding = padding(content.len() as u64);
                    self.state = after(padding);
                    self.collected(what, &content);
                }
                rest
            }
        }
    }

    fn fill_block<'bytes>(&mut self, bytes: &'bytes [u8]) -> &'bytes [u8] {
        let (head, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.filled));
        let end = self.filled + head.len();
        if let Some(target) = self.block.get_mut(self.filled..end) {
            target.copy_from_slice(head);
        }
        self.filled = end;
        if self.filled == BLOCK_BYTES {
            self.filled = 0;
            let block = self.block;
            match self.state {
                // The last byte but seven says whether yet another map block follows.
                State::SparseMap { data_bytes } if byte(&block, 504) == 0 => {
                    self.state = after(data_bytes);
                }
                State::SparseMap { .. } => {}
                _ => self.header(&block),
            }
        }
        rest
    }

    fn header(&mut self, block: &[u8; BLOCK_BYTES]) {
        if block.iter().all(|byte| *byte == 0) {
            self.zero_blocks += 1;
            if self.zero_blocks == 2 {
                match self.found {
                    Some(_) => self.state = State::Ended,
                    None => self.refuse(ArchiveRefusal::NoMetadata),
                }
            }
            return;
        }
        self.zero_blocks = 0;
        if !is_header(block) {
            self.refuse(if self.entries == 0 {
                ArchiveRefusal::NotAnArchive {
                    looks_like: "a compressed file without a tar inside",
                }
            } else {
                corrupt("the checksum of a tar header does not match")
            });
            return;
        }
        self.entries += 1;
        if self.found.is_none() && self.entries > self.limits.entries_max {
            let maximum = self.limits.entries_max;
            self.refuse(ArchiveRefusal::OverLimit {
                limit: "entries before metadata.json",
                maximum,
            });
            return;
        }
        match number(field(block, 124, 12)) {
            Some(size) => self.entry(block, size),
            None => self.refuse(corrupt("a tar header has no valid size")),
        }
    }

    /// Decides what to do with an entry's content.
    fn entry(&mut self, block: &[u8; BLOCK_BYTES], size: u64) {
        let kind = byte(block, 156);
        match kind {
            b'L' => return self.collect(Wanted::LongName, size, EXTENSION_BYTES_MAX),
            b'x' => return self.collect(Wanted::PaxHeader, size, EXTENSION_BYTES_MAX),
            // Long link targets and headers for all entries say nothing that we look for.
            b'K' | b'g' => return self.skip(size),
            _ => {}
        }
        let name = self.next_name.take().unwrap_or_else(|| name_of(block));
        // Links, devices, directories and pipes have no content, whatever their size field says.
        let size = match kind {
            b'1'..=b'6' => 0,
            _ => self.next_size.take().unwrap_or(size),
        };
        self.next_size = None;
        if self.found.is_none() && is_metadata(&name) {
            return match kind {
                0 | b'0' | b'7' => {
                    self.collect(Wanted::Metadata, size, self.limits.metadata_bytes_max);
                }
                _ => self.refuse(ArchiveRefusal::MetadataInvalid {
                    problem: "it is not a regular file in the archive".to_owned(),
                }),
            };
        }
        if kind == b'S' && byte(block, 482) != 0 {
            match padded(size) {
                Some(data_bytes) => self.state = State::SparseMap { data_bytes },
                None => self.refuse(corrupt("an entry of the archive is impossibly large")),
            }
            return;
        }
        self.skip(size);
    }

    fn skip(&mut self, size: u64) {
        match padded(size) {
            Some(left) => self.state = after(left),
            None => self.refuse(corrupt("an entry of the archive is impossibly large")),
        }
    }

    fn collect(&mut self, what: Wanted, size: u64, maximum: u64) {
        if size > maximum {
            let limit = match what {
                Wanted::Metadata => "bytes of metadata.json",
                Wanted::LongName | Wanted::PaxHeader => "bytes of an extended tar header",
            };
            return self.refuse(ArchiveRefusal::OverLimit { limit, maximum });
        }
        if size == 0 {
            return self.collected(what, &[]);
        }
        self.state = State::Collect { what, content: Vec::new(), left: size };
    }

    fn collected(&mut self, what: Wanted, content: &[u8]) {
        match what {
            Wanted::Metadata => match read_metadata(self.compression, content) {
                Ok(found) if self.limits.depth == ArchiveDepth::Whole => self.found = Some(found),
                verdict => self.verdict = Some(verdict),
            },
            Wanted::LongName => self.next_name = Some(until_nul(content).to_vec()),
            Wanted::PaxHeader => match pax_records(content) {
                Some(records) => {
                    for (key, value) in records {
                        match key {
                            b"path" => self.next_name = Some(value.to_vec()),
                            b"size" => self.next_size = decimal(value),
                            _ => {}
                        }
                    }
                }
                None => self.refuse(corrupt("an extended tar header is malformed")),
            },
        }
    }

    fn refuse(&mut self, refusal: ArchiveRefusal) {
        self.verdict.get_or_insert(Err(refusal));
    }
}

/// Whether a block is a tar header: its checksum says so.
pub(super) fn is_header(block: &[u8; BLOCK_BYTES]) -> bool {
    let Some(stored) = number(field(block, 148, 8)) else { return false };
    // The checksum is taken with its own field as spaces. Some old programs summed signed bytes.
    let as_summed = |(index, byte): (usize, &u8)| match index {
        148..156 => b' ',
        _ => *byte,
    };
    let summed = || block.iter().enumerate().map(as_summed);
    let unsigned: u64 = summed().map(u64::from).sum();
    let signed: i64 = summed().map(|byte| i64::from(byte.cast_signed())).sum();
    stored == unsigned || i64::try_from(stored) == Ok(signed)
}

/// The name in a header, with ustar's prefix.
fn name_of(block: &[u8; BLOCK_BYTES]) -> Vec<u8> {
    let name = until_nul(field(block, 0, 100));
    // GNU's magic has a space here, and other things where the prefix would be.
    let prefix = match field(block, 257, 6) {
        b"ustar\0" => until_nul(field(block, 345, 155)),
        _ => &[],
    };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

/// Whether a name means `metadata.json` at the top, as in `./metadata.json`.
fn is_metadata(name: &[u8]) -> bool {
    let mut parts = name.split(|byte| *byte == b'/').filter(|it| !it.is_empty() && *it != b".");
    parts.next() == Some(METADATA) && parts.next().is_none()
}

/// Octal digits, or GNU's binary form with the highest bit set.
fn number(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((0x80, rest)) => rest
            .iter()
            .try_fold(0_u64, |number, byte| Some(number.checked_mul(256)? + u64::from(*byte))),
        // Other leading bytes with the highest bit would be negative.
        Some((0x81.., _)) => None,
        _ => {
            let digits = until_nul(field).trim_ascii();
            digits.iter().try_fold(0_u64, |number, byte| match byte {
                b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
                _ => None,
            })
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The records of a pax header, each `"%d %s=%s\n"` with its own length in front.
fn pax_records(mut content: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !content.is_empty() {
        let space = content.iter().position(|byte| *byte == b' ')?;
        let length = usize::try_from(decimal(content.get(..space)?)?).ok()?;
        let record = content.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        let (key, value) = record.split_at(equals);
        records.push((key, value.get(1..)?));
        content = content.get(length..)?;
    }
    Some(records)
}

fn after(left: u64) -> State {
    if left == 0 { State::Header } else { State::Skip { left } }
}

fn padding(size: u64) -> u64 {
    let block = BLOCK_BYTES as u64;
    (block - size % block) % block
}

fn padded(size: u64) -> Option<u64> {
    size.checked_add(padding(size))
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len()))
}

fn field(block: &[u8; BLOCK_BYTES], offset: usize, bytes: usize) -> &[u8] {
    block.get(offset..offset + bytes).unwrap_or_default()
}

fn byte(block: &[u8; BLOCK_BYTES], offset: usize) -> u8 {
    block.get(offset).copied().unwrap_or_default()
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn corrupt(problem: &str) -> ArchiveRefusal {
    ArchiveRefusal::Corrupt { problem: problem.to_owned() }
}
