//! Organizations that mirror another registry: how they do, to set that, and to end it.

use boxvault_types::{
    params::mirrors::SetMirrorParams,
    views::{Envelope, mirrors::MirrorView},
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

/// Tells how an organization mirrors another registry, if it does.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/mirror",
    tag = "Organization Management",
    responses(
        (status = 200, description = "How; `url` is null where the organization is no mirror.", body = Envelope<MirrorView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_mirror(call: Call) -> Result<Reply<MirrorView>> {
    let view = call.app.mirror_view(call.target.organization()?).await?;
    let told = if view.url.is_some() { "it is a mirror" } else { "it is no mirror" };
    Ok(Reply::ok(told, view))
}

/// Makes an organization a mirror of another registry, or changes how it is one.
///
/// Its boxes and files are fetched when somebody asks for them, checked, and kept for ever; from then on only the upstream
/// changes them. Boxes that the organization had before stay its own, and are not looked for at the upstream; no box of it
/// can be changed here while it is a mirror.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/mirror",
    tag = "Organization Management",
    request_body = SetMirrorParams,
    responses(
        (status = 200, description = "How it mirrors now.", body = Envelope<MirrorView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn set_mirror(
    call: Call,
    body: Body<SetMirrorParams>,
) -> Result<Reply<MirrorView>> {
    let view = call.app.set_mirror(call.target.organization()?, body.0).await?;
    Ok(Reply::ok("it is a mirror now", view))
}

/// Ends it. The boxes and files that are here stay, as the organization's own; what was only offered goes.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/mirror",
    tag = "Organization Management",
    responses(
        (status = 200, description = "It is no mirror any more.", body = Envelope<MirrorView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn delete_mirror(call: Call) -> Result<Reply<MirrorView>> {
    let view = call.app.delete_mirror(call.target.organization()?).await?;
    Ok(Reply::ok("it is no mirror any more", view))
}
