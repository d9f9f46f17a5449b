//! Set-up, sign-up, sign-in, refresh, sign-out, sessions.

use boxvault_types::{
    ids::SessionId,
    params::{
        ListQuery, NoParams,
        account::{RefreshParams, SetupParams, SignInParams, SignUpParams},
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        account::{SessionView, SignInMethodView, SignInView, SignedOutView, UserView},
    },
};
use salvo::{Request, Writer as _, handler, http::header::USER_AGENT};

use crate::{
    app::sessions::Device,
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

pub(crate) fn device(req: &Request, call: &Call) -> Device {
    let user_agent =
        req.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(ToOwned::to_owned);
    Device { address: call.facts.address, user_agent }
}

/// Makes the first platform admin of a new server, by the one-time token that it printed.
#[utoipa::path(
    post,
    path = "/api/setup",
    tag = "Authentication & Authorization",
    request_body = SetupParams,
    responses(
        (status = 201, description = "The admin, signed in.", body = Envelope<SignInView>),
        (status = 409, description = "The server is set up.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "SETUP_TOKEN_INVALID", "ALREADY_SET_UP", "ALREADY_EXISTS"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn set_up(
    req: &mut Request,
    call: Call,
    body: Body<SetupParams>,
) -> Result<Reply<SignInView>> {
    let view = call.app.set_up(body.0, device(req, &call)).await?;
    Ok(Reply::created("the server is set up; create an organization next", view))
}

/// Lists the ways to sign in.
#[utoipa::path(
    get,
    path = "/api/auth/methods",
    tag = "Authentication & Authorization",
    responses(
        (status = 200, description = "The ways.", body = Envelope<Vec<SignInMethodView>>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_sign_in_methods(call: Call) -> Result<Reply<Vec<SignInMethodView>>> {
    Ok(Reply::ok("the ways to sign in", call.app.sign_in_methods()))
}

/// Makes a new account, if the server is open for it.
#[utoipa::path(
    post,
    path = "/api/auth/signup",
    tag = "Authentication & Authorization",
    request_body = SignUpParams,
    responses(
        (status = 201, description = "The new account.", body = Envelope<UserView>),
        (status = 409, description = "The name or the address is taken.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "SIGN_UP_CLOSED", "ALREADY_EXISTS", "INVITATION_NOT_FOUND", "INVITATION_FOR_OTHER"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn sign_up(call: Call, body: Body<SignUpParams>) -> Result<Reply<UserView>> {
    let (user, organization) = call.app.sign_up(body.0, call.facts.language).await?;
    if let Some(organization) = &organization {
        call.notes.also_in(organization);
    }
    let unproven = !user.email_verified && call.app.config.auth.email_verification_required;
    let next = if unproven {
        "open the link in the message that is on its way to your e-mail address, then sign in"
    } else {
        "sign in next"
    };
    Ok(Reply::created(format!("account {} created; {next}", user.username), user))
}

/// Signs in by name or e-mail address and password, and a code where the account has a second factor: without one the
/// answer is `SECOND_FACTOR_REQUIRED`, and the same request with `code` goes on.
#[utoipa::path(
    post,
    path = "/api/auth/signin",
    tag = "Authentication & Authorization",
    request_body = SignInParams,
    responses(
        (status = 200, description = "A session and its tokens.", body = Envelope<SignInView>),
    ),
    extensions(("x-error-codes" = json!([
        "SIGN_IN_FAILED", "SIGN_IN_THROTTLED", "SECOND_FACTOR_REQUIRED", "SECOND_FACTOR_INVALID",
        "EMAIL_UNVERIFIED", "AUTH_PROVIDER_UNAVAILABLE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn sign_in(
    req: &mut Request,
    call: Call,
    body: Body<SignInParams>,
) -> Result<Reply<SignInView>> {
    let (typed, issuer) = (body.0.username.clone(), body.0.provider.clone());
    match call.app.sign_in(body.0, device(req, &call)).await {
        Ok(view) => Ok(Reply::ok("signed in", view)),
        Err(error) => {
            // what was typed is not written down: some type their password there
            call.notes.aims_at(call.app.account_named(&typed, issuer.as_deref()).await);
            Err(error)
        }
    }
}

/// Gives a new pair of tokens for a refresh token, once. A later use ends the session.
///
/// A client that lost the answer may send the same token again within 30 seconds, unless it used what it got: it gets
/// the same next refresh token.
#[utoipa::path(
    post,
    path = "/api/auth/refresh-token",
    tag = "Authentication & Authorization",
    request_body = RefreshParams,
    responses(
        (status = 200, description = "The session and its new tokens.", body = Envelope<SignInView>),
    ),
    extensions(("x-error-codes" = json!(["REFRESH_TOKEN_INVALID"])))
)]
#[handler]
#[boxed]
pub(crate) async fn refresh_session(
    call: Call,
    body: Body<RefreshParams>,
) -> Result<Reply<SignInView>> {
    let aims_at = |name| call.notes.aims_at(Some(name));
    let view = call.app.refresh_session(body.0.refresh_token.expose(), aims_at).await?;
    Ok(Reply::ok("session refreshed", view))
}

/// Ends the session that asks, and tells where the one at its auth provider is ended, too.
#[utoipa::path(
    post,
    path = "/api/auth/signout",
    tag = "Authentication & Authorization",
    responses(
        (status = 200, description = "It is ended.", body = Envelope<SignedOutView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn sign_out(call: Call) -> Result<Reply<SignedOutView>> {
    let caller = call.caller()?;
    call.app.sign_out(caller).await?;
    Ok(Reply::ok("signed out", call.app.sign_out_elsewhere(caller).await))
}

/// Ends every session of the caller, the one that asks included.
#[utoipa::path(
    post,
    path = "/api/auth/signout-everywhere",
    tag = "Authentication & Authorization",
    request_body = NoParams,
    responses(
        (status = 200, description = "They are ended.", body = Envelope<Nothing>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn sign_out_everywhere(
    call: Call,
    _body: Body<NoParams>,
) -> Result<Reply<Nothing>> {
    let ended = call.app.sign_out_everywhere(call.caller()?).await?;
    Ok(Reply::ok(format!("{ended} sessions ended"), Nothing))
}

/// Lists the caller's sessions.
#[utoipa::path(
    get,
    path = "/api/auth/sessions",
    tag = "Authentication & Authorization",
    params(ListQuery),
    responses(
        (status = 200, description = "The sessions.", body = ListEnvelope<SessionView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_sessions(call: Call, query: Query) -> Result<PageReply<SessionView>> {
    let (items, page) = call.app.list_sessions(call.caller()?, query.0).await?;
    Ok(PageReply::new(format!("{} sessions", page.total), items, page))
}

/// Ends the caller's sessions, except the one that asks.
#[utoipa::path(
    delete,
    path = "/api/auth/sessions",
    tag = "Authentication & Authorization",
    responses(
        (status = 200, description = "They are ended.", body = Envelope<Nothing>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn end_other_sessions(call: Call) -> Result<Reply<Nothing>> {
    let ended = call.app.sign_out_others(call.caller()?).await?;
    Ok(Reply::ok(format!("{ended} sessions ended"), Nothing))
}

/// Ends one of the caller's sessions.
#[utoipa::path(
    delete,
    path = "/api/auth/sessions/{id}",
    tag = "Authentication & Authorization",
    responses(
        (status = 200, description = "It is ended.", body = Envelope<Nothing>),
    ),
    extensions(("x-error-codes" = json!(["SESSION_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn end_session(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let id = required::<SessionId>(req, "id")?;
    call.app.end_session(call.caller()?, id).await?;
    Ok(Reply::ok("session ended", Nothing))
}
