//! Invitations into organizations, and requests to join them.

use boxvault_types::{
    ids::{InvitationId, JoinRequestId},
    params::{
        ListQuery,
        invitations::{
            ApproveJoinRequestParams, CreateInvitationParams, CreateJoinRequestParams,
            InvitationTokenParams,
        },
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        invitations::{
            InvitationView, JoinRequestView, JoinedView, OpenedInvitationView, OwnJoinRequestView,
        },
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    error::Result,
    http::{
        call::{Body, Call, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

/// Invites somebody into an organization by a message to their address.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/invitations",
    tag = "Organization Management",
    request_body = CreateInvitationParams,
    responses(
        (status = 201, description = "The invitation. Its token is only in the message.", body = Envelope<InvitationView>),
        (status = 409, description = "There is an open one to this address; send it again.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn create_invitation(
    call: Call,
    body: Body<CreateInvitationParams>,
) -> Result<Reply<InvitationView>> {
    let sent = call.app.invite(&call.identity, call.target.organization()?, body.0).await?;
    Ok(Reply::created(format!("invitation sent to {}", sent.email), sent))
}

/// Lists the open invitations of an organization, newest first.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/invitations",
    tag = "Organization Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The invitations.", body = ListEnvelope<InvitationView>),
    )
)]
#[handler]
pub(crate) async fn list_invitations(call: Call, query: Query) -> Result<PageReply<InvitationView>> {
    let (items, page) = call.app.list_invitations(call.target.organization()?, query.0).await?;
    Ok(PageReply::new(format!("{} invitations", page.total), items, page))
}

/// Sends an invitation again, with a new token; the one before ends.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/invitations/{id}/resend",
    tag = "Organization Management",
    responses(
        (status = 200, description = "The invitation.", body = Envelope<InvitationView>),
    )
)]
#[handler]
pub(crate) async fn resend_invitation(
    req: &mut Request,
    call: Call,
) -> Result<Reply<InvitationView>> {
    let id = required::<InvitationId>(req, "id")?;
    let organization = call.target.organization()?;
    let sent = call.app.resend_invitation(&call.identity, organization, id).await?;
    Ok(Reply::ok(format!("invitation sent again to {}", sent.email), sent))
}

/// Withdraws an invitation.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/invitations/{id}",
    tag = "Organization Management",
    responses(
        (status = 200, description = "It opens nothing any more.", body = Envelope<Nothing>),
    )
)]
#[handler]
pub(crate) async fn revoke_invitation(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let id = required::<InvitationId>(req, "id")?;
    call.app.revoke_invitation(call.target.organization()?, id).await?;
    Ok(Reply::ok("invitation withdrawn", Nothing))
}

