//! Uploads that go straight to the object store: begin, more addresses, finish, give up.

use boxvault_types::{
    digest::ChecksumType,
    params::files::BeginDirectUploadParams,
    views::{
        Envelope, ErrorEnvelope, Nothing,
        files::{DirectUploadView, UploadView},
    },
};
use salvo::{Request, Writer as _, handler, http::StatusCode};

use super::{architectures::slot, files::parse_checksum, uploads::destination_of};
use crate::{
    app::{resumable::Destination, uploads::direct::NewDirect},
    error::{AppError, Result},
    http::{
        boxed,
        call::{Body, Call, from_query},
        extract::required,
        reply::Reply,
    },
};

/// Begins an upload whose parts go straight to the object store.
///
/// Where clients exchange files with the store themselves (`transfer` of the store). Send each part to its address by
/// PUT, in any order and as often as it takes; then finish. Nothing is visible before.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/direct-uploads",
    tag = "File Operations",
    request_body = BeginDirectUploadParams,
    responses(
        (status = 201, description = "The first parts and their addresses.", body = Envelope<DirectUploadView>),
        (status = 409, description = "The version was released, or files go through the server here.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "DIRECT_UPLOAD_UNAVAILABLE", "TOO_MANY_UPLOADS", "VERSION_RELEASED", "LOST_RACE", "FILE_TOO_LARGE",
        "QUOTA_EXCEEDED", "STORE_UNAVAILABLE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn begin_direct_upload(
    req: &mut Request,
    call: Call,
    body: Body<BeginDirectUploadParams>,
) -> Result<Reply<DirectUploadView>> {
    let BeginDirectUploadParams { file_size, checksum, checksum_type } = body.0;
    if file_size == 0 {
        return Err(AppError::invalid("fileSize", "must be a number above 0, not 0"));
    }
    let kind = checksum_type.unwrap_or(ChecksumType::Sha256);
    let checksum = checksum.map(|text| parse_checksum(&text, Some(kind.as_str()))).transpose()?;
    let to = destination_of(&call, slot(req)?).await?;
    let new = NewDirect { length: Some(file_size), checksum };
    let view = call.app.begin_direct_upload(&to, new).await?;
    Ok(Reply::ok("send the parts to their addresses, then finish", view)
        .with_status(StatusCode::CREATED))
}

/// Gives addresses for further parts of an upload, or new ones for the same.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/direct-uploads/{id}",
    tag = "File Operations",
    params(
        ("from" = Option<u32>, Query, description = "The first part to give an address for; 1 when absent."),
    ),
    responses(
        (status = 200, description = "Some parts and their addresses.", body = Envelope<DirectUploadView>),
    ),
    extensions(("x-error-codes" = json!(["UPLOAD_NOT_FOUND", "STORE_UNAVAILABLE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_direct_upload(
    req: &mut Request,
    call: Call,
) -> Result<Reply<DirectUploadView>> {
    let from = from_query::<u32>(req, "from")?.unwrap_or(1);
    if from == 0 {
        return Err(AppError::invalid("from", "must be a number above 0, not 0"));
    }
    let id: String = required(req, "id")?;
    let to = destination_of(&call, slot(req)?).await?;
    let view = call.app.read_direct_upload(&to, &id, from).await?;
    Ok(Reply::ok("the addresses of further parts", view))
}

/// Finishes an upload: what came is read once and compared with what was declared, and then it is visible.
///
/// When the store is out of reach in between, it can be finished again. Any other refusal ends the upload.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/direct-uploads/{id}/finish",
    tag = "File Operations",
    responses(
        (status = 200, description = "It is stored, durably.", body = Envelope<UploadView>),
        (status = 409, description = "The version was released, or another upload was faster.", body = ErrorEnvelope),
        (status = 422, description = "The bytes are not what was declared, or not a box for this provider.", body = ErrorEnvelope),
        (status = 507, description = "The organization is over its quota.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "UPLOAD_NOT_FOUND", "VERSION_RELEASED", "LOST_RACE", "NOT_A_BOX", "CHECKSUM_MISMATCH", "LENGTH_MISMATCH",
        "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED", "STORE_UNAVAILABLE", "BUSY"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn finish_direct_upload(
    req: &mut Request,
    call: Call,
) -> Result<Reply<UploadView>> {
    let id: String = required(req, "id")?;
    let to = destination_of(&call, slot(req)?).await?;
    let to = Destination { audit: call.audit(None), ..to };
    let view = call.app.finish_direct_upload(to, &id).await?;
    let message = if view.replaced { "file replaced" } else { "file stored" };
    Ok(Reply::ok(message, view))
}

/// Gives an upload up; what came of it goes.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/direct-uploads/{id}",
    tag = "File Operations",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
    ),
    extensions(("x-error-codes" = json!(["UPLOAD_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_direct_upload(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let id: String = required(req, "id")?;
    let to = destination_of(&call, slot(req)?).await?;
    call.app.end_direct_upload(&to, &id).await?;
    Ok(Reply::ok("upload given up", Nothing))
}
