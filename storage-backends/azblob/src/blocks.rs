//! Blocks: what a blob is made of, and what is left of one that was begun and not ended.
//!
//! Azure keeps blocks that are in no list for a week, bills them, and shows them in no ordinary listing. It has no
//! request that throws them away; a list of blocks that has none of them does.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use boxvault_plugin_sdk::{
    Bytes, ObjectEntry, ObjectMeta, PluginError, PluginErrorKind, Result, async_trait,
    serde::Deserialize,
};
use boxvault_storage_opendal::{
    Buffer, CheckStore, FindUnfinished, HttpTransporter, SignedRequests, folder, in_path, in_query,
    read_xml,
};
use chrono::DateTime;
use data_encoding::BASE64;
use http::{
    Request, Response,
    header::{CONTENT_LENGTH, ETAG, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED},
    request::Builder,
};
use reqsign_azure_storage::{Credential, RequestSigner};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use crate::{Config, credentials::Credentials};

/// Of the protocol: the one that OpenDAL speaks.
pub(crate) const VERSION: &str = "2022-11-02";
/// What the name of a blob ends with whose blocks clients send: they may write there until their address ends, and so
/// not where the object will be.
const SENT: &str = ".sent";
/// How long until Azure is asked again whether it has copied.
const COPY_PAUSE: Duration = Duration::from_millis(500);

/// The blocks of a container, below the store's own prefix.
#[derive(Debug)]
pub(crate) struct Blocks {
    requests: SignedRequests<Credential>,
    /// The container's URL, without a slash at its end.
    container_url: String,
    /// The same for clients.
    public_url: String,
    /// What all names begin with: nothing, or a text with a slash at its end.
    root: String,
    /// What tells Azure the key to encrypt with.
    encryption: Option<[(&'static str, String); 3]>,
}

/// One page of the blobs of a container.
#[derive(Debug, Default, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default, rename_all = "PascalCase")]
struct Page {
    blobs: Blobs,
    next_marker: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default, rename_all = "PascalCase")]
struct Blobs {
    blob: Vec<Blob>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "PascalCase")]
struct Blob {
    name: String,
    #[serde(default)]
    properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default)]
struct Properties {
    #[serde(rename = "Last-Modified")]
    modified: String,
    #[serde(rename = "Content-Length")]
    size: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default, rename_all = "PascalCase")]
struct BlockList {
    uncommitted_blocks: Uncommitted,
}

#[derive(Debug, Default, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default, rename_all = "PascalCase")]
struct Uncommitted {
    block: Vec<Block>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "PascalCase")]
struct Block {
    name: String,
}

impl Blocks {
    pub(crate) fn new(
        config: &Config,
        transport: HttpTransporter,
        credentials: Credentials,
    ) -> Self {
        let patience = config.patience();
        let encryption = config.encryption_key_bytes().map(|key| {
            [
                ("x-ms-encryption-algorithm", "AES256".to_owned()),
                ("x-ms-encryption-key", BASE64.encode(&key)),
                ("x-ms-encryption-key-sha256", BASE64.encode(&Sha256::digest(&key))),
            ]
        });
        Self {
            requests: SignedRequests::new(transport, credentials, RequestSigner::new(), patience),
            container_url: format!("{}/{}", config.endpoint(), config.container),
            public_url: format!("{}/{}", config.public_endpoint(), config.container),
            root: folder(&config.prefix),
            encryption,
        }
    }

    /// Sends a block of an object.
    pub(crate) async fn put(&self, key: &str, id: &str, chunks: Vec<Bytes>) -> Result<()> {
        let body = Buffer::from(chunks);
        let url = self.url(key, &format!("comp=block&blockid={}", in_query(id)));
        let request = self.encrypted(Request::put(url)).header(CONTENT_LENGTH, body.len());
        self.requests.transfer(built(request, body)?).await.map(drop)
    }

    /// Makes an object of these blocks.
    pub(crate) async fn commit(&self, key: &str, ids: &[String], size: u64) -> Result<ObjectMeta> {
        let answer = self.put_list(key, ids, |request| request).await?;
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        Ok(ObjectMeta::of_size(size)
            .modified(text(LAST_MODIFIED).and_then(moment))
            .etag(text(ETAG).map(ToOwned::to_owned)))
    }

