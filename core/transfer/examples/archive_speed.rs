//! Measures what looking into an archive costs: `cargo run --release -p boxvault-transfer --example archive_speed FILE`.
#![expect(clippy::print_stdout, reason = "a program for a person at a terminal")]

use std::{io::Read as _, time::Instant};

use boxvault_transfer::{ArchiveDepth, ArchiveLimits, BoxInspector};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which file?")?;
    for depth in [ArchiveDepth::Metadata, ArchiveDepth::Whole] {
        let mut file = std::fs::File::open(&path)?;
        let limits = ArchiveLimits { depth, ..ArchiveLimits::default() };
        let mut inspector = BoxInspector::new(&limits);
        let (mut piece, mut bytes) = (vec![0; 256 << 10], 0_u64);
        let started = Instant::now();
        loop {
            let count = file.read(&mut piece)?;
            if count == 0 {
                break;
            }
            bytes += count as u64;
            inspector.feed(piece.get(..count).unwrap_or_default());
        }
        let found = inspector.finish();
        let seconds = started.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "for a person to read")]
        let gibibytes = bytes as f64 / f64::from(1 << 30);
        println!(
            "{depth:?}: {seconds:.2} s, {:.2} s per GiB of file: {:?}",
            seconds / gibibytes,
            found.map(|it| it.provider)
        );
    }
    Ok(())
}
