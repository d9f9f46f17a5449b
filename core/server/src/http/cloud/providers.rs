//! Providers of a version, each with one of its architectures.

use boxvault_types::{
    action::{Action, Resource},
    error::ErrorCode,
    names::{ArchitectureName, ProviderName},
    params::{boxes::CreateProviderParams, cloud::CloudProviderParams},
    version::BoxVersion,
    views::cloud::CloudProviderView,
};
use salvo::{Request, Writer as _, handler};

use super::{NounBody, Plain, place};
use crate::{
    app::{
        artifacts::Slot,
        cloud::{Doomed, missing_field},
    },
    error::{AppError, Result},
    http::{
        boxed,
        call::Call,
        extract::{optional, required},
    },
};

/// Creates a provider, or another architecture of one.
#[utoipa::path(
    post,
    path = "/api/v2/box/{organization}/{box}/version/{version}/providers",
    tag = "Vagrant Cloud",
    request_body = CloudProviderParams,
    responses(
        (status = 200, description = "The provider.", body = CloudProviderView),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS", "VERSION_RELEASED", "PROVIDER_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_cloud_provider(
    req: &mut Request,
    call: Call,
    body: NounBody<CloudProviderParams>,
) -> Result<Plain<CloudProviderView>> {
    let mut params = body.0;
    refuse_other_places(&params)?;
    let found = call.target.vagrant_box()?;
    let number = required::<BoxVersion>(req, "version")?;
    let name = params.name.take().ok_or_else(|| missing_field("name"))?;
    let named = params.architecture.clone().unwrap_or_else(ArchitectureName::unknown);
    let slot = Slot { version: number.clone(), provider: name.clone(), architecture: named };
    require(&call, &architecture_of(&call, &slot)?, Action::Create)?;
    match call.app.provider(found, &number, &name).await {
        Err(error) if error.code() == ErrorCode::ProviderNotFound => {
            let provider = CreateProviderParams { name: name.clone(), description: String::new() };
            call.app.create_provider(found, &number, provider).await?;
        }
        found => drop(found?),
    }
    let slot = call.app.create_cloud_provider(found, &number, &name, params).await?;
    call.notes.about(&format!("{}/{}", slot.provider, slot.architecture));
    show(req, &call, &slot).await
}

/// Reads a provider: the architecture that is named, or its default one.
#[utoipa::path(
    get,
    path = "/api/v2/box/{organization}/{box}/version/{version}/provider/{provider}/{architecture}",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The provider.", body = CloudProviderView),
    ),
    extensions(("x-error-codes" = json!(["ARCHITECTURE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_cloud_provider(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudProviderView>> {
    let slot = slot(req, &call).await?;
    show(req, &call, &slot).await
}

/// Changes a provider. What is absent or null stays as it is.
#[utoipa::path(
    put,
    path = "/api/v2/box/{organization}/{box}/version/{version}/provider/{provider}/{architecture}",
    tag = "Vagrant Cloud",
    request_body = CloudProviderParams,
    responses(
        (status = 200, description = "The provider.", body = CloudProviderView),
    ),
    extensions(("x-error-codes" = json!([
        "ALREADY_EXISTS", "VERSION_RELEASED", "ARCHITECTURE_NOT_FOUND"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn update_cloud_provider(
    req: &mut Request,
    call: Call,
    body: NounBody<CloudProviderParams>,
) -> Result<Plain<CloudProviderView>> {
    refuse_other_places(&body.0)?;
    let slot = slot(req, &call).await?;
    let found = call.target.vagrant_box()?;
    if body.0.name.as_ref().is_some_and(|name| name.key() != slot.provider.key()) {
        require(&call, &provider_of(&call, &slot)?, Action::Update)?;
    }
    let slot = call.app.update_cloud_provider(found, slot, body.0).await?;
    show(req, &call, &slot).await
}

/// Deletes a provider: the architecture that is named, or the only one that it has, or the only one without a file.
#[utoipa::path(
    delete,
    path = "/api/v2/box/{organization}/{box}/version/{version}/provider/{provider}/{architecture}",
    tag = "Vagrant Cloud",
    responses(
        (status = 200, description = "The provider as it was.", body = CloudProviderView),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED", "ARCHITECTURE_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn delete_cloud_provider(
    req: &mut Request,
    call: Call,
) -> Result<Plain<CloudProviderView>> {
    let found = call.target.vagrant_box()?;
    let (number, provider) = (required(req, "version")?, required(req, "provider")?);
    let architecture = optional::<ArchitectureName>(req, "architecture")?;
    let doomed = call.app.cloud_doomed(found, &number, &provider, architecture.as_ref()).await?;
    match doomed {
        Doomed::Architecture(slot) => {
            let view = show(req, &call, &slot).await?;
            call.app.delete_architecture(found, &slot).await?;
            Ok(view)
        }
        Doomed::Provider(slot) => {
            require(&call, &provider_of(&call, &slot)?, Action::Delete)?;
            let view = show(req, &call, &slot).await?;
            call.app.delete_provider(found, &slot.version, &slot.provider).await?;
            Ok(view)
        }
    }
}

/// Which architecture a path means.
pub(super) async fn slot(req: &Request, call: &Call) -> Result<Slot> {
    let (number, provider) =
        (required::<BoxVersion>(req, "version")?, required::<ProviderName>(req, "provider")?);
    let architecture = optional::<ArchitectureName>(req, "architecture")?;
    let found = call.target.vagrant_box()?;
    call.app.cloud_slot(found, &number, &provider, architecture.as_ref()).await
}

async fn show(req: &Request, call: &Call, slot: &Slot) -> Result<Plain<CloudProviderView>> {
    let found = call.target.vagrant_box()?;
    Ok(Plain(call.app.cloud_provider(&place(req, call), found, slot).await?))
}

/// Decides on what the path does not name.
fn require(call: &Call, resource: &Resource, action: Action) -> Result<()> {
    let relations = call.target.box_relations(&call.identity);
    call.app.require(&call.policy, &call.identity, resource, action, relations)
}

fn architecture_of(call: &Call, slot: &Slot) -> Result<Resource> {
    let found = call.target.vagrant_box()?;
    Ok(Resource::Architecture(
        found.organization.name.clone(),
        found.vagrant_box.name.clone(),
        slot.version.clone(),
        slot.provider.clone(),
        Some(slot.architecture.clone()),
    ))
}

fn provider_of(call: &Call, slot: &Slot) -> Result<Resource> {
    let found = call.target.vagrant_box()?;
    Ok(Resource::Provider(
        found.organization.name.clone(),
        found.vagrant_box.name.clone(),
        slot.version.clone(),
        Some(slot.provider.clone()),
    ))
}

/// Files lie here and nowhere else.
pub(super) fn refuse_other_places(params: &CloudProviderParams) -> Result<()> {
    if params.url.as_ref().is_none_or(String::is_empty) {
        return Ok(());
    }
    Err(AppError::invalid(
        "url",
        "names a file elsewhere, and this server has every file itself; leave it out and upload the file",
    ))
}
