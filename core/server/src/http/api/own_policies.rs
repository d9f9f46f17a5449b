//! The rules of an organization's own: what is in force, what a change would do, the change itself, and the way back.

use boxvault_types::{
    params::{
        ListQuery,
        policies::{
            CheckOrganizationPolicyParams, PutOrganizationPolicyParams, RollBackPolicyParams,
        },
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope,
        policies::{
            OrganizationPolicyVersionView, OrganizationPolicyView, PolicyCheckView,
            PolicyVersionView,
        },
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

/// Tells which rules an organization has of its own, and what looks wrong with them.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/policy",
    tag = "Policies",
    responses(
        (status = 200, description = "The rules; an empty text where there are none.", body = Envelope<OrganizationPolicyView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_organization_policy(call: Call) -> Result<Reply<OrganizationPolicyView>> {
    let view = call.app.own_policy_view(call.target.organization()?).await?;
    Ok(reply(view))
}

/// Puts rules of an organization's own in force, on every server within two seconds. They speak of nothing else, and
/// give nothing that the caller may not do there. What has a problem changes nothing.
#[utoipa::path(
    put,
    path = "/api/organization/{organization}/policy",
    tag = "Policies",
    request_body = PutOrganizationPolicyParams,
    responses(
        (status = 200, description = "They are in force.", body = Envelope<OrganizationPolicyView>),
        (status = 412, description = "They were changed since `If-Match`.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["POLICY_INVALID", "LOST_RACE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn put_organization_policy(
    call: Call,
    body: Body<PutOrganizationPolicyParams>,
) -> Result<Reply<OrganizationPolicyView>> {
    let organization = call.target.organization()?;
    let view =
        call.app.put_own_policy(&call.identity, organization, body.0, call.audit(None)).await?;
    Ok(reply(view))
}

/// Looks at rules of an organization's own as if the caller put them in force: every problem at its line, or which
/// decisions they would change. Changes nothing.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/policy/check",
    tag = "Policies",
    request_body = CheckOrganizationPolicyParams,
    responses(
        (status = 200, description = "What would come of it.", body = Envelope<PolicyCheckView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn check_organization_policy(
    call: Call,
    body: Body<CheckOrganizationPolicyParams>,
) -> Result<Reply<PolicyCheckView>> {
    let organization = call.target.organization()?;
    let view = call.app.check_own_policy(&call.identity, organization, body.0).await?;
    Ok(Reply::ok(format!("{} problems", view.problems.len()), view))
}

/// Lists the versions of an organization's own rules, newest first: who changed them, when and why.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/policy/versions",
    tag = "Policies",
    params(ListQuery),
    responses(
        (status = 200, description = "The versions.", body = ListEnvelope<PolicyVersionView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_organization_policy_versions(
    call: Call,
    query: Query,
) -> Result<PageReply<PolicyVersionView>> {
    let organization = call.target.organization()?;
    let (items, page) = call.app.list_own_policy_versions(organization, query.0).await?;
    Ok(PageReply::new(format!("{} versions", page.total), items, page))
}

/// Shows a version of an organization's own rules with its text.
#[utoipa::path(
    get,
    path = "/api/organization/{organization}/policy/versions/{number}",
    tag = "Policies",
    responses(
        (status = 200, description = "The version.", body = Envelope<OrganizationPolicyVersionView>),
    ),
    extensions(("x-error-codes" = json!(["POLICY_VERSION_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_organization_policy_version(
    req: &mut Request,
    call: Call,
) -> Result<Reply<OrganizationPolicyVersionView>> {
    let number = required(req, "number")?;
    let view = call.app.own_policy_version(call.target.organization()?, number).await?;
    Ok(Reply::ok("version found", view))
}

/// Puts an earlier version of an organization's own rules in force again, as a new version; what it gives, the caller
/// must be allowed now.
#[utoipa::path(
    post,
    path = "/api/organization/{organization}/policy/versions/{number}/rollback",
    tag = "Policies",
    request_body = RollBackPolicyParams,
    responses(
        (status = 200, description = "It is in force.", body = Envelope<OrganizationPolicyView>),
        (status = 412, description = "The rules were changed since `If-Match`.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "POLICY_VERSION_NOT_FOUND", "POLICY_INVALID", "LOST_RACE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn roll_organization_policy_back(
    req: &mut Request,
    call: Call,
    body: Body<RollBackPolicyParams>,
) -> Result<Reply<OrganizationPolicyView>> {
    let number = required(req, "number")?;
    let organization = call.target.organization()?;
    let (app, identity) = (&call.app, &call.identity);
    let view =
        app.roll_own_policy_back(identity, organization, number, body.0, call.audit(None)).await?;
    Ok(reply(view))
}

fn reply(view: OrganizationPolicyView) -> Reply<OrganizationPolicyView> {
    let version = view.version;
    let told = match (version, view.in_force) {
        (0, _) => "there are no rules of its own".to_owned(),
        (_, true) => format!("version {version} is in force"),
        (_, false) => format!("version {version} cannot be read, so only platform admins get in"),
    };
    Reply::ok(told, view).tagged()
}
