//! The plugins in use: which entry of the configuration uses which, how each is, and what it did.
//!
//! An entry that is not required (`required = false`) may be away when the server starts: its place is taken by a
//! [`Late`], which refuses what it is asked until the plugin could be opened. That is tried again by itself.

mod late;
pub(crate) mod reports;

use std::sync::Arc;

use boxvault_plugin_host::{
    Isolation, PluginInfo, PluginState as HostState, PluginStatus, Provider, Store,
};
use boxvault_plugin_sdk::{Capabilities, StorageBackend};
use boxvault_types::views::plugins::{
    CapabilitiesView, ConformanceView, PluginCountersView, PluginErrorView, PluginState,
    PluginView, SwitchedOffView,
};
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use tokio::sync::OnceCell;

pub(crate) use late::Late;
use reports::Reports;

use super::App;

/// A store of the configuration that was opened, and what was found of its capabilities.
pub(crate) struct OpenedStore {
    pub(crate) store: Store,
    /// The same, to be asked.
    pub(crate) backend: Arc<dyn StorageBackend>,
    pub(crate) switched_off: Vec<(Capabilities, String)>,
}

/// What an entry uses, once it was opened.
#[derive(Clone)]
pub(crate) enum Used {
    Store(Arc<Late<OpenedStore>>),
    Provider(Arc<Late<Provider>>),
}

/// One entry of the configuration that uses a plugin.
pub(crate) struct Entry {
    /// Its key: `stores.<name>` or `auth.providers.<name>`.
    pub(crate) key: String,
    /// What the configuration says.
    pub(crate) plugin: String,
    pub(crate) isolation: Isolation,
    pub(crate) required: bool,
    pub(crate) used: Used,
    /// The SHA-256 of the library, once somebody asked; none where it was replaced before that.
    pub(crate) digest: OnceCell<Option<String>>,
}

/// What a metric says of one plugin.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) entry: String,
    pub(crate) plugin: String,
    pub(crate) kind: &'static str,
    pub(crate) is_up: bool,
    pub(crate) restarts: u64,
    pub(crate) counters: PluginCountersView,
}

/// All entries that use a plugin, in the order of their keys.
#[derive(Default)]
pub(crate) struct Plugins(Vec<Entry>);

impl Plugins {
    pub(crate) fn add(&mut self, entry: Entry) {
        self.0.push(entry);
        self.0.sort_by(|one, other| one.key.cmp(&other.key));
    }

    /// The entry of a part of the server, as `/health/ready` names it.
    fn of_part(&self, part: &str) -> Option<&Entry> {
        let key = match part.split_once(':')? {
            ("store", name) => format!("stores.{name}"),
            ("auth", name) => format!("auth.providers.{name}"),
            _ => return None,
        };
        self.0.iter().find(|entry| entry.key == key)
    }

    /// Whether the server works without a part.
    pub(crate) fn is_optional(&self, part: &str) -> bool {
        self.of_part(part).is_some_and(|entry| !entry.required)
    }

    /// How the plugin of a part is, if it has one.
    pub(crate) fn state_of_part(&self, part: &str) -> Option<PluginState> {
        self.of_part(part).map(Entry::state)
    }

    /// What each did, for the metrics.
    pub(crate) fn counted(&self) -> Vec<Counted> {
        let counted = self.0.iter().map(|entry| {
            let status = entry.status();
            Counted {
                entry: entry.key.clone(),
                plugin: status
                    .as_ref()
                    .map_or_else(|| entry.plugin.clone(), |status| status.info.name.clone()),
                kind: entry.kind(),
                is_up: entry.state() == PluginState::Running,
                restarts: status.as_ref().map_or(0, |status| status.restarts),
                counters: status.as_ref().map(counters).unwrap_or_default(),
            }
        });
        counted.collect()
    }
}

