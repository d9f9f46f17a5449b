//! The HTTP client of one instance: bounded in time and size, and never sent elsewhere.

use std::time::Duration;

use boxvault_plugin_sdk::{PluginError, PluginErrorKind, Result};
use reqwest::{
    Certificate, Client, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
    redirect::Policy,
};
use serde::de::DeserializeOwned;
use tokio::fs;

use crate::Config;

/// No description, set of keys, token or claims is larger.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What a provider answered, if it answered at all.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    /// The answer as JSON of a shape. Its text is not quoted: there may be secrets in it.
    pub(crate) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            PluginError::unexpected(format!(
                "{what} of the provider is not the JSON that it should be (line {line}, column {column})"
            ))
        })
    }
}

/// A client with the timeouts and certificates of a configuration.
///
/// # Errors
/// `InvalidConfig`, naming `ca_file`, when it holds no certificates.
pub(crate) async fn client(config: &Config) -> Result<Client> {
    let mut client = Client::builder()
        .user_agent(concat!("boxvault/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(config.connect_timeout_s))
        .timeout(Duration::from_secs(config.request_timeout_s));
    if let Some(path) = &config.ca_file {
        let bad = |problem: &dyn std::fmt::Display| {
            PluginError::invalid_config(format!("ca_file: {}: {problem}", path.display()))
        };
        let pem = fs::read(path).await.map_err(|error| bad(&error))?;
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

/// Sends a request and takes the whole answer.
///
/// # Errors
/// `Unavailable` when there is none, or the provider says "later".
pub(crate) async fn ask(what: &str, request: RequestBuilder) -> Result<Answer> {
    let unavailable = |error: &reqwest::Error| {
        PluginError::unavailable(format!("{what} of the provider: {}", causes(error)))
    };
    let answer = request.header(ACCEPT, "application/json").send().await;
    let mut answer: Response = answer.map_err(|error| unavailable(&error.without_url()))?;
    let status = answer.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(PluginError::unavailable(format!("{what} of the provider: status {status}")));
    }
    if status.is_redirection() {
        let message =
            format!("{what} of the provider: status {status}, and nobody is led elsewhere");
        return Err(PluginError::new(PluginErrorKind::Unexpected, message));
    }
    let mut body = Vec::new();
    while let Some(piece) =
        answer.chunk().await.map_err(|error| unavailable(&error.without_url()))?
    {
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err(PluginError::unexpected(format!(
                "{what} of the provider is larger than {ANSWER_BYTES_MAX} bytes"
            )));
        }
        body.extend_from_slice(&piece);
    }
    Ok(Answer { status, body })
}

/// A request with a form as its body.
pub(crate) fn form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish())
}

fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}
