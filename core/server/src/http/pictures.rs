//! An uploaded picture as an answer, so that whatever a browser might take it for, it does nothing.

use boxvault_types::digest::Digest;
use salvo::{
    Request, Response,
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH,
        },
    },
};

use super::etag;
use crate::error::{AppError, Result};

/// It loads nothing, runs nothing, and is framed by nobody.
const POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";
/// Other sites neither show it as theirs nor learn by it who is signed in here.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A picture to answer with.
pub(super) struct Picture {
    /// `image/png`, …; one that the server found out.
    pub(super) media_type: String,
    /// Its bytes.
    pub(super) content: Vec<u8>,
    /// Their SHA-256.
    pub(super) digest: Digest,
    /// Who may keep it, and for how long.
    pub(super) cache: &'static str,
}

/// Answers with a picture, or says that the caller has it already.
pub(super) fn serve(req: &Request, res: &mut Response, picture: Picture) -> Result<()> {
    let tag = tag_of(&picture.digest)?;
    let known = req.headers().get(IF_NONE_MATCH).is_some_and(|known| etag::matches(known, &tag));
    let kind = HeaderValue::from_str(&picture.media_type).map_err(AppError::internal)?;
    let headers = res.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(picture.cache));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if known {
        res.status_code(StatusCode::NOT_MODIFIED);
        return Ok(());
    }
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, picture.content.len().into());
    res.status_code(StatusCode::OK);
    if req.method() != Method::HEAD {
        res.body(picture.content);
    }
    Ok(())
}

fn tag_of(digest: &Digest) -> Result<HeaderValue> {
    HeaderValue::from_str(&format!("\"{digest}\"")).map_err(AppError::internal)
}
