//! The policy: what is in force, what a change would do, the change itself, and the way back.

use boxvault_types::{
    params::{
        ListQuery,
        policies::{CheckPolicyParams, PolicyQuestion, PutPolicyParams, RollBackPolicyParams},
    },
    views::{
        Envelope, ErrorEnvelope, ListEnvelope,
        policies::{
            ExplanationView, PolicyCheckView, PolicyVersionTextView, PolicyVersionView, PolicyView,
        },
    },
};
use salvo::{Request, Writer as _, handler};

use crate::{
    error::Result,
    http::{
        boxed,
        call::{Body, Call, PolicyBody, Query},
        extract::required,
        reply::{PageReply, Reply},
    },
};

/// Tells which policy is in force: all its texts, and what looks wrong with them.
#[utoipa::path(
    get,
    path = "/api/policies",
    tag = "Policies",
    responses(
        (status = 200, description = "The policy.", body = Envelope<PolicyView>),
        (status = 304, description = "As `If-None-Match` says."),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn read_policy(call: Call) -> Result<Reply<PolicyView>> {
    let view = call.app.policy_view().await?;
    Ok(Reply::ok(format!("version {} is in force", view.version), view).tagged())
}

/// Puts a policy in force, on every server within two seconds. It is checked first: what has a problem changes nothing.
#[utoipa::path(
    put,
    path = "/api/policies",
    tag = "Policies",
    request_body = PutPolicyParams,
    responses(
        (status = 200, description = "It is in force.", body = Envelope<PolicyView>),
        (status = 412, description = "It was changed since `If-Match`.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!(["POLICY_INVALID", "LOST_RACE"])))
)]
#[handler]
#[boxed]
pub(crate) async fn put_policy(
    call: Call,
    body: PolicyBody<PutPolicyParams>,
) -> Result<Reply<PolicyView>> {
    let (author, audit) = (call.caller()?.name.to_string(), call.audit(None));
    let view = call.app.put_policy(author, body.0, audit).await?;
    Ok(Reply::ok(format!("version {} is in force", view.version), view).tagged())
}

/// Looks at files as if they were to come into force: every problem at its line. Changes nothing.
#[utoipa::path(
    post,
    path = "/api/policies/check",
    tag = "Policies",
    request_body = CheckPolicyParams,
    responses(
        (status = 200, description = "What would come of it.", body = Envelope<PolicyCheckView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn check_policy(
    call: Call,
    body: PolicyBody<CheckPolicyParams>,
) -> Result<Reply<PolicyCheckView>> {
    let view = call.app.check_policy(body.0).await?;
    Ok(Reply::ok(format!("{} problems", view.problems.len()), view))
}

/// Says whether somebody may do something, by which rule, in which file and line, through which role; or why not.
#[utoipa::path(
    get,
    path = "/api/policies/explain",
    tag = "Policies",
    params(PolicyQuestion),
    responses(
        (status = 200, description = "The decision.", body = Envelope<ExplanationView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn explain_decision(
    req: &mut Request,
    call: Call,
) -> Result<Reply<ExplanationView>> {
    let word = |name: &str| req.queries().get(name).cloned();
    let question = PolicyQuestion {
        subject: word("subject").unwrap_or_default(),
        action: word("action").unwrap_or_default(),
        object: word("object").unwrap_or_default(),
        organization: word("organization"),
    };
    let view = call.app.explain_decision(&question)?;
    let answer = if view.allowed { "yes" } else { "no" };
    Ok(Reply::ok(answer, view))
}

/// Lists the versions of the policy, newest first: who changed it, when and why.
#[utoipa::path(
    get,
    path = "/api/policies/versions",
    tag = "Policies",
    params(ListQuery),
    responses(
        (status = 200, description = "The versions.", body = ListEnvelope<PolicyVersionView>),
    )
)]
#[handler]
#[boxed]
pub(crate) async fn list_policy_versions(
    call: Call,
    query: Query,
) -> Result<PageReply<PolicyVersionView>> {
    let (items, page) = call.app.list_policy_versions(query.0).await?;
    Ok(PageReply::new(format!("{} versions", page.total), items, page))
}

/// Shows a version of the policy with its texts.
#[utoipa::path(
    get,
    path = "/api/policies/versions/{number}",
    tag = "Policies",
    responses(
        (status = 200, description = "The version.", body = Envelope<PolicyVersionTextView>),
    ),
    extensions(("x-error-codes" = json!(["POLICY_VERSION_NOT_FOUND"])))
)]
#[handler]
#[boxed]
pub(crate) async fn read_policy_version(
    req: &mut Request,
    call: Call,
) -> Result<Reply<PolicyVersionTextView>> {
    let view = call.app.policy_version(required(req, "number")?).await?;
    Ok(Reply::ok("version found", view))
}

/// Puts an earlier version of the policy in force again, as a new version.
#[utoipa::path(
    post,
    path = "/api/policies/versions/{number}/rollback",
    tag = "Policies",
    request_body = RollBackPolicyParams,
    responses(
        (status = 200, description = "It is in force.", body = Envelope<PolicyView>),
        (status = 412, description = "The policy was changed since `If-Match`.", body = ErrorEnvelope),
    ),
    extensions(("x-error-codes" = json!([
        "POLICY_VERSION_NOT_FOUND", "POLICY_INVALID", "LOST_RACE"
    ])))
)]
#[handler]
#[boxed]
pub(crate) async fn roll_policy_back(
    req: &mut Request,
    call: Call,
    body: Body<RollBackPolicyParams>,
) -> Result<Reply<PolicyView>> {
    let number = required(req, "number")?;
    let author = call.caller()?.name.to_string();
    let view = call.app.roll_policy_back(author, number, body.0, call.audit(None)).await?;
    Ok(Reply::ok(format!("version {} is in force", view.version), view).tagged())
}
