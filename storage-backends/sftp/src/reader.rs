//! One object on its way out.

use std::{io::SeekFrom, sync::Arc};

use boxvault_plugin_sdk::{Bytes, ObjectReader, PluginError, Result, async_trait};
use bytes::BytesMut;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use openssh_sftp_client::file::File;
use tokio::io::AsyncSeekExt as _;

use crate::connection::Connection;

/// What OpenSSH's server gives in one answer.
const CHUNK_BYTES: u64 = 255 << 10;
/// How many requests are on their way at once: 1 MiB in all.
const AHEAD: usize = 4;

/// Reads a range that lies inside the object, a little ahead of whoever takes it.
pub(crate) struct Reader {
    chunks: BoxStream<'static, Result<Bytes>>,
}

impl Reader {
    pub(crate) fn new(connection: Arc<Connection>, file: File, (start, end): (u64, u64)) -> Self {
        let step = usize::try_from(CHUNK_BYTES).expect("a small number");
        let chunks = stream::iter((start..end).step_by(step))
            .map(move |offset| {
                let (connection, file) = (Arc::clone(&connection), file.clone());
                let end = end.min(offset + CHUNK_BYTES);
                async move { connection.transfer(read(&connection, file, (offset, end))).await }
            })
            .buffered(AHEAD)
            .boxed();
        Self { chunks }
    }
}

async fn read(
    connection: &Connection,
    mut file: File,
    (mut start, end): (u64, u64),
) -> Result<Bytes> {
    let mut all = BytesMut::new();
    while start < end {
        // its own position is wrong after a short answer
        file.seek(SeekFrom::Start(start)).await.map_err(|error| connection.failed_io(error))?;
        let want = u32::try_from(end - start).unwrap_or(u32::MAX);
        let piece = file.read(want, BytesMut::new()).await;
        let Some(piece) = piece.map_err(|error| connection.failed(&error))? else {
            let message = format!("the object ends at {start}, and should reach {end} at least");
            return Err(PluginError::unexpected(message));
        };
        start += piece.len() as u64;
        if all.is_empty() { all = piece } else { all.extend_from_slice(&piece) }
    }
    Ok(all.freeze())
}

#[async_trait]
impl ObjectReader for Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.chunks.next().await.transpose()
    }
}
