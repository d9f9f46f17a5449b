//! A fresh database per test, on each of the three databases.
//!
//! SQLite lives in a folder of its own. PostgreSQL and MariaDB come from `BOXVAULT_TEST_POSTGRESQL_URL` and
//! `BOXVAULT_TEST_MARIADB_URL`; without them `testing/databases.sh` starts what is installed, once for all tests of
//! a run. A database that is not there is skipped with a line that says so; under `CI=true` that is a failure.

use std::future::Future;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Catalog, Clock, Database, Options};

/// The script that starts servers, beside this crate's sources.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testing/databases.sh");

/// A clock that a test moves. Each reading is a millisecond after the one before, so that rows have an order.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that begins at a moment.
    pub fn new(start: DateTime<Utc>) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += TimeDelta::from_std(by).expect("a test moves the clock by less than an age");
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += TimeDelta::milliseconds(1);
        *now
    }
}

/// An empty, migrated database that only one test uses.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    /// The catalog in it.
    pub catalog: Catalog,
    /// The catalog's clock; it begins on 2026-01-01.
    pub clock: Arc<ManualClock>,
    /// How to connect to it once more.
    pub url: String,
    statements: Arc<AtomicU64>,
    _folder: Option<Arc<TempDir>>,
}

impl TestDatabase {
    /// A fresh SQLite database.
    pub async fn sqlite() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let url = format!("sqlite://{}/catalog.db", folder.path().display());
        Self::at(url, Some(Arc::new(folder))).await
    }

    async fn at(url: String, folder: Option<Arc<TempDir>>) -> Self {
        let start = DateTime::from_timestamp_micros(1_767_225_600_123_456);
        let clock = Arc::new(ManualClock::new(start.expect("the moment exists")));
        let statements = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&statements);
        let options = Options {
            clock: Arc::<ManualClock>::clone(&clock),
            acquire_timeout: Duration::from_secs(30),
            observer: Some(Arc::new(move |_| {
                counter.fetch_add(1, Ordering::Relaxed);
            })),
            ..Options::default()
        };
        let catalog = Catalog::connect(&url, options).await.expect("a fresh database answers");
        catalog.migrate().await.expect("a fresh database can be migrated");
        Self { catalog, clock, url, statements, _folder: folder }
    }

    /// Runs something, and tells how many statements the catalog sent for it, apart from begin and commit.
    pub async fn count_statements<T>(&self, work: impl Future<Output = T>) -> (T, u64) {
        let before = self.statements.load(Ordering::Relaxed);
        let answer = work.await;
        (answer, self.statements.load(Ordering::Relaxed) - before)
    }
}

/// Runs a test on a fresh database, and removes the database, also when the test fails.
pub async fn run<W, F>(database: Database, test: W)
where
    W: FnOnce(TestDatabase) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let Some(server) = server_url(database).await else {
        return finish(TestDatabase::sqlite().await, test).await;
    };
    let server = match server {
        Ok(url) => url,
        Err(reason) => return skip(database, &reason),
    };
    let name = format!("boxvault_test_{}", Uuid::now_v7().simple());
    execute(database, &server, &format!("CREATE DATABASE {name}")).await;
    let (base, _) = server.rsplit_once('/').expect("a server's URL ends in a database");
    let fresh = TestDatabase::at(format!("{base}/{name}"), None).await;
    let test = test(fresh.clone());
    let outcome = tokio::spawn(test).await;
    fresh.catalog.close().await.expect("the connections close");
    let force = if database == Database::PostgreSql { " WITH (FORCE)" } else { "" };
    execute(database, &server, &format!("DROP DATABASE {name}{force}")).await;
    resume(outcome);
}

async fn finish<W, F>(fresh: TestDatabase, test: W)
where
    W: FnOnce(TestDatabase) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let outcome = tokio::spawn(test(fresh.clone())).await;
    fresh.catalog.close().await.expect("the connections close");
    resume(outcome);
}

