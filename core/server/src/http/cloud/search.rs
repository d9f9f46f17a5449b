//! Finding boxes: those of an organization, or of all.

use boxvault_types::{
    action::Resource,
    names::{ArchitectureName, OrganizationName, ProviderName},
    params::{ListQuery, Order, boxes::BoxQuery},
    views::cloud::{CloudOrganizationView, CloudSearchView},
};
use salvo::{Request, Response, Writer as _, handler, http::header::LINK};

use super::{Plain, place};
use crate::{
    error::Result,
    http::{
        boxed,
        call::{Call, Query, from_query},
        extract::{not_found, required},
        reply::links,
    },
};

/// How many boxes a search answers with, where the client does not say.
const LIMIT_DEFAULT: u16 = 10;
/// The most that it answers with, whatever a client asks for.
const LIMIT_MAX: u16 = 100;

/// Lists the boxes of an organization that the caller may see: every command of clients begins with this.
#[utoipa::path(
    get,
    path = "/api/v2/user/{organization}",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The organization.", body = CloudOrganizationView),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_cloud_organization(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudOrganizationView>> {
    let name = required::<OrganizationName>(req, "organization")?;
    let boxes = call.app.cloud_boxes(&place(req, &call), &call.identity, &name).await?;
    // whoever sees a box of it knows of it, and so does who may read it
    let username = match boxes.first() {
        Some(first) => first.username.clone(),
        None => call
            .app
            .cloud_organization(&call.policy, &call.identity, &name)
            .await?
            .ok_or_else(|| not_found(&Resource::Organization(Some(name))))?,
    };
    Ok(Plain(CloudOrganizationView {
        username,
        avatar_url: String::new(),
        profile_html: None,
        profile_markdown: None,
        boxes,
    }))
}

/// Searches boxes that have a released version, among those that the caller may see.
#[utoipa::path(
    get,
    path = "/api/v2/search",
    tag = "Vagrant Cloud",
    params(
        ("q" = Option<String>, Query, description = "Words of the name, the tags or the short description, or their beginnings; or an organization, or `organization/box`."),
        ("provider" = Option<ProviderName>, Query, description = "Only boxes with a released file for it."),
        ("architecture" = Option<ArchitectureName>, Query, description = "Only boxes with a released file for it."),
        ("sort" = Option<String>, Query, description = "`downloads`, `created` or `updated`; `downloads` when absent."),
        ("order" = inline(Option<Order>), Query, description = "`desc` when absent."),
        ("limit" = Option<u16>, Query, maximum = 65535, description = "How many at most: 10 when absent, never more than 100."),
        ("page" = Option<u64>, Query, description = "Counted from 1."),
    ),
    responses(
        (status = 200, description = "The boxes. `Link` leads to the other pages.", body = CloudSearchView),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn search_cloud(
    req: &mut Request,
    res: &mut Response,
    call: Call,
    query: Query,
) -> Result<Plain<CloudSearchView>> {
    let limit = from_query::<u16>(req, "limit")?.unwrap_or(LIMIT_DEFAULT);
    let query = ListQuery {
        per_page: Some(limit.clamp(1, LIMIT_MAX).into()),
        sort: query.0.sort.or_else(|| Some("downloads".to_owned())),
        order: query.0.order.or(Some(Order::Desc)),
        ..query.0
    };
    let wanted = BoxQuery {
        provider: from_query(req, "provider")?,
        architecture: from_query(req, "architecture")?,
        ..BoxQuery::default()
    };
    let place = place(req, &call);
    let (boxes, page) = call.app.cloud_search(&place, &call.identity, wanted, query).await?;
    if let Some(links) = links(req, page) {
        res.headers_mut().insert(LINK, links);
    }
    Ok(Plain(CloudSearchView { boxes }))
}
