//! The dialect that stock Vagrant dictates: catalogues and files at paths of its own choosing.
//!
//! All of it is dressing over the same application functions as the API. No decision depends on the user agent.
//! Source: Vagrant's `lib/vagrant/action/builtin/box_add.rb` and `lib/vagrant/box_metadata.rb`.

use boxvault_types::{
    names::{ArchitectureName, ProviderName},
    version::BoxVersion,
};
use salvo::{
    Request, Response, Writer as _, handler,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, VARY},
        uri::Authority,
    },
};

use super::{
    call::Call,
    error::Dialect,
    extract::{self, required},
    spooled::{self, Wanted},
};
use crate::{
    app::{
        App,
        catalogue::Flavor,
        downloads::{Audience, Path},
    },
    error::Result,
    http::boxed,
};

/// Whether a route of this path answers in this dialect.
pub(super) fn is_of_dialect(route: &str) -> bool {
    route.starts_with("/{") || route.starts_with("/api/v1/") || route.starts_with("/api/v2/")
}

/// Whether a path is one that clients read in this dialect: where old ones put their token into the query.
pub(super) fn takes_token_in_query(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    if path.starts_with("api/v1/") || path.starts_with("api/v2/") {
        return true;
    }
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        [first, _] => !matches!(*first, "api" | "health" | "assets" | "api-docs"),
        [_, "boxes", ..] => true,
        _ => false,
    }
}

/// Whether a path takes a file by a ticket.
pub(super) fn is_upload(path: &str) -> bool {
    is_of_dialect(&format!("/{path}")) && path.ends_with("/upload/file")
}

