//! Versions of a box.

use boxvault_types::{
    params::hcp::HcpVersionParams,
    version::BoxVersion,
    views::hcp::{HcpNothing, HcpVersionAnswer, HcpVersionsAnswer},
};
use salvo::{Request, Writer as _, handler};

use super::super::{
    Plain,
    boxes::visible,
    versions::{change, create},
};
use crate::{
    error::Result,
    http::{
        boxed,
        call::{Body, Call},
        extract::required,
    },
};

/// Lists the versions of a box: those that are released, and all of them for members.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/versions",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The versions.", body = HcpVersionsAnswer),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_hcp_versions(call: Call) -> Result<Plain<HcpVersionsAnswer>> {
    let id = call.target.vagrant_box()?.vagrant_box.id;
    let versions = call.app.hcp_versions(id, visible(&call)).await?;
    Ok(Plain(HcpVersionsAnswer { versions }))
}

/// Creates a version. Clients do not see it before it is released.
#[utoipa::path(
    post,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/versions",
    tag = "HCP Vagrant Registry",
    request_body = HcpVersionParams,
    responses(
        (status = 200, description = "The new version.", body = HcpVersionAnswer),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_hcp_version(
    call: Call,
    body: Body<HcpVersionParams>,
) -> Result<Plain<HcpVersionAnswer>> {
    let number = create(&call, body.0.into(), "name").await?;
    show(&call, &number).await
}

/// Reads a version with its providers.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The version.", body = HcpVersionAnswer),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_hcp_version(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpVersionAnswer>> {
    show(&call, &required(req, "version")?).await
}

/// Changes a version. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}",
    tag = "HCP Vagrant Registry",
    request_body = HcpVersionParams,
    responses(
        (status = 200, description = "The version.", body = HcpVersionAnswer),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_hcp_version(
    req: &mut Request,
    call: Call,
    body: Body<HcpVersionParams>,
) -> Result<Plain<HcpVersionAnswer>> {
    let number = change(&call, required(req, "version")?, body.0.into()).await?;
    show(&call, &number).await
}

/// Deletes a version with its files.
#[utoipa::path(
    delete,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "It is gone.", body = HcpNothing),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn delete_hcp_version(req: &mut Request, call: Call) -> Result<Plain<HcpNothing>> {
    call.app.delete_version(call.target.vagrant_box()?, &required(req, "version")?).await?;
    Ok(Plain(HcpNothing {}))
}

/// Makes a version visible to clients. Its files are immutable from then on.
#[utoipa::path(
    put,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/release",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "It is released.", body = HcpNothing),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED", "VERSION_EMPTY", "VERSION_STATE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn release_hcp_version(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpNothing>> {
    call.app.release_version(call.target.vagrant_box()?, &required(req, "version")?).await?;
    Ok(Plain(HcpNothing {}))
}

/// Withdraws a released version.
#[utoipa::path(
    put,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/revoke",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "It is withdrawn.", body = HcpNothing),
    ),
    extensions(("x-error-codes" = json!(["VERSION_STATE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn revoke_hcp_version(req: &mut Request, call: Call) -> Result<Plain<HcpNothing>> {
    call.app.revoke_version(call.target.vagrant_box()?, &required(req, "version")?).await?;
    Ok(Plain(HcpNothing {}))
}

async fn show(call: &Call, number: &BoxVersion) -> Result<Plain<HcpVersionAnswer>> {
    let version = call.app.hcp_version(call.target.vagrant_box()?, number).await?;
    Ok(Plain(HcpVersionAnswer { version }))
}
