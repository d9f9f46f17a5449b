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
    identity::{Caller, Credential, Identity},
    ids::{OrganizationId, UserId},
    names::{OrganizationName, UserName},
};
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, Writer as _, async_trait,
    http::{Method, StatusCode},
};
use serde_json::Value;

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
const SHOWN_FIELDS: &[&str] =
    &["role", "accessMode", "name", "versionNumber", "organization", "username"];

/// What becomes known of a request while it is answered.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    in_commit: AtomicBool,
    fields: OnceLock<Vec<String>>,
    object: OnceLock<String>,
    account: OnceLock<(UserId, UserName)>,
    aim: OnceLock<UserName>,
    also_in: OnceLock<OrganizationName>,
}

// of each, the first to know it is the one to say it
impl Notes {
    /// A row was handed to the transaction that makes the change.
    pub(crate) fn written_with_the_commit(&self) {
        self.in_commit.store(true, Ordering::Relaxed);
    }

    /// Names what is acted on where the path does not, such as a new member.
    pub(crate) fn about(&self, name: &str) {
        self.object.get_or_init(|| name.to_ascii_lowercase());
    }

    /// Tells who it was, where no credentials do but something else has shown it, such as a link in a message.
    pub(crate) fn done_by(&self, id: UserId, name: &UserName) {
        self.account.get_or_init(|| (id, name.clone()));
    }

    /// Names the account that somebody tried to get into, whoever they are.
    pub(crate) fn aims_at(&self, account: Option<UserName>) {
        if let Some(name) = account {
            self.aim.get_or_init(|| name);
        }
    }

    /// Names another organization whose history it is, too.
    pub(crate) fn also_in(&self, organization: &OrganizationName) {
        self.also_in.get_or_init(|| organization.clone());
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

    /// Adds to a row what is known by now, whether it was done or refused.
    fn complete(&self, mut entry: NewEntry) -> NewEntry {
        if let (None, Some((id, name))) = (entry.actor_id, self.account.get()) {
            entry.actor_id = Some(*id);
            entry.actor_name = Some(name.to_string());
        }
        match self.aim.get() {
            Some(name) => entry.with_detail("account", name.as_str()),
            None => entry,
        }
    }
}

/// What an answer tells of the thing that was made or changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    id: Option<String>,
    username: Option<String>,
    name: Option<String>,
    organization: Option<String>,
}

impl Told {
    /// Reads it off the data of an answer.
    pub(crate) fn by(data: &Value) -> Self {
        let word = |field: &str| data.get(field).and_then(Value::as_str).map(ToOwned::to_owned);
        Self {
            id: word("id"),
            username: word("username"),
            organization: word("organization"),
            name: word("username").or_else(|| word("versionNumber")).or_else(|| word("name")),
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) action: Action,
    /// The operation's name in the document.
    pub(crate) operation: Arc<str>,
    pub(crate) target: Target,
}

/// Somebody was told no, by the decision in front of the handlers.
pub(crate) struct Denied {
    pub(crate) asked: Asked,
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
        let entries = change(req, &call, status, told);
        if let Err(error) = call.app.record_change(entries).await {
            error.write(req, depot, res).await;
        }
    }
}

/// The rows of a change: one, or two where two organizations are concerned.
fn change(req: &Request, call: &Call, status: StatusCode, told: Told) -> Vec<NewEntry> {
    let mut entry = call.notes.complete(call.entry());
    entry.status = Some(status.as_u16());
    if let Some(fields) = call.notes.fields.get() {
        entry = entry.with_detail("fields", fields.clone());
    }
    match call.target.resource.kind() {
        // who just became known
        ResourceKind::Session | ResourceKind::Account | ResourceKind::Setup
            if entry.actor_id.is_none() =>
        {
            entry.actor_id = told.id.and_then(|id| id.parse().ok());
            entry.actor_name = told.username;
        }
        ResourceKind::Session | ResourceKind::Token if req.params().contains_key("id") => {
            let id = req.param::<String>("id").unwrap_or_default();
            entry.object = format!("{}/{id}", entry.object);
        }
        ResourceKind::Session | ResourceKind::Account | ResourceKind::Setup => {}
        // what somebody does with their own account may concern an organization all the same
        ResourceKind::Profile => {
            let told = || OrganizationName::parse(&told.organization?).ok();
            entry.organization = extract::required(req, "organization").ok().or_else(told);
        }
        ResourceKind::Organization if entry.organization.is_none() => {
            entry.organization = told.name.and_then(|name| OrganizationName::parse(&name).ok());
        }
        _ => {
            let made = || told.name.map(|name| name.to_ascii_lowercase()).or(told.id);
            let name = call.notes.object.get().cloned();
            let name = name.or_else(|| made().filter(|_| call.action == Action::Create));
            if let Some(name) = name {
                entry.object = format!("{}/{name}", entry.object);
            }
        }
    }
    let there = call.notes.also_in.get().map(|organization| NewEntry {
        organization: Some(organization.clone()),
        organization_id: None,
        ..entry.clone()
    });
    [entry].into_iter().chain(there).collect()
}

