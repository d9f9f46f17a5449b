//! A writer over blocking calls: files, or a client that knows no `async`.
//!
//! An author implements [`BlockingWriter`]; [`WriteBehind`] makes an [`ObjectWriter`] of it, with a thread of its own.
//! Chunks are collected into batches, and `write` answers at once for as long as there is room, so that receiving and
//! writing overlap.
//!
//! Not chosen: a queue and a task for every writer, whatever its kind. A client that is `async` overlaps by itself, and
//! for a file each chunk then cost three thread switches, which together were dearer than writing it.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    thread,
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    error::{PluginError, Result},
    runtime::{Answer, Receiver, Sender, answer, channel},
    storage::{ObjectMeta, ObjectWriter},
};

/// Bytes on their way to a blocking target. Dropping an unfinished one throws away what was written.
pub trait BlockingWriter: Send + 'static {
    /// Takes the next chunks, all of them, in order.
    ///
    /// # Errors
    /// After one only [`abort`](Self::abort) or drop is called.
    fn write(&mut self, chunks: &[Bytes]) -> Result<()>;

    /// Makes the object visible, whole and durable, as [`ObjectWriter::finish`] says.
    fn finish(self) -> Result<ObjectMeta>;

    /// Throws away what was written; nothing is left.
    fn abort(self) -> Result<()>;
}

/// A [`BlockingWriter`] as an [`ObjectWriter`]. Holds at most three batches, and the chunk that overfilled each.
pub struct WriteBehind {
    orders: Sender<Order>,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    batch_bytes_max: usize,
    failed: Failure,
}

/// The first failure; kept, because the call that caused it was answered long ago.
type Failure = Arc<OnceLock<PluginError>>;

enum Order {
    Write(Vec<Bytes>),
    Finish(Answer<Result<ObjectMeta>>),
    Abort(Answer<Result<()>>),
}

impl WriteBehind {
    /// Starts the thread. It is given batches of about `batch_bytes_max`.
    ///
    /// # Errors
    /// `Unavailable` if the system has no thread left.
    pub fn start(writer: impl BlockingWriter, batch_bytes_max: usize) -> Result<Self> {
        let (orders, waiting) = channel(1);
        let failed = Failure::default();
        let seen = Arc::clone(&failed);
        let thread = thread::Builder::new().name("boxvault-writer".to_owned());
        let started = thread.spawn(move || carry_out(writer, waiting, &seen));
        drop(started.map_err(|error| PluginError::unavailable(error.to_string()))?);
        Ok(Self { orders, batch: Vec::new(), batch_bytes: 0, batch_bytes_max, failed })
    }

    fn check(&self) -> Result<()> {
        match self.failed.get() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Hands the batch over, when there is room for it.
    async fn hand_over(&mut self) -> Result<()> {
        if let Ok(room) = self.orders.reserve().await {
            self.batch_bytes = 0;
            room.send(Order::Write(std::mem::take(&mut self.batch)));
        }
        self.check()
    }
}

/// Works until the writer is finished, aborted or dropped.
fn carry_out(mut writer: impl BlockingWriter, mut orders: Receiver<Order>, failed: &Failure) {
    while let Some(order) = orders.blocking_recv() {
        match order {
            Order::Write(batch) => {
                if failed.get().is_none()
                    && let Err(error) = caught(|| writer.write(&batch))
                {
                    failed.get_or_init(|| error);
                }
            }
            Order::Finish(answer) => {
                let outcome = match failed.get() {
                    None => caught(|| writer.finish()),
                    Some(error) => {
                        throw_away(writer);
                        Err(error.clone())
                    }
                };
                return answer.send(outcome);
            }
            Order::Abort(answer) => return answer.send(caught(|| writer.abort())),
        }
    }
    throw_away(writer);
}

fn throw_away(writer: impl BlockingWriter) {
    if let Err(error) = caught(|| writer.abort()) {
        tracing::warn!("could not abort an unfinished object: {error}");
    }
}

fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(PluginError::from_panic(&*payload)))
}

