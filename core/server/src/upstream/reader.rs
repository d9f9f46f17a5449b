//! Requests to an upstream: each to the hosts that it may go to, with a deadline, and a limit on what is read.
//!
//! Redirects are followed here and not by the client, so that each step is looked at like the first one, and the token
//! goes to the upstream's own origin alone.

use std::{io, path::Path, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use reqwest::{
    Certificate, Client, Method, RequestBuilder, Response, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_RANGE, ETAG, HeaderValue, IF_NONE_MATCH,
        LOCATION, RANGE,
    },
    redirect,
};
use serde::Deserialize;
use url::{Origin, Url};

use super::{Reach, Upstream, UpstreamBox, UpstreamError, reach::OnlyPrivate};

/// How requests are made.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) reach: Reach,
    /// How long it may take to connect.
    pub(crate) connect_timeout: Duration,
    /// How long it may take until an answer begins, and for a document altogether.
    pub(crate) answer_timeout: Duration,
    /// The longest pause between two pieces of a file.
    pub(crate) idle_timeout: Duration,
    /// How many redirects are followed in a row.
    pub(crate) redirects_max: usize,
    /// The longest document.
    pub(crate) document_bytes_max: u64,
    /// Trusted besides those of the system.
    pub(crate) certificates: Vec<Certificate>,
}

/// Reads the certificates of a file.
pub(crate) async fn certificates(path: &Path) -> io::Result<Vec<Certificate>> {
    let pem = tokio::fs::read(path).await?;
    Certificate::from_pem_bundle(&pem).map_err(io::Error::other)
}

/// What an upstream says when it is asked for a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// It is as before.
    Unchanged,
    /// This is it, with its entity tag.
    New(T, Option<String>),
}

/// A box in the list of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) is_private: bool,
}

/// A file that comes.
pub(crate) struct FileBody {
    /// How long the whole is, where the upstream says so.
    pub(crate) length: Option<u64>,
    /// Where the bytes begin: where they were asked from, or at the beginning where the upstream knows no ranges.
    pub(crate) from: u64,
    response: Response,
    host: String,
    idle_timeout: Duration,
}

/// Asks upstreams, with the token for one of them.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    client: Client,
    options: Options,
    token: Option<(Origin, HeaderValue)>,
}

#[derive(Deserialize)]
struct ListDocument {
    boxes: Vec<ListEntry>,
}

#[derive(Deserialize)]
struct ListEntry {
    name: Option<String>,
    tag: Option<String>,
    private: Option<bool>,
}

type Result<T> = std::result::Result<T, UpstreamError>;

