//! Invitations into organizations.

use boxvault_types::{
    ids::InvitationId,
    params::{
        ListQuery,
        invitations::{CreateInvitationParams, InvitationTokenParams},
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        invitations::{InvitationView, JoinedView, OpenedInvitationView},
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

/// Invites somebody into an organization by a message to their address.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/invitations",
    tag = "Organization Management",
    request_body = CreateInvitationParams,
    responses(
        (status = 201, description = "The invitation. Its token is only in the message.", body = Envelope<InvitationView>),
        (status = 409, description = "There is an open one to this address; send it again.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_invitation(
    call: Call,
    body: Body<CreateInvitationParams>,
) -> Result<Reply<InvitationView>> {
    let (organization, language) = (call.target.organization()?, call.facts.language);
    let sent = call.app.invite(&call.identity, organization, body.0, language).await?;
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
#[boxed]
pub(crate) async fn list_invitations(
    call: Call,
    query: Query,
) -> Result<PageReply<InvitationView>> {
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
    ),
    extensions(("x-error-codes" = json!(["INVITATION_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn resend_invitation(
    req: &mut Request,
    call: Call,
) -> Result<Reply<InvitationView>> {
    let id = required::<InvitationId>(req, "id")?;
    let (organization, language) = (call.target.organization()?, call.facts.language);
    let sent = call.app.resend_invitation(&call.identity, organization, id, language).await?;
    Ok(Reply::ok(format!("invitation sent again to {}", sent.email), sent))
}

/// Withdraws an invitation.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/invitations/{id}",
    tag = "Organization Management",
    responses(
        (status = 200, description = "It opens nothing any more.", body = Envelope<Nothing>),
    ),
    extensions(("x-error-codes" = json!(["INVITATION_NOT_FOUND"])))
)]
#[handler]
#[boxed]
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
    ),
    extensions(("x-error-codes" = json!(["INVITATION_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn open_invitation(
    call: Call,
    body: Body<InvitationTokenParams>,
) -> Result<Reply<OpenedInvitationView>> {
    let found = call.app.open_invitation(&body.0.token).await?;
    Ok(Reply::ok(format!("invitation into {}", found.organization), found))
}

/// Makes the caller a member, by the token of an invitation to their address. It works once, and proves the address.
/// Who has no account yet signs up with the token (`POST /api/auth/signup`, `invitation`).
#[utoipa::path(
    post,
    path = "/api/invitations/accept",
    tag = "Organization Management",
    request_body = InvitationTokenParams,
    responses(
        (status = 200, description = "The new place.", body = Envelope<JoinedView>),
        (status = 404, description = "The token is unknown, was used or has ended.", body = ErrorEnvelope),
        (status = 409, description = "The caller is a member already.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "INVITATION_NOT_FOUND", "INVITATION_FOR_OTHER", "ALREADY_EXISTS"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn accept_invitation(
    call: Call,
    body: Body<InvitationTokenParams>,
) -> Result<Reply<JoinedView>> {
    let joined = call.app.accept_invitation(call.caller()?, &body.0.token).await?;
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
    ),
    extensions(("x-error-codes" = json!(["INVITATION_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn decline_invitation(
    call: Call,
    body: Body<InvitationTokenParams>,
) -> Result<Reply<Nothing>> {
    call.app.decline_invitation(&body.0.token).await?;
    Ok(Reply::ok("invitation declined", Nothing))
}
