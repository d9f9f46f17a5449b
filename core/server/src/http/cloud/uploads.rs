//! Uploads: an address for the file, the file, and the word that it arrived.
//!
//! The file comes to us in either way that clients know, so that both begin and end alike; what they call direct has one
//! more request at its end. Its state is in its path, of which clients keep nothing else, and it is where they are told what
//! is wrong with a file: of the upload's own answer they print a number at most.

use boxvault_types::views::cloud::{CloudDirectUploadView, CloudUploadView, CloudUploadedView};
use salvo::{Depot, Request, Response, Writer as _, handler, http::StatusCode};

use super::{Plain, place, providers::slot};
use crate::{
    app::{
        artifacts::Slot,
        upload_tickets::{FileMark, TicketGrant, Verdict},
    },
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
    let CloudDirectUploadView { upload_path, .. } = invite(req, &call, Verdict::AtOnce).await?;
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
    Ok(Plain(invite(req, &call, Verdict::ByCallback).await?))
}

async fn invite(req: &Request, call: &Call, verdict: Verdict) -> Result<CloudDirectUploadView> {
    let slot = slot(req, call).await?;
    let (upload_path, was) = ticket_address(req, call, &slot, verdict).await?;
    let here = place(req, call).of_slot(call.target.vagrant_box()?, &slot);
    Ok(CloudDirectUploadView { upload_path, callback: format!("{here}/upload/direct/{}", was.0) })
}

/// An address that takes the file of an architecture, and which file that has now.
pub(super) async fn ticket_address(
    req: &Request,
    call: &Call,
    slot: &Slot,
    verdict: Verdict,
) -> Result<(String, FileMark)> {
    require_replace(call, slot).await?;
    let found = call.target.vagrant_box()?;
    let (ticket, was) = call.app.upload_ticket(&call.identity, found, slot, verdict).await?;
    let here = place(req, call).of_slot(found, slot);
    Ok((format!("{here}/upload/file?ticket={ticket}"), was))
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
        (status = 200, description = "It is stored, durably; or of a direct upload that it came, and the callback says what became of it."),
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
    take(req, depot, &call).await?;
    res.status_code(StatusCode::OK);
    Ok(())
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
        (status = 200, description = "It is stored, durably; or of a direct upload that it came, and the callback says what became of it."),
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
    take(req, depot, &call).await?;
    res.status_code(StatusCode::OK);
    Ok(())
}

async fn take(req: &mut Request, depot: &Depot, call: &Call) -> Result<()> {
    let found = call.target.vagrant_box()?;
    let grant = depot.get_typed::<TicketGrant>().ok();
    let held = match grant {
        Some(grant) => call.app.held_by_ticket(grant, found, &architectures::slot(req)?).await?,
        None => None,
    };
    let is_first = held.is_none();
    let Err(error) = receive(req, call, held).await else { return Ok(()) };
    match grant {
        Some(grant) if is_first && call.app.tells_later(grant, &error) => Ok(()),
        _ => Err(error),
    }
}

/// Says that the file was sent: it is looked for. It may be said again.
#[utoipa::path(
    put,
    path = "/api/v2/box/{organization}/{box}/version/{version}/provider/{provider}/{architecture}/upload/direct/{since}",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "It is there.", body = CloudUploadedView),
    ),
    extensions(("x-error-codes" = json!([
        "VERSION_EMPTY", "ARCHITECTURE_NOT_FOUND", "NOT_A_BOX", "CHECKSUM_MISMATCH", "PROVIDER_MISMATCH"
    ])))
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
