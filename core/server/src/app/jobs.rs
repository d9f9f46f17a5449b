//! What this server does beside the requests, and how it went: for whoever looks after it.
//!
//! Each server knows its own; nothing of it is kept. What goes on for as long as a server runs says when it starts a
//! piece of work and how that ended ([`Jobs::run`]), and is otherwise left alone.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use boxvault_catalog::{outbox, store_moves, verifications};
use boxvault_types::views::system::JobView;
use chrono::{DateTime, Utc};

use super::{App, sessions::delta};
use crate::error::Result;

/// Something that goes on in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Job {
    /// Writes counters of downloads and of the use of tokens, and refusals into the audit log.
    Counters,
    /// Looks for what happens, while somebody listens.
    Events,
    /// Sends messages.
    Mail,
    /// Brings mirrors over whose time has come.
    Mirrors,
    /// Moves files from store to store, as somebody asked for.
    Moves,
    /// Puts the newest policy in force.
    Policy,
    /// Reads all stored files again, slowly.
    Scrub,
    /// Makes new signing keys.
    SigningKeys,
    /// Counts what the stores hold, and asks whether they answer.
    Stores,
    /// Removes what nobody needs any more.
    Sweep,
    /// Reads files again that somebody asked for.
    Verification,
    /// Tells watchers of releases.
    Watchers,
}

impl Job {
    const ALL: [Self; 12] = [
        Self::Counters,
        Self::Events,
        Self::Mail,
        Self::Mirrors,
        Self::Moves,
        Self::Policy,
        Self::Scrub,
        Self::SigningKeys,
        Self::Stores,
        Self::Sweep,
        Self::Verification,
        Self::Watchers,
    ];

    /// Its name in the API and in the log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Counters => "counters",
            Self::Events => "events",
            Self::Mail => "mail",
            Self::Mirrors => "mirrors",
            Self::Moves => "moves",
            Self::Policy => "policy",
            Self::Scrub => "scrub",
            Self::SigningKeys => "signing-keys",
            Self::Stores => "stores",
            Self::Sweep => "sweep",
            Self::Verification => "verification",
            Self::Watchers => "watchers",
        }
    }
}

/// How one job went so far.
#[derive(Debug, Clone, Default)]
struct State {
    every: Option<Duration>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    is_running: bool,
    runs: u64,
    failures: u64,
    failed_at: Option<DateTime<Utc>>,
    problem: Option<String>,
}

/// How all of them went. A job that never began is one that the configuration switches off.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    states: Mutex<BTreeMap<Job, State>>,
}

impl Jobs {
    /// Says that a job goes on from now, and how often it starts.
    pub(crate) fn begin(&self, job: Job, every: Duration) {
        self.change(job, |state| state.every = Some(every));
    }

    /// Does a piece of a job's work, and remembers when and how it ended.
    pub(crate) async fn run<T>(
        &self,
        job: Job,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.change(job, |state| {
            state.is_running = true;
            state.started_at = Some(Utc::now());
        });
        let outcome = work.await;
        self.change(job, |state| {
            let now = Utc::now();
            state.is_running = false;
            state.ended_at = Some(now);
            state.runs += 1;
            if let Err(error) = &outcome {
                state.failures += 1;
                state.failed_at = Some(now);
                state.problem = Some(error.message().to_owned());
            }
        });
        outcome
    }

    fn change(&self, job: Job, change: impl FnOnce(&mut State)) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        change(states.entry(job).or_default());
    }

    fn views(&self) -> Vec<JobView> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        Job::ALL.iter().map(|job| view(*job, states.get(job))).collect()
    }
}

impl App {
    /// What this server does in the background, with what waits for it.
    ///
    /// # Errors
    /// When the catalog fails.
    pub(crate) async fn list_jobs(&self) -> Result<Vec<JobView>> {
        let mail = outbox::count(&self.catalog).await?;
        let files = verifications::count_requested(&self.catalog).await?;
        let moves = store_moves::count_open(&self.catalog).await?;
        let mut views = self.jobs.views();
        for view in &mut views {
            if view.name == Job::Mail.name() {
                (view.waiting, view.given_up) = (Some(mail.waiting), Some(mail.given_up));
            } else if view.name == Job::Moves.name() {
                view.waiting = Some(moves);
            } else if view.name == Job::Verification.name() {
                view.waiting = Some(files);
            }
        }
        Ok(views)
    }
}

fn view(job: Job, state: Option<&State>) -> JobView {
    let enabled = state.is_some();
    let state = state.cloned().unwrap_or_default();
    let next_at = match (state.is_running, state.started_at, state.every) {
        (false, Some(started), Some(every)) => Some((started + delta(every)).max(Utc::now())),
        _ => None,
    };
    JobView {
        name: job.name().to_owned(),
        enabled,
        every_seconds: state.every.map(|every| every.as_secs_f64()),
        running: state.is_running,
        started_at: state.started_at,
        ended_at: state.ended_at,
        next_at,
        runs: state.runs,
        failures: state.failures,
        failed_at: state.failed_at,
        problem: state.problem,
        waiting: None,
        given_up: None,
    }
}

#[cfg(test)]
mod tests {
    use boxvault_types::error::ErrorCode;

    use super::*;
    use crate::error::AppError;

    fn of(jobs: &Jobs, job: Job) -> JobView {
        jobs.views().into_iter().find(|view| view.name == job.name()).unwrap()
    }

    #[tokio::test]
    async fn a_job_tells_when_it_ran_and_what_went_wrong_last() {
        let jobs = Jobs::default();
        assert!(!of(&jobs, Job::Sweep).enabled);
        jobs.begin(Job::Sweep, Duration::from_secs(90));
        let idle = of(&jobs, Job::Sweep);
        assert_eq!((idle.enabled, idle.every_seconds, idle.next_at), (true, Some(90.0), None));
        let seen = jobs.run(Job::Sweep, async { Ok(of(&jobs, Job::Sweep)) }).await.unwrap();
        assert!(seen.running && seen.next_at.is_none());
        let after = of(&jobs, Job::Sweep);
        assert!(!after.running && after.next_at > after.ended_at);
        assert_eq!((after.runs, after.failures, after.problem), (1, 0, None));
        let failing = async { Err::<(), _>(AppError::new(ErrorCode::Busy, "too much")) };
        assert!(jobs.run(Job::Sweep, failing).await.is_err());
        let after = of(&jobs, Job::Sweep);
        assert_eq!((after.runs, after.failures), (2, 1));
        assert_eq!(after.problem.as_deref(), Some("too much"));
        // what went wrong is told until it goes wrong again, with its time
        jobs.run(Job::Sweep, async { Ok(()) }).await.unwrap();
        let after = of(&jobs, Job::Sweep);
        assert!(after.problem.is_some() && after.failed_at < after.ended_at);
    }
}
