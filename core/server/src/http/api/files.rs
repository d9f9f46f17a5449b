//! Upload, download, facts and removal of box files.
//!
//! Bodies stream through; nothing here holds more of a file than a chunk.

use boxvault_policy::Relations;
use boxvault_types::{
    action::Action,
    digest::{Checksum, ChecksumType},
    error::ErrorCode,
    views::{
        Envelope, ErrorEnvelope, Nothing,
        files::{FileView, UploadView},
    },
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use multer::{Constraints, Multipart, SizeLimit};
use salvo::{
    Request, Response, Writer as _, handler,
    http::{
        ReqBody,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
};

use super::boxes::slot;
use crate::{
    app::{
        artifacts::{FILE_NAME, Slot},
        downloads::Audience,
        uploads::Declared,
    },
    error::{AppError, Result},
    http::{call::Call, error::Dialect, files, reply::Reply},
};

/// The form field that carries the file.
const FORM_FIELD: &str = "file";
/// What a form may have around its file: boundaries, heads, small fields that are not asked for.
const FORM_BYTES_MAX: u64 = 64 << 10;

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Uploads the file of an architecture, as the raw body or as the form field `file`.
///
/// The server computes the SHA-256 while the file streams in, compares `x-checksum` where it is given, and looks into
/// the archive. Only then the file is visible, in the place of any earlier one.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/upload",
    tag = "File Operations",
    params(
        ("x-checksum" = Option<String>, Header, description = "What the file must hash to, in hexadecimal."),
        ("x-checksum-type" = Option<ChecksumType>, Header, description = "The type of `x-checksum`; sha256 when absent."),
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "The file."),
    responses(
        (status = 200, description = "It is stored, durably.", body = Envelope<UploadView>),
        (status = 409, description = "The version was released, or another upload was faster.", body = ErrorEnvelope),
        (status = 422, description = "The bytes are not what was declared, or not a box for this provider.", body = ErrorEnvelope),
        (status = 507, description = "The store is full.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn upload_file(req: &mut Request, call: Call) -> Result<Reply<UploadView>> {
    let view = receive(req, &call).await?;
    let message = if view.replaced { "file replaced" } else { "file stored" };
    Ok(Reply::ok(message, view))
}

/// Uploads the file of an architecture; the same as PUT.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/upload",
    tag = "File Operations",
    params(
        ("x-checksum" = Option<String>, Header, description = "What the file must hash to, in hexadecimal."),
        ("x-checksum-type" = Option<ChecksumType>, Header, description = "The type of `x-checksum`; sha256 when absent."),
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "The file."),
    responses(
        (status = 200, description = "It is stored, durably.", body = Envelope<UploadView>),
        (status = 409, description = "The version was released, or another upload was faster.", body = ErrorEnvelope),
        (status = 422, description = "The bytes are not what was declared, or not a box for this provider.", body = ErrorEnvelope),
        (status = 507, description = "The store is full.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn post_file(req: &mut Request, call: Call) -> Result<Reply<UploadView>> {
    let view = receive(req, &call).await?;
    let message = if view.replaced { "file replaced" } else { "file stored" };
    Ok(Reply::ok(message, view))
}

/// Tells size, checksum and address of a file.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/info",
    tag = "File Operations",
    responses(
        (status = 200, description = "The facts.", body = Envelope<FileView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
pub(crate) async fn read_file_info(req: &mut Request, call: Call) -> Result<Reply<FileView>> {
    let view = call.app.file(call.target.vagrant_box()?, &slot(req)?).await?;
    Ok(Reply::ok("file found", view).tagged())
}

/// Downloads a file. Ranges, `If-Range` and entity tags work as RFC 9110 says.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/download",
    tag = "File Operations",
    params(
        ("Range" = Option<String>, Header, description = "Which bytes, such as `bytes=1000-`."),
        ("access_token" = Option<String>, Query, description = "A token, for clients that can send no header."),
    ),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for.", body = String, content_type = "application/octet-stream"),
        (status = 304, description = "As `If-None-Match` says."),
        (status = 412, description = "As `If-Match` says.", body = ErrorEnvelope),
        (status = 416, description = "The range lies outside the file.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn download_file(req: &mut Request, res: &mut Response, call: Call) -> Result<()> {
    let found = call.target.vagrant_box()?;
    let slot = slot(req)?;
    let download = call.app.open_download(slot.path(found), Audience::Publishers).await?;
    files::serve(&call.app, req, res, download, FILE_NAME, Dialect::Api).await
}

/// Takes the file away. The architecture stays.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/delete",
    tag = "File Operations",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 409, description = "The version was released.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn delete_file(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    call.app.delete_file(call.target.vagrant_box()?, &slot(req)?).await?;
    Ok(Reply::ok("file deleted", Nothing))
}

async fn receive(req: &mut Request, call: &Call) -> Result<UploadView> {
    let found = call.target.vagrant_box()?;
    let slot = slot(req)?;
    let replace = require_replace(call, &slot).await?;
    let checksum = declared_checksum(req)?;
    let user = call.identity.caller().map(|caller| caller.user_id);
    let audit = call.audit(None);
    let kind = req
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    if let Ok(boundary) = multer::parse_boundary(&kind) {
        let body = req.take_body();
        let limit = call.app.config.limits.upload_bytes_max.bytes();
        let whole = SizeLimit::new().whole_stream(limit.saturating_add(FORM_BYTES_MAX));
        let constraints = Constraints::new().size_limit(whole);
        let mut form = Multipart::with_constraints(frames(body), boundary, constraints);
        while let Some(field) = form.next_field().await.map_err(bad_form)? {
            if field.name() == Some(FORM_FIELD) {
                let declared = Declared { length: None, checksum, replace };
                return call.app.upload(found, &slot, declared, user, audit, field).await;
            }
        }
        return Err(AppError::invalid(
            FORM_FIELD,
            "the form has no such field; send the file as file=@box",
        ));
    }
    let length =
        req.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let body = Box::pin(frames(req.take_body()));
    let declared = Declared { length, checksum, replace };
    call.app.upload(found, &slot, declared, user, audit, body).await
}

/// To put a file in the place of another one takes more than to put one where none is. Tells whether one is there.
async fn require_replace(call: &Call, slot: &Slot) -> Result<bool> {
    let found = call.target.vagrant_box()?;
    let present = call.app.architecture(found, slot).await?;
    if present.file.is_none() {
        return Ok(false);
    }
    let creator = call
        .identity
        .caller()
        .is_some_and(|caller| found.vagrant_box.created_by == Some(caller.user_id));
    let relations = Relations { creator, public: found.vagrant_box.is_public };
    call.app.require(
        &call.policy,
        &call.identity,
        &call.target.resource,
        Action::Replace,
        relations,
    )?;
    Ok(true)
}

fn declared_checksum(req: &Request) -> Result<Option<Checksum>> {
    let header = |name: &str| {
        req.headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    let Some(text) = header("x-checksum") else { return Ok(None) };
    let kind = match header("x-checksum-type") {
        None => ChecksumType::Sha256,
        Some(kind) => kind.parse().map_err(|error| AppError::invalid("x-checksum-type", error))?,
    };
    Checksum::parse(kind, text).map(Some).map_err(|error| AppError::invalid("x-checksum", error))
}

/// The data of a body, without its frames.
fn frames(body: ReqBody) -> impl Stream<Item = std::result::Result<Bytes, BoxedError>> + Send {
    body.filter_map(|frame| async move {
        match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(error) => Some(Err(BoxedError::from(error))),
        }
    })
}

fn bad_form(error: multer::Error) -> AppError {
    if matches!(error, multer::Error::StreamSizeExceeded { .. }) {
        return AppError::new(
            ErrorCode::BodyTooLarge,
            format!("the form is larger than one file ({FORM_FIELD}) and a few small fields"),
        )
        .with_source(error);
    }
    AppError::new(ErrorCode::MalformedBody, "the form is not valid multipart/form-data")
        .with_source(error)
}
