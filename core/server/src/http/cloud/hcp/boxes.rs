//! Boxes.

use boxvault_types::{
    params::hcp::HcpBoxParams,
    views::{
        boxes::BoxView,
        hcp::{HcpBoxAnswer, HcpOperationView},
    },
};
use salvo::{Writer as _, handler};

use super::{
    super::{
        Plain,
        boxes::{change, create, visible},
    },
    operations,
};
use crate::{
    app::boxes,
    error::Result,
    http::{
        boxed,
        call::{Body, Call},
    },
};

/// Creates a box. It is public unless `is_private` is true.
#[utoipa::path(
    post,
    path = "/vagrant/2022-09-30/registry/{organization}/boxes",
    tag = "HCP Vagrant Registry",
    request_body = HcpBoxParams,
    responses(
        (status = 200, description = "The new box, and what made it.", body = HcpBoxAnswer),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "FORMER_NAME"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_hcp_box(
    call: Call,
    body: Body<HcpBoxParams>,
) -> Result<Plain<HcpBoxAnswer>> {
    let is_private = body.0.is_private == Some(true);
    let created = create(&call, body.0.into(), is_private).await?;
    show(&call, created, Some(operations::done())).await
}

/// Reads a box with its versions: those that are released, and all of them for members.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The box.", body = HcpBoxAnswer),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_hcp_box(call: Call) -> Result<Plain<HcpBoxAnswer>> {
    let found = call.target.vagrant_box()?;
    let view = boxes::view(&found.organization, &found.vagrant_box);
    show(&call, view, None).await
}

/// Changes a box. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}",
    tag = "HCP Vagrant Registry",
    request_body = HcpBoxParams,
    responses(
        (status = 200, description = "The box.", body = HcpBoxAnswer),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "FORMER_NAME"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_hcp_box(
    call: Call,
    body: Body<HcpBoxParams>,
) -> Result<Plain<HcpBoxAnswer>> {
    let changed = change(&call, body.0.into()).await?;
    show(&call, changed, None).await
}

/// Deletes a box with all its versions. For a while it can be restored; until then it keeps its name.
#[utoipa::path(
    delete,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The box as it was, and what deleted it.", body = HcpBoxAnswer),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn delete_hcp_box(call: Call) -> Result<Plain<HcpBoxAnswer>> {
    let found = call.target.vagrant_box()?;
    let view = boxes::view(&found.organization, &found.vagrant_box);
    let answer = show(&call, view, Some(operations::done())).await?;
    call.app.delete_box(found).await?;
    Ok(answer)
}

async fn show(
    call: &Call,
    view: BoxView,
    operation: Option<HcpOperationView>,
) -> Result<Plain<HcpBoxAnswer>> {
    let vagrant_box = call.app.hcp_box(view, visible(call)).await?;
    Ok(Plain(HcpBoxAnswer { vagrant_box, operation }))
}
