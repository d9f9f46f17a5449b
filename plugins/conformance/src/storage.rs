//! The storage suite: what [`StorageBackend`] promises, case by case.

mod delete;
mod keys;
mod list;
mod local;
mod pace;
mod presign;
mod read;
mod stat;
mod unfinished;
mod write;

use std::{
    future::Future,
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use boxvault_plugin_sdk::{
    ByteRange, Bytes, Capabilities, ObjectMeta, ObjectReader, PluginErrorKind, Result,
    StorageBackend, WriteOptions,
};
use futures_util::future::BoxFuture;

use crate::{
    case::{self, Finding, Shared, Verdict},
    report::{CaseReport, Outcome, Report},
};

/// What a case works with: a store, and a part of it that nobody else uses.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) store: Arc<dyn StorageBackend>,
    prefix: String,
}

/// A named case, what a plugin must declare for it, and what it must not.
pub(crate) struct Entry {
    name: &'static str,
    needs: Capabilities,
    without: Capabilities,
    run: fn(Case) -> BoxFuture<'static, Verdict>,
}

/// Lists cases: each function's name, with spaces, is the promise.
macro_rules! cases {
    ($($needs:ident: $($function:ident),+ $(,)?;)+) => {
        &[$($($crate::storage::Entry::new(
            stringify!($function),
            boxvault_plugin_sdk::Capabilities::$needs,
            |case| Box::pin($function(case)),
        )),+),+]
    };
}
pub(crate) use cases;

impl Entry {
    pub(crate) const fn new(
        name: &'static str,
        needs: Capabilities,
        run: fn(Case) -> BoxFuture<'static, Verdict>,
    ) -> Self {
        Self { name, needs, without: Capabilities::NONE, run }
    }

    pub(crate) const fn without(mut self, capability: Capabilities) -> Self {
        self.without = capability;
        self
    }
}

/// Runs the suite. `make` makes an instance, which serves until a case fails: each uses only keys of its own.
pub async fn run<F, M>(make: M) -> Report
where
    M: Fn() -> F,
    F: Future<Output = Result<Arc<dyn StorageBackend>>>,
{
    let suites: [&[Entry]; 11] = [
        write::CASES,
        write::REPLACE,
        read::CASES,
        stat::CASES,
        delete::CASES,
        keys::CASES,
        list::CASES,
        local::CASES,
        pace::CASES,
        presign::CASES,
        unfinished::CASES,
    ];
    let mut shared = Shared::new();
    let mut cases = Vec::new();
    for entry in suites.into_iter().flatten() {
        let outcome = shared.run(&make, |store| run_one(entry, store)).await;
        cases.push(CaseReport { name: entry.name.into(), outcome });
    }
    Report { suite: "storage".into(), cases }
}

async fn run_one(entry: &Entry, store: Arc<dyn StorageBackend>) -> Outcome {
    let declared = store.capabilities();
    if !declared.contains(entry.needs) {
        return Outcome::NotClaimed { claim: names(entry.needs) };
    }
    if entry.without != Capabilities::NONE && declared.contains(entry.without) {
        return Outcome::NotClaimed { claim: format!("no {}", names(entry.without)) };
    }
    let case = Case::new(store);
    let outcome = case::outcome((entry.run)(case.clone())).await;
    case.clean_up().await;
    outcome
}

fn names(capabilities: Capabilities) -> String {
    capabilities.names().collect::<Vec<_>>().join(", ")
}

/// Not used by another case, another process, or another day.
fn unique_prefix() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("conformance/{now}-{}-{count}", process::id())
}

impl Case {
    /// A part of a store that nobody else uses.
    pub(crate) fn new(store: Arc<dyn StorageBackend>) -> Self {
        Self { store, prefix: unique_prefix() }
    }

    /// A key of this case.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// Writes an object in one chunk.
    pub(crate) async fn put(&self, name: &str, bytes: &Bytes) -> Result<ObjectMeta> {
        self.put_in_chunks(name, bytes, usize::MAX).await
    }

    /// Writes an object in chunks of this size.
    pub(crate) async fn put_in_chunks(
        &self,
        name: &str,
        bytes: &Bytes,
        size: usize,
    ) -> Result<ObjectMeta> {
        let options = WriteOptions::with_size_hint(Some(bytes.len() as u64));
        let mut writer = self.store.open_writer(&self.key(name), options).await?;
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            let chunk = rest.split_to(rest.len().min(size));
            writer.write(chunk).await?;
        }
        writer.finish().await
    }

    /// Reads a whole object.
    pub(crate) async fn get(&self, name: &str) -> Result<Bytes, Finding> {
        self.get_range(name, ByteRange::FULL).await
    }

    /// Reads a range of an object.
    pub(crate) async fn get_range(&self, name: &str, range: ByteRange) -> Result<Bytes, Finding> {
        let reader = self.store.open_reader(&self.key(name), range).await?;
        read_to_end(reader).await
    }

    /// The keys under a prefix of this case, without the case's own.
    pub(crate) async fn names(&self, prefix: &str) -> Result<Vec<String>, Finding> {
        let entries = self.store.list(&self.key(prefix), None, 1000).await?;
        let start = self.prefix.len() + 1;
        Ok(entries.iter().filter_map(|e| e.key.get(start..).map(ToOwned::to_owned)).collect())
    }

    /// Removes what a case has left; what does not work here, a case has already said.
    pub(crate) async fn clean_up(&self) {
        if !self.store.capabilities().contains(Capabilities::LIST) {
            return;
        }
        for entry in self.store.list(&self.key(""), None, 1000).await.unwrap_or_default() {
            drop(self.store.delete(&entry.key).await);
        }
    }
}

pub(crate) async fn read_to_end(mut reader: Box<dyn ObjectReader>) -> Result<Bytes, Finding> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.next().await? {
        case::ensure!(!chunk.is_empty(), "a chunk is empty");
        all.extend_from_slice(&chunk);
    }
    case::ensure!(reader.next().await?.is_none(), "a reader went on after its end");
    Ok(all.into())
}

/// Fails unless the result is an error of this kind.
pub(crate) fn ensure_kind<T>(result: Result<T>, kind: PluginErrorKind, what: &str) -> Verdict {
    match result {
        Ok(_) => Err(Finding::Failed(format!("{what} worked, expected: {kind}"))),
        Err(error) if error.kind == kind => Ok(()),
        Err(error) => Err(Finding::Failed(format!("{what}: expected {kind}, got {error}"))),
    }
}

/// Fails unless both are the same; says where they differ, and not what they are.
pub(crate) fn ensure_same(found: &[u8], expected: &[u8], what: &str) -> Verdict {
    if found == expected {
        return Ok(());
    }
    let place = found.iter().zip(expected).position(|(a, b)| a != b);
    let place = place.unwrap_or_else(|| found.len().min(expected.len()));
    Err(Finding::Failed(format!(
        "{what}: {} bytes came back instead of {}, and they differ from byte {place} on",
        found.len(),
        expected.len()
    )))
}
