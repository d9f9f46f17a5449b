//! Watches: boxes whose new releases somebody wants to hear of.

use boxvault_types::{
    params::{ListQuery, boxes::StopWatchingParams},
    views::{
        Envelope, ListEnvelope,
        boxes::{WatchStateView, WatchView},
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    error::Result,
    http::{
        boxed,
        call::{Call, Query, from_query, parse_json, read_bounded},
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
#[boxed]
pub(crate) async fn watch_box(call: Call) -> Result<Reply<WatchStateView>> {
    let reachable = call.app.watch_box(call.caller()?, call.target.vagrant_box()?).await?;
    let message = if reachable {
        "you will hear of new releases"
    } else {
        "you will hear of new releases once your e-mail address is confirmed"
    };
    Ok(Reply::ok(message, WatchStateView { watched: true }))
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
#[boxed]
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
#[boxed]
pub(crate) async fn list_watches(call: Call, query: Query) -> Result<PageReply<WatchView>> {
    let (items, page) = call.app.list_watches(&call.identity, call.caller()?, query.0).await?;
    Ok(PageReply::new(format!("{} watched boxes", page.total), items, page))
}

/// Stops messages by the link in one of them. Nobody needs to be signed in.
///
/// Mail programs send the token in the query and a form as the body (RFC 8058), the page sends it as JSON.
#[utoipa::path(
    post,
    path = "/api/watches/stop",
    tag = "User Management",
    params(("token" = Option<String>, Query, description = "What stands behind `#token=` in the link.")),
    request_body(content = Option<StopWatchingParams>, description = "Without a token in the query."),
    responses(
        (status = 200, description = "The box is not watched any more.", body = Envelope<WatchStateView>),
    ),
    extensions(("x-error-codes" = json!(["LINK_INVALID"])))
)]
#[handler]
#[boxed]
pub(crate) async fn stop_watching(req: &mut Request, call: Call) -> Result<Reply<WatchStateView>> {
    let token = if let Some(token) = from_query::<String>(req, "token")? {
        token
    } else {
        let limit = call.app.config.limits.json_body_bytes_max.bytes();
        let body = read_bounded(req, limit, "limits.json_body_bytes_max").await?;
        parse_json::<StopWatchingParams>(&body)?.token.expose().to_owned()
    };
    call.app.stop_watching(&token).await?;
    Ok(Reply::ok("you will hear no more of this box", WatchStateView { watched: false }))
}