/// See the module.
pub(crate) struct RecordRefusal {
    app: Arc<App>,
    /// What each route needs, by its method and path.
    routes: HashMap<(String, String), (Permission, Arc<str>)>,
}

impl RecordRefusal {
    /// Knows what each route needs, for requests that are refused before anybody asks.
    pub(crate) fn new(app: Arc<App>, routes: &[Mounted]) -> Self {
        let routes = routes.iter().map(|route| {
            let path = route.path.trim_matches('/').to_owned();
            let needs = (route.permission, Arc::clone(&route.operation));
            ((route.method.clone(), path), needs)
        });
        Self { app, routes: routes.collect() }
    }

    fn refusal(&self, req: &Request, depot: &Depot, res: &Response) -> Option<NewEntry> {
        let facts = RequestFacts::of(depot);
        if let Ok(denied) = depot.get_typed::<Denied>() {
            let identity = depot.get_typed::<Identity>().cloned().unwrap_or_default();
            return Some(row(&facts, &identity, &denied.policy, &denied.asked));
        }
        let status = res.status_code?;
        let code = *res.extensions.get::<ErrorCode>()?;
        let call = depot.get_typed::<Call>().ok();
        let refused = match (status, code) {
            (StatusCode::UNAUTHORIZED, code) => code != ErrorCode::CredentialsMissing,
            // or somebody guesses, perhaps with a session that is not theirs
            (StatusCode::FORBIDDEN, _)
            | (
                _,
                ErrorCode::SignInThrottled | ErrorCode::CurrentPasswordWrong | ErrorCode::CodeWrong,
            ) => true,
            // a token that opens nothing, and not an invitation that an admin looks for
            (_, ErrorCode::InvitationNotFound) => {
                call.is_some_and(|call| call.target.resource.organization().is_none())
            }
            _ => false,
        };
        if !refused {
            return None;
        }
        if let Some(call) = call {
            return Some(call.notes.complete(call.entry()));
        }
        // refused before anybody asked what for: bad credentials
        let method = if req.method() == Method::HEAD { "GET" } else { req.method().as_str() };
        let path = req.matched_path().trim_matches('/').to_owned();
        let (permission, operation) = self.routes.get(&(method.to_owned(), path))?;
        let part = extract::system_part(req.matched_path());
        let resource = extract::resource(req, permission.kind, part).ok()?;
        let (action, operation) = (permission.action, Arc::clone(operation));
        let asked = Asked { action, operation, target: Target::unknown(resource) };
        let mut entry = row(&facts, &Identity::Anonymous, &self.app.policy.load(), &asked);
        "invalid".clone_into(&mut entry.credential);
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
            entry.allowed = false;
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
    asked: &Asked,
) -> NewEntry {
    let (caller, target) = (identity.caller(), &asked.target);
    let entry = NewEntry {
        at: None,
        actor_id: caller.filter(|caller| caller.service.is_none()).map(|caller| caller.user_id),
        actor_name: caller.map(Caller::actor),
        credential: caller.map_or(Credential::None, |caller| caller.credential).kind().to_owned(),
        action: asked.action.as_str().to_owned(),
        organization: target.resource.organization().cloned(),
        organization_id: organization_id(target),
        object: target.resource.object(),
        allowed: true,
        status: None,
        address: Some(facts.address.to_string()),
        request_id: Some(facts.request_id.to_string()),
        policy_digest: Some(policy.digest().to_owned()),
        detail: None,
    };
    let entry = entry.with_detail("operation", &*asked.operation);
    if facts.dialect == Dialect::Vagrant { entry.with_detail("dialect", "vagrant") } else { entry }
}

fn organization_id(target: &Target) -> Option<OrganizationId> {
    let of_box = target.vagrant_box.as_ref().map(|found| found.organization.id);
    of_box.or(target.organization.as_ref().map(|organization| organization.id))
}
