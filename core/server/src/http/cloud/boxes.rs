//! Boxes.

use boxvault_types::{
    params::{
        boxes::{CreateBoxParams, UpdateBoxParams, VersionStatus},
        cloud::CloudBoxParams,
    },
    views::{boxes::BoxView, cloud::CloudBoxView},
};
use salvo::{Request, Writer as _, handler};

use super::{NounBody, Plain, place};
use crate::{
    app::{access, boxes, cloud::missing_field},
    error::Result,
    http::{
        api::boxes::{add_box, change_box},
        boxed,
        call::Call,
    },
};

/// Creates a box. It is private unless `is_private` says otherwise.
#[utoipa::path(
    post,
    path = "/api/v2/boxes",
    tag = "Vagrant Cloud",
    request_body = CloudBoxParams,
    responses(
        (status = 200, description = "The new box.", body = CloudBoxView),
    ),
    extensions(("x-error-codes" = json!([
        "ALREADY_EXISTS", "FORMER_NAME", "ORGANIZATION_NOT_FOUND", "ORGANIZATION_SUSPENDED",
        "ORGANIZATION_RENAMED"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_cloud_box(
    req: &mut Request,
    call: Call,
    body: NounBody<CloudBoxParams>,
) -> Result<Plain<CloudBoxView>> {
    let is_private = body.0.is_private != Some(false);
    let created = create(&call, body.0, is_private).await?;
    show(req, &call, created).await
}

/// Reads a box with its versions: those that are released, and all of them for members.
#[utoipa::path(
    get,
    path = "/api/v2/box/{organization}/{box}",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The box.", body = CloudBoxView),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_cloud_box(req: &mut Request, call: Call) -> Result<Plain<CloudBoxView>> {
    let found = call.target.vagrant_box()?;
    let mut view = boxes::view(&found.organization, &found.vagrant_box);
    // clients compare what they asked for with what they get
    let (organization, name) = call.target.shown_names(found);
    (view.organization, view.name) = (organization.to_string(), name.to_string());
    show(req, &call, view).await
}

/// Changes a box. What is absent or null stays as it is.
#[utoipa::path(
    put,
    path = "/api/v2/box/{organization}/{box}",
    tag = "Vagrant Cloud",
    request_body = CloudBoxParams,
    responses(
        (status = 200, description = "The box.", body = CloudBoxView),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "FORMER_NAME"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_cloud_box(
    req: &mut Request,
    call: Call,
    body: NounBody<CloudBoxParams>,
) -> Result<Plain<CloudBoxView>> {
    let changed = change(&call, body.0).await?;
    show(req, &call, changed).await
}

/// Deletes a box with all its versions. For a while it can be restored; until then it keeps its name.
#[utoipa::path(
    delete,
    path = "/api/v2/box/{organization}/{box}",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The box as it was.", body = CloudBoxView),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn delete_cloud_box(req: &mut Request, call: Call) -> Result<Plain<CloudBoxView>> {
    let found = call.target.vagrant_box()?;
    let view = show(req, &call, boxes::view(&found.organization, &found.vagrant_box)).await?;
    call.app.delete_box(found).await?;
    Ok(view)
}

/// Creates a box. The two APIs have different words for one that says nothing about who may fetch it.
pub(super) async fn create(
    call: &Call,
    params: CloudBoxParams,
    is_private: bool,
) -> Result<BoxView> {
    let params = CreateBoxParams {
        name: params.name.ok_or_else(|| missing_field("name"))?,
        short_description: params.short_description.unwrap_or_default(),
        description: params.description.unwrap_or_default(),
        readme: None,
        tags: Vec::new(),
        homepage_url: None,
        source_url: None,
        documentation_url: None,
        is_public: !is_private,
        replace_former_name: false,
    };
    let created = add_box(call, params).await?;
    call.notes.about(&created.name);
    Ok(created)
}

/// Changes a box.
pub(super) async fn change(call: &Call, params: CloudBoxParams) -> Result<BoxView> {
    let found = call.target.vagrant_box()?;
    let params = UpdateBoxParams {
        name: params.name.filter(|name| *name != found.vagrant_box.name),
        short_description: params.short_description,
        description: params.description,
        is_public: params.is_private.map(|is_private| !is_private),
        ..UpdateBoxParams::default()
    };
    change_box(call, params).await
}

/// Which versions a caller sees.
pub(super) fn visible(call: &Call) -> Option<VersionStatus> {
    let all = access::sees_unreleased(&call.policy, &call.identity, &call.target);
    (!all).then_some(VersionStatus::Released)
}

async fn show(req: &Request, call: &Call, view: BoxView) -> Result<Plain<CloudBoxView>> {
    Ok(Plain(call.app.cloud_box(&place(req, call), view, visible(call)).await?))
}
