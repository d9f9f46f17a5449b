//! Signing in for a token, and what a token is.

use boxvault_types::{
    error::ErrorCode,
    identity::Credential,
    params::{account::SignInParams, cloud::CloudSignInParams},
    scope::TokenScope,
    views::cloud::{
        CloudDeliveryView, CloudIdentityView, CloudSecondFactorView, CloudTokenView, CloudUserView,
    },
};
use salvo::{Depot, Request, Response, Writer as _, handler, http::StatusCode};

use super::Plain;
use crate::{
    error::Result,
    http::{
        api::sign_in::device,
        boxed,
        call::{Body, Call},
        reply,
    },
};

/// Signs in by name and password, and a code where the account has a second factor, for an API token.
#[utoipa::path(
    post,
    path = "/api/v2/authenticate",
    tag = "Vagrant Cloud",
    request_body = CloudSignInParams,
    responses(
        (status = 200, description = "The token.", body = CloudTokenView),
        (status = 406, description = "The account has a second factor: send its code, too.", body = CloudSecondFactorView),
    ),
    extensions(("x-error-codes" = json!([
        "SIGN_IN_FAILED", "SIGN_IN_THROTTLED", "SECOND_FACTOR_INVALID", "EMAIL_UNVERIFIED",
        "AUTH_PROVIDER_UNAVAILABLE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn sign_in_to_cloud(
    req: &mut Request,
    depot: &mut Depot,
    res: &mut Response,
    call: Call,
    body: Body<CloudSignInParams>,
) -> Result<()> {
    let CloudSignInParams { user, token, two_factor } = body.0;
    let description = token.and_then(|token| token.description).unwrap_or_default();
    let params = SignInParams {
        username: user.login,
        password: user.password,
        stay_logged_in: false,
        provider: None,
        code: two_factor.and_then(|factor| factor.code),
    };
    let user = match call.app.prove(&params, &device(req, &call)).await {
        Ok(user) => user,
        Err(error) if error.code() == ErrorCode::SecondFactorRequired => {
            let wanted = second_factor(error.message());
            reply::json(StatusCode::NOT_ACCEPTABLE, &wanted, depot, res);
            return Ok(());
        }
        Err(error) => {
            call.notes.aims_at(call.app.account_named(&params.username, None).await);
            return Err(error);
        }
    };
    call.notes.done_by(user.id, &user.name);
    let made = call.app.create_token_for(user.id, description, None, TokenScope::default()).await?;
    let view = CloudTokenView {
        description: made.info.description,
        token: made.token,
        token_hash: made.info.id,
        created_at: made.info.created_at,
    };
    reply::json(StatusCode::OK, &view, depot, res);
    Ok(())
}

fn second_factor(message: &str) -> CloudSecondFactorView {
    CloudSecondFactorView {
        two_factor: CloudDeliveryView {
            delivery_methods: vec!["app".to_owned()],
            default_delivery_method: "app".to_owned(),
        },
        errors: vec![message.to_owned()],
        success: false,
    }
}

/// Tells whose token it is.
#[utoipa::path(
    get,
    path = "/api/v2/authenticate",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The account.", body = CloudIdentityView),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_cloud_identity(call: Call) -> Result<Plain<CloudIdentityView>> {
    let username = call.caller()?.actor();
    let user = CloudUserView {
        username,
        avatar_url: String::new(),
        profile_html: None,
        profile_markdown: None,
        boxes: Vec::new(),
    };
    Ok(Plain(CloudIdentityView { user }))
}

/// Ends the token, or the session, that asks.
#[utoipa::path(
    delete,
    path = "/api/v2/authenticate",
    tag = "Vagrant Cloud",
    responses(
        (status = 204, description = "It is ended."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn sign_out_of_cloud(res: &mut Response, call: Call) -> Result<()> {
    let caller = call.caller()?;
    match caller.credential {
        Credential::Token(token) => call.app.delete_token(caller, token).await?,
        _ => call.app.sign_out(caller).await?,
    }
    res.status_code(StatusCode::NO_CONTENT);
    Ok(())
}
