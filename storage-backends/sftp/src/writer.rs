//! One object on its way in: a file of another name until it is whole and flushed.

use std::{pin::Pin, sync::Arc};

use boxvault_plugin_sdk::{
    Bytes, ObjectMeta, ObjectWriter, PluginError, PluginErrorKind, Result, async_trait,
};
use openssh_sftp_client::file::{File, TokioCompatFile};
use tokio::{io::AsyncWriteExt as _, runtime::Handle};

use crate::{connection::Connection, files::Files};

/// Writes one object.
pub(crate) struct Writer {
    /// Gone once it is finished or aborted.
    upload: Option<Upload>,
}

struct Upload {
    files: Arc<Files>,
    connection: Arc<Connection>,
    /// Sends several pieces before it waits for the answer to the first.
    file: Pin<Box<TokioCompatFile>>,
    key: String,
    staged: String,
    written: u64,
}

impl Writer {
    pub(crate) fn new(
        files: Arc<Files>,
        (connection, file): (Arc<Connection>, File),
        key: String,
        staged: String,
    ) -> Self {
        let file = Box::pin(TokioCompatFile::new(file));
        Self { upload: Some(Upload { files, connection, file, key, staged, written: 0 }) }
    }

    fn take(&mut self) -> Result<Upload> {
        self.upload.take().ok_or_else(used_up)
    }
}

fn used_up() -> PluginError {
    PluginError::invalid_input("the writer is used up")
}

impl Upload {
    async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        let (connection, file) = (&self.connection, &mut self.file);
        self.written += chunk.len() as u64;
        let written = async { file.write_all(chunk).await.map_err(|e| connection.failed_io(e)) };
        self.connection.transfer(written).await
    }

    async fn finish(&mut self) -> Result<ObjectMeta> {
        let (connection, file) = (&self.connection, &mut self.file);
        let durable = async {
            file.flush().await.map_err(|error| connection.failed_io(error))?;
            file.as_mut().as_mut_file().sync_all().await.map_err(|error| connection.failed(&error))
        };
        self.connection.transfer(durable).await?;
        let meta = ObjectMeta::of_size(self.written);
        match self.files.rename(&self.staged, &self.key).await {
            // it was renamed, and the answer to that was lost: a key is written once
            Err(error) if error.kind == PluginErrorKind::NotFound => {
                match self.files.stat(&self.key).await {
                    Ok(found) if found.size == self.written => Ok(meta),
                    _ => Err(error),
                }
            }
            renamed => renamed.map(|()| meta),
        }
    }

    /// The first failure is the one to tell; what cannot be removed now, the sweep finds.
    async fn abort(self) -> Result<()> {
        let Self { files, file, staged, .. } = self;
        drop(file);
        match files.remove(&staged).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.upload.as_mut().ok_or_else(used_up)?.write(&chunk).await
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
