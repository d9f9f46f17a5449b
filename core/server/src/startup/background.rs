//! What goes on beside the requests.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tracing::warn;

use crate::app::{App, audit::By};

/// How often the signing keys are looked at: whether one is old, and whether another server has a new one.
const KEYS_INTERVAL: Duration = Duration::from_mins(1);

/// How often counters are written to the catalog, and watchers told of releases.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// Starts all of it.
pub(super) fn background(app: &Arc<App>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let every =
        |app: &Arc<App>, interval: Duration| (Arc::clone(app), tokio::time::interval(interval));

    let (flushing, mut ticks) = every(app, FLUSH_INTERVAL);
    tasks.spawn(async move {
        loop {
            ticks.tick().await;
            flush(&flushing).await;
        }
    });
    let (telling, mut ticks) = every(app, FLUSH_INTERVAL);
    tasks.spawn(async move {
        loop {
            ticks.tick().await;
            if let Err(error) = telling.tell_watchers().await {
                warn!(cause = error.causes(), "could not tell watchers of a release; trying again");
            }
        }
    });
    let (tending, mut ticks) = every(app, KEYS_INTERVAL);
    tasks.spawn(async move {
        loop {
            ticks.tick().await;
            let age = tending.config.auth.signing_key_max_age.into();
            if let Err(error) = tending.rotate_signing_key(age, By::Server).await {
                warn!(cause = error.causes(), "could not look at the signing keys; trying again");
            }
        }
    });
    let sending = Arc::clone(app);
    tasks.spawn(async move { sending.send_mail_forever().await });
    let watch_interval: Duration = app.config.policy.watch_interval.into();
    if !watch_interval.is_zero() {
        let taking = Arc::clone(app);
        tasks.spawn(boxvault_policy::watch(Arc::clone(&app.policy), watch_interval, move || {
            let taking = Arc::clone(&taking);
            async move { taking.take_policy_folder().await }
        }));
    }
    tasks.spawn(Arc::clone(app).follow_policy_forever());
    tasks.spawn(Arc::clone(app).verify_forever());
    tasks.spawn(Arc::clone(app).sync_mirrors_forever());
    let scrub_interval: Duration = app.config.storage.scrub_interval.into();
    if !scrub_interval.is_zero() {
        tasks.spawn(Arc::clone(app).scrub_forever(scrub_interval));
    }
    let sweep_interval: Duration = app.config.storage.sweep_interval.into();
    if !sweep_interval.is_zero() {
        let (sweeping, mut ticks) = every(app, sweep_interval);
        tasks.spawn(async move {
            loop {
                ticks.tick().await;
                if let Err(error) = sweeping.sweep(sweeping.sweep_options()).await {
                    warn!(cause = error.causes(), "could not sweep; the next sweep will try again");
                }
            }
        });
    }
    tasks
}

/// Writes what is counted and kept in memory.
pub(super) async fn flush(app: &App) {
    let outcomes =
        [app.flush_downloads().await, app.flush_token_uses().await, app.flush_refusals().await];
    for outcome in outcomes {
        if let Err(error) = outcome {
            warn!(
                cause = error.causes(),
                "could not write counters or rows of the audit log; they are kept and tried again"
            );
        }
    }
}
