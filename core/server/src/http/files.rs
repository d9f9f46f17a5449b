//! A file as an answer: ranges, preconditions, entity tag, by the shortest way (RFC 9110, sections 13 and 14).

use std::ops::Range;

use boxvault_plugin_sdk::{ByteRange, ObjectReader, PluginError};
use boxvault_transfer::{Delivery, FileBody, RangeRequest};
use boxvault_types::error::ErrorCode;
use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::{Stream, stream};
use salvo::{
    Request, Response,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
            CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE,
        },
    },
};

use super::{error::Dialect, etag, redirects};
use crate::{
    app::{
        App,
        downloads::{Download, Source},
    },
    config::Transfer,
    error::{AppError, Result},
};

/// A box is never typed as JSON: Vagrant would take it for a catalogue.
pub(super) const BOX_TYPE: &str = "application/octet-stream";
/// Whoever asks for so little of the beginning looks whether ranges are answered, or what the file is.
const PROBE_BYTES_MAX: u64 = 16;
/// The digest of the whole representation (RFC 9530).
pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Answers with a file.
///
/// # Errors
/// `PRECONDITION_FAILED`; `RANGE_NOT_SATISFIABLE`, except to stock clients: 416 leaves Vagrant stuck for a day, so
/// they get the whole file.
pub(super) async fn serve(
    app: &App,
    req: &Request,
    res: &mut Response,
    download: Download,
    file_name: &str,
    dialect: Dialect,
) -> Result<()> {
    let size = download.size_bytes;
    let tag = HeaderValue::from_str(&format!("\"{}\"", download.stored.digest))
        .map_err(AppError::internal)?;
    match precondition(req.headers(), &tag) {
        Precondition::Failed => {
            return Err(other_file());
        }
        Precondition::NotModified => {
            describe(res.headers_mut(), &download, &tag, file_name)?;
            res.headers_mut().remove(CONTENT_TYPE);
            res.status_code(StatusCode::NOT_MODIFIED);
            return Ok(());
        }
        Precondition::Send => {}
    }
    let range = match wanted_range(req, &tag, size) {
        RangeRequest::Unsatisfiable if dialect == Dialect::Vagrant => RangeRequest::Whole,
        range => range,
    };
    if range == RangeRequest::Unsatisfiable {
        let value =
            HeaderValue::from_str(&format!("bytes */{size}")).map_err(AppError::internal)?;
        res.headers_mut().insert(CONTENT_RANGE, value);
        return Err(AppError::new(
            ErrorCode::RangeNotSatisfiable,
            format!("the file has {size} bytes; the range lies outside of it"),
        ));
    }
    describe(res.headers_mut(), &download, &tag, file_name)?;
    if req.method() == Method::HEAD {
        res.headers_mut().insert(CONTENT_LENGTH, size.into());
        res.status_code(StatusCode::OK);
        return Ok(());
    }
    if let Some(address) = address_in_store(app, req, &download, &range, file_name).await {
        return send_away(app, res, &download, &range, &address);
    }
    let range = match (&download.source, range) {
        // several parts of a remote object are more requests than they are worth
        (Source::Store(..), RangeRequest::Many(_)) => RangeRequest::Whole,
        (_, range) => range,
    };
    if is_begun(&range, size) {
        app.downloads.note(download.artifact);
    }
    match download.source {
        Source::Local(ref file) => {
            let delivery = Delivery::of(req.scheme(), req.version());
            send_local(app, res, file.clone(), delivery, range)
        }
        Source::Store(ref store, ref key) => {
            let (from, length) = match &range {
                RangeRequest::Single(range) => (range.start, range.end - range.start),
                _ => (0, size),
            };
            let reader = store.open_reader(key, ByteRange::new(from, length)).await?;
            set_length(app, res, length);
            if matches!(range, RangeRequest::Single(_)) {
                set_partial(res, from, from + length, size)?;
            }
            res.stream(chunks(reader));
            Ok(())
        }
    }
}

/// Where the store itself gives the file to whoever asks, if they are to be sent there.
async fn address_in_store(
    app: &App,
    req: &Request,
    download: &Download,
    range: &RangeRequest,
    file_name: &str,
) -> Option<String> {
    let Source::Store(store, key) = &download.source else { return None };
    let transfer = app.transfer(&download.stored.store);
    if transfer == Transfer::Proxy || !redirects::store_can_answer(req, range) {
        return None;
    }
    let address = app.download_address(store, key, &disposition(file_name), BOX_TYPE).await?;
    redirects::is_sent(transfer, req, &address).then_some(address)
}

fn disposition(file_name: &str) -> String {
    format!("attachment; filename=\"{file_name}\"")
}

/// What somebody reads who wanted another file.
pub(super) fn other_file() -> AppError {
    AppError::new(ErrorCode::PreconditionFailed, "the file is another one than If-Match names")
}

