//! The texts that a policy is built from: a folder's, or those inside the program.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{PolicyError, Problem};
use crate::rules::FILE_BYTES_MAX;
use crate::rules::model::MODEL_FILE;

/// The rules that come with BoxVault; every other `.csv` in the folder comes after it, in the order of names.
pub(crate) const RULES_FILE: &str = "policy.csv";
/// Expectations, not rules.
const TESTS_FILE: &str = "tests.csv";
/// The most files that a folder may hold.
const FILES_MAX: usize = 64;

/// All texts of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyFiles {
    pub(crate) model: Vec<u8>,
    /// Name and bytes, in the order of reading.
    pub(crate) rules: Vec<(String, Vec<u8>)>,
}

impl PolicyFiles {
    /// The files that were compiled in.
    pub(crate) fn embedded() -> Self {
        Self::from_texts(
            include_str!("../../../policies/model.conf"),
            &[(RULES_FILE, include_str!("../../../policies/policy.csv"))],
        )
    }

    pub(crate) fn from_texts(model: &str, files: &[(&str, &str)]) -> Self {
        Self {
            model: model.as_bytes().to_vec(),
            rules: files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
                .collect(),
        }
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
            let rules = Path::new(&lower).extension().is_some_and(|extension| extension == "csv");
            if rules && !lower.starts_with('.') && name != RULES_FILE && lower != TESTS_FILE {
                names.push(name.to_owned());
            }
        }
        if names.len() >= FILES_MAX {
            let message = format!("the folder holds more than {FILES_MAX} rule files");
            let problem = Problem::new(&dir.display().to_string(), 0, 0, message);
            return Err(PolicyError::Invalid { problems: vec![problem] });
        }
        names.sort();
        names.insert(0, RULES_FILE.to_owned());
        let read = |name: &str| {
            let path = dir.join(name);
            read_bounded(&path).map_err(|error| unreadable(&path, error))
        };
        let model = read(MODEL_FILE)?;
        let rules = names
            .into_iter()
            .map(|name| read(&name).map(|bytes| (name, bytes)))
            .collect::<Result<_, _>>()?;
        Ok(Self { model, rules })
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
        for (name, bytes) in &self.rules {
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
