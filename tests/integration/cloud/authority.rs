//! A certificate authority of ones own, and a server with a certificate of it.

use std::path::PathBuf;

use boxvault_tests::{Client, TestServer, workspace};
use tempfile::TempDir;

use super::owner_of_acme;

/// The authority, in a folder.
pub(super) struct Authority(TempDir);

impl Authority {
    /// With a certificate for 127.0.0.1; nothing when openssl is not installed.
    pub(super) fn new() -> Option<Self> {
        let openssl = workspace::find_program("openssl")?;
        let folder = tempfile::tempdir().expect("a folder can be made");
        let run = |arguments: &str| {
            let made = std::process::Command::new(&openssl)
                .args(arguments.split_whitespace())
                .current_dir(folder.path())
                .output()
                .expect("openssl starts");
            assert!(made.status.success(), "{arguments}: {made:?}");
        };
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        run(&format!("req -x509 {new_key} -days 2 -subj /CN=House -keyout ca.key -out ca.pem"));
        run(&format!(
            "req -x509 {new_key} -days 2 -subj /CN=boxes -CA ca.pem -CAkey ca.key -addext \
             subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout tls.key -out tls.crt"
        ));
        Some(Self(folder))
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    /// As `server()`, with HTTPS under a certificate of the authority. Its own client needs none.
    pub(super) async fn server(&self) -> (TestServer, Client) {
        let file = |name: &str| self.0.path().join(name).display().to_string();
        let server = TestServer::builder()
            .set("server.tls_certificate_file", &file("tls.crt"))
            .set("server.tls_private_key_file", &file("tls.key"))
            .start()
            .await;
        let client = owner_of_acme(&server).await;
        (server, client)
    }
}
