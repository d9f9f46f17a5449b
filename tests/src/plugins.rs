//! Plugins for tests: those that cargo has built beside the test program, and those in C.
//!
//! Libraries of the workspace are development dependencies of this package, so they lie in the test
//! program's own folder, where the plugin host looks by itself. C plugins are compiled when a test
//! asks for them. What plugins log is kept, because some tests look at it.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

use boxvault_plugin_host::{Deadlines, HostOptions, PluginHost};
use tempfile::TempDir;

use crate::skip;

/// A host with nothing loaded, that finds what cargo has built.
pub fn host() -> PluginHost {
    host_with(HostOptions::default())
}

/// The same with other options.
pub fn host_with(options: HostOptions) -> PluginHost {
    static ONCE: Once = Once::new();
    // Before the first plugin is loaded: a plugin is told then what the host wants to hear.
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .with_ansi(false)
            .with_writer(|| Kept)
            .init();
    });
    PluginHost::new(options)
}

/// A host whose calls end quickly, for plugins that hang.
pub fn impatient() -> PluginHost {
    let moment = Duration::from_millis(500);
    let deadlines = Deadlines {
        create: moment,
        question: moment,
        read: moment,
        write: moment,
        finish: moment,
        authenticate: moment,
    };
    host_with(HostOptions { deadlines, calls_in_flight_max: 4, ..HostOptions::default() })
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Everything that hosts and plugins of this test program have logged so far.
pub fn log() -> String {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log).into_owned()
}

/// Keeps what is written.
struct Kept;

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

    /// Compiles the plugin that breaks the table in the ways of these macros; says so if that is not possible here.
    pub fn faulty(test: &str, defines: &[&str]) -> Option<Self> {
        let plugin = Self::compile("storage-faulty/faulty.c", defines);
        if plugin.is_none() {
            skip(test, "there is no C compiler (cc)");
        }
        plugin
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
