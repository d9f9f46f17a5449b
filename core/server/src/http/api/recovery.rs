//! What links in messages stand for: a forgotten password, the proof of an address. Nobody needs to be signed in.

use boxvault_types::{
    params::account::{RequestLinkParams, ResetPasswordParams, VerifyEmailParams},
    views::{Envelope, Nothing},
};
use salvo::{Writer as _, handler};

use crate::{
    app::links::LinkWish,
    error::Result,
    http::{
        boxed,
        call::{Body, Call},
        reply::Reply,
    },
};

/// The same, whoever asked: an answer that differs would tell who has an account.
const UNDER_WAY: &str =
    "if there is such an account, a message is on its way to its e-mail address";

/// Sends a link to choose a new password by. The answer is the same whether there is such an account or not.
#[utoipa::path(
    post,
    path = "/api/auth/forgot-password",
    tag = "Authentication & Authorization",
    request_body = RequestLinkParams,
    responses(
        (status = 200, description = "If there is such an account, a message is under way.", body = Envelope<Nothing>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn request_reset_link(
    call: Call,
    body: Body<RequestLinkParams>,
) -> Result<Reply<Nothing>> {
    call.notes.aims_at(call.app.account_named(&body.0.email, None).await);
    call.app.wish_for_link(LinkWish::ResetPassword, body.0).await?;
    Ok(Reply::ok(UNDER_WAY, Nothing))
}

/// Chooses a new password by the link that was sent. Ends every session and every other link of the account.
#[utoipa::path(
    post,
    path = "/api/auth/reset-password",
    tag = "Authentication & Authorization",
    request_body = ResetPasswordParams,
    responses(
        (status = 200, description = "It is changed.", body = Envelope<Nothing>),
    ),
    extensions(("x-error-codes" = json!(["LINK_INVALID"])))
)]
#[handler]
#[boxed]
pub(crate) async fn reset_password(
    call: Call,
    body: Body<ResetPasswordParams>,
) -> Result<Reply<Nothing>> {
    let user = call.app.reset_password(body.0).await?;
    call.notes.done_by(user.id, &user.name);
    Ok(Reply::ok("password changed; every session has ended, sign in with the new one", Nothing))
}

/// Proves an e-mail address by the link that was sent to it.
#[utoipa::path(
    post,
    path = "/api/auth/verify-email",
    tag = "Authentication & Authorization",
    request_body = VerifyEmailParams,
    responses(
        (status = 200, description = "It is proven, and the account's from now on.", body = Envelope<Nothing>),
        (status = 409, description = "Another account has the address by now.", body = boxvault_types::views::ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["LINK_INVALID", "ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn verify_email(
    call: Call,
    body: Body<VerifyEmailParams>,
) -> Result<Reply<Nothing>> {
    let user = call.app.verify_email(&body.0.token).await?;
    call.notes.done_by(user.id, &user.name);
    Ok(Reply::ok("e-mail address confirmed", Nothing))
}

/// Sends the link that proves an address once more. The answer is the same whether there is such an account or not.
#[utoipa::path(
    post,
    path = "/api/auth/resend-verification",
    tag = "Authentication & Authorization",
    request_body = RequestLinkParams,
    responses(
        (status = 200, description = "If there is such an account, a message is under way.", body = Envelope<Nothing>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn request_verification_link(
    call: Call,
    body: Body<RequestLinkParams>,
) -> Result<Reply<Nothing>> {
    call.notes.aims_at(call.app.account_named(&body.0.email, None).await);
    call.app.wish_for_link(LinkWish::VerifyEmail, body.0).await?;
    Ok(Reply::ok(UNDER_WAY, Nothing))
}
