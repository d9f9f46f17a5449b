//! What the page of a box shows: its texts as HTML, and its picture.

use boxvault_types::views::{
    Envelope, ErrorEnvelope, Nothing,
    boxes::{RenderedBoxView, RenderedVersionView},
};
use salvo::{Request, Response, Writer as _, handler};

use crate::{
    error::Result,
    http::{
        boxed,
        call::{Call, read_bounded},
        extract::required,
        pictures::{self, Picture},
        reply::Reply,
    },
};

/// Reads the description and README of a box as HTML that is safe in a page.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/rendered",
    tag = "Box Management",
    responses(
        (status = 200, description = "The texts.", body = Envelope<RenderedBoxView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_rendered_box(call: Call) -> Result<Reply<RenderedBoxView>> {
    let found = &call.target.vagrant_box()?.vagrant_box;
    let rendered = call.app.render_box(&found.description, found.readme.as_deref()).await?;
    Ok(Reply::ok("texts rendered", rendered).tagged())
}

/// Reads the description and release notes of a version as HTML that is safe in a page.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/rendered",
    tag = "Box Management",
    responses(
        (status = 200, description = "The texts.", body = Envelope<RenderedVersionView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_rendered_version(
    req: &mut Request,
    call: Call,
) -> Result<Reply<RenderedVersionView>> {
    let version = call.app.version(call.target.vagrant_box()?, &required(req, "version")?).await?;
    let rendered = call.app.render_version(&version.description, &version.release_notes).await?;
    Ok(Reply::ok("texts rendered", rendered).tagged())
}

/// Reads the picture of a box.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/artwork",
    tag = "Box Management",
    responses(
        (status = 200, description = "The picture.", content(
            (String = "image/png"),
            (String = "image/jpeg"),
            (String = "image/webp"),
        )),
        (status = 304, description = "As `If-None-Match` says."),
    ),
    extensions(("x-error-codes" = json!(["FILE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_artwork(req: &mut Request, res: &mut Response, call: Call) -> Result<()> {
    let found = call.target.vagrant_box()?;
    let (artwork, digest) = call.app.read_artwork(found).await?;
    let picture = Picture {
        media_type: artwork.media_type,
        content: artwork.content,
        digest,
        cache: "private, no-cache",
    };
    pictures::serve(req, res, picture)
}

/// Gives a box a picture: PNG, JPEG or WebP, as its bytes.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/artwork",
    tag = "Box Management",
    request_body(content = String, content_type = "application/octet-stream", description = "The picture."),
    responses(
        (status = 200, description = "The box has it.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names another picture.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["FILE_TOO_LARGE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn set_artwork(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let found = call.target.vagrant_box()?;
    let limit = call.app.config.limits.artwork_bytes_max.bytes();
    let content = read_bounded(req, limit, "limits.artwork_bytes_max").await?;
    call.app.set_artwork(found, content).await?;
    Ok(Reply::ok("artwork stored", Nothing))
}

/// Takes the picture of a box away.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/artwork",
    tag = "Box Management",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names another picture.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["FILE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_artwork(call: Call) -> Result<Reply<Nothing>> {
    let found = call.target.vagrant_box()?;
    call.app.delete_artwork(found).await?;
    Ok(Reply::ok("artwork deleted", Nothing))
}
