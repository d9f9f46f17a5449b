//! Uploads that can be continued, as tus 1.0 says: core, creation, creation-with-upload, termination, checksum,
//! expiration and concatenation. Source: tus.io/protocols/resumable-upload, version 1.0.0.

use boxvault_transfer::DigestAlgorithm;
use boxvault_types::{
    action::ResourceKind,
    error::ErrorCode,
    ids::UploadId,
    views::{Envelope, ErrorEnvelope, files::ResumableUploadView},
};
use data_encoding::{BASE64, HEXLOWER};
use salvo::{
    Request, Response, Writer as _, handler,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
    },
};

use super::files::{self, Incoming, declared_checksum};
use crate::{
    app::{
        App,
        artifacts::Slot,
        resumable::{Chunk, Destination, NewUpload, ResumableUpload},
    },
    error::{AppError, Result},
    http::{
        boxed,
        call::Call,
        extract::{self, required},
        reply::Reply,
    },
};

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");

/// The version that is spoken.
const VERSION: &str = "1.0.0";
/// What of its extensions.
const EXTENSIONS: &str =
    "creation,creation-with-upload,termination,checksum,expiration,concatenation";
/// How a chunk can be declared.
const ALGORITHMS: &str = "sha1,sha256,md5";
/// The type of a chunk.
const CHUNK_TYPE: &str = "application/offset+octet-stream";
/// The longest `Upload-Metadata`: a file name and a checksum are a few hundred.
const METADATA_BYTES_MAX: usize = 4096;
/// More pieces than any client sends at once.
const PIECES_MAX: usize = 100;

