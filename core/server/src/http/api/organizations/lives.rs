//! Suspending and resuming, deleting and restoring organizations; finding one to join; handing over and leaving.

use boxvault_types::{
    error::ErrorCode,
    params::{
        ListQuery,
        organizations::{DeleteOrganizationQuery, HandOverParams, SuspendOrganizationParams},
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        organizations::{DeletedOrganizationView, DiscoveredOrganizationView, OrganizationView},
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    error::{AppError, Result},
    http::{
        boxed,
        call::{Body, Call, Query},
        reply::{PageReply, Reply},
    },
};

/// Lists the organizations that everybody sees, with their numbers of members and public boxes.
#[utoipa::path(
    get,
    path = "/api/organizations/discover",
    tag = "Organization Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The organizations.", body = ListEnvelope<DiscoveredOrganizationView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn discover_organizations(
    call: Call,
    query: Query,
) -> Result<PageReply<DiscoveredOrganizationView>> {
    let (items, page) = call.app.discover_organizations(query.0).await?;
    Ok(PageReply::new(format!("{} organizations", page.total), items, page))
}

/// Suspends an organization: nobody but platform admins gets at anything in it. Its members see that it is suspended,
/// its admins and owners why.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/suspend",
    tag = "Organization Management",
    request_body = SuspendOrganizationParams,
    responses(
        (status = 200, description = "The organization.", body = Envelope<OrganizationView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn suspend_organization(
    call: Call,
    body: Body<SuspendOrganizationParams>,
) -> Result<Reply<OrganizationView>> {
    let organization = call.target.organization()?;
    let view = call.app.suspend_organization(&call.identity, organization, &body.0.reason).await?;
    Ok(Reply::ok(format!("organization {} suspended", view.name), view).tagged())
}

/// Ends the suspension of an organization.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/resume",
    tag = "Organization Management",
    responses(
        (status = 200, description = "The organization.", body = Envelope<OrganizationView>),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn resume_organization(call: Call) -> Result<Reply<OrganizationView>> {
    let organization = call.target.organization()?;
    let view = call.app.resume_organization(&call.identity, organization).await?;
    Ok(Reply::ok(format!("organization {} resumed", view.name), view).tagged())
}

/// Deletes an organization with all that is in it. Its name has to be given once more. For a while
/// (`organizations.restorable_for`) it keeps its name and can be restored; then it goes for good.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}",
    tag = "Organization Management",
    params(DeleteOrganizationQuery),
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn delete_organization(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let organization = call.target.organization()?;
    let confirm = req.queries().get("confirm").map(String::as_str);
    call.app.delete_organization(organization, confirm).await?;
    Ok(Reply::ok(format!("organization {} deleted", organization.name), Nothing))
}

/// Lists the deleted organizations that the caller can restore.
#[utoipa::path(
    get,
    path = "/api/organizations/deleted",
    tag = "Organization Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The organizations, latest first.", body = ListEnvelope<DeletedOrganizationView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_deleted_organizations(
    call: Call,
    query: Query,
) -> Result<PageReply<DeletedOrganizationView>> {
    let (items, page) = call.app.list_deleted_organizations(call.caller()?, query.0).await?;
    Ok(PageReply::new(format!("{} deleted organizations", page.total), items, page))
}

/// Brings a deleted organization back as it was, with its members, boxes and files.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/restore",
    tag = "Organization Management",
    responses(
        (status = 200, description = "The organization.", body = Envelope<OrganizationView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn restore_organization(call: Call) -> Result<Reply<OrganizationView>> {
    let organization = call.target.organization().map_err(|_| {
        let name = call.target.resource.organization().map(ToString::to_string).unwrap_or_default();
        AppError::new(
            ErrorCode::OrganizationNotFound,
            format!("there is no deleted organization {name:?}"),
        )
    })?;
    let view = call.app.restore_organization(&call.identity, organization).await?;
    Ok(Reply::ok(format!("organization {} restored", view.name), view).tagged())
}

/// Makes a member the owner in the caller's place. The caller, if an owner, becomes an admin.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/owner",
    tag = "Organization Management",
    request_body = HandOverParams,
    responses(
        (status = 200, description = "It is handed over.", body = Envelope<Nothing>),
    ),
    extensions(("x-error-codes" = json!(["MEMBER_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn hand_over_organization(
    call: Call,
    body: Body<HandOverParams>,
) -> Result<Reply<Nothing>> {
    let (organization, username) = (call.target.organization()?, &body.0.username);
    call.app.hand_over_organization(&call.identity, organization, username).await?;
    Ok(Reply::ok(format!("{username} owns {} now", organization.name), Nothing))
}
