//! One object on its way in, block by block.
//!
//! OpenDAL's own writer cannot say when the blocks that were on their way have arrived; one that arrives after an abort
//! would stay for a week.

use std::sync::Arc;

use boxvault_plugin_sdk::{
    Bytes, ObjectMeta, ObjectWriter, PluginError, Result, WriteOptions, async_trait,
};
use boxvault_storage_opendal::{FindUnfinished as _, OpenWriter, Parts};
use data_encoding::BASE64;
use tokio::{runtime::Handle, task::JoinSet};
use uuid::Uuid;

use crate::blocks::Blocks;

/// Begins objects.
#[derive(Debug)]
pub(crate) struct Writers {
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) parts: Parts,
}

#[async_trait]
impl OpenWriter for Writers {
    async fn open(&self, key: &str, options: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        let blocks = Arc::clone(&self.blocks);
        let block_bytes = self.parts.bytes(options.size_hint);
        Ok(Box::new(BlockWriter::new(blocks, key.to_owned(), block_bytes, self.parts)))
    }
}

/// Sends blocks while bytes come in.
struct BlockWriter {
    /// Gone once it is finished or aborted.
    upload: Option<Upload>,
    block_bytes: usize,
    bytes_max: u64,
    concurrent: usize,
}

struct Upload {
    blocks: Arc<Blocks>,
    key: String,
    /// What does not fill a block yet.
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// In the order of the object.
    ids: Vec<String>,
    on_their_way: JoinSet<Result<()>>,
    written: u64,
}

impl BlockWriter {
    fn new(blocks: Arc<Blocks>, key: String, block_bytes: usize, parts: Parts) -> Self {
        let upload = Upload {
            blocks,
            key,
            waiting: Vec::new(),
            waiting_bytes: 0,
            ids: Vec::new(),
            on_their_way: JoinSet::new(),
            written: 0,
        };
        Self {
            upload: Some(upload),
            block_bytes,
            bytes_max: parts.object_bytes_max(block_bytes),
            concurrent: parts.concurrent,
        }
    }

    fn take(&mut self) -> Result<Upload> {
        self.upload.take().ok_or_else(used_up)
    }
}

fn used_up() -> PluginError {
    PluginError::invalid_input("the writer is used up")
}

impl Upload {
    /// Sends what waits.
    fn send(&mut self) {
        // of one length, as Azure wants them
        let id = BASE64.encode(Uuid::new_v4().as_bytes());
        let (blocks, key, chunks) =
            (Arc::clone(&self.blocks), self.key.clone(), std::mem::take(&mut self.waiting));
        self.waiting_bytes = 0;
        self.ids.push(id.clone());
        self.on_their_way.spawn(async move { blocks.put(&key, &id, chunks).await });
    }

    /// Waits until no more than so many blocks are on their way.
    async fn wait_for_all_but(&mut self, count: usize) -> Result<()> {
        while self.on_their_way.len() > count {
            if let Some(sent) = self.on_their_way.join_next().await {
                sent.map_err(|error| PluginError::unexpected(error.to_string()))??;
            }
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<ObjectMeta> {
        if self.waiting_bytes > 0 {
            self.send();
        }
        self.wait_for_all_but(0).await?;
        self.blocks.commit(&self.key, &self.ids, self.written).await
    }

    async fn abort(mut self) -> Result<()> {
        // each has its deadline; whether it arrived is all the same
        while self.on_their_way.join_next().await.is_some() {}
        if self.ids.is_empty() { Ok(()) } else { self.blocks.abort(&self.key).await }
    }
}

#[async_trait]
impl ObjectWriter for BlockWriter {
    async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        let Some(upload) = &mut self.upload else { return Err(used_up()) };
        upload.written += chunk.len() as u64;
        if upload.written > self.bytes_max {
            let message = format!(
                "the object is longer than {} bytes, which is all that its blocks can hold: declare its length before \
                 it is sent, or configure larger blocks",
                self.bytes_max
            );
            return Err(PluginError::invalid_input(message));
        }
        while !chunk.is_empty() {
            let room = self.block_bytes - upload.waiting_bytes;
            let piece = chunk.split_to(room.min(chunk.len()));
            upload.waiting_bytes += piece.len();
            upload.waiting.push(piece);
            if upload.waiting_bytes == self.block_bytes {
                upload.wait_for_all_but(self.concurrent - 1).await?;
                upload.send();
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        let mut upload = self.take()?;
        match upload.finish().await {
            Ok(meta) => Ok(meta),
            // The first failure is the one to tell. What is left now, the sweep finds.
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

impl Drop for BlockWriter {
    /// Aborts what nobody finished, where there is a runtime to do it on; elsewhere it is left to whoever sweeps.
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(upload.abort()));
        }
    }
}
