//! Real servers that plugins are judged with, each started for one test and ended with it.
//!
//! `plugins/conformance/servers/install` installs them. Where they are not, a test says so and is counted as skipped.

mod process;

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
};

use process::Process;

/// A server with a bucket that holds nothing.
#[derive(Debug)]
pub struct S3Server {
    /// Where it is.
    pub endpoint: String,
    /// A key that may do everything.
    pub access_key_id: String,
    /// The secret of the key.
    pub secret_access_key: String,
    /// The bucket.
    pub bucket: String,
    /// Which server it is.
    script: &'static str,
    _process: Process,
}

impl S3Server {
    /// Starts one: moto, or what `BOXVAULT_S3_SERVER` names. `make conformance-garage` sets it.
    ///
    /// # Errors
    /// Why there is none on this machine.
    pub fn start() -> Result<Self, String> {
        let script = match std::env::var_os("BOXVAULT_S3_SERVER") {
            None => "s3.py",
            Some(name) if name == "garage" => "garage.py",
            Some(name) => return Err(format!("nobody knows the S3 server {}", name.display())),
        };
        let (process, words) = Process::start(script)?;
        let [endpoint, access_key_id, secret_access_key, bucket] = words.as_slice() else {
            return Err(format!("{script} said {} words instead of four", words.len()));
        };
        Ok(Self {
            endpoint: endpoint.clone(),
            access_key_id: access_key_id.clone(),
            secret_access_key: secret_access_key.clone(),
            bucket: bucket.clone(),
            script,
            _process: process,
        })
    }

    /// Whether it is Garage, which says some things in other words than AWS.
    pub fn is_garage(&self) -> bool {
        self.script == "garage.py"
    }
}

/// A server of Azure's kind, with a container that holds nothing.
#[derive(Debug)]
pub struct AzblobServer {
    /// Where the account is.
    pub endpoint: String,
    /// The account.
    pub account_name: String,
    /// Its key.
    pub account_key: String,
    /// The container.
    pub container: String,
    _process: Process,
}

impl AzblobServer {
    /// Starts one.
    ///
    /// # Errors
    /// Why there is none on this machine.
    pub fn start() -> Result<Self, String> {
        let (process, words) = Process::start("azblob.mjs")?;
        let [endpoint, account_name, account_key, container] = words.as_slice() else {
            return Err(format!("azblob.mjs said {} words instead of four", words.len()));
        };
        Ok(Self {
            endpoint: endpoint.clone(),
            account_name: account_name.clone(),
            account_key: account_key.clone(),
            container: container.clone(),
            _process: process,
        })
    }
}

/// A directory: below `dc=example,dc=org` the people ann, bob (who left), ann2 and one with an odd name, groups in groups,
/// and `ou=many` with 1 200 groups of ann's, of which it gives 500 at once.
#[derive(Debug)]
pub struct LdapServer {
    /// Where it speaks LDAP, with `StartTLS`.
    pub url: String,
    /// Where it speaks LDAP over TLS.
    pub tls_url: String,
    /// The authority that its certificate is from.
    pub ca_file: PathBuf,
    process: Process,
}

impl LdapServer {
    /// The account that may search, and its password.
    pub const SEARCHES: [&str; 2] = ["cn=search,dc=example,dc=org", "search it"];

    /// Starts one.
    ///
    /// # Errors
    /// Why there is none on this machine.
    pub fn start() -> Result<Self, String> {
        if !Path::new("/usr/sbin/slapd").is_file() {
            return Err("slapd is not installed".to_owned());
        }
        let (process, words) = Process::start("ldap.py")?;
        let [url, tls_url, ca_file, _] = words.as_slice() else {
            return Err(format!("ldap.py said {} words instead of four", words.len()));
        };
        let (url, tls_url, ca_file) = (url.clone(), tls_url.clone(), ca_file.into());
        Ok(Self { url, tls_url, ca_file, process })
    }

    /// Ends it, as if the machine were gone.
    pub fn stop(&mut self) {
        self.process.tell("stop");
    }

    /// Brings it back, at the same places, with what it held.
    pub fn bring_back(&mut self) {
        self.process.tell("start");
    }
}

