//! One object on its way to the disk.
//!
//! Not through OpenDAL, whose file writer copies every chunk into a buffer of its own and flushes no folder: a batch goes
//! to the file as it is, in one call, and the disk begins with it while the next batch comes.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, IoSlice, Write},
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use boxvault_plugin_sdk::{BlockingWriter, Bytes, ObjectMeta, PluginError, Result};

/// How much is written before the disk is told to begin: large enough that small objects are flushed once, at their
/// end, and small enough that little is left to do at the end of a large one.
const FLUSH_BYTES: u64 = 64 << 20;

/// Where an object lies.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder of all objects; those above it are not ours to flush.
    pub(crate) root: PathBuf,
    /// The file under its final name.
    pub(crate) path: PathBuf,
}

/// A file in the staging folder, which gets its name when it is whole.
#[derive(Debug)]
pub(crate) struct ObjectFile {
    file: File,
    place: Place,
    /// Removes the file when it is dropped under this name.
    staged: Staged,
    written: u64,
    /// Up to where the disk has been told to begin.
    flushed: u64,
    flushing: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug)]
struct Staged(Option<PathBuf>);

impl ObjectFile {
    /// Makes the staged file, which must not be there.
    pub(crate) fn create(staged: PathBuf, place: Place) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(&staged)?;
        let staged = Staged(Some(staged));
        Ok(Self { file, place, staged, written: 0, flushed: 0, flushing: None })
    }

    /// Lets the disk begin with what has been written, one such order at a time.
    fn flush_early(&mut self) -> io::Result<()> {
        let is_due = self.written - self.flushed >= FLUSH_BYTES;
        if !is_due || self.flushing.as_ref().is_some_and(|flushing| !flushing.is_finished()) {
            return Ok(());
        }
        self.settle_flush()?;
        let file = self.file.try_clone()?;
        let flush = move || file.sync_data();
        self.flushing = Some(std::thread::Builder::new().name("flush".to_owned()).spawn(flush)?);
        self.flushed = self.written;
        Ok(())
    }

    /// A failed write to the disk is told once, so nobody may forget it.
    fn settle_flush(&mut self) -> io::Result<()> {
        match self.flushing.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(io::Error::other("flushing panicked")),
        }
    }

    fn finish_io(mut self) -> io::Result<ObjectMeta> {
        self.settle_flush()?;
        self.file.sync_all()?;
        let modified = self.file.metadata()?.modified()?;
        if let Some(folder) = self.place.path.parent() {
            fs::create_dir_all(folder)?;
        }
        if let Some(staged) = &self.staged.0 {
            fs::rename(staged, &self.place.path)?;
        }
        self.staged.0 = None;
        flush_folders(&self.place)?;
        Ok(ObjectMeta::of_size(self.written).modified(Some(modified)))
    }
}

impl BlockingWriter for ObjectFile {
    fn write(&mut self, chunks: &[Bytes]) -> Result<()> {
        self.written += write_all(&mut self.file, chunks)?;
        Ok(self.flush_early()?)
    }

    fn finish(self) -> Result<ObjectMeta> {
        Ok(self.finish_io()?)
    }

    fn abort(mut self) -> Result<()> {
        self.staged.remove().map_err(PluginError::from)
    }
}

impl Staged {
    fn remove(&mut self) -> io::Result<()> {
        match self.0.take().map(fs::remove_file) {
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!("could not remove an unfinished object; the next start will: {error}");
        }
    }
}

/// Writes all chunks with as few calls as the system allows, and tells how much that was.
fn write_all(file: &mut File, chunks: &[Bytes]) -> io::Result<u64> {
    /// What one call takes (`IOV_MAX` is 1024 on Linux, and smaller elsewhere).
    const SLICES_MAX: usize = 64;
    let mut written = 0;
    for chunks in chunks.chunks(SLICES_MAX) {
        let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0); // empty ones at the front would read as the end
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    written += count as u64;
                    IoSlice::advance_slices(&mut rest, count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(written)
}

/// Flushes the folders that name an object: after a loss of power the file could be there under no name. One that did
/// not change costs nothing.
fn flush_folders(place: &Place) -> io::Result<()> {
    let inside = |folder: &&Path| folder.starts_with(&place.root);
    for folder in place.path.ancestors().skip(1).take_while(inside) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn chunks_of_every_size_are_written_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        let chunks: Vec<Bytes> =
            (0..200_u8).map(|number| Bytes::from(vec![number; usize::from(number % 7)])).collect();
        let all: Vec<u8> = chunks.concat();
        assert_eq!(write_all(&mut file, &chunks).unwrap(), all.len() as u64);
        let mut found = Vec::new();
        File::open(path).unwrap().read_to_end(&mut found).unwrap();
        assert_eq!(found, all);
    }
}
