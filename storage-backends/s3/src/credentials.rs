//! Who signs the requests: the configured key, or what AWS's own tools would use.

use std::{sync::Arc, time::Duration};

use boxvault_plugin_sdk::{PluginError, Result};
use boxvault_storage_opendal::HttpTransporter;
use reqsign_aws_v4::{Credential, DefaultCredentialProvider, StaticCredentialProvider};
use reqsign_core::{Context, OsEnv, ProvideCredential as _, ProvideCredentialChain};
use reqsign_file_read_tokio::TokioFileRead;
use tokio::time::timeout;

use crate::Config;

/// The service of a cloud that knows a machine's role may be asked, which outside of that cloud does not answer.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(15);

/// Where keys come from; asked again when they expire.
pub(crate) type Credentials = Arc<ProvideCredentialChain<Credential>>;

/// What providers of credentials and signers may use.
pub(crate) fn context(transport: HttpTransporter) -> Context {
    Context::new().with_file_read(TokioFileRead).with_env(OsEnv).with_http_send(transport)
}

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
    let context = context(transport.clone());
    match timeout(SEARCH_TIMEOUT, credentials.provide_credential(&context)).await {
        Ok(Ok(Some(_))) => Ok(credentials),
        Ok(Err(error)) => Err(none(&format!(": {error}"))),
        Ok(Ok(None)) | Err(_) => Err(none("")),
    }
}

fn none(why: &str) -> PluginError {
    PluginError::invalid_config(format!(
        "access_key_id: it is not set, and neither environment nor profile nor role of this machine has a key; \
         set it and secret_access_key, or their …_file{why}"
    ))
}
