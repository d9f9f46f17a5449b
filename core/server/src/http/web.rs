//! The web pages, the API document and its interactive page: files from the program itself.

use std::sync::Arc;

use boxvault_types::error::ErrorCode;
use boxvault_web::Asset;
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, Writer, async_trait, handler,
    http::{
        HeaderValue, Method, StatusCode,
        header::{
            ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, VARY,
        },
    },
};
use utoipa_swagger_ui::Config;

use super::etag;
use crate::error::{AppError, Result};
use crate::http::boxed;

/// Swagger UI sets styles from its script, so its page alone may have them.
const SWAGGER_POLICY: &str = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
     img-src 'self' data:; object-src 'none'; style-src 'self' 'unsafe-inline'";

/// What the server answers itself, whoever asks: no page is there, also for browsers.
const SERVER_SEGMENTS: &[&str] = &[
    "api",
    "api-docs",
    "assets",
    "badge",
    "favicon.ico",
    "health",
    "metrics",
    "robots.txt",
    "scim",
];

/// Gives browsers that go to a path for people the page, before anybody asks for credentials: the page holds nothing, and
/// what it shows it asks for as any client does.
pub(super) struct Pages;

#[async_trait]
impl Handler for Pages {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let reads = matches!(*req.method(), Method::GET | Method::HEAD);
        if !reads || !wants_page(req) || !is_for_people(req.uri().path()) {
            return;
        }
        ctrl.skip_rest();
        if let Err(error) = page(req, res) {
            error.write(req, depot, res).await;
        }
    }
}

/// Where links in messages lead, whatever is asked for there.
#[handler]
#[boxed]
pub(super) async fn read_page(req: &mut Request, res: &mut Response) -> Result<()> {
    page(req, res)
}

/// `/assets/…`
#[handler]
#[boxed]
pub(super) async fn read_asset(req: &mut Request, res: &mut Response) -> Result<()> {
    let path = req.uri().path().trim_start_matches('/').to_owned();
    res.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    send(boxvault_web::asset(&path, |encoding| accepts(req, encoding)), req, res)
}

/// A page may stand at a path that it shares with a catalogue: caches must tell the two apart.
fn page(req: &Request, res: &mut Response) -> Result<()> {
    let path = req.uri().path().trim_matches('/');
    res.headers_mut()
        .insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding, Authorization"));
    send(boxvault_web::page(path, |encoding| accepts(req, encoding)), req, res)
}

/// A browser names `text/html` first; clients name JSON, or anything.
fn wants_page(req: &Request) -> bool {
    let accept = header(req, &ACCEPT);
    accept.split(',').next().is_some_and(|first| first.trim().starts_with("text/html"))
}

/// Whether a browser gets the page at a path. A released file lies below the path of its box.
fn is_for_people(path: &str) -> bool {
    let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        [_, "boxes", _, "versions", _, "providers", ..] => false,
        [first, ..] => !SERVER_SEGMENTS.contains(first),
        [] => true,
    }
}

/// Whether the client takes an answer that is packed this way. One that says nothing of it does not.
fn accepts(req: &Request, encoding: &str) -> bool {
    header(req, &ACCEPT_ENCODING).split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let refused =
            matches!(weight.trim().strip_prefix("q="), Some("0" | "0.0" | "0.00" | "0.000"));
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

fn header<'a>(req: &'a Request, name: &HeaderName) -> &'a str {
    req.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn send(asset: Option<Asset>, req: &Request, res: &mut Response) -> Result<()> {
    let asset = asset
        .ok_or_else(|| AppError::new(ErrorCode::PathNotFound, "there is nothing at this path"))?;
    let tag = HeaderValue::from_str(&asset.etag).map_err(AppError::internal)?;
    let headers = res.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(asset.cache));
    headers.insert(ETAG, tag.clone());
    if req.headers().get(IF_NONE_MATCH).is_some_and(|known| etag::matches(known, &tag)) {
        res.status_code(StatusCode::NOT_MODIFIED);
        return Ok(());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    if let Some(encoding) = asset.encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    res.status_code(StatusCode::OK);
    res.body(asset.bytes.into_owned());
    Ok(())
}

/// The API document, rendered once.
#[derive(Clone)]
pub(super) struct Document(pub(super) bytes::Bytes);

#[async_trait]
impl Handler for Document {
    async fn handle(&self, _: &mut Request, _: &mut Depot, res: &mut Response, _: &mut FlowCtrl) {
        res.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        res.status_code(StatusCode::OK);
        res.body(self.0.clone());
    }
}

/// The interactive page over the document.
#[derive(Clone)]
pub(super) struct Swagger(pub(super) Arc<Config<'static>>);

#[async_trait]
impl Handler for Swagger {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        _: &mut FlowCtrl,
    ) {
        let path = req.param::<String>("path").unwrap_or_default();
        let found =
            utoipa_swagger_ui::serve(&path, Arc::clone(&self.0)).map_err(|error| error.to_string());
        match found {
            Ok(Some(file)) => {
                let headers = res.headers_mut();
                if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
                    headers.insert(CONTENT_TYPE, kind);
                }
                headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SWAGGER_POLICY));
                res.status_code(StatusCode::OK);
                res.body(file.bytes.into_owned());
            }
            Ok(None) => {
                let error = AppError::new(ErrorCode::PathNotFound, "there is nothing at this path");
                error.write(req, depot, res).await;
            }
            Err(error) => AppError::internal(error).write(req, depot, res).await,
        }
    }
}
