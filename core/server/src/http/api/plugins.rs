//! Plugins in use.

use boxvault_types::views::{Envelope, plugins::PluginView};
use salvo::{Writer as _, handler};

use crate::http::{boxed, call::Call, reply::Reply};

/// Lists the entries of the configuration that use a plugin, with what each can do, how it is, and what it did.
#[utoipa::path(
    get,
    path = "/api/admin/plugins",
    tag = "System",
    responses(
        (status = 200, description = "The plugins, by the keys of their entries.", body = Envelope<Vec<PluginView>>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_plugins(call: Call) -> Reply<Vec<PluginView>> {
    let views = call.app.list_plugins().await;
    Reply::ok(format!("{} plugins", views.len()), views)
}
