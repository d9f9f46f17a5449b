//! A plugin that was opened, in this process or in one of its own: what the server holds.

use std::sync::Arc;

use boxvault_plugin_sdk::{AuthFacets, AuthProvider, Capabilities, Result, StorageBackend};

use crate::{
    auth::LoadedAuthProvider,
    isolated::{IsolatedAuthProvider, IsolatedStorage},
    probe::ProbeReport,
    status::PluginStatus,
    storage::LoadedStorage,
};

/// An opened store. Cloning is cheap and shares the instance.
#[derive(Clone, Debug)]
pub enum Store {
    /// In this process.
    Loaded(LoadedStorage),
    /// In a process of its own.
    Isolated(IsolatedStorage),
}

impl Store {
    /// The store as the trait that its author wrote.
    pub fn backend(&self) -> Arc<dyn StorageBackend> {
        match self.clone() {
            Self::Loaded(store) => Arc::new(store),
            Self::Isolated(store) => Arc::new(store),
        }
    }

    /// What can be said of the plugin now.
    pub fn status(&self) -> PluginStatus {
        match self {
            Self::Loaded(store) => store.status(),
            Self::Isolated(store) => store.status(),
        }
    }

    /// What the plugin declares, true or not.
    pub fn declared(&self) -> Capabilities {
        match self {
            Self::Loaded(store) => store.declared(),
            Self::Isolated(store) => store.declared(),
        }
    }

    /// Tries out what the plugin declares, and switches off what is not true, with a warning.
    ///
    /// # Errors
    /// Whatever kept an object from being written, read or removed: the store is not usable.
    pub async fn probe(&self) -> Result<ProbeReport> {
        match self {
            Self::Loaded(store) => store.probe().await,
            Self::Isolated(store) => store.probe().await,
        }
    }
}

/// An opened auth provider. Cloning is cheap and shares the instance.
#[derive(Clone, Debug)]
pub enum Provider {
    /// In this process.
    Loaded(LoadedAuthProvider),
    /// In a process of its own.
    Isolated(IsolatedAuthProvider),
}

impl Provider {
    /// The provider as the trait that its author wrote.
    pub fn provider(&self) -> Arc<dyn AuthProvider> {
        match self.clone() {
            Self::Loaded(provider) => Arc::new(provider),
            Self::Isolated(provider) => Arc::new(provider),
        }
    }

    /// What can be said of the plugin now.
    pub fn status(&self) -> PluginStatus {
        match self {
            Self::Loaded(provider) => provider.status(),
            Self::Isolated(provider) => provider.status(),
        }
    }

    /// The ways to sign people in that the plugin declares.
    pub fn facets(&self) -> AuthFacets {
        match self {
            Self::Loaded(provider) => provider.facets(),
            Self::Isolated(provider) => provider.facets(),
        }
    }
}
