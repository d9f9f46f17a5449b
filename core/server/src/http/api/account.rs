//! The caller's own account and API tokens.

use boxvault_types::{
    ids::TokenId,
    params::{
        ListQuery,
        account::{
            ChangeEmailParams, ChangePasswordParams, CreateTokenParams, DeleteProfileParams,
            UpdateProfileParams,
        },
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        account::{NewTokenView, ProfileView, TokenView},
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

/// Reads the caller's own account.
#[utoipa::path(
    get,
    path = "/api/user",
    tag = "User Management",
    responses(
        (status = 200, description = "The account.", body = Envelope<ProfileView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_profile(call: Call) -> Result<Reply<ProfileView>> {
    let profile = call.app.profile(call.caller()?.user_id).await?;
    Ok(Reply::ok("signed in", profile).tagged())
}

/// Changes the caller's own account. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/api/user",
    tag = "User Management",
    request_body = UpdateProfileParams,
    responses(
        (status = 200, description = "The account.", body = Envelope<ProfileView>),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn update_profile(
    call: Call,
    body: Body<UpdateProfileParams>,
) -> Result<Reply<ProfileView>> {
    let profile = call.app.update_profile(call.caller()?, body.0).await?;
    Ok(Reply::ok("account changed", profile).tagged())
}

/// Deletes the caller's own account. Boxes and organizations stay.
#[utoipa::path(
    delete,
    path = "/api/user",
    tag = "User Management",
    request_body = DeleteProfileParams,
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 409, description = "It is the only owner of an organization with other members.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "CURRENT_PASSWORD_WRONG", "LAST_OWNER", "LAST_ADMIN", "SIGN_IN_THROTTLED"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_profile(
    call: Call,
    body: Body<DeleteProfileParams>,
) -> Result<Reply<Nothing>> {
    call.app.delete_own_account(call.caller()?, body.0, call.facts.address).await?;
    Ok(Reply::ok("account deleted", Nothing))
}

/// Gives the caller's own account another password. Every other session ends.
#[utoipa::path(
    put,
    path = "/api/user/password",
    tag = "User Management",
    request_body = ChangePasswordParams,
    responses(
        (status = 200, description = "It is changed.", body = Envelope<Nothing>),
    ),
    extensions(("x-error-codes" = json!(["CURRENT_PASSWORD_WRONG", "SIGN_IN_THROTTLED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn change_password(
    call: Call,
    body: Body<ChangePasswordParams>,
) -> Result<Reply<Nothing>> {
    call.app.change_password(call.caller()?, body.0, call.facts.address).await?;
    Ok(Reply::ok("password changed; every other session has ended", Nothing))
}

/// Asks for another e-mail address. It is the account's once it is proven by the link that is sent to it.
#[utoipa::path(
    put,
    path = "/api/user/email",
    tag = "User Management",
    request_body = ChangeEmailParams,
    responses(
        (status = 200, description = "Messages are under way to both addresses.", body = Envelope<Nothing>),
    ),
    extensions(("x-error-codes" = json!(["CURRENT_PASSWORD_WRONG", "SIGN_IN_THROTTLED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn change_email(
    call: Call,
    body: Body<ChangeEmailParams>,
) -> Result<Reply<Nothing>> {
    call.app.change_email(call.caller()?, body.0, call.facts.address).await?;
    Ok(Reply::ok("open the link in the message that is on its way to the new address", Nothing))
}

/// Lists the caller's API tokens.
#[utoipa::path(
    get,
    path = "/api/user/tokens",
    tag = "User Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The tokens.", body = ListEnvelope<TokenView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_tokens(call: Call, query: Query) -> Result<PageReply<TokenView>> {
    let (items, page) = call.app.list_tokens(call.caller()?, query.0).await?;
    Ok(PageReply::new(format!("{} tokens", page.total), items, page))
}

/// Makes an API token. It shows once.
#[utoipa::path(
    post,
    path = "/api/user/tokens",
    tag = "User Management",
    request_body = CreateTokenParams,
    responses(
        (status = 201, description = "The token.", body = Envelope<NewTokenView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn create_token(
    call: Call,
    body: Body<CreateTokenParams>,
) -> Result<Reply<NewTokenView>> {
    let token = call.app.create_token(call.caller()?, body.0).await?;
    Ok(Reply::created("token created; keep it now, it is not shown again", token))
}

/// Reads one of the caller's API tokens.
#[utoipa::path(
    get,
    path = "/api/user/tokens/{id}",
    tag = "User Management",
    responses(
        (status = 200, description = "The token, without its text.", body = Envelope<TokenView>),
    ),
    extensions(("x-error-codes" = json!(["TOKEN_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_token(req: &mut Request, call: Call) -> Result<Reply<TokenView>> {
    let id = required::<TokenId>(req, "id")?;
    Ok(Reply::ok("token found", call.app.token(call.caller()?, id).await?))
}

/// Ends one of the caller's API tokens.
#[utoipa::path(
    delete,
    path = "/api/user/tokens/{id}",
    tag = "User Management",
    responses(
        (status = 200, description = "It is ended.", body = Envelope<Nothing>),
    ),
    extensions(("x-error-codes" = json!(["TOKEN_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_token(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let id = required::<TokenId>(req, "id")?;
    call.app.delete_token(call.caller()?, id).await?;
    Ok(Reply::ok("token ended", Nothing))
}
