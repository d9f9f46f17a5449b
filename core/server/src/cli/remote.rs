//! A running server, asked over its API: `--server URL` of a command, with a token for it.

use std::{path::PathBuf, time::Duration};

use boxvault_types::views::{Envelope, ErrorEnvelope, ListEnvelope};
use clap::Args;
use reqwest::{
    Certificate, Client, Method, RequestBuilder, Response, StatusCode, Url,
    header::{ETAG, HeaderValue, IF_MATCH, LOCATION},
    redirect,
};
use serde::{Serialize, de::DeserializeOwned};

/// How long a server may take to take the connection, and to answer.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
const ANSWER_DEADLINE: Duration = Duration::from_mins(2);

/// Which server is asked, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "A running server")]
pub(super) struct RemoteArguments {
    /// Ask this server over its API instead of reading files
    #[arg(long, global = true, value_name = "URL")]
    server: Option<Url>,
    /// A file that holds an API token for the server, and nothing else
    #[arg(long, global = true, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
    /// Trust the certificates in this file (PEM) as well as those of the system
    #[arg(long, global = true, value_name = "FILE", requires = "server")]
    ca_file: Option<PathBuf>,
}

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// A file that an argument names cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Unusable,
    },
    /// It does not answer.
    #[error("{server} does not answer")]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It answers from elsewhere, where the token is not sent.
    #[error("{server} sends its clients elsewhere; use --server {to}")]
    Moved {
        /// The server.
        server: String,
        /// Where to.
        to: String,
    },
    /// It said no.
    #[error("{server} refuses: {message} ({code})")]
    Refused {
        /// The server.
        server: String,
        /// What it says.
        message: String,
        /// Its code.
        code: String,
    },
    /// What it says is no answer of BoxVault.
    #[error("{server} answers {status}, and not as BoxVault does; is the address right?")]
    NotBoxVault {
        /// The server.
        server: String,
        /// The status.
        status: StatusCode,
    },
}

/// A server, and the token for it.
#[derive(Debug)]
pub(super) struct Remote {
    /// Without a slash at its end.
    server: String,
    token: Option<HeaderValue>,
    client: Client,
}

type Result<T> = std::result::Result<T, RemoteError>;

impl RemoteArguments {
    /// The server that is named, if one is.
    pub(super) async fn open(self) -> Result<Option<Remote>> {
        let Some(server) = self.server else { return Ok(None) };
        let server = server.as_str().trim_end_matches('/').to_owned();
        let token = match self.token_file {
            Some(path) => Some(read_token(path).await?),
            None => None,
        };
        let unreachable = |source| RemoteError::Unreachable { server: server.clone(), source };
        let mut client = Client::builder()
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(ANSWER_DEADLINE)
            .redirect(redirect::Policy::none());
        if let Some(path) = self.ca_file {
            client = client.tls_certs_merge(read_certificates(path).await?);
        }
        let client = client.build().map_err(unreachable)?;
        Ok(Some(Remote { server, token, client }))
    }
}

type Unusable = Box<dyn std::error::Error + Send + Sync>;

async fn read_token(path: PathBuf) -> Result<HeaderValue> {
    let read = async || -> std::result::Result<HeaderValue, Unusable> {
        let text = tokio::fs::read_to_string(&path).await?;
        if text.trim().is_empty() {
            return Err("it is empty".into());
        }
        let mut value = HeaderValue::from_str(text.trim())?;
        value.set_sensitive(true);
        Ok(value)
    };
    read().await.map_err(|source| RemoteError::File { path, source })
}

async fn read_certificates(path: PathBuf) -> Result<Vec<Certificate>> {
    let read = async || -> std::result::Result<Vec<Certificate>, Unusable> {
        Ok(Certificate::from_pem_bundle(&tokio::fs::read(&path).await?)?)
    };
    read().await.map_err(|source| RemoteError::File { path, source })
}

impl Remote {
    /// The address, for people.
    pub(super) fn address(&self) -> &str {
        &self.server
    }

    /// Reads something, with its entity tag.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<(T, Option<HeaderValue>)> {
        let response = self.ask(self.request(Method::GET, path)).await?;
        let tag = response.headers().get(ETAG).cloned();
        Ok((self.body::<Envelope<T>>(response).await?.data, tag))
    }

    /// Reads a page of a list, and how much the list holds.
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<(Vec<T>, u64)> {
        let response = self.ask(self.request(Method::GET, path)).await?;
        let list = self.body::<ListEnvelope<T>>(response).await?;
        Ok((list.data, list.page.total))
    }

    /// Sends something, if what it is about is as `seen` says.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        seen: Option<HeaderValue>,
    ) -> Result<T> {
        let mut request = self.request(method, path).json(body);
        if let Some(seen) = seen {
            request = request.header(IF_MATCH, seen);
        }
        let response = self.ask(request).await?;
        Ok(self.body::<Envelope<T>>(response).await?.data)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.address()));
        match &self.token {
            Some(token) => request.header("x-access-token", token),
            None => request,
        }
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response> {
        request.send().await.map_err(|source| self.unreachable(source))
    }

    async fn body<T: DeserializeOwned>(&self, response: Response) -> Result<T> {
        let server = || self.server.clone();
        let status = response.status();
        if let (true, Some(to)) = (status.is_redirection(), response.headers().get(LOCATION)) {
            let to = String::from_utf8_lossy(to.as_bytes()).into_owned();
            return Err(RemoteError::Moved { server: server(), to });
        }
        let bytes = response.bytes().await.map_err(|source| self.unreachable(source))?;
        if !status.is_success() {
            return Err(match serde_json::from_slice::<ErrorEnvelope>(&bytes) {
                Ok(ErrorEnvelope { message, error, .. }) => {
                    RemoteError::Refused { server: server(), message, code: error.code }
                }
                Err(_) => RemoteError::NotBoxVault { server: server(), status },
            });
        }
        serde_json::from_slice(&bytes)
            .map_err(|_| RemoteError::NotBoxVault { server: server(), status })
    }

    fn unreachable(&self, source: reqwest::Error) -> RemoteError {
        // the address is told already
        RemoteError::Unreachable { server: self.server.clone(), source: source.without_url() }
    }
}
