//! The smallest storage plugin: objects in memory, gone with the process.
//!
//! What it shows is the whole of a storage plugin: a configuration, what it can do, reading, writing,
//! and the rules that a store keeps. Put your own service in the place of the map.

#[cfg(test)]
mod conformance;

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use boxvault_plugin_sdk::{
    ByteRange, Bytes, Capabilities, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter,
    PluginError, PluginErrorKind, Result, StorageBackend, StoragePlugin, WriteOptions, async_trait,
    export_storage_backend,
    schemars::{self, JsonSchema},
    serde::Deserialize,
    storage::check_key,
};

/// The plugin's table in the configuration. Its comments go into the schema that the server checks
/// against; `boxvault plugin inspect` shows it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// The most bytes that all objects together may have.
    #[serde(default = "bytes_max")]
    pub bytes_max: u64,
    /// How many bytes of an object are handed out at once.
    #[serde(default = "chunk_bytes")]
    pub chunk_bytes: usize,
}

fn bytes_max() -> u64 {
    1 << 30
}

fn chunk_bytes() -> usize {
    256 * 1024
}

/// The plugin: makes a backend of a [`Config`].
#[derive(Debug)]
pub struct Shelf;

impl StoragePlugin for Shelf {
    type Config = Config;

    // What a schema cannot say. No side effects: `boxvault config check` asks this, too.
    fn validate(config: &Config) -> Result<()> {
        if config.chunk_bytes == 0 {
            return Err(PluginError::invalid_config("chunk_bytes: must be at least 1"));
        }
        Ok(())
    }

    async fn create(config: Config) -> Result<Box<dyn StorageBackend>> {
        Self::validate(&config)?;
        let objects = Arc::new(Objects { map: Mutex::default(), bytes_max: config.bytes_max });
        Ok(Box::new(Backend { objects, chunk_bytes: config.chunk_bytes }))
    }
}

export_storage_backend!(Shelf, name = "shelf");

/// Everything that is kept.
struct Objects {
    map: Mutex<BTreeMap<String, Object>>,
    bytes_max: u64,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    modified: SystemTime,
}

impl Objects {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        // Nothing panics while holding the lock.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &str) -> Result<Object> {
        let found = self.lock().get(key).cloned();
        found.ok_or_else(|| PluginError::not_found(format!("there is no object {key:?}")))
    }
}

struct Backend {
    objects: Arc<Objects>,
    chunk_bytes: usize,
}

#[async_trait]
impl StorageBackend for Backend {
    /// Only what is true: the server tries it out, and switches off what is not.
    fn capabilities(&self) -> Capabilities {
        Capabilities::RANGE_READ | Capabilities::LIST | Capabilities::CREATE_NEW
    }

    async fn health(&self) -> Result<()> {
        Ok(())
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        check_key(key)?;
        let Object { bytes, modified } = self.objects.find(key)?;
        Ok(ObjectMeta::of_size(bytes.len() as u64).modified(Some(modified)))
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        check_key(key)?;
        let bytes = self.objects.find(key)?.bytes;
        // A range is clipped to the object; behind its end there is nothing, and no error.
        let start = usize::try_from(range.offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = usize::try_from(range.length.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let end = start.saturating_add(length).min(bytes.len());
        Ok(Box::new(Reader { rest: bytes.slice(start..end), chunk_bytes: self.chunk_bytes }))
    }

    async fn open_writer(&self, key: &str, _: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        check_key(key)?;
        if self.objects.find(key).is_ok() {
            return Err(taken(key));
        }
        let objects = Arc::clone(&self.objects);
        Ok(Box::new(Writer { key: key.to_owned(), objects, written: Vec::new() }))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.objects.lock().remove(key);
        Ok(()) // one that is not there is no error
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let objects = self.objects.lock();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let rows = objects.range::<str, _>((start, Bound::Unbounded));
        let rows = rows.take_while(|(key, _)| key.starts_with(prefix)).take(limit as usize);
        let entry = |(key, object): (&String, &Object)| ObjectEntry {
            key: key.clone(),
            size: object.bytes.len() as u64,
            modified: Some(object.modified),
        };
        Ok(rows.map(entry).collect())
    }
}

fn taken(key: &str) -> PluginError {
    PluginError::already_exists(format!("there is an object {key:?} already"))
}

struct Reader {
    rest: Bytes,
    chunk_bytes: usize,
}

#[async_trait]
impl ObjectReader for Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let length = self.rest.len().min(self.chunk_bytes);
        Ok((length > 0).then(|| self.rest.split_to(length)))
    }
}

/// What is written is seen by nobody before `finish`; a writer that is dropped leaves nothing.
struct Writer {
    key: String,
    objects: Arc<Objects>,
    written: Vec<u8>,
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let all: usize = self.objects.lock().values().map(|object| object.bytes.len()).sum();
        if (all + self.written.len() + chunk.len()) as u64 > self.objects.bytes_max {
            return Err(PluginError::new(PluginErrorKind::StorageFull, "bytes_max is reached"));
        }
        self.written.extend_from_slice(&chunk);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<ObjectMeta> {
        let Self { key, objects, written } = *self;
        let object = Object { bytes: written.into(), modified: SystemTime::now() };
        let meta = ObjectMeta::of_size(object.bytes.len() as u64).modified(Some(object.modified));
        let mut objects = objects.lock();
        // somebody else may have finished meanwhile
        if objects.contains_key(&key) {
            return Err(taken(&key));
        }
        objects.insert(key, object);
        Ok(meta)
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
