//! Multipart uploads that were begun and not ended.
//!
//! S3 keeps the parts until somebody completes or aborts the upload, and shows them in no listing of objects. OpenDAL
//! has no words for them, so the two requests are made here.

use std::{collections::BTreeMap, time::SystemTime};

use boxvault_plugin_sdk::{ObjectEntry, PluginErrorKind, Result, async_trait, serde::Deserialize};
use boxvault_storage_opendal::{
    Buffer, FindUnfinished, HttpTransporter, SignedRequests, built, folder, in_path, query,
    read_xml,
};
use chrono::DateTime;
use http::{Method, Request};
use reqsign_aws_v4::{Credential, RequestSigner};

use crate::{Config, credentials::Credentials};

/// The unfinished uploads of a bucket, below the store's own prefix.
#[derive(Debug)]
pub(crate) struct Uploads {
    pub(crate) requests: SignedRequests<Credential>,
    /// The bucket's URL, without a slash at its end.
    bucket_url: String,
    /// The same for clients.
    public_url: String,
    /// What all keys begin with: nothing, or a text with a slash at its end.
    root: String,
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

impl Uploads {
    pub(crate) fn new(
        config: &Config,
        transport: HttpTransporter,
        credentials: Credentials,
    ) -> Self {
        let signer = RequestSigner::new("s3", &config.region);
        let requests = SignedRequests::new(transport, credentials, signer, config.patience());
        let bucket_url = |endpoint: String| match endpoint.split_once("://") {
            Some((scheme, host)) if config.virtual_host_style() => {
                format!("{scheme}://{}.{host}", config.bucket)
            }
            _ => format!("{endpoint}/{}", config.bucket),
        };
        Self {
            requests,
            bucket_url: bucket_url(config.endpoint()),
            public_url: bucket_url(config.public_endpoint()),
            root: folder(&config.prefix),
        }
    }

    async fn page(&self, prefix: &str, key_marker: &str, id_marker: &str) -> Result<Page> {
        let (prefix, key) =
            (format!("{}{prefix}", self.root), format!("{}{key_marker}", self.root));
        let mut pairs = vec![("uploads", ""), ("prefix", &prefix)];
        if !key_marker.is_empty() {
            pairs.push(("key-marker", &key));
        }
        if !id_marker.is_empty() {
            pairs.push(("upload-id-marker", id_marker));
        }
        let url = format!("{}/?{}", self.bucket_url, query(&pairs));
        let answer = self.send(Method::GET, &url).await?;
        read_xml("the list of unfinished uploads", &answer)
    }

    /// Where an object is, with a query.
    pub(crate) fn url(&self, key: &str, pairs: &[(&str, &str)]) -> String {
        self.url_at(&self.bucket_url, key, pairs)
    }

    /// Where it is for clients.
    pub(crate) fn public_url(&self, key: &str, pairs: &[(&str, &str)]) -> String {
        self.url_at(&self.public_url, key, pairs)
    }

    fn url_at(&self, bucket_url: &str, key: &str, pairs: &[(&str, &str)]) -> String {
        let full = format!("{}{key}", self.root);
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("{bucket_url}/{}{mark}{}", in_path(&full), query(pairs))
    }

    /// Sends a signed request without a body; gives what a good answer holds.
    pub(crate) async fn send(&self, method: Method, url: &str) -> Result<Vec<u8>> {
        let request = Request::builder().method(method).uri(url);
        Ok(self.requests.ask(built(request, Buffer::new())?).await?.into_body())
    }
}

#[async_trait]
impl FindUnfinished for Uploads {
    async fn list(&self, prefix: &str, after: &str, limit: u32) -> Result<Vec<ObjectEntry>> {
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

    async fn abort(&self, key: &str) -> Result<()> {
        let full = format!("{}{key}", self.root);
        let (mut key_marker, mut id_marker) = (String::new(), String::new());
        loop {
            let page = self.page(key, &key_marker, &id_marker).await?;
            for upload in page.upload.iter().filter(|upload| upload.key == full) {
                let url = self.url(key, &[("uploadId", &upload.id)]);
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
}

fn moment(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc3339(text).ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_with_all_its_uploads_also_when_there_are_none() {
        let page: Page = read_xml(
            "the page",
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
            read_xml("the page", b"<ListMultipartUploadsResult></ListMultipartUploadsResult>")
                .unwrap();
        assert!(empty.upload.is_empty() && !empty.is_truncated);
    }
}
