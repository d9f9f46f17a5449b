//! Upload, download, facts and removal of box files.
//!
//! Bodies stream through; nothing here holds more of a file than a chunk.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use boxvault_policy::Relations;
use boxvault_types::{
    action::Action,
    digest::{Checksum, ChecksumType},
    error::ErrorCode,
    views::{
        Envelope, ErrorEnvelope, Nothing,
        files::{DownloadLinkView, FileView, UploadView, VerificationView},
    },
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use multer::Multipart;
use salvo::{
    Depot, Request, Response, Writer as _, handler,
    http::{
        ReqBody, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};

use super::architectures::slot;
use crate::{
    app::{
        artifacts::{FILE_NAME, Slot},
        download_links::LinkGrant,
        downloads::Audience,
        uploads::Declared,
    },
    error::{AppError, Result},
    http::{
        boxed,
        call::{Call, drain},
        error::Dialect,
        reply::Reply,
        spooled::{self, Wanted},
    },
};

/// The form field that carries the file.
const FORM_FIELD: &str = "file";
/// What a form may have in front of its file: small fields that nobody asked for.
const FORM_BYTES_MAX: usize = 64 << 10;

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
        (status = 507, description = "The store is full, or the organization over its quota.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "UPLOAD_NOT_FOUND", "VERSION_RELEASED", "LOST_RACE", "NOT_A_BOX", "CHECKSUM_MISMATCH",
        "LENGTH_MISMATCH",
        "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED", "STORAGE_FULL",
        "STORE_UNAVAILABLE", "BUSY"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn upload_file(req: &mut Request, call: Call) -> Result<Reply<UploadView>> {
    let view = receive(req, &call, None).await?;
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
        (status = 507, description = "The store is full, or the organization over its quota.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "UPLOAD_NOT_FOUND", "VERSION_RELEASED", "LOST_RACE", "NOT_A_BOX", "CHECKSUM_MISMATCH",
        "LENGTH_MISMATCH",
        "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED", "STORAGE_FULL",
        "STORE_UNAVAILABLE", "BUSY"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn post_file(req: &mut Request, call: Call) -> Result<Reply<UploadView>> {
    let view = receive(req, &call, None).await?;
    let message = if view.replaced { "file replaced" } else { "file stored" };
    Ok(Reply::ok(message, view))
}

/// Tells size, checksum and address of a file, and what was found when its stored bytes were last verified.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/info",
    tag = "File Operations",
    responses(
        (status = 200, description = "The facts.", body = Envelope<FileView>),
        (status = 304, description = "As `If-None-Match` says."),
    ),
    extensions(("x-error-codes" = json!(["FILE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_file_info(req: &mut Request, call: Call) -> Result<Reply<FileView>> {
    let view = call.app.file_info(call.target.vagrant_box()?, &slot(req)?).await?;
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
        ("link" = Option<String>, Query, description = "What a download link has here."),
    ),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for.", content(
            (String = "application/octet-stream"),
            (String = "multipart/byteranges"),
        )),
        (status = 302, description = "The object store has it, at the address in `Location`, for a short while."),
        (status = 304, description = "As `If-None-Match` says."),
        (status = 412, description = "As `If-Match` says.", body = ErrorEnvelope),
        (status = 416, description = "The range lies outside the file.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "FILE_NOT_FOUND", "LINK_INVALID", "PRECONDITION_FAILED", "RANGE_NOT_SATISFIABLE",
        "STORE_UNAVAILABLE", "LOST_RACE", "CHECKSUM_MISMATCH", "NOT_A_BOX",
        "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED", "STORAGE_FULL", "BUSY", "BODY_TOO_LARGE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn download_file(
    req: &mut Request,
    res: &mut Response,
    depot: &mut Depot,
    call: Call,
) -> Result<()> {
    let found = call.target.vagrant_box()?;
    let slot = slot(req)?;
    let link = depot.get_typed::<LinkGrant>().ok();
    let (audience, dialect) = (Audience::Publishers, Dialect::Api);
    let wanted = Wanted { path: slot.path(found), audience, link, file_name: FILE_NAME, dialect };
    spooled::serve(&call, req, res, wanted).await
}

/// Makes a link that downloads the file without credentials, for a while.
///
/// It dies earlier when the file is replaced, the version revoked, or whoever made it loses the right, the session or
/// the API token that they made it with.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/get-download-link",
    tag = "File Operations",
    responses(
        (status = 200, description = "The link.", body = Envelope<DownloadLinkView>),
    ),
    extensions(("x-error-codes" = json!(["FILE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_download_link(
    req: &mut Request,
    call: Call,
) -> Result<Reply<DownloadLinkView>> {
    make_link(req, &call).await
}

/// Makes a link that downloads the file without credentials; the same as GET.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/get-download-link",
    tag = "File Operations",
    responses(
        (status = 200, description = "The link.", body = Envelope<DownloadLinkView>),
    ),
    extensions(("x-error-codes" = json!(["FILE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn post_download_link(
    req: &mut Request,
    call: Call,
) -> Result<Reply<DownloadLinkView>> {
    make_link(req, &call).await
}

async fn make_link(req: &Request, call: &Call) -> Result<Reply<DownloadLinkView>> {
    let (found, slot) = (call.target.vagrant_box()?, slot(req)?);
    let view = call.app.make_download_link(&call.identity, found, &slot).await?;
    Ok(Reply::ok(format!("works until {}", view.expires_at.to_rfc3339()), view))
}

/// Reads the stored file again in the background, and compares it with the digest that was computed when it came.
///
/// The file's info tells how far it is, and what was found. Nothing is deleted for it.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/verify",
    tag = "File Operations",
    responses(
        (status = 202, description = "It will be read.", body = Envelope<VerificationView>),
    ),
    extensions(("x-error-codes" = json!(["FILE_NOT_FOUND", "STORE_UNAVAILABLE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn verify_file(req: &mut Request, call: Call) -> Result<Reply<VerificationView>> {
    let view = call.app.verify_file(call.target.vagrant_box()?, &slot(req)?).await?;
    Ok(Reply::ok("the file will be read again", view).with_status(StatusCode::ACCEPTED))
}

/// Takes the file away. The architecture stays.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/delete",
    tag = "File Operations",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 409, description = "The version was released.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["FILE_NOT_FOUND", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_file(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    call.app.delete_file(call.target.vagrant_box()?, &slot(req)?).await?;
    Ok(Reply::ok("file deleted", Nothing))
}

/// Takes the body as the file of the architecture that the path names; where it is `held` to a checksum, only that one.
pub(crate) async fn receive(
    req: &mut Request,
    call: &Call,
    held: Option<Checksum>,
) -> Result<UploadView> {
    let found = call.target.vagrant_box()?;
    let slot = slot(req)?;
    let replace = require_replace(call, &slot).await?;
    let checksum = held.or(declared_checksum(req)?);
    let kind = req
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body = Incoming::of(req);
    let outcome = if let Ok(boundary) = multer::parse_boundary(&kind) {
        let declared = Declared { checksum, replace, ..Declared::default() };
        receive_form(call, &slot, declared, boundary, body.clone()).await
    } else {
        let length = req.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let declared = Declared { length, checksum, replace, ..Declared::default() };
        let user = call.identity.caller().map(|caller| caller.user_id);
        call.app.upload(found, &slot, declared, user, call.audit(None), body.clone()).await
    };
    if let Err(error) = &outcome {
        body.drain_after(error).await;
    }
    outcome
}

async fn receive_form(
    call: &Call,
    slot: &Slot,
    declared: Declared,
    boundary: String,
    body: Incoming,
) -> Result<UploadView> {
    let mut form = Multipart::new(body, boundary);
    let mut beside = 0;
    while let Some(mut field) = form.next_field().await.map_err(bad_form)? {
        if field.name() == Some(FORM_FIELD) {
            let found = call.target.vagrant_box()?;
            let user = call.identity.caller().map(|caller| caller.user_id);
            return call.app.upload(found, slot, declared, user, call.audit(None), field).await;
        }
        while let Some(chunk) = field.chunk().await.map_err(bad_form)? {
            beside += chunk.len();
            if beside > FORM_BYTES_MAX {
                return Err(AppError::new(
                    ErrorCode::BodyTooLarge,
                    format!(
                        "the form has more than {FORM_BYTES_MAX} bytes before its field {FORM_FIELD:?}"
                    ),
                ));
            }
        }
    }
    Err(AppError::invalid(FORM_FIELD, "the form has no such field; send the file as file=@box"))
}

/// To put a file in the place of another one takes more than to put one where none is. Tells whether one is there.
pub(crate) async fn require_replace(call: &Call, slot: &Slot) -> Result<bool> {
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

/// What `x-checksum` declares of the whole file.
pub(super) fn declared_checksum(req: &Request) -> Result<Option<Checksum>> {
    let header = |name: &str| {
        req.headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    let Some(text) = header("x-checksum") else { return Ok(None) };
    parse_checksum(text, header("x-checksum-type")).map(Some)
}

/// A declared checksum; SHA-256 where no type is said.
pub(super) fn parse_checksum(text: &str, kind: Option<&str>) -> Result<Checksum> {
    let kind = match kind {
        None => ChecksumType::Sha256,
        Some(kind) => kind.parse().map_err(|error| AppError::invalid("x-checksum-type", error))?,
    };
    Checksum::parse(kind, text).map_err(|error| AppError::invalid("x-checksum", error))
}

/// The data of a body, without its frames. Clones read the same body, so that what a refused upload did not want
/// can still be taken off the wire.
#[derive(Clone)]
pub(super) struct Incoming(Arc<Mutex<Reading>>);

struct Reading {
    body: ReqBody,
    has_begun: bool,
    /// The client waits for 100 before it sends anything.
    waits: bool,
}

impl Incoming {
    pub(super) fn of(req: &mut Request) -> Self {
        let waits = req.headers().contains_key(EXPECT);
        Self(Arc::new(Mutex::new(Reading { body: req.take_body(), has_begun: false, waits })))
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a client still sends of a refused body off the wire, so that the refusal reaches it. Who asked first,
    /// and was not told to go on, sends nothing; nor does who fell silent.
    pub(super) async fn drain_after(self, error: &AppError) {
        let sends = {
            let reading = self.lock();
            reading.has_begun || !reading.waits
        };
        if sends && error.code() != ErrorCode::ClientTooSlow {
            drain(self).await;
        }
    }
}

impl Stream for Incoming {
    type Item = std::result::Result<Bytes, BoxedError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut reading = self.lock();
        loop {
            let frame = match ready!(reading.body.poll_next_unpin(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => frame,
            };
            reading.has_begun = true;
            if let Ok(data) = frame.into_data() {
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }
}

fn bad_form(error: multer::Error) -> AppError {
    AppError::new(ErrorCode::MalformedBody, "the form is not valid multipart/form-data")
        .with_source(error)
}
