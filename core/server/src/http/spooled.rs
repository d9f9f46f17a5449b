//! A file of a mirror as an answer, while it comes from its upstream.
//!
//! As [`super::files`] answers with what is here, as far as that is known: the length where the upstream tells it, the
//! entity tag where it tells the SHA-256, and ranges where both are known.

use std::sync::Arc;

use boxvault_transfer::RangeRequest;
use boxvault_types::{digest::Digest, error::ErrorCode};
use data_encoding::BASE64;
use salvo::{
    Request, Response,
    http::{
        HeaderValue, Method, StatusCode,
        header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG},
    },
};

use super::{
    call::Call,
    error::Dialect,
    files::{self, BOX_TYPE, Precondition, REPR_DIGEST},
};
use crate::{
    app::{
        download_links::LinkGrant,
        downloads::{Audience, Path},
        mirrors::{Fetch, Fetched, Haste, digest_of},
    },
    error::{AppError, Result},
};

/// What is asked for.
pub(super) struct Wanted<'a> {
    pub(super) path: Path<'a>,
    pub(super) audience: Audience,
    pub(super) link: Option<&'a LinkGrant>,
    pub(super) file_name: &'a str,
    pub(super) dialect: Dialect,
}

/// Answers with a file: one that is here, or one that a mirror's upstream has.
///
/// # Errors
/// As [`files::serve`]; `UPSTREAM_UNAVAILABLE`, and what a file that comes is refused for.
pub(super) async fn serve(
    call: &Call,
    req: &Request,
    res: &mut Response,
    wanted: Wanted<'_>,
) -> Result<()> {
    let Wanted { path, audience, link, file_name, dialect } = wanted;
    let missing = match call.app.open_download(path, audience, link).await {
        Ok(download) => {
            return files::serve(&call.app, req, res, download, file_name, dialect).await;
        }
        Err(error) if error.code() == ErrorCode::FileNotFound && link.is_none() => error,
        Err(error) => return Err(error),
    };
    let Some(found) = call.target.vagrant_box.as_ref() else { return Err(missing) };
    let slot = (path.version, path.provider, path.architecture);
    let Some(offered) = call.app.offered_file(found, slot).await? else { return Err(missing) };
    if req.method() == Method::HEAD {
        // a look brings nothing here
        describe(res, file_name, digest_of(&offered))?;
        res.status_code(StatusCode::OK);
        return Ok(());
    }
    match call.app.fetch(found, path.version, offered, Haste::Now).await? {
        Fetched::Coming(fetch) => send(call, req, res, &fetch, file_name).await,
        Fetched::Here => {
            let download = call.app.open_download(path, audience, link).await?;
            files::serve(&call.app, req, res, download, file_name, dialect).await
        }
    }
}

async fn send(
    call: &Call,
    req: &Request,
    res: &mut Response,
    fetch: &Arc<Fetch>,
    file_name: &str,
) -> Result<()> {
    let length = fetch.opened().await?;
    let tag = describe(res, file_name, fetch.digest)?;
    if let Some(tag) = &tag {
        match files::precondition(req.headers(), tag) {
            Precondition::Failed => return Err(files::other_file()),
            Precondition::NotModified => {
                res.headers_mut().remove(CONTENT_TYPE);
                res.status_code(StatusCode::NOT_MODIFIED);
                return Ok(());
            }
            Precondition::Send => {}
        }
    }
    let range = match (&tag, length) {
        (Some(tag), Some(size)) => files::wanted_range(req, tag, size),
        _ => RangeRequest::Whole,
    };
    let (range, is_begun) = match (range, length) {
        (RangeRequest::Single(range), Some(size)) => {
            files::set_length(&call.app, res, range.end - range.start);
            files::set_partial(res, range.start, range.end, size)?;
            let is_begun = files::is_begun(&RangeRequest::Single(range.clone()), size);
            (range, is_begun)
        }
        // one that lies outside is answered with the whole file: to some clients 416 is the end for a day
        (_, Some(size)) => {
            files::set_length(&call.app, res, size);
            res.status_code(StatusCode::OK);
            (0..size, true)
        }
        (_, None) => {
            res.status_code(StatusCode::OK);
            (0..u64::MAX, true)
        }
    };
    if is_begun {
        call.app.downloads.note(fetch.artifact);
    }
    res.stream(fetch.follow(range));
    Ok(())
}

/// The headers of a file that may not have come yet. Tells its entity tag, where there is one.
fn describe(
    res: &mut Response,
    file_name: &str,
    digest: Option<Digest>,
) -> Result<Option<HeaderValue>> {
    let value = |text: String| HeaderValue::from_str(&text).map_err(AppError::internal);
    let headers = res.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(BOX_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache, no-transform"));
    headers.insert(CONTENT_DISPOSITION, value(format!("attachment; filename=\"{file_name}\""))?);
    let Some(digest) = digest else { return Ok(None) };
    let tag = value(format!("\"{digest}\""))?;
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ETAG, tag.clone());
    headers.insert(REPR_DIGEST, value(format!("sha-256=:{}:", BASE64.encode(&digest.0)))?);
    Ok(Some(tag))
}
