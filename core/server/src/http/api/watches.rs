//! Watches: boxes whose new releases somebody wants to hear of.

use boxvault_types::{
    params::ListQuery,
    views::{
        Envelope, ListEnvelope,
        boxes::{WatchStateView, WatchView},
    },
};
use salvo::{Writer as _, handler};

use crate::{
    error::Result,
    http::{
        call::{Call, Query},
        reply::{PageReply, Reply},
    },
};

/// Watches a box: the caller gets a message when a version of it is released.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/watch",
    tag = "Box Management",
    responses(
        (status = 200, description = "The caller watches it.", body = Envelope<WatchStateView>),
    )
)]
#[handler]
pub(crate) async fn watch_box(call: Call) -> Result<Reply<WatchStateView>> {
    call.app.watch_box(call.caller()?, call.target.vagrant_box()?).await?;
    Ok(Reply::ok("you will hear of new releases", WatchStateView { watched: true }))
}

/// Watches a box no more.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/watch",
    tag = "Box Management",
    responses(
        (status = 200, description = "The caller does not watch it.", body = Envelope<WatchStateView>),
    )
)]
#[handler]
pub(crate) async fn unwatch_box(call: Call) -> Result<Reply<WatchStateView>> {
    call.app.unwatch_box(call.caller()?, call.target.vagrant_box()?).await?;
    Ok(Reply::ok("you will hear no more of it", WatchStateView { watched: false }))
}

/// Lists what the caller watches, the last watched first.
#[utoipa::path(
    get,
    path = "/api/user/watches",
    tag = "User Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The boxes.", body = ListEnvelope<WatchView>),
    )
)]
#[handler]
pub(crate) async fn list_watches(call: Call, query: Query) -> Result<PageReply<WatchView>> {
    let (items, page) = call.app.list_watches(&call.identity, call.caller()?, query.0).await?;
    Ok(PageReply::new(format!("{} watched boxes", page.total), items, page))
}
