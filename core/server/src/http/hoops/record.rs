//! The audit log, by construction: no handler writes it, and none can forget to.
//!
//! [`RecordChange`] stands right before the handler of every route that changes something, [`RecordRefusal`] around
//! everything. A change is recorded before its answer goes out, and when that fails the answer is the failure: what
//! somebody was told that was done is in the log. An upload's row is part of its commit ([`Call::audit`]).

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use boxvault_catalog::audit::NewEntry;
use boxvault_policy::Policy;
use boxvault_types::{
    action::{Action, ResourceKind},
    error::ErrorCode,
    identity::{Credential, Identity},
    ids::OrganizationId,
    names::OrganizationName,
};
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, Writer as _, async_trait,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};

use crate::{
    app::{App, access::Target},
    http::{
        call::{Call, RequestFacts},
        error::Dialect,
        extract,
        routes::{Mounted, Permission},
    },
};

/// How many fields of a change are named.
const FIELDS_MAX: usize = 40;
/// Fields whose words say what a change is about and are never secret. Yes and no are shown of every field.
const SHOWN_FIELDS: &[&str] = &["role", "accessMode", "name", "versionNumber"];

/// What becomes known of a change while it is made.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    in_commit: AtomicBool,
    fields: OnceLock<Vec<String>>,
    object: OnceLock<String>,
}

impl Notes {
    /// A row was handed to the transaction that makes the change.
    pub(crate) fn written_with_the_commit(&self) {
        self.in_commit.store(true, Ordering::Relaxed);
    }

    /// Names what is acted on where the path does not, such as a new member.
    pub(crate) fn about(&self, name: &str) {
        // the first to know it is the one to say it
        self.object.get_or_init(|| name.to_ascii_lowercase());
    }

    /// Notes the fields that a body names. Their values stay out, but for those that are known to hold no secret.
    pub(crate) fn body(&self, bytes: &[u8]) {
        let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else { return };
        let named = fields.iter().take(FIELDS_MAX).map(|(name, value)| match value {
            Value::Bool(value) => format!("{name}={value}"),
            Value::String(word) if SHOWN_FIELDS.contains(&&**name) && word.len() <= 128 => {
                format!("{name}={word}")
            }
            _ => name.clone(),
        });
        self.fields.get_or_init(|| named.collect());
    }
}

/// What an answer tells of the thing that was made or changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    id: Option<String>,
    username: Option<String>,
    name: Option<String>,
}

impl Told {
    /// Reads it off the data of an answer.
    pub(crate) fn by(data: &Value) -> Self {
        let word = |field: &str| data.get(field).and_then(Value::as_str).map(ToOwned::to_owned);
        Self {
            id: word("id"),
            username: word("username"),
            name: word("username").or_else(|| word("versionNumber")).or_else(|| word("name")),
        }
    }
}

/// Somebody was told no, by the decision in front of the handlers.
pub(crate) struct Denied {
    pub(crate) action: Action,
    pub(crate) target: Target,
    pub(crate) policy: Arc<Policy>,
}

/// See the module.
pub(crate) struct RecordChange;

#[async_trait]
impl Handler for RecordChange {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        ctrl.call_next(req, depot, res).await;
        let status = res.status_code.unwrap_or(StatusCode::OK);
        if status.is_client_error() || status.is_server_error() {
            return;
        }
        let Ok(call) = depot.get_typed::<Call>().cloned() else { return };
        if call.notes.in_commit.load(Ordering::Relaxed) {
            return;
        }
        let told = res.extensions.get::<Told>().cloned().unwrap_or_default();
        let entry = change(&call, status, told);
        if let Err(error) = call.app.record_change(entry).await {
            error.write(req, depot, res).await;
        }
    }
}

