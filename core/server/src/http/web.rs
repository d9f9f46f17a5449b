//! The web page, the API document and its interactive page: files from the program itself.

use std::sync::Arc;

use boxvault_types::error::ErrorCode;
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, Writer, async_trait, handler,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY},
    },
};
use utoipa_swagger_ui::Config;

use super::etag;
use crate::error::{AppError, Result};
use crate::http::boxed;

/// Swagger UI sets styles from its script, so its page alone may have them.
const SWAGGER_POLICY: &str = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
     img-src 'self' data:; object-src 'none'; style-src 'self' 'unsafe-inline'";

/// The start page, at a path that it shares with a catalogue: caches must tell the two apart.
pub(super) fn page(res: &mut Response) -> Result<()> {
    res.headers_mut().insert(VARY, HeaderValue::from_static("Accept, Authorization"));
    send("", None, res)
}

/// `/`, `/assets/…`, and where links in messages lead.
#[handler]
#[boxed]
pub(super) async fn read_page(req: &mut Request, res: &mut Response) -> Result<()> {
    let path = req.uri().path().trim_start_matches('/').to_owned();
    let known = req.headers().get(IF_NONE_MATCH).cloned();
    send(&path, known.as_ref(), res)
}

fn send(path: &str, known: Option<&HeaderValue>, res: &mut Response) -> Result<()> {
    let asset = boxvault_web::asset(path)
        .ok_or_else(|| AppError::new(ErrorCode::PathNotFound, "there is nothing at this path"))?;
    let tag = HeaderValue::from_str(&asset.etag).map_err(AppError::internal)?;
    let headers = res.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(asset.cache));
    headers.insert(ETAG, tag.clone());
    if known.is_some_and(|known| etag::matches(known, &tag)) {
        res.status_code(StatusCode::NOT_MODIFIED);
        return Ok(());
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
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
