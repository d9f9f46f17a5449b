//! `TestServer`: the real program, started in a temporary folder on free ports, and stopped with it.
//!
//! The program is told nothing that an operator could not tell it: environment variables and arguments. It says where
//! it listens in `<data_dir>/run/addresses.json`, written once the ports are bound.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

use crate::{Client, Publication, wait_for, workspace};

/// The platform admin of every test server.
pub const ADMIN_NAME: &str = "root-of-tests";
/// Their password, and that of every user that a test makes.
pub const PASSWORD: &str = "correct horse battery";

/// How long a start may take on a busy machine before the test fails.
const START_DEADLINE: Duration = Duration::from_mins(1);
/// How long a stop may take; the server's own deadline for running requests is set below it.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// What is different from the default, before a server is started.
#[derive(Debug, Default)]
pub struct TestServerBuilder {
    environment: BTreeMap<String, String>,
}

impl TestServerBuilder {
    /// Sets a configuration key by its path, such as `limits.upload_bytes_max`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.environment.insert(variable(key), value.to_owned());
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> TestServer {
        let dir = tempfile::Builder::new()
            .prefix("boxvault-test-")
            .tempdir()
            .expect("a temporary folder");
        let mut environment = BTreeMap::from([
            (variable("server.http_listen"), "127.0.0.1:0".to_owned()),
            (variable("server.https_listen"), "127.0.0.1:0".to_owned()),
            (variable("server.shutdown_timeout"), "10 s".to_owned()),
            (variable("log.format"), "json".to_owned()),
        ]);
        environment.extend(self.environment);
        let mut server = TestServer { dir, environment, running: None };
        server.launch().await;
        server
    }
}

/// A running server, or one that was stopped and can be started again on what it left.
#[derive(Debug)]
pub struct TestServer {
    dir: TempDir,
    environment: BTreeMap<String, String>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    addresses: Addresses,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Addresses {
    http: Option<SocketAddr>,
    https: Option<SocketAddr>,
}

impl TestServer {
    /// Starts a server with the default configuration.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// To start one with another configuration.
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder::default()
    }

    /// Where plain HTTP is served.
    pub fn http(&self) -> SocketAddr {
        self.addresses().http.expect("the test server listens on HTTP")
    }

    /// Where HTTPS is served, with the self-signed certificate of the data folder.
    pub fn https(&self) -> SocketAddr {
        self.addresses().https.expect("the test server listens on HTTPS")
    }

