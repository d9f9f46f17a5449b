//! Providers of a version.

use boxvault_types::{
    names::ProviderName,
    params::{boxes::CreateProviderParams, hcp::HcpProviderParams},
    version::BoxVersion,
    views::hcp::{HcpNothing, HcpProviderAnswer, HcpProvidersAnswer},
};
use salvo::{Request, Writer as _, handler};

use super::super::Plain;
use crate::{
    app::cloud::missing_field,
    error::Result,
    http::{
        boxed,
        call::{Body, Call},
        extract::required,
    },
};

/// Lists the providers of a version that have an architecture.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/providers",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The providers.", body = HcpProvidersAnswer),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_hcp_providers(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpProvidersAnswer>> {
    let found = call.target.vagrant_box()?;
    let providers = call.app.hcp_version(found, &required(req, "version")?).await?.providers;
    Ok(Plain(HcpProvidersAnswer { providers }))
}

/// Creates a provider.
#[utoipa::path(
    post,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/providers",
    tag = "HCP Vagrant Registry",
    request_body = HcpProviderParams,
    responses(
        (status = 200, description = "The new provider.", body = HcpProviderAnswer),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_hcp_provider(
    req: &mut Request,
    call: Call,
    body: Body<HcpProviderParams>,
) -> Result<Plain<HcpProviderAnswer>> {
    let number = required::<BoxVersion>(req, "version")?;
    let name = body.0.name.ok_or_else(|| missing_field("name"))?;
    let params = CreateProviderParams { name: name.clone(), description: String::new() };
    call.app.create_provider(call.target.vagrant_box()?, &number, params).await?;
    call.notes.about(name.as_str());
    show(&call, &number, &name).await
}

/// Reads a provider with its architectures.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The provider.", body = HcpProviderAnswer),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_hcp_provider(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpProviderAnswer>> {
    show(&call, &required(req, "version")?, &required(req, "provider")?).await
}

/// Deletes a provider with its files.
#[utoipa::path(
    delete,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "It is gone.", body = HcpNothing),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_hcp_provider(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpNothing>> {
    let (number, name) = (required(req, "version")?, required(req, "provider")?);
    call.app.delete_provider(call.target.vagrant_box()?, &number, &name).await?;
    Ok(Plain(HcpNothing {}))
}

async fn show(
    call: &Call,
    number: &BoxVersion,
    name: &ProviderName,
) -> Result<Plain<HcpProviderAnswer>> {
    let provider = call.app.hcp_provider(call.target.vagrant_box()?, number, name).await?;
    Ok(Plain(HcpProviderAnswer { provider }))
}
