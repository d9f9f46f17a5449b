//! What goes on beside the requests.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tracing::warn;

use crate::{
    app::{App, audit::By, jobs::Job},
    error::Result,
};

/// How often the signing keys are looked at: whether one is old, and whether another server has a new one.
const KEYS_INTERVAL: Duration = Duration::from_mins(1);

/// How often counters are written to the catalog, and watchers told of releases.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// How often it is counted what each store holds, and asked whether it is there.
const COUNT_INTERVAL: Duration = Duration::from_mins(1);

/// Starts all of it.
pub(super) fn background(app: &Arc<App>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let again = |job, interval| Again { app: Arc::clone(app), job, interval };

    tasks.spawn(
        again(Job::Counters, FLUSH_INTERVAL).and_again(|app| async move { flush(&app).await }),
    );
    tasks.spawn(
        again(Job::Watchers, FLUSH_INTERVAL)
            .and_again(|app| async move { app.tell_watchers().await }),
    );
    tasks.spawn(again(Job::SigningKeys, KEYS_INTERVAL).and_again(|app| async move {
        let age = app.config.auth.signing_key_max_age.into();
        app.rotate_signing_key(age, By::Server).await.map(drop)
    }));
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
    tasks.spawn(
        again(Job::Stores, COUNT_INTERVAL).and_again(|app| async move { app.count_stores().await }),
    );
    tasks.spawn(Arc::clone(app).move_forever());
    tasks.spawn(Arc::clone(app).verify_forever());
    tasks.spawn(Arc::clone(app).sync_mirrors_forever());
    let scrub_interval: Duration = app.config.storage.scrub_interval.into();
    if !scrub_interval.is_zero() {
        tasks.spawn(Arc::clone(app).scrub_forever(scrub_interval));
    }
    let sweep_interval: Duration = app.config.storage.sweep_interval.into();
    if !sweep_interval.is_zero() {
        tasks.spawn(
            again(Job::Sweep, sweep_interval)
                .and_again(|app| async move { app.sweep(app.sweep_options()).await.map(drop) }),
        );
    }
    tasks.spawn(Arc::clone(app).follow_events_forever());
    tasks
}

/// A job that starts again and again.
struct Again {
    app: Arc<App>,
    job: Job,
    interval: Duration,
}

impl Again {
    /// Does the work for ever. What fails is told, and tried again.
    async fn and_again<W>(self, work: impl Fn(Arc<App>) -> W)
    where
        W: Future<Output = Result<()>>,
    {
        let Self { app, job, interval } = self;
        app.jobs.begin(job, interval);
        let mut ticks = tokio::time::interval(interval);
        loop {
            ticks.tick().await;
            if let Err(error) = app.jobs.run(job, work(Arc::clone(&app))).await {
                let cause = error.causes();
                warn!(job = job.name(), cause, "a job in the background failed; trying again");
            }
        }
    }
}

/// Writes what is counted and kept in memory; what cannot be written is kept and tried again.
pub(super) async fn flush(app: &App) -> Result<()> {
    let outcomes =
        [app.flush_downloads().await, app.flush_token_uses().await, app.flush_refusals().await];
    outcomes.into_iter().collect()
}