#[async_trait]
impl ObjectWriter for WriteBehind {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.check()?;
        self.batch_bytes += chunk.len();
        self.batch.push(chunk);
        if self.batch_bytes < self.batch_bytes_max { Ok(()) } else { self.hand_over().await }
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        // a failure is answered by the last order, which cleans up as well
        drop(self.hand_over().await);
        let (answer, outcome) = answer();
        drop(self.orders.send(Order::Finish(answer)).await);
        outcome.wait().await?
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        let (answer, outcome) = answer();
        drop(self.orders.send(Order::Abort(answer)).await);
        outcome.wait().await?
    }
}

impl fmt::Debug for WriteBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBehind")
            .field("batch_bytes", &self.batch_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;
    use crate::runtime::block_on;

    /// Writes into memory, each batch after a permission.
    struct Target {
        written: Written,
        permissions: mpsc::Receiver<Result<()>>,
    }

    type Written = Arc<Mutex<Vec<u8>>>;

    impl BlockingWriter for Target {
        fn write(&mut self, chunks: &[Bytes]) -> Result<()> {
            self.permissions.recv().unwrap()?;
            for chunk in chunks {
                self.written.lock().unwrap().extend_from_slice(chunk);
            }
            Ok(())
        }

        fn finish(self) -> Result<ObjectMeta> {
            Ok(ObjectMeta::of_size(self.written.lock().unwrap().len() as u64))
        }

        fn abort(self) -> Result<()> {
            self.written.lock().unwrap().clear();
            Ok(())
        }
    }

    fn writer(batch: usize) -> (Box<WriteBehind>, Written, mpsc::Sender<Result<()>>) {
        let (permit, permissions) = mpsc::channel();
        let written = Written::default();
        let target = Target { written: Arc::clone(&written), permissions };
        (Box::new(WriteBehind::start(target, batch).unwrap()), written, permit)
    }

    #[test]
    fn chunks_come_in_order_and_a_write_waits_when_two_batches_do() {
        block_on(async {
            let (mut writer, written, permit) = writer(4);
            // one is worked on, one waits
            for batch in [&b"abcd"[..], b"efgh"] {
                writer.write(Bytes::from_static(batch)).await.unwrap();
            }
            writer.write(Bytes::from_static(b"ij")).await.unwrap();
            assert!(written.lock().unwrap().is_empty());
            let (waits, permits) = (writer.write(Bytes::from_static(b"kl")), async {
                for _ in 0..4 {
                    permit.send(Ok(())).unwrap();
                }
            });
            let (waited, ()) = futures_util::join!(waits, permits);
            waited.unwrap();
            writer.write(Bytes::from_static(b"m")).await.unwrap();
            let meta = writer.finish().await.unwrap();
            assert_eq!(
                (meta.size, written.lock().unwrap().as_slice()),
                (13, &b"abcdefghijklm"[..])
            );
        });
    }

    #[test]
    fn a_failure_comes_with_every_later_call_and_leaves_nothing() {
        block_on(async {
            let (mut writer, written, permit) = writer(2);
            permit.send(Ok(())).unwrap();
            permit.send(Err(PluginError::unavailable("away"))).unwrap();
            let error = loop {
                if let Err(error) = writer.write(Bytes::from_static(b"ab")).await {
                    break error;
                }
            };
            assert_eq!(writer.write(Bytes::from_static(b"e")).await.unwrap_err(), error);
            assert_eq!(writer.finish().await.unwrap_err(), error);
            assert!(written.lock().unwrap().is_empty());
        });
    }

    #[test]
    fn a_panic_at_work_is_an_error() {
        block_on(async {
            let (mut writer, _, permit) = writer(1);
            drop(permit); // the target unwraps
            drop(writer.write(Bytes::from_static(b"a")).await);
            let error = writer.finish().await.unwrap_err();
            assert_eq!(error.kind, crate::PluginErrorKind::Panicked);
        });
    }
}
