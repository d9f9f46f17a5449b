//! The HTTP client of one instance.
//!
//! Each instance has its own, for its own timeouts and certificates; OpenDAL's is one for the whole process.

use std::{fs::File, io::Read as _, path::PathBuf, time::Duration};

use boxvault_plugin_sdk::{PluginError, Result};
use opendal::HttpTransporter;
use opendal_http_transport_reqwest::ReqwestTransport;
use reqwest::{Certificate, Client};

use crate::patience::Patience;

/// How long it may take to get a connection. Five attempts fit into the time that the server waits for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// A file of certificates is no larger.
const CA_FILE_BYTES_MAX: u64 = 4 << 20;

/// What is particular about a client.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The longest wait for an answer, and between two pieces of it; none for requests that are themselves sent for
    /// as long as it takes.
    pub silence_timeout: Option<Duration>,
    /// Certificates, PEM, that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
}

impl HttpOptions {
    /// For requests with this patience, and the key `ca_file`.
    pub fn new(patience: Patience, ca_file: Option<&PathBuf>) -> Self {
        Self { silence_timeout: Some(patience.transfer), ca_file: ca_file.cloned() }
    }
}

/// A client with these options, for OpenDAL.
///
/// # Errors
/// Those of [`http_client`].
pub fn http_transport(options: &HttpOptions) -> Result<HttpTransporter> {
    Ok(HttpTransporter::new(ReqwestTransport::new(http_client(options)?)))
}

/// A client with these options.
///
/// # Errors
/// `InvalidConfig`, naming `ca_file`, when it holds no certificates.
pub fn http_client(options: &HttpOptions) -> Result<Client> {
    let mut client = Client::builder()
        .user_agent(concat!("boxvault/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT);
    if let Some(silence_timeout) = options.silence_timeout {
        client = client.read_timeout(silence_timeout);
    }
    if let Some(path) = &options.ca_file {
        let bad = |problem: &dyn std::fmt::Display| {
            PluginError::invalid_config(format!("ca_file: {}: {problem}", path.display()))
        };
        let mut pem = Vec::new();
        let file = File::open(path).map_err(|error| bad(&error))?;
        file.take(CA_FILE_BYTES_MAX).read_to_end(&mut pem).map_err(|error| bad(&error))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| bad(&error))?;
        if certificates.is_empty() {
            return Err(bad(&"there is no certificate in it"));
        }
        client = client.tls_certs_merge(certificates);
    }
    client.build().map_err(|error| {
        PluginError::invalid_config(format!("no HTTPS with these certificates: {}", causes(&error)))
    })
}

fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}
