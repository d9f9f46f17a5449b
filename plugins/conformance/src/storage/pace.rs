//! Slow clients: they are no reason to lose anything, nor to give up.

use std::time::Duration;

use boxvault_plugin_sdk::{ByteRange, WriteOptions};
use tokio::time::sleep;

use super::{Case, Entry, cases, ensure_same};
use crate::{bytes::seeded, case::Verdict};

/// How long a slow client thinks about each chunk.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        a_slow_writer_loses_nothing,
        a_slow_reader_gets_every_byte;
};

async fn a_slow_writer_loses_nothing(case: Case) -> Verdict {
    let bytes = seeded(60, 600_000);
    let options = WriteOptions::with_size_hint(Some(bytes.len() as u64));
    let mut writer = case.store.open_writer(&case.key("slow"), options).await?;
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        sleep(PAUSE).await;
        writer.write(rest.split_to(rest.len().min(20_000))).await?;
    }
    sleep(PAUSE).await;
    writer.finish().await?;
    ensure_same(&case.get("slow").await?, &bytes, "the object")
}

async fn a_slow_reader_gets_every_byte(case: Case) -> Verdict {
    let bytes = seeded(61, 5 * 1024 * 1024 + 11);
    case.put_in_chunks("slow", &bytes, 256 * 1024).await?;
    let mut reader = case.store.open_reader(&case.key("slow"), ByteRange::FULL).await?;
    let mut found = Vec::with_capacity(bytes.len());
    while let Some(chunk) = reader.next().await? {
        found.extend_from_slice(&chunk);
        sleep(PAUSE).await;
    }
    ensure_same(&found, &bytes, "the object")
}
