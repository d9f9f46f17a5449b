//! Multipart uploads that were begun and not ended.
//!
//! S3 keeps the parts until somebody completes or aborts the upload, and shows them in no listing of objects. OpenDAL
//! has no words for them, so the two requests are made here.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use boxvault_plugin_sdk::{
    ObjectEntry, PluginError, PluginErrorKind, Result,
    serde::{Deserialize, de::DeserializeOwned},
};
use boxvault_storage_opendal::{Buffer, HttpTransporter, answered, from_opendal};
use chrono::DateTime;
use http::{Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::Signer;
use tokio::time::timeout;

use crate::{
    Config,
    credentials::{self, Credentials},
};

/// Left as they are in a path, whose slashes stay too; in a query they do not.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const QUERY: &AsciiSet = &PATH.add(b'/');

/// The unfinished uploads of a bucket, below the store's own prefix.
#[derive(Debug)]
pub(crate) struct Uploads {
    transport: HttpTransporter,
    signer: Signer<Credential>,
    /// The bucket's URL, without a slash at its end.
    bucket_url: String,
    /// What all keys begin with: nothing, or a text with a slash at its end.
    root: String,
    timeout: Duration,
}

/// One page of the store's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default, rename_all = "PascalCase")]
struct Page {
    is_truncated: bool,
    next_key_marker: String,
    next_upload_id_marker: String,
    upload: Vec<Upload>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", rename_all = "PascalCase")]
struct Upload {
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    #[serde(default)]
    initiated: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(crate = "boxvault_plugin_sdk::serde", default, rename_all = "PascalCase")]
struct Refusal {
    code: String,
    message: String,
}

impl Uploads {
    pub(crate) fn new(
        config: &Config,
        transport: HttpTransporter,
        credentials: Credentials,
    ) -> Self {
        let context = credentials::context(transport.clone());
        let signer = Signer::new(context, credentials, RequestSigner::new("s3", &config.region));
        let endpoint = config.endpoint();
        let bucket_url = match endpoint.split_once("://") {
            Some((scheme, host)) if config.virtual_host_style() => {
                format!("{scheme}://{}.{host}", config.bucket)
            }
            _ => format!("{endpoint}/{}", config.bucket),
        };
        let root = match config.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let timeout = Duration::from_secs(config.request_timeout_s);
        Self { transport, signer, bucket_url, root, timeout }
    }

    /// The keys under a prefix that uploads were begun for, those after `after` in their order.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let limit = limit as usize;
        let mut begun: BTreeMap<String, Option<SystemTime>> = BTreeMap::new();
        // One key more than asked for: then all uploads of the others were seen.
        let (mut key_marker, mut id_marker) = (after.to_owned(), String::new());
        while begun.len() <= limit {
            let page = self.page(prefix, &key_marker, &id_marker).await?;
            for upload in page.upload {
                let Some(key) = upload.key.strip_prefix(&self.root) else { continue };
                // some servers take no notice of prefix and marker
                if key.starts_with(prefix) && key > after {
                    let at = moment(&upload.initiated);
                    let last = begun.entry(key.to_owned()).or_insert(at);
                    *last = (*last).max(at);
                }
            }
            if !page.is_truncated || page.next_key_marker.is_empty() {
                break;
            }
            let next = page.next_key_marker.strip_prefix(&self.root).unwrap_or_default().to_owned();
            (key_marker, id_marker) = (next, page.next_upload_id_marker);
        }
        let rows = begun.into_iter().take(limit);
        Ok(rows.map(|(key, modified)| ObjectEntry { key, size: 0, modified }).collect())
    }

    /// Aborts all uploads of one key.
    pub(crate) async fn abort(&self, key: &str) -> Result<()> {
        let full = format!("{}{key}", self.root);
        let (mut key_marker, mut id_marker) = (String::new(), String::new());
        loop {
            let page = self.page(key, &key_marker, &id_marker).await?;
            for upload in page.upload.iter().filter(|upload| upload.key == full) {
                let path = utf8_percent_encode(&full, PATH);
                let url = format!(
                    "{}/{path}?uploadId={}",
                    self.bucket_url,
                    utf8_percent_encode(&upload.id, QUERY)
                );
                match self.send(Method::DELETE, &url).await {
                    // it ended by itself
                    Err(error) if error.kind == PluginErrorKind::NotFound => {}
                    answer => drop(answer?),
                }
            }
            if !page.is_truncated || page.next_key_marker != full {
                return Ok(());
            }
            (key_marker, id_marker) = (key.to_owned(), page.next_upload_id_marker);
        }
    }

    async fn page(&self, prefix: &str, key_marker: &str, id_marker: &str) -> Result<Page> {
        let mut query = vec![("prefix", format!("{}{prefix}", self.root))];
        if !key_marker.is_empty() {
            query.push(("key-marker", format!("{}{key_marker}", self.root)));
        }
        if !id_marker.is_empty() {
            query.push(("upload-id-marker", id_marker.to_owned()));
        }
        let pair = |(name, value): &(&str, String)| {
            format!("{name}={}", utf8_percent_encode(value, QUERY))
        };
        let query = query.iter().map(pair).collect::<Vec<_>>().join("&");
        let url = format!("{}/?uploads=&{query}", self.bucket_url);
        let answer = self.send(Method::GET, &url).await?;
        xml(&answer).map_err(|error| {
            PluginError::unexpected(format!(
                "the list of unfinished uploads cannot be read: {error}"
            ))
        })
    }

    /// Sends a signed request without a body; gives what a good answer holds.
    async fn send(&self, method: Method, url: &str) -> Result<Vec<u8>> {
        let request = Request::builder().method(method).uri(url).body(());
        let (mut head, ()) = request
            .map_err(|error| PluginError::invalid_config(format!("endpoint: {error}")))?
            .into_parts();
        self.signer.sign(&mut head, None).await.map_err(|error| {
            PluginError::new(PluginErrorKind::PermissionDenied, format!("no signature: {error}"))
        })?;
        let sent = self.transport.send(Request::from_parts(head, Buffer::new()));
        let answer = timeout(self.timeout, sent)
            .await
            .map_err(|_| PluginError::unavailable(format!("no answer within {:?}", self.timeout)))?
            .map_err(from_opendal)?;
        let (status, body) = (answer.status(), answer.into_body().to_vec());
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
    }
}

fn refused(status: StatusCode, body: &[u8]) -> PluginError {
    let kind = match status {
        StatusCode::NOT_FOUND => PluginErrorKind::NotFound,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => PluginErrorKind::PermissionDenied,
        StatusCode::TOO_MANY_REQUESTS => PluginErrorKind::Unavailable,
        status if status.is_server_error() => PluginErrorKind::Unavailable,
        _ => PluginErrorKind::Unexpected,
    };
    match xml::<Refusal>(body) {
        Ok(Refusal { code, message }) if !code.is_empty() => answered(kind, &code, &message),
        _ => PluginError::new(kind, format!("the store answers {status}")),
    }
}

fn xml<T: DeserializeOwned>(body: &[u8]) -> Result<T, quick_xml::DeError> {
    quick_xml::de::from_reader(body)
}

fn moment(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc3339(text).ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_with_all_its_uploads_also_when_there_are_none() {
        let page: Page = xml(
            br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Bucket>b</Bucket><KeyMarker/><NextKeyMarker>a/2</NextKeyMarker>
              <NextUploadIdMarker>I2</NextUploadIdMarker><IsTruncated>true</IsTruncated>
              <Upload><Key>a/1</Key><UploadId>I1</UploadId><Initiated>2026-11-30T01:02:03.000Z</Initiated></Upload>
              <Upload><Key>a/2</Key><UploadId>I2</UploadId></Upload>
            </ListMultipartUploadsResult>"#,
        )
        .unwrap();
        let found: Vec<_> =
            page.upload.iter().map(|one| (one.key.as_str(), one.id.as_str())).collect();
        assert_eq!(found, [("a/1", "I1"), ("a/2", "I2")]);
        assert!(page.is_truncated);
        assert_eq!(
            (page.next_key_marker.as_str(), page.next_upload_id_marker.as_str()),
            ("a/2", "I2")
        );
        assert!(moment(&page.upload[0].initiated) > moment("2026-11-30T01:02:02Z"));
        assert_eq!(moment(&page.upload[1].initiated), None);
        let empty: Page =
            xml(b"<ListMultipartUploadsResult></ListMultipartUploadsResult>").unwrap();
        assert!(empty.upload.is_empty() && !empty.is_truncated);
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_store() {
        let body = b"<Error><Code>RequestTimeTooSkewed</Code><Message>Too far.</Message></Error>";
        let error = refused(StatusCode::FORBIDDEN, body);
        assert_eq!(error.kind, PluginErrorKind::PermissionDenied);
        assert!(error.message.contains("set this machine's clock"), "{error}");
        let error = refused(StatusCode::BAD_GATEWAY, b"<html>");
        assert!(error.retry && error.message.contains("502"), "{error}");
    }
}
