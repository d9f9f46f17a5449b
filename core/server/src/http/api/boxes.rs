//! Boxes, versions, providers, architectures.

use boxvault_policy::Relations;
use boxvault_types::{
    action::{Action, Resource},
    names::{ArchitectureName, ProviderName},
    params::{
        ListQuery,
        boxes::{
            CreateArchitectureParams, CreateBoxParams, CreateProviderParams, CreateVersionParams,
            UpdateArchitectureParams, UpdateBoxParams, UpdateProviderParams, UpdateVersionParams,
            VersionStatus,
        },
    },
    version::BoxVersion,
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        boxes::{ArchitectureView, BoxView, ProviderView, VersionView},
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    app::{access, artifacts::Slot, boxes, providers, versions},
    error::Result,
    http::{
        call::{Body, Call, Query},
        etag,
        extract::required,
        reply::{PageReply, Reply},
    },
};

/// The version, provider and architecture that a path names.
pub(super) fn slot(req: &Request) -> Result<Slot> {
    Ok(Slot {
        version: required::<BoxVersion>(req, "version")?,
        provider: required::<ProviderName>(req, "provider")?,
        architecture: required::<ArchitectureName>(req, "architecture")?,
    })
}

/// Holds a write to the state of a version that the caller has seen.
async fn hold_version(req: &Request, call: &Call, number: &BoxVersion) -> Result<()> {
    if etag::is_held(req) {
        let present = call.app.version(call.target.vagrant_box()?, number).await?;
        etag::require_match(req, &versions::view(present))?;
    }
    Ok(())
}

/// Holds a write to the state of a provider that the caller has seen.
async fn hold_provider(
    req: &Request,
    call: &Call,
    number: &BoxVersion,
    name: &ProviderName,
) -> Result<()> {
    if etag::is_held(req) {
        let present = call.app.provider(call.target.vagrant_box()?, number, name).await?;
        etag::require_match(req, &providers::view(present))?;
    }
    Ok(())
}

/// Holds a write to the state of an architecture that the caller has seen.
async fn hold_architecture(req: &Request, call: &Call, slot: &Slot) -> Result<()> {
    if etag::is_held(req) {
        let present = call.app.read_architecture(call.target.vagrant_box()?, slot).await?;
        etag::require_match(req, &present)?;
    }
    Ok(())
}

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
pub(crate) async fn update_box(
    req: &mut Request,
    call: Call,
    body: Body<UpdateBoxParams>,
) -> Result<Reply<BoxView>> {
    let found = call.target.vagrant_box()?;
    etag::require_match(req, &boxes::view(&found.organization, &found.vagrant_box))?;
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
pub(crate) async fn delete_box(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let found = call.target.vagrant_box()?;
    etag::require_match(req, &boxes::view(&found.organization, &found.vagrant_box))?;
    call.app.delete_box(found).await?;
    Ok(Reply::ok(
        format!("box {}/{} deleted", found.organization.name, found.vagrant_box.name),
        Nothing,
    ))
}

/// Lists the versions of a box, newest first.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version",
    tag = "Box Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The versions.", body = ListEnvelope<VersionView>),
    )
)]
#[handler]
pub(crate) async fn list_versions(call: Call, query: Query) -> Result<PageReply<VersionView>> {
    let all = access::sees_unreleased(&call.policy, &call.identity, &call.target);
    let status = (!all).then_some(VersionStatus::Released);
    let (items, page) = call.app.list_versions(call.target.vagrant_box()?, status, query.0).await?;
    Ok(PageReply::new(format!("{} versions", page.total), items, page))
}

