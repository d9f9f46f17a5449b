//! Boxes: the families of images of an organization.

use boxvault_policy::Relations;
use boxvault_types::{
    action::{Action, Resource},
    params::{
        ListQuery,
        boxes::{BoxQuery, CreateBoxParams, DiscoverQuery, TransferBoxParams, UpdateBoxParams},
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        boxes::{BoxSummaryView, BoxView, DeletedBoxView},
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    app::boxes,
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query, from_query},
        reply::{PageReply, Reply},
    },
};

/// What a list of boxes is narrowed to.
fn wanted(req: &Request) -> Result<BoxQuery> {
    Ok(BoxQuery {
        tag: from_query(req, "tag")?,
        provider: from_query(req, "provider")?,
        architecture: from_query(req, "architecture")?,
        visibility: from_query(req, "visibility")?,
    })
}

/// Lists the boxes of all organizations that the caller may see.
#[utoipa::path(
    get,
    path = "/api/discover",
    tag = "Box Management",
    params(ListQuery, BoxQuery, DiscoverQuery),
    responses(
        (status = 200, description = "The boxes.", body = ListEnvelope<BoxSummaryView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn discover_boxes(
    req: &mut Request,
    call: Call,
    query: Query,
) -> Result<PageReply<BoxSummaryView>> {
    let (organization, wanted) = (from_query(req, "organization")?, wanted(req)?);
    let (items, page) =
        call.app.discover_boxes(&call.identity, organization, wanted, query.0).await?;
    Ok(PageReply::new(format!("{} boxes", page.total), items, page))
}

/// Lists an organization's boxes, as far as the caller may see them.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box",
    tag = "Box Management",
    params(ListQuery, BoxQuery),
    responses(
        (status = 200, description = "The boxes.", body = ListEnvelope<BoxSummaryView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_boxes(
    req: &mut Request,
    call: Call,
    query: Query,
) -> Result<PageReply<BoxSummaryView>> {
    let organization = call.target.organization()?;
    let (items, page) =
        call.app.list_boxes(&call.identity, Some(organization), wanted(req)?, query.0).await?;
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
        (status = 409, description = "The name is taken, maybe by a deleted box, or leads to another one.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "FORMER_NAME"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_box(call: Call, body: Body<CreateBoxParams>) -> Result<Reply<BoxView>> {
    let created = add_box(&call, body.0).await?;
    Ok(Reply::created(format!("box {}/{} created", created.organization, created.name), created))
}

/// Makes a box in the organization that the call is about, if the caller may make one of this name.
pub(crate) async fn add_box(call: &Call, params: CreateBoxParams) -> Result<BoxView> {
    let organization = call.target.organization()?;
    let named = Resource::Box(organization.name.clone(), Some(params.name.clone()));
    call.app.require(&call.policy, &call.identity, &named, Action::Create, Relations::default())?;
    call.app.create_box(&call.identity, organization, params).await
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
#[boxed]
pub(crate) async fn read_box(call: Call) -> Result<Reply<BoxView>> {
    let found = call.target.vagrant_box()?;
    let origin = call.app.box_origin(&found.organization, found.vagrant_box.id).await?;
    let view = BoxView { origin, ..boxes::view(&found.organization, &found.vagrant_box) };
    Ok(Reply::ok("box found", view).tagged())
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
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "FORMER_NAME"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_box(call: Call, body: Body<UpdateBoxParams>) -> Result<Reply<BoxView>> {
    let changed = change_box(&call, body.0).await?;
    Ok(Reply::ok(format!("box {}/{} changed", changed.organization, changed.name), changed)
        .tagged())
}

/// Changes the box that the call is about, if the caller may give it the name that it is to have.
pub(crate) async fn change_box(call: &Call, params: UpdateBoxParams) -> Result<BoxView> {
    let found = call.target.vagrant_box()?;
    if let Some(name) = &params.name {
        let renamed = Resource::Box(found.organization.name.clone(), Some(name.clone()));
        let relations = call.target.box_relations(&call.identity);
        call.app.require(&call.policy, &call.identity, &renamed, Action::Update, relations)?;
    }
    call.app.update_box(found, params).await
}

/// Deletes a box with all its versions. For a while it can be restored; until then it keeps its name.
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
#[boxed]
pub(crate) async fn delete_box(call: Call) -> Result<Reply<Nothing>> {
    let found = call.target.vagrant_box()?;
    let (organization, name) = (&found.organization.name, &found.vagrant_box.name);
    let message = match call.app.delete_box(found).await? {
        Some(until) => format!(
            "box {organization}/{name} deleted; it can be restored until {}",
            until.to_rfc3339()
        ),
        None => format!("box {organization}/{name} deleted for good"),
    };
    Ok(Reply::ok(message, Nothing))
}

/// Hands a box over to another organization. The old name leads to it for a while.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/transfer",
    tag = "Box Management",
    request_body = TransferBoxParams,
    responses(
        (status = 200, description = "The box.", body = Envelope<BoxView>),
        (status = 409, description = "The name is taken there.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
        (status = 413, description = "A file is larger than one may be there.", body = ErrorEnvelope),
        (status = 507, description = "Its files are more than that organization may have.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "ALREADY_EXISTS", "FORMER_NAME", "FILE_TOO_LARGE", "QUOTA_EXCEEDED"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn transfer_box(
    call: Call,
    body: Body<TransferBoxParams>,
) -> Result<Reply<BoxView>> {
    let found = call.target.vagrant_box()?;
    let to = body.0.organization;
    let there = Resource::Box(to.clone(), Some(found.vagrant_box.name.clone()));
    call.app.require(&call.policy, &call.identity, &there, Action::Create, Relations::default())?;
    let moved = call.app.transfer_box(&call.identity, found, &to).await?;
    call.notes.also_in(&to);
    Ok(Reply::ok(format!("box {} belongs to {} now", moved.name, moved.organization), moved)
        .tagged())
}

/// Lists the deleted boxes of an organization that can be restored, the last deleted first.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/deleted-boxes",
    tag = "Box Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The boxes.", body = ListEnvelope<DeletedBoxView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_deleted_boxes(
    call: Call,
    query: Query,
) -> Result<PageReply<DeletedBoxView>> {
    let organization = call.target.organization()?;
    let (items, page) = call.app.list_deleted_boxes(organization, query.0).await?;
    Ok(PageReply::new(format!("{} deleted boxes", page.total), items, page))
}

/// Restores a deleted box with all its versions and files.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/restore",
    tag = "Box Management",
    responses(
        (status = 200, description = "The box.", body = Envelope<BoxView>),
        (status = 409, description = "It is not deleted.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["NOT_DELETED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn restore_box(call: Call) -> Result<Reply<BoxView>> {
    let restored = call.app.restore_box(call.target.vagrant_box()?).await?;
    Ok(Reply::ok(format!("box {}/{} restored", restored.organization, restored.name), restored)
        .tagged())
}
