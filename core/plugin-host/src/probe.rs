//! Tries out what a storage backend declares, before it is put into service.
//!
//! Several object stores accept an option and ignore it, so a declaration is not believed. The probe
//! writes one small object under a name that nobody else uses, reads it back, tries each declared
//! capability on it, and removes it. What is untrue is switched off with a warning; a store that
//! cannot keep the object at all is an error.

mod web;

use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use boxvault_plugin_sdk::{
    ByteRange, Capabilities, ObjectReader, PluginError, PluginErrorKind, Result, StorageBackend,
    WriteOptions,
};
use bytes::Bytes;

/// Where a store is tried out. What lies here for long was left by a process that was killed meanwhile.
pub const PROBE_PREFIX: &str = "probe/";

const TEXT: &[u8] = b"boxvault probe: may be deleted\n";

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeReport {
    /// What the backend declares, and what was true.
    pub working: Capabilities,
    /// What it declares, what was not true, and why.
    pub switched_off: Vec<(Capabilities, String)>,
}

/// Tries out a backend.
///
/// # Errors
/// Whatever kept the object from being written, read or removed.
pub(crate) async fn run(backend: &dyn StorageBackend) -> Result<ProbeReport> {
    backend.health().await?;
    let key = unique_key();
    let result = try_out(backend, &key).await;
    let removed = backend.delete(&key).await;
    let report = result?;
    removed.map_err(|error| error.context("could not remove the probe object"))?;
    Ok(report)
}

async fn try_out(backend: &dyn StorageBackend, key: &str) -> Result<ProbeReport> {
    write(backend, key).await.map_err(|error| error.context("could not write an object"))?;
    let meta = backend.stat(key).await?;
    if meta.size != TEXT.len() as u64 {
        let message = format!("wrote {} bytes, found {}", TEXT.len(), meta.size);
        return Err(PluginError::unexpected(message));
    }
    let whole = read(backend, key, ByteRange::FULL).await?;
    if whole != TEXT {
        return Err(PluginError::unexpected("an object came back with other bytes"));
    }
    let declared = backend.capabilities();
    let mut report = ProbeReport { working: declared, switched_off: Vec::new() };
    for one in [
        Capabilities::RANGE_READ,
        Capabilities::LIST,
        Capabilities::LOCAL_PATH,
        Capabilities::LIST_UNFINISHED,
        Capabilities::PRESIGN_READ,
        Capabilities::PRESIGN_WRITE,
        Capabilities::CREATE_NEW,
    ] {
        if !declared.contains(one) {
            continue;
        }
        // what nobody finishes could not be found
        if one == Capabilities::PRESIGN_WRITE
            && !report.working.contains(Capabilities::LIST_UNFINISHED)
        {
            report.working = report.working.without(one);
            report.switched_off.push((one, "it needs list-unfinished".to_owned()));
            continue;
        }
        if let Err(reason) = holds(backend, key, one).await {
            report.working = report.working.without(one);
            report.switched_off.push((one, reason));
        }
    }
    Ok(report)
}

/// Says why a capability does not hold.
async fn holds(
    backend: &dyn StorageBackend,
    key: &str,
    capability: Capabilities,
) -> Result<(), String> {
    let text = |error: PluginError| error.to_string();
    if capability == Capabilities::RANGE_READ {
        let part = read(backend, key, ByteRange::new(9, 5)).await.map_err(text)?;
        return ok_if(Some(&part[..]) == TEXT.get(9..14), "a range came back with other bytes");
    }
    if capability == Capabilities::LIST {
        let entries = backend.list(key, None, 2).await.map_err(text)?;
        let found = entries.len() == 1 && entries.iter().all(|entry| entry.key == key);
        return ok_if(found, "a written object is not in the list");
    }
    if capability == Capabilities::LOCAL_PATH {
        let path = backend.local_path(key).await.map_err(text)?;
        let bytes = tokio::fs::read(&path).await.map_err(|error| error.to_string())?;
        return ok_if(bytes == TEXT, "the file at the local path holds other bytes");
    }
    if capability == Capabilities::PRESIGN_READ {
        return web::reads(backend, key, TEXT).await;
    }
    if capability == Capabilities::PRESIGN_WRITE {
        return web::writes(backend, &format!("{key}-sent"), TEXT).await;
    }
    if capability == Capabilities::LIST_UNFINISHED {
        backend.abort_unfinished(key).await.map_err(text)?;
        let entries = backend.list_unfinished(key, None, 2).await.map_err(text)?;
        return ok_if(entries.is_empty(), "a finished object is listed as unfinished");
    }
    match write(backend, key).await {
        Err(error) if error.kind == PluginErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(text(error)),
        Ok(()) => Err("a taken key was written again".to_owned()),
    }
}

fn ok_if(condition: bool, otherwise: &str) -> Result<(), String> {
    if condition { Ok(()) } else { Err(otherwise.to_owned()) }
}

async fn write(backend: &dyn StorageBackend, key: &str) -> Result<()> {
    let size = TEXT.len() as u64;
    let mut writer = backend.open_writer(key, WriteOptions::with_size_hint(Some(size))).await?;
    writer.write(Bytes::from_static(TEXT)).await?;
    writer.finish().await.map(drop)
}

async fn read(backend: &dyn StorageBackend, key: &str, range: ByteRange) -> Result<Vec<u8>> {
    let mut reader: Box<dyn ObjectReader> = backend.open_reader(key, range).await?;
    let mut all = Vec::new();
    while let Some(chunk) = reader.next().await? {
        all.extend_from_slice(&chunk);
        if all.len() > 2 * TEXT.len() {
            break; // more than was ever written; the comparison says so
        }
    }
    Ok(all)
}

/// A key that no other probe uses: not in this process, not in another one, not later.
fn unique_key() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{PROBE_PREFIX}{now}-{}-{count}", process::id())
}
