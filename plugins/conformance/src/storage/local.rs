//! Local paths: the file that the host opens itself, and what only a sparse file can show.

use std::io::SeekFrom;

use boxvault_plugin_sdk::{ByteRange, Capabilities, PluginErrorKind};
use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWriteExt},
};

use super::{Case, Entry, cases, ensure_kind, ensure_same};
use crate::{
    bytes::seeded,
    case::{Finding, Verdict, ensure},
};

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        offsets_beyond_4_gib_are_right;
    LOCAL_PATH:
        the_local_file_holds_the_same_bytes,
        a_missing_object_has_no_local_file;
};

/// The size of the stretched object: 6 GiB.
const SIZE: u64 = (1 << 32) + (1 << 31);

async fn the_local_file_holds_the_same_bytes(case: Case) -> Verdict {
    let bytes = seeded(70, 300_001);
    case.put("object", &bytes).await?;
    let path = case.store.local_path(&case.key("object")).await?;
    ensure!(path.is_absolute(), "{} is not absolute", path.display());
    ensure_same(&tokio::fs::read(&path).await?, &bytes, "the local file")
}

async fn a_missing_object_has_no_local_file(case: Case) -> Verdict {
    let missing = case.store.local_path(&case.key("missing")).await;
    ensure_kind(missing, PluginErrorKind::NotFound, "local path")?;
    case.put("folder/object", &seeded(71, 1)).await?;
    let folder = case.store.local_path(&case.key("folder")).await;
    ensure_kind(folder, PluginErrorKind::NotFound, "local path of a folder")
}

/// Writing so much takes too long for a suite, so a small object is stretched behind the store's
/// back: a file with a hole in it.
async fn offsets_beyond_4_gib_are_right(case: Case) -> Verdict {
    if !case.store.capabilities().contains(Capabilities::LOCAL_PATH) {
        let reason = "objects are no local files, so none can be made big without writing it";
        return Err(Finding::Skipped(reason.into()));
    }
    case.put("sparse", &seeded(72, 10)).await?;
    let path = case.store.local_path(&case.key("sparse")).await?;
    let mut file = File::options().write(true).open(&path).await?;
    file.set_len(SIZE).await?;
    let mark = seeded(73, 64 * 1024);
    for place in [(1 << 31) - 100, (1 << 32) - 100, SIZE - mark.len() as u64] {
        file.seek(SeekFrom::Start(place)).await?;
        file.write_all(&mark).await?;
    }
    file.flush().await?;
    drop(file);
    let size = case.store.stat(&case.key("sparse")).await?.size;
    ensure!(size == SIZE, "stat says {size}, expected {SIZE}");
    for place in [(1 << 31) - 100, (1 << 32) - 100] {
        let range = ByteRange::new(place, mark.len() as u64);
        ensure_same(&case.get_range("sparse", range).await?, &mark, "bytes in the middle")?;
    }
    let tail = case.get_range("sparse", ByteRange::from(SIZE - 1000)).await?;
    ensure_same(&tail, &mark.slice(mark.len() - 1000..), "the last bytes")
}
