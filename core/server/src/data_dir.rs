//! The data folder: everything that one server keeps on its own disk, and nothing that two servers
//! of one installation must agree on (that lives in the catalog).
//!
//! ```text
//! data/                    0700
//! ├── catalog.sqlite3      the catalog, unless database.url says otherwise
//! ├── store/               the store "main", unless [stores] says otherwise
//! ├── mail/                0700: messages, while no mail server is set
//! ├── tls/                 0700
//! │   ├── self-signed.pem  0600, certificate and private key
//! │   └── self-signed.crt  the certificate alone, for clients to trust
//! ├── conformance/         reports of `boxvault plugin check --keep`, by the SHA-256 of the library
//! ├── mirror/              files without a name, of what mirrors fetch at the moment
//! ├── policy.json          which version of the policy its folder holds
//! └── run/
//!     └── addresses.json   where the running server listens: {"http": "127.0.0.1:5000", "https": …}
//! ```
//!
//! Nothing here is locked: a command such as `boxvault user create` works beside a running server.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::json;

/// A data folder that exists and can be written to.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// There is a file in the way.
    #[error("the data folder {} is a file; set server.data_dir to a folder", path.display())]
    NotAFolder {
        /// What `server.data_dir` says.
        path: PathBuf,
    },
    /// It could not be made.
    #[error(
        "could not create the data folder {}; create it for the server's user, or set \
         server.data_dir to another", path.display()
    )]
    NotCreated {
        /// What `server.data_dir` says.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing can be written to it.
    #[error(
        "could not write to the data folder {}; make it writable for the server's user, or set \
         server.data_dir to another", path.display()
    )]
    NotWritable {
        /// What `server.data_dir` says.
        path: PathBuf,
        /// Why: no permission, or a read-only file system.
        source: io::Error,
    },
}

impl DataDir {
    /// Makes the folder if it is absent, readable for its owner only, and proves by a file that it
    /// can be written to. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or written to; the message says what to do.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        if fs::metadata(root).is_ok_and(|metadata| !metadata.is_dir()) {
            return Err(DataDirError::NotAFolder { path: root.to_owned() });
        }
        create_private_dir(root)
            .map_err(|source| DataDirError::NotCreated { path: root.to_owned(), source })?;
        prove_writable(root)
            .map_err(|source| DataDirError::NotWritable { path: root.to_owned(), source })?;
        Ok(Self { root: root.to_owned() })
    }

    /// The folder itself, as `server.data_dir` names it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the self-signed certificate. It may not exist yet.
    pub fn tls_dir(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// Writes down where the server listens now, for scripts and tests that let the system choose a
    /// port. The file appears whole; a listener that is off is null. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn announce(&self, http: &[SocketAddr], https: &[SocketAddr]) -> Result<(), DataDirError> {
        let first = |addresses: &[SocketAddr]| addresses.first().map(ToString::to_string);
        let text = format!("{}\n", json!({"http": first(http), "https": first(https)}));
        let file = self.addresses_file();
        let folder = self.root.join("run");
        create_private_dir(&folder)
            .and_then(|()| replace_file(&file, text.as_bytes(), 0o600))
            .map_err(|source| DataDirError::NotWritable { path: folder, source })
    }

    /// Takes the addresses back when the server stops. A file that is gone already is fine.
    pub fn withdraw(&self) {
        if let Err(error) = fs::remove_file(self.addresses_file())
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "could not remove {}", self.addresses_file().display());
        }
    }

    fn addresses_file(&self) -> PathBuf {
        self.root.join("run").join("addresses.json")
    }

    /// What is worth a warning: other users of this machine can look into the folder.
    pub fn warning(&self) -> Option<String> {
        let mode = mode_of(&self.root)?;
        (mode & 0o077 != 0).then(|| {
            format!(
                "other users of this machine may look into the data folder {} (mode {:o}); \
                 chmod 700 it",
                self.root.display(),
                mode & 0o777
            )
        })
    }
}

/// Makes a folder and those above it, each for its owner only. An existing folder stays as it is.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Puts bytes in the place of a file in one step, synced to the disk.
pub(crate) fn replace_file(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn prove_writable(root: &Path) -> io::Result<()> {
    // The process id keeps two processes from removing each other's file.
    let probe = root.join(format!(".write-test-{}", std::process::id()));
    OpenOptions::new().write(true).create(true).truncate(true).open(&probe)?;
    fs::remove_file(&probe)
}

#[cfg(unix)]
fn mode_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).ok().map(|metadata| metadata.permissions().mode())
}

#[cfg(not(unix))]
fn mode_of(_: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use std::{error::Error, os::unix::fs::PermissionsExt};

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn an_absent_folder_is_made_for_its_owner_only_and_left_empty() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("deep/data");
        let data_dir = DataDir::open(&path).unwrap();
        assert_eq!(mode_of(&path).unwrap() & 0o777, 0o700);
        assert_eq!(fs::read_dir(data_dir.root()).unwrap().count(), 0);
        assert_eq!(data_dir.warning(), None);
        DataDir::open(&path).expect("a second process may open it as well");
    }

    #[test]
    fn a_folder_that_others_can_read_is_warned_about() {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let warning = DataDir::open(folder.path()).unwrap().warning().unwrap();
        assert!(warning.contains("mode 755"), "{warning}");
    }

    #[test]
    fn addresses_are_announced_whole_and_taken_back() {
        let folder = TempDir::new().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        data_dir.withdraw();
        data_dir.announce(&["127.0.0.1:81".parse().unwrap()], &[]).unwrap();
        let text = fs::read_to_string(folder.path().join("run/addresses.json")).unwrap();
        let addresses: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(addresses, json!({"http": "127.0.0.1:81", "https": null}));
        data_dir.withdraw();
        assert_eq!(fs::read_dir(folder.path().join("run")).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::open(file.path()).unwrap_err();
        assert!(error.to_string().contains("is a file"), "{error}");
        let error = DataDir::open(&file.path().join("below")).unwrap_err();
        assert!(matches!(error, DataDirError::NotCreated { .. }), "{error}");
    }

    #[test]
    fn a_folder_that_nobody_can_write_to_is_refused_with_the_reason() {
        // The superuser may write anywhere except where the kernel itself refuses.
        let error = DataDir::open(Path::new("/proc/self")).unwrap_err();
        assert!(matches!(error, DataDirError::NotWritable { .. }), "{error}");
        assert!(error.to_string().contains("server.data_dir"), "{error}");
        assert!(error.source().is_some());
    }
}
