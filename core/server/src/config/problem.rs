//! What is wrong with a configuration, and where it says so.

use std::{fmt, path::PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nobody set the key.
    Default,
    /// A line of a file, counted from 1.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line of the key.
        line: usize,
    },
    /// An environment variable, by its name.
    Variable(String),
    /// A command-line argument, such as `--data-dir`.
    Argument(String),
    /// A secret's own file, which `named_by` points to.
    SecretFile {
        /// The file that holds the secret.
        path: PathBuf,
        /// Where the `…_file` key stands.
        named_by: Box<Self>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Argument(flag) => write!(f, "argument {flag}"),
            Self::SecretFile { path, named_by } => {
                write!(f, "{}, named by {named_by}", path.display())
            }
        }
    }
}

/// One thing that is wrong. Prints as `place: key message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The key with dots, such as `server.http_listen`; empty where no key is concerned.
    pub key: String,
    /// What is wrong and what to do about it. Never quotes a secret.
    pub message: String,
}

impl Problem {
    /// A problem with a key.
    pub(super) fn new(place: Place, path: &[String], message: impl Into<String>) -> Self {
        Self { place, key: path.join("."), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Place::Default {
            write!(f, "{}: ", self.place)?;
        }
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a configuration cannot be used: every problem, in the order of the sources.
#[derive(Clone, Debug, thiserror::Error)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [problem] => write!(f, "the configuration has a problem\n  {problem}"),
            problems => {
                write!(f, "the configuration has {} problems", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}
