//! How often a box was fetched, and its badge.

use boxvault_types::{
    params::boxes::VersionStatus,
    views::{Envelope, boxes::BoxDownloadsView},
};
use salvo::{
    Request, Response, Writer as _, handler,
    http::{
        HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH,
        },
    },
};
use serde_json::Value;

use crate::{
    app::{access, badges::Badge},
    error::{AppError, Result},
    http::{boxed, call::Call, etag, extract, reply::Reply},
    language::Language,
};

/// Reads how often a box was fetched: all in all, by version, by day.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/downloads",
    tag = "Box Management",
    responses(
        (status = 200, description = "The counts.", body = Envelope<BoxDownloadsView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_box_downloads(call: Call) -> Result<Reply<BoxDownloadsView>> {
    let all = access::sees_unreleased(&call.policy, &call.identity, &call.target);
    let status = (!all).then_some(VersionStatus::Released);
    let counts = call.app.box_downloads(call.target.vagrant_box()?, status).await?;
    Ok(Reply::ok(format!("{} downloads", counts.download_count), counts))
}

/// Reads the badge of a public box. A private one has none, whoever asks: badges stand in other people's pages.
#[utoipa::path(
    get,
    path = "/badge/{organization}/{badge}",
    tag = "Box Management",
    params(
        ("show" = Option<String>, Query, description = "`version` (the newest one that is released) or `downloads`."),
    ),
    responses(
        (status = 200, description = "The badge.", body = String, content_type = "image/svg+xml"),
        (status = 304, description = "As `If-None-Match` says."),
    ),
    extensions(("x-error-codes" = json!(["PATH_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_badge(req: &mut Request, res: &mut Response, call: Call) -> Result<()> {
    let found = call.target.vagrant_box()?;
    if !found.vagrant_box.is_public {
        return Err(extract::not_found(&call.target.resource));
    }
    let badge = match req.queries().get("show").map(String::as_str) {
        None | Some("" | "version") => Badge::Version,
        Some("downloads") => Badge::Downloads,
        Some(other) => {
            return Err(AppError::invalid(
                "show",
                format!("must be version or downloads, not {other:?}"),
            ));
        }
    };
    let svg = call.app.badge(found, badge).await?;
    let tag = etag::of(svg.as_bytes(), &Value::Null, Language::ENGLISH);
    let known = req.headers().get(IF_NONE_MATCH).is_some_and(|known| etag::matches(known, &tag));
    let headers = res.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    if known {
        res.status_code(StatusCode::NOT_MODIFIED);
        return Ok(());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    headers
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(CONTENT_LENGTH, svg.len().into());
    res.status_code(StatusCode::OK);
    if req.method() != Method::HEAD {
        res.body(svg);
    }
    Ok(())
}
