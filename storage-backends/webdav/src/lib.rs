//! The WebDAV storage backend of BoxVault, as a plugin library: files of a server such as Apache's, nginx's, or a NAS.
//!
//! Objects are found, read, listed, renamed and removed through OpenDAL. They are sent by a request of their own
//! (`upload.rs`), under another name until they are whole.

mod config;
#[cfg(test)]
mod conformance;
mod names;
mod upload;

use std::sync::Arc;

use boxvault_plugin_sdk::{
    ByteRange, Capabilities, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter, PluginError,
    PluginErrorKind, Result, StorageBackend, StoragePlugin, WriteOptions, async_trait,
    export_storage_backend, storage::LIST_LIMIT_MAX,
};
use boxvault_storage_opendal::{
    Found, HttpOptions, OpendalBackend, OperationContext, Operator, Page, STAGING, StagedFiles,
    abort_staged, from_opendal, http_client, http_transport, in_path, list_staged, rows_of,
    services, staged,
};
use reqwest::{Client, Method, RequestBuilder, StatusCode};

pub use config::Config;

use upload::{Request, Writer, causes, refused};

/// The plugin: makes a backend of a [`Config`].
#[derive(Debug)]
pub struct Webdav;

impl StoragePlugin for Webdav {
    type Config = Config;

    fn validate(config: &Config) -> Result<()> {
        config.check()
    }

    async fn create(config: Config) -> Result<Box<dyn StorageBackend>> {
        config.check()?;
        let options = HttpOptions::new(config.patience(), config.ca_file.as_ref());
        let mut service =
            services::Webdav::default().endpoint(config.endpoint()).root(&config.root);
        if let (Some(user), Some(password)) = (&config.username, &config.password) {
            service = service.username(user).password(password.expose());
        }
        if let Some(token) = &config.token {
            service = service.token(token.expose());
        }
        let context = OperationContext::new().with_http_transport(http_transport(&options)?);
        let operator = Operator::new(service).map_err(from_opendal)?.with_context(context);
        let operator = config.patience().apply(operator);
        let files = Files {
            operator: operator.clone(),
            // an upload is silent for as long as it takes; its chunks have their deadlines
            client: http_client(&HttpOptions { silence_timeout: None, ..options })?,
            config,
        };
        let backend = OpendalBackend::new(operator).read_as_a_stream().reserve(STAGING);
        let place = files.config.endpoint().to_owned();
        Ok(Box::new(WebdavBackend { backend, files: Arc::new(files), place }))
    }
}

export_storage_backend!(Webdav, name = "webdav");

/// Files of the server, for what is not whole yet.
#[derive(Debug)]
struct Files {
    operator: Operator,
    client: Client,
    config: Config,
}

impl Files {
    /// A page of what lies below a prefix, after a key.
    async fn list(&self, page: Page<'_>) -> Result<Vec<ObjectEntry>> {
        page.walk(|folder| self.folder(folder, page.start())).await
    }

    /// What is in a folder. OpenDAL takes a file for a folder that holds itself; only where the walk begins may one be.
    async fn folder(&self, folder: String, start: &str) -> Result<Vec<Found>> {
        let name = names::encode(&folder);
        if folder == start && !start.is_empty() {
            match self.operator.stat(name.trim_end_matches('/')).await.map_err(from_opendal) {
                Ok(found) if found.is_file() => return Ok(Vec::new()),
                Err(error) if error.kind == PluginErrorKind::NotFound => return Ok(Vec::new()),
                found => drop(found?),
            }
        }
        let rows = rows_of(&self.operator, name).await?.into_iter();
        let keys = rows.filter_map(|row| match row {
            Found::Folder(name) => names::decode(&name).map(Found::Folder),
            Found::Object(entry) => {
                let key = names::decode(&entry.key)?;
                Some(Found::Object(ObjectEntry { key, ..entry }))
            }
        });
        Ok(keys.collect())
    }

