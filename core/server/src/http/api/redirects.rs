//! Signing in at another site, and what that site says when a session ended there.
//!
//! The cookie that binds a sign-in to its browser is the only one that the server sets. It is worth nothing by itself, goes
//! nowhere but here, and ends with the time that somebody may take.

use boxvault_types::{
    error::ErrorCode,
    params::account::{BeginSignInParams, FinishSignInParams, LogoutNoticeParams, Secret},
    views::{
        Envelope, ErrorEnvelope, Nothing,
        account::{BegunSignInView, FinishedSignInView},
    },
};
use data_encoding::BASE64URL_NOPAD;
use salvo::{
    Request, Response, Writer as _, handler,
    http::{
        HeaderValue,
        header::{CONTENT_TYPE, COOKIE, SET_COOKIE},
    },
};

use super::sign_in::device;
use crate::{
    error::{AppError, Result},
    http::{
        boxed,
        call::{Body, Call, read_bounded},
        reply::Reply,
        vagrant::base_url,
    },
};

/// The name of the cookie. Over HTTPS it has a beginning that browsers let nobody else in the domain write.
const COOKIE_NAME: &str = "boxvault_sign_in";
const COOKIE_NAME_SECURE: &str = "__Host-boxvault_sign_in";
/// The length of what it holds: 256 random bits.
const SECRET_CHARS: usize = 43;

/// Begins a sign-in at another site. The browser that asks is the one that can finish it: the answer sets a cookie.
#[utoipa::path(
    post,
    path = "/api/auth/methods/{method}/begin",
    tag = "Authentication & Authorization",
    request_body = BeginSignInParams,
    responses(
        (status = 200, description = "Where to send the browser.", body = Envelope<BegunSignInView>),
    ),
    extensions(("x-error-codes" = json!([
        "SIGN_IN_METHOD_NOT_FOUND", "AUTH_PROVIDER_UNAVAILABLE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn begin_sign_in(
    req: &mut Request,
    res: &mut Response,
    call: Call,
    body: Body<BeginSignInParams>,
) -> Result<Reply<BegunSignInView>> {
    let base = base_url(&call.app, req);
    let is_secure = base.starts_with("https://");
    // another tab of the browser may have begun one, too
    let secret = secret_of(req, is_secure).unwrap_or_else(new_secret);
    let method = method(req);
    let view = call.app.begin_redirect(&method, body.0, &secret, &base).await?;
    let lifetime = call.app.config.auth.redirect_ttl.get().as_secs();
    let cookie = if is_secure {
        format!(
            "{COOKIE_NAME_SECURE}={secret}; Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Strict; Secure"
        )
    } else {
        format!(
            "{COOKIE_NAME}={secret}; Path=/api/auth/methods; Max-Age={lifetime}; HttpOnly; SameSite=Strict"
        )
    };
    let cookie = HeaderValue::from_str(&cookie).map_err(AppError::internal)?;
    res.headers_mut().append(SET_COOKIE, cookie);
    Ok(Reply::ok("send the browser to the auth provider", view))
}

/// Signs in whoever comes back from another site, once, in the browser that began it.
#[utoipa::path(
    post,
    path = "/api/auth/methods/{method}/finish",
    tag = "Authentication & Authorization",
    request_body = FinishSignInParams,
    responses(
        (status = 200, description = "A session and its tokens.", body = Envelope<FinishedSignInView>),
        (status = 409, description = "Another account has the name.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "SIGN_IN_REFUSED", "SIGN_IN_EXPIRED", "SIGN_IN_METHOD_NOT_FOUND", "ALREADY_EXISTS",
        "AUTH_PROVIDER_UNAVAILABLE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn finish_sign_in(
    req: &mut Request,
    call: Call,
    body: Body<FinishSignInParams>,
) -> Result<Reply<FinishedSignInView>> {
    let secret = secret_of(req, base_url(&call.app, req).starts_with("https://"));
    let (method, device) = (method(req), device(req, &call));
    let view = call.app.finish_redirect(&method, body.0, secret.as_deref(), device).await?;
    Ok(Reply::ok("signed in", view))
}

/// Ends the sessions that ended at their auth provider. The provider itself asks for it (back-channel logout).
#[utoipa::path(
    post,
    path = "/api/auth/methods/{method}/logout-notice",
    tag = "Authentication & Authorization",
    request_body(content = LogoutNoticeParams, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "They have ended here, too.", body = Envelope<Nothing>),
    ),
    extensions(("x-error-codes" = json!([
        "INVALID_INPUT", "BODY_TOO_LARGE", "MALFORMED_BODY", "UNSUPPORTED_MEDIA_TYPE",
        "SIGN_IN_METHOD_NOT_FOUND", "AUTH_PROVIDER_UNAVAILABLE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn end_provider_sessions(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let method = method(req);
    call.app.require_logout_notices(&method)?;
    let is_form = req.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !is_form.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        return Err(AppError::new(
            ErrorCode::UnsupportedMediaType,
            "send the body as a form, with Content-Type: application/x-www-form-urlencoded",
        ));
    }
    let limit = call.app.config.limits.json_body_bytes_max.bytes();
    let bytes = read_bounded(req, limit, "limits.json_body_bytes_max").await?;
    let mut fields = url::form_urlencoded::parse(&bytes);
    let token = fields.find(|(name, _)| name == "logout_token");
    let (_, token) = token.ok_or_else(|| AppError::invalid("logout_token", "is missing"))?;
    let params = LogoutNoticeParams { logout_token: Secret::new(token.into_owned()) };
    call.app.hear_of_logout(&method, params).await?;
    Ok(Reply::ok("the sessions have ended", Nothing))
}

fn method(req: &Request) -> String {
    req.param::<String>("method").unwrap_or_default()
}

fn new_secret() -> String {
    BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>())
}

/// What the browser's cookie holds, if it is one of ours.
fn secret_of(req: &Request, is_secure: bool) -> Option<String> {
    let wanted = if is_secure { COOKIE_NAME_SECURE } else { COOKIE_NAME };
    let texts = req.headers().get_all(COOKIE).into_iter().filter_map(|text| text.to_str().ok());
    texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, secret)| {
            let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            *name == wanted && secret.len() == SECRET_CHARS && secret.bytes().all(fine)
        })
        .map(|(_, secret)| secret.to_owned())
}
