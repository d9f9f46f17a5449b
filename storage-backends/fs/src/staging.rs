//! Where unfinished writes lie, and how those of a dead process are found.
//!
//! ```text
//! <root>/.staging/
//! ├── lock            held while an instance registers or cleans up
//! ├── 4242-0.lock     held by a living instance for as long as it lives
//! └── 4242-0/         its unfinished writes
//! ```
//!
//! The system drops a lock when its process ends, however it ends. So a folder whose lock can be
//! taken belongs to nobody, and is removed when the next instance starts: no age to wait for, and a
//! second server on the same root is left alone.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use boxvault_plugin_sdk::{PluginError, Result};

/// The folder under the root; keys that begin with it are refused.
pub(crate) const FOLDER: &str = ".staging";

const SUFFIX: &str = ".lock";

/// A living instance's own staging folder.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    lock_path: PathBuf,
    /// Makes names that are used once.
    next: AtomicU64,
    /// Dropped with the instance, which gives the lock back.
    _lock: File,
}

impl Staging {
    /// Cleans up after dead instances, and makes a folder for a new one.
    pub(crate) async fn open(all: PathBuf) -> Result<Self> {
        let shown = all.display().to_string();
        let opened = tokio::task::spawn_blocking(move || Self::open_blocking(&all)).await;
        let opened = opened.map_err(|error| PluginError::unexpected(error.to_string()))?;
        opened.map_err(|error| PluginError::from(error).context(format_args!("staging {shown}")))
    }

    /// Where to write.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a file that is not there yet.
    pub(crate) fn new_file(&self) -> PathBuf {
        self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    fn open_blocking(all: &Path) -> io::Result<Self> {
        fs::create_dir_all(all)?;
        let everybody = open_lock(&all.join("lock"))?;
        everybody.lock()?; // given back at the end of this function
        clean(all)?;
        register(all)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Whatever does not work now, the next instance does.
        drop(fs::remove_dir_all(&self.folder));
        drop(fs::remove_file(&self.lock_path));
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Removes the folders of dead instances.
fn clean(all: &Path) -> io::Result<()> {
    for entry in fs::read_dir(all)? {
        let entry = entry?;
        let path = entry.path();
        if !entry.file_type()?.is_dir() || is_alive(&path)? {
            continue;
        }
        tracing::info!("removing unfinished writes of a dead process in {}", path.display());
        fs::remove_dir_all(&path)?;
        match fs::remove_file(lock_path(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn is_alive(folder: &Path) -> io::Result<bool> {
    let lock = match File::options().write(true).open(lock_path(folder)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

/// Takes the first free name of this process.
fn register(all: &Path) -> io::Result<Staging> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = all.join(format!("{}-{count}", process::id()));
        let lock_path = lock_path(&folder);
        let lock = open_lock(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => {}
            // A process with the same number on another machine that shares the root.
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        fs::create_dir_all(&folder)?;
        return Ok(Staging { folder, lock_path, next: AtomicU64::new(0), _lock: lock });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_dead_process_left_is_removed_at_the_next_start() {
        let root = tempfile::tempdir().unwrap();
        let dead = root.path().join("1-0");
        fs::create_dir_all(&dead).unwrap();
        File::create(dead.join("half")).unwrap();
        File::create(lock_path(&dead)).unwrap();
        fs::create_dir_all(root.path().join("without-a-lock")).unwrap();

        let staging = Staging::open_blocking(root.path()).unwrap();
        assert!(!dead.exists());
        assert_eq!(names(root.path()).len(), 3, "{:?}", names(root.path()));
        assert!(staging.folder().is_dir());
    }

    #[test]
    fn the_folder_of_a_living_instance_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let first = Staging::open_blocking(root.path()).unwrap();
        File::create(first.folder().join("half")).unwrap();
        let second = Staging::open_blocking(root.path()).unwrap();
        assert!(first.folder().join("half").is_file());
        assert_ne!(first.folder(), second.folder());
    }

    #[test]
    fn an_instance_that_ends_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        drop(Staging::open_blocking(root.path()).unwrap());
        assert_eq!(names(root.path()), ["lock"]);
    }
}
