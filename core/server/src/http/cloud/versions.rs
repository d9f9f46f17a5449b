//! Versions of a box.

use boxvault_types::{
    params::{
        boxes::{CreateVersionParams, UpdateVersionParams},
        cloud::CloudVersionParams,
    },
    version::BoxVersion,
    views::cloud::CloudVersionView,
};
use salvo::{Request, Writer as _, handler};

use super::{NounBody, Plain, place};
use crate::{
    app::cloud::missing_field,
    error::Result,
    http::{boxed, call::Call, extract::required},
};

/// Creates a version. Clients do not see it before it is released.
#[utoipa::path(
    post,
    path = "/api/v2/box/{organization}/{box}/versions",
    tag = "Vagrant Cloud",
    request_body = CloudVersionParams,
    responses(
        (status = 200, description = "The new version.", body = CloudVersionView),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_cloud_version(
    req: &mut Request,
    call: Call,
    body: NounBody<CloudVersionParams>,
) -> Result<Plain<CloudVersionView>> {
    let number = create(&call, body.0, "version").await?;
    show(req, &call, &number).await
}

/// Reads a version with its providers.
#[utoipa::path(
    get,
    path = "/api/v2/box/{organization}/{box}/version/{version}",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The version.", body = CloudVersionView),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_cloud_version(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudVersionView>> {
    show(req, &call, &required(req, "version")?).await
}

/// Changes a version. What is absent or null stays as it is.
#[utoipa::path(
    put,
    path = "/api/v2/box/{organization}/{box}/version/{version}",
    tag = "Vagrant Cloud",
    request_body = CloudVersionParams,
    responses(
        (status = 200, description = "The version.", body = CloudVersionView),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_cloud_version(
    req: &mut Request,
    call: Call,
    body: NounBody<CloudVersionParams>,
) -> Result<Plain<CloudVersionView>> {
    let number = change(&call, required(req, "version")?, body.0).await?;
    show(req, &call, &number).await
}

/// Deletes a version with its files.
#[utoipa::path(
    delete,
    path = "/api/v2/box/{organization}/{box}/version/{version}",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The version as it was.", body = CloudVersionView),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn delete_cloud_version(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudVersionView>> {
    let number = required(req, "version")?;
    let view = show(req, &call, &number).await?;
    call.app.delete_version(call.target.vagrant_box()?, &number).await?;
    Ok(view)
}

/// Makes a version visible to clients. Its files are immutable from then on.
#[utoipa::path(
    put,
    path = "/api/v2/box/{organization}/{box}/version/{version}/release",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The version.", body = CloudVersionView),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED", "VERSION_EMPTY", "VERSION_STATE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn release_cloud_version(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudVersionView>> {
    let number = required(req, "version")?;
    call.app.release_version(call.target.vagrant_box()?, &number).await?;
    show(req, &call, &number).await
}

/// Withdraws a released version.
#[utoipa::path(
    put,
    path = "/api/v2/box/{organization}/{box}/version/{version}/revoke",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The version.", body = CloudVersionView),
    ),
    extensions(("x-error-codes" = json!(["VERSION_STATE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn revoke_cloud_version(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudVersionView>> {
    let number = required(req, "version")?;
    call.app.revoke_version(call.target.vagrant_box()?, &number).await?;
    show(req, &call, &number).await
}

/// Creates a version. The field of its number has a name of its own in each of the two APIs.
pub(super) async fn create(
    call: &Call,
    params: CloudVersionParams,
    number_field: &'static str,
) -> Result<BoxVersion> {
    let number = params.version.ok_or_else(|| missing_field(number_field))?;
    let params = CreateVersionParams {
        version_number: number.clone(),
        description: params.description.unwrap_or_default(),
        release_notes: None,
    };
    call.app.create_version(call.target.vagrant_box()?, params).await?;
    call.notes.about(number.as_str());
    Ok(number)
}

/// Changes a version; tells the number that it has then.
pub(super) async fn change(
    call: &Call,
    number: BoxVersion,
    params: CloudVersionParams,
) -> Result<BoxVersion> {
    let renamed = params.version.filter(|other| other.as_str() != number.as_str());
    let params = UpdateVersionParams {
        version_number: renamed.clone(),
        description: params.description,
        ..UpdateVersionParams::default()
    };
    call.app.update_version(call.target.vagrant_box()?, &number, params).await?;
    Ok(renamed.unwrap_or(number))
}

async fn show(req: &Request, call: &Call, number: &BoxVersion) -> Result<Plain<CloudVersionView>> {
    let found = call.target.vagrant_box()?;
    Ok(Plain(call.app.cloud_version(&place(req, call), found, number).await?))
}
