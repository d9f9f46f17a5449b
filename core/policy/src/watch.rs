//! Watches the folder of policy files, and tells of a change once it has settled.
//!
//! It polls, and compares texts by digest. The files are a few KiB, so this costs less than it saves: notifications
//! of the system do not arrive on network and container mounts, and times of change miss a second edit within a tick.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::error::PolicyError;
use crate::files::PolicyFiles;
use crate::handle::PolicyHandle;

/// What a look at the folder found: a digest, or why there is none.
type Seen = Result<String, String>;

/// Looks at the handle's folder at every interval, for ever; returns at once if there is none, or the interval is zero.
///
/// A change counts when two looks in a row found the same, so that a file that is being written is left alone. It is
/// told once, whatever comes of it: files that are refused are told of again when they change.
///
/// # Cancel safety
/// May be dropped at any time.
pub async fn watch<F>(handle: Arc<PolicyHandle>, interval: Duration, mut changed: impl FnMut() -> F)
where
    F: Future<Output = ()>,
{
    if handle.source().is_none() || interval.is_zero() {
        return;
    }
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut settled: Seen = Ok(handle.load().digest().to_owned());
    let mut before = settled.clone();
    loop {
        ticks.tick().await;
        let seen = look(&handle).await;
        if seen != settled && seen == before {
            settled.clone_from(&seen);
            changed().await;
        } else if seen == settled && before != settled {
            tracing::debug!("policy files changed and changed back");
        }
        before = seen;
    }
}

async fn look(handle: &PolicyHandle) -> Seen {
    let Some(dir) = handle.source().map(ToOwned::to_owned) else { return Err(String::new()) };
    tokio::task::spawn_blocking(move || PolicyFiles::read(&dir).map(|files| files.digest()))
        .await
        .map_err(|panic| panic.to_string())?
        .map_err(|error: PolicyError| error.to_string())
}
