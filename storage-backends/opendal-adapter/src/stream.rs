//! Bytes in and out of an operator.

use std::time::SystemTime;

use boxvault_plugin_sdk::{
    Bytes, ObjectMeta, ObjectReader, ObjectWriter, PluginError, PluginErrorKind, Result,
    async_trait,
};
use futures_util::StreamExt;
use opendal::{FuturesBytesStream, Metadata, Operator, Writer};

use crate::error::{from_io, from_opendal};

/// Reads a range that lies inside the object.
pub(crate) struct Reader {
    pub(crate) stream: FuturesBytesStream,
    /// What must still come: an object that is cut short is an error, not an end.
    pub(crate) remaining: u64,
}

#[async_trait]
impl ObjectReader for Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.stream.next().await {
            Some(Ok(chunk)) => {
                self.remaining = self.remaining.saturating_sub(chunk.len() as u64);
                Ok(Some(chunk))
            }
            Some(Err(error)) => Err(from_io(error)),
            None if self.remaining > 0 => {
                let message = format!("the object ends {} bytes too early", self.remaining);
                Err(PluginError::unexpected(message))
            }
            None => Ok(None),
        }
    }
}

/// Reads nothing.
pub(crate) struct Nothing;

#[async_trait]
impl ObjectReader for Nothing {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(None)
    }
}

/// Writes one object.
pub(crate) struct ObjectSink {
    operator: Operator,
    key: String,
    /// Gone once it is finished or aborted.
    writer: Option<Writer>,
    written: u64,
    bytes_max: u64,
}

impl ObjectSink {
    pub(crate) fn new(operator: Operator, key: String, writer: Writer, bytes_max: u64) -> Self {
        Self { operator, key, writer: Some(writer), written: 0, bytes_max }
    }

    fn take(&mut self) -> Result<Writer> {
        self.writer.take().ok_or_else(|| PluginError::invalid_input("the writer is used up"))
    }

    /// What to tell when an object could not be finished.
    ///
    /// A service that does not find what it should finish may have finished it: the answer to the attempt before was
    /// lost. A key is written once, so an object of the right length under it is this one.
    async fn unfinished(&self, mut writer: Writer, error: PluginError) -> Result<ObjectMeta> {
        if error.kind == PluginErrorKind::NotFound
            && let Ok(meta) = self.operator.stat(&self.key).await
            && meta.content_length() == self.written
        {
            return Ok(object_meta(self.written, &meta));
        }
        // It must not stay; the first failure is the one to tell.
        Err(match writer.abort().await.map_err(from_opendal) {
            Err(second) if second.kind != PluginErrorKind::NotFound => {
                error.context(format_args!("could not be removed either: {second}"))
            }
            _ => error,
        })
    }
}

#[async_trait]
impl ObjectWriter for ObjectSink {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.written += chunk.len() as u64;
        if self.written > self.bytes_max {
            let message = format!(
                "the object is longer than {} bytes, which is all that its parts can hold: declare its length before \
                 it is sent, or configure larger parts",
                self.bytes_max
            );
            return Err(PluginError::invalid_input(message));
        }
        let Some(writer) = &mut self.writer else {
            return Err(PluginError::invalid_input("the writer is used up"));
        };
        writer.write(chunk).await.map_err(from_opendal)
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        let mut writer = self.take()?;
        match writer.close().await {
            Ok(meta) => Ok(object_meta(self.written, &meta)),
            Err(error) => self.unfinished(writer, from_opendal(error)).await,
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        self.take()?.abort().await.map_err(from_opendal)
    }
}

impl Drop for ObjectSink {
    /// Aborts what nobody finished, where there is a runtime to do it on; elsewhere it is left to whoever sweeps.
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move { writer.abort().await }));
        }
    }
}

fn object_meta(size: u64, meta: &Metadata) -> ObjectMeta {
    ObjectMeta::of_size(size)
        .modified(meta.last_modified().map(SystemTime::from))
        .etag(meta.etag().map(ToOwned::to_owned))
}
