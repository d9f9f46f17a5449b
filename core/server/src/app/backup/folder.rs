//! The folder of a backup: its catalog, and the paper that says what there is.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use boxvault_types::{byte_count::ByteCount, digest::Digest};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::data_dir::{create_private_dir, replace_file};

/// The form of `backup.json` that this version writes, and reads.
const FORMAT: u32 = 1;
const MANIFEST: &str = "backup.json";
const CATALOG_BEGINS: &str = "catalog-";
const CATALOG_ENDS: &str = ".sqlite3";
/// What SQLite keeps beside a catalog.
const WAL: &str = "-wal";

/// Why there is no backup, or nothing comes out of one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder of the backup.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing was backed up there, or never to its end.
    #[error("there is no complete backup in {}: no {MANIFEST}", .0.display())]
    Absent(PathBuf),
    /// `backup.json` is not what a backup writes.
    #[error("{} cannot be read: {why}; a later version may have written it", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The catalog in the backup is not what was written.
    #[error("{} is damaged: its sha256 is {found}, not {expected}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: Digest,
        /// What it was.
        expected: Digest,
    },
}

/// What `backup.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The form of this file.
    pub format: u32,
    /// The version of the server that made it.
    pub version: String,
    /// When.
    pub taken_at: DateTime<Utc>,
    /// The catalog; none of a database that has tools of its own.
    pub catalog: Option<CatalogCopy>,
    /// How many files the catalog refers to.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// Which of them were damaged or missing in their stores, and are not in the backup.
    pub left_out: u64,
}

/// The catalog in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogCopy {
    /// Its file, in the folder.
    pub file: String,
    /// What it hashes to.
    pub sha256: String,
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes it, for its owner only, if it is absent. Blocks.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(root: &Path) -> Result<Self, BackupError> {
        create_private_dir(root).map_err(at(root))?;
        Self::open(root)
    }

    /// One that is there. Blocks.
    ///
    /// # Errors
    /// When it is not.
    pub fn open(root: &Path) -> Result<Self, BackupError> {
        Ok(Self { root: fs::canonicalize(root).map_err(at(root))? })
    }

    /// Where the files lie.
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// Where the catalog of this moment goes. Nothing is there.
    ///
    /// # Errors
    /// When what an earlier attempt left cannot be removed.
    pub fn new_catalog(&self, now: DateTime<Utc>) -> Result<PathBuf, BackupError> {
        let time = now.to_rfc3339_opts(SecondsFormat::Millis, true).replace([':', '.'], "-");
        let path = self.root.join(format!("{CATALOG_BEGINS}{time}{CATALOG_ENDS}"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(path),
        }
    }

    /// Makes the catalog durable, and tells what it is. Blocks.
    ///
    /// # Errors
    /// When it cannot be read, or flushed.
    pub fn seal_catalog(&self, path: &Path) -> Result<CatalogCopy, BackupError> {
        private(path).map_err(at(path))?;
        File::open(path).and_then(|file| file.sync_all()).map_err(at(path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(CatalogCopy { file: name, sha256: sha256(path)?.to_hex() })
    }

    /// Makes this the backup that the folder holds, and removes the catalogs of earlier ones. Blocks.
    ///
    /// # Errors
    /// When it cannot be written; the backup before stays then.
    pub fn finish(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let path = self.root.join(MANIFEST);
        let text = serde_json::to_string_pretty(manifest)
            .map_err(|error| at(&path)(io::Error::other(error)))?;
        replace_file(&path, format!("{text}\n").as_bytes(), 0o600).map_err(at(&path))?;
        File::open(&self.root).and_then(|folder| folder.sync_all()).map_err(at(&self.root))?;
        for entry in fs::read_dir(&self.root).map_err(at(&self.root))? {
            let name = entry.map_err(at(&self.root))?.file_name();
            let name = name.to_string_lossy();
            let is_catalog = name.starts_with(CATALOG_BEGINS);
            if is_catalog && manifest.catalog.as_ref().is_none_or(|kept| kept.file != name) {
                let old = self.root.join(&*name);
                fs::remove_file(&old).map_err(at(&old))?;
            }
        }
        Ok(())
    }

    /// What the folder holds. Blocks.
    ///
    /// # Errors
    /// `Absent`, `Manifest`, or that it cannot be read.
    pub fn manifest(&self) -> Result<Manifest, BackupError> {
        let path = self.root.join(MANIFEST);
        let text = match File::open(&path).and_then(io::read_to_string) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BackupError::Absent(self.root.clone()));
            }
            text => text.map_err(at(&path))?,
        };
        let wrong = |why: String| BackupError::Manifest { path: path.clone(), why };
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(wrong(format!("its format is {}, not {FORMAT}", manifest.format)));
        }
        Ok(manifest)
    }

    /// Copies the catalog out, durably, after comparing it with what was written; what an earlier attempt left there is
    /// removed. Blocks.
    ///
    /// # Errors
    /// `Damaged`, or that it cannot be read or written.
    pub fn take_catalog(&self, kept: &CatalogCopy, to: &Path) -> Result<(), BackupError> {
        // a name, whatever else somebody may have written there
        let name = Path::new(&kept.file).file_name().unwrap_or_default();
        let path = self.root.join(name);
        let expected = Digest::from_hex(&kept.sha256).ok_or_else(|| BackupError::Manifest {
            path: self.root.join(MANIFEST),
            why: "sha256 is none".to_owned(),
        })?;
        let found = sha256(&path)?;
        if found != expected {
            return Err(BackupError::Damaged { path, found, expected });
        }
        for old in [to.to_owned(), beside(to, WAL), beside(to, "-shm")] {
            match fs::remove_file(&old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(at(&old)(error));
                }
                _ => {}
            }
        }
        fs::copy(&path, to).map_err(at(to))?;
        private(to).map_err(at(to))?;
        File::open(to).and_then(|file| file.sync_all()).map_err(at(to))
    }
}