    async fn abort_blob(&self, key: &str) -> Result<()> {
        if !self.is_begun(key).await? {
            return Ok(());
        }
        // an empty object, for a moment: under a key that nobody reads, since no catalog has it
        let made = self.put_list(key, &[], |request| request.header(IF_NONE_MATCH, "*")).await;
        let made = match made {
            Err(error) if error.kind == PluginErrorKind::AlreadyExists => return Ok(()),
            made => made?,
        };
        let mut request = Request::delete(self.url(key, "")).header(CONTENT_LENGTH, 0);
        if let Some(etag) = made.headers().get(ETAG) {
            request = request.header(IF_MATCH, etag);
        }
        match self.requests.ask(built(request, Buffer::new())?).await {
            Err(error)
                if matches!(
                    error.kind,
                    PluginErrorKind::NotFound | PluginErrorKind::AlreadyExists
                ) =>
            {
                Ok(())
            }
            answer => answer.map(drop),
        }
    }

    /// Makes a blob of the blocks that clients sent, and copies it to where nobody else can write. Azure copies by itself;
    /// no byte comes here.
    pub(crate) async fn commit_sent(&self, key: &str) -> Result<()> {
        let from = sent(key);
        let mut ids = self.begun(&from).await?;
        ids.sort();
        // none: the blob was made before, and the copy of it perhaps not
        if !ids.is_empty() {
            self.put_list(&from, &ids, |request| request).await?;
        }
        let request = Request::put(self.url(key, ""))
            .header("x-ms-copy-source", self.url(&from, ""))
            // what was copied once may have been looked at since
            .header(IF_NONE_MATCH, "*")
            .header(CONTENT_LENGTH, 0);
        let mut answer = match self.requests.ask(built(request, Buffer::new())?).await {
            Err(error) if error.kind == PluginErrorKind::AlreadyExists => return Ok(()),
            answer => answer?,
        };
        while copy_status(&answer) == Some("pending") {
            sleep(COPY_PAUSE).await;
            let request = Request::head(self.url(key, ""));
            answer = self.requests.ask(built(request, Buffer::new())?).await?;
        }
        if let Some(status) = copy_status(&answer).filter(|status| *status != "success") {
            return Err(PluginError::unexpected(format!("Azure's copy ended with {status:?}")));
        }
        let request = Request::delete(self.url(&from, "")).header(CONTENT_LENGTH, 0);
        match self.requests.ask(built(request, Buffer::new())?).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Where a client sends a block to, without what gives it the right to.
    pub(crate) fn sent_url(&self, key: &str, id: &str) -> String {
        let query = format!("comp=block&blockid={}", in_query(id));
        self.url_at(&self.public_url, &sent(key), &query)
    }

    /// The name that a client's blocks have in the container.
    pub(crate) fn sent_name(&self, key: &str) -> String {
        self.name(&sent(key))
    }

    /// The name of an object in the container.
    pub(crate) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.root)
    }

    /// Whether blocks were sent for a key that are in no list.
    async fn is_begun(&self, key: &str) -> Result<bool> {
        Ok(!self.begun(key).await?.is_empty())
    }

    /// The blocks that were sent for a key and are in no list.
    async fn begun(&self, key: &str) -> Result<Vec<String>> {
        let url = self.url(key, "comp=blocklist&blocklisttype=uncommitted");
        match self.requests.ask(built(Request::get(url), Buffer::new())?).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(Vec::new()),
            answer => {
                let list: BlockList = read_xml("a list of blocks", answer?.body())?;
                Ok(list.uncommitted_blocks.block.into_iter().map(|block| block.name).collect())
            }
        }
    }

    async fn put_list(
        &self,
        key: &str,
        ids: &[String],
        with: impl FnOnce(Builder) -> Builder,
    ) -> Result<Response<Vec<u8>>> {
        // Base64 has nothing that XML writes in another way
        let ids =
            ids.iter().map(|id| format!("<Latest>{id}</Latest>")).collect::<Vec<_>>().concat();
        let body = format!(r#"<?xml version="1.0" encoding="utf-8"?><BlockList>{ids}</BlockList>"#);
        let request = with(self.encrypted(Request::put(self.url(key, "comp=blocklist"))))
            .header(CONTENT_LENGTH, body.len());
        self.requests.ask(built(request, body.into())?).await
    }

    async fn page(&self, prefix: &str, marker: &str) -> Result<Page> {
        let prefix = format!("{}{prefix}", self.root);
        // what is empty may not be there: it is not signed
        let pair = |name: &str, value: &str| match value {
            "" => String::new(),
            value => format!("&{name}={}", in_query(value)),
        };
        let url = format!(
            "{}?restype=container&comp=list&include=uncommittedblobs{}{}",
            self.container_url,
            pair("prefix", &prefix),
            pair("marker", marker)
        );
        let answer = self.requests.ask(built(Request::get(url), Buffer::new())?).await?;
        read_xml("the list of blobs", answer.body())
    }

    /// Where a client reads an object from, without what gives it the right to.
    pub(crate) fn public_url(&self, key: &str) -> String {
        self.url_at(&self.public_url, key, "")
    }

    fn url(&self, key: &str, query: &str) -> String {
        self.url_at(&self.container_url, key, query)
    }

    fn url_at(&self, container_url: &str, key: &str, query: &str) -> String {
        let name = self.name(key);
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{container_url}/{}{mark}{query}", in_path(&name))
    }

    fn encrypted(&self, request: Builder) -> Builder {
        let headers = self.encryption.iter().flatten();
        headers.fold(request, |request, (name, value)| request.header(*name, value))
    }
}