fn resume(outcome: Result<(), tokio::task::JoinError>) {
    if let Err(error) = outcome {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn execute(database: Database, server: &str, statement: &str) {
    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
    let outcome = match database {
        Database::PostgreSql => {
            let mut connection =
                sqlx::PgConnection::connect(server).await.expect("the PostgreSQL server answers");
            statement.execute(&mut connection).await.map(drop)
        }
        Database::MariaDb => {
            let mut connection =
                sqlx::MySqlConnection::connect(server).await.expect("the MariaDB server answers");
            statement.execute(&mut connection).await.map(drop)
        }
        Database::Sqlite => Ok(()),
    };
    outcome.expect("the server makes and drops databases");
}

#[expect(
    clippy::print_stderr,
    reason = "whoever reads the test's output must see what did not run"
)]
fn skip(database: Database, reason: &str) {
    assert!(
        variable("CI").as_deref() != Some("true"),
        "the catalog must be tested on {database} in CI: {reason}"
    );
    eprintln!("SKIPPED catalog on {database}: {reason}");
}

/// Nothing for SQLite; else the server's URL, or why there is none.
async fn server_url(database: Database) -> Option<Result<String, String>> {
    let name = match database {
        Database::Sqlite => return None,
        Database::PostgreSql => "BOXVAULT_TEST_POSTGRESQL_URL",
        Database::MariaDb => "BOXVAULT_TEST_MARIADB_URL",
    };
    if let Some(url) = variable(name) {
        return Some(Ok(url));
    }
    let (said, trouble) = script("ensure", None).await;
    let url = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    Some(match url {
        Some(url) => Ok(url.to_owned()),
        None => Err(format!("{name} is not set, and {SCRIPT} started none: {}", trouble.trim())),
    })
}

/// Runs the script, for the servers that all tests share or for those in a folder; gives what it printed and what went
/// wrong.
async fn script(command: &str, servers: Option<&Path>) -> (String, String) {
    // what it starts must not keep a pipe open that somebody reads to its end, so it writes to a file
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let file = |path| Stdio::from(std::fs::File::create(path).expect("a file can be made"));
    let started = tokio::process::Command::new(SCRIPT)
        .arg(command)
        .envs(servers.map(|folder| ("BOXVAULT_TEST_DATABASES_DIR", folder)))
        .stdin(Stdio::null())
        .stdout(file(&out))
        .stderr(file(&err))
        .status()
        .await;
    let said = std::fs::read_to_string(&out).unwrap_or_default();
    match started {
        Err(error) => (said, format!("it does not run: {error}")),
        Ok(_) => (said, std::fs::read_to_string(&err).unwrap_or_default()),
    }
}

/// What ended a run of the tests may have ended its servers too, and left what they kept.
#[tokio::test]
async fn servers_that_something_killed_are_started_anew() {
    if let Some(Err(reason)) = server_url(Database::PostgreSql).await {
        return skip(Database::PostgreSql, &reason);
    }
    let folder = TempDir::new().expect("a temporary folder can be made");
    // the servers run as somebody else
    let servers = folder.path().join("servers");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("the folder is ours");
    let url = async || {
        let (said, trouble) = script("ensure", Some(&servers)).await;
        let line = said.lines().find(|line| line.starts_with("BOXVAULT_TEST_POSTGRESQL_URL="));
        let (_, url) = line.and_then(|line| line.split_once('=')).expect(&trouble);
        sqlx::PgConnection::connect(url).await.expect("the server answers");
        url.to_owned()
    };
    let first = url().await;
    assert_eq!(url().await, first, "what runs is kept");
    let pids = std::fs::read_to_string(servers.join("postgresql/data/postmaster.pid"));
    let pid = pids.expect("it runs").lines().next().map(str::to_owned).expect("its number");
    let killed = std::process::Command::new("kill").args(["-9", &pid]).status();
    assert!(killed.is_ok_and(|status| status.success()), "{pid}");
    while sqlx::PgConnection::connect(&first).await.is_ok() {}
    assert_ne!(url().await, first);
    script("stop", Some(&servers)).await;
    assert!(!servers.exists(), "{}", servers.display());
}

#[expect(clippy::disallowed_methods, reason = "tests are told of servers by the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
