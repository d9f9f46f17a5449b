//! Who signs the requests: the configured key, or what AWS's own tools would use.

use std::sync::Arc;

use boxvault_plugin_sdk::{PluginError, Result};
use boxvault_storage_opendal::{HttpTransporter, ProvideCredentialChain, find_credentials};
use reqsign_aws_v4::{Credential, DefaultCredentialProvider, StaticCredentialProvider};

use crate::Config;

/// Where keys come from; asked again when they expire.
pub(crate) type Credentials = Arc<ProvideCredentialChain<Credential>>;

/// Finds out where keys come from, and that there are some.
///
/// # Errors
/// `InvalidConfig` if there are none.
pub(crate) async fn find(config: &Config, transport: &HttpTransporter) -> Result<Credentials> {
    let chain = ProvideCredentialChain::new();
    if let (Some(id), Some(secret)) = (&config.access_key_id, &config.secret_access_key) {
        let mut key = StaticCredentialProvider::new(id.expose(), secret.expose());
        if let Some(token) = &config.session_token {
            key = key.with_session_token(token.expose());
        }
        return Ok(Arc::new(chain.push(key)));
    }
    let credentials = Arc::new(chain.push(DefaultCredentialProvider::new()));
    match find_credentials(&credentials, transport).await {
        Ok(()) => Ok(credentials),
        Err(why) => Err(PluginError::invalid_config(format!(
            "access_key_id: it is not set, and neither environment nor profile nor role of this machine has a key; \
             set it and secret_access_key, or their …_file{why}"
        ))),
    }
}
