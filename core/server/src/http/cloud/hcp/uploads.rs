//! Files: where one is, where the next one goes, and the word that it arrived, as in the older API.

use boxvault_types::views::hcp::{HcpDirectUploadView, HcpDownloadView, HcpNothing, HcpUploadView};
use salvo::{Request, Writer as _, handler};

use super::super::{
    Plain, place,
    uploads::{Invitation, arrived, invite, ticket_address},
};
use crate::{
    app::upload_tickets::Verdict,
    error::Result,
    http::{api::architectures::slot, boxed, call::Call},
};

/// Tells where clients fetch the file.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/download",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The address, and the checksum.", body = HcpDownloadView),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_hcp_download(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpDownloadView>> {
    let (slot, found) = (slot(req)?, call.target.vagrant_box()?);
    let architecture = call.app.hcp_architecture(found, &slot).await?;
    let provider = call.app.cloud_provider(&place(req, &call), found, &slot).await?;
    Ok(Plain(HcpDownloadView {
        url: provider.download_url,
        checksum: architecture.box_data.checksum,
        checksum_type: architecture.box_data.checksum_type,
    }))
}

/// Gives an address that takes the file once, without credentials, for a while.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/upload",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The address.", body = HcpUploadView),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_hcp_upload(req: &mut Request, call: Call) -> Result<Plain<HcpUploadView>> {
    let (url, _) = ticket_address(req, &call, &slot(req)?, Verdict::AtOnce).await?;
    Ok(Plain(HcpUploadView { url }))
}

/// Gives an address that takes the file once, without credentials, for a while, and the word to say then.
#[utoipa::path(
    get,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/direct/upload",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "The address.", body = HcpDirectUploadView),
    ),
    extensions(("x-error-codes" = json!(["VERSION_RELEASED"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_hcp_direct_upload(
    req: &mut Request,
    call: Call,
) -> Result<Plain<HcpDirectUploadView>> {
    let Invitation { url, word } = invite(req, &call, &slot(req)?).await?;
    Ok(Plain(HcpDirectUploadView { url, object: word, callback: String::new() }))
}

/// Says that the file was sent: it is looked for, or why it was refused. It may be said again.
#[utoipa::path(
    put,
    path = "/vagrant/2022-09-30/registry/{organization}/box/{box}/version/{version}/provider/{provider}/architecture/{architecture}/direct/complete/{since}",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "It is there.", body = HcpNothing),
    ),
    extensions(("x-error-codes" = json!([
        "VERSION_EMPTY", "VERSION_RELEASED", "LOST_RACE", "NOT_A_BOX", "CHECKSUM_MISMATCH",
        "LENGTH_MISMATCH", "PROVIDER_MISMATCH", "FILE_TOO_LARGE", "QUOTA_EXCEEDED", "STORE_UNAVAILABLE", "BUSY"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn finish_hcp_upload(req: &mut Request, call: Call) -> Result<Plain<HcpNothing>> {
    arrived(req, &call).await?;
    Ok(Plain(HcpNothing {}))
}
