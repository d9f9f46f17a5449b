//! Why a server does not start.

use std::io;

use boxvault_catalog::CatalogError;
use boxvault_plugin_host::LoadError;
use boxvault_plugin_sdk::PluginError;
use boxvault_policy::PolicyError;
use boxvault_transfer::TransferError;
use thiserror::Error;

use crate::{
    data_dir::DataDirError, error::AppError, mail::transport::MailSetupError, tls::TlsError,
};

/// Why the server could not start.
#[derive(Debug, Error)]
pub enum StartupError {
    /// The data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database cannot be used.
    #[error("could not open the catalog; check database.url")]
    Catalog(#[from] CatalogError),
    /// The policy files cannot be used. There is no older policy to keep at a start.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A plugin cannot be used.
    #[error("could not open {entry}")]
    Plugin {
        /// Its place in the configuration.
        entry: String,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// A store does not answer.
    #[error("the store {name:?} does not work")]
    Store {
        /// Its name in the configuration.
        name: String,
        /// Why.
        #[source]
        source: PluginError,
    },
    /// `storage.default_store` names no store.
    #[error("storage.default_store is {0:?}, but there is no [stores.{0}]")]
    NoDefaultStore(String),
    /// Messages cannot be sent.
    #[error(transparent)]
    Mail(#[from] MailSetupError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener cannot be opened.
    #[error(transparent)]
    Listen(#[from] TransferError),
    /// No listener is on.
    #[error("both server.http_listen and server.https_listen are off; turn one on")]
    NoListener,
    /// The rest.
    #[error("could not start")]
    App(#[from] AppError),
    /// A signal cannot be waited for, or standard output is gone.
    #[error("the system refused")]
    Io(#[from] io::Error),
}
