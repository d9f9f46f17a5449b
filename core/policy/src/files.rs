//! The texts that a policy is built from: a folder's, or those inside the program.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Write};
use std::iter;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{PolicyError, Problem};
use crate::rules::FILE_BYTES_MAX;
use crate::rules::model::MODEL_FILE;

/// The rules that come with BoxVault; every other `.csv` in the folder comes after it, in the order of names.
pub(crate) const RULES_FILE: &str = "policy.csv";
/// Expectations that come with BoxVault; a site's own end with `.tests.csv`.
pub(crate) const TESTS_FILE: &str = "tests.csv";
/// The longest name of a file that is written, without its ending.
const NAME_BYTES_MAX: usize = 100;
/// The most files that a folder may hold.
const FILES_MAX: usize = 64;

/// All texts of a policy. Whether they make one, [`Policy::build`](crate::Policy::build) tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFiles {
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
    pub fn embedded() -> Self {
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
    ///
    /// # Errors
    /// If a file cannot be read, or there are too many.
    pub fn of(dir: Option<&Path>) -> Result<Self, PolicyError> {
        dir.map_or_else(|| Ok(Self::embedded()), Self::read)
    }

    /// Takes files from elsewhere than a folder, under the same rules for their names. Without a model it is the shipped
    /// one, since there is no other.
    ///
    /// # Errors
    /// Names that a folder could not have, or that would not be read in one.
    pub fn new(files: Vec<(String, String)>) -> Result<Self, PolicyError> {
        let mut model = Self::embedded().model;
        let mut named: Vec<(String, Vec<u8>)> = Vec::new();
        let mut problems = Vec::new();
        for (name, text) in files {
            if name == MODEL_FILE {
                model = text.into_bytes();
            } else if let Some(problem) = name_problem(&name) {
                problems.push(problem);
            } else if named.iter().any(|(known, _)| *known == name) {
                problems.push(Problem::new(&name, 0, 0, "there are two files of this name"));
            } else {
                named.push((name, text.into_bytes()));
            }
        }
        if named.len() > FILES_MAX {
            problems.push(too_many(RULES_FILE));
        }
        if !named.iter().any(|(name, _)| name == RULES_FILE) {
            problems.push(
                Problem::new(RULES_FILE, 0, 0, "the file is missing")
                    .hint("send all files: what is left out is taken out of force"),
            );
        }
        if !problems.is_empty() {
            return Err(PolicyError::Invalid { problems });
        }
        named.sort_by_key(|(name, _)| reading_order(name));
        let (tests, rules) = named.into_iter().partition(|(name, _)| is_tests(name));
        Ok(Self { model, rules, tests })
    }

    /// The same with what was compiled in: the model, the shipped rules, and what is expected of them.
    #[must_use]
    pub fn with_shipped_rules(self) -> Self {
        let Self { model, mut rules, mut tests } = Self::embedded();
        rules.extend(self.rules.into_iter().filter(|(name, _)| name != RULES_FILE));
        tests.extend(self.tests.into_iter().filter(|(name, _)| name != TESTS_FILE));
        Self { model, rules, tests }
    }

    /// Whether what was compiled in is as it was: where there is no folder, it is the program's.
    ///
    /// # Errors
    /// What else it is.
    pub fn check_shipped(&self) -> Result<(), PolicyError> {
        let shipped = Self::embedded();
        let changed = shipped.all().filter(|own| !self.all().any(|file| file == *own));
        let problems: Vec<Problem> = changed
            .map(|(name, _)| {
                Problem::new(name, 0, 0, "this file is part of the program here, and cannot be changed").hint(
                    "put your rules into a file of their own, such as site.csv; to change this one, set policy.dir",
                )
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(PolicyError::Invalid { problems }) }
    }

    /// The files of rules, in the order of reading, without their folder.
    pub(crate) fn names(&self) -> Vec<String> {
        self.rules.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Name and text of each file: the model, the rules, the expectations.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.all().map(|(name, bytes)| (name, String::from_utf8_lossy(bytes)))
    }

    fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.rules.iter().chain(&self.tests);
        let files = files.map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        iter::once((MODEL_FILE, self.model.as_slice())).chain(files)
    }

    /// Writes what differs from `before` into a folder that holds `before`: each file beside its place, then moved
    /// there, so that none is ever half written. Blocks.
    ///
    /// # Errors
    /// If the folder cannot be written; some files may be new already.
    pub fn save(&self, dir: &Path, before: &Self) -> io::Result<()> {
        for (name, bytes) in self.all() {
            if !before.all().any(|known| known == (name, bytes)) {
                put(&dir.join(name), bytes)?;
            }
        }
        for (name, _) in before.all().filter(|(name, _)| !self.all().any(|(kept, _)| kept == *name))
        {
            match std::fs::remove_file(dir.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        File::open(dir)?.sync_all()
    }

    /// Reads a folder; one that has no policy, or none that can be read, holds nothing. Blocks.
    pub fn read_or_none(dir: &Path) -> Self {
        let nothing = Self { model: Vec::new(), rules: Vec::new(), tests: Vec::new() };
        Self::read(dir).unwrap_or(nothing)
    }

    /// Reads a folder. Blocks.
    ///
    /// # Errors
    /// If a file cannot be read, or there are too many.
    pub fn read(dir: &Path) -> Result<Self, PolicyError> {
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
            let problems = vec![too_many(&dir.display().to_string())];
            return Err(PolicyError::Invalid { problems });
        }
        names.push(RULES_FILE.to_owned());
        names.sort_by_key(|name| reading_order(name));
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

    /// SHA-256 over all names and texts, in lower-case hexadecimal.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        let mut add = |name: &str, bytes: &[u8]| {
            hasher.update((name.len() as u64).to_be_bytes());
            hasher.update(name.as_bytes());
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        for (name, bytes) in self.all() {
            add(name, bytes);
        }
        data_encoding::HEXLOWER.encode(&hasher.finalize())
    }
}

/// What comes with BoxVault first, so that a site has the last word.
fn reading_order(name: &str) -> (bool, String) {
    (name != RULES_FILE && !name.eq_ignore_ascii_case(TESTS_FILE), name.to_owned())
}

fn too_many(place: &str) -> Problem {
    Problem::new(place, 0, 0, format!("there are more than {FILES_MAX} csv files"))
}

/// What is wrong with the name of a file that is to be written.
fn name_problem(name: &str) -> Option<Problem> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let stem = name.strip_suffix(".csv").unwrap_or_default();
    let is_fine = (1..=NAME_BYTES_MAX).contains(&stem.len()) && stem.chars().all(letter);
    (!is_fine || name.starts_with('.')).then(|| {
        Problem::new(name, 0, 0, "this cannot be the name of a policy file")
            .hint("use small letters, digits, '-', '_' and '.', and end it with .csv")
    })
}

/// Reads a file, at most one byte more than a policy file may have: the parser then says that it is too long.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a file into a folder, in the place of another one if there is one. Blocks.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() {
        return replace(path, bytes);
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.new"));
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

/// Puts a file in the place of another one, so that whoever reads sees either, and a crash leaves either. Blocks.
///
/// Its name, its owner where that can be, and who may read it stay as they are.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // a link stays a link
    let path = path.canonicalize()?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.new"));
    let before = File::open(&path)?.metadata()?;
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
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
