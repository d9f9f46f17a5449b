//! The host itself: from a name in the configuration to an instance that works.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use boxvault_plugin_sdk::crossing::LibraryEntry;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tracing::info;

use crate::{
    auth::LoadedAuthProvider,
    config,
    counters::PluginCounters,
    error::{ConfigProblem, LoadError},
    isolated::{IsolatedAuthProvider, IsolatedStorage, Spec, Supervisor},
    library::{Library, PluginInfo, PluginKind},
    options::{EntryLimits, HostOptions, PluginSource},
    search,
    status::Isolation,
    storage::LoadedStorage,
    trust,
    wherever::{Provider, Store},
};

/// Finds, checks and holds plugin libraries.
///
/// Cloning is cheap and shares everything. One library gives any number of instances.
#[derive(Clone, Debug)]
pub struct PluginHost {
    options: Arc<HostOptions>,
    libraries: Arc<Mutex<HashMap<PathBuf, Arc<Library>>>>,
}

impl PluginHost {
    /// A host that has loaded nothing yet.
    pub fn new(options: HostOptions) -> Self {
        Self { options: Arc::new(options), libraries: Arc::default() }
    }

    /// The same host for one entry that has limits of its own. What is loaded is shared.
    #[must_use]
    pub fn with_limits(&self, limits: EntryLimits) -> Self {
        let libraries = Arc::clone(&self.libraries);
        Self { options: Arc::new(self.options.with(limits)), libraries }
    }

    /// Loads a storage plugin if need be, checks the configuration, and makes an instance.
    ///
    /// `config` is the plugin's own table, without the host's keys (`plugin`, `sha256`). Nothing is
    /// asked of the store itself yet: call [`LoadedStorage::probe`] when it is put into service.
    ///
    /// # Errors
    /// Everything in [`LoadError`].
    pub async fn open_storage(
        &self,
        source: impl Into<PluginSource>,
        config: Value,
    ) -> Result<LoadedStorage, LoadError> {
        let library = self.library(source.into(), PluginKind::Storage).await?;
        let text = checked(&library, &config)?;
        let loaded = LoadedStorage::create(Arc::clone(&library), &text, &self.options);
        loaded.await.map_err(|source| create_error(&library, source))
    }

    /// Loads an auth plugin if need be, checks the configuration, and makes an instance.
    ///
    /// `config` is the plugin's own table, without the host's keys (`plugin`, `sha256`).
    ///
    /// # Errors
    /// Everything in [`LoadError`].
    pub async fn open_auth(
        &self,
        source: impl Into<PluginSource>,
        config: Value,
    ) -> Result<LoadedAuthProvider, LoadError> {
        let library = self.library(source.into(), PluginKind::Auth).await?;
        let text = checked(&library, &config)?;
        let loaded = LoadedAuthProvider::create(Arc::clone(&library), &text, &self.options);
        loaded.await.map_err(|source| create_error(&library, source))
    }

    /// Opens a store, in this process or in one of its own.
    ///
    /// # Errors
    /// Everything in [`LoadError`].
    pub async fn store(
        &self,
        source: impl Into<PluginSource>,
        config: Value,
        isolation: Isolation,
    ) -> Result<Store, LoadError> {
        let source = source.into();
        Ok(match isolation {
            Isolation::None => Store::Loaded(self.open_storage(source, config).await?),
            Isolation::Process => {
                let supervisor = self.isolated(source, PluginKind::Storage, config).await?;
                Store::Isolated(IsolatedStorage::new(supervisor))
            }
        })
    }

    /// Opens an auth provider, in this process or in one of its own.
    ///
    /// # Errors
    /// Everything in [`LoadError`].
    pub async fn provider(
        &self,
        source: impl Into<PluginSource>,
        config: Value,
        isolation: Isolation,
    ) -> Result<Provider, LoadError> {
        let source = source.into();
        Ok(match isolation {
            Isolation::None => Provider::Loaded(self.open_auth(source, config).await?),
            Isolation::Process => {
                let supervisor = self.isolated(source, PluginKind::Auth, config).await?;
                Provider::Isolated(IsolatedAuthProvider::new(supervisor))
            }
        })
    }

    /// Starts a process for a plugin. Who could have changed the library is checked here and there.
    async fn isolated(
        &self,
        source: PluginSource,
        kind: PluginKind,
        config: Value,
    ) -> Result<Arc<Supervisor>, LoadError> {
        let path = search::locate(&source.plugin, kind, &self.options.search_paths)?;
        let pin = source.sha256.clone();
        let path = blocking(path, move |path| trust::check(&path, pin.as_deref())).await?;
        let plugin = path.into_os_string().into_string();
        let plugin = plugin.map_err(|_| LoadError::BadName { plugin: source.plugin })?;
        let source = PluginSource { plugin, sha256: source.sha256 };
        Supervisor::start(Spec { source, kind, config, options: Arc::clone(&self.options) }).await
    }

    /// Loads a plugin if need be, and says what it is.
    ///
    /// # Errors
    /// Everything in [`LoadError`] but `InvalidConfig` and `Create`.
    pub async fn inspect(
        &self,
        source: impl Into<PluginSource>,
        kind: PluginKind,
    ) -> Result<PluginInfo, LoadError> {
        Ok(self.library(source.into(), kind).await?.info.clone())
    }

