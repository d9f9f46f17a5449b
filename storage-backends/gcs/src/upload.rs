//! Resumable uploads: how objects come into a bucket.
//!
//! An upload has an address of its own, which is also its key: whoever knows it can send. It takes chunks one after the
//! other, says how far it has come, and makes the object when the last one is there.

use std::time::SystemTime;

use boxvault_plugin_sdk::{
    Bytes, ObjectMeta, PluginError, PluginErrorKind, Result, async_trait,
    serde::{Deserialize, Serialize},
};
use boxvault_storage_opendal::{
    Buffer, CheckStore, Failures, HttpTransporter, Patience, SignedRequests, built, folder,
    in_query, keys::check_endpoint, read_json, refused,
};
use chrono::DateTime;
use http::{
    Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE},
};
use reqsign_google::{Credential, RequestSigner};

use crate::{
    Config,
    credentials::{Credentials, SCOPE},
    unfinished::note_name,
};

/// What the store answers to an upload that was given up.
const GIVEN_UP: u16 = 499;

/// A bucket, below the store's own prefix.
#[derive(Debug)]
pub(crate) struct Bucket {
    requests: SignedRequests<Credential>,
    patience: Patience,
    endpoint: String,
    name: String,
    /// What all names begin with: nothing, or a text with a slash at its end.
    root: String,
    kms_key_name: Option<String>,
    description: Description,
}

/// What is said of a new object besides its name.
#[derive(Debug, Serialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "camelCase")]
struct Description {
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<String>,
}

/// Of what an object is put together.
#[derive(Serialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "camelCase")]
struct Composition<'a> {
    source_objects: Vec<Source>,
    destination: &'a Description,
}

#[derive(Serialize)]
#[serde(crate = "boxvault_plugin_sdk::serde")]
struct Source {
    name: String,
}

/// What an upload is made of: its address. It is not printed.
pub(crate) struct Upload {
    address: String,
    /// The object in which that is noted.
    note: Option<String>,
}

/// How far an upload has come.
enum State {
    /// The store has so many bytes.
    Has(u64),
    Finished(ObjectMeta),
}

/// An object, in the answer to its last chunk.
#[derive(Debug, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde")]
struct Object {
    /// A number, as text.
    size: String,
    etag: Option<String>,
    updated: Option<String>,
}

impl Bucket {
    pub(crate) fn new(
        config: &Config,
        transport: HttpTransporter,
        credentials: Credentials,
    ) -> Self {
        let signer = RequestSigner::new("storage").with_scope(SCOPE);
        Self {
            requests: SignedRequests::new(transport, credentials, signer, config.patience()),
            patience: config.patience(),
            endpoint: config.endpoint().to_owned(),
            name: config.bucket.clone(),
            root: folder(&config.prefix),
            kms_key_name: config.kms_key_name.clone(),
            description: Description { storage_class: config.storage_class.clone() },
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of an object in it.
    pub(crate) fn object(&self, key: &str) -> String {
        format!("{}{key}", self.root)
    }

    /// Puts objects together to a new one.
    pub(crate) async fn compose(&self, key: &str, parts: &[String]) -> Result<()> {
        let mut url = format!("{}/compose?ifGenerationMatch=0", self.object_url(key));
        if let Some(key) = &self.kms_key_name {
            url.push_str("&kmsKeyName=");
            url.extend(in_query(key));
        }
        let parts = parts.iter().map(|part| Source { name: self.object(part) }).collect();
        let wanted = Composition { source_objects: parts, destination: &self.description };
        let body = json(&wanted)?;
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, body.len());
        self.requests.transfer(built(request, body)?).await.map(drop)
    }

    /// Begins an upload.
    pub(crate) async fn begin(&self, key: &str) -> Result<Upload> {
        let name = self.object(key);
        let mut url = format!(
            "{}/upload/storage/v1/b/{}/o?uploadType=resumable&name={}",
            self.endpoint,
            self.name,
            in_query(&name)
        );
        if let Some(key) = &self.kms_key_name {
            url.push_str("&kmsKeyName=");
            url.extend(in_query(key));
        }
        let body = json(&self.description)?;
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, body.len());
        let answer = self.requests.ask(built(request, body)?).await?;
        let address = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let address = address.ok_or_else(|| PluginError::unexpected("an upload has no address"))?;
        Ok(Upload { address: address.to_owned(), note: None })
    }

