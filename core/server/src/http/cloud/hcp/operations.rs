//! What clients wait for, and the token that they begin with.

use boxvault_types::{
    error::ErrorCode,
    params::hcp::OAuthTokenParams,
    views::hcp::{
        HcpLocationView, HcpOperationAnswer, HcpOperationView, OAuthErrorView, OAuthTokenView,
    },
};
use data_encoding::BASE64;
use salvo::{
    Request, Writer as _, handler,
    http::header::{AUTHORIZATION, CONTENT_TYPE},
};
use uuid::Uuid;

use super::super::Plain;
use crate::{
    error::{AppError, Result},
    http::{
        boxed,
        call::{Call, read_bounded},
        extract::required,
    },
};

/// In place of the organizations and projects of HCP, of which there are none here.
const NOWHERE: Uuid = Uuid::nil();

/// An operation that is done.
pub(super) fn done() -> HcpOperationView {
    operation(Uuid::now_v7())
}

fn operation(id: Uuid) -> HcpOperationView {
    HcpOperationView {
        id: id.to_string(),
        state: "DONE".to_owned(),
        location: HcpLocationView {
            organization_id: NOWHERE.to_string(),
            project_id: NOWHERE.to_string(),
        },
    }
}

/// Waits for an operation: it is done.
#[utoipa::path(
    get,
    path = "/operation/2020-05-05/organizations/00000000-0000-0000-0000-000000000000/projects/00000000-0000-0000-0000-000000000000/operations/{id}/wait",
    tag = "HCP Vagrant Registry",
    responses(
        (status = 200, description = "It is done.", body = HcpOperationAnswer),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn wait_for_hcp_operation(
    req: &mut Request,
    _call: Call,
) -> Result<Plain<HcpOperationAnswer>> {
    Ok(Plain(HcpOperationAnswer { operation: operation(required(req, "id")?) }))
}

/// Gives a service account a short-lived token, by OAuth client credentials.
#[utoipa::path(
    post,
    path = "/oauth2/token",
    tag = "HCP Vagrant Registry",
    request_body(content = OAuthTokenParams, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token.", body = OAuthTokenView),
        (status = 400, description = "The request is none of this kind.", body = OAuthErrorView),
        (status = 401, description = "The client is no live service account.", body = OAuthErrorView),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn create_service_token(
    req: &mut Request,
    call: Call,
) -> Result<Plain<OAuthTokenView>> {
    let is_form = req.headers().get(CONTENT_TYPE).is_some_and(|kind| {
        kind.to_str().is_ok_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
    });
    if !is_form {
        return Err(AppError::new(
            ErrorCode::UnsupportedMediaType,
            "send a form, with Content-Type: application/x-www-form-urlencoded",
        ));
    }
    let limit = call.app.config.limits.json_body_bytes_max.bytes();
    let body = read_bounded(req, limit, "limits.json_body_bytes_max").await?;
    let field = |name: &str| {
        let mut all = url::form_urlencoded::parse(&body);
        all.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    if field("grant_type").as_deref() != Some("client_credentials") {
        return Err(AppError::invalid("grant_type", "is not client_credentials"));
    }
    let in_form = field("client_id").zip(field("client_secret"));
    let (id, secret) = in_form.or_else(|| by_basic(req)).ok_or_else(|| {
        AppError::new(
            ErrorCode::CredentialsMissing,
            "send client_id and client_secret in the form or by Basic: the id of a service account, or \
             organization/name, and its token",
        )
    })?;
    let (access_token, time) = call.app.service_token(&id, &secret).await?;
    call.notes.about(&id);
    let token_type = "bearer".to_owned();
    Ok(Plain(OAuthTokenView { access_token, token_type, expires_in: time.as_secs() }))
}

/// Both halves of a Basic pair, each of which may be encoded as in a form (RFC 6749, 2.3.1).
fn by_basic(req: &Request) -> Option<(String, String)> {
    let (scheme, pair) = req.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(pair.trim().as_bytes()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded =
        |half: &str| percent_encoding::percent_decode_str(half).decode_utf8_lossy().into_owned();
    Some((decoded(id), decoded(secret)))
}