/// Creates a version. Clients do not see it before it is released.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/box/{box}/version",
    tag = "Box Management",
    request_body = CreateVersionParams,
    responses(
        (status = 201, description = "The new version.", body = Envelope<VersionView>),
        (status = 409, description = "The version exists.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn create_version(
    call: Call,
    body: Body<CreateVersionParams>,
) -> Result<Reply<VersionView>> {
    let created = call.app.create_version(call.target.vagrant_box()?, body.0).await?;
    Ok(Reply::created(
        format!("version {} created; upload its files, then release it", created.version_number),
        created,
    ))
}

/// Reads a version.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/box/{box}/version/{version}",
    tag = "Box Management",
    responses(
        (status = 200, description = "The version.", body = Envelope<VersionView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
pub(crate) async fn read_version(req: &mut Request, call: Call) -> Result<Reply<VersionView>> {
    let version = call.app.version(call.target.vagrant_box()?, &required(req, "version")?).await?;
    Ok(Reply::ok("version found", versions::view(version)).tagged())
}

/// Changes a version. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/version/{version}",
    tag = "Box Management",
    request_body = UpdateVersionParams,
    responses(
        (status = 200, description = "The version.", body = Envelope<VersionView>),
        (status = 409, description = "The version exists, or this one was released.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn update_version(
    req: &mut Request,
    call: Call,
    body: Body<UpdateVersionParams>,
) -> Result<Reply<VersionView>> {
    let number = required(req, "version")?;
    hold_version(req, &call, &number).await?;
    let changed = call.app.update_version(call.target.vagrant_box()?, &number, body.0).await?;
    Ok(Reply::ok(format!("version {number} changed"), changed))
}

/// Deletes a version with its files.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/box/{box}/version/{version}",
    tag = "Box Management",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn delete_version(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let number = required(req, "version")?;
    hold_version(req, &call, &number).await?;
    call.app.delete_version(call.target.vagrant_box()?, &number).await?;
    Ok(Reply::ok(format!("version {number} deleted"), Nothing))
}

/// Makes a version visible to clients. Its files are immutable from then on.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/version/{version}/release",
    tag = "Box Management",
    responses(
        (status = 200, description = "The version.", body = Envelope<VersionView>),
        (status = 409, description = "It was released or revoked before, or has no file.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn release_version(req: &mut Request, call: Call) -> Result<Reply<VersionView>> {
    let number = required(req, "version")?;
    hold_version(req, &call, &number).await?;
    let changed = call.app.release_version(call.target.vagrant_box()?, &number).await?;
    Ok(Reply::ok(format!("version {number} released"), changed))
}

/// Withdraws a released version.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/box/{box}/version/{version}/revoke",
    tag = "Box Management",
    responses(
        (status = 200, description = "The version.", body = Envelope<VersionView>),
        (status = 409, description = "It is not released.", body = ErrorEnvelope),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
pub(crate) async fn revoke_version(req: &mut Request, call: Call) -> Result<Reply<VersionView>> {
    let number = required(req, "version")?;
    hold_version(req, &call, &number).await?;
    let changed = call.app.revoke_version(call.target.vagrant_box()?, &number).await?;
    Ok(Reply::ok(format!("version {number} revoked"), changed))
}

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
    )
)]
#[handler]
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
    )
)]
#[handler]
pub(crate) async fn update_provider(
    req: &mut Request,
    call: Call,
    body: Body<UpdateProviderParams>,
) -> Result<Reply<ProviderView>> {
    let (number, name) = (required(req, "version")?, required(req, "provider")?);
    hold_provider(req, &call, &number, &name).await?;
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
    )
)]
#[handler]
pub(crate) async fn delete_provider(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let (number, name) = (required(req, "version")?, required(req, "provider")?);
    hold_provider(req, &call, &number, &name).await?;
    call.app.delete_provider(call.target.vagrant_box()?, &number, &name).await?;
    Ok(Reply::ok(format!("provider {name} deleted"), Nothing))
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
    )
)]
#[handler]
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
    )
)]
#[handler]
pub(crate) async fn update_architecture(
    req: &mut Request,
    call: Call,
    body: Body<UpdateArchitectureParams>,
) -> Result<Reply<ArchitectureView>> {
    let slot = slot(req)?;
    hold_architecture(req, &call, &slot).await?;
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
    )
)]
#[handler]
pub(crate) async fn delete_architecture(req: &mut Request, call: Call) -> Result<Reply<Nothing>> {
    let slot = slot(req)?;
    hold_architecture(req, &call, &slot).await?;
    call.app.delete_architecture(call.target.vagrant_box()?, &slot).await?;
    Ok(Reply::ok(format!("architecture {} deleted", slot.architecture), Nothing))
}