impl Entry {
    const fn kind(&self) -> &'static str {
        match self.used {
            Used::Store(_) => "storage",
            Used::Provider(_) => "auth",
        }
    }

    fn status(&self) -> Option<PluginStatus> {
        match &self.used {
            Used::Store(late) => late.get().map(|opened| opened.store.status()),
            Used::Provider(late) => late.get().map(Provider::status),
        }
    }

    fn state(&self) -> PluginState {
        match self.status().map(|status| status.state) {
            None => PluginState::Failed,
            Some(HostState::Restarting { .. }) => PluginState::Restarting,
            Some(_) => PluginState::Running,
        }
    }

    fn capabilities(&self) -> CapabilitiesView {
        let words = |names: &mut dyn Iterator<Item = &'static str>| -> Vec<String> {
            names.map(str::to_owned).collect()
        };
        match &self.used {
            Used::Store(late) => late.get().map(|OpenedStore { store, backend, switched_off }| {
                let off = switched_off.iter().map(|(capability, reason)| SwitchedOffView {
                    capability: capability.names().collect(),
                    reason: reason.clone(),
                });
                CapabilitiesView {
                    declared: words(&mut store.declared().names()),
                    working: words(&mut backend.capabilities().names()),
                    switched_off: off.collect(),
                }
            }),
            Used::Provider(late) => late.get().map(|provider| {
                let facets = words(&mut provider.facets().names());
                CapabilitiesView { declared: facets.clone(), working: facets, switched_off: vec![] }
            }),
        }
        .unwrap_or_default()
    }

    fn last_error(&self, status: Option<&PluginStatus>) -> Option<PluginErrorView> {
        let failure = match &self.used {
            Used::Store(late) => late.failure(),
            Used::Provider(late) => late.failure(),
        };
        let told = status.and_then(|status| status.last_error.clone());
        match told {
            Some(error) => {
                Some(PluginErrorView { message: error.message, at: DateTime::from(error.at) })
            }
            None => failure.map(|(message, at)| PluginErrorView { message, at }),
        }
    }

    /// What was found of the library that is in use.
    async fn conformance(&self, info: &PluginInfo, reports: &Reports) -> Option<ConformanceView> {
        if !reports.are_any().await {
            return None;
        }
        let digest = self.digest.get_or_try_init(|| info.digest()).await.unwrap_or_else(|error| {
            tracing::warn!(%error, file = %info.path.display(), "could not read a plugin's library");
            &None
        });
        reports.of_library(digest.as_deref()?).await
    }

    async fn view(&self, reports: &Reports) -> PluginView {
        let status = self.status();
        let info = status.as_ref().map(|status| &status.info);
        let conformance = match info {
            Some(info) => self.conformance(info, reports).await,
            None => None,
        };
        PluginView {
            entry: self.key.clone(),
            kind: self.kind().to_owned(),
            name: info.map_or_else(|| self.plugin.clone(), |info| info.name.clone()),
            file: info.map(|info| info.path.clone()),
            version: info.map(|info| info.version.clone()),
            license: info.map(|info| info.license.clone()),
            contract: info.map(|info| format!("{}.{}", info.abi.0, info.abi.1)),
            isolation: self.isolation.to_string(),
            required: self.required,
            state: self.state(),
            capabilities: self.capabilities(),
            conformance,
            last_error: self.last_error(status.as_ref()),
            restarts: status.as_ref().map_or(0, |status| status.restarts),
            counters: status.as_ref().map(counters).unwrap_or_default(),
        }
    }
}

fn counters(status: &PluginStatus) -> PluginCountersView {
    let counters = &status.counters;
    PluginCountersView {
        calls: counters.calls,
        errors: counters.errors,
        panics: counters.panics,
        deadlines_exceeded: counters.deadlines_exceeded,
        violations: counters.violations,
        in_flight: counters.in_flight,
        hung: counters.hung,
    }
}

/// When something failed, and what was said.
type Failure = (String, DateTime<Utc>);

impl App {
    /// The plugins in use, by the keys of their entries.
    pub(crate) async fn list_plugins(&self) -> Vec<PluginView> {
        let reports = Reports::of(&self.config.server.data_dir);
        join_all(self.plugins.0.iter().map(|entry| entry.view(&reports))).await
    }
}