fn describe(
    headers: &mut HeaderMap,
    download: &Download,
    tag: &HeaderValue,
    file_name: &str,
) -> Result<()> {
    let value = |text: String| HeaderValue::from_str(&text).map_err(AppError::internal);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(BOX_TYPE));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ETAG, tag.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache, no-transform"));
    headers.insert(CONTENT_DISPOSITION, value(disposition(file_name))?);
    headers.insert(
        REPR_DIGEST,
        value(format!("sha-256=:{}:", BASE64.encode(&download.stored.digest.0)))?,
    );
    Ok(())
}

/// What the conditions of a request come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Precondition {
    Send,
    NotModified,
    Failed,
}

pub(super) fn precondition(headers: &HeaderMap, tag: &HeaderValue) -> Precondition {
    if headers.get(IF_MATCH).is_some_and(|wanted| !etag::matches(wanted, tag)) {
        return Precondition::Failed;
    }
    if headers.get(IF_NONE_MATCH).is_some_and(|known| etag::matches(known, tag)) {
        return Precondition::NotModified;
    }
    Precondition::Send
}

/// The range that a GET asks for; `If-Range` with another tag, or with a date, means the whole file.
pub(super) fn wanted_range(req: &Request, tag: &HeaderValue, size: u64) -> RangeRequest {
    let headers = req.headers();
    let stale = headers.get(IF_RANGE).is_some_and(|seen| seen != tag);
    if req.method() != Method::GET || stale {
        return RangeRequest::Whole;
    }
    RangeRequest::parse(headers.get(RANGE).and_then(|range| range.to_str().ok()), size)
}

/// Sends the client to the store, where its bytes are counted by nobody.
fn send_away(
    app: &App,
    res: &mut Response,
    download: &Download,
    range: &RangeRequest,
    address: &str,
) -> Result<()> {
    if is_begun(range, download.size_bytes) {
        app.downloads.note(download.artifact);
    }
    app.metrics.download_redirected();
    redirects::send(res, address)
}

/// Whether a download begins with this answer, and so counts: not when it is continued, and not when somebody only
/// looks whether there is something.
pub(super) fn is_begun(range: &RangeRequest, size: u64) -> bool {
    let begins =
        |part: &Range<u64>| part.start == 0 && (part.end > PROBE_BYTES_MAX || part.end == size);
    match range {
        RangeRequest::Single(part) => begins(part),
        RangeRequest::Many(parts) => parts.iter().any(begins),
        RangeRequest::Whole | RangeRequest::Unsatisfiable => true,
    }
}

fn send_local(
    app: &App,
    res: &mut Response,
    file: boxvault_transfer::LocalFile,
    delivery: Delivery,
    range: RangeRequest,
) -> Result<()> {
    let size = file.size_bytes();
    let body = match range {
        RangeRequest::Many(ranges) => {
            let boundary = uuid::Uuid::new_v4().simple().to_string();
            let parts = FileBody::multipart(file, delivery, &ranges, BOX_TYPE, &boundary)
                .map_err(AppError::internal)?;
            let kind = HeaderValue::from_str(&parts.content_type).map_err(AppError::internal)?;
            res.headers_mut().insert(CONTENT_TYPE, kind);
            set_length(app, res, parts.size_bytes);
            res.status_code(StatusCode::PARTIAL_CONTENT);
            parts.body
        }
        RangeRequest::Single(range) => {
            set_length(app, res, range.end - range.start);
            set_partial(res, range.start, range.end, size)?;
            FileBody::range(file, delivery, range).map_err(AppError::internal)?
        }
        _ => {
            set_length(app, res, size);
            res.status_code(StatusCode::OK);
            FileBody::whole(file, delivery)
        }
    };
    res.replace_body(body.into_res_body());
    Ok(())
}

pub(super) fn set_length(app: &App, res: &mut Response, length: u64) {
    app.metrics.download_started(length);
    res.headers_mut().insert(CONTENT_LENGTH, length.into());
}

pub(super) fn set_partial(res: &mut Response, start: u64, end: u64, size: u64) -> Result<()> {
    let value = HeaderValue::from_str(&format!("bytes {start}-{}/{size}", end.saturating_sub(1)))
        .map_err(AppError::internal)?;
    res.headers_mut().insert(CONTENT_RANGE, value);
    res.status_code(StatusCode::PARTIAL_CONTENT);
    Ok(())
}

fn chunks(
    reader: Box<dyn ObjectReader>,
) -> impl Stream<Item = std::result::Result<Bytes, PluginError>> + Send {
    stream::try_unfold(reader, |mut reader| async move {
        Ok(reader.next().await?.map(|chunk| (chunk, reader)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preconditions_are_told_apart() {
        let tag = HeaderValue::from_static("\"a\"");
        let with = |name: HeaderName, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            precondition(&headers, &tag)
        };
        assert_eq!(with(IF_MATCH, "\"b\""), Precondition::Failed);
        assert_eq!(with(IF_MATCH, "\"a\""), Precondition::Send);
        assert_eq!(with(IF_NONE_MATCH, "\"a\""), Precondition::NotModified);
        assert_eq!(with(IF_NONE_MATCH, "\"b\""), Precondition::Send);
    }
}