/// A server of Google Cloud Storage's kind, with a bucket that holds nothing.
#[derive(Debug)]
pub struct GcsServer {
    /// Where it is.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// A file with the configuration of a workload identity, which may do everything.
    pub credential_file: PathBuf,
    /// A file with the key of a service account, which may too, and sign addresses.
    pub account_file: PathBuf,
    _process: Process,
}

impl GcsServer {
    /// Starts one.
    ///
    /// # Errors
    /// Why there is none on this machine.
    pub fn start() -> Result<Self, String> {
        let (process, words) = Process::start("gcs.py")?;
        let [endpoint, bucket, credential_file, account_file] = words.as_slice() else {
            return Err(format!("gcs.py said {} words instead of four", words.len()));
        };
        Ok(Self {
            endpoint: endpoint.clone(),
            bucket: bucket.clone(),
            credential_file: credential_file.into(),
            account_file: account_file.into(),
            _process: process,
        })
    }
}

/// An SFTP server with an empty folder.
#[derive(Debug)]
pub struct SftpServer {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// Who may sign in.
    pub user: String,
    /// The user's private key; the public one lies beside it.
    pub identity_file: String,
    /// The server's key, as clients keep it.
    pub known_hosts_file: String,
    /// The folder.
    pub root: String,
    process: Process,
}

impl SftpServer {
    /// Starts one.
    ///
    /// # Errors
    /// Why there is none on this machine.
    pub fn start() -> Result<Self, String> {
        let (process, words) = Process::start("sftp.py")?;
        let [port, user, identity_file, known_hosts_file, root] = words.as_slice() else {
            return Err(format!("sftp.py said {} words instead of five", words.len()));
        };
        Ok(Self {
            port: port.parse().map_err(|_| format!("sftp.py said that {port} is a port"))?,
            user: user.clone(),
            identity_file: identity_file.clone(),
            known_hosts_file: known_hosts_file.clone(),
            root: root.clone(),
            process,
        })
    }

    /// Ends what serves the connections that there are.
    pub fn cut_connections(&mut self) {
        self.process.tell("cut");
    }
}

/// A WebDAV server that holds nothing.
#[derive(Debug)]
pub struct WebdavServer {
    /// Where it is.
    pub endpoint: String,
    /// Who may sign in.
    pub username: String,
    /// The user's password.
    pub password: String,
    _process: Process,
}

impl WebdavServer {
    /// Starts `WsgiDAV`.
    ///
    /// # Errors
    /// Why there is none on this machine.
    pub fn start() -> Result<Self, String> {
        Self::start_script("webdav.py")
    }

    /// Starts Apache.
    ///
    /// # Errors
    /// Why there is none on this machine.
    pub fn start_apache() -> Result<Self, String> {
        Self::start_script("apache.py")
    }

    fn start_script(script: &str) -> Result<Self, String> {
        let (process, words) = Process::start(script)?;
        let [endpoint, username, password] = words.as_slice() else {
            return Err(format!("{script} said {} words instead of three", words.len()));
        };
        Ok(Self {
            endpoint: endpoint.clone(),
            username: username.clone(),
            password: password.clone(),
            _process: process,
        })
    }
}

/// An `OpenID` provider with the people ann (staff, builders), bob (whose address nobody has proven) and eve (who has
/// somebody else's).
#[derive(Debug)]
pub struct OidcServer {
    /// What it calls itself.
    pub issuer: String,
    /// The authority that its certificate is from.
    pub ca_file: PathBuf,
    /// The client that it knows.
    pub client_id: String,
    /// The client's secret, which has to be escaped wherever it goes.
    pub client_secret: String,
    /// Where it listens: host and port.
    pub listens: String,
    /// Where it takes orders of others, too.
    orders: String,
    process: Process,
}

impl OidcServer {
    /// Starts one.
    ///
    /// # Errors
    /// Why there is none on this machine.
    pub fn start() -> Result<Self, String> {
        Self::start_with(&[])
    }

    /// Starts one that goes by another address of this machine than the one where it listens. Whoever asks it has to
    /// open a way from there; the browsers of its people have one.
    ///
    /// # Errors
    /// Why there is none on this machine.
    pub fn start_elsewhere() -> Result<Self, String> {
        // all of 127.0.0.0/8 is this machine, and a port that is taken at one of them is free at another
        Self::start_with(&["127.0.0.2"])
    }