    /// The URL of plain HTTP, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.http())
    }

    /// The folder of everything that the server keeps.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Its temporary folder, for files of the test.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.running().child.id().expect("a server that was not waited for has an id")
    }

    /// What it wrote to standard output and standard error, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The one-time token that it printed when it started without any account.
    pub fn setup_token(&self) -> String {
        let log = self.log();
        let mut words = log.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        words.find(|word| word.starts_with("bvs_")).expect("a token is printed").to_owned()
    }

    /// A client that presents nothing.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url())
    }

    /// Starts a server with the box `acme/web`, whose version 1.0.0 is being prepared, and its admin.
    pub async fn with_a_box() -> (Self, Client) {
        let server = Self::start().await;
        let admin = server.admin().await;
        admin.prepare(&Publication::new("acme", "web", &[])).await;
        (server, admin)
    }

    /// A client signed in as the platform admin, who is made when they do not exist yet.
    pub async fn admin(&self) -> Client {
        let arguments =
            ["user", "create", ADMIN_NAME, "--email", "root@example.com", "--platform-admin"];
        let mut arguments = arguments.to_vec();
        arguments.push("--password-stdin");
        let output = self.command(&arguments, PASSWORD).await;
        assert!(output.status.success(), "user create failed: {output:?}");
        self.anonymous().sign_in(ADMIN_NAME, PASSWORD).await
    }

    /// A client signed in as a new user without any place in an organization.
    pub async fn user(&self, name: &str) -> Client {
        let reply = self
            .anonymous()
            .post(
                "/api/auth/signup",
                &json!({
                    "username": name,
                    "email": format!("{name}@example.com"),
                    "password": PASSWORD,
                }),
            )
            .await;
        assert_eq!(reply.status, 201, "sign-up of {name}: {}", reply.text());
        self.anonymous().sign_in(name, PASSWORD).await
    }

    /// An API token of a user, made by the command line tool.
    pub async fn api_token(&self, user: &str) -> String {
        let output = self.command(&["token", "create", "--user", user], "").await;
        assert!(output.status.success(), "token create failed: {output:?}");
        String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
    }

    /// Runs another command of the same program on the same data, such as `fsck`.
    pub async fn command(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .program()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("it was piped");
        stdin.write_all(input.as_bytes()).await.expect("the program reads its input");
        drop(stdin);
        child.wait_with_output().await.expect("the program ends")
    }

    /// Runs another command of the same program on the same data, and kills it after a while without a word.
    pub async fn killed_command(&self, arguments: &[&str], patience: Duration) {
        self.command_killed_when(arguments, tokio::time::sleep(patience)).await;
    }

    /// The same, when something has happened.
    pub async fn command_killed_when(
        &self,
        arguments: &[&str],
        happened: impl Future<Output = ()>,
    ) {
        let mut child = self
            .program()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let ended = tokio::select! {
            ended = child.wait() => Some(ended),
            () = happened => None,
        };
        if ended.is_none() {
            child.kill().await.expect("our own child can be killed");
        }
    }

    /// Kills it without a word, as a power cut would.
    pub async fn kill9(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.child.kill().await.expect("our own child can be killed");
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("it runs");
        let pid = running.child.id().expect("it was not waited for").to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(sent.expect("kill runs").success(), "no process {pid}");
        let ended = tokio::time::timeout(STOP_DEADLINE, running.child.wait()).await;
        let Ok(status) = ended else {
            panic!("still running {STOP_DEADLINE:?} after SIGTERM:\n{}", self.log())
        };
        status.expect("our own child can be waited for")
    }

    /// Starts it again on the same data and the same ports.
    pub async fn restart(&mut self) {
        assert!(self.running.is_none(), "stop it, or kill it, first");
        self.launch().await;
    }

    async fn launch(&mut self) {
        let report = self.data_dir().join("run/addresses.json");
        match fs::remove_file(&report) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                panic!("could not remove {}: {error}", report.display())
            }
            _ => {}
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("the temporary folder can be written");
        let mut child = self
            .program()
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be duplicated"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let addresses: Addresses = wait_for("the server's addresses", START_DEADLINE, async || {
            if let Some(status) = child.try_wait().expect("our own child can be waited for") {
                panic!("the server ended with {status} instead of starting:\n{}", self.log());
            }
            serde_json::from_str(&fs::read_to_string(&report).ok()?).ok()
        })
        .await;
        // The same ports at the next start, as clients that were cut off will come back to them.
        for (key, address) in
            [("server.http_listen", addresses.http), ("server.https_listen", addresses.https)]
        {
            if let Some(address) = address {
                self.environment.insert(variable(key), address.to_string());
            }
        }
        self.running = Some(Running { child, addresses });
        let client = self.anonymous();
        wait_for("/health/ready", START_DEADLINE, async || {
            client.try_get("/health/ready").await.filter(|reply| reply.status == 200)
        })
        .await;
    }

    fn program(&self) -> Command {
        let mut command = Command::new(workspace::boxvault());
        unconfigured(&mut command).current_dir(self.dir.path()).envs(&self.environment);
        command
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it was started and not stopped")
    }

    fn addresses(&self) -> Addresses {
        self.running().addresses
    }
}

/// Takes every `BOXVAULT_…` variable from what a command gets, so that neither a developer's configuration nor the
/// tests' own variables reach the server.
pub fn unconfigured(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BOXVAULT_") {
            command.env_remove(name);
        }
    }
    command
}

/// The environment variable of a configuration key.
fn variable(key: &str) -> String {
    format!("BOXVAULT_{}", key.to_ascii_uppercase().replace('.', "__"))
}
