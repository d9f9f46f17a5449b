//! The plugin's own tokio runtime, and the only place that names tokio.
//!
//! A library has its own copy of tokio, so the host's runtime is of no use to it and must not be
//! touched. Two workers are enough: they only move bytes, blocking work has its own threads.

use std::{future::Future, sync::OnceLock};

use futures_util::FutureExt;
pub(crate) use tokio::sync::{
    Mutex,
    mpsc::{Receiver, Sender, channel, error::TryRecvError},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use crate::error::{PluginError, Result};

const WORKERS: usize = 2;

/// Starts the runtime at the first call; later calls find it.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("boxvault-plugin")
            .enable_all()
            .build()
            .map_err(|error| PluginError::unavailable(format!("could not start threads: {error}")))
    });
    runtime.as_ref().map_err(Clone::clone)
}

/// Runs a task on the plugin's threads.
///
/// # Errors
/// `Unavailable` if there are no threads; the task is dropped then.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let runtime = runtime()?;
    // The task answers by itself; its handle is of no use.
    drop(runtime.spawn(task));
    Ok(())
}

/// Runs a task on the caller's thread up to its first wait, and the rest on the plugin's threads.
///
/// Saves two thread switches where the answer is at hand. Not for work that computes.
///
/// # Errors
/// As in [`spawn`].
pub(crate) fn spawn_eagerly(task: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let mut task = Box::pin(task);
    let finished = {
        let _context = runtime()?.enter();
        task.as_mut().now_or_never()
    };
    match finished {
        Some(()) => Ok(()),
        None => spawn(task),
    }
}

/// A place for one answer, and the wait for it.
pub(crate) fn answer<T>() -> (Answer<T>, Waiting<T>) {
    let (sender, receiver) = oneshot::channel();
    (Answer(sender), Waiting(receiver))
}

/// Gives an answer once.
pub(crate) struct Answer<T>(oneshot::Sender<T>);

impl<T> Answer<T> {
    /// Answers. Nobody may be waiting any more, which changes nothing.
    pub(crate) fn send(self, value: T) {
        drop(self.0.send(value));
    }
}

/// Waits for an answer.
pub(crate) struct Waiting<T>(oneshot::Receiver<T>);

impl<T> Waiting<T> {
    /// # Errors
    /// `Unexpected` when whoever should answer is gone.
    pub(crate) async fn wait(self) -> Result<T> {
        self.0.await.map_err(|_| PluginError::unexpected("the work ended without an answer"))
    }
}

/// Does something on the caller's thread with the plugin's runtime at hand, if it is running.
///
/// For dropping: a client that closes its connections in `drop` may need to spawn.
pub(crate) fn with_context<T>(work: impl FnOnce() -> T) -> T {
    match runtime() {
        Ok(runtime) => {
            let _context = runtime.enter();
            work()
        }
        Err(_) => work(),
    }
}

/// Waits for a future on the caller's thread, as a test does.
#[cfg(test)]
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().expect("the threads of a test can be started").block_on(future)
}
