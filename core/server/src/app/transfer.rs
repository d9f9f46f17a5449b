//! What clients exchange with an object store themselves: by which stores, and at which addresses.
//!
//! An address is a credential: it stands in no log.

use std::sync::Arc;

use boxvault_plugin_sdk::{Capabilities, PresignOptions, StorageBackend};
use tracing::warn;

use super::App;
use crate::config::Transfer;

impl App {
    /// How clients exchange files with a store.
    pub(crate) fn transfer(&self, store: &str) -> Transfer {
        self.config.stores.get(store).map_or(Transfer::Proxy, |entry| entry.transfer)
    }

    /// Whether clients may have sent something to a store themselves, or may yet.
    pub(crate) fn takes_from_clients(&self, store: &str) -> bool {
        let store = self.stores.get(store);
        store.is_ok_and(|store| store.capabilities().contains(Capabilities::PRESIGN_WRITE))
    }

    /// An address from which anybody can read an object for a while, as a file of that type and disposition.
    ///
    /// Nothing when the store cannot sign one now: then its bytes go through this server.
    pub(crate) async fn download_address(
        &self,
        store: &Arc<dyn StorageBackend>,
        key: &str,
        content_disposition: &str,
        content_type: &str,
    ) -> Option<String> {
        if !store.capabilities().contains(Capabilities::PRESIGN_READ) {
            return None;
        }
        let time = self.config.limits.presigned_download_ttl.into();
        let mut options = PresignOptions::expires_in(time);
        options.content_disposition = Some(content_disposition.to_owned());
        options.content_type = Some(content_type.to_owned());
        match store.presign_read(key, options).await {
            Ok(address) => Some(address),
            Err(error) => {
                warn!(key, %error, "could not sign an address to download from; the file goes through this server");
                None
            }
        }
    }
}
