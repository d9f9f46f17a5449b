//! One object on its way in, chunk by chunk.

use std::sync::Arc;

use boxvault_plugin_sdk::{
    Bytes, ObjectMeta, ObjectWriter, PluginError, Result, WriteOptions, async_trait,
};
use boxvault_storage_opendal::OpenWriter;
use tokio::{
    runtime::Handle,
    task::{JoinError, JoinHandle},
};

use crate::upload::{Bucket, Upload};

/// Begins objects.
#[derive(Debug)]
pub(crate) struct Writers {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) chunk_bytes: usize,
}

#[async_trait]
impl OpenWriter for Writers {
    async fn open(&self, key: &str, _: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        let bucket = Arc::clone(&self.bucket);
        Ok(Box::new(ChunkWriter::new(bucket, key.to_owned(), self.chunk_bytes)))
    }
}

/// Sends a chunk while the next one comes in.
struct ChunkWriter {
    /// Gone once it is finished or aborted.
    transfer: Option<Transfer>,
    chunk_bytes: usize,
}

struct Transfer {
    bucket: Arc<Bucket>,
    key: String,
    /// Begun with the first chunk.
    upload: Option<Arc<Upload>>,
    /// The chunk that is being filled. It is sent when the next byte comes: the last one is sent in another way.
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// Where that chunk begins.
    offset: u64,
    on_its_way: Option<JoinHandle<Result<Option<ObjectMeta>>>>,
}

impl ChunkWriter {
    fn new(bucket: Arc<Bucket>, key: String, chunk_bytes: usize) -> Self {
        let transfer = Transfer {
            bucket,
            key,
            upload: None,
            waiting: Vec::new(),
            waiting_bytes: 0,
            offset: 0,
            on_its_way: None,
        };
        Self { transfer: Some(transfer), chunk_bytes }
    }

    fn take(&mut self) -> Result<Transfer> {
        self.transfer.take().ok_or_else(used_up)
    }
}

fn used_up() -> PluginError {
    PluginError::invalid_input("the writer is used up")
}

#[expect(clippy::needless_pass_by_value, reason = "used as map_err(ended)")]
fn ended(error: JoinError) -> PluginError {
    PluginError::unexpected(error.to_string())
}

impl Transfer {
    /// Sends the chunk that waits, once the one before it is there.
    async fn send(&mut self, size: Option<u64>) -> Result<()> {
        self.arrived().await?;
        let upload = if let Some(upload) = &self.upload {
            Arc::clone(upload)
        } else {
            let upload = match size {
                Some(_) => self.bucket.begin(&self.key).await?,
                None => self.bucket.begin_noted(&self.key).await?,
            };
            Arc::clone(self.upload.insert(Arc::new(upload)))
        };
        let (bucket, offset) = (Arc::clone(&self.bucket), self.offset);
        let chunk = std::mem::take(&mut self.waiting);
        self.offset += std::mem::take(&mut self.waiting_bytes) as u64;
        let sending = async move { bucket.send(&upload, offset, chunk, size).await };
        self.on_its_way = Some(tokio::spawn(sending));
        Ok(())
    }

    /// Waits for the chunk that is on its way; gives the object if it was the last one.
    async fn arrived(&mut self) -> Result<Option<ObjectMeta>> {
        match self.on_its_way.take() {
            Some(sending) => sending.await.map_err(ended)?,
            None => Ok(None),
        }
    }

    async fn finish(&mut self) -> Result<ObjectMeta> {
        let size = self.offset + self.waiting_bytes as u64;
        self.send(Some(size)).await?;
        let object = self.arrived().await?;
        let object = object.ok_or_else(|| PluginError::unexpected("the store made no object"))?;
        if let Some(upload) = &self.upload {
            // what is left of it the sweep finds
            drop(self.bucket.forget(upload).await);
        }
        Ok(object)
    }

    async fn abort(mut self) -> Result<()> {
        // it has its deadline; whether it arrived is all the same
        drop(self.arrived().await);
        match &self.upload {
            Some(upload) => self.bucket.give_up(upload).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl ObjectWriter for ChunkWriter {
    async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        let Some(transfer) = &mut self.transfer else { return Err(used_up()) };
        while !chunk.is_empty() {
            if transfer.waiting_bytes == self.chunk_bytes {
                transfer.send(None).await?;
            }
            let room = self.chunk_bytes - transfer.waiting_bytes;
            let piece = chunk.split_to(room.min(chunk.len()));
            transfer.waiting_bytes += piece.len();
            transfer.waiting.push(piece);
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        let mut transfer = self.take()?;
        match transfer.finish().await {
            Ok(meta) => Ok(meta),
            // The first failure is the one to tell. What is left ends by itself.
            Err(error) => {
                drop(transfer.abort().await);
                Err(error)
            }
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        self.take()?.abort().await
    }
}

impl Drop for ChunkWriter {
    /// Gives up what nobody finished, where there is a runtime to do it on; elsewhere it ends by itself within a week.
    fn drop(&mut self) {
        let Some(transfer) = self.transfer.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(transfer.abort()));
        }
    }
}