/// Tells what an invitation is to, by its token. The token is in the body, so that no log has it.
#[utoipa::path(
    post,
    path = "/api/invitations/open",
    tag = "Organization Management",
    request_body = InvitationTokenParams,
    responses(
        (status = 200, description = "The invitation.", body = Envelope<OpenedInvitationView>),
        (status = 404, description = "The token is unknown, was used or has ended.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn open_invitation(
    call: Call,
    body: Body<InvitationTokenParams>,
) -> Result<Reply<OpenedInvitationView>> {
    let found = call.app.open_invitation(&body.0.token).await?;
    Ok(Reply::ok(format!("invitation into {}", found.organization), found))
}

/// Makes the caller a member, by the token of an invitation. It works once.
#[utoipa::path(
    post,
    path = "/api/invitations/accept",
    tag = "Organization Management",
    request_body = InvitationTokenParams,
    responses(
        (status = 200, description = "The new place.", body = Envelope<JoinedView>),
        (status = 404, description = "The token is unknown, was used or has ended.", body = ErrorEnvelope),
        (status = 409, description = "The caller is a member already.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn accept_invitation(
    call: Call,
    body: Body<InvitationTokenParams>,
) -> Result<Reply<JoinedView>> {
    let joined = call.app.accept_invitation(&call.identity, &body.0.token).await?;
    Ok(Reply::ok(format!("you are now a member of {}", joined.organization), joined))
}

/// Says no to an invitation, by its token.
#[utoipa::path(
    post,
    path = "/api/invitations/decline",
    tag = "Organization Management",
    request_body = InvitationTokenParams,
    responses(
        (status = 200, description = "It opens nothing any more.", body = Envelope<Nothing>),
        (status = 404, description = "The token is unknown, was used or has ended.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn decline_invitation(
    call: Call,
    body: Body<InvitationTokenParams>,
) -> Result<Reply<Nothing>> {
    call.app.decline_invitation(&body.0.token).await?;
    Ok(Reply::ok("invitation declined", Nothing))
}

/// Asks to join an organization that takes requests (`request_to_join`). Its admins and owners are told by mail.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/requests",
    tag = "Organization Management",
    request_body = CreateJoinRequestParams,
    responses(
        (status = 201, description = "They will decide.", body = Envelope<OwnJoinRequestView>),
        (status = 409, description = "The caller is a member, or has asked already.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn create_join_request(
    call: Call,
    body: Body<CreateJoinRequestParams>,
) -> Result<Reply<OwnJoinRequestView>> {
    let organization = call.target.organization()?;
    let made = call.app.request_to_join(&call.identity, organization, body.0).await?;
    Ok(Reply::created(format!("the admins of {} will decide", made.organization), made))
}

/// Lists the open requests to join an organization, oldest first.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/requests",
    tag = "Organization Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The requests.", body = ListEnvelope<JoinRequestView>),
    )
)]
#[handler]
pub(crate) async fn list_join_requests(
    call: Call,
    query: Query,
) -> Result<PageReply<JoinRequestView>> {
    let (items, page) = call.app.list_join_requests(call.target.organization()?, query.0).await?;
    Ok(PageReply::new(format!("{} requests", page.total), items, page))
}

/// Takes somebody in who asked for it.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/requests/{id}/approve",
    tag = "Organization Management",
    request_body = ApproveJoinRequestParams,
    responses(
        (status = 200, description = "They are a member.", body = Envelope<Nothing>),
        (status = 409, description = "They are a member already.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn approve_join_request(
    req: &mut Request,
    call: Call,
    body: Body<ApproveJoinRequestParams>,
) -> Result<Reply<Nothing>> {
    let id = required::<JoinRequestId>(req, "id")?;
    let organization = call.target.organization()?;
    let role = body.0.role;
    let user = call.app.approve_join_request(&call.identity, organization, id, role).await?;
    Ok(Reply::ok(format!("{user} is now a member"), Nothing))
}

/// Says no to somebody who asked to join. They may ask again.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/requests/{id}/deny",
    tag = "Organization Management",
    responses(
        (status = 200, description = "They are no member.", body = Envelope<Nothing>),
    )
)]
#[handler]
pub(crate) async fn deny_join_request(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let id = required::<JoinRequestId>(req, "id")?;
    let user = call.app.deny_join_request(call.target.organization()?, id).await?;
    Ok(Reply::ok(format!("the request of {user} is denied"), Nothing))
}

/// Lists the caller's own requests to join, latest first, with what became of them.
#[utoipa::path(
    get,
    path = "/api/user/requests",
    tag = "User Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The requests.", body = ListEnvelope<OwnJoinRequestView>),
    )
)]
#[handler]
pub(crate) async fn list_own_join_requests(
    call: Call,
    query: Query,
) -> Result<PageReply<OwnJoinRequestView>> {
    let (items, page) = call.app.list_own_join_requests(call.caller()?, query.0).await?;
    Ok(PageReply::new(format!("{} requests", page.total), items, page))
}

/// Takes one of the caller's own requests back.
#[utoipa::path(
    delete,
    path = "/api/user/requests/{id}",
    tag = "User Management",
    responses(
        (status = 200, description = "It is withdrawn.", body = Envelope<Nothing>),
    )
)]
#[handler]
pub(crate) async fn withdraw_join_request(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let id = required::<JoinRequestId>(req, "id")?;
    call.app.withdraw_join_request(call.caller()?, id).await?;
    Ok(Reply::ok("request withdrawn", Nothing))
}
