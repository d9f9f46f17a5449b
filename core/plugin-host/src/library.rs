//! A loaded library: its symbol, its handshake, its table. Never unloaded.
//!
//! The handshake is compared field by field before any other function of the library is called.
//! What its constructors do at load time nobody can prevent; that is why only a named, trusted file
//! gets here.
#![expect(unsafe_code, reason = "loads libraries and reads their static tables")]

use std::{
    ffi::c_void,
    fmt, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use boxvault_plugin_sdk::{
    PluginError, abi,
    crossing::{self, EntryFunction, LibraryEntry, lend},
};
use libloading::os::unix;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::{
    bridge::{Bridge, Handle, Reply},
    error::LoadError,
    log,
    status::{Isolation, PluginState, PluginStatus},
    trust,
};

/// The one symbol that every plugin exports.
const ENTRY: &str = "boxvault_plugin_entry";

/// `validate` and `create` of both tables.
pub(crate) type CreateFunction = unsafe extern "C" fn(*const abi::Host, abi::Str, abi::Completion);

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Keeps bytes.
    Storage,
    /// Knows who people are.
    Auth,
}

impl PluginKind {
    /// The word in file names, messages and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Auth => "auth",
        }
    }
}

impl fmt::Display for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a plugin says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginInfo {
    /// What it is for.
    pub kind: PluginKind,
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Its license, as an SPDX expression.
    pub license: String,
    /// The version of the contract that it was built for: major and minor.
    pub abi: (u16, u16),
    /// The library, links resolved.
    pub path: PathBuf,
    /// When its file was written last, where the file system tells.
    pub modified: Option<SystemTime>,
    /// The JSON Schema of its configuration.
    pub config_schema: Value,
}

impl PluginInfo {
    /// The SHA-256 of the library, in small hexadecimal letters; none where another file has taken its place since it
    /// was loaded.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn digest(&self) -> io::Result<Option<String>> {
        let (path, loaded) = (self.path.clone(), self.modified);
        let digest = spawn_blocking(move || {
            let is_same = || loaded.is_some() && modified(&path) == loaded;
            if !is_same() {
                return Ok(None);
            }
            let digest = trust::digest(&path)?;
            // it may have been replaced meanwhile
            Ok(is_same().then_some(digest))
        });
        digest.await.map_err(io::Error::other)?
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// The functions of a library, copied, with zero for what an older one lacks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    Storage {
        table: abi::StorageTable,
        local_path: Option<abi::LocalPathTable>,
        presign: Option<abi::PresignTable>,
        unfinished: Option<abi::UnfinishedTable>,
    },
    Auth(abi::AuthTable),
}

/// A library that is in the process and fits.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) info: PluginInfo,
    pub(crate) entry: LibraryEntry,
    pub(crate) table: Table,
    pub(crate) bridge: &'static Bridge,
    pub(crate) host: &'static abi::Host,
}

// SAFETY: the tables hold functions that may be called from any thread, and pointers to static data.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// Loads a library and compares its handshake. Blocks.
    ///
    /// # Errors
    /// `NotALibrary`, `NotAPlugin`, `Handshake`.
    pub(crate) fn load(path: &Path, in_flight_max: usize) -> Result<Self, LoadError> {
        let entry = open(path)?;
        // SAFETY: a symbol of this name has this signature; the contract says that it has no side
        // effects.
        let handshake = unsafe { entry() };
        let check = Check { path };
        // SAFETY: what the entry returns is static.
        let handshake = unsafe { check.handshake(handshake) }?;
        let (info, table) = check.contents(&handshake)?;
        let bridge = Bridge::leak(info.name.clone(), in_flight_max);
        // SAFETY: found by its name, in a library that is never unloaded.
        let entry = unsafe { LibraryEntry::new(entry) };
        Ok(Self { info, entry, table, bridge, host: log::host_table(bridge) })
    }

    /// What can be said of it now.
    pub(crate) fn status(&self) -> PluginStatus {
        PluginStatus {
            info: self.info.clone(),
            isolation: Isolation::None,
            state: PluginState::Running,
            counters: self.bridge.counters(),
            last_error: self.bridge.last_error(),
            restarts: 0,
            pid: None,
        }
    }

    /// Makes an instance: first `validate`, then `create`. Both kinds of table begin with them.
    pub(crate) async fn instance(
        &self,
        validate: Option<CreateFunction>,
        create: Option<CreateFunction>,
        config: &str,
        deadline: Duration,
    ) -> Result<Handle, PluginError> {
        self.configure("validate", validate, config, deadline).await?;
        self.configure("create", create, config, deadline).await?.into_handle()
    }

    /// Asks the plugin about a configuration, without making an instance.
    pub(crate) async fn validate(
        &self,
        config: &str,
        deadline: Duration,
    ) -> Result<(), PluginError> {
        let validate = match self.table {
            Table::Storage { table, .. } => table.validate,
            Table::Auth(table) => table.validate,
        };
        self.configure("validate", validate, config, deadline).await.map(drop)
    }

    async fn configure(
        &self,
        operation: &'static str,
        function: Option<CreateFunction>,
        config: &str,
        deadline: Duration,
    ) -> Result<Reply, PluginError> {
        let function = function.ok_or_else(|| PluginError::unsupported(operation))?;
        let mut call = self.bridge.start(operation, (None, None), |done| {
            // SAFETY: a function of the library's table; the host table is static, the text is lent.
            unsafe { function(self.host, lend(config), done) };
        })?;
        call.wait(deadline).await
    }
}

