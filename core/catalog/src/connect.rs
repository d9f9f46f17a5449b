//! The catalog's connections: one kind of URL for each database, one way to begin a write.
//!
//! SQLite has one connection that writes and a few that read, and every write transaction is `BEGIN IMMEDIATE`: with
//! the default two thirds of contending writers failed. Its writer syncs on each commit, because an acknowledged
//! change must outlive a power cut; PostgreSQL and MariaDB do so by default.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector, TransactionOptions,
    TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use thiserror::Error;

use crate::clock::whole_micros;
use crate::migration::Migrator;
use crate::{CatalogError, Clock, Result, SystemClock, held};

/// How long a statement waits for a lock that somebody else holds.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// How long a server waits for another one that is migrating.
const MIGRATION_WAIT_SECONDS: u32 = 120;

/// The number by which PostgreSQL knows the lock on migrations; any constant will do.
const MIGRATION_LOCK: i64 = 0x0062_6f78_7661_756c;

/// The databases that the catalog knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Database {
    /// SQLite, a file: `sqlite:///var/lib/boxvault/catalog.db`.
    Sqlite,
    /// PostgreSQL: `postgres://user:password@host/database`.
    PostgreSql,
    /// MariaDB, also `MySQL`: `mysql://user:password@host/database`.
    MariaDb,
}

impl Database {
    /// Its name as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::PostgreSql => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of a statement after it ran, for metrics.
#[derive(Debug, Clone, Copy)]
pub struct QueryFacts {
    /// How long it took.
    pub elapsed: Duration,
    /// Whether it failed.
    pub failed: bool,
}

/// Told of each statement.
pub type QueryObserver = Arc<dyn Fn(QueryFacts) + Send + Sync>;

/// How to connect.
#[derive(Clone)]
pub struct Options {
    /// The most connections at once; on SQLite those that read.
    pub connections_max: u32,
    /// How long to wait for a free connection before [`CatalogError::Unavailable`].
    pub acquire_timeout: Duration,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Told of each statement, if anybody wants to know.
    pub observer: Option<QueryObserver>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections_max: 8,
            acquire_timeout: Duration::from_secs(5),
            clock: Arc::new(SystemClock),
            observer: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("connections_max", &self.connections_max)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Why a URL names no database of ours. Says nothing of the URL itself: it may hold a password.
#[derive(Debug, Error)]
enum UrlError {
    #[error("a database URL begins with sqlite:, postgres:// or mysql://")]
    Scheme,
    #[error("SQLite needs a file: every connection would have a memory of its own")]
    Memory,
}

struct Inner {
    database: Database,
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    clock: Arc<dyn Clock>,
}

/// The database as we use it. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("database", &self.inner.database).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Connects, and proves it by a first statement. Creates a SQLite file that does not exist, but not its folder.
    ///
    /// # Errors
    /// `Unexpected` when the URL is none of ours, `Unavailable` when the database does not answer.
    pub async fn connect(url: &str, options: Options) -> Result<Self> {
        let scheme = url.split(':').next().unwrap_or_default();
        let (database, mut reader, mut writer) = match scheme {
            "sqlite" => {
                let (reader, writer) = connect_sqlite(url, &options).await?;
                (Database::Sqlite, reader, writer)
            }
            "postgres" | "postgresql" => {
                let pool = connect_postgres(url, &options).await?;
                (Database::PostgreSql, pool.clone(), pool)
            }
            "mysql" | "mariadb" => {
                let pool = connect_mariadb(url, &options).await?;
                (Database::MariaDb, pool.clone(), pool)
            }
            _ => return Err(CatalogError::unexpected(UrlError::Scheme)),
        };
        if let Some(observer) = options.observer {
            for connection in [&mut reader, &mut writer] {
                let observer = Arc::clone(&observer);
                connection.set_metric_callback(move |info| {
                    observer(QueryFacts { elapsed: info.elapsed, failed: info.failed });
                });
            }
        }
        let inner = Inner { database, reader, writer, clock: options.clock };
        let catalog = Self { inner: Arc::new(inner) };
        catalog.ping().await?;
        Ok(catalog)
    }

