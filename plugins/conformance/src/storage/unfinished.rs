//! What was begun and never finished: found, and removed.

use boxvault_plugin_sdk::{ObjectWriter, PluginErrorKind, WriteOptions};

use super::{Case, Entry, cases, ensure_kind};
use crate::{
    bytes::seeded,
    case::{Finding, Verdict, ensure, eventually},
};

/// What is declared; a store that keeps unfinished objects has begun to before so much is written.
const ENOUGH_BYTES: u64 = 128 << 20;

pub(super) const CASES: &[Entry] = cases! {
    LIST_UNFINISHED:
        what_was_begun_is_listed_and_can_be_removed,
        a_writer_that_ends_leaves_nothing_unfinished,
        removing_what_was_never_begun_is_no_error;
};

/// Writes until the store lists the object as unfinished.
async fn begin(case: &Case, name: &str) -> Result<Box<dyn ObjectWriter>, Finding> {
    let key = case.key(name);
    let options = WriteOptions::with_size_hint(Some(ENOUGH_BYTES));
    let mut writer = case.store.open_writer(&key, options).await?;
    let chunk = seeded(90, 4 << 20);
    let mut written = 0;
    while !is_unfinished(case, name).await? {
        ensure!(written < ENOUGH_BYTES, "{written} bytes are written, and nothing is unfinished");
        writer.write(chunk.clone()).await?;
        written += chunk.len() as u64;
    }
    Ok(writer)
}

async fn is_unfinished(case: &Case, name: &str) -> Result<bool, Finding> {
    let key = case.key(name);
    let entries = case.store.list_unfinished(&key, None, 10).await?;
    Ok(entries.iter().any(|entry| entry.key == key))
}

async fn what_was_begun_is_listed_and_can_be_removed(case: Case) -> Verdict {
    let (first, _second) = (begin(&case, "a").await?, begin(&case, "b").await?);
    let all = case.store.list_unfinished(&case.key(""), None, 10).await?;
    let keys: Vec<_> = all.iter().map(|entry| entry.key.clone()).collect();
    ensure!(keys == [case.key("a"), case.key("b")], "listed as unfinished: {keys:?}");
    let after = case.store.list_unfinished(&case.key(""), Some(&case.key("a")), 10).await?;
    ensure!(after.len() == 1, "after the first of two come {}", after.len());
    let one = case.store.list_unfinished(&case.key(""), None, 1).await?;
    ensure!(one.len() == 1, "a page of one has {}", one.len());
    ensure!(case.names("").await?.is_empty(), "what is unfinished is listed as an object");

    case.store.abort_unfinished(&case.key("a")).await?;
    ensure!(!is_unfinished(&case, "a").await?, "it is still there");
    ensure!(is_unfinished(&case, "b").await?, "another one has gone as well");
    ensure!(first.finish().await.is_err(), "what was removed could be finished");
    ensure_kind(case.store.stat(&case.key("a")).await, PluginErrorKind::NotFound, "stat")?;
    case.store.abort_unfinished(&case.key("b")).await?;
    Ok(())
}

async fn a_writer_that_ends_leaves_nothing_unfinished(case: Case) -> Verdict {
    begin(&case, "finished").await?.finish().await?;
    ensure!(!is_unfinished(&case, "finished").await?, "it is finished and unfinished");
    begin(&case, "aborted").await?.abort().await?;
    ensure!(!is_unfinished(&case, "aborted").await?, "it was aborted");
    drop(begin(&case, "dropped").await?);
    eventually("the end of a dropped writer", || async {
        Ok(!is_unfinished(&case, "dropped").await?)
    })
    .await
}

async fn removing_what_was_never_begun_is_no_error(case: Case) -> Verdict {
    case.store.abort_unfinished(&case.key("never")).await?;
    case.put("object", &seeded(91, 100)).await?;
    case.store.abort_unfinished(&case.key("object")).await?;
    ensure!(case.get("object").await?.len() == 100, "a finished object has gone");
    Ok(())
}
