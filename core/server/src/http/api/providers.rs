//! Providers of a version: the hypervisors that it has files for.

use boxvault_types::{
    params::{
        ListQuery,
        boxes::{CreateProviderParams, UpdateProviderParams},
    },
    views::{Envelope, ErrorEnvelope, ListEnvelope, Nothing, boxes::ProviderView},
};
use salvo::{Request, Writer as _, handler};

use crate::{
    app::providers,
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

/// Lists the providers of a version.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider",
    tag = "Box Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The providers.", body = ListEnvelope<ProviderView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_providers(
    req: &mut Request,
    call: Call,
    query: Query,
) -> Result<PageReply<ProviderView>> {
    let number = required(req, "version")?;
    let (items, page) =
        call.app.list_providers(call.target.vagrant_box()?, &number, query.0).await?;
    Ok(PageReply::new(format!("{} providers", page.total), items, page))
}

/// Creates a provider.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider",
    tag = "Box Management",
    request_body = CreateProviderParams,
    responses(
        (status = 201, description = "The new provider.", body = Envelope<ProviderView>),
        (status = 409, description = "The provider exists, or the version was released.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_provider(
    req: &mut Request,
    call: Call,
    body: Body<CreateProviderParams>,
) -> Result<Reply<ProviderView>> {
    let number = required(req, "version")?;
    let created = call.app.create_provider(call.target.vagrant_box()?, &number, body.0).await?;
    Ok(Reply::created(format!("provider {} created", created.name), created))
}

/// Reads a provider.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}",
    tag = "Box Management",
    responses(
        (status = 200, description = "The provider.", body = Envelope<ProviderView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_provider(req: &mut Request, call: Call) -> Result<Reply<ProviderView>> {
    let (number, name) = (required(req, "version")?, required(req, "provider")?);
    let provider = call.app.provider(call.target.vagrant_box()?, &number, &name).await?;
    Ok(Reply::ok("provider found", providers::view(provider)).tagged())
}

/// Changes a provider. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}",
    tag = "Box Management",
    request_body = UpdateProviderParams,
    responses(
        (status = 200, description = "The provider.", body = Envelope<ProviderView>),
        (status = 409, description = "The name is taken, or the version was released.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_provider(
    req: &mut Request,
    call: Call,
    body: Body<UpdateProviderParams>,
) -> Result<Reply<ProviderView>> {
    let (number, name) = (required(req, "version")?, required(req, "provider")?);
    let changed =
        call.app.update_provider(call.target.vagrant_box()?, &number, &name, body.0).await?;
    Ok(Reply::ok(format!("provider {} changed", changed.name), changed))
}

/// Deletes a provider with its files.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/version/{version}/provider/{provider}",
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
pub(crate) async fn delete_provider(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let (number, name) = (required(req, "version")?, required(req, "provider")?);
    call.app.delete_provider(call.target.vagrant_box()?, &number, &name).await?;
    Ok(Reply::ok(format!("provider {name} deleted"), Nothing))
}
