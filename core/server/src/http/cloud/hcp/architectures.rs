//! Architectures of a provider.

use boxvault_types::{
    names::ProviderName,
    params::{
        cloud::CloudProviderParams,
        hcp::{HcpArchitectureParams, HcpBoxDataParams},
    },
    version::BoxVersion,
    views::hcp::{HcpArchitectureAnswer, HcpArchitecturesAnswer, HcpNothing},
};
use salvo::{Request, Writer as _, handler};

use super::super::{Plain, providers::refuse_other_places};
use crate::{
    app::{artifacts::Slot, cloud::missing_field},
    error::Result,
    http::{
        api::architectures::slot,
        boxed,
        call::{Body, Call},
        extract::required,
    },
};

/// Lists the architectures of a provider.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}/architectures",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The architectures.", body = HcpArchitecturesAnswer),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_hcp_architectures(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpArchitecturesAnswer>> {
    let (number, name) = (required(req, "version")?, required(req, "provider")?);
    let provider = call.app.hcp_provider(call.target.vagrant_box()?, &number, &name).await?;
    Ok(Plain(HcpArchitecturesAnswer { architectures: provider.architectures }))
}

/// Creates an architecture. The first one of a provider is its default.
#[utoipa::path(
    post,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}/architectures",
    tag = "HCP Vagrant Registry",
    request_body = HcpArchitectureParams,
    responses(
        (status = 200, description = "The new architecture.", body = HcpArchitectureAnswer),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_hcp_architecture(
    req: &mut Request,
    call: Call,
    body: Body<HcpArchitectureParams>,
) -> Result<Plain<HcpArchitectureAnswer>> {
    let number = required::<BoxVersion>(req, "version")?;
    let provider = required::<ProviderName>(req, "provider")?;
    let params = wanted(body.0)?;
    if params.architecture.is_none() {
        return Err(missing_field("architecture_type"));
    }
    let found = call.target.vagrant_box()?;
    let slot = call.app.create_cloud_provider(found, &number, &provider, params).await?;
    call.notes.about(slot.architecture.as_str());
    show(&call, &slot).await
}

/// Reads an architecture with its file.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The architecture.", body = HcpArchitectureAnswer),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_hcp_architecture(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpArchitectureAnswer>> {
    show(&call, &slot(req)?).await
}

/// Changes an architecture. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}",
    tag = "HCP Vagrant Registry",
    request_body = HcpArchitectureParams,
    responses(
        (status = 200, description = "The architecture.", body = HcpArchitectureAnswer),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_hcp_architecture(
    req: &mut Request,
    call: Call,
    body: Body<HcpArchitectureParams>,
) -> Result<Plain<HcpArchitectureAnswer>> {
    let params = wanted(body.0)?;
    let found = call.target.vagrant_box()?;
    let slot = call.app.update_cloud_provider(found, slot(req)?, params).await?;
    show(&call, &slot).await
}

/// Deletes an architecture with its file.
#[utoipa::path(
    delete,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "It is gone.", body = HcpNothing),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_hcp_architecture(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpNothing>> {
    call.app.delete_architecture(call.target.vagrant_box()?, &slot(req)?).await?;
    Ok(Plain(HcpNothing {}))
}

/// The same in the words of the older API. A type that is none says that there is no checksum.
fn wanted(params: HcpArchitectureParams) -> Result<CloudProviderParams> {
    let HcpBoxDataParams { checksum, checksum_type, download_url } =
        params.box_data.unwrap_or_default();
    let checksum_type = checksum_type.map(|kind| kind.to_ascii_lowercase());
    let params = CloudProviderParams {
        name: None,
        architecture: params.architecture_type,
        default_architecture: params.default,
        url: download_url,
        checksum,
        checksum_type: checksum_type.filter(|kind| kind != "none" && kind != "unset"),
    };
    refuse_other_places(&params)?;
    Ok(params)
}

async fn show(call: &Call, slot: &Slot) -> Result<Plain<HcpArchitectureAnswer>> {
    let architecture = call.app.hcp_architecture(call.target.vagrant_box()?, slot).await?;
    Ok(Plain(HcpArchitectureAnswer { architecture }))
}
