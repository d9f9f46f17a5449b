//! The caller's preferences, picture, places in organizations, and all of their data.

use boxvault_types::{
    ids::UserId,
    names::OrganizationName,
    params::{NoParams, account::PreferencesParams},
    views::{
        Envelope, ErrorEnvelope, Nothing,
        account::{ExportView, PreferencesView, ProfileView},
    },
};
use salvo::{Request, Response, Writer as _, handler};

use crate::{
    error::Result,
    http::{
        boxed,
        call::{Body, Call, read_bounded},
        extract::required,
        pictures::{self, Picture},
        reply::Reply,
    },
};

/// Reads how the caller wants things.
#[utoipa::path(
    get,
    path = "/api/user/preferences",
    tag = "User Management",
    responses(
        (status = 200, description = "The preferences.", body = Envelope<PreferencesView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_preferences(call: Call) -> Result<Reply<PreferencesView>> {
    let view = call.app.preferences(call.caller()?.user_id).await?;
    Ok(Reply::ok("your preferences", view).tagged())
}

/// Changes how the caller wants things. What is absent stays as it is; `null` leaves it to the client.
#[utoipa::path(
    put,
    path = "/api/user/preferences",
    tag = "User Management",
    request_body = PreferencesParams,
    responses(
        (status = 200, description = "The preferences.", body = Envelope<PreferencesView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn update_preferences(
    call: Call,
    body: Body<PreferencesParams>,
) -> Result<Reply<PreferencesView>> {
    let view = call.app.update_preferences(call.caller()?, body.0).await?;
    Ok(Reply::ok("preferences changed", view).tagged())
}

/// Takes the caller out of an organization, at once.
#[utoipa::path(
    post,
    path = "/api/user/leave/{organization}",
    tag = "User Management",
    request_body = NoParams,
    responses(
        (status = 200, description = "They are no member any more.", body = Envelope<Nothing>),
        (status = 409, description = "They are its only owner.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["MEMBER_NOT_FOUND", "LAST_OWNER"])))
)]
#[handler]
#[boxed]
pub(crate) async fn leave_organization(
    req: &mut Request,
    call: Call,
    _body: Body<NoParams>,
) -> Result<Reply<Nothing>> {
    let name = required::<OrganizationName>(req, "organization")?;
    call.app.leave_organization(call.caller()?, &name).await?;
    Ok(Reply::ok(format!("you are no member of {name} any more"), Nothing))
}

/// Gives the caller everything that the server knows of them.
#[utoipa::path(
    get,
    path = "/api/user/export",
    tag = "User Management",
    responses(
        (status = 200, description = "The data.", body = Envelope<ExportView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn export_account(call: Call) -> Result<Reply<ExportView>> {
    let view = call.app.export_account(&call.identity, call.caller()?).await?;
    Ok(Reply::ok("what the server knows of you", view))
}

/// Gives the caller a picture: a PNG, a JPEG or a WebP, as the raw body.
#[utoipa::path(
    put,
    path = "/api/user/avatar",
    tag = "User Management",
    request_body(content = String, content_type = "image/png", description = "The picture. What it is, its bytes tell."),
    responses(
        (status = 200, description = "The account.", body = Envelope<ProfileView>),
        (status = 412, description = "`If-Match` names another picture.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["FILE_TOO_LARGE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn put_avatar(req: &mut Request, call: Call) -> Result<Reply<ProfileView>> {
    let user = call.caller()?.user_id;
    let limit = call.app.config.limits.avatar_bytes_max.bytes();
    let bytes = read_bounded(req, limit, "limits.avatar_bytes_max").await?;
    call.app.put_avatar(user, bytes).await?;
    Ok(Reply::ok("picture changed", call.app.profile(user).await?))
}

/// Takes the caller's picture away.
#[utoipa::path(
    delete,
    path = "/api/user/avatar",
    tag = "User Management",
    responses(
        (status = 200, description = "There is none any more.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names another picture.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn delete_avatar(call: Call) -> Result<Reply<Nothing>> {
    let user = call.caller()?.user_id;
    call.app.delete_avatar(user).await?;
    Ok(Reply::ok("picture removed", Nothing))
}

/// Reads the picture of a user.
#[utoipa::path(
    get,
    path = "/api/avatars/{id}",
    tag = "User Management",
    responses(
        (status = 200, description = "The picture.", body = String, content_type = "image/png"),
        (status = 304, description = "As `If-None-Match` says."),
    ),
    extensions(("x-error-codes" = json!(["FILE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_avatar(req: &mut Request, res: &mut Response, call: Call) -> Result<()> {
    let avatar = call.app.avatar(required::<UserId>(req, "id")?).await?;
    let picture = Picture {
        media_type: avatar.content_type,
        content: avatar.bytes,
        digest: avatar.digest,
        // its URL changes with it
        cache: "private, max-age=86400",
    };
    pictures::serve(req, res, picture)
}
