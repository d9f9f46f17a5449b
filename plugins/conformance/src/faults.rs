//! What happens when a plugin's process is killed, its disk is full, or its network fails.
//!
//! The kit cannot start processes of plugins by itself, since it knows no host: whoever runs it says
//! how ([`Bench`]). What it does know is what must be true afterwards.

mod auth;
mod auth_network;
mod full;
mod killed;
mod network;
mod tunnel;

use std::sync::Arc;

use boxvault_plugin_sdk::{AuthProvider, Capabilities, Result, StorageBackend};
use futures_util::future::BoxFuture;

use crate::{
    bytes::seeded,
    case::{self, Shared, Verdict, ensure, eventually},
    report::{CaseReport, Outcome, Report},
    storage::{Case as Place, ensure_same},
};

pub use auth::auth;
pub use auth_network::auth_network;
pub use tunnel::Tunnel;

/// Something that runs in a process of its own.
pub struct Victim<T: ?Sized> {
    /// What it serves.
    pub it: Arc<T>,
    /// Kills the process. Another one is started by itself.
    pub kill: Box<dyn Fn() + Send + Sync>,
}

/// A store that is being opened.
pub type Opening<'a> = BoxFuture<'a, Result<Victim<dyn StorageBackend>>>;

/// How a store is opened for the suite.
pub struct Bench<'a> {
    /// Opens the store in a process of its own, which may write files of at most so many bytes.
    pub open: Box<dyn Fn(Option<u64>) -> Opening<'a> + 'a>,
    /// Whether the store is to forget everything with its process, as one for tests does.
    pub forgets: bool,
}

/// A case of a suite of faults: its name, what it needs, and what it does.
struct Entry<T> {
    name: &'static str,
    needs: Capabilities,
    run: fn(T) -> BoxFuture<'static, Verdict>,
}

/// What a case of a killed or full process works with.
pub(crate) struct Case {
    victim: Victim<dyn StorageBackend>,
    place: Place,
    /// As in [`Bench`].
    forgets: bool,
}

/// Runs the suite of kills and full disks.
pub async fn storage(bench: &Bench<'_>) -> Report {
    let mut cases = Vec::new();
    for entry in killed::CASES {
        let outcome = if bench.forgets && entry.name == killed::LASTS {
            let reason = "the store forgets everything with its process".to_owned();
            Outcome::Skipped { reason }
        } else {
            run_one(bench, None, entry).await
        };
        cases.push(CaseReport { name: entry.name.into(), outcome });
    }
    for entry in full::CASES {
        let outcome = run_one(bench, Some(full::FILE_BYTES_MAX), entry).await;
        cases.push(CaseReport { name: entry.name.into(), outcome });
    }
    Report { suite: "faults".into(), cases }
}

async fn run_one(bench: &Bench<'_>, files: Option<u64>, entry: &Entry<Case>) -> Outcome {
    let victim = match (bench.open)(files).await {
        Ok(victim) => victim,
        Err(error) => return Outcome::Failed { reason: format!("no instance: {error}") },
    };
    let store = Arc::clone(&victim.it);
    if !store.capabilities().contains(entry.needs) {
        let claim = entry.needs.names().collect::<Vec<_>>().join(", ");
        return Outcome::NotClaimed { claim };
    }
    let place = Place::new(store);
    let outcome =
        case::outcome((entry.run)(Case { victim, place: place.clone(), forgets: bench.forgets }))
            .await;
    place.clean_up().await;
    outcome
}

/// Runs the suite of networks that fail, on a store that reaches its service through the tunnel alone.
pub async fn storage_network<F, M>(make: M, tunnel: &Tunnel) -> Report
where
    M: Fn() -> F,
    F: Future<Output = Result<Arc<dyn StorageBackend>>>,
{
    let mut shared = Shared::new();
    let mut cases = Vec::new();
    for entry in network::CASES {
        let run = async |store| {
            let place = Place::new(store);
            let case = network::Case { place: place.clone(), tunnel: tunnel.clone() };
            let outcome = case::outcome((entry.run)(case)).await;
            tunnel.mend();
            place.clean_up().await;
            outcome
        };
        let outcome = shared.run(&make, run).await;
        cases.push(CaseReport { name: entry.name.into(), outcome });
    }
    Report { suite: "network".into(), cases }
}

/// Lists cases: each function's name is the promise.
macro_rules! cases {
    ($($needs:ident: $($function:ident),+ $(,)?;)+) => {
        &[$($($crate::faults::Entry {
            name: stringify!($function),
            needs: boxvault_plugin_sdk::Capabilities::$needs,
            run: |case| Box::pin($function(case)),
        }),+),+]
    };
}
use cases;

/// Waits until a store works, as it must after every fault: something can be written and read.
async fn ensure_works(place: &Place) -> Verdict {
    eventually("the store to work again", || async { Ok(place.store.health().await.is_ok()) })
        .await?;
    let bytes = seeded(90, 20_000);
    place.put("after", &bytes).await?;
    ensure_same(&place.get("after").await?, &bytes, "an object that was written afterwards")?;
    place.store.delete(&place.key("after")).await?;
    Ok(())
}

/// Fails unless a key has the whole object, or nothing.
async fn ensure_whole_or_absent(
    place: &Place,
    name: &str,
    bytes: &[u8],
) -> Result<bool, case::Finding> {
    match place.store.stat(&place.key(name)).await {
        Ok(meta) => {
            let (found, expected) = (meta.size, bytes.len());
            ensure!(found == expected as u64, "{found} bytes of {expected} are there as an object");
            ensure_same(&place.get(name).await?, bytes, "the object")?;
            Ok(true)
        }
        Err(error) if error.kind == boxvault_plugin_sdk::PluginErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What an auth provider in a process of its own is for the suite of faults.
pub type AuthVictim = Victim<dyn AuthProvider>;
