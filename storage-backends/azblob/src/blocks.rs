//! Blocks: what a blob is made of, and what is left of one that was begun and not ended.
//!
//! Azure keeps blocks that are in no list for a week, bills them, and shows them in no ordinary listing. It has no
//! request that throws them away; a list of blocks that has none of them does.

use std::{collections::BTreeMap, time::SystemTime};

use boxvault_plugin_sdk::{
    Bytes, ObjectEntry, ObjectMeta, PluginError, PluginErrorKind, Result, serde::Deserialize,
};
use boxvault_storage_opendal::{Buffer, HttpTransporter, SignedRequests, read_xml};
use chrono::DateTime;
use data_encoding::BASE64;
use http::{
    Request, Response,
    header::{CONTENT_LENGTH, ETAG, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED},
    request::Builder,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqsign_azure_storage::{Credential, RequestSigner};
use sha2::{Digest as _, Sha256};

use crate::{Config, credentials::Credentials};

/// Of the protocol: the one that OpenDAL speaks.
const VERSION: &str = "2022-11-02";
/// Left as they are in a path, whose slashes stay too; in a query they do not.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const QUERY: &AsciiSet = &PATH.add(b'/');

/// The blocks of a container, below the store's own prefix.
#[derive(Debug)]
pub(crate) struct Blocks {
    requests: SignedRequests<Credential>,
    /// The container's URL, without a slash at its end.
    container_url: String,
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
#[serde(crate = "boxvault_plugin_sdk::serde")]
struct Block {}

impl Blocks {
    pub(crate) fn new(
        config: &Config,
        transport: HttpTransporter,
        credentials: Credentials,
    ) -> Self {
        let patience = config.patience();
        let root = match config.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
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
            root,
            encryption,
        }
    }

    /// Lists one blob at most. What OpenDAL has for this takes a container that is not there for a good one.
    pub(crate) async fn check_container(&self) -> Result<()> {
        let url = format!("{}?restype=container&comp=list&maxresults=1", self.container_url);
        self.requests.ask(built(Request::get(url), Buffer::new())?).await.map(drop)
    }

    /// Sends a block of an object.
    pub(crate) async fn put(&self, key: &str, id: &str, chunks: Vec<Bytes>) -> Result<()> {
        let body = Buffer::from(chunks);
        let url = self.url(key, &format!("comp=block&blockid={}", utf8_percent_encode(id, QUERY)));
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

    /// The keys under a prefix that blocks were sent for and no list, those after `after` in their order.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let mut begun = BTreeMap::new();
        let mut marker = String::new();
        loop {
            let page = self.page(prefix, &marker).await?;
            for blob in page.blobs.blob {
                let Some(key) = blob.name.strip_prefix(&self.root) else { continue };
                // what is not made yet has no length, nor has what is empty
                if blob.properties.size == 0 && key > after && self.is_begun(key).await? {
                    begun.insert(key.to_owned(), moment(&blob.properties.modified));
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

    /// Throws the blocks away that were sent for a key and are in no list, unless there is an object: its blocks of
    /// that kind go within a week.
    pub(crate) async fn abort(&self, key: &str) -> Result<()> {
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

    /// Whether blocks were sent for a key that are in no list.
    async fn is_begun(&self, key: &str) -> Result<bool> {
        let url = self.url(key, "comp=blocklist&blocklisttype=uncommitted");
        match self.requests.ask(built(Request::get(url), Buffer::new())?).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(false),
            answer => {
                let list: BlockList = read_xml("a list of blocks", answer?.body())?;
                Ok(!list.uncommitted_blocks.block.is_empty())
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
            value => format!("&{name}={}", utf8_percent_encode(value, QUERY)),
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

    fn url(&self, key: &str, query: &str) -> String {
        let name = format!("{}{key}", self.root);
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/{}{mark}{query}", self.container_url, utf8_percent_encode(&name, PATH))
    }

    fn encrypted(&self, request: Builder) -> Builder {
        let headers = self.encryption.iter().flatten();
        headers.fold(request, |request, (name, value)| request.header(*name, value))
    }
}

fn built(request: Builder, body: Buffer) -> Result<Request<Buffer>> {
    let request = request.header("x-ms-version", VERSION).body(body);
    request.map_err(|error| PluginError::invalid_config(format!("endpoint: {error}")))
}

fn moment(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc2822(text).ok().map(SystemTime::from)
}
