//! The harness: the real program in a temporary folder, clients for it, and the boxes to publish.
//!
//! Nothing here looks inside the server: it is started as a process and spoken to as anybody would, because what is
//! promised to operators and to stock clients can only be seen from there. What needs no process is tested in its
//! own room.
#![forbid(unsafe_code)]

pub mod bytes;
pub mod client;
pub mod database;
pub mod document;
pub mod faults;
pub mod mail;
pub mod outcome;
pub mod plugins;
pub mod proxy;
pub mod raw;
pub mod reasons;
pub mod server;
pub mod totp;
pub mod upstream;
pub mod vagrant;
pub mod workspace;

use std::{
    fs::OpenOptions,
    io::Write as _,
    time::{Duration, Instant},
};

pub use client::{Client, Publication, Reply};
pub use server::TestServer;
pub use vagrant::Vagrant;

/// Notes that a test cannot run on this machine. The caller returns right after.
///
/// The line goes to the file that `BOXVAULT_SKIP_LOG` names, which `make test` prints at its end, and to standard
/// output. With `CI=true` it panics instead: there, every test has to run.
pub fn skip(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}\n");
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{line}with CI=true a test that cannot run is a failure: let .ci/run install what is missing"
    );
    if let Some(path) = std::env::var_os("BOXVAULT_SKIP_LOG") {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|error| panic!("could not write {}: {error}", path.display()));
    }
    #[expect(clippy::print_stdout, reason = "a skipped test says so where it runs")]
    {
        print!("{line}");
    }
}

/// Waits until `condition` gives a value; panics with `what` when `deadline` has passed.
pub async fn wait_for<T, F>(what: &str, deadline: Duration, mut condition: F) -> T
where
    F: AsyncFnMut() -> Option<T>,
{
    let started = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(started.elapsed() < deadline, "waited {deadline:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
