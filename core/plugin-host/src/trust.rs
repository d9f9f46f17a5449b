//! Who could have put their code there: owner, mode and pinned digest of a library.
//!
//! A plugin runs with all rights of the server, so it must be at least as hard to change as the
//! server itself. Links are resolved first, and what is checked is what is loaded.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest, Sha256};

use crate::error::LoadError;

const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Resolves links and checks owner, mode and, if given, the digest. Blocks.
///
/// # Errors
/// `Untrusted` with the command that puts it right, `PinMismatch` with both digests, `Unreadable`.
pub(crate) fn check(path: &Path, pin: Option<&str>) -> Result<PathBuf, LoadError> {
    let path = path.canonicalize().map_err(unreadable(path))?;
    let file = path.metadata().map_err(unreadable(&path))?;
    if file.mode() & WRITABLE_BY_ALL != 0 {
        return Err(untrusted(&path, "everybody can write to it", "chmod o-w"));
    }
    if !owned_by_us_or_root(&file) {
        return Err(untrusted(&path, "it belongs to another user", "chown root"));
    }
    if let Some(folder) = path.parent() {
        let meta = folder.metadata().map_err(unreadable(folder))?;
        if meta.mode() & WRITABLE_BY_ALL != 0 && meta.mode() & STICKY == 0 {
            let mut error = untrusted(&path, "everybody can write to its folder", "");
            if let LoadError::Untrusted { remedy, .. } = &mut error {
                *remedy = format!("run `chmod o-w {}`", folder.display());
            }
            return Err(error);
        }
    }
    if let Some(expected) = pin {
        let found = digest(&path).map_err(unreadable(&path))?;
        if !expected.eq_ignore_ascii_case(&found) {
            return Err(LoadError::PinMismatch { path, expected: expected.to_owned(), found });
        }
    }
    Ok(path)
}

/// The SHA-256 of a file, in small hexadecimal letters. Blocks.
pub(crate) fn digest(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = io::Read::read(&mut file, &mut buffer)?;
        match buffer.get(..count) {
            Some(read) if !read.is_empty() => hasher.update(read),
            _ => return Ok(HEXLOWER_PERMISSIVE.encode(&hasher.finalize())),
        }
    }
}

/// Where there is no `/proc`, the owner is not checked; the mode is.
fn owned_by_us_or_root(file: &Metadata) -> bool {
    let us = fs::metadata("/proc/self").map(|meta| meta.uid());
    file.uid() == 0 || us.map_or(true, |us| file.uid() == us)
}

fn untrusted(path: &Path, reason: &str, command: &str) -> LoadError {
    LoadError::Untrusted {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
        remedy: format!("run `{command} {}` after checking where it comes from", path.display()),
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> LoadError + use<> {
    let path = path.to_path_buf();
    |source| LoadError::Unreadable { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn library(folder: &Path, mode: u32) -> PathBuf {
        let path = folder.join("libx.so");
        File::create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_file_that_everybody_can_write_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = library(folder.path(), 0o666);
        let text = check(&path, None).unwrap_err().to_string();
        assert!(text.contains("everybody can write to it") && text.contains("chmod o-w"), "{text}");
    }

    #[test]
    fn a_link_to_such_a_file_is_refused_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = library(folder.path(), 0o666);
        let link = folder.path().join("link.so");
        symlink(&path, &link).unwrap();
        let text = check(&link, None).unwrap_err().to_string();
        assert!(text.contains("libx.so"), "{text}");
    }

    #[test]
    fn a_folder_that_everybody_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = library(folder.path(), 0o644);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(check(&path, None), Err(LoadError::Untrusted { .. })));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        check(&path, None).unwrap();
    }

    #[test]
    fn a_wrong_pin_shows_both_digests() {
        let folder = tempfile::tempdir().unwrap();
        let path = library(folder.path(), 0o644);
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        check(&path, Some(&empty.to_uppercase())).unwrap();
        let text = check(&path, Some("00")).unwrap_err().to_string();
        assert!(text.contains("expected sha256 00") && text.contains(empty), "{text}");
    }
}