impl Reader {
    /// A reader; `token` goes to this upstream alone.
    pub(crate) fn new(options: Options, upstream: &Upstream, token: Option<&str>) -> Result<Self> {
        let client = Client::builder()
            .user_agent(concat!("boxvault/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            .redirect(redirect::Policy::none())
            .dns_resolver(options.reach.clone())
            .no_proxy();
        let client = client.tls_certs_merge(options.certificates.clone());
        let client = client.build().map_err(UpstreamError::Client)?;
        let token = token.map(|token| bearer(upstream, token)).transpose()?;
        Ok(Self { client, options, token })
    }

    /// The boxes of a registry's organization; of a catalogue, none.
    ///
    /// # Errors
    /// As [`UpstreamError`] says.
    pub(crate) async fn list(&self, upstream: &Upstream) -> Result<Vec<Listed>> {
        let Some(url) = upstream.list_url() else { return Ok(Vec::new()) };
        let host = host_of(&url);
        let response = self.document(&url, None).await?;
        let bytes = self.whole(response, &host).await?;
        let list: ListDocument = serde_json::from_slice(&bytes).map_err(|error| {
            UpstreamError::NotACatalogue { host, why: format!("no list of boxes: {error}") }
        })?;
        let named = list.boxes.into_iter().filter_map(|entry| {
            let from_tag =
                || entry.tag.as_deref()?.split_once('/').map(|(_, name)| name.to_owned());
            let name = entry.name.clone().or_else(from_tag)?;
            Some(Listed { name, is_private: entry.private.unwrap_or_default() })
        });
        Ok(named.collect())
    }

    /// The catalogue of a box, unless it is the one of this entity tag.
    ///
    /// # Errors
    /// As [`UpstreamError`] says.
    pub(crate) async fn catalogue(
        &self,
        url: &Url,
        known: Option<&str>,
    ) -> Result<Answer<(UpstreamBox, Bytes)>> {
        let host = host_of(url);
        let response = self.document(url, known).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(Answer::Unchanged);
        }
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let bytes = self.whole(response, &host).await?;
        let found = UpstreamBox::parse(&bytes, url)
            .map_err(|error| UpstreamError::NotACatalogue { host, why: error.to_string() })?;
        Ok(Answer::New((found, bytes), tag))
    }

    /// A file, from one of its bytes on.
    ///
    /// # Errors
    /// As [`UpstreamError`] says.
    pub(crate) async fn file(&self, url: &Url, from: u64) -> Result<FileBody> {
        let host = host_of(url);
        let range = (from > 0).then(|| format!("bytes={from}-"));
        let response = self
            .follow(url, |request| {
                // the bytes of the file and nothing around them
                let request = request.header(ACCEPT_ENCODING, "identity").header(ACCEPT, "*/*");
                match &range {
                    Some(range) => request.header(RANGE, range),
                    None => request,
                }
            })
            .await?;
        let (from, length) = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let status = StatusCode::PARTIAL_CONTENT;
                let wrong = || UpstreamError::Status { host: host.clone(), status };
                let range =
                    response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
                let (first, length) = range.and_then(content_range).ok_or_else(wrong)?;
                if first != from {
                    return Err(wrong());
                }
                (from, length)
            }
            StatusCode::OK => (0, response.content_length()),
            status => return Err(refusal(host, status)),
        };
        Ok(FileBody { length, from, response, host, idle_timeout: self.options.idle_timeout })
    }

    async fn document(&self, url: &Url, known: Option<&str>) -> Result<Response> {
        let response = self
            .follow(url, |request| {
                let request = request.header(ACCEPT, "application/json");
                match known {
                    Some(tag) => request.header(IF_NONE_MATCH, tag),
                    None => request,
                }
            })
            .await?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_MODIFIED if known.is_some() => Ok(response),
            status => Err(refusal(host_of(url), status)),
        }
    }

    /// Asks, and goes where the answer leads.
    async fn follow(
        &self,
        url: &Url,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response> {
        let first = host_of(url);
        let mut url = url.clone();
        for _ in 0..=self.options.redirects_max {
            self.options.reach.check(&url)?;
            let mut request = with(self.client.request(Method::GET, url.clone()));
            if let Some((origin, token)) = &self.token
                && *origin == url.origin()
            {
                request = request.header(AUTHORIZATION, token.clone());
            }
            let host = host_of(&url);
            let answer = tokio::time::timeout(self.options.answer_timeout, request.send()).await;
            let response = answer
                .map_err(|_| too_slow(&host, self.options.answer_timeout))?
                .map_err(|source| unreachable(&host, source))?;
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            url = next(&url, &response)?;
        }
        Err(UpstreamError::TooManyRedirects { host: first, max: self.options.redirects_max })
    }

    /// A document, as far as the limit goes.
    async fn whole(&self, mut response: Response, host: &str) -> Result<Bytes> {
        let max = self.options.document_bytes_max;
        let too_large = || UpstreamError::TooLarge { host: host.to_owned(), max };
        if response.content_length().is_some_and(|length| length > max) {
            return Err(too_large());
        }
        let read = async {
            let mut all = BytesMut::new();
            while let Some(chunk) =
                response.chunk().await.map_err(|source| unreachable(host, source))?
            {
                if (all.len() + chunk.len()) as u64 > max {
                    return Err(too_large());
                }
                all.extend_from_slice(&chunk);
            }
            Ok(all.freeze())
        };
        tokio::time::timeout(self.options.answer_timeout, read)
            .await
            .map_err(|_| too_slow(host, self.options.answer_timeout))?
    }
}

impl FileBody {
    /// The bytes, as they come.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send + Unpin {
        let Self { response, host, idle_timeout, .. } = self;
        stream::try_unfold((response, host), move |(mut response, host)| async move {
            let next = tokio::time::timeout(idle_timeout, response.chunk()).await;
            let chunk = next
                .map_err(|_| too_slow(&host, idle_timeout))?
                .map_err(|source| unreachable(&host, source))?;
            Ok(chunk.map(|chunk| (chunk, (response, host))))
        })
        .boxed()
    }
}

fn bearer(upstream: &Upstream, token: &str) -> Result<(Origin, HeaderValue)> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
        .map_err(|_| UpstreamError::Address("the token holds what no token does".to_owned()))?;
    value.set_sensitive(true);
    Ok((upstream.url().origin(), value))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

/// Where a redirect leads; never from a protected connection to an open one.
fn next(url: &Url, response: &Response) -> Result<Url> {
    let bad = |why: &str| UpstreamError::BadRedirect { host: host_of(url), why: why.to_owned() };
    let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
    let to = url.join(to.ok_or_else(|| bad("it is missing"))?).map_err(|_| bad("it is none"))?;
    if url.scheme() == "https" && to.scheme() != "https" {
        return Err(bad("it leaves HTTPS"));
    }
    Ok(to)
}

/// The first byte and the whole length of `bytes 5-9/10`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, length) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.parse().ok()?, length.parse().ok()))
}

fn refusal(host: String, status: StatusCode) -> UpstreamError {
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => UpstreamError::NotFound(host),
        status => UpstreamError::Status { host, status },
    }
}

fn unreachable(host: &str, source: reqwest::Error) -> UpstreamError {
    let mut cause: Option<&dyn std::error::Error> = Some(&source);
    while let Some(error) = cause {
        if error.is::<OnlyPrivate>() {
            return UpstreamError::PrivateAddress(host.to_owned());
        }
        cause = error.source();
    }
    // the address may hold what is for nobody's log
    UpstreamError::Unreachable { host: host.to_owned(), source: source.without_url() }
}

fn too_slow(host: &str, waited: Duration) -> UpstreamError {
    UpstreamError::TooSlow { host: host.to_owned(), seconds: waited.as_secs() }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 0-9/*"), Some((0, None)));
        assert_eq!(content_range("items 0-9/10"), None);
    }
}
