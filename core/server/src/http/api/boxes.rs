//! Boxes: the families of images of an organization.

use boxvault_policy::Relations;
use boxvault_types::{
    action::{Action, Resource},
    params::{
        ListQuery,
        boxes::{CreateBoxParams, UpdateBoxParams},
    },
    views::{Envelope, ErrorEnvelope, ListEnvelope, Nothing, boxes::BoxView},
};
use salvo::{Request, Writer as _, handler};

use crate::{
    app::boxes,
    error::Result,
    http::{
        call::{Body, Call, Query},
        reply::{PageReply, Reply},
    },
};

/// Lists the boxes of all organizations that the caller may see.
#[utoipa::path(
    get,
    path = "/api/discover",
    tag = "Box Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The boxes.", body = ListEnvelope<BoxView>),
    )
)]
#[handler]
pub(crate) async fn discover_boxes(call: Call, query: Query) -> Result<PageReply<BoxView>> {
    let (items, page) = call.app.list_boxes(&call.identity, None, query.0).await?;
    Ok(PageReply::new(format!("{} boxes", page.total), items, page))
}

/// Lists an organization's boxes, as far as the caller may see them.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box",
    tag = "Box Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The boxes.", body = ListEnvelope<BoxView>),
    )
)]
#[handler]
pub(crate) async fn list_boxes(call: Call, query: Query) -> Result<PageReply<BoxView>> {
    let organization = call.target.organization()?;
    let (items, page) = call.app.list_boxes(&call.identity, Some(organization), query.0).await?;
    Ok(PageReply::new(format!("{} boxes", page.total), items, page))
}

/// Creates a box.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box",
    tag = "Box Management",
    request_body = CreateBoxParams,
    responses(
        (status = 201, description = "The new box.", body = Envelope<BoxView>),
        (status = 409, description = "The name is taken.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn create_box(call: Call, body: Body<CreateBoxParams>) -> Result<Reply<BoxView>> {
    let organization = call.target.organization()?;
    let named = Resource::Box(organization.name.clone(), Some(body.0.name.clone()));
    call.app.require(&call.policy, &call.identity, &named, Action::Create, Relations::default())?;
    let created = call.app.create_box(&call.identity, organization, body.0).await?;
    Ok(Reply::created(format!("box {}/{} created", created.organization, created.name), created))
}

/// Reads a box.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}",
    tag = "Box Management",
    responses(
        (status = 200, description = "The box.", body = Envelope<BoxView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
pub(crate) async fn read_box(call: Call) -> Result<Reply<BoxView>> {
    let found = call.target.vagrant_box()?;
    Ok(Reply::ok("box found", boxes::view(&found.organization, &found.vagrant_box)).tagged())
}

/// Changes a box. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}",
    tag = "Box Management",
    request_body = UpdateBoxParams,
    responses(
        (status = 200, description = "The box.", body = Envelope<BoxView>),
        (status = 409, description = "The name is taken.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn update_box(call: Call, body: Body<UpdateBoxParams>) -> Result<Reply<BoxView>> {
    let found = call.target.vagrant_box()?;
    if let Some(name) = &body.0.name {
        let renamed = Resource::Box(found.organization.name.clone(), Some(name.clone()));
        let relations = call.target.box_relations(&call.identity);
        call.app.require(&call.policy, &call.identity, &renamed, Action::Update, relations)?;
    }
    let changed = call.app.update_box(found, body.0).await?;
    Ok(Reply::ok(format!("box {}/{} changed", changed.organization, changed.name), changed)
        .tagged())
}

/// Deletes a box with all its versions.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}",
    tag = "Box Management",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn delete_box(call: Call) -> Result<Reply<Nothing>> {
    let found = call.target.vagrant_box()?;
    call.app.delete_box(found).await?;
    Ok(Reply::ok(
        format!("box {}/{} deleted", found.organization.name, found.vagrant_box.name),
        Nothing,
    ))
}
