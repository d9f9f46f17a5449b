//! The service accounts of an organization.

use boxvault_types::{
    names::ServiceAccountName,
    params::{
        ListQuery,
        service_accounts::{
            CreateServiceAccountParams, RotateSecretParams, UpdateServiceAccountParams,
        },
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope, Nothing,
        service_accounts::{NewServiceAccountView, ServiceAccountView},
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    error::Result,
    http::{
        boxed,
        call::{Body, Call, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

/// Lists the service accounts of an organization.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/service-accounts",
    tag = "Organization Management",
    params(ListQuery),
    responses(
        (status = 200, description = "The service accounts.", body = ListEnvelope<ServiceAccountView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_service_accounts(
    call: Call,
    query: Query,
) -> Result<PageReply<ServiceAccountView>> {
    let organization = call.target.organization()?;
    let (items, page) = call.app.list_service_accounts(organization, query.0).await?;
    Ok(PageReply::new(format!("{} service accounts", page.total), items, page))
}

/// Makes a service account. Its secret shows once. It acts in this organization alone, and never may more than whoever
/// made it may at that moment.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/service-accounts",
    tag = "Organization Management",
    request_body = CreateServiceAccountParams,
    responses(
        (status = 201, description = "The service account, with its secret.", body = Envelope<NewServiceAccountView>),
        (status = 409, description = "The name is taken.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["ALREADY_EXISTS"])))
)]
#[handler]
#[boxed]
pub(crate) async fn create_service_account(
    call: Call,
    body: Body<CreateServiceAccountParams>,
) -> Result<Reply<NewServiceAccountView>> {
    let organization = call.target.organization()?;
    let created = call.app.create_service_account(call.caller()?, organization, body.0).await?;
    Ok(Reply::created(
        "service account created; keep its token now, it is not shown again",
        created,
    ))
}

/// Reads a service account.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/service-accounts/{service}",
    tag = "Organization Management",
    responses(
        (status = 200, description = "The service account.", body = Envelope<ServiceAccountView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_service_account(
    req: &mut Request,
    call: Call,
) -> Result<Reply<ServiceAccountView>> {
    let name = required::<ServiceAccountName>(req, "service")?;
    let found = call.app.service_account(call.target.organization()?, &name).await?;
    Ok(Reply::ok("service account found", found).tagged())
}

/// Changes, suspends or resumes a service account. What is absent stays as it is.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/service-accounts/{service}",
    tag = "Organization Management",
    request_body = UpdateServiceAccountParams,
    responses(
        (status = 200, description = "The service account.", body = Envelope<ServiceAccountView>),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn update_service_account(
    req: &mut Request,
    call: Call,
    body: Body<UpdateServiceAccountParams>,
) -> Result<Reply<ServiceAccountView>> {
    let name = required::<ServiceAccountName>(req, "service")?;
    let organization = call.target.organization()?;
    let changed = call.app.update_service_account(organization, &name, body.0).await?;
    Ok(Reply::ok(format!("service account {name} changed"), changed).tagged())
}

/// Gives a service account another secret, which shows once. The one before ends at once, and the caller vouches for it
/// from now on.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/service-accounts/{service}/secret",
    tag = "Organization Management",
    request_body = RotateSecretParams,
    responses(
        (status = 200, description = "The service account, with its new secret.", body = Envelope<NewServiceAccountView>),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn rotate_service_account_secret(
    req: &mut Request,
    call: Call,
    body: Body<RotateSecretParams>,
) -> Result<Reply<NewServiceAccountView>> {
    let name = required::<ServiceAccountName>(req, "service")?;
    let organization = call.target.organization()?;
    let days = body.0.expires_in_days;
    let rotated =
        call.app.rotate_service_account_secret(call.caller()?, organization, &name, days).await?;
    Ok(Reply::ok("secret rotated; keep the token now, it is not shown again", rotated))
}

/// Deletes a service account. Its boxes stay.
#[utoipa::path(
    delete,
    path = "/api/organization/{organization}/service-accounts/{service}",
    tag = "Organization Management",
    responses(
        (status = 200, description = "It is gone.", body = Envelope<Nothing>),
        (status = 412, description = "`If-Match` names an older state.", body = ErrorEnvelope),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn delete_service_account(
    req: &mut Request,
    call: Call,
) -> Result<Reply<Nothing>> {
    let name = required::<ServiceAccountName>(req, "service")?;
    call.app.delete_service_account(call.target.organization()?, &name).await?;
    Ok(Reply::ok(format!("service account {name} deleted"), Nothing))
}
