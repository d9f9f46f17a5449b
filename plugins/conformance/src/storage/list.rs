//! Listing: every key once, in order, page by page.

use boxvault_plugin_sdk::WriteOptions;

use super::{Case, Entry, cases};
use crate::{
    bytes::seeded,
    case::{Verdict, ensure},
};

pub(super) const CASES: &[Entry] = cases! {
    LIST:
        a_listing_is_sorted_by_the_bytes_of_the_key,
        pages_put_together_are_the_whole_listing,
        a_prefix_is_text_and_no_folder,
        a_listing_says_sizes_and_hides_unfinished_objects,
        an_empty_listing_is_no_error;
};

/// Names whose order shows whether a folder is sorted with its slash.
const NAMES: [&str; 9] = ["a-1", "a.1", "a/1", "a/b/2", "a/b0", "a0", "ab/c", "b", "ä"];

async fn fill(case: &Case) -> Verdict {
    for name in NAMES.iter().rev() {
        case.put(name, &seeded(60, 10)).await?;
    }
    Ok(())
}

async fn a_listing_is_sorted_by_the_bytes_of_the_key(case: Case) -> Verdict {
    fill(&case).await?;
    let found = case.names("").await?;
    ensure!(found == NAMES, "expected {NAMES:?}, found {found:?}");
    Ok(())
}

async fn pages_put_together_are_the_whole_listing(case: Case) -> Verdict {
    fill(&case).await?;
    let prefix = case.key("");
    for limit in 1..=4 {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = case.store.list(&prefix, after.as_deref(), limit).await?;
            ensure!(page.len() <= limit as usize, "a page of {limit} has {} rows", page.len());
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            found.extend(page.iter().filter_map(|e| e.key.get(prefix.len()..).map(str::to_owned)));
        }
        ensure!(found == NAMES, "in pages of {limit}: expected {NAMES:?}, found {found:?}");
    }
    // What the last page ended with need not exist any more.
    let rest = case.store.list(&prefix, Some(&case.key("a/a")), 2).await?;
    let rest: Vec<_> = rest.iter().filter_map(|e| e.key.get(prefix.len()..)).collect();
    ensure!(rest == ["a/b/2", "a/b0"], "after a/a came {rest:?}");
    Ok(())
}

async fn a_prefix_is_text_and_no_folder(case: Case) -> Verdict {
    fill(&case).await?;
    for (prefix, expected) in [
        ("a/b", &NAMES[3..5]),
        ("a", &NAMES[..7]),
        ("a/", &NAMES[2..5]),
        ("a/b/", &NAMES[3..4]),
        ("b", &NAMES[7..8]),
        ("x", &[]),
        ("a/b/2/x", &[]),
    ] {
        let found = case.names(prefix).await?;
        ensure!(found == expected, "{prefix:?}: expected {expected:?}, found {found:?}");
    }
    Ok(())
}

async fn a_listing_says_sizes_and_hides_unfinished_objects(case: Case) -> Verdict {
    case.put("done", &seeded(61, 12_345)).await?;
    let key = case.key("doing");
    let mut writer = case.store.open_writer(&key, WriteOptions::default()).await?;
    writer.write(seeded(62, 100_000)).await?;
    let entries = case.store.list(&case.key(""), None, 10).await?;
    writer.abort().await?;
    let found: Vec<_> = entries.iter().map(|entry| (entry.key.clone(), entry.size)).collect();
    ensure!(found == [(case.key("done"), 12_345)], "listed: {found:?}");
    Ok(())
}

async fn an_empty_listing_is_no_error(case: Case) -> Verdict {
    ensure!(case.names("nothing/here/").await?.is_empty(), "something is listed");
    case.put("one", &seeded(63, 1)).await?;
    let none = case.store.list(&case.key(""), None, 0).await?;
    ensure!(none.is_empty(), "a limit of 0 lists {} rows", none.len());
    Ok(())
}
