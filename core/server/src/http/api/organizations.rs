//! Organizations and their members.

use boxvault_types::{
    names::UserName,
    params::{
        ListQuery,
        organizations::{
            AddMemberParams, CreateOrganizationParams, UpdateMemberParams, UpdateOrganizationParams,
        },
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        organizations::{MemberView, OrganizationView},
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

pub(crate) mod lives;

/// Lists the organizations that the caller may see.
#[utoipa::path(
    get,
    path = "/api/organization",
    tag = "Organization Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The organizations.", body = ListEnvelope<OrganizationView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_organizations(
    call: Call,
    query: Query,
) -> Result<PageReply<OrganizationView>> {
    let (items, page) = call.app.list_organizations(&call.identity, query.0).await?;
    Ok(PageReply::new(format!("{} organizations", page.total), items, page))
}

/// Creates an organization. The caller becomes its owner.
#[utoipa::path(
    post,
    path = "/api/organization",
    tag = "Organization Management",
    request_body = CreateOrganizationParams,
    responses(
        (status = 201, description = "The new organization.", body = Envelope<OrganizationView>),
        (status = 409, description = "The name is taken.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_organization(
    call: Call,
    body: Body<CreateOrganizationParams>,
) -> Result<Reply<OrganizationView>> {
    let created = call.app.create_organization(&call.identity, body.0).await?;
    Ok(Reply::created(format!("organization {} created", created.name), created))
}

/// Reads an organization.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}",
    tag = "Organization Management",
    responses(
        (status = 200, description = "The organization.", body = Envelope<OrganizationView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_organization(call: Call) -> Result<Reply<OrganizationView>> {
    let view = call.app.organization_view(call.target.organization()?, &call.identity).await?;
    Ok(Reply::ok("organization found", view).tagged())
}

/// Changes an organization. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}",
    tag = "Organization Management",
    request_body = UpdateOrganizationParams,
    responses(
        (status = 200, description = "The organization.", body = Envelope<OrganizationView>),
        (status = 409, description = "The name is taken.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_organization(
    call: Call,
    body: Body<UpdateOrganizationParams>,
) -> Result<Reply<OrganizationView>> {
    let organization = call.target.organization()?;
    let changed = call.app.update_organization(&call.identity, organization, body.0).await?;
    Ok(Reply::ok(format!("organization {} changed", changed.name), changed).tagged())
}

/// Lists the members of an organization.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/members",
    tag = "Organization Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The members.", body = ListEnvelope<MemberView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_members(call: Call, query: Query) -> Result<PageReply<MemberView>> {
    let (items, page) = call.app.list_members(call.target.organization()?, query.0).await?;
    Ok(PageReply::new(format!("{} members", page.total), items, page))
}

/// Gives an existing user a place in an organization.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/members",
    tag = "Organization Management",
    request_body = AddMemberParams,
    responses(
        (status = 201, description = "They are a member.", body = Envelope<Nothing>),
        (status = 409, description = "They are a member already.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["USER_NOT_FOUND", "ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn add_member(call: Call, body: Body<AddMemberParams>) -> Result<Reply<Nothing>> {
    let message = format!("{} is now a member, as {}", body.0.username, body.0.role);
    call.notes.about(body.0.username.as_str());
    call.app.add_member(&call.identity, call.target.organization()?, body.0).await?;
    Ok(Reply::created(message, Nothing))
}

/// Gives a member another role.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/members/{username}",
    tag = "Organization Management",
    request_body = UpdateMemberParams,
    responses(
        (status = 200, description = "They have it.", body = Envelope<Nothing>),
        (status = 409, description = "An organization always has an owner.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["MEMBER_NOT_FOUND", "LAST_OWNER"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_member(
    req: &mut Request,
    call: Call,
    body: Body<UpdateMemberParams>,
) -> Result<Reply<Nothing>> {
    let username = required::<UserName>(req, "username")?;
    call.app
        .update_member(&call.identity, call.target.organization()?, &username, body.0.role)
        .await?;
    Ok(Reply::ok(format!("{username} is now {}", body.0.role), Nothing))
}

/// Takes a member out of an organization. Their boxes stay.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/members/{username}",
    tag = "Organization Management",
    responses(
        (status = 200, description = "They are gone.", body = Envelope<Nothing>),
        (status = 409, description = "An organization always has an owner.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["MEMBER_NOT_FOUND", "LAST_OWNER"])))
)]
#[handler]
#[boxed]
pub(crate) async fn remove_member(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let username = required::<UserName>(req, "username")?;
    call.app.remove_member(&call.identity, call.target.organization()?, &username).await?;
    Ok(Reply::ok(format!("{username} is no longer a member"), Nothing))
}