impl Manifest {
    /// Of this version, now.
    pub fn new(taken_at: DateTime<Utc>, catalog: Option<CatalogCopy>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, version, taken_at, catalog, files: 0, bytes: 0, left_out: 0 }
    }

    /// How much it is, for people.
    pub fn amount(&self) -> String {
        format!("{} files, {}", self.files, ByteCount(self.bytes))
    }
}

/// Where a catalog lies while it is restored.
pub fn begun(catalog: &Path) -> PathBuf {
    beside(catalog, ".restoring")
}

/// Makes a restored catalog the one that servers open, in one step, durably. Blocks.
///
/// # Errors
/// When there is another one by now, which stays, or when SQLite keeps a part of this one beside it.
pub fn put_in_place(begun: &Path, catalog: &Path) -> Result<(), BackupError> {
    let log = beside(begun, WAL);
    if fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0) {
        let why = "SQLite has not written it into the catalog; give the same command again";
        return Err(at(&log)(io::Error::other(why)));
    }
    // a rename would replace what a server has begun meanwhile
    fs::hard_link(begun, catalog).map_err(at(catalog))?;
    fs::remove_file(begun).map_err(at(begun))?;
    let parent = catalog.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

fn sha256(path: &Path) -> Result<Digest, BackupError> {
    let mut file = File::open(path).map_err(at(path))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(at(path))? {
            0 => return Ok(Digest(hasher.finalize().into())),
            length => hasher.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    |source| BackupError::File { path, source }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_catalog_that_came_meanwhile_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = folder.path().join("catalog.sqlite3");
        let restored = begun(&catalog);
        File::create(&restored).and_then(|mut file| file.write_all(b"restored")).unwrap();
        File::create(&catalog).unwrap();
        put_in_place(&restored, &catalog).unwrap_err();
        assert_eq!(fs::metadata(&catalog).unwrap().len(), 0);
        fs::remove_file(&catalog).unwrap();
        let log = beside(&restored, WAL);
        File::create(&log).and_then(|mut file| file.write_all(b"more")).unwrap();
        put_in_place(&restored, &catalog).unwrap_err();
        fs::remove_file(&log).unwrap();
        put_in_place(&restored, &catalog).unwrap();
        assert_eq!(fs::metadata(&catalog).unwrap().len(), 8);
        assert!(!restored.exists());
    }
}
