//! Why a plugin could not be loaded: the path, what was expected, what was found, what to do.
//!
//! Only for the way in. Once an instance exists, everything that fails is a
//! [`PluginError`].

use std::{fmt, io, path::PathBuf};

use boxvault_plugin_sdk::PluginError;

/// What kept a plugin from being used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// No file of that name lies where plugins are looked for.
    #[error(
        "there is no plugin {plugin:?}: looked for {}; run `cargo build` in the workspace, or name \
         its folder in plugins.search_paths",
        Listed(searched)
    )]
    NotFound {
        /// What the configuration says.
        plugin: String,
        /// Every path that was tried, in order.
        searched: Vec<PathBuf>,
    },
    /// What the configuration says cannot be the name of a plugin.
    #[error(
        "{plugin:?} is no plugin name: use small letters, digits, `-` and `_`, or a path with a slash"
    )]
    BadName {
        /// What the configuration says.
        plugin: String,
    },
    /// There is a plugin of each kind by that name.
    #[error("there are two plugins {plugin:?}; say which with --kind storage or --kind auth")]
    Ambiguous {
        /// What was asked for.
        plugin: String,
    },
    /// The file is there and cannot be read.
    #[error("could not read plugin {}", path.display())]
    Unreadable {
        /// The library.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Somebody else could have put their code there.
    #[error("plugin {} is not trusted: {reason}; {remedy}", path.display())]
    Untrusted {
        /// The library, links resolved.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The command that puts it right.
        remedy: String,
    },
    /// The file is not the one that was pinned.
    #[error(
        "plugin {} is not the pinned one: expected sha256 {expected}, found {found}; restore the \
         file, or pin the new digest after checking where it comes from", path.display()
    )]
    PinMismatch {
        /// The library, links resolved.
        path: PathBuf,
        /// The digest in the configuration.
        expected: String,
        /// The digest of the file.
        found: String,
    },
    /// The system's loader refuses the file.
    #[error("{} cannot be loaded as a library: {reason}", path.display())]
    NotALibrary {
        /// The library, links resolved.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// A library, but not one of ours.
    #[error("{} is not a BoxVault plugin: it has no symbol {symbol}", path.display())]
    NotAPlugin {
        /// The library, links resolved.
        path: PathBuf,
        /// The symbol that every plugin exports.
        symbol: &'static str,
    },
    /// The handshake does not fit this server.
    #[error(
        "plugin {} does not fit this server: {field} is {found}, expected {expected}",
        path.display()
    )]
    Handshake {
        /// The library, links resolved.
        path: PathBuf,
        /// The field of the handshake.
        field: &'static str,
        /// What this server needs.
        expected: String,
        /// What the plugin says.
        found: String,
    },
    /// The plugin's table in the configuration does not fit its schema.
    #[error("the configuration of plugin {plugin:?} is wrong: {}", Listed(problems))]
    InvalidConfig {
        /// The plugin's name.
        plugin: String,
        /// Everything that is wrong, without values.
        problems: Vec<ConfigProblem>,
    },
    /// The process of an isolated plugin could not be started, or not the plugin in it.
    #[error("plugin {plugin:?} could not start in a process of its own: {reason}")]
    Isolated {
        /// What the configuration says.
        plugin: String,
        /// What the process said.
        reason: String,
    },
    /// The plugin could not make an instance.
    #[error("plugin {plugin:?} could not start")]
    Create {
        /// The plugin's name.
        plugin: String,
        /// What it says.
        #[source]
        source: PluginError,
    },
}

/// One thing that is wrong in a plugin's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The key, with dots; empty for the table itself.
    pub key: String,
    /// What is wrong with it. Never shows the value: it may be a secret.
    pub message: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.key, self.message)
        }
    }
}

/// Things in a row, with commas or semicolons.
struct Listed<'a, T>(&'a [T]);

impl fmt::Display for Listed<'_, PathBuf> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", path.display())?;
        }
        Ok(())
    }
}

impl fmt::Display for Listed<'_, ConfigProblem> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{problem}")?;
        }
        Ok(())
    }
}