    /// Begins an upload that takes a while, and notes where it goes on.
    pub(crate) async fn begin_noted(&self, key: &str) -> Result<Upload> {
        let mut upload = self.begin(key).await?;
        let name = note_name(key);
        let url = format!(
            "{}/upload/storage/v1/b/{}/o?uploadType=media&name={}",
            self.endpoint,
            self.name,
            in_query(&self.object(&name))
        );
        let request = Request::post(url)
            .header(CONTENT_TYPE, "text/plain")
            .header(CONTENT_LENGTH, upload.address.len());
        let body = Buffer::from(upload.address.clone());
        if let Err(error) = self.requests.ask(built(request, body)?).await {
            drop(self.give_up(&upload).await);
            return Err(error.context("where the upload goes on could not be noted"));
        }
        upload.note = Some(name);
        Ok(upload)
    }

    /// Gives up what a note is about, if that has not ended.
    pub(crate) async fn give_up_noted(&self, note: &str) -> Result<()> {
        let request = Request::get(format!("{}?alt=media", self.object_url(note)));
        let address = match self.requests.ask(built(request, Buffer::new())?).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => return Ok(()),
            answer => String::from_utf8_lossy(answer?.body()).into_owned(),
        };
        if check_endpoint("note", Some(&address)).is_err() {
            return Ok(());
        }
        self.end(&address).await
    }

    fn object_url(&self, key: &str) -> String {
        format!("{}/storage/v1/b/{}/o/{}", self.endpoint, self.name, in_query(&self.object(key)))
    }

    /// Sends a chunk that begins at `offset`; with the object's size it is the last one, and makes the object.
    pub(crate) async fn send(
        &self,
        upload: &Upload,
        mut offset: u64,
        chunk: Vec<Bytes>,
        size: Option<u64>,
    ) -> Result<Option<ObjectMeta>> {
        let mut rest = Buffer::from(chunk);
        let end = offset + rest.len() as u64;
        let mut failures = Failures::default();
        loop {
            let state = match self.put(upload, offset, rest.clone(), size).await {
                Err(error) if failures.another(self.patience, &error).await => {
                    match self.ask(upload, size).await {
                        Err(error) if error.retry => continue,
                        state => state?,
                    }
                }
                state => state?,
            };
            match (state, size) {
                (State::Finished(meta), Some(size)) if meta.size == size => return Ok(Some(meta)),
                (State::Has(has), None) if has == end => return Ok(None),
                // it may take less than was sent
                (State::Has(has), _) if offset < has && has < end => {
                    let taken = usize::try_from(has - offset)
                        .map_err(|error| PluginError::unexpected(error.to_string()))?;
                    rest = rest.slice(taken..);
                    offset = has;
                }
                (State::Has(has), _) if has == offset => {
                    let error = PluginError::unavailable("the store took nothing of a chunk");
                    if !failures.another(self.patience, &error).await {
                        return Err(error);
                    }
                }
                _ => return Err(PluginError::unexpected("the store has lost count of an upload")),
            }
        }
    }

    /// Gives an upload up, so that nothing of it is kept.
    pub(crate) async fn give_up(&self, upload: &Upload) -> Result<()> {
        self.end(&upload.address).await?;
        self.forget(upload).await
    }

    /// Removes the note of an upload that has ended.
    pub(crate) async fn forget(&self, upload: &Upload) -> Result<()> {
        let Some(note) = &upload.note else { return Ok(()) };
        let request = Request::delete(self.object_url(note)).header(CONTENT_LENGTH, 0);
        match self.requests.ask(built(request, Buffer::new())?).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn end(&self, address: &str) -> Result<()> {
        let request = Request::delete(address).header(CONTENT_LENGTH, 0);
        let answer = self.once(built(request, Buffer::new())?, self.patience.question).await?;
        match answer.status() {
            status if status.is_success() || status == GIVEN_UP => Ok(()),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
            _ => Err(refused(&answer)),
        }
    }

    async fn put(
        &self,
        upload: &Upload,
        offset: u64,
        chunk: Buffer,
        size: Option<u64>,
    ) -> Result<State> {
        let length = chunk.len() as u64;
        let mut request = Request::put(&upload.address).header(CONTENT_LENGTH, length);
        // an empty object has no first byte and no last one
        if let Some(last) = (offset + length).checked_sub(1) {
            request = request.header(CONTENT_RANGE, format!("bytes {offset}-{last}/{}", of(size)));
        }
        state(&self.once(built(request, chunk)?, self.patience.transfer).await?)
    }

    /// Asks how far an upload has come.
    async fn ask(&self, upload: &Upload, size: Option<u64>) -> Result<State> {
        let request = Request::put(&upload.address)
            .header(CONTENT_LENGTH, 0)
            .header(CONTENT_RANGE, format!("bytes */{}", of(size)));
        state(&self.once(built(request, Buffer::new())?, self.patience.question).await?)
    }

    async fn once(
        &self,
        request: Request<Buffer>,
        patience: std::time::Duration,
    ) -> Result<Response<Vec<u8>>> {
        self.requests.send_as_it_is(request, patience).await
    }
}

