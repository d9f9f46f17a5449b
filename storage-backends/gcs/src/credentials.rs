//! Who signs the requests: the configured key, or what Google's own tools would use.

use std::sync::Arc;

use boxvault_plugin_sdk::{PluginError, Result};
use boxvault_storage_opendal::{HttpTransporter, ProvideCredentialChain, find_credentials};
use reqsign_google::{
    Credential, DefaultCredentialProvider, EnvCredentialProvider, StaticCredentialProvider,
    VmMetadataCredentialProvider, WellKnownCredentialProvider,
};

use crate::{
    Config,
    account::{Account, Tokens},
};

/// What a token may do: read and write objects.
pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// Where credentials come from; asked again when they expire.
pub(crate) type Credentials = Arc<ProvideCredentialChain<Credential>>;

/// Finds out where credentials come from, and that there are some.
///
/// # Errors
/// `InvalidConfig` if there are none.
pub(crate) async fn find(
    config: &Config,
    account: Option<&Arc<Account>>,
    transport: &HttpTransporter,
) -> Result<Credentials> {
    let chain = ProvideCredentialChain::new();
    if let Some(account) = account {
        let tokens = Tokens(Arc::clone(account));
        return match find_credentials(&tokens, transport).await {
            Ok(()) => Ok(Arc::new(chain.push(tokens))),
            Err(why) => Err(unusable("it cannot be used", &why)),
        };
    }
    let (credentials, problem) = if let Some(key) = &config.credential {
        let key = StaticCredentialProvider::new(key.expose()).with_scope(SCOPE);
        (chain.push(key), "it cannot be used")
    } else {
        let default = DefaultCredentialProvider::builder()
            .env(EnvCredentialProvider::new().with_scope(SCOPE))
            .well_known(WellKnownCredentialProvider::new().with_scope(SCOPE))
            .vm_metadata(VmMetadataCredentialProvider::new().with_scope(SCOPE));
        (
            chain.push(default.build()),
            "it is not set, and neither environment nor identity of this machine has credentials; set it, or \
             credential_file",
        )
    };
    let credentials = Arc::new(credentials);
    match find_credentials(&credentials, transport).await {
        Ok(()) => Ok(credentials),
        Err(why) => Err(unusable(problem, &why)),
    }
}

fn unusable(problem: &str, why: &str) -> PluginError {
    PluginError::invalid_config(format!("credential: {problem}{why}"))
}
