//! All accounts, for platform admins.

use boxvault_types::{
    names::UserName,
    params::{
        ListQuery, NoParams,
        account::{CreateUserParams, UpdateUserParams},
    },
    views::{Envelope, ErrorEnvelope, ListEnvelope, Nothing, account::UserView},
};
use salvo::{Request, Writer as _, handler};

use crate::{
    app::accounts,
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

/// Lists all accounts.
#[utoipa::path(
    get,
    path = "/api/users",
    tag = "User Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The accounts.", body = ListEnvelope<UserView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_users(call: Call, query: Query) -> Result<PageReply<UserView>> {
    let (items, page) = call.app.list_users(query.0).await?;
    Ok(PageReply::new(format!("{} users", page.total), items, page))
}

/// Makes an account for somebody. Without a password, they get a message with a link to choose one.
#[utoipa::path(
    post,
    path = "/api/users",
    tag = "User Management",
    request_body = CreateUserParams,
    responses(
        (status = 201, description = "The new account.", body = Envelope<UserView>),
        (status = 409, description = "The name or the address is taken.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_user(
    call: Call,
    body: Body<CreateUserParams>,
) -> Result<Reply<UserView>> {
    let user = accounts::user_view(&call.app.create_account(body.0, call.facts.language).await?);
    Ok(Reply::created(format!("account {} created", user.username), user))
}

/// Reads an account.
#[utoipa::path(
    get,
    path = "/api/users/{username}",
    tag = "User Management",
    responses(
        (status = 200, description = "The account.", body = Envelope<UserView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_user(req: &mut Request, call: Call) -> Result<Reply<UserView>> {
    let user = call.app.user_by_name(&required::<UserName>(req, "username")?).await?;
    Ok(Reply::ok("user found", accounts::user_view(&user)).tagged())
}

/// Changes an account, all of it or nothing: name, address, platform role, suspension.
#[utoipa::path(
    put,
    path = "/api/users/{username}",
    tag = "User Management",
    request_body = UpdateUserParams,
    responses(
        (status = 200, description = "The account.", body = Envelope<UserView>),
        (status = 409, description = "The address is taken.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "LAST_ADMIN"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_user(
    req: &mut Request,
    call: Call,
    body: Body<UpdateUserParams>,
) -> Result<Reply<UserView>> {
    let user = call.app.user_by_name(&required::<UserName>(req, "username")?).await?;
    let changed = call.app.update_user(&user, body.0).await?;
    Ok(Reply::ok(format!("account {} changed", changed.username), changed).tagged())
}

/// Ends somebody's password and every session of theirs, and sends them a link to another password. Their API tokens
/// stay: they can be listed and ended, and a suspension stops them all.
#[utoipa::path(
    post,
    path = "/api/users/{username}/reset-password",
    tag = "User Management",
    request_body = NoParams,
    responses(
        (status = 200, description = "The password is ended, and a message is under way.", body = Envelope<Nothing>),
        (status = 409, description = "It is the last account that administers the server.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["LAST_ADMIN"])))
)]
#[handler]
#[boxed]
pub(crate) async fn send_reset_link(
    req: &mut Request,
    call: Call,
    _body: Body<NoParams>,
) -> Result<Reply<Nothing>> {
    let user = call.app.user_by_name(&required::<UserName>(req, "username")?).await?;
    call.app.send_reset_link(&user).await?;
    let name = &user.name;
    let message = format!(
        "the password and every session of {name} are ended, and a link to another password is on its way; API tokens stay"
    );
    Ok(Reply::ok(message, Nothing))
}

/// Turns somebody's second factor off, since they lost it.
#[utoipa::path(
    delete,
    path = "/api/users/{username}/second-factor",
    tag = "User Management",
    responses(
        (status = 200, description = "It is off.", body = Envelope<Nothing>),
        (status = 409, description = "It was off.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["SECOND_FACTOR_STATE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn remove_second_factor(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let user = call.app.user_by_name(&required::<UserName>(req, "username")?).await?;
    call.app.remove_second_factor(&user).await?;
    Ok(Reply::ok(format!("the second factor of {} is off", user.name), Nothing))
}

/// Deletes an account. Boxes and organizations stay.
#[utoipa::path(
    delete,
    path = "/api/users/{username}",
    tag = "User Management",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 409, description = "It is the only owner of an organization with other members.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["LAST_OWNER", "LAST_ADMIN"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_user(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let user = call.app.user_by_name(&required::<UserName>(req, "username")?).await?;
    call.app.delete_account(user.id).await?;
    Ok(Reply::ok(format!("account {} deleted", user.name), Nothing))
}