/// The row of a change.
fn change(call: &Call, status: StatusCode, told: Told) -> NewEntry {
    let mut entry = call.entry();
    entry.status = Some(status.as_u16());
    if let Some(fields) = call.notes.fields.get() {
        entry.detail = Some(json!({ "fields": fields }));
    }
    match call.target.resource.kind() {
        // who just became known
        ResourceKind::Session | ResourceKind::Account | ResourceKind::Setup
            if entry.actor_id.is_none() =>
        {
            entry.actor_id = told.id.and_then(|id| id.parse().ok());
            entry.actor_name = told.username;
        }
        ResourceKind::Session
        | ResourceKind::Account
        | ResourceKind::Setup
        | ResourceKind::Profile => {}
        ResourceKind::Organization if entry.organization.is_none() => {
            entry.organization = told.name.and_then(|name| OrganizationName::parse(&name).ok());
        }
        _ if call.action == Action::Create => {
            let name = call.notes.object.get().cloned();
            let name = name.or(told.name.map(|name| name.to_ascii_lowercase())).or(told.id);
            if let Some(name) = name {
                entry.object = format!("{}/{name}", entry.object);
            }
        }
        _ => {}
    }
    entry
}

/// See the module.
pub(crate) struct RecordRefusal {
    app: Arc<App>,
    /// What each route needs, by its method and path.
    routes: HashMap<(String, String), Permission>,
}

impl RecordRefusal {
    /// Knows what each route needs, for requests that are refused before anybody asks.
    pub(crate) fn new(app: Arc<App>, routes: &[Mounted]) -> Self {
        let routes = routes.iter().map(|route| {
            let path = route.path.trim_matches('/').to_owned();
            ((route.method.clone(), path), route.permission)
        });
        Self { app, routes: routes.collect() }
    }

    fn refusal(&self, req: &Request, depot: &Depot, res: &Response) -> Option<NewEntry> {
        let facts = RequestFacts::of(depot);
        if let Ok(denied) = depot.get_typed::<Denied>() {
            let identity = depot.get_typed::<Identity>().cloned().unwrap_or_default();
            let mut entry = row(&facts, &identity, &denied.policy, denied.action, &denied.target);
            entry.allowed = false;
            return Some(entry);
        }
        let status = res.status_code?;
        let code = *res.extensions.get::<ErrorCode>()?;
        let refused = match status {
            StatusCode::UNAUTHORIZED => code != ErrorCode::CredentialsMissing,
            StatusCode::FORBIDDEN => true,
            _ => code == ErrorCode::SignInThrottled,
        };
        if !refused {
            return None;
        }
        if let Ok(call) = depot.get_typed::<Call>() {
            return Some(NewEntry { allowed: false, ..call.entry() });
        }
        // refused before anybody asked what for: bad credentials
        let method = if req.method() == Method::HEAD { "GET" } else { req.method().as_str() };
        let path = req.matched_path().trim_matches('/').to_owned();
        let permission = *self.routes.get(&(method.to_owned(), path))?;
        let part = extract::system_part(req.matched_path());
        let resource = extract::resource(req, permission.kind, part).ok()?;
        let target = Target::unknown(resource);
        let policy = self.app.policy.load();
        let mut entry = row(&facts, &Identity::Anonymous, &policy, permission.action, &target);
        "invalid".clone_into(&mut entry.credential);
        entry.allowed = false;
        Some(entry)
    }
}

#[async_trait]
impl Handler for RecordRefusal {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        ctrl.call_next(req, depot, res).await;
        if let Some(mut entry) = self.refusal(req, depot, res) {
            entry.status = res.status_code.map(|status| status.as_u16());
            self.app.record_refusal(entry);
        }
    }
}

/// A row of the audit log: who did what to what, from where, by which policy.
pub(crate) fn row(
    facts: &RequestFacts,
    identity: &Identity,
    policy: &Policy,
    action: Action,
    target: &Target,
) -> NewEntry {
    let caller = identity.caller();
    NewEntry {
        at: None,
        actor_id: caller.map(|caller| caller.user_id),
        actor_name: caller.map(|caller| caller.name.to_string()),
        credential: caller.map_or(Credential::None, |caller| caller.credential).kind().to_owned(),
        action: action.as_str().to_owned(),
        organization: target.resource.organization().cloned(),
        organization_id: organization_id(target),
        object: target.resource.object(),
        allowed: true,
        status: None,
        address: Some(facts.address.to_string()),
        request_id: Some(facts.request_id.to_string()),
        policy_digest: Some(policy.digest().to_owned()),
        detail: (facts.dialect == Dialect::Vagrant).then(|| json!({ "dialect": "vagrant" })),
    }
}

fn organization_id(target: &Target) -> Option<OrganizationId> {
    let of_box = target.vagrant_box.as_ref().map(|found| found.organization.id);
    of_box.or(target.organization.as_ref().map(|organization| organization.id))
}