    fn start_with(arguments: &[&str]) -> Result<Self, String> {
        let (process, words) = Process::start_with("oidc.mjs", arguments)?;
        let [issuer, ca_file, client_id, client_secret, orders, listens] = words.as_slice() else {
            return Err(format!("oidc.mjs said {} words instead of six", words.len()));
        };
        let (issuer, ca_file, client_id) = (issuer.clone(), ca_file.into(), client_id.clone());
        let (client_secret, listens) = (unescaped(client_secret), listens.clone());
        let orders = orders.clone();
        Ok(Self { issuer, ca_file, client_id, client_secret, listens, orders, process })
    }

    /// Knows its client by another key from now on, and not by a secret any more: a name in `CLIENT_KEYS` of `oidc.mjs`.
    /// Gives the file with the private half, and how the key is named.
    pub fn new_client_key(&mut self, kind: &str) -> (PathBuf, String) {
        let answer = self.tell(&format!("clientkey {kind}"));
        let (file, kid) = answer.split_once(' ').expect("a file and a name");
        (PathBuf::from(file), kid.to_owned())
    }

    /// The program that drives it for the suite of auth plugins, as `Driver::start` takes it. The client has to be
    /// called back at [`Self::CALLBACK`].
    pub fn driver(&self) -> Vec<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/drive.mjs");
        vec!["node".to_owned(), script.display().to_string(), self.orders.clone()]
    }

    /// Where its client is called back until somebody says another place.
    pub const CALLBACK: &'static str = "https://boxvault.invalid/auth/callback/corp";

    /// Ends it, as if the machine were gone.
    pub fn stop(&mut self) {
        self.tell("stop");
    }

    /// Brings it back, at the same place, with the same keys.
    pub fn bring_back(&mut self) {
        self.tell("start");
    }

    /// Signs with another key from now on; the old one is gone.
    pub fn rotate_keys(&mut self) {
        self.tell("rotate");
    }

    /// What becomes of the ID tokens that it gives: a name in `TWISTS` of `oidc.mjs`.
    pub fn twist(&mut self, kind: &str) {
        self.tell(&format!("twist {kind}"));
    }

    /// Where the client is called back, told of ended sessions, and led after signing out.
    pub fn set_client(&mut self, callback: &str, told: Option<&str>, after: Option<&str>) {
        let [told, after] = [told, after].map(|url| url.unwrap_or("-"));
        self.tell(&format!("client {callback} {told} {after}"));
    }

    /// As somebody's browser: goes to an address of the provider, signs in where that is asked for, and says where it is
    /// led in the end.
    pub fn visit(&mut self, who: &str, url: &str) -> String {
        self.tell(&format!("visit {who} {url}"))
    }

    /// As somebody's browser: signs out at the provider, and says where it is led.
    pub fn leave(&mut self, who: &str, url: &str) -> String {
        self.tell(&format!("leave {who} {url}"))
    }

    /// A logout token: a name in `NOTICES` of `oidc.mjs`.
    pub fn logout_token(&mut self, kind: &str, subject: &str, session: Option<&str>) -> String {
        self.tell(&format!("notice {kind} {subject} {}", session.unwrap_or("-")))
    }

    /// How often a path was asked for so far.
    pub fn count(&mut self, path: &str) -> u64 {
        self.tell(&format!("count {path}")).parse().expect("it counts")
    }

    fn tell(&mut self, line: &str) -> String {
        let answer = self.process.tell(line);
        assert!(!answer.starts_with("failed") && answer != "unknown", "{line}: {answer}");
        answer
    }
}

/// Bytes that are written as `%2B` in a line of words.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        let (code, rest) = part.split_at_checked(2).expect("two digits follow");
        let code = u8::from_str_radix(code, 16).expect("they are digits");
        whole + &char::from(code).to_string() + rest
    })
}

/// Notes that a test of a backend cannot run on this machine, as `boxvault_tests::skip` does for those from outside.
///
/// # Panics
/// With `CI=true`: there, every test has to run.
pub fn skip(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}\n");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{line}with CI=true it must run");
    if let Some(path) = std::env::var_os("BOXVAULT_SKIP_LOG") {
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let written = log.and_then(|mut log| log.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("could not write {}: {error}", path.display()));
    }
    #[expect(clippy::print_stdout, reason = "a skipped test says so where it runs")]
    {
        print!("{line}");
    }
}