    /// Begins to send a file, whose folder is made if it is not there.
    async fn send(&self, name: &str) -> Result<Request> {
        let folder = name.rfind('/').map_or("/", |slash| &name[..=slash]);
        self.operator.create_dir(folder).await.map_err(from_opendal)?;
        let request = self.request(Method::PUT, name);
        Ok(Request::begin(request, self.config.patience().transfer))
    }

    /// Asks for the top folder, and makes it if it is not there. OpenDAL would not say why not.
    async fn check(&self) -> Result<()> {
        let find = Method::from_bytes(b"PROPFIND").expect("these letters are a method");
        let ask = self.request(find, "").header("depth", "0").body("");
        let patience = self.config.patience().question;
        let answer = ask.timeout(patience).send().await;
        let answer =
            answer.map_err(|error| PluginError::unavailable(causes(&error.without_url())))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND => self.operator.create_dir("/").await.map_err(from_opendal),
            status => Err(refused(status)),
        }
    }

    fn request(&self, method: Method, name: &str) -> RequestBuilder {
        let path = match self.config.root.trim_matches('/') {
            "" => name.to_owned(),
            root => format!("{root}/{name}"),
        };
        let url = format!("{}/{}", self.config.endpoint(), in_path(&path));
        let mut request = self.client.request(method, url);
        if let (Some(user), Some(password)) = (&self.config.username, &self.config.password) {
            request = request.basic_auth(user, Some(password.expose()));
        }
        if let Some(token) = &self.config.token {
            request = request.bearer_auth(token.expose());
        }
        request
    }

    async fn size(&self, name: &str) -> Result<u64> {
        Ok(self.operator.stat(name).await.map_err(from_opendal)?.content_length())
    }

    /// Gives a file another name, also when the name is taken.
    async fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.operator.rename(from, to).await.map_err(from_opendal)
    }

    async fn remove(&self, name: &str) -> Result<()> {
        match self.operator.delete(name).await.map_err(from_opendal) {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

#[async_trait]
impl StagedFiles for Files {
    async fn list_files(&self, prefix: &str, after: &str) -> Result<Vec<ObjectEntry>> {
        self.list(Page { prefix, after, limit: LIST_LIMIT_MAX, hidden: None }).await
    }

    async fn remove_file(&self, key: &str) -> Result<()> {
        self.remove(&names::encode(key)).await
    }
}

/// Files of a server.
#[derive(Debug)]
struct WebdavBackend {
    /// Looks up and reads, by the names of files.
    backend: OpendalBackend,
    files: Arc<Files>,
    /// What is talked to, for messages.
    place: String,
}

#[async_trait]
impl StorageBackend for WebdavBackend {
    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities() | Capabilities::STREAMED_WRITE | Capabilities::LIST_UNFINISHED
    }

    async fn health(&self) -> Result<()> {
        self.files.check().await.map_err(|error| error.context(&self.place))
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        self.backend.check(key)?;
        self.backend.stat(&names::encode(key)).await
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        self.backend.check(key)?;
        self.backend.open_reader(&names::encode(key), range).await
    }

    async fn open_writer(&self, key: &str, _: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        self.backend.check(key)?;
        let (name, staged) = (names::encode(key), names::encode(&staged(key)));
        let request = self.files.send(&staged).await?;
        Ok(Box::new(Writer::new(Arc::clone(&self.files), request, name, staged)))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        // a folder would go with all that is in it
        match self.stat(key).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(_) => self.files.remove_file(key).await,
        }
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let after = after.unwrap_or_default();
        self.files.list(Page { prefix, after, limit, hidden: Some(STAGING) }).await
    }

    async fn list_unfinished(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        list_staged(&*self.files, prefix, after.unwrap_or_default(), limit).await
    }

    async fn abort_unfinished(&self, key: &str) -> Result<()> {
        self.backend.check(key)?;
        abort_staged(&*self.files, key).await
    }
}