#[async_trait]
impl CheckStore for Blocks {
    /// Lists one blob at most. What OpenDAL has for this takes a container that is not there for a good one.
    async fn check(&self) -> Result<()> {
        let url = format!("{}?restype=container&comp=list&maxresults=1", self.container_url);
        self.requests.ask(built(Request::get(url), Buffer::new())?).await.map(drop)
    }
}

#[async_trait]
impl FindUnfinished for Blocks {
    /// The keys that blocks were sent for and no list.
    async fn list(&self, prefix: &str, after: &str, limit: u32) -> Result<Vec<ObjectEntry>> {
        let mut begun = BTreeMap::new();
        let mut marker = String::new();
        loop {
            let page = self.page(prefix, &marker).await?;
            for blob in page.blobs.blob {
                let Some(name) = blob.name.strip_prefix(&self.root) else { continue };
                let key = name.strip_suffix(SENT).unwrap_or(name);
                // what is not made yet has no length, nor has what is empty
                if blob.properties.size == 0 && key > after && self.is_begun(name).await? {
                    let at = moment(&blob.properties.modified);
                    let last = begun.entry(key.to_owned()).or_insert(at);
                    *last = (*last).max(at);
                }
            }
            if page.next_marker.is_empty() || begun.len() >= limit as usize {
                break;
            }
            marker = page.next_marker;
        }
        let rows = begun.into_iter().take(limit as usize);
        Ok(rows.map(|(key, modified)| ObjectEntry { key, size: 0, modified }).collect())
    }

    /// Throws the blocks away that were sent for a key and are in no list, by us or by clients, unless there is an
    /// object: its blocks of that kind go within a week.
    async fn abort(&self, key: &str) -> Result<()> {
        self.abort_blob(key).await?;
        self.abort_blob(&sent(key)).await
    }
}

fn sent(key: &str) -> String {
    format!("{key}{SENT}")
}

fn copy_status(answer: &Response<Vec<u8>>) -> Option<&str> {
    answer.headers().get("x-ms-copy-status")?.to_str().ok()
}

fn built(request: Builder, body: Buffer) -> Result<Request<Buffer>> {
    let request = request.header("x-ms-version", VERSION).body(body);
    request.map_err(|error| PluginError::invalid_config(format!("endpoint: {error}")))
}

fn moment(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc2822(text).ok().map(SystemTime::from)
}
