//! What can be wrong with policy files, with file, line, column and a hint. All problems are told at once.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use thiserror::Error;

/// Why a policy could not be built. Whoever holds an older policy keeps it.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// A folder or file cannot be read.
    #[error("could not read policy from {path}: {source}")]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("could not write policy to {path}: {source}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The files were read, and something in them is wrong.
    #[error("{}", listing(.problems))]
    Invalid {
        /// Everything that is wrong: with lines, in their order, then with all rules together. Never empty.
        problems: Vec<Problem>,
    },
}

impl PolicyError {
    /// Everything that is wrong; a file that cannot be read, or written, is one problem.
    pub fn problems(&self) -> Vec<Problem> {
        let whole = |path: &Path, message| Problem::new(&path.display().to_string(), 0, 0, message);
        match self {
            Self::Unreadable { path, source } => vec![
                whole(path, format!("could not be read: {source}"))
                    .hint("check that it exists and that the server's user may read it"),
            ],
            Self::Unwritable { path, source } => {
                vec![whole(path, format!("could not be written: {source}"))]
            }
            Self::Invalid { problems } => problems.clone(),
        }
    }
}

/// One thing that is wrong with a policy file, or that looks like a mistake in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file's name, without its folder.
    pub file: String,
    /// Counted from 1; 0 when it concerns the whole file, or all of them.
    pub line: u32,
    /// In characters, counted from 1; 0 when it concerns the whole line.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(file: &str, line: u32, column: u32, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, column, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

fn listing(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "the policy has 1 problem".to_owned(),
        count => format!("the policy has {count} problems"),
    };
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text
}