/// Tells which part of tus is spoken here.
#[utoipa::path(
    options,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/uploads",
    tag = "File Operations",
    responses(
        (status = 204, description = "`Tus-Version`, `Tus-Extension`, `Tus-Max-Size`, `Tus-Checksum-Algorithm`."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_upload_options(
    req: &mut Request,
    call: Call,
    res: &mut Response,
) -> Result<()> {
    tell_options(req, &call.app, res)
}

/// Tells the same of an upload.
#[utoipa::path(
    options,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/uploads/{id}",
    tag = "File Operations",
    responses(
        (status = 204, description = "`Tus-Version`, `Tus-Extension`, `Tus-Max-Size`, `Tus-Checksum-Algorithm`."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_options_of_upload(
    req: &mut Request,
    call: Call,
    res: &mut Response,
) -> Result<()> {
    required::<UploadId>(req, "id")?;
    tell_options(req, &call.app, res)
}

/// Begins an upload that can be continued (tus creation). `Location` tells where.
///
/// A body of type `application/offset+octet-stream` is its first chunk. What the whole file must hash to can be
/// declared as for a single request, or as `checksum` and `checksumType` in `Upload-Metadata`. With
/// `Upload-Concat: partial` it is a piece, and with `Upload-Concat: final;…` the file is joined of pieces.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/uploads",
    tag = "File Operations",
    params(
        ("Tus-Resumable" = String, Header, description = "Always 1.0.0."),
        ("Upload-Length" = Option<u64>, Header, description = "Bytes of the file; not with `Upload-Concat: final`."),
        ("Upload-Metadata" = Option<String>, Header, description = "Keys and Base64 values, as tus says."),
        ("Upload-Concat" = Option<String>, Header, description = "`partial`, or `final;` and the paths of pieces."),
        ("Upload-Checksum" = Option<String>, Header, description = "Of the first chunk: algorithm, blank, Base64."),
        ("x-checksum" = Option<String>, Header, description = "What the file must hash to, in hexadecimal."),
        ("x-checksum-type" = Option<String>, Header, description = "The type of `x-checksum`; sha256 when absent."),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream", description = "The first chunk, if there is one."),
    responses(
        (status = 201, description = "It has begun; `Location`, `Upload-Offset` and `Upload-Expires` tell the rest."),
        (status = 409, description = "The version was released, or a piece is being written to.", body = ErrorEnvelope),
        (status = 412, description = "Another version of tus.", body = ErrorEnvelope),
        (status = 422, description = "The whole file is not what was declared, or not a box.", body = ErrorEnvelope),
        (status = 460, description = "The chunk is not what was declared.", body = ErrorEnvelope),
        (status = 507, description = "The store is full, or the organization over its quota.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "PROTOCOL_VERSION", "UPLOAD_NOT_FOUND", "UPLOAD_LOCKED", "CHUNK_MISMATCH",
        "TOO_MANY_UPLOADS", "VERSION_RELEASED", "LOST_RACE", "NOT_A_BOX", "CHECKSUM_MISMATCH",
        "LENGTH_MISMATCH", "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED",
        "STORAGE_FULL", "STORE_UNAVAILABLE", "BUSY"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_upload(req: &mut Request, call: Call, res: &mut Response) -> Result<()> {
    speak_tus(req, res)?;
    let to = destination(req, &call).await?;
    let concat = header(req, &UPLOAD_CONCAT).map(ToOwned::to_owned);
    let pieces = concat.as_deref().and_then(|text| text.strip_prefix("final;"));
    let new = new_upload(req, concat.as_deref())?;
    let upload = if let Some(pieces) = pieces {
        let pieces = pieces_of(pieces)?;
        call.app.join_pieces(to, new, pieces).await?
    } else {
        let begun = call.app.begin_upload(&to, new).await?;
        if is_chunk(req) {
            let chunk = chunk(req, 0)?;
            append(req, &call, to, begun.id, chunk).await?
        } else {
            begun
        }
    };
    let path = req.uri().path().trim_end_matches('/');
    let location = HeaderValue::from_str(&format!("{path}/{}", upload.id));
    res.headers_mut().insert(LOCATION, location.map_err(AppError::internal)?);
    tell(&call.app, &upload, res.headers_mut())?;
    res.status_code(StatusCode::CREATED);
    Ok(())
}

/// Tells where an upload stands. Answers HEAD as tus says, in its headers.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/uploads/{id}",
    tag = "File Operations",
    params(("Tus-Resumable" = String, Header, description = "Always 1.0.0.")),
    responses(
        (status = 200, description = "What is durable, also as `Upload-Offset`.", body = Envelope<ResumableUploadView>),
        (status = 412, description = "Another version of tus.", body = ErrorEnvelope),
        (status = 423, description = "All of it came, and it is being completed.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["PROTOCOL_VERSION", "UPLOAD_NOT_FOUND", "UPLOAD_LOCKED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_upload(
    req: &mut Request,
    call: Call,
    res: &mut Response,
) -> Result<Reply<ResumableUploadView>> {
    let id = required::<UploadId>(req, "id")?;
    speak_tus(req, res)?;
    res.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let to = destination(req, &call).await?;
    let upload = call.app.look_at_upload(to, id).await?;
    tell(&call.app, &upload, res.headers_mut())?;
    let view = ResumableUploadView {
        id: upload.id,
        length: upload.length.cast_unsigned(),
        offset: upload.received.cast_unsigned(),
        done: upload.is_done,
        locked: call.app.is_locked(&upload),
        created_at: upload.created_at,
        expires_at: call.app.expires_at(&upload),
    };
    Ok(Reply::ok(format!("{} of {} bytes", view.offset, view.length), view))
}

/// Appends a chunk at `Upload-Offset`. With the last one the file is checked and becomes visible.
#[utoipa::path(
    patch,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/uploads/{id}",
    tag = "File Operations",
    params(
        ("Tus-Resumable" = String, Header, description = "Always 1.0.0."),
        ("Upload-Offset" = u64, Header, description = "Where the chunk begins: what the upload tells."),
        ("Upload-Checksum" = Option<String>, Header, description = "Of the chunk: algorithm, blank, Base64."),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream", description = "The chunk."),
    responses(
        (status = 204, description = "It is durable; `Upload-Offset` tells where to continue."),
        (status = 409, description = "The upload stands elsewhere, the version was released, or another upload was faster.", body = ErrorEnvelope),
        (status = 412, description = "Another version of tus.", body = ErrorEnvelope),
        (status = 422, description = "The whole file is not what was declared, or not a box.", body = ErrorEnvelope),
        (status = 423, description = "Somebody else writes to it.", body = ErrorEnvelope),
        (status = 460, description = "The chunk is not what was declared, and was thrown away.", body = ErrorEnvelope),
        (status = 507, description = "The store is full, or the organization over its quota.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "PROTOCOL_VERSION", "UPLOAD_NOT_FOUND", "UPLOAD_LOCKED", "OFFSET_MISMATCH",
        "CHUNK_MISMATCH", "VERSION_RELEASED", "LOST_RACE", "NOT_A_BOX", "CHECKSUM_MISMATCH",
        "LENGTH_MISMATCH", "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED",
        "STORAGE_FULL", "STORE_UNAVAILABLE", "BUSY"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn append_upload(req: &mut Request, call: Call, res: &mut Response) -> Result<()> {
    let id = required::<UploadId>(req, "id")?;
    speak_tus(req, res)?;
    let to = destination(req, &call).await?;
    if !is_chunk(req) {
        return Err(AppError::new(
            ErrorCode::UnsupportedMediaType,
            format!("send the chunk with Content-Type: {CHUNK_TYPE}"),
        ));
    }
    let offset = number(req, &UPLOAD_OFFSET)?
        .ok_or_else(|| AppError::invalid("Upload-Offset", "say where the chunk begins"))?;
    let chunk = chunk(req, offset)?;
    let upload = append(req, &call, to, id, chunk).await?;
    tell(&call.app, &upload, res.headers_mut())?;
    res.status_code(StatusCode::NO_CONTENT);
    Ok(())
}

/// Ends an upload and removes what came of it. A file that became visible stays.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/file/uploads/{id}",
    tag = "File Operations",
    params(("Tus-Resumable" = String, Header, description = "Always 1.0.0.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 412, description = "Another version of tus.", body = ErrorEnvelope),
        (status = 423, description = "Somebody writes to it.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["PROTOCOL_VERSION", "UPLOAD_NOT_FOUND", "UPLOAD_LOCKED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_upload(req: &mut Request, call: Call, res: &mut Response) -> Result<()> {
    let id = required::<UploadId>(req, "id")?;
    speak_tus(req, res)?;
    let to = destination(req, &call).await?;
    call.app.end_upload(&to, id).await?;
    res.status_code(StatusCode::NO_CONTENT);
    Ok(())
}

fn tell_options(req: &Request, app: &App, res: &mut Response) -> Result<()> {
    // a path that can be none is refused; whether there is such a file is not said
    extract::resource(req, ResourceKind::File, extract::OTHER_PART)?;
    let headers = res.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    headers.insert(TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS));
    headers.insert(TUS_MAX_SIZE, app.config.limits.upload_bytes_max.bytes().into());
    headers.insert(TUS_CHECKSUM_ALGORITHM, HeaderValue::from_static(ALGORITHMS));
    res.status_code(StatusCode::NO_CONTENT);
    Ok(())
}

/// Refuses who speaks another version; says which one is spoken.
fn speak_tus(req: &Request, res: &mut Response) -> Result<()> {
    res.headers_mut().insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    match header(req, &TUS_RESUMABLE) {
        Some(VERSION) => Ok(()),
        found => {
            res.headers_mut().insert(TUS_VERSION, HeaderValue::from_static(VERSION));
            let found = found.unwrap_or("none");
            Err(AppError::new(
                ErrorCode::ProtocolVersion,
                format!(
                    "send Tus-Resumable: {VERSION} with every request of an upload; {found} is not spoken here"
                ),
            ))
        }
    }
}

/// Where the file of a request goes, for a request that writes its row of the audit log with what it commits.
async fn destination(req: &Request, call: &Call) -> Result<Destination> {
    let to = destination_of(call, super::architectures::slot(req)?).await?;
    Ok(Destination { audit: call.audit(None), ..to })
}

/// Where a file goes; what the audit log is told is not part of a commit.
pub(crate) async fn destination_of(call: &Call, slot: Slot) -> Result<Destination> {
    call.target.vagrant_box()?;
    let replace = files::require_replace(call, &slot).await?;
    let found = call.target.vagrant_box.clone();
    Ok(Destination {
        found: found.ok_or_else(|| AppError::internal("a box that is there is not"))?,
        slot,
        user: call.identity.caller().map(|caller| caller.user_id),
        replace,
        audit: call.entry(),
    })
}

fn new_upload(req: &Request, concat: Option<&str>) -> Result<NewUpload> {
    let metadata = header(req, &UPLOAD_METADATA).unwrap_or_default().to_owned();
    let checksum = match declared_checksum(req)? {
        Some(checksum) => Some(checksum),
        None => checksum_in(&metadata)?,
    };
    if req.headers().contains_key(UPLOAD_DEFER_LENGTH) {
        return Err(AppError::invalid(
            "Upload-Defer-Length",
            "is not taken; say how long the file is with Upload-Length",
        ));
    }
    let (is_piece, is_joined) = match concat {
        None => (false, false),
        Some("partial") => (true, false),
        Some(text) if text.starts_with("final;") => (false, true),
        Some(_) => {
            return Err(AppError::invalid(
                "Upload-Concat",
                "must be \"partial\", or \"final;\" and the paths of pieces with blanks between them",
            ));
        }
    };
    let length = match number(req, &UPLOAD_LENGTH)? {
        None if is_joined => 0,
        Some(length) if length > 0 && !is_joined => length,
        Some(_) if is_joined => {
            return Err(AppError::invalid(
                "Upload-Length",
                "follows from the pieces; leave it out",
            ));
        }
        _ => {
            return Err(AppError::invalid("Upload-Length", "say how many bytes the file has"));
        }
    };
    Ok(NewUpload { length, checksum, metadata, is_piece })
}

/// Checks `Upload-Metadata`, and takes the checksum out of it, if there is one.
fn checksum_in(metadata: &str) -> Result<Option<boxvault_types::digest::Checksum>> {
    let wrong = |why: &str| AppError::invalid("Upload-Metadata", why);
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(wrong("must have at most 4096 bytes"));
    }
    let (mut text, mut kind) = (None, "sha256".to_owned());
    for pair in metadata.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = BASE64.decode(value.trim().as_bytes());
        let value = value.map_err(|_| wrong("must be keys, each with a value in Base64"))?;
        let value =
            || String::from_utf8(value).map_err(|_| wrong("has a checksum that is no text"));
        match key {
            "checksum" => text = Some(value()?),
            "checksumType" => kind = value()?,
            _ => {}
        }
    }
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    files::parse_checksum(&text, Some(&kind)).map(Some)
}

/// The uploads that `Upload-Concat: final;…` names, by the last part of each path.
fn pieces_of(text: &str) -> Result<Vec<UploadId>> {
    let wrong = |why: &str| AppError::invalid("Upload-Concat", why);
    let mut pieces = Vec::new();
    for path in text.split(' ').filter(|path| !path.is_empty()) {
        let id = path.rsplit('/').next().and_then(|id| id.parse().ok());
        let id: UploadId = id.ok_or_else(|| wrong("names something that is no upload"))?;
        if pieces.contains(&id) {
            return Err(wrong("names a piece twice"));
        }
        pieces.push(id);
    }
    match pieces.len() {
        0 => Err(wrong("names no pieces")),
        1..=PIECES_MAX => Ok(pieces),
        _ => Err(wrong("names more than 100 pieces")),
    }
}

fn is_chunk(req: &Request) -> bool {
    let kind = req.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(CHUNK_TYPE))
}

fn chunk(req: &Request, offset: u64) -> Result<Chunk> {
    let checksum = header(req, &UPLOAD_CHECKSUM).map(parse_chunk_checksum).transpose()?;
    Ok(Chunk { offset, length: number(req, &CONTENT_LENGTH)?, checksum })
}

/// `sha1 Base64`, as an algorithm and hexadecimal digits.
fn parse_chunk_checksum(text: &str) -> Result<(DigestAlgorithm, String)> {
    let wrong = |why: String| AppError::invalid("Upload-Checksum", why);
    let (name, value) = text.trim().split_once(' ').unwrap_or((text, ""));
    let (algorithm, length) = match name {
        "sha1" => (DigestAlgorithm::Sha1, 20),
        "sha256" => (DigestAlgorithm::Sha256, 32),
        "md5" => (DigestAlgorithm::Md5, 16),
        _ => return Err(wrong(format!("must begin with one of {ALGORITHMS}, not {name:?}"))),
    };
    match BASE64.decode(value.trim().as_bytes()) {
        Ok(bytes) if bytes.len() == length => Ok((algorithm, HEXLOWER.encode(&bytes))),
        _ => Err(wrong(format!("must have a {name} in Base64 after a blank"))),
    }
}

async fn append(
    req: &mut Request,
    call: &Call,
    to: Destination,
    id: UploadId,
    chunk: Chunk,
) -> Result<ResumableUpload> {
    let body = Incoming::of(req);
    let outcome = call.app.append(to, id, chunk, body.clone()).await;
    if let Err(error) = &outcome {
        body.drain_after(error).await;
    }
    outcome
}

fn tell(app: &App, upload: &ResumableUpload, headers: &mut HeaderMap) -> Result<()> {
    headers.insert(UPLOAD_OFFSET, upload.received.cast_unsigned().into());
    headers.insert(UPLOAD_LENGTH, upload.length.cast_unsigned().into());
    if !upload.metadata.is_empty() {
        let metadata = HeaderValue::from_str(&upload.metadata).map_err(AppError::internal)?;
        headers.insert(UPLOAD_METADATA, metadata);
    }
    if upload.is_piece {
        headers.insert(UPLOAD_CONCAT, HeaderValue::from_static("partial"));
    }
    let expires = app.expires_at(upload).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let expires = HeaderValue::from_str(&expires).map_err(AppError::internal)?;
    headers.insert(UPLOAD_EXPIRES, expires);
    Ok(())
}

fn header<'req>(req: &'req Request, name: &HeaderName) -> Option<&'req str> {
    req.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn number(req: &Request, name: &HeaderName) -> Result<Option<u64>> {
    let Some(text) = header(req, name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        AppError::invalid(name.as_str(), format!("must be a number of bytes, not {text:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_of_a_chunk_is_an_algorithm_and_base64() {
        let (algorithm, hex) = parse_chunk_checksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").unwrap();
        assert_eq!(algorithm, DigestAlgorithm::Sha1);
        assert_eq!(hex, "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed");
        for wrong in ["", "sha1", "sha1 abc", "crc32 AAAA", "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0="] {
            assert!(parse_chunk_checksum(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_checksum_of_the_file_may_stand_in_the_metadata() {
        let hex = "ab".repeat(16);
        let metadata = format!(
            "filename d2Vi,checksum {},checksumType bWQ1,empty",
            BASE64.encode(hex.as_bytes())
        );
        assert_eq!(checksum_in(&metadata).unwrap().unwrap().hex(), hex);
        assert_eq!(checksum_in("filename d2Vi").unwrap(), None);
        assert_eq!(checksum_in("").unwrap(), None);
        for wrong in ["filename !", "checksum YWJj", &"a".repeat(5000)] {
            assert!(checksum_in(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn pieces_are_named_by_path_or_address() {
        let (one, two) = (UploadId::new(), UploadId::new());
        let text = format!("/a/b/{one} https://host/a/{two}");
        assert_eq!(pieces_of(&text).unwrap(), [one, two]);
        for wrong in [String::new(), "/a/b".to_owned(), format!("{one} {one}")] {
            assert!(pieces_of(&wrong).is_err(), "{wrong:?}");
        }
    }
}
