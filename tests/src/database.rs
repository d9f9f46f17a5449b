//! Databases of real servers, PostgreSQL and MariaDB, and what their operators do to them: locks that somebody holds,
//! connections that are cut.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
};

use crate::{faults::read_file, workspace};

/// What a test is run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By `psql`.
    PostgreSql,
    /// By `mariadb`.
    MariaDb,
}

/// A fresh database of a real server. Goes when it is dropped.
#[derive(Debug)]
pub struct RealDatabase {
    kind: Kind,
    /// User and password, address of the server.
    login: String,
    address: String,
    name: String,
}

impl RealDatabase {
    /// A new one; `None` where the server or its client is not installed.
    pub fn make(kind: Kind) -> Option<Self> {
        workspace::find_program(kind.client())?;
        let text = String::from_utf8(ensured_servers()).expect("the script prints text");
        let url = text.lines().find_map(|line| line.strip_prefix(kind.variable()))?;
        let (_, rest) = url.split_once("://").expect("a URL has a scheme");
        let (login, rest) = rest.rsplit_once('@').expect("the servers ask who it is");
        let (address, _) = rest.split_once('/').expect("the URL names a database");
        let name = format!("boxvault_{}_{}", std::process::id(), next_number());
        let database = Self { kind, login: login.to_owned(), address: address.to_owned(), name };
        database.run_at(kind.first_database(), &format!("CREATE DATABASE {}", database.name));
        Some(database)
    }

    /// Where its server listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its URL, as the configuration takes it.
    pub fn url(&self) -> String {
        self.url_through(&self.address)
    }

    /// Its URL for whoever reaches the server at another address.
    pub fn url_through(&self, address: &str) -> String {
        format!("{}://{}@{address}/{}", self.kind.scheme(), self.login, self.name)
    }

    /// Runs statements; gives what they print.
    pub fn run(&self, statements: &str) -> String {
        self.run_at(&self.name, statements)
    }

    /// Holds the locks that statements take, until it is dropped.
    pub fn hold(&self, statements: &str) -> HeldLocks {
        let mut child = self
            .client(&self.name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client was found");
        let mut input = child.stdin.take().expect("it is piped");
        writeln!(input, "BEGIN;\n{statements};\nSELECT 'held';").expect("the client reads");
        input.flush().expect("the client reads");
        let output = child.stdout.take().expect("it is piped");
        let held = BufReader::new(output).lines().map_while(Result::ok).any(|line| line == "held");
        assert!(held, "the client ended before it held a lock");
        HeldLocks { child, input: Some(input) }
    }

    /// Cuts every connection to it but those of [`RealDatabase::hold`], as an operator would.
    pub fn cut_connections_of_the_server(&self) {
        match self.kind {
            Kind::PostgreSql => {
                self.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE application_name = 'boxvault' AND datname = current_database()",
                );
            }
            Kind::MariaDb => {
                let list = "SELECT id FROM information_schema.processlist \
                            WHERE db = database() AND command <> 'Sleep' AND id <> connection_id()";
                for id in self.run(list).lines() {
                    self.run(&format!("KILL {id}"));
                }
            }
        }
    }

    /// How many statements wait for a lock.
    pub fn waiting(&self) -> u64 {
        let statement = match self.kind {
            Kind::PostgreSql => {
                "SELECT count(*) FROM pg_stat_activity \
                 WHERE wait_event_type = 'Lock' AND datname = current_database()"
            }
            // InnoDB's own table of waits does not change while somebody looks at it this often
            Kind::MariaDb => {
                "SELECT count(*) FROM information_schema.processlist \
                 WHERE db = database() AND command <> 'Sleep' AND time_ms > 300"
            }
        };
        self.run(statement).trim().parse().expect("a count is a number")
    }

    fn run_at(&self, name: &str, statements: &str) -> String {
        let flag = if self.kind == Kind::PostgreSql { "-c" } else { "-e" };
        let done =
            self.client(name).args([flag, statements]).output().expect("the client was found");
        assert!(done.status.success(), "{statements}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("numbers and names are text")
    }

    /// The client, printing bare values as soon as it has them.
    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(self.kind.client());
        match self.kind {
            Kind::PostgreSql => {
                let url = format!("postgres://{}@{}/{name}", self.login, self.address);
                command.args([&url, "-qAtX"]);
            }
            Kind::MariaDb => {
                let (user, password) = self.login.split_once(':').expect("the login has both");
                let (host, port) = self.address.split_once(':').expect("the address has a port");
                command.args(["--no-defaults", "--host", host, "--port", port, "--user", user]);
                command.args([name, "--batch", "--skip-column-names", "--unbuffered"]);
                command.env("MYSQL_PWD", password);
            }
        }
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for RealDatabase {
    fn drop(&mut self) {
        let force = if self.kind == Kind::PostgreSql { " WITH (FORCE)" } else { "" };
        let statement = format!("DROP DATABASE {}{force}", self.name);
        // what a failed test leaves goes with the servers
        let flag = if self.kind == Kind::PostgreSql { "-c" } else { "-e" };
        drop(self.client(self.kind.first_database()).args([flag, &statement]).output());
    }
}

/// Locks that somebody else holds. They are given back when it is dropped.
#[derive(Debug)]
pub struct HeldLocks {
    child: Child,
    input: Option<ChildStdin>,
}

impl Drop for HeldLocks {
    fn drop(&mut self) {
        // at the end of its input the client closes its connection, which rolls back
        drop(self.input.take());
        drop(self.child.wait());
    }
}

impl Kind {
    const fn client(self) -> &'static str {
        match self {
            Self::PostgreSql => "psql",
            Self::MariaDb => "mariadb",
        }
    }

    const fn scheme(self) -> &'static str {
        match self {
            Self::PostgreSql => "postgres",
            Self::MariaDb => "mysql",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::PostgreSql => "BOXVAULT_TEST_POSTGRESQL_URL=",
            Self::MariaDb => "BOXVAULT_TEST_MARIADB_URL=",
        }
    }

    const fn first_database(self) -> &'static str {
        match self {
            Self::PostgreSql => "postgres",
            Self::MariaDb => "mysql",
        }
    }
}

/// Starts what is installed and does not run yet; gives the URLs, a line each.
fn ensured_servers() -> Vec<u8> {
    let script = workspace::root().join("core/catalog/testing/databases.sh");
    // into a file and not through a pipe, which the servers it starts would hold open as long as they live
    let urls = tempfile::NamedTempFile::new().expect("a temporary file");
    let ensured = Command::new(script)
        .arg("ensure")
        .stdin(Stdio::null())
        .stdout(urls.reopen().expect("it is ours"))
        .stderr(Stdio::null())
        .status()
        .expect("the script runs");
    assert!(ensured.success(), "{ensured}");
    read_file(urls.path())
}

/// Tells the databases of one test process apart.
fn next_number() -> u64 {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
