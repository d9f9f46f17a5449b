//! Bytes in and out of an operator.

use std::time::SystemTime;

use boxvault_plugin_sdk::{
    Bytes, ObjectMeta, ObjectReader, ObjectWriter, PluginError, Result, async_trait,
};
use futures_util::StreamExt;
use opendal::{FuturesBytesStream, Writer};

use crate::error::from_opendal;

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
            Some(Err(error)) => Err(error.into()),
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
    pub(crate) writer: Writer,
    pub(crate) written: u64,
}

#[async_trait]
impl ObjectWriter for ObjectSink {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.written += chunk.len() as u64;
        self.writer.write(chunk).await.map_err(from_opendal)
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        let meta = match self.writer.close().await {
            Ok(meta) => meta,
            Err(error) => {
                let error = from_opendal(error);
                // What could not be finished must not stay; the first failure is the one to tell.
                return Err(match self.writer.abort().await {
                    Ok(()) => error,
                    Err(second) => {
                        error.context(format_args!("could not be removed either: {second}"))
                    }
                });
            }
        };
        Ok(ObjectMeta::of_size(self.written)
            .modified(meta.last_modified().map(SystemTime::from))
            .etag(meta.etag().map(ToOwned::to_owned)))
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        self.writer.abort().await.map_err(from_opendal)
    }
}
