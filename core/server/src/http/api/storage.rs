//! What files take, quotas, and which store holds what.

use boxvault_types::{
    params::{ListQuery, storage::SetQuotaParams},
    views::{
        Envelope, ErrorEnvelope, ListEnvelope,
        storage::{BoxUsageView, DamagedFileView, QuotaView, StoreView, UsageView},
    },
};
use salvo::{Writer as _, handler};

use crate::{
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query},
        reply::{PageReply, Reply},
    },
};

/// Tells what the files of an organization take, in which stores, and how much they may take.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/usage",
    tag = "Organization Management",
    responses(
        (status = 200, description = "The sums.", body = Envelope<UsageView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_usage(call: Call) -> Result<Reply<UsageView>> {
    let view = call.app.usage(call.target.organization()?).await?;
    Ok(Reply::ok(format!("{} files", view.total.files), view).tagged())
}

/// Lists the boxes of an organization with what each takes. Sorts by `name`, `bytes`, `storedBytes` or `files`.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/usage/boxes",
    tag = "Organization Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The boxes.", body = ListEnvelope<BoxUsageView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_box_usage(call: Call, query: Query) -> Result<PageReply<BoxUsageView>> {
    let (items, page) = call.app.list_box_usage(call.target.organization()?, query.0).await?;
    Ok(PageReply::new(format!("{} boxes", page.total), items, page))
}

/// Tells how much the files of an organization may take.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/quota",
    tag = "Organization Management",
    responses(
        (status = 200, description = "The quota.", body = Envelope<QuotaView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_quota(call: Call) -> Result<Reply<QuotaView>> {
    let view = call.app.quota(call.target.organization()?).await?;
    Ok(Reply::ok("quota found", view).tagged())
}

/// Sets how much the files of an organization may take. What is there already stays, also when it is more.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/quota",
    tag = "Organization Management",
    request_body = SetQuotaParams,
    responses(
        (status = 200, description = "The quota that holds now.", body = Envelope<QuotaView>),
        (status = 412, description = "It was changed since `If-Match`.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn set_quota(call: Call, body: Body<SetQuotaParams>) -> Result<Reply<QuotaView>> {
    let organization = call.target.organization()?;
    let detail = serde_json::to_value(body.0).ok();
    let view = call.app.set_quota(organization, body.0, call.audit(detail)).await?;
    Ok(Reply::ok("quota set", view).tagged())
}

/// Lists files whose stored bytes were found to be damaged, and the boxes that have them.
#[utoipa::path(
    get,
    path = "/api/storage/damaged",
    tag = "System",
    params(ListQuery),
    responses(
        (status = 200, description = "The files.", body = ListEnvelope<DamagedFileView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_damaged_files(
    call: Call,
    query: Query,
) -> Result<PageReply<DamagedFileView>> {
    let (items, page) = call.app.list_damaged_files(query.0).await?;
    Ok(PageReply::new(format!("{} damaged files", page.total), items, page))
}

/// Lists the stores with what each holds.
#[utoipa::path(
    get,
    path = "/api/storage",
    tag = "System",
    responses(
        (status = 200, description = "The stores.", body = Envelope<Vec<StoreView>>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_stores(call: Call) -> Result<Reply<Vec<StoreView>>> {
    let views = call.app.list_stores().await?;
    Ok(Reply::ok(format!("{} stores", views.len()), views))
}
