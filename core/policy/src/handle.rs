//! [`PolicyHandle`]: the policy in force, swapped as a whole.
//!
//! A new policy is built and checked beside the old one, and then one pointer moves. A request loads the pointer once
//! and uses that policy to its end, so it never sees half of each. Whatever goes wrong, the old policy stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::{Mutex, MutexGuard};
use tracing::{error, warn};

use crate::error::{PolicyError, Problem};
use crate::files::PolicyFiles;
use crate::policy::Policy;

/// How the policy in force came about, for readiness, metrics and the UI.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyState {
    /// The digest of the policy in force.
    pub digest: String,
    /// When it came into force.
    pub loaded_at: SystemTime,
    /// The folder that it was read from; absent for the rules inside the program.
    pub source: Option<PathBuf>,
    /// Why the files as they are now were refused. Empty while the policy in force is the files' own.
    pub problems: Vec<Problem>,
    /// How many times a policy came into force, the first included.
    pub loads: u64,
    /// How many times files were refused.
    pub refusals: u64,
}

impl PolicyState {
    /// Whether the policy in force is what the files say.
    pub fn is_current(&self) -> bool {
        self.problems.is_empty()
    }
}

/// The policy in force. Share it by `Arc`.
#[derive(Debug)]
pub struct PolicyHandle {
    current: ArcSwap<Policy>,
    state: ArcSwap<PolicyState>,
    source: Option<PathBuf>,
    /// Failed evaluations of policies that are no longer in force.
    failures_before: AtomicU64,
    /// Held while files are read and swapped in, so that a slow reading never overwrites a later one.
    reloading: Mutex<()>,
}

impl PolicyHandle {
    /// Puts the policy of a folder in force, or without one the rules inside the program. Reads files, so it blocks.
    ///
    /// # Errors
    /// All problems of the files. There is no older policy to keep at a start, so the server must not start.
    pub fn open(dir: Option<&Path>) -> Result<Self, PolicyError> {
        let policy = match dir {
            Some(dir) => Policy::load(dir)?,
            None => Policy::embedded()?,
        };
        Ok(Self::new(policy, dir.map(Path::to_owned)))
    }

    /// Puts a policy in force; `source` is the folder that later changes are read from.
    pub fn new(policy: Policy, source: Option<PathBuf>) -> Self {
        warn_of(&policy);
        let state = PolicyState {
            digest: policy.digest().to_owned(),
            loaded_at: SystemTime::now(),
            source: source.clone(),
            problems: Vec::new(),
            loads: 1,
            refusals: 0,
        };
        Self {
            current: ArcSwap::from_pointee(policy),
            state: ArcSwap::from_pointee(state),
            source,
            failures_before: AtomicU64::new(0),
            reloading: Mutex::new(()),
        }
    }

    /// The policy in force. Load it once per request and use it to the request's end.
    pub fn load(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// How the policy in force came about.
    pub fn state(&self) -> Arc<PolicyState> {
        self.state.load_full()
    }

    /// How many evaluations failed since the start.
    pub fn failures(&self) -> u64 {
        self.failures_before.load(Ordering::Relaxed) + self.current.load().failures()
    }

    /// The folder that changes are read from.
    pub fn source(&self) -> Option<&Path> {
        self.source.as_deref()
    }

    /// Puts the same policy in force with other rules of organizations' own.
    pub fn renew(&self, policy: Policy) {
        let before = self.current.swap(Arc::new(policy));
        self.failures_before.fetch_add(before.failures(), Ordering::Relaxed);
    }

    /// Puts another policy in force, and returns the one before.
    pub fn replace(&self, policy: Policy) -> Arc<Policy> {
        warn_of(&policy);
        let digest = policy.digest().to_owned();
        let before = self.current.swap(Arc::new(policy));
        self.failures_before.fetch_add(before.failures(), Ordering::Relaxed);
        self.state.rcu(|state| PolicyState {
            digest: digest.clone(),
            loaded_at: SystemTime::now(),
            problems: Vec::new(),
            loads: state.loads + 1,
            ..PolicyState::clone(state)
        });
        before
    }

    /// Waits for everybody else who changes the policy; held while the files or the policy in force change.
    pub async fn changing(&self) -> MutexGuard<'_, ()> {
        self.reloading.lock().await
    }

    /// Reads the folder now; `None` if it holds the policy in force, or there is none.
    ///
    /// # Errors
    /// All problems of the files.
    pub async fn read_folder(&self) -> Result<Option<Policy>, PolicyError> {
        let Some(dir) = self.source.clone() else { return Ok(None) };
        let digest = self.current.load().digest().to_owned();
        let built = tokio::task::spawn_blocking(move || {
            let files = PolicyFiles::read(&dir)?;
            if files.digest() == digest { Ok(None) } else { Policy::build(&files).map(Some) }
        })
        .await;
        // a panic while building is a defect of ours, and no reason to lose the policy in force
        built.unwrap_or_else(|panic| {
            Err(PolicyError::Invalid {
                problems: vec![Problem::new("policy.csv", 0, 0, panic.to_string())],
            })
        })
    }

    /// Tells that the files are refused: in the log, and in [`PolicyHandle::state`].
    pub fn refuse(&self, refusal: &PolicyError) {
        let problems = refusal.problems();
        error!(
            problems = problems.len(),
            policy.digest = self.current.load().digest(),
            "policy files refused, the old policy stays in force: {refusal}"
        );
        self.note(&problems);
    }

    /// Tells that the files are what is in force.
    pub fn accept(&self) {
        self.note(&[]);
    }

    fn note(&self, problems: &[Problem]) {
        self.state.rcu(|state| PolicyState {
            refusals: state.refusals + u64::from(!problems.is_empty()),
            problems: problems.to_vec(),
            ..PolicyState::clone(state)
        });
    }
}

fn warn_of(policy: &Policy) {
    for warning in policy.warnings() {
        warn!(policy.file = warning.file, policy.line = warning.line, "policy: {warning}");
    }
}
