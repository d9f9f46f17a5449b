//! Opens what the configuration says of stores and auth providers.

use std::{
    error::Error,
    sync::{Arc, Weak},
    time::Duration,
};

use boxvault_plugin_host::{PluginHost, Provider};
use boxvault_plugin_sdk::{AuthProvider, StorageBackend};
use tokio::{sync::OnceCell, time::sleep};
use tracing::{info, warn};

use super::StartupError;
use crate::{
    app::plugins::{Entry, Late, OpenedStore, Plugins, Used},
    config::{Config, PluginEntry},
};

/// The wait before an optional plugin that could not be opened is tried again; it doubles.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest such wait.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Opens plugins, and remembers what uses them.
pub(super) struct Opener<'a> {
    config: &'a Config,
    host: PluginHost,
    plugins: Plugins,
}

impl<'a> Opener<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        let host = PluginHost::new(config.plugins.host_options());
        Self { config, host, plugins: Plugins::default() }
    }

    /// What uses a plugin of all that was opened.
    pub(super) fn finish(self) -> Plugins {
        self.plugins
    }

    /// Opens a store. One that is not required may be away.
    ///
    /// # Errors
    /// If a required one cannot be opened, or does not work.
    pub(super) async fn store(
        &mut self,
        name: &str,
        entry: &PluginEntry,
    ) -> Result<Arc<dyn StorageBackend>, StartupError> {
        let key = format!("stores.{name}");
        let source = Source::new(self, entry);
        let late = match open_store(&source, name).await {
            Ok(opened) => Late::opened(&key, opened),
            Err(error) if entry.required => return Err(error),
            Err(error) => {
                let late = Late::failed(&key, told_later(&key, &error));
                let (name, weak) = (name.to_owned(), Arc::downgrade(&late));
                let again = move || {
                    let (source, name) = (source.clone(), name.clone());
                    async move { open_store(&source, &name).await }
                };
                tokio::spawn(try_again(key.clone(), weak, again));
                late
            }
        };
        let backend = match late.get() {
            Some(opened) => Arc::clone(&opened.backend),
            None => Arc::clone(&late) as Arc<dyn StorageBackend>,
        };
        self.remember(key, entry, Used::Store(late));
        Ok(backend)
    }

    /// Opens an auth provider. One that is not required may be away.
    ///
    /// # Errors
    /// If a required one cannot be opened.
    pub(super) async fn provider(
        &mut self,
        name: &str,
        entry: &PluginEntry,
    ) -> Result<Arc<dyn AuthProvider>, StartupError> {
        let key = format!("auth.providers.{name}");
        let source = Source::new(self, entry);
        let late = match open_provider(&source, &key).await {
            Ok(opened) => Late::opened(&key, opened),
            Err(error) if entry.required => return Err(error),
            Err(error) => {
                let late = Late::failed(&key, told_later(&key, &error));
                let (again_key, weak) = (key.clone(), Arc::downgrade(&late));
                let again = move || {
                    let (source, key) = (source.clone(), again_key.clone());
                    async move { open_provider(&source, &key).await }
                };
                tokio::spawn(try_again(key.clone(), weak, again));
                late
            }
        };
        let provider = match late.get() {
            Some(opened) => opened.provider(),
            None => Arc::clone(&late) as Arc<dyn AuthProvider>,
        };
        self.remember(key, entry, Used::Provider(late));
        Ok(provider)
    }

    fn remember(&mut self, key: String, entry: &PluginEntry, used: Used) {
        self.plugins.add(Entry {
            key,
            plugin: entry.plugin.clone(),
            isolation: entry.isolation,
            required: entry.required,
            used,
            digest: OnceCell::new(),
        });
    }
}

/// All that it takes to open a plugin. May hold secrets.
#[derive(Clone)]
struct Source {
    host: PluginHost,
    entry: PluginEntry,
    plugin: boxvault_plugin_host::PluginSource,
}

impl Source {
    fn new(opener: &Opener<'_>, entry: &PluginEntry) -> Self {
        let plugin = opener.config.plugins.source(&entry.plugin);
        Self { host: opener.host.clone(), entry: entry.clone(), plugin }
    }
}

async fn open_store(source: &Source, name: &str) -> Result<OpenedStore, StartupError> {
    let Source { host, entry, plugin } = source;
    let host = host.with_limits(entry.limits());
    let opened = host.store(plugin.clone(), entry.options_value(), entry.isolation).await;
    let store = opened
        .map_err(|source| StartupError::Plugin { entry: format!("stores.{name}"), source })?;
    let probed = store.probe().await;
    let report = probed.map_err(|source| StartupError::Store { name: name.to_owned(), source })?;
    for (capability, why) in &report.switched_off {
        warn!(
            store = name,
            ?capability,
            why,
            "a store cannot do what its plugin declares; switched off"
        );
    }
    let backend = store.backend();
    Ok(OpenedStore { store, backend, switched_off: report.switched_off })
}

async fn open_provider(source: &Source, key: &str) -> Result<Provider, StartupError> {
    let Source { host, entry, plugin } = source;
    let host = host.with_limits(entry.limits());
    let opened = host.provider(plugin.clone(), entry.options_value(), entry.isolation).await;
    opened.map_err(|source| StartupError::Plugin { entry: key.to_owned(), source })
}

/// Opens a plugin that was away at the start, as soon as that is possible and as long as somebody needs it.
async fn try_again<T, F>(key: String, late: Weak<Late<T>>, open: impl Fn() -> F + Send)
where
    T: Send + Sync,
    F: Future<Output = Result<T, StartupError>> + Send,
{
    let mut wait = WAIT_MIN;
    loop {
        sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
        if late.strong_count() == 0 {
            return;
        }
        let opened = open().await;
        let Some(late) = late.upgrade() else { return };
        match opened {
            Ok(it) => {
                late.open(it);
                info!(entry = key, "the plugin of {key} could be opened after all");
                return;
            }
            Err(error) => {
                let reason = chain(&error);
                if late.fail(reason.clone()) {
                    warn!(entry = key, reason, "the plugin of {key} still cannot be opened");
                }
            }
        }
    }
}

/// Says that the server starts without a plugin; gives why.
fn told_later(key: &str, error: &StartupError) -> String {
    let reason = chain(error);
    warn!(
        entry = key,
        reason, "starting without the plugin of {key}, which is not required; it is tried again"
    );
    reason
}

fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
