//! What BoxVault says over HTTP: routes, hoops, extractors, answers. The only place that knows the web framework.

mod api;
mod call;
mod cloud;
mod credentials;
mod error;
mod etag;
mod examples;
mod extract;
mod failures;
mod files;
mod hoops;
mod language;
mod openapi;
mod pictures;
mod redirects;
mod reply;
mod router;
mod routes;
mod shared_app;
mod spooled;
#[cfg(test)]
mod tests;
mod vagrant;
mod web;

use std::sync::Arc;

use bytes::Bytes;
use salvo::{
    Handler, Router, Service,
    cors::{AllowHeaders, AllowMethods, AllowOrigin, Cors, ExposeHeaders, MaxAge},
    http::Method,
};
use utoipa::openapi::OpenApi;

use crate::app::App;

use hoops::rate_limit::RateLimit;
use routes::ApiRouter;
use shared_app::SharedApp;
pub(crate) use shared_app::boxed;

/// How long a browser may keep the answer to its preflight request, in seconds.
const CORS_MAX_AGE_S: u64 = 600;

/// The API document as it was committed, which a test compares with [`document`]. To make it takes tens of
/// milliseconds and megabytes, so that a server serves this one.
const COMMITTED_DOCUMENT: &[u8] = include_bytes!("../openapi.json");

/// The API document, made from the routes.
pub fn document() -> OpenApi {
    let routes = router::routes(ApiRouter::documented(openapi::frame()));
    let mut document = routes.into_document().unwrap_or_else(openapi::frame);
    examples::complete(&mut document);
    document
}

/// The API document as it is committed: pretty, with a newline at its end.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn document_json() -> serde_json::Result<String> {
    Ok(document().to_pretty_json()? + "\n")
}

/// Everything that the listeners of a server answer.
pub fn service(app: Arc<App>) -> Service {
    let rate_limit = RateLimit::new(&app.config.limits);
    let routes = router::routes(ApiRouter::default());
    let swagger =
        utoipa_swagger_ui::Config::from("/api-docs/openapi.json").try_it_out_enabled(true);
    let document = web::Document(Bytes::from_static(COMMITTED_DOCUMENT));
    let swagger = web::Swagger(Arc::new(swagger));
    let pages = Router::new()
        .push(page("", web::read_page, web::read_page))
        .push(page("reset-password", web::read_page, web::read_page))
        .push(page("verify-email", web::read_page, web::read_page))
        .push(page("stop-watching", web::read_page, web::read_page))
        .push(page("invitation", web::read_page, web::read_page))
        .push(page("organization/join-request", web::read_page, web::read_page))
        .push(page("assets/{**path}", web::read_asset, web::read_asset))
        .push(page("api-docs/openapi.json", document.clone(), document))
        .push(page("api-docs/{**path}", swagger.clone(), swagger));
    let mut service =
        Service::new(pages.push(routes.router)).hoop(hoops::observe::Observe(Arc::clone(&app)));
    service = service.hoop(web::Pages);
    if !app.config.server.cors_allowed_origins.is_empty() {
        service = service.hoop(cors(&app.config.server.cors_allowed_origins).into_handler());
    }
    service
        .hoop(hoops::record::RecordRefusal::new(Arc::clone(&app), &routes.mounted))
        .hoop(SharedApp::new(Arc::clone(&app)))
        .hoop(hoops::authenticate::Authenticate(app))
        .hoop(rate_limit)
}

/// A page at a path, to GET and to HEAD.
fn page(path: &str, get: impl Handler, head: impl Handler) -> Router {
    let route = if path.is_empty() { Router::new() } else { Router::with_path(path) };
    route.get(get).head(head)
}

fn cors(origins: &[String]) -> Cors {
    Cors::new()
        .allow_origin(AllowOrigin::list(origins.iter().filter_map(|origin| origin.parse().ok())))
        .allow_methods(AllowMethods::list([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ]))
        .allow_headers(AllowHeaders::list(
            [
                "authorization",
                "content-type",
                "idempotency-key",
                "if-match",
                "if-none-match",
                "last-event-id",
                "range",
                "tus-resumable",
                "upload-checksum",
                "upload-concat",
                "upload-length",
                "upload-metadata",
                "upload-offset",
                "x-access-token",
                "x-checksum",
                "x-checksum-type",
            ]
            .into_iter()
            .filter_map(|name| name.parse().ok()),
        ))
        .expose_headers(ExposeHeaders::list(
            [
                "content-range",
                "etag",
                "idempotency-replayed",
                "link",
                "location",
                "repr-digest",
                "retry-after",
                "tus-checksum-algorithm",
                "tus-extension",
                "tus-max-size",
                "tus-resumable",
                "tus-version",
                "upload-expires",
                "upload-length",
                "upload-metadata",
                "upload-offset",
                "x-request-id",
            ]
            .into_iter()
            .filter_map(|name| name.parse().ok()),
        ))
        .max_age(MaxAge::exact(std::time::Duration::from_secs(CORS_MAX_AGE_S)))
}
