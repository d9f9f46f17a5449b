//! What clients exchange with the store themselves: presigned addresses, and objects whose parts they send.
//!
//! An object that clients send is a multipart upload, also when it is a single part: its addresses name the upload, so
//! they are worth nothing once it is completed or aborted. The address of a plain PUT would let whoever has it replace
//! the object after it was looked at.

use std::{fmt::Write as _, sync::Arc};

use boxvault_plugin_sdk::{
    DirectWrite, ObjectMeta, PartOptions, PluginError, PluginErrorKind, PresignOptions, Result,
    StorageBackend as _, WriteOptions, async_trait, serde::Deserialize,
};
use boxvault_storage_opendal::{
    Buffer, OpendalBackend, Parts, SignAddresses, answered, built, read_xml,
};
use http::{
    Method, Request,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::{Config, Encryption, uploads::Uploads};

/// Clients send larger parts than we do, since they ask for an address for each.
const PART_BYTES: usize = 64 << 20;
/// How S3 spells an upload that it does not know.
const UNKNOWN: PluginErrorKind = PluginErrorKind::NotFound;

/// The addresses of one self.store.
#[derive(Debug)]
pub(crate) struct Direct {
    store: Arc<Uploads>,
    parts: Parts,
    /// What an upload is begun with.
    headers: Vec<(&'static str, String)>,
}

/// A begun upload.
#[derive(Debug, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "PascalCase")]
struct Begun {
    upload_id: String,
}

/// One page of the parts that came.
#[derive(Debug, Default, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default, rename_all = "PascalCase")]
struct PartsPage {
    is_truncated: bool,
    next_part_number_marker: String,
    part: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "PascalCase")]
struct Part {
    part_number: u32,
    #[serde(rename = "ETag")]
    etag: String,
}

/// What an upload was completed with: S3 may say OK first, and find an error then.
#[derive(Debug, Default, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default, rename_all = "PascalCase")]
struct Completed {
    code: String,
    message: String,
}

impl Direct {
    pub(crate) fn new(config: &Config, store: Arc<Uploads>) -> Self {
        let parts = config.parts();
        let mut headers = Vec::new();
        if let Some(class) = &config.storage_class {
            headers.push(("x-amz-storage-class", class.clone()));
        }
        if let Some(encryption) = config.server_side_encryption {
            let name = match encryption {
                Encryption::Aes256 => "AES256",
                Encryption::AwsKms => "aws:kms",
            };
            headers.push(("x-amz-server-side-encryption", name.to_owned()));
        }
        if let Some(key) = &config.kms_key_id {
            headers.push(("x-amz-server-side-encryption-aws-kms-key-id", key.clone()));
        }
        let parts = Parts { bytes: parts.bytes.max(PART_BYTES), ..parts };
        Self { store, parts, headers }
    }

    /// Makes an object of the parts that came. Nothing when the store does not know the upload: it was completed
    /// before, or aborted.
    async fn complete(&self, key: &str, token: &str) -> Result<Option<()>> {
        let Some(body) = known(self.arrived(key, token).await)? else { return Ok(None) };
        let request = Request::post(self.store.url(key, &[("uploadId", token)]))
            .header(CONTENT_TYPE, "application/xml")
            .header(CONTENT_LENGTH, body.len());
        let answer = self.store.requests.transfer(built(request, body.into())?).await;
        let Some(answer) = known(answer)? else { return Ok(None) };
        let Completed { code, message } = read_xml("a completed upload", answer.body())?;
        match code.as_str() {
            "" => Ok(Some(())),
            "NoSuchUpload" => Ok(None),
            code => Err(answered(PluginErrorKind::Unavailable, code, &message)),
        }
    }

    /// The parts that came, as the store wants to read them.
    async fn arrived(&self, key: &str, token: &str) -> Result<String> {
        let mut body = "<CompleteMultipartUpload>".to_owned();
        let (mut marker, mut count) = (String::new(), 0);
        loop {
            let mut query = vec![("uploadId", token)];
            if !marker.is_empty() {
                query.push(("part-number-marker", marker.as_str()));
            }
            let answer = self.store.send(Method::GET, &self.store.url(key, &query)).await?;
            let page: PartsPage = read_xml("the list of parts", &answer)?;
            for Part { part_number, etag } in &page.part {
                // quotes are what it has of what XML writes in another way
                let etag = etag.replace('"', "&quot;");
                let row = write!(
                    body,
                    "<Part><PartNumber>{part_number}</PartNumber><ETag>{etag}</ETag></Part>"
                );
                row.map_err(|error| PluginError::unexpected(error.to_string()))?;
                count += 1;
            }
            if !page.is_truncated || page.next_part_number_marker.is_empty() {
                break;
            }
            marker = page.next_part_number_marker;
        }
        if count == 0 {
            return Err(PluginError::not_found("no part of the object came"));
        }
        body.push_str("</CompleteMultipartUpload>");
        Ok(body)
    }
}

#[async_trait]
impl SignAddresses for Direct {
    async fn read(&self, key: &str, options: &PresignOptions) -> Result<String> {
        let mut query = Vec::new();
        if let Some(disposition) = &options.content_disposition {
            query.push(("response-content-disposition", disposition.as_str()));
        }
        if let Some(kind) = &options.content_type {
            query.push(("response-content-type", kind.as_str()));
        }
        let request = built(Request::get(self.store.public_url(key, &query)), ())?;
        self.store.requests.presign(request, options.expires_in).await
    }

    async fn begin(&self, key: &str, options: &WriteOptions) -> Result<DirectWrite> {
        let mut request = Request::post(self.store.url(key, &[("uploads", "")]));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let answer = self.store.requests.ask(built(request, Buffer::new())?);
        let begun: Begun = read_xml("a begun upload", answer.await?.body())?;
        let part_bytes = self.parts.bytes(options.size_hint) as u64;
        Ok(DirectWrite { token: begun.upload_id, part_bytes })
    }

    async fn part(&self, key: &str, token: &str, options: &PartOptions) -> Result<String> {
        if u64::from(options.number) > self.parts.count_max {
            let message = format!("S3 takes {} parts and no more", self.parts.count_max);
            return Err(PluginError::invalid_input(message));
        }
        let number = options.number.to_string();
        let url = self.store.public_url(key, &[("partNumber", &number), ("uploadId", token)]);
        let mut request = Request::put(url);
        if let Some(length) = options.length {
            request = request.header(CONTENT_LENGTH, length);
        }
        self.store.requests.presign(built(request, ())?, options.expires_in).await
    }

    async fn finish(&self, objects: &OpendalBackend, key: &str, token: &str) -> Result<ObjectMeta> {
        let completed = self.complete(key, token).await?;
        match objects.stat(key).await {
            // what was completed is there
            Err(error) if completed.is_some() && error.kind == PluginErrorKind::NotFound => {
                Err(error.with_retry(true))
            }
            found => found,
        }
    }
}

/// Takes what the store does not know for nothing.
fn known<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(error) if error.kind == UNKNOWN => Ok(None),
        answer => answer.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_says_of_parts_is_read() {
        let page: PartsPage = read_xml(
            "the page",
            br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Bucket>b</Bucket><NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>true</IsTruncated>
              <Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag><Size>5</Size></Part>
              <Part><PartNumber>2</PartNumber><ETag>"b"</ETag></Part>
            </ListPartsResult>"#,
        )
        .unwrap();
        let parts: Vec<_> =
            page.part.iter().map(|part| (part.part_number, part.etag.as_str())).collect();
        assert_eq!(parts, [(1, "\"a\""), (2, "\"b\"")]);
        assert!(page.is_truncated && page.next_part_number_marker == "2");
        let none: PartsPage = read_xml("none", b"<ListPartsResult></ListPartsResult>").unwrap();
        assert!(none.part.is_empty());
    }

    #[test]
    fn an_error_that_comes_after_ok_is_one() {
        let body = b"<Error><Code>InternalError</Code><Message>Again.</Message></Error>";
        let completed: Completed = read_xml("it", body).unwrap();
        assert_eq!(completed.code, "InternalError");
        let body = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";
        let completed: Completed = read_xml("it", body).unwrap();
        assert_eq!(completed.code, "");
    }
}
