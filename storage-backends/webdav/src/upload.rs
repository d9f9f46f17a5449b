//! One object on its way in: a request that is as long as the object.
//!
//! OpenDAL's writer for WebDAV takes one buffer, so all of a box would be in memory.

use std::{future::Future, sync::Arc, time::Duration};

use boxvault_plugin_sdk::{
    Bytes, ObjectMeta, ObjectWriter, PluginError, PluginErrorKind as Kind, Result, async_trait,
};
use futures_util::stream;
use reqwest::{Body, RequestBuilder, Response, StatusCode};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, Sender},
    task::JoinHandle,
    time::timeout,
};

use crate::Files;

/// How many chunks wait between who brings them and the connection.
const CHUNKS_WAITING_MAX: usize = 2;

/// A request that is being sent.
#[derive(Debug)]
pub(crate) struct Request {
    /// Gone when there is no more to come.
    chunks: Option<Sender<Bytes>>,
    answer: JoinHandle<reqwest::Result<Response>>,
    patience: Duration,
}

impl Request {
    /// Begins to send.
    pub(crate) fn begin(request: RequestBuilder, patience: Duration) -> Self {
        let (chunks, waiting) = mpsc::channel::<Bytes>(CHUNKS_WAITING_MAX);
        let body = stream::unfold(waiting, |mut waiting| async {
            let chunk = waiting.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(chunk), waiting))
        });
        let answer = tokio::spawn(request.body(Body::wrap_stream(body)).send());
        Self { chunks: Some(chunks), answer, patience }
    }

    async fn send(&mut self, chunk: Bytes) -> Result<()> {
        let Some(chunks) = &self.chunks else { return Err(used_up()) };
        match within(self.patience, chunks.send(chunk)).await? {
            Ok(()) => Ok(()),
            // nobody takes more: there is an answer already, and not a good one
            Err(_) => Err(match self.end().await {
                Ok(()) => PluginError::unexpected("the server answered before all was sent"),
                Err(error) => error,
            }),
        }
    }

    /// Waits for the answer.
    async fn end(&mut self) -> Result<()> {
        self.chunks = None;
        let answer = within(self.patience, &mut self.answer).await?;
        let answer = answer.map_err(|error| PluginError::unexpected(error.to_string()))?;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(refused(answer.status())),
            Err(error) => Err(PluginError::unavailable(causes(&error.without_url()))),
        }
    }
}

impl Drop for Request {
    /// A connection that breaks before the end of the body makes no file.
    fn drop(&mut self) {
        self.answer.abort();
    }
}

async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T> {
    let late = |_| PluginError::unavailable(format!("the server took nothing for {patience:?}"));
    timeout(patience, work).await.map_err(late)
}

fn used_up() -> PluginError {
    PluginError::invalid_input("the writer is used up")
}

/// What a status means.
pub(crate) fn refused(status: StatusCode) -> PluginError {
    let (kind, advice) = match status {
        StatusCode::UNAUTHORIZED => (Kind::PermissionDenied, "; correct username and password"),
        StatusCode::FORBIDDEN => (Kind::PermissionDenied, "; let this user write there"),
        StatusCode::NOT_FOUND => (Kind::NotFound, ""),
        StatusCode::INSUFFICIENT_STORAGE => (Kind::StorageFull, ""),
        StatusCode::PAYLOAD_TOO_LARGE => (Kind::InvalidInput, "; raise the server's limit"),
        StatusCode::LENGTH_REQUIRED => {
            (Kind::Unsupported, "; the server has to take uploads whose length is not declared")
        }
        StatusCode::METHOD_NOT_ALLOWED => (Kind::Unsupported, "; is this a WebDAV server?"),
        StatusCode::TOO_MANY_REQUESTS => (Kind::Unavailable, ""),
        status if status.is_server_error() => (Kind::Unavailable, ""),
        _ => (Kind::Unexpected, ""),
    };
    PluginError::new(kind, format!("the server answers {status}{advice}"))
}

pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}

/// Writes one object.
pub(crate) struct Writer {
    /// Gone once it is finished or aborted.
    upload: Option<Upload>,
}

struct Upload {
    files: Arc<Files>,
    request: Request,
    key: String,
    staged: String,
    written: u64,
}

impl Writer {
    pub(crate) fn new(files: Arc<Files>, request: Request, key: String, staged: String) -> Self {
        Self { upload: Some(Upload { files, request, key, staged, written: 0 }) }
    }

    fn take(&mut self) -> Result<Upload> {
        self.upload.take().ok_or_else(used_up)
    }
}

impl Upload {
    async fn finish(&mut self) -> Result<ObjectMeta> {
        self.request.end().await?;
        let kept = self.files.size(&self.staged).await?;
        if kept != self.written {
            let message = format!("the server kept {kept} bytes of {}", self.written);
            return Err(PluginError::unexpected(message));
        }
        self.files.rename(&self.staged, &self.key).await?;
        Ok(ObjectMeta::of_size(self.written))
    }

    /// The first failure is the one to tell; what cannot be removed now, the sweep finds.
    async fn abort(self) -> Result<()> {
        let Self { files, request, staged, .. } = self;
        drop(request);
        files.remove(&staged).await
    }
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let upload = self.upload.as_mut().ok_or_else(used_up)?;
        upload.written += chunk.len() as u64;
        // an empty chunk would end the body
        if chunk.is_empty() { Ok(()) } else { upload.request.send(chunk).await }
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        let mut upload = self.take()?;
        match upload.finish().await {
            Ok(meta) => Ok(meta),
            Err(error) => {
                drop(upload.abort().await);
                Err(error)
            }
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        self.take()?.abort().await
    }
}

impl Drop for Writer {
    /// Aborts what nobody finished, where there is a runtime to do it on; elsewhere it is left to whoever sweeps.
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(upload.abort()));
        }
    }
}
