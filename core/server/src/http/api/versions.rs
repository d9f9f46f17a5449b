//! Versions of a box: prepared, released, revoked.

use boxvault_types::{
    params::{
        ListQuery,
        boxes::{CreateVersionParams, UpdateVersionParams, VersionStatus},
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        boxes::{VersionFileView, VersionView},
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    app::{access, versions},
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

/// Lists the versions of a box, newest first.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version",
    tag = "Box Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The versions.", body = ListEnvelope<VersionView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_versions(call: Call, query: Query) -> Result<PageReply<VersionView>> {
    let all = access::sees_unreleased(&call.policy, &call.identity, &call.target);
    let status = (!all).then_some(VersionStatus::Released);
    let (items, page) = call.app.list_versions(call.target.vagrant_box()?, status, query.0).await?;
    Ok(PageReply::new(format!("{} versions", page.total), items, page))
}

/// Lists every file of a version with what its archive says of itself, and the places for files that are still to come,
/// by provider and architecture.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/files",
    tag = "Box Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The files.", body = ListEnvelope<VersionFileView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_version_files(
    req: &mut Request,
    call: Call,
    query: Query,
) -> Result<PageReply<VersionFileView>> {
    let number = required(req, "version")?;
    let (items, page) =
        call.app.list_version_files(call.target.vagrant_box()?, &number, query.0).await?;
    Ok(PageReply::new(format!("{} files", page.total), items, page))
}

/// Creates a version. Clients do not see it before it is released.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version",
    tag = "Box Management",
    request_body = CreateVersionParams,
    responses(
        (status = 201, description = "The new version.", body = Envelope<VersionView>),
        (status = 409, description = "The version exists.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_version(
    call: Call,
    body: Body<CreateVersionParams>,
) -> Result<Reply<VersionView>> {
    let created = call.app.create_version(call.target.vagrant_box()?, body.0).await?;
    Ok(Reply::created(
        format!("version {} created; upload its files, then release it", created.version_number),
        created,
    ))
}

/// Reads a version.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}",
    tag = "Box Management",
    responses(
        (status = 200, description = "The version.", body = Envelope<VersionView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_version(req: &mut Request, call: Call) -> Result<Reply<VersionView>> {
    let version = call.app.version(call.target.vagrant_box()?, &required(req, "version")?).await?;
    Ok(Reply::ok("version found", versions::view(version)).tagged())
}

/// Changes a version. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/version/{version}",
    tag = "Box Management",
    request_body = UpdateVersionParams,
    responses(
        (status = 200, description = "The version.", body = Envelope<VersionView>),
        (status = 409, description = "The version exists, or this one was released.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_version(
    req: &mut Request,
    call: Call,
    body: Body<UpdateVersionParams>,
) -> Result<Reply<VersionView>> {
    let number = required(req, "version")?;
    let changed = call.app.update_version(call.target.vagrant_box()?, &number, body.0).await?;
    Ok(Reply::ok(format!("version {number} changed"), changed))
}

/// Deletes a version with its files.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/version/{version}",
    tag = "Box Management",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn delete_version(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let number = required(req, "version")?;
    call.app.delete_version(call.target.vagrant_box()?, &number).await?;
    Ok(Reply::ok(format!("version {number} deleted"), Nothing))
}

/// Makes a version visible to clients. Its files are immutable from then on.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/version/{version}/release",
    tag = "Box Management",
    responses(
        (status = 200, description = "The version.", body = Envelope<VersionView>),
        (status = 409, description = "It was released or revoked before, or has no file.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED", "VERSION_EMPTY", "VERSION_STATE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn release_version(req: &mut Request, call: Call) -> Result<Reply<VersionView>> {
    let number = required(req, "version")?;
    let changed = call.app.release_version(call.target.vagrant_box()?, &number).await?;
    Ok(Reply::ok(format!("version {number} released"), changed))
}

/// Withdraws a released version.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/version/{version}/revoke",
    tag = "Box Management",
    responses(
        (status = 200, description = "The version.", body = Envelope<VersionView>),
        (status = 409, description = "It is not released.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["VERSION_STATE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn revoke_version(req: &mut Request, call: Call) -> Result<Reply<VersionView>> {
    let number = required(req, "version")?;
    let changed = call.app.revoke_version(call.target.vagrant_box()?, &number).await?;
    Ok(Reply::ok(format!("version {number} revoked"), changed))
}