    /// Brings the schema up to date. Several servers may do so at the same time: one does, the others wait.
    pub async fn migrate(&self) -> Result<()> {
        let db = &self.inner.writer;
        match self.inner.database {
            Database::Sqlite => {
                let transaction = self.begin().await?;
                Migrator::up(&transaction, None).await?;
                transaction.commit().await?;
            }
            Database::PostgreSql => {
                let transaction = self.begin().await?;
                let wait = format!("SET LOCAL lock_timeout = '{MIGRATION_WAIT_SECONDS}s'");
                transaction.execute_unprepared(&wait).await?;
                let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
                transaction.execute_unprepared(&lock).await?;
                Migrator::up(&transaction, None).await?;
                transaction.commit().await?;
            }
            Database::MariaDb => {
                // the server commits before each change of a table, so the lock is one of the connection instead
                let guard = self.begin().await?;
                let lock = format!("SELECT GET_LOCK('boxvault.migrate', {MIGRATION_WAIT_SECONDS})");
                guard.execute_unprepared(&lock).await?;
                let outcome = Migrator::up(db, None).await;
                guard.execute_unprepared("SELECT RELEASE_LOCK('boxvault.migrate')").await?;
                guard.commit().await?;
                outcome?;
            }
        }
        Ok(())
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.inner.reader.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Closes the connections; what runs is finished first.
    pub async fn close(&self) -> Result<()> {
        self.inner.reader.close_by_ref().await?;
        self.inner.writer.close_by_ref().await?;
        Ok(())
    }

    /// Which database it is.
    pub fn database(&self) -> Database {
        self.inner.database
    }

    /// The present moment in whole microseconds, as rows keep it.
    pub fn now(&self) -> DateTime<Utc> {
        whole_micros(self.inner.clock.now())
    }

    /// The connections to read with.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.inner.reader
    }

    /// The connections to write one statement with, that changes nothing a caller may have seen an `ETag` of. For
    /// everything else, [`Catalog::begin`].
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        held::pass_by();
        &self.inner.writer
    }

    /// Begins a write transaction; it is rolled back when dropped without a commit. The first one of a request is
    /// held to what its caller has seen.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction> {
        let transaction = self.begin_aside().await?;
        held::compare(&transaction).await?;
        Ok(transaction)
    }

    /// Begins a write transaction that changes nothing which a request is about: what is counted, queued and kept
    /// beside it.
    pub(crate) async fn begin_aside(&self) -> Result<DatabaseTransaction> {
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let options = match self.inner.database {
            Database::Sqlite => immediate,
            Database::PostgreSql | Database::MariaDb => TransactionOptions::default(),
        };
        Ok(self.inner.writer.begin_with_options(options).await?)
    }
}

async fn connect_sqlite(
    url: &str,
    options: &Options,
) -> Result<(DatabaseConnection, DatabaseConnection)> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(CatalogError::unexpected(UrlError::Memory));
    }
    let base = SqliteConnectOptions::from_str(url)?
        .foreign_keys(true)
        .busy_timeout(LOCK_WAIT)
        .disable_statement_logging();
    let writer = base
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(options.acquire_timeout.max(LOCK_WAIT))
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(has_ended_its_transaction(connection)))
        .connect_with(writer)
        .await?;
    let reader = SqlitePoolOptions::new()
        .max_connections(options.connections_max)
        .acquire_timeout(options.acquire_timeout)
        .connect_with(base.pragma("query_only", "ON"))
        .await?;
    Ok((
        SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
        SqlxSqliteConnector::from_sqlx_sqlite_pool(writer),
    ))
}

/// Whether a connection is fit for another transaction; it is closed otherwise.
///
/// Some failures, a full disk among them, make SQLite roll a transaction back by itself. The driver's own `ROLLBACK`
/// fails then, and it goes on to believe that the transaction is open: it would make a savepoint of the next one, which
/// no `COMMIT` ever follows, so that changes were acknowledged and lost.
async fn has_ended_its_transaction(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // what is queued comes first, a rollback among it
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

async fn connect_postgres(url: &str, options: &Options) -> Result<DatabaseConnection> {
    let settings =
        PgConnectOptions::from_str(url)?.application_name("boxvault").disable_statement_logging();
    let session = format!(
        "SET lock_timeout = '{}s'; SET default_transaction_isolation = 'read committed'",
        LOCK_WAIT.as_secs()
    );
    let session: Arc<str> = session.into();
    let pool = PgPoolOptions::new()
        .max_connections(options.connections_max.max(2))
        .acquire_timeout(options.acquire_timeout)
        .after_connect(move |connection, _| {
            let session = Arc::clone(&session);
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(&*session))).await?;
                Ok(())
            })
        })
        .connect_with(settings)
        .await?;
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

async fn connect_mariadb(url: &str, options: &Options) -> Result<DatabaseConnection> {
    let url = url.replacen("mariadb:", "mysql:", 1);
    let settings = MySqlConnectOptions::from_str(&url)?
        .charset("utf8mb4")
        .collation("utf8mb4_bin")
        .disable_statement_logging();
    // strict: a value that does not fit is an error, not cut; read committed: no locks on gaps between rows
    let session = format!(
        "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), \
         SESSION tx_isolation = 'READ-COMMITTED', SESSION innodb_lock_wait_timeout = {}",
        LOCK_WAIT.as_secs()
    );
    let session: Arc<str> = session.into();
    let pool = MySqlPoolOptions::new()
        .max_connections(options.connections_max.max(2))
        .acquire_timeout(options.acquire_timeout)
        .after_connect(move |connection, _| {
            let session = Arc::clone(&session);
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(&*session))).await?;
                Ok(())
            })
        })
        .connect_with(settings)
        .await?;
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
}
