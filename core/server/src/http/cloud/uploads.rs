//! Uploads: an address for the file, the file, and the word that it arrived.
//!
//! The file comes to us in either way that clients know, so that both begin and end alike; what they call direct has one
//! more request at its end. Its state is in its path, of which clients keep nothing else.

use boxvault_types::{
    digest::Checksum,
    views::cloud::{CloudDirectUploadView, CloudUploadView, CloudUploadedView},
};
use salvo::{Depot, Request, Response, Writer as _, handler, http::StatusCode};

use super::{Plain, place, providers::slot};
use crate::{
    app::upload_tickets::{FileMark, TicketGrant},
    error::Result,
    http::{
        api::{
            architectures,
            files::{receive, require_replace},
        },
        boxed,
        call::Call,
        extract::required,
    },
};

/// Gives an address that takes the file once, without credentials, for a while.
#[utoipa::path(
    get,
    path = "/api/v2/box/{organization}/{box}/version/{version}/provider/{provider}/{architecture}/upload",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The address.", body = CloudUploadView),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED", "ARCHITECTURE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_cloud_upload(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudUploadView>> {
    let CloudDirectUploadView { upload_path, .. } = invite(req, &call).await?;
    Ok(Plain(CloudUploadView { upload_path }))
}

/// Gives an address that takes the file once, without credentials, for a while, and the one to call then.
#[utoipa::path(
    get,
    path = "/api/v2/box/{organization}/{box}/version/{version}/provider/{provider}/{architecture}/upload/direct",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The addresses.", body = CloudDirectUploadView),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED", "ARCHITECTURE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_cloud_direct_upload(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudDirectUploadView>> {
    Ok(Plain(invite(req, &call).await?))
}

async fn invite(req: &Request, call: &Call) -> Result<CloudDirectUploadView> {
    let slot = slot(req, call).await?;
    require_replace(call, &slot).await?;
    let found = call.target.vagrant_box()?;
    let (ticket, was) = call.app.upload_ticket(&call.identity, found, &slot).await?;
    let here = place(req, call).of_slot(found, &slot);
    Ok(CloudDirectUploadView {
        upload_path: format!("{here}/upload/file?ticket={ticket}"),
        callback: format!("{here}/upload/direct/{}", was.0),
    })
}

/// Takes the file. It may be sent again from its first byte; once it arrived, nothing but the same bytes.
#[utoipa::path(
    put,
    path = "/api/v2/box/{organization}/{box}/version/{version}/provider/{provider}/{architecture}/upload/file",
    tag = "Vagrant Cloud",
    params(
        ("ticket" = Option<String>, Query, description = "What the upload address has here."),
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "The file."),
    responses(
        (status = 200, description = "It is stored, durably."),
    ),
    extensions(("x-error-codes" = json!([
        "UPLOAD_NOT_FOUND", "VERSION_RELEASED", "LOST_RACE", "NOT_A_BOX", "CHECKSUM_MISMATCH",
        "LENGTH_MISMATCH", "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED", "STORAGE_FULL",
        "STORE_UNAVAILABLE", "BUSY", "LINK_INVALID"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn put_cloud_file(
    req: &mut Request,
    res: &mut Response,
    depot: &mut Depot,
    call: Call,
) -> Result<()> {
    take(req, res, depot, &call).await
}

/// Takes the file; the same as PUT.
#[utoipa::path(
    post,
    path = "/api/v2/box/{organization}/{box}/version/{version}/provider/{provider}/{architecture}/upload/file",
    tag = "Vagrant Cloud",
    params(
        ("ticket" = Option<String>, Query, description = "What the upload address has here."),
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "The file."),
    responses(
        (status = 200, description = "It is stored, durably."),
    ),
    extensions(("x-error-codes" = json!([
        "UPLOAD_NOT_FOUND", "VERSION_RELEASED", "LOST_RACE", "NOT_A_BOX", "CHECKSUM_MISMATCH",
        "LENGTH_MISMATCH", "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED", "STORAGE_FULL",
        "STORE_UNAVAILABLE", "BUSY", "LINK_INVALID"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn post_cloud_file(
    req: &mut Request,
    res: &mut Response,
    depot: &mut Depot,
    call: Call,
) -> Result<()> {
    take(req, res, depot, &call).await
}

async fn take(req: &mut Request, res: &mut Response, depot: &Depot, call: &Call) -> Result<()> {
    let held = held(req, depot, call).await?;
    receive(req, call, held).await?;
    res.status_code(StatusCode::OK);
    Ok(())
}

async fn held(req: &Request, depot: &Depot, call: &Call) -> Result<Option<Checksum>> {
    let Ok(grant) = depot.get_typed::<TicketGrant>() else { return Ok(None) };
    let found = call.target.vagrant_box()?;
    call.app.held_by_ticket(grant, found, &architectures::slot(req)?).await
}

/// Says that the file was sent: it is looked for. It may be said again.
#[utoipa::path(
    put,
    path = "/api/v2/box/{organization}/{box}/version/{version}/provider/{provider}/{architecture}/upload/direct/{since}",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "It is there.", body = CloudUploadedView),
    ),
    extensions(("x-error-codes" = json!(["VERSION_EMPTY", "ARCHITECTURE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn finish_cloud_upload(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudUploadedView>> {
    let was = FileMark(required(req, "since")?);
    let found = call.target.vagrant_box()?;
    call.app.require_file_since(found, &architectures::slot(req)?, was).await?;
    Ok(Plain(CloudUploadedView {}))
}
