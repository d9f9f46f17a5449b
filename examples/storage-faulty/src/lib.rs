//! A storage plugin that misbehaves on request, for the tests.
//!
//! Keys and configuration say how: it panics, hangs, fails late, answers nonsense, and declares what
//! it does not do. Everything else it keeps in memory. `faulty.c` beside this does what Rust cannot:
//! it breaks the C table itself.

use std::{
    collections::BTreeMap,
    future::pending,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use boxvault_plugin_sdk::{
    ByteRange, Bytes, Capabilities, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter,
    PluginError, PluginErrorKind, Result, Secret, StorageBackend, StoragePlugin, WriteOptions,
    async_trait, export_storage_backend,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};

/// How to misbehave.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// What `create` does.
    #[serde(default)]
    pub create: Create,
    /// Each so many-th writer of a key below `blobs/` finds the store out of reach.
    pub writer_fails_every: Option<u64>,
    /// A secret, to see that nobody shows it.
    pub password: Option<Secret>,
}

/// What `create` does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "kebab-case")]
pub enum Create {
    /// Works.
    #[default]
    Works,
    /// Panics.
    Panics,
    /// Never answers.
    Hangs,
    /// Fails.
    Fails,
    /// Ends the process.
    Aborts,
}

/// The plugin.
#[derive(Debug)]
pub struct Faulty;

impl StoragePlugin for Faulty {
    type Config = Config;

    async fn create(config: Config) -> Result<Box<dyn StorageBackend>> {
        match config.create {
            Create::Works => Ok(Box::new(Backend {
                writer_fails_every: config.writer_fails_every,
                ..Backend::default()
            })),
            Create::Panics => panic!("create panics, as told"),
            Create::Hangs => pending().await,
            Create::Aborts => std::process::abort(),
            Create::Fails => Err(PluginError::unavailable("create fails, as told")),
        }
    }
}

export_storage_backend!(Faulty, name = "faulty");

#[derive(Default)]
struct Backend {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    /// How many readers and writers are alive; `stat` of `alive` says so.
    alive: Arc<AtomicU64>,
    writer_fails_every: Option<u64>,
    /// How many writers of keys below `blobs/` were asked for.
    writers: AtomicU64,
}

/// Counts itself.
struct Alive(Arc<AtomicU64>);

impl Alive {
    fn new(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Backend {
    fn find(&self, key: &str) -> Result<Bytes> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.get(key).cloned().ok_or_else(|| PluginError::not_found("nothing there"))
    }
}

#[async_trait]
impl StorageBackend for Backend {
    /// Lies about the last two.
    fn capabilities(&self) -> Capabilities {
        Capabilities::RANGE_READ
            | Capabilities::LIST
            | Capabilities::LOCAL_PATH
            | Capabilities::CREATE_NEW
    }

    async fn health(&self) -> Result<()> {
        Ok(())
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        match key {
            "panic" => panic!("stat panics, as told"),
            "panic-later" => {
                tokio::task::yield_now().await;
                panic!("stat panics later, as told")
            }
            "hang" => pending().await,
            "abort" => std::process::abort(),
            // keeps the thread that the call came on
            "block" => loop {
                std::thread::park();
            },
            "leak" => leak(),
            "log" => {
                tracing::warn!(answer = 42, "a line from the plugin");
                Ok(ObjectMeta::of_size(0))
            }
            "alive" => Ok(ObjectMeta::of_size(self.alive.load(Ordering::SeqCst))),
            _ => self.find(key).map(|bytes| ObjectMeta::of_size(bytes.len() as u64)),
        }
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        let mode = match key {
            "panic" => ReadMode::Panics,
            "hang" => ReadMode::Hangs,
            "endless" => ReadMode::Endless,
            "late" => {
                // Answers when the host has long given up, and hands over a reader then.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                ReadMode::Endless
            }
            _ => {
                let bytes = self.find(key)?;
                let start = usize::try_from(range.offset).unwrap_or(usize::MAX).min(bytes.len());
                let length = range.length.unwrap_or(u64::MAX);
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let end = start.saturating_add(length).min(bytes.len());
                ReadMode::Bytes(bytes.slice(start..end))
            }
        };
        Ok(Box::new(Reader { mode, _alive: Alive::new(&self.alive) }))
    }

    async fn open_writer(&self, key: &str, _: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        if let Some(every) = self.writer_fails_every.filter(|_| key.starts_with("blobs/")) {
            let number = self.writers.fetch_add(1, Ordering::SeqCst) + 1;
            if number.is_multiple_of(every.max(1)) {
                return Err(PluginError::unavailable("this writer fails, as told"));
            }
        }
        let (key, objects) = (key.to_owned(), Arc::clone(&self.objects));
        let _alive = Alive::new(&self.alive);
        Ok(Box::new(Writer { key, objects, written: Vec::new(), chunks: 0, _alive }))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        drop(self.objects.lock().unwrap_or_else(PoisonError::into_inner).remove(key));
        Ok(())
    }

    async fn list(&self, prefix: &str, _: Option<&str>, limit: u32) -> Result<Vec<ObjectEntry>> {
        let row = |key: &str| ObjectEntry { key: key.to_owned(), size: 1, modified: None };
        match prefix {
            "unsorted/" => return Ok(vec![row("unsorted/b"), row("unsorted/a")]),
            "foreign/" => return Ok(vec![row("other/a")]),
            "endless/" => {
                return Ok((0..=limit).map(|i| row(&format!("endless/{i:09}"))).collect());
            }
            _ => {}
        }
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = objects.keys().filter(|key| key.starts_with(prefix)).map(|key| row(key));
        Ok(rows.take(limit as usize).collect())
    }

    async fn local_path(&self, _: &str) -> Result<PathBuf> {
        Ok(PathBuf::from("relative/path"))
    }
}

/// Takes memory until there is none.
fn leak() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; 16 << 20]);
    }
}

enum ReadMode {
    Bytes(Bytes),
    Panics,
    Hangs,
    Endless,
}

struct Reader {
    mode: ReadMode,
    _alive: Alive,
}

#[async_trait]
impl ObjectReader for Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        match &mut self.mode {
            ReadMode::Bytes(bytes) if bytes.is_empty() => Ok(None),
            ReadMode::Bytes(bytes) => Ok(Some(std::mem::take(bytes))),
            ReadMode::Panics => panic!("a reader panics, as told"),
            ReadMode::Hangs => pending().await,
            ReadMode::Endless => Ok(Some(Bytes::from_static(b"and on and on "))),
        }
    }
}

struct Writer {
    key: String,
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    written: Vec<u8>,
    chunks: u32,
    _alive: Alive,
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.chunks += 1;
        match self.key.as_str() {
            "panic" => panic!("a writer panics, as told"),
            "hang" => pending().await,
            "full" if self.chunks == 2 => {
                Err(PluginError::new(PluginErrorKind::StorageFull, "the second chunk is too much"))
            }
            _ => {
                self.written.extend_from_slice(&chunk);
                Ok(())
            }
        }
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        assert_ne!(self.key, "finish-panic", "finish panics, as told");
        let size = self.written.len() as u64;
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        drop(objects.insert(self.key.clone(), self.written.clone().into()));
        Ok(ObjectMeta::of_size(size))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
