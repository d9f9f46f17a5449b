//! What the caller may do, asked ahead.

use boxvault_types::views::{Envelope, permissions::PermissionsView};
use salvo::{Writer as _, handler};

use crate::{
    error::Result,
    http::{boxed, call::Call, reply::Reply},
};

/// Tells what the caller may do with the server as a whole.
#[utoipa::path(
    get,
    path = "/api/user/permissions",
    tag = "User Management",
    responses(
        (status = 200, description = "What is allowed now.", body = Envelope<PermissionsView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_own_permissions(call: Call) -> Result<Reply<PermissionsView>> {
    permissions(&call).await
}

/// Tells what the caller may do with an organization and what belongs to it.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/permissions",
    tag = "Organization Management",
    responses(
        (status = 200, description = "What is allowed now.", body = Envelope<PermissionsView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_organization_permissions(call: Call) -> Result<Reply<PermissionsView>> {
    permissions(&call).await
}

/// Tells what the caller may do with a box.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/permissions",
    tag = "Box Management",
    responses(
        (status = 200, description = "What is allowed now.", body = Envelope<PermissionsView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_box_permissions(call: Call) -> Result<Reply<PermissionsView>> {
    permissions(&call).await
}

/// Tells what the caller may do with a version and its files.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/permissions",
    tag = "Box Management",
    responses(
        (status = 200, description = "What is allowed now.", body = Envelope<PermissionsView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_version_permissions(call: Call) -> Result<Reply<PermissionsView>> {
    permissions(&call).await
}

async fn permissions(call: &Call) -> Result<Reply<PermissionsView>> {
    let view = call.app.permissions(&call.policy, &call.identity, &call.target).await?;
    Ok(Reply::ok("what is allowed", view))
}
