//! The process of a store is killed, in the middle of everything.

use std::time::Duration;

use boxvault_plugin_sdk::{ByteRange, Capabilities, PluginErrorKind, WriteOptions};
use tokio::time::sleep;

use super::{Case, Entry, cases, ensure_whole_or_absent, ensure_works};
use crate::{
    bytes::seeded,
    case::{Finding, Verdict, ensure},
    storage::{ensure_kind, ensure_same},
};

/// The case that a store for tests cannot pass.
pub(super) const LASTS: &str = "what_was_finished_survives_a_kill";

pub(super) const CASES: &[Entry<Case>] = cases! {
    NONE:
        a_kill_in_the_middle_of_a_write_leaves_nothing,
        a_kill_in_the_middle_of_a_read_is_an_error_and_no_end,
        a_kill_while_an_object_is_finished_leaves_all_of_it_or_nothing,
        what_was_finished_survives_a_kill,
        a_store_works_again_after_kills_in_a_row;
    LIST_UNFINISHED:
        what_a_kill_left_is_listed_and_can_be_removed;
};

async fn a_kill_in_the_middle_of_a_write_leaves_nothing(case: Case) -> Verdict {
    let Case { victim, place, .. } = &case;
    let key = place.key("killed");
    let mut writer = place.store.open_writer(&key, WriteOptions::default()).await?;
    for seed in 0..3 {
        writer.write(seeded(seed, 1 << 20)).await?;
    }
    (victim.kill)();
    let mut failed = false;
    for seed in 3..40 {
        failed = writer.write(seeded(seed, 1 << 20)).await.is_err();
        if failed {
            break;
        }
    }
    ensure!(failed || writer.finish().await.is_err(), "a write went on after the kill");
    ensure_works(place).await?;
    ensure_kind(place.store.stat(&key).await, PluginErrorKind::NotFound, "stat")?;
    if place.store.capabilities().contains(Capabilities::LIST) {
        let names = place.names("killed").await?;
        ensure!(names.is_empty(), "it is listed: {names:?}");
    }
    Ok(())
}

async fn a_kill_in_the_middle_of_a_read_is_an_error_and_no_end(case: Case) -> Verdict {
    let Case { victim, place, .. } = &case;
    let bytes = seeded(91, 24 << 20);
    place.put_in_chunks("read", &bytes, 1 << 20).await?;
    let mut reader = place.store.open_reader(&place.key("read"), ByteRange::FULL).await?;
    let first = reader.next().await?.unwrap_or_default();
    (victim.kill)();
    let mut found = first.len();
    loop {
        match reader.next().await {
            Ok(Some(chunk)) => found += chunk.len(),
            Ok(None) => {
                ensure!(found == bytes.len(), "an object ended after {found} bytes, without error");
                break;
            }
            Err(_) => break,
        }
    }
    ensure_works(place).await
}

async fn a_kill_while_an_object_is_finished_leaves_all_of_it_or_nothing(case: Case) -> Verdict {
    let Case { victim, place, .. } = &case;
    for (round, wait) in [0, 1, 3, 8, 20, 50].into_iter().enumerate() {
        let name = format!("finish-{round}");
        let bytes = seeded(92, 3 << 20);
        let mut writer =
            place.store.open_writer(&place.key(&name), WriteOptions::default()).await?;
        writer.write(bytes.clone()).await?;
        let kill = async {
            sleep(Duration::from_millis(wait)).await;
            (victim.kill)();
        };
        let (finished, ()) = futures_util::future::join(writer.finish(), kill).await;
        ensure_works(place).await?;
        let is_there = ensure_whole_or_absent(place, &name, &bytes).await?;
        let lost = finished.is_ok() && !is_there && !case.forgets;
        ensure!(!lost, "an object was finished, and is not there after a kill");
    }
    Ok(())
}

async fn what_was_finished_survives_a_kill(case: Case) -> Verdict {
    let Case { victim, place, .. } = &case;
    for seed in 0..6 {
        place.put(&format!("kept-{seed}"), &seeded(seed, 300_000)).await?;
    }
    (victim.kill)();
    ensure_works(place).await?;
    for seed in 0..6 {
        let found = place.get(&format!("kept-{seed}")).await?;
        ensure_same(&found, &seeded(seed, 300_000), "an object that was finished before")?;
    }
    Ok(())
}

async fn a_store_works_again_after_kills_in_a_row(case: Case) -> Verdict {
    let Case { victim, place, .. } = &case;
    for _ in 0..3 {
        (victim.kill)();
        ensure_works(place).await?;
    }
    Ok(())
}

async fn what_a_kill_left_is_listed_and_can_be_removed(case: Case) -> Verdict {
    let Case { victim, place, .. } = &case;
    let key = place.key("left");
    let mut writer = place.store.open_writer(&key, WriteOptions::default()).await?;
    for seed in 0..12 {
        writer.write(seeded(seed, 1 << 20)).await?;
    }
    (victim.kill)();
    ensure_works(place).await?;
    place.store.abort_unfinished(&key).await?;
    let left = place.store.list_unfinished(&key, None, 10).await?;
    if left.is_empty() {
        return Ok(());
    }
    Err(Finding::Failed(format!("it is still begun: {left:?}")))
}
