//! Decompression, pushed: compressed bytes go in as they come, and what they say goes to the scan of
//! the tar archive. Nothing here waits for input, so no thread is held between two pieces.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use liblzma::stream::{Action, CONCATENATED, Status, Stream};
use zstd::{
    stream::raw::{Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer},
    zstd_safe::DParameter,
};

use super::{ArchiveLimits, ArchiveRefusal, BoxArchive, Compression, TarScan};

/// What xz and zstd are unpacked into before the scan sees it.
const OUTPUT_BYTES: usize = 64 << 10;

type Verdict = Result<BoxArchive, ArchiveRefusal>;

/// A decoder of one kind and the scan behind it.
pub(super) enum Decoder {
    Plain(TarScan),
    Gzip(MultiGzDecoder<TarScan>),
    Xz { stream: Stream, scan: TarScan, output: Box<[u8]> },
    Zstd(Zstd),
}

/// The parts of a zstd decoder.
pub(super) struct Zstd {
    decoder: ZstdDecoder<'static>,
    scan: TarScan,
    output: Box<[u8]>,
    /// Whether the bytes so far ended together with a frame.
    frame_ended: bool,
    window_bytes_max: u64,
}

impl Decoder {
    /// # Errors
    ///
    /// A refusal, when the decoder cannot be made.
    pub(super) fn new(
        compression: Compression,
        limits: &ArchiveLimits,
    ) -> Result<Self, ArchiveRefusal> {
        let scan = TarScan::new(compression, limits);
        let memory_max = limits.decoder_memory_bytes_max;
        let output = || vec![0; OUTPUT_BYTES].into_boxed_slice();
        Ok(match compression {
            Compression::None => Self::Plain(scan),
            Compression::Gzip => Self::Gzip(MultiGzDecoder::new(scan)),
            Compression::Xz => Self::Xz {
                stream: Stream::new_stream_decoder(memory_max, CONCATENATED).map_err(corrupt)?,
                scan,
                output: output(),
            },
            Compression::Zstd => {
                let mut decoder = ZstdDecoder::new().map_err(corrupt)?;
                // 10 is the smallest that the format knows, 31 the largest on 64 bits.
                let window_log = memory_max.max(1 << 10).ilog2().min(31);
                decoder.set_parameter(DParameter::WindowLogMax(window_log)).map_err(corrupt)?;
                let window_bytes_max = 1 << window_log;
                let output = output();
                Self::Zstd(Zstd { decoder, scan, output, frame_ended: false, window_bytes_max })
            }
        })
    }

    /// Takes compressed bytes; returns the answer as soon as there is one.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<Verdict> {
        let fed = match self {
            Self::Plain(scan) => {
                scan.feed(bytes);
                Ok(())
            }
            // The scan's own refusal to take more comes back as an error too; see `verdict`.
            Self::Gzip(decoder) => decoder.write_all(bytes).map_err(corrupt),
            Self::Xz { stream, scan, output } => feed_xz(stream, scan, output, bytes),
            Self::Zstd(zstd) => zstd.feed(bytes),
        };
        self.scan().verdict().cloned().or_else(|| fed.err().map(Err))
    }

    /// The answer when nothing more comes.
    pub(super) fn finish(mut self) -> Verdict {
        let whole = match &mut self {
            Self::Plain(_) => true,
            Self::Gzip(decoder) => decoder.try_finish().is_ok(),
            Self::Xz { stream, output, .. } => {
                matches!(stream.process(&[], output, Action::Finish), Ok(Status::StreamEnd))
            }
            Self::Zstd(zstd) => zstd.frame_ended,
        };
        let scan = self.scan();
        let ends_well = whole && scan.is_between_entries();
        match (scan.verdict(), scan.found()) {
            (Some(verdict), _) => verdict.clone(),
            (None, Some(found)) if ends_well => Ok(found.clone()),
            (None, None) if ends_well => Err(ArchiveRefusal::NoMetadata),
            (None, _) => Err(ArchiveRefusal::Truncated),
        }
    }

    fn scan(&self) -> &TarScan {
        match self {
            Self::Plain(scan) | Self::Xz { scan, .. } => scan,
            Self::Zstd(zstd) => &zstd.scan,
            Self::Gzip(decoder) => decoder.get_ref(),
        }
    }
}

impl Write for TarScan {
    /// Refuses more when the answer is known, so that the decoder stops at once.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.feed(bytes);
        match self.verdict() {
            Some(_) => Err(io::Error::other("the scan has ended")),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn feed_xz(
    stream: &mut Stream,
    scan: &mut TarScan,
    output: &mut [u8],
    mut bytes: &[u8],
) -> Result<(), ArchiveRefusal> {
    loop {
        let (in_before, out_before) = (stream.total_in(), stream.total_out());
        let status = stream.process(bytes, output, Action::Run).map_err(|error| match error {
            liblzma::stream::Error::MemLimit => ArchiveRefusal::OverLimit {
                limit: "memory for xz, in bytes",
                maximum: stream.memlimit(),
            },
            error => corrupt(error),
        })?;
        let consumed = distance(in_before, stream.total_in());
        let produced = distance(out_before, stream.total_out());
        bytes = bytes.get(consumed..).unwrap_or_default();
        scan.feed(output.get(..produced).unwrap_or_default());
        let full = produced == output.len();
        if scan.verdict().is_some() || status == Status::StreamEnd {
            return Ok(());
        }
        // The decoder may hold more when the buffer came back full, even without input.
        if (bytes.is_empty() && !full) || (consumed == 0 && produced == 0) {
            return Ok(());
        }
    }
}

impl Zstd {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), ArchiveRefusal> {
        // to be asked without bytes begins the next frame
        if bytes.is_empty() {
            return Ok(());
        }
        let maximum = self.window_bytes_max;
        let mut input = InBuffer::around(bytes);
        loop {
            let mut target = OutBuffer::around(&mut *self.output);
            let hint = self.decoder.run(&mut input, &mut target).map_err(|error| {
                // The library has no kind for it, only this text.
                if error.to_string().contains("too much memory") {
                    ArchiveRefusal::OverLimit { limit: "memory for zstd, in bytes", maximum }
                } else {
                    corrupt(error)
                }
            })?;
            let produced = target.pos();
            self.scan.feed(self.output.get(..produced).unwrap_or_default());
            // a frame that has ended has nothing left to give, however full the output is
            let is_empty = hint == 0 || produced < self.output.len();
            let is_drained = input.pos() == bytes.len() && is_empty;
            if self.scan.verdict().is_some() || is_drained {
                self.frame_ended = hint == 0;
                return Ok(());
            }
        }
    }
}

fn corrupt(error: impl std::error::Error) -> ArchiveRefusal {
    ArchiveRefusal::Corrupt { problem: error.to_string() }
}

fn distance(before: u64, after: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX)
}