    /// Which kind a plugin is of: what its library says, or the kind of which there is one of that name.
    ///
    /// # Errors
    /// `NotFound`, `BadName`; everything that keeps a library from being loaded; `Ambiguous` if both kinds have one.
    pub async fn kind_of(&self, source: impl Into<PluginSource>) -> Result<PluginKind, LoadError> {
        let source = source.into();
        if source.plugin.contains('/') {
            return match self.library(source.clone(), PluginKind::Storage).await {
                Ok(library) => Ok(library.info.kind),
                Err(LoadError::Handshake { field: "kind", .. }) => {
                    Ok(self.library(source, PluginKind::Auth).await?.info.kind)
                }
                Err(error) => Err(error),
            };
        }
        let find = |kind| search::locate(&source.plugin, kind, &self.options.search_paths);
        match (find(PluginKind::Storage), find(PluginKind::Auth)) {
            (Ok(_), Ok(_)) => Err(LoadError::Ambiguous { plugin: source.plugin }),
            (Ok(_), Err(_)) => Ok(PluginKind::Storage),
            (Err(_), Ok(_)) => Ok(PluginKind::Auth),
            (
                Err(LoadError::NotFound { searched: mut all, .. }),
                Err(LoadError::NotFound { searched, .. }),
            ) => {
                all.extend(searched);
                Err(LoadError::NotFound { plugin: source.plugin, searched: all })
            }
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// The function of a library that gives its handshake, for a judge of the table itself.
    ///
    /// # Errors
    /// Everything that keeps a library from being loaded.
    pub async fn entry(
        &self,
        source: impl Into<PluginSource>,
        kind: PluginKind,
    ) -> Result<LibraryEntry, LoadError> {
        Ok(self.library(source.into(), kind).await?.entry)
    }

    /// Checks a configuration against the plugin's schema, and asks the plugin what the schema cannot say; makes no
    /// instance.
    ///
    /// # Errors
    /// Everything in [`LoadError`] but `Create`.
    pub async fn check_config(
        &self,
        source: impl Into<PluginSource>,
        kind: PluginKind,
        config: &Value,
    ) -> Result<(), LoadError> {
        let library = self.library(source.into(), kind).await?;
        let text = checked(&library, config)?;
        library.validate(&text, self.options.deadlines.create).await.map_err(|error| {
            let problem = ConfigProblem { key: String::new(), message: error.message };
            LoadError::InvalidConfig { plugin: library.info.name.clone(), problems: vec![problem] }
        })
    }

    /// Every loaded plugin and what it has done so far, sorted by path.
    pub fn plugins(&self) -> Vec<(PluginInfo, PluginCounters)> {
        let libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = libraries
            .values()
            .map(|library| (library.info.clone(), library.bridge.counters()))
            .collect();
        all.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        all
    }

    /// The line for the configuration that pins a plugin to its present file: the SHA-256.
    ///
    /// # Errors
    /// `NotFound`, `BadName`, `Untrusted`, `Unreadable`.
    pub async fn digest(
        &self,
        plugin: &str,
        kind: PluginKind,
    ) -> Result<(PathBuf, String), LoadError> {
        let path = search::locate(plugin, kind, &self.options.search_paths)?;
        blocking(path, |path| {
            let path = trust::check(&path, None)?;
            let digest = trust::digest(&path)
                .map_err(|source| LoadError::Unreadable { path: path.clone(), source })?;
            Ok((path, digest))
        })
        .await
    }

    async fn library(
        &self,
        source: PluginSource,
        kind: PluginKind,
    ) -> Result<Arc<Library>, LoadError> {
        let path = search::locate(&source.plugin, kind, &self.options.search_paths)?;
        let this = self.clone();
        let library = blocking(path, move |path| {
            let path = trust::check(&path, source.sha256.as_deref())?;
            this.load_once(&path)
        })
        .await?;
        if library.info.kind != kind {
            return Err(LoadError::Handshake {
                path: library.info.path.clone(),
                field: "kind",
                expected: kind.to_string(),
                found: library.info.kind.to_string(),
            });
        }
        Ok(library)
    }

    /// The lock is held while loading, so that a library is loaded once and counted once.
    fn load_once(&self, path: &Path) -> Result<Arc<Library>, LoadError> {
        let mut libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = libraries.get(path) {
            return Ok(Arc::clone(library));
        }
        let library = Arc::new(Library::load(path, self.options.calls_in_flight_max)?);
        let PluginInfo { name, version, kind, .. } = &library.info;
        info!(plugin = %name, version = %version, path = %path.display(), "loaded {kind} plugin {name}");
        libraries.insert(path.to_path_buf(), Arc::clone(&library));
        Ok(library)
    }
}

async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(PathBuf) -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    let shown = path.clone();
    match spawn_blocking(move || work(path)).await {
        Ok(result) => result,
        Err(error) => {
            Err(LoadError::Unreadable { path: shown, source: std::io::Error::other(error) })
        }
    }
}

fn checked(library: &Library, config: &Value) -> Result<String, LoadError> {
    let problems = config::problems(&library.info.config_schema, config);
    if problems.is_empty() {
        Ok(config.to_string())
    } else {
        Err(LoadError::InvalidConfig { plugin: library.info.name.clone(), problems })
    }
}

fn create_error(library: &Library, source: boxvault_plugin_sdk::PluginError) -> LoadError {
    LoadError::Create { plugin: library.info.name.clone(), source }
}
