//! The texts that a policy is built from: a folder's, or those inside the program.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{PolicyError, Problem};
use crate::rules::FILE_BYTES_MAX;
use crate::rules::model::MODEL_FILE;

/// The rules that come with BoxVault; every other `.csv` in the folder comes after it, in the order of names.
pub(crate) const RULES_FILE: &str = "policy.csv";
/// Expectations that come with BoxVault; a site's own end with `.tests.csv`.
pub(crate) const TESTS_FILE: &str = "tests.csv";
/// The most files that a folder may hold.
const FILES_MAX: usize = 64;

/// All texts of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyFiles {
    pub(crate) model: Vec<u8>,
    /// Name and bytes, in the order of reading.
    pub(crate) rules: Vec<(String, Vec<u8>)>,
    /// Name and bytes of the files of expectations, in the order of reading.
    pub(crate) tests: Vec<(String, Vec<u8>)>,
}

/// Whether a file holds expectations, and not rules.
pub(crate) fn is_tests(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == TESTS_FILE || lower.ends_with(".tests.csv")
}

impl PolicyFiles {
    /// The files that were compiled in.
    pub(crate) fn embedded() -> Self {
        Self::from_texts(
            include_str!("../../../policies/model.conf"),
            &[
                (RULES_FILE, include_str!("../../../policies/policy.csv")),
                (TESTS_FILE, include_str!("../../../policies/tests.csv")),
            ],
        )
    }

    pub(crate) fn from_texts(model: &str, files: &[(&str, &str)]) -> Self {
        let owned = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        let (tests, rules) = owned.partition(|(name, _)| is_tests(name));
        Self { model: model.as_bytes().to_vec(), rules, tests }
    }

    /// Reads a folder, or takes those that were compiled in. Blocks.
    pub(crate) fn of(dir: Option<&Path>) -> Result<Self, PolicyError> {
        dir.map_or_else(|| Ok(Self::embedded()), Self::read)
    }

    /// Reads a folder. Blocks.
    pub(crate) fn read(dir: &Path) -> Result<Self, PolicyError> {
        let unreadable =
            |path: &Path, source| PolicyError::Unreadable { path: path.to_owned(), source };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(|error| unreadable(dir, error))? {
            let name = entry.map_err(|error| unreadable(dir, error))?.file_name();
            let Some(name) = name.to_str() else { continue };
            // a file that was saved as SITE.CSV must not be left out silently
            let lower = name.to_ascii_lowercase();
            let csv = Path::new(&lower).extension().is_some_and(|extension| extension == "csv");
            if csv && !lower.starts_with('.') && name != RULES_FILE {
                names.push(name.to_owned());
            }
        }
        if names.len() >= FILES_MAX {
            let message = format!("the folder holds more than {FILES_MAX} csv files");
            let problem = Problem::new(&dir.display().to_string(), 0, 0, message);
            return Err(PolicyError::Invalid { problems: vec![problem] });
        }
        // what comes with BoxVault first, so that a site has the last word
        names.sort_by_key(|name| (!name.eq_ignore_ascii_case(TESTS_FILE), name.clone()));
        names.insert(0, RULES_FILE.to_owned());
        let read = |name: &str| {
            let path = dir.join(name);
            read_bounded(&path).map_err(|error| unreadable(&path, error))
        };
        let model = read(MODEL_FILE)?;
        let files: Vec<(String, Vec<u8>)> = names
            .into_iter()
            .map(|name| read(&name).map(|bytes| (name, bytes)))
            .collect::<Result<_, _>>()?;
        let (tests, rules) = files.into_iter().partition(|(name, _)| is_tests(name));
        Ok(Self { model, rules, tests })
    }

    /// SHA-256 over all names and texts.
    pub(crate) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        let mut add = |name: &str, bytes: &[u8]| {
            hasher.update((name.len() as u64).to_be_bytes());
            hasher.update(name.as_bytes());
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        add(MODEL_FILE, &self.model);
        for (name, bytes) in self.rules.iter().chain(&self.tests) {
            add(name, bytes);
        }
        data_encoding::HEXLOWER.encode(&hasher.finalize())
    }
}

/// Reads a file, at most one byte more than a policy file may have: the parser then says that it is too long.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a file in the place of another one, so that whoever reads sees either, and a crash leaves either. Blocks.
///
/// Its name, its owner where that can be, and who may read it stay as they are.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    // a link stays a link
    let path = path.canonicalize()?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.new"));
    let before = File::open(&path)?.metadata()?;
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(before.permissions())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        // only root may give files away; for everybody else they are their own anyway
        let _theirs = fchown(&file, Some(before.uid()), Some(before.gid())).is_ok();
    }
    file.sync_all()?;
    std::fs::rename(&beside, &path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