/// The catalogue of a box for clients before 2.4; for browsers, the web page.
#[utoipa::path(
    get,
    path = "/{organization}/{box}",
    tag = "Vagrant",
    responses(
        (status = 200, description = "The catalogue; for browsers, a page.", content(
            (serde_json::Value = "application/json"),
            (String = "text/html"),
        )),
        (status = 304, description = "As `If-None-Match` says of the page."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_legacy_catalogue(
    req: &mut Request,
    res: &mut Response,
    call: Call,
) -> Result<()> {
    catalogue(req, res, &call, Flavor::Legacy).await
}

/// The catalogue of a box, at the address of its web page.
#[utoipa::path(
    get,
    path = "/{organization}/boxes/{box}",
    tag = "Vagrant",
    responses(
        (status = 200, description = "The catalogue; for browsers, a page.", content(
            (serde_json::Value = "application/json"),
            (String = "text/html"),
        )),
        (status = 304, description = "As `If-None-Match` says of the page."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_box_page(req: &mut Request, res: &mut Response, call: Call) -> Result<()> {
    catalogue(req, res, &call, Flavor::Legacy).await
}

/// The catalogue of a box for 2.4 and later: every architecture.
#[utoipa::path(
    get,
    path = "/api/v2/vagrant/{organization}/{box}",
    tag = "Vagrant",
    responses(
        (status = 200, description = "The catalogue.", body = serde_json::Value, content_type = "application/json"),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_catalogue(
    req: &mut Request,
    res: &mut Response,
    call: Call,
) -> Result<()> {
    catalogue(req, res, &call, Flavor::Architectures).await
}

/// A released file.
#[utoipa::path(
    get,
    path = "/{organization}/boxes/{box}/versions/{version}/providers/{provider}/{architecture}/vagrant.box",
    tag = "Vagrant",
    responses(
        (status = 200, description = "The file.", body = String, content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for.", content(
            (String = "application/octet-stream"),
            (String = "multipart/byteranges"),
        )),
        (status = 302, description = "The object store has it, at the address in `Location`, for a short while."),
        (status = 304, description = "As `If-None-Match` says."),
        (status = 412, description = "As `If-Match` says."),
    ),
    extensions(("x-error-codes" = json!([
        "FILE_NOT_FOUND", "PRECONDITION_FAILED", "STORE_UNAVAILABLE", "LOST_RACE",
        "CHECKSUM_MISMATCH", "NOT_A_BOX", "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED",
        "STORAGE_FULL", "BUSY", "BODY_TOO_LARGE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn download_box(req: &mut Request, res: &mut Response, call: Call) -> Result<()> {
    let architecture = required::<ArchitectureName>(req, "architecture")?;
    let provider = extract::provider(req)?;
    download(req, res, &call, &provider, Some(&architecture)).await
}

/// A released file, of the default architecture. The last segment is the provider's name and `.box`.
#[utoipa::path(
    get,
    path = "/{organization}/boxes/{box}/versions/{version}/providers/{file}",
    tag = "Vagrant",
    responses(
        (status = 200, description = "The file.", body = String, content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for.", content(
            (String = "application/octet-stream"),
            (String = "multipart/byteranges"),
        )),
        (status = 302, description = "The object store has it, at the address in `Location`, for a short while."),
        (status = 304, description = "As `If-None-Match` says."),
        (status = 412, description = "As `If-Match` says."),
    ),
    extensions(("x-error-codes" = json!([
        "FILE_NOT_FOUND", "PRECONDITION_FAILED", "STORE_UNAVAILABLE", "LOST_RACE",
        "CHECKSUM_MISMATCH", "NOT_A_BOX", "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED",
        "STORAGE_FULL", "BUSY", "BODY_TOO_LARGE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn download_default_box(
    req: &mut Request,
    res: &mut Response,
    call: Call,
) -> Result<()> {
    let provider = extract::provider(req)?;
    download(req, res, &call, &provider, None).await
}

async fn catalogue(req: &Request, res: &mut Response, call: &Call, flavor: Flavor) -> Result<()> {
    let found = call.target.vagrant_box()?;
    call.app.refresh_mirrored(found).await?;
    let base = base_url(&call.app, req);
    let names = call.target.shown_names(found);
    let document = call
        .app
        .catalogue(found.vagrant_box.id, names, flavor, &base)
        .await?
        .ok_or_else(|| extract::not_found(&call.target.resource))?;
    let headers = res.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, document.len().into());
    headers.insert(VARY, HeaderValue::from_static("Accept, Authorization"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    res.status_code(StatusCode::OK);
    res.body(document);
    Ok(())
}

async fn download(
    req: &Request,
    res: &mut Response,
    call: &Call,
    provider: &ProviderName,
    architecture: Option<&ArchitectureName>,
) -> Result<()> {
    let found = call.target.vagrant_box()?;
    let version = required::<BoxVersion>(req, "version")?;
    let path = Path {
        organization: &found.organization.name,
        box_name: &found.vagrant_box.name,
        version: &version,
        provider,
        architecture,
    };
    let name = &found.vagrant_box.name;
    let file_name = format!("{name}-{version}-{provider}.box");
    let (audience, dialect) = (Audience::Clients, Dialect::Vagrant);
    let wanted = Wanted { path, audience, link: None, file_name: &file_name, dialect };
    spooled::serve(call, req, res, wanted).await
}

/// How this client reaches us. Vagrant gives its token only to the very host name that it was told, so the name that
/// it used is kept, if it is one of ours; anything else in `Host` is ignored.
pub(super) fn base_url(app: &App, req: &Request) -> String {
    let host = req
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| req.uri().authority().map(Authority::as_str))
        .unwrap_or_default();
    let configured = &app.config.server.allowed_hosts;
    let ours = configured.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
        || is_own_loopback(app, req, host);
    if ours && host != app.public_url.authority() {
        return format!("{}://{host}", req.scheme());
    }
    app.public_url.to_string()
}

/// `localhost:5000` on a server that was not told its public URL: the same machine by another name.
fn is_own_loopback(app: &App, req: &Request, host: &str) -> bool {
    if app.config.server.public_url.is_some() {
        return false;
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            (name, port.parse::<u16>().ok())
        }
        _ => (host, None),
    };
    let port_fits = port.is_some() && port == req.local_addr().port();
    port_fits && matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_in_the_query_are_taken_on_catalogues_and_files_only() {
        for path in [
            "/acme/web",
            "//api/v2/vagrant/acme/web",
            "/api/v1/box/acme/web",
            "/acme/boxes/web/versions/1.0/providers/x.box",
        ] {
            assert!(takes_token_in_query(path), "{path}");
        }
        for path in
            ["/api/user", "/api/organization", "/health/ready", "/api/organization/acme/box"]
        {
            assert!(!takes_token_in_query(path), "{path}");
        }
    }
}