fn open(path: &Path) -> Result<EntryFunction, LoadError> {
    // SAFETY: runs the constructors of a library that the operator named and the trust check passed.
    let library = unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) }
        .map_err(|error| LoadError::NotALibrary { path: path.into(), reason: detail(&error) })?;
    // Never unloaded: threads and thread-locals of its runtime live on.
    let library = Box::leak(Box::new(library));
    // SAFETY: the name is ours alone, and stands for exactly this signature.
    let entry = unsafe { library.get::<EntryFunction>(ENTRY.as_bytes()) }
        .map_err(|_| LoadError::NotAPlugin { path: path.into(), symbol: ENTRY })?;
    Ok(*entry)
}

/// The loader's own words; the error itself only says that there was one.
fn detail(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Compares what a plugin says with what this server needs.
struct Check<'a> {
    path: &'a Path,
}

impl Check<'_> {
    fn mismatch(
        &self,
        field: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> LoadError {
        LoadError::Handshake {
            path: self.path.to_path_buf(),
            field,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Reads the handshake, the fixed part first.
    ///
    /// # Safety
    /// The pointer is null, or points to a static value that starts with eight bytes; after the
    /// right magic there are as many bytes as the size says.
    unsafe fn handshake(
        &self,
        handshake: *const abi::Handshake,
    ) -> Result<abi::Handshake, LoadError> {
        if handshake.is_null() {
            return Err(self.mismatch("handshake", "a table", "NULL"));
        }
        // SAFETY: there are at least eight bytes, and the magic is the first field.
        let magic = unsafe { handshake.cast::<u64>().read_unaligned() };
        if magic != abi::MAGIC {
            let expected = format!("{:#018x}", abi::MAGIC);
            return Err(self.mismatch("magic", expected, format!("{magic:#018x}")));
        }
        // SAFETY: after the right magic the next fields are there in every version.
        let head = unsafe { crossing::read_sized(handshake, 16) };
        if head.abi_major != abi::ABI_MAJOR {
            let expected = format!("{}.{}", abi::ABI_MAJOR, abi::ABI_MINOR);
            let found = format!("{}.{}", head.abi_major, head.abi_minor);
            return Err(self.mismatch("abi version", expected, found));
        }
        let smallest = crossing::size_of_table::<abi::Handshake>();
        if head.size < smallest {
            return Err(self.mismatch("size", format!("{smallest} or more"), head.size));
        }
        // SAFETY: the plugin says that so many bytes are there.
        Ok(unsafe { crossing::read_sized(handshake, head.size) })
    }

    fn contents(&self, handshake: &abi::Handshake) -> Result<(PluginInfo, Table), LoadError> {
        let kind = match handshake.kind {
            abi::KIND_STORAGE => PluginKind::Storage,
            abi::KIND_AUTH => PluginKind::Auth,
            number => return Err(self.mismatch("kind", "1 (storage) or 2 (auth)", number)),
        };
        let target = self.text("target", handshake.target)?;
        if target != crossing::TARGET {
            return Err(self.mismatch("target", crossing::TARGET, target));
        }
        let schema = self.text("config_schema", handshake.config_schema)?;
        let config_schema = serde_json::from_str(&schema)
            .map_err(|error| self.mismatch("config_schema", "a JSON Schema", error))?;
        let info = PluginInfo {
            kind,
            name: self.text("name", handshake.name)?,
            version: self.text("version", handshake.version)?,
            license: self.text("license", handshake.license)?,
            abi: (handshake.abi_major, handshake.abi_minor),
            path: self.path.to_path_buf(),
            modified: modified(self.path),
            config_schema,
        };
        if info.name.is_empty() {
            return Err(self.mismatch("name", "a name", "nothing"));
        }
        let table = match kind {
            PluginKind::Storage => self.storage(handshake)?,
            PluginKind::Auth => self.auth(handshake)?,
        };
        Ok((info, table))
    }

    fn text(&self, field: &'static str, text: abi::Str) -> Result<String, LoadError> {
        // SAFETY: text in a handshake is static.
        let text = unsafe { crossing::borrow_text(text) };
        text.map(ToOwned::to_owned)
            .map_err(|error| self.mismatch(field, "UTF-8 text", error.message))
    }

    /// Copies a table of the library, which starts with its own size.
    ///
    /// # Safety
    /// The pointer is null, or points to a static table of this type in some version.
    unsafe fn table<T: abi::Zeroable>(
        &self,
        table: *const c_void,
        field: &'static str,
    ) -> Result<T, LoadError> {
        if table.is_null() {
            return Err(self.mismatch(field, "a table", "NULL"));
        }
        // SAFETY: every table starts with its size.
        let size = unsafe { table.cast::<u32>().read() };
        // SAFETY: the plugin says that so many bytes are there.
        Ok(unsafe { crossing::read_sized(table.cast::<T>(), size) })
    }

    fn storage(&self, handshake: &abi::Handshake) -> Result<Table, LoadError> {
        // SAFETY: the kind says which table it is; tables are static.
        let table: abi::StorageTable = unsafe { self.table(handshake.table, "table") }?;
        self.required(&[
            ("table.validate", table.validate.is_some()),
            ("table.create", table.create.is_some()),
            ("table.capabilities", table.capabilities.is_some()),
            ("table.health", table.health.is_some()),
            ("table.stat", table.stat.is_some()),
            ("table.read_open", table.read_open.is_some()),
            ("table.read_next", table.read_next.is_some()),
            ("table.write_open", table.write_open.is_some()),
            ("table.write", table.write.is_some()),
            ("table.write_finish", table.write_finish.is_some()),
            ("table.write_abort", table.write_abort.is_some()),
            ("table.remove", table.remove.is_some()),
            ("table.list", table.list.is_some()),
        ])?;
        let local_path = extension(handshake, abi::EXTENSION_LOCAL_PATH);
        let presign = extension(handshake, abi::EXTENSION_PRESIGN);
        let unfinished = extension(handshake, abi::EXTENSION_UNFINISHED);
        // SAFETY: the name says which table it is; tables are static.
        let local_path = unsafe { self.table(local_path, "extension") }.ok();
        // SAFETY: as above.
        let presign = unsafe { self.table(presign, "extension") }.ok();
        // SAFETY: as above.
        let unfinished = unsafe { self.table(unfinished, "extension") }.ok();
        Ok(Table::Storage { table, local_path, presign, unfinished })
    }

    fn auth(&self, handshake: &abi::Handshake) -> Result<Table, LoadError> {
        // SAFETY: the kind says which table it is; tables are static.
        let table: abi::AuthTable = unsafe { self.table(handshake.table, "table") }?;
        self.required(&[
            ("table.validate", table.validate.is_some()),
            ("table.create", table.create.is_some()),
            ("table.facets", table.facets.is_some()),
            ("table.health", table.health.is_some()),
            ("table.authenticate_password", table.authenticate_password.is_some()),
            ("table.start_redirect", table.start_redirect.is_some()),
            ("table.finish_redirect", table.finish_redirect.is_some()),
            ("table.introspect_token", table.introspect_token.is_some()),
            ("table.refresh", table.refresh.is_some()),
            ("table.logout", table.logout.is_some()),
            ("table.groups", table.groups.is_some()),
        ])?;
        Ok(Table::Auth(table))
    }

    fn required(&self, functions: &[(&'static str, bool)]) -> Result<(), LoadError> {
        match functions.iter().find(|(_, there)| !there) {
            Some((field, _)) => Err(self.mismatch(field, "a function", "NULL")),
            None => Ok(()),
        }
    }
}

fn extension(handshake: &abi::Handshake, name: &str) -> *const c_void {
    match handshake.extension {
        // SAFETY: the function looks up a name and has no side effects.
        Some(extension) => unsafe { extension(lend(name)) },
        None => std::ptr::null(),
    }
}
