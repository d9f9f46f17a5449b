//! Reading: every range, many at once, and what is not there.

use boxvault_plugin_sdk::{ByteRange, Bytes, PluginErrorKind};
use futures_util::future::try_join_all;

use super::{Case, Entry, cases, ensure_kind, ensure_same};
use crate::{
    bytes::seeded,
    case::{Verdict, ensure},
};

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        a_missing_object_is_not_found,
        ranges_come_back_exactly,
        a_range_past_the_end_is_clipped,
        a_range_across_chunks_comes_back_exactly,
        many_readers_at_once_see_the_same_bytes,
        readers_may_be_dropped_at_any_time,
        reading_goes_on_while_others_write;
};

async fn a_missing_object_is_not_found(case: Case) -> Verdict {
    match case.store.open_reader(&case.key("missing"), ByteRange::FULL).await {
        Ok(mut reader) => {
            ensure_kind(reader.next().await, PluginErrorKind::NotFound, "reading")?;
            ensure!(!matches!(reader.next().await, Ok(None)), "a failed reader then said: end");
            Ok(())
        }
        Err(error) => ensure_kind::<()>(Err(error), PluginErrorKind::NotFound, "opening"),
    }
}

async fn ranges_come_back_exactly(case: Case) -> Verdict {
    let bytes = seeded(20, 10_000);
    case.put("object", &bytes).await?;
    for (offset, length) in [(0, 1), (0, 10_000), (1, 1), (4095, 2), (5000, 5000), (9999, 1)] {
        let found = case.get_range("object", ByteRange::new(offset as u64, length as u64)).await?;
        let expected = bytes.slice(offset..offset + length);
        ensure_same(&found, &expected, &format!("{length} bytes from {offset}"))?;
    }
    let suffix = case.get_range("object", ByteRange::from(9990)).await?;
    ensure_same(&suffix, &bytes.slice(9990..), "the last ten bytes")
}

async fn a_range_past_the_end_is_clipped(case: Case) -> Verdict {
    let bytes = seeded(21, 1000);
    case.put("object", &bytes).await?;
    let over = case.get_range("object", ByteRange::new(990, 1000)).await?;
    ensure_same(&over, &bytes.slice(990..), "a range over the end")?;
    let huge = case.get_range("object", ByteRange::new(10, u64::MAX - 1)).await?;
    ensure_same(&huge, &bytes.slice(10..), "a range of nearly all numbers")?;
    for range in [
        ByteRange::from(1000),
        ByteRange::from(1001),
        ByteRange::from(u64::MAX),
        ByteRange::new(u64::MAX, u64::MAX),
        ByteRange::new(0, 0),
        ByteRange::new(500, 0),
    ] {
        let found = case.get_range("object", range).await?;
        ensure_same(&found, b"", &format!("{range:?}"))?;
    }
    Ok(())
}

async fn a_range_across_chunks_comes_back_exactly(case: Case) -> Verdict {
    let bytes = seeded(22, 5 * 1024 * 1024 + 11);
    case.put_in_chunks("object", &bytes, 1024 * 1024).await?;
    let (from, to) = (1024 * 1024 - 3, 4 * 1024 * 1024 + 5);
    let range = ByteRange::new(from as u64, (to - from) as u64);
    ensure_same(&case.get_range("object", range).await?, &bytes.slice(from..to), "the range")
}

async fn many_readers_at_once_see_the_same_bytes(case: Case) -> Verdict {
    let bytes = seeded(23, 700_000);
    case.put("object", &bytes).await?;
    let read = |index: usize| {
        let (case, bytes) = (case.clone(), bytes.clone());
        async move {
            let found = case.get_range("object", ByteRange::from(index as u64)).await?;
            ensure_same(&found, &bytes.slice(index..), "one of many reads")
        }
    };
    try_join_all((0..24).map(read)).await.map(drop)
}

async fn readers_may_be_dropped_at_any_time(case: Case) -> Verdict {
    let bytes = seeded(24, 3 * 1024 * 1024);
    case.put("object", &bytes).await?;
    for round in 0..64 {
        let mut reader = case.store.open_reader(&case.key("object"), ByteRange::FULL).await?;
        if round % 2 == 0 {
            ensure!(reader.next().await?.is_some(), "there is nothing to read");
        }
        drop(reader);
    }
    ensure_same(&case.get("object").await?, &bytes, "the object")
}

async fn reading_goes_on_while_others_write(case: Case) -> Verdict {
    let bytes = seeded(25, 2 * 1024 * 1024);
    case.put("stays", &bytes).await?;
    let write = async {
        for index in 0..8_u64 {
            case.put(&format!("new{index}"), &seeded(index, 500_000)).await?;
        }
        Ok(())
    };
    let read = async {
        for _ in 0..8 {
            let found: Bytes = case.get("stays").await?;
            ensure_same(&found, &bytes, "the object")?;
        }
        Ok(())
    };
    let (written, found): (Verdict, Verdict) = futures_util::join!(write, read);
    written.and(found)
}
