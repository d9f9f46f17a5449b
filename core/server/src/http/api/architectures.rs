//! Architectures of a provider, each the place of one file.

use boxvault_types::{
    names::{ArchitectureName, ProviderName},
    params::{
        ListQuery,
        boxes::{CreateArchitectureParams, UpdateArchitectureParams},
    },
    version::BoxVersion,
    views::{Envelope, ErrorEnvelope, ListEnvelope, Nothing, boxes::ArchitectureView},
};
use salvo::{Request, Writer as _, handler};

use crate::{
    app::artifacts::Slot,
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

/// The version, provider and architecture that a path names.
pub(crate) fn slot(req: &Request) -> Result<Slot> {
    Ok(Slot {
        version: required::<BoxVersion>(req, "version")?,
        provider: required::<ProviderName>(req, "provider")?,
        architecture: required::<ArchitectureName>(req, "architecture")?,
    })
}

/// Lists the architectures of a provider.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture",
    tag = "Box Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The architectures.", body = ListEnvelope<ArchitectureView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_architectures(
    req: &mut Request,
    call: Call,
    query: Query,
) -> Result<PageReply<ArchitectureView>> {
    let (number, name) = (required(req, "version")?, required(req, "provider")?);
    let (items, page) =
        call.app.list_architectures(call.target.vagrant_box()?, &number, &name, query.0).await?;
    Ok(PageReply::new(format!("{} architectures", page.total), items, page))
}

/// Creates an architecture. The first one of a provider is its default.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture",
    tag = "Box Management",
    request_body = CreateArchitectureParams,
    responses(
        (status = 201, description = "The new architecture.", body = Envelope<ArchitectureView>),
        (status = 409, description = "The architecture exists, or the version was released.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_architecture(
    req: &mut Request,
    call: Call,
    body: Body<CreateArchitectureParams>,
) -> Result<Reply<ArchitectureView>> {
    let (number, name) = (required(req, "version")?, required(req, "provider")?);
    let created =
        call.app.create_architecture(call.target.vagrant_box()?, &number, &name, body.0).await?;
    Ok(Reply::created(
        format!("architecture {} created; upload its file next", created.name),
        created,
    ))
}

/// Reads an architecture.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}",
    tag = "Box Management",
    responses(
        (status = 200, description = "The architecture.", body = Envelope<ArchitectureView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_architecture(
    req: &mut Request,
    call: Call,
) -> Result<Reply<ArchitectureView>> {
    let view = call.app.read_architecture(call.target.vagrant_box()?, &slot(req)?).await?;
    Ok(Reply::ok("architecture found", view).tagged())
}

/// Changes an architecture. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}",
    tag = "Box Management",
    request_body = UpdateArchitectureParams,
    responses(
        (status = 200, description = "The architecture.", body = Envelope<ArchitectureView>),
        (status = 409, description = "The name is taken, or the version was released.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_architecture(
    req: &mut Request,
    call: Call,
    body: Body<UpdateArchitectureParams>,
) -> Result<Reply<ArchitectureView>> {
    let slot = slot(req)?;
    let changed = call.app.update_architecture(call.target.vagrant_box()?, &slot, body.0).await?;
    Ok(Reply::ok(format!("architecture {} changed", changed.name), changed))
}

/// Deletes an architecture with its file.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}",
    tag = "Box Management",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 409, description = "The version was released.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_architecture(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let slot = slot(req)?;
    call.app.delete_architecture(call.target.vagrant_box()?, &slot).await?;
    Ok(Reply::ok(format!("architecture {} deleted", slot.architecture), Nothing))
}
