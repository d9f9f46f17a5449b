//! Plugins for tests: those that cargo has built beside the test program, and those in C.
//!
//! Libraries of the workspace are development dependencies of this package, so they lie in the test
//! program's own folder, where the plugin host looks by itself. C plugins are compiled when a test
//! asks for them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use boxvault_plugin_host::{HostOptions, PluginHost};
use tempfile::TempDir;

/// A host with nothing loaded, that finds what cargo has built.
pub fn host() -> PluginHost {
    PluginHost::new(HostOptions::default())
}

/// A plugin in C, compiled for one test.
#[derive(Debug)]
pub struct CPlugin {
    path: PathBuf,
    _folder: TempDir,
}

impl CPlugin {
    /// Compiles a file of `examples/` against the SDK's header, with these macros defined.
    ///
    /// `None` if this machine has no C compiler.
    ///
    /// # Panics
    /// If the file does not compile without a warning.
    pub fn compile(source: &str, defines: &[&str]) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in a folder");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("plugin.so");
        let compiled = Command::new("cc")
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"])
            .arg("-I")
            .arg(root.join("plugins/sdk/include"))
            .args(defines.iter().map(|define| format!("-D{define}")))
            .arg("-o")
            .arg(&path)
            .arg(root.join("examples").join(source))
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{source} does not compile: {text}");
        Some(Self { path, _folder: folder })
    }

    /// The library.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The library, as a configuration names it.
    ///
    /// # Panics
    /// If the temporary folder is not UTF-8.
    pub fn source(&self) -> &str {
        self.path.to_str().expect("the temporary folder is UTF-8")
    }
}
