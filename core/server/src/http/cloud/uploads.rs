//! Uploads: an address for the file, the file, and the word that it arrived.
//!
//! The file comes to us in either way that clients know, unless clients exchange files with the store themselves: then
//! what they call direct is that, and the word that it was sent puts it to the test. The state of a direct upload is in its
//! path, of which clients keep nothing else, and it is where they are told what is wrong with a file: of the upload's own
//! answer they print a number at most.

use boxvault_types::{
    error::ErrorCode,
    views::cloud::{CloudDirectUploadView, CloudUploadView, CloudUploadedView},
};
use salvo::{Depot, Request, Response, Writer as _, handler, http::StatusCode};

use super::{Plain, place, providers::slot};
use crate::{
    app::{
        artifacts::Slot,
        resumable::Destination,
        upload_tickets::{FileMark, TicketGrant, Verdict},
        uploads::direct::OneAddress,
    },
    error::{AppError, Result},
    http::{
        api::{
            architectures,
            files::{receive, require_replace},
            uploads::destination_of,
        },
        boxed,
        call::Call,
        extract::required,
    },
};

/// Ends the mark of the file before, in a callback that has more to say.
const MARK_END: char = '.';

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
    let slot = slot(req, &call).await?;
    let (upload_path, _) = ticket_address(req, &call, &slot, Verdict::AtOnce).await?;
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
    let slot = slot(req, &call).await?;
    let Invitation { url, word } = invite(req, &call, &slot).await?;
    let here = place(req, &call).of_slot(call.target.vagrant_box()?, &slot);
    let callback = format!("{here}/upload/direct/{word}");
    Ok(Plain(CloudDirectUploadView { upload_path: url, callback }))
}

/// Where a direct upload goes, and the word to say once it was sent: all that is known of it.
pub(super) struct Invitation {
    pub(super) url: String,
    pub(super) word: String,
}

/// Invites to the store itself where clients reach it, and else to us.
pub(super) async fn invite(req: &Request, call: &Call, slot: &Slot) -> Result<Invitation> {
    let (url, was) = ticket_address(req, call, slot, Verdict::ByCallback).await?;
    let to = destination_of(call, slot.clone()).await?;
    match call.app.begin_direct_file(&to).await {
        Ok(OneAddress { url, handle }) => {
            Ok(Invitation { url, word: format!("{}{MARK_END}{handle}", was.0) })
        }
        // through us it can still be sent
        Err(error)
            if matches!(
                error.code(),
                ErrorCode::DirectUploadUnavailable
                    | ErrorCode::TooManyUploads
                    | ErrorCode::StoreUnavailable
            ) =>
        {
            Ok(Invitation { url, word: was.0.to_string() })
        }
        Err(error) => Err(error),
    }
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
        "VERSION_EMPTY", "ARCHITECTURE_NOT_FOUND", "VERSION_RELEASED", "LOST_RACE", "NOT_A_BOX", "CHECKSUM_MISMATCH",
        "LENGTH_MISMATCH", "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED", "STORE_UNAVAILABLE", "BUSY"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn finish_cloud_upload(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudUploadedView>> {
    arrived(req, &call).await?;
    Ok(Plain(CloudUploadedView {}))
}

/// Takes the word of an invitation, of which there is nothing but the path.
pub(super) async fn arrived(req: &mut Request, call: &Call) -> Result<()> {
    let word: String = required(req, "since")?;
    let (mark, handle) = match word.split_once(MARK_END) {
        Some((mark, handle)) => (mark, Some(handle)),
        None => (&*word, None),
    };
    let mark = mark.parse::<i64>().map_err(|error| AppError::invalid("since", error))?;
    let slot = architectures::slot(req)?;
    if let Some(handle) = handle {
        let to = destination_of(call, slot.clone()).await?;
        let to = Destination { audit: call.audit(None), ..to };
        match call.app.finish_direct_upload(to, handle).await {
            // said again, perhaps
            Err(error) if error.code() == ErrorCode::UploadNotFound => {}
            outcome => return outcome.map(drop),
        }
    }
    call.app.require_file_since(call.target.vagrant_box()?, &slot, FileMark(mark)).await
}
