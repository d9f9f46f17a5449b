//! The second factor of the caller's own account.

use boxvault_types::{
    params::account::{CodeParams, PasswordParams},
    views::{
        Envelope, ErrorEnvelope, Nothing,
        account::{NewSecondFactorView, RecoveryCodesView, SecondFactorView},
    },
};
use salvo::{Writer as _, handler};

use crate::{
    error::Result,
    http::{
        boxed,
        call::{Body, Call},
        reply::Reply,
    },
};

/// Tells whether signing in needs a code.
#[utoipa::path(
    get,
    path = "/api/user/second-factor",
    tag = "User Management",
    responses(
        (status = 200, description = "Whether it does.", body = Envelope<SecondFactorView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_second_factor(call: Call) -> Result<Reply<SecondFactorView>> {
    let view = call.app.second_factor(call.caller()?.user_id).await?;
    let message = if view.enabled { "the second factor is on" } else { "the second factor is off" };
    Ok(Reply::ok(message, view))
}

/// Begins to set up a second factor: the secret for an authenticator app. It shows once.
#[utoipa::path(
    post,
    path = "/api/user/second-factor",
    tag = "User Management",
    request_body = PasswordParams,
    responses(
        (status = 201, description = "The secret. Nothing needs it before it is confirmed.", body = Envelope<NewSecondFactorView>),
        (status = 409, description = "It is on already.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "CURRENT_PASSWORD_WRONG", "SECOND_FACTOR_STATE", "SIGN_IN_THROTTLED"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn begin_second_factor(
    call: Call,
    body: Body<PasswordParams>,
) -> Result<Reply<NewSecondFactorView>> {
    let view = call.app.begin_second_factor(call.caller()?, body.0, call.facts.address).await?;
    Ok(Reply::created("put the secret into your app, then send a code of it by PUT", view))
}

/// Turns the second factor on, by a code of the app. The recovery codes show once.
#[utoipa::path(
    put,
    path = "/api/user/second-factor",
    tag = "User Management",
    request_body = CodeParams,
    responses(
        (status = 200, description = "It is on. The recovery codes.", body = Envelope<RecoveryCodesView>),
        (status = 409, description = "There is none to confirm.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["CODE_WRONG", "SECOND_FACTOR_STATE", "SIGN_IN_THROTTLED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn confirm_second_factor(
    call: Call,
    body: Body<CodeParams>,
) -> Result<Reply<RecoveryCodesView>> {
    let view = call.app.confirm_second_factor(call.caller()?, body.0, call.facts.address).await?;
    Ok(Reply::ok(
        "the second factor is on; keep the recovery codes, they are not shown again",
        view,
    ))
}

/// Turns the second factor off.
#[utoipa::path(
    post,
    path = "/api/user/second-factor/disable",
    tag = "User Management",
    request_body = PasswordParams,
    responses(
        (status = 200, description = "It is off.", body = Envelope<Nothing>),
        (status = 409, description = "It was off.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "CURRENT_PASSWORD_WRONG", "SECOND_FACTOR_STATE", "SIGN_IN_THROTTLED"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn disable_second_factor(
    call: Call,
    body: Body<PasswordParams>,
) -> Result<Reply<Nothing>> {
    call.app.disable_second_factor(call.caller()?, body.0, call.facts.address).await?;
    Ok(Reply::ok("the second factor is off", Nothing))
}

/// Gives new recovery codes in the place of the old ones. They show once.
#[utoipa::path(
    post,
    path = "/api/user/second-factor/recovery-codes",
    tag = "User Management",
    request_body = PasswordParams,
    responses(
        (status = 201, description = "The codes.", body = Envelope<RecoveryCodesView>),
        (status = 409, description = "The second factor is off.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "CURRENT_PASSWORD_WRONG", "SECOND_FACTOR_STATE", "SIGN_IN_THROTTLED"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn renew_recovery_codes(
    call: Call,
    body: Body<PasswordParams>,
) -> Result<Reply<RecoveryCodesView>> {
    let view = call.app.renew_recovery_codes(call.caller()?, body.0, call.facts.address).await?;
    Ok(Reply::created("the old recovery codes do not work any more; keep these", view))
}
