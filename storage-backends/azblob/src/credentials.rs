//! Who signs the requests: the configured key or signature, or what Azure's own tools would use.

use std::sync::Arc;

use boxvault_plugin_sdk::{PluginError, Result};
use boxvault_storage_opendal::{HttpTransporter, ProvideCredentialChain, find_credentials};
use reqsign_azure_storage::{Credential, DefaultCredentialProvider, StaticCredentialProvider};

use crate::Config;

/// Where credentials come from; asked again when they expire.
pub(crate) type Credentials = Arc<ProvideCredentialChain<Credential>>;

/// Finds out where credentials come from, and that there are some.
///
/// # Errors
/// `InvalidConfig` if there are none.
pub(crate) async fn find(config: &Config, transport: &HttpTransporter) -> Result<Credentials> {
    let chain = ProvideCredentialChain::new();
    if let Some(key) = &config.account_key {
        let key = StaticCredentialProvider::new_shared_key(&config.account_name, key.expose());
        return Ok(Arc::new(chain.push(key)));
    }
    if let Some(token) = &config.sas_token {
        let token = token.expose().trim_start_matches('?');
        return Ok(Arc::new(chain.push(StaticCredentialProvider::new_sas_token(token))));
    }
    // a server starts no program of whoever is signed in with Azure's command line
    let default = DefaultCredentialProvider::builder().no_azure_cli().build();
    let credentials = Arc::new(chain.push(default));
    match find_credentials(&credentials, transport).await {
        Ok(()) => Ok(credentials),
        Err(why) => Err(PluginError::invalid_config(format!(
            "account_key: it is not set, nor is sas_token, and neither environment nor identity of this machine has \
             credentials; set one of them, or its …_file{why}"
        ))),
    }
}
