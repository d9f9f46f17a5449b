//! Requests to join organizations.

use boxvault_types::{
    ids::JoinRequestId,
    params::{
        ListQuery, NoParams,
        join_requests::{ApproveJoinRequestParams, CreateJoinRequestParams},
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        join_requests::{JoinRequestView, OwnJoinRequestView},
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

/// Asks to join an organization whose access mode is `request_to_join`. Its admins and owners are told by e-mail.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/requests",
    tag = "Organization Management",
    request_body = CreateJoinRequestParams,
    responses(
        (status = 201, description = "The request; an admin decides.", body = Envelope<OwnJoinRequestView>),
        (status = 403, description = "The organization takes members by invitation only.", body = ErrorEnvelope),
        (status = 409, description = "The caller is a member, or has asked already.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["JOIN_REQUESTS_CLOSED", "ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_join_request(
    call: Call,
    body: Body<CreateJoinRequestParams>,
) -> Result<Reply<OwnJoinRequestView>> {
    let caller = call.caller()?;
    call.notes.about(caller.name.as_str());
    let organization = call.target.organization()?;
    let made = call.app.request_to_join(caller, organization, body.0).await?;
    Ok(Reply::created(format!("an admin of {} will decide", made.organization), made))
}

/// Lists the requests to join an organization that wait for a decision, oldest first.
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
#[boxed]
pub(crate) async fn list_join_requests(
    call: Call,
    query: Query,
) -> Result<PageReply<JoinRequestView>> {
    let (items, page) = call.app.list_join_requests(call.target.organization()?, query.0).await?;
    Ok(PageReply::new(format!("{} requests", page.total), items, page))
}

/// Takes somebody in who asked for it. They are told by e-mail.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/requests/{id}/approve",
    tag = "Organization Management",
    request_body = ApproveJoinRequestParams,
    responses(
        (status = 200, description = "They are a member.", body = Envelope<Nothing>),
        (status = 404, description = "It was decided or withdrawn before.", body = ErrorEnvelope),
        (status = 409, description = "The account is suspended; the request stays.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "JOIN_REQUEST_NOT_FOUND", "ALREADY_EXISTS", "ACCOUNT_SUSPENDED"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn approve_join_request(
    req: &mut Request,
    call: Call,
    body: Body<ApproveJoinRequestParams>,
) -> Result<Reply<Nothing>> {
    let id = required::<JoinRequestId>(req, "id")?;
    let organization = call.target.organization()?;
    let user = call.app.approve_join_request(&call.identity, organization, id, body.0.role).await?;
    call.notes.about(user.as_str());
    Ok(Reply::ok(format!("{user} is now a member"), Nothing))
}

/// Says no to somebody who asked to join. They are told by e-mail, and may ask again.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/requests/{id}/deny",
    tag = "Organization Management",
    request_body = NoParams,
    responses(
        (status = 200, description = "They are no member.", body = Envelope<Nothing>),
        (status = 404, description = "It was decided or withdrawn before.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["JOIN_REQUEST_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn deny_join_request(
    req: &mut Request,
    call: Call,
    _body: Body<NoParams>,
) -> Result<Reply<Nothing>> {
    let id = required::<JoinRequestId>(req, "id")?;
    let user = call.app.deny_join_request(call.target.organization()?, id).await?;
    call.notes.about(user.as_str());
    Ok(Reply::ok(format!("the request of {user} is denied"), Nothing))
}

/// Lists the caller's own requests to join organizations, latest first, with what became of them.
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
#[boxed]
pub(crate) async fn list_own_join_requests(
    call: Call,
    query: Query,
) -> Result<PageReply<OwnJoinRequestView>> {
    let (items, page) = call.app.list_own_join_requests(call.caller()?, query.0).await?;
    Ok(PageReply::new(format!("{} requests", page.total), items, page))
}

/// Takes one of the caller's own requests to join back.
#[utoipa::path(
    delete,
    path = "/api/user/requests/{id}",
    tag = "User Management",
    responses(
        (status = 200, description = "It is withdrawn.", body = Envelope<OwnJoinRequestView>),
        (status = 404, description = "There is none of the caller that waits.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["JOIN_REQUEST_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn withdraw_join_request(
    req: &mut Request,
    call: Call,
) -> Result<Reply<OwnJoinRequestView>> {
    let id = required::<JoinRequestId>(req, "id")?;
    let withdrawn = call.app.withdraw_join_request(call.caller()?, id).await?;
    Ok(Reply::ok("request withdrawn", withdrawn))
}
