//! What a plugin gives, if it could be opened; and what is answered until then.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use async_trait::async_trait;
use boxvault_plugin_host::Provider;
use boxvault_plugin_sdk::{
    AuthFacets, AuthProvider, ByteRange, Capabilities, Claims, Credentials, DirectWrite,
    LogoutNotice, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter, PartOptions, PluginError,
    PresignOptions, RedirectFinish, RedirectRequest, RedirectStart, Result, Secret, StorageBackend,
    WriteOptions,
};
use chrono::Utc;

use super::{Failure, OpenedStore};

/// Something that a plugin gives, from when it could be opened on.
#[derive(Debug)]
pub(crate) struct Late<T> {
    /// The entry's key.
    key: String,
    opened: OnceLock<T>,
    failure: Mutex<Option<Failure>>,
}

impl<T> Late<T> {
    /// Opened already.
    pub(crate) fn opened(key: &str, it: T) -> Arc<Self> {
        let late = Self { key: key.to_owned(), opened: it.into(), failure: Mutex::default() };
        Arc::new(late)
    }

    /// Not opened yet, for this reason.
    pub(crate) fn failed(key: &str, reason: String) -> Arc<Self> {
        let failure = Mutex::new(Some((reason, Utc::now())));
        Arc::new(Self { key: key.to_owned(), opened: OnceLock::new(), failure })
    }

    /// What was opened.
    pub(crate) fn get(&self) -> Option<&T> {
        self.opened.get()
    }

    /// It could be opened after all.
    pub(crate) fn open(&self, it: T) {
        drop(self.opened.set(it)); // whoever came first is as good
        *self.lock() = None;
    }

    /// It could not be opened again. Says whether that is for another reason than before.
    pub(crate) fn fail(&self, reason: String) -> bool {
        let mut failure = self.lock();
        let is_new = failure.as_ref().is_none_or(|(before, _)| *before != reason);
        *failure = Some((reason, Utc::now()));
        is_new
    }

    /// Why it could not be opened, as long as it could not.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Failure>> {
        // Nothing panics while holding the lock.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self) -> Result<&T> {
        self.get().ok_or_else(|| {
            let key = &self.key;
            PluginError::unavailable(format!(
                "the plugin of {key} could not be opened yet; it is tried again by itself"
            ))
        })
    }
}

#[async_trait]
impl StorageBackend for Late<OpenedStore> {
    fn capabilities(&self) -> Capabilities {
        self.get().map_or(Capabilities::NONE, |it| it.backend.capabilities())
    }

    async fn health(&self) -> Result<()> {
        self.wanted()?.backend.health().await
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        self.wanted()?.backend.stat(key).await
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        self.wanted()?.backend.open_reader(key, range).await
    }

    async fn open_writer(&self, key: &str, options: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        self.wanted()?.backend.open_writer(key, options).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.wanted()?.backend.delete(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        self.wanted()?.backend.list(prefix, after, limit).await
    }

    async fn local_path(&self, key: &str) -> Result<PathBuf> {
        self.wanted()?.backend.local_path(key).await
    }

    async fn presign_read(&self, key: &str, options: PresignOptions) -> Result<String> {
        self.wanted()?.backend.presign_read(key, options).await
    }

    async fn begin_direct(&self, key: &str, options: WriteOptions) -> Result<DirectWrite> {
        self.wanted()?.backend.begin_direct(key, options).await
    }

    async fn presign_part(&self, key: &str, token: &str, options: PartOptions) -> Result<String> {
        self.wanted()?.backend.presign_part(key, token, options).await
    }

    async fn finish_direct(&self, key: &str, token: &str) -> Result<ObjectMeta> {
        self.wanted()?.backend.finish_direct(key, token).await
    }

    async fn list_unfinished(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        self.wanted()?.backend.list_unfinished(prefix, after, limit).await
    }

    async fn abort_unfinished(&self, key: &str) -> Result<()> {
        self.wanted()?.backend.abort_unfinished(key).await
    }
}

#[async_trait]
impl AuthProvider for Late<Provider> {
    fn facets(&self) -> AuthFacets {
        // until it is known what it does, people may try their passwords, and are told to come again
        self.get().map_or(AuthFacets::PASSWORD, Provider::facets)
    }

    async fn health(&self) -> Result<()> {
        self.wanted()?.provider().health().await
    }

    async fn authenticate_password(&self, credentials: Credentials) -> Result<Claims> {
        self.wanted()?.provider().authenticate_password(credentials).await
    }

    async fn start_redirect(&self, request: RedirectRequest) -> Result<RedirectStart> {
        self.wanted()?.provider().start_redirect(request).await
    }

    async fn finish_redirect(&self, callback: RedirectFinish) -> Result<Claims> {
        self.wanted()?.provider().finish_redirect(callback).await
    }

    async fn introspect_token(&self, token: Secret) -> Result<Claims> {
        self.wanted()?.provider().introspect_token(token).await
    }

    async fn read_logout_notice(&self, notice: Secret) -> Result<LogoutNotice> {
        self.wanted()?.provider().read_logout_notice(notice).await
    }

    async fn refresh(&self, subject: &str) -> Result<Claims> {
        self.wanted()?.provider().refresh(subject).await
    }

    async fn logout(&self, subject: &str) -> Result<Option<String>> {
        self.wanted()?.provider().logout(subject).await
    }

    async fn groups(&self, subject: &str) -> Result<Vec<String>> {
        self.wanted()?.provider().groups(subject).await
    }
}