#[async_trait]
impl CheckStore for Bucket {
    /// Lists one object at most: what OpenDAL has for this would do with an object that is not there.
    async fn check(&self) -> Result<()> {
        let url = format!("{}/storage/v1/b/{}/o?maxResults=1", self.endpoint, self.name);
        let answer = self.requests.ask(built(Request::get(url), Buffer::new())?).await;
        answer.map(drop).map_err(|error| match error.kind {
            PluginErrorKind::NotFound => PluginError::invalid_config(format!(
                "{}; create the bucket, or correct bucket",
                error.message
            )),
            _ => error,
        })
    }
}

fn json(value: &impl Serialize) -> Result<Buffer> {
    let text = serde_json::to_vec(value);
    Ok(text.map_err(|error| PluginError::unexpected(error.to_string()))?.into())
}

fn of(size: Option<u64>) -> String {
    size.map_or_else(|| "*".to_owned(), |size| size.to_string())
}

fn state(answer: &Response<Vec<u8>>) -> Result<State> {
    match answer.status() {
        StatusCode::PERMANENT_REDIRECT => {
            let range = answer.headers().get(RANGE).and_then(|value| value.to_str().ok());
            // without one it has nothing
            let Some(range) = range else { return Ok(State::Has(0)) };
            let last = range.rsplit_once('-').and_then(|(_, last)| last.parse::<u64>().ok());
            let last = last.ok_or_else(|| {
                PluginError::unexpected(format!(
                    "{range:?} does not say how far an upload has come"
                ))
            })?;
            Ok(State::Has(last.saturating_add(1)))
        }
        status if status.is_success() => {
            let object: Object = read_json("an object", answer.body())?;
            let size = object
                .size
                .parse::<u64>()
                .map_err(|error| PluginError::unexpected(error.to_string()))?;
            Ok(State::Finished(
                ObjectMeta::of_size(size)
                    .modified(object.updated.as_deref().and_then(moment))
                    .etag(object.etag),
            ))
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Err(PluginError::unexpected("the store has given the upload up: send the file again"))
        }
        _ => Err(refused(answer)),
    }
}

fn moment(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc3339(text).ok().map(SystemTime::from)
}
