//! What the page of a box shows: its texts as HTML, and its picture.

use boxvault_types::{
    digest::Digest,
    views::{
        Envelope, ErrorEnvelope, Nothing,
        boxes::{RenderedBoxView, RenderedVersionView},
    },
};
use salvo::{
    Request, Response, Writer as _, handler,
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH,
        },
    },
};

use crate::{
    error::{AppError, Result},
    http::{
        call::{Call, read_bounded},
        etag,
        extract::required,
        reply::Reply,
    },
};

/// Reads the description and README of a box as HTML that is safe in a page.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/rendered",
    tag = "Box Management",
    responses(
        (status = 200, description = "The texts.", body = Envelope<RenderedBoxView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
pub(crate) async fn read_rendered_box(call: Call) -> Result<Reply<RenderedBoxView>> {
    let found = &call.target.vagrant_box()?.vagrant_box;
    let rendered = call.app.render_box(&found.description, found.readme.as_deref()).await?;
    Ok(Reply::ok("texts rendered", rendered).tagged())
}

/// Reads the description and release notes of a version as HTML that is safe in a page.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/rendered",
    tag = "Box Management",
    responses(
        (status = 200, description = "The texts.", body = Envelope<RenderedVersionView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
pub(crate) async fn read_rendered_version(
    req: &mut Request,
    call: Call,
) -> Result<Reply<RenderedVersionView>> {
    let version = call.app.version(call.target.vagrant_box()?, &required(req, "version")?).await?;
    let rendered = call.app.render_version(&version.description, &version.release_notes).await?;
    Ok(Reply::ok("texts rendered", rendered).tagged())
}

/// Reads the picture of a box.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/artwork",
    tag = "Box Management",
    responses(
        (status = 200, description = "The picture.", content(
            (String = "image/png"),
            (String = "image/jpeg"),
            (String = "image/webp"),
        )),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
pub(crate) async fn read_artwork(req: &mut Request, res: &mut Response, call: Call) -> Result<()> {
    let found = call.target.vagrant_box()?;
    let (artwork, digest) = call.app.read_artwork(found).await?;
    let tag = tag_of(&digest)?;
    let known = req.headers().get(IF_NONE_MATCH).is_some_and(|known| etag::matches(known, &tag));
    let headers = res.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if known {
        res.status_code(StatusCode::NOT_MODIFIED);
        return Ok(());
    }
    let kind = HeaderValue::from_str(&artwork.media_type).map_err(AppError::internal)?;
    // whatever a browser might take it for, it runs nothing and is framed by nobody
    let policy = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");
    let name = format!("inline; filename=\"{}\"", found.vagrant_box.name);
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_str(&name).map_err(AppError::internal)?);
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CONTENT_LENGTH, artwork.content.len().into());
    res.status_code(StatusCode::OK);
    if req.method() != Method::HEAD {
        res.body(artwork.content);
    }
    Ok(())
}

/// Gives a box a picture: PNG, JPEG or WebP, as its bytes.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/artwork",
    tag = "Box Management",
    request_body(content = String, content_type = "application/octet-stream", description = "The picture."),
    responses(
        (status = 200, description = "The box has it.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names another picture.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn set_artwork(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let found = call.target.vagrant_box()?;
    hold(req, found.vagrant_box.artwork.as_ref())?;
    let limit = call.app.config.limits.artwork_bytes_max.bytes();
    let content = read_bounded(req, limit, "limits.artwork_bytes_max").await?;
    call.app.set_artwork(found, content).await?;
    Ok(Reply::ok("artwork stored", Nothing))
}

/// Takes the picture of a box away.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/artwork",
    tag = "Box Management",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names another picture.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn delete_artwork(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let found = call.target.vagrant_box()?;
    hold(req, found.vagrant_box.artwork.as_ref())?;
    call.app.delete_artwork(found).await?;
    Ok(Reply::ok("artwork deleted", Nothing))
}

/// Keeps other sites from showing a picture as theirs, and from learning by it who is signed in here.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

fn tag_of(digest: &Digest) -> Result<HeaderValue> {
    HeaderValue::from_str(&format!("\"{digest}\"")).map_err(AppError::internal)
}

/// Holds a write to the picture that the caller has seen, if they sent `If-Match`.
fn hold(req: &Request, present: Option<&Digest>) -> Result<()> {
    let Some(wanted) = req.headers().get(IF_MATCH) else { return Ok(()) };
    let held = match present {
        Some(digest) => etag::matches(wanted, &tag_of(digest)?),
        None => false,
    };
    if held { Ok(()) } else { Err(etag::stale()) }
}
