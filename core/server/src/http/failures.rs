//! How an operation can fail, for the API document: every error code that it can answer, with its status.
//!
//! What each route of a kind can answer follows from what stands before its handler; what a handler adds of its own is
//! the `x-error-codes` of its `#[utoipa::path]`. Tests hold every answer that they get to what comes of the two, so a
//! code that is missing here is found by the first test that sees it.

use std::collections::{BTreeMap, BTreeSet};

use boxvault_types::{
    action::{Action, ResourceKind},
    error::{ErrorCode, ErrorKind},
    views::{
        ErrorEnvelope, VagrantErrorEnvelope,
        hcp::{HcpErrorEnvelope, OAuthErrorView},
    },
};
use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{
        Content, Ref, RefOr, ResponseBuilder,
        example::{Example, ExampleBuilder},
        path::{Operation, ParameterIn},
        schema::{OneOfBuilder, Schema},
    },
};

use super::{
    error::{self, Dialect},
    routes::{Permission, is_change},
};

/// Where a handler's description names the codes that are its own. The document has them as the names of the examples of
/// each status, and not here.
const ERROR_CODES: &str = "x-error-codes";

/// An example of a failure with each code, which the operations refer to.
pub(super) fn examples() -> BTreeMap<String, RefOr<Example>> {
    let example = |code: &ErrorCode| {
        let mut error =
            json!({ "code": code.as_str(), "request_id": "01980c4e-7a5b-7cc1-9b8e-3d5a6f0e1c2d" });
        if let (ErrorCode::InvalidInput, Some(error)) = (code, error.as_object_mut()) {
            let fields = json!({ "name": "must have at most 128 characters" });
            error.insert("fields".to_owned(), fields);
        }
        let body = json!({ "success": false, "message": code.meaning(), "error": error });
        let example = ExampleBuilder::new().summary(code.meaning()).value(Some(body)).build();
        (code.as_str().to_owned(), RefOr::T(example))
    };
    ErrorCode::ALL.iter().map(example).collect()
}

/// Writes every failure of an operation into its description.
pub(super) fn describe(
    operation: &mut Operation,
    permission: Permission,
    method: &str,
    path: &str,
) {
    let own = take_own(operation);
    let mut codes: BTreeSet<&str> = own.iter().map(String::as_str).collect();
    let before = before_the_handler(operation, permission, method, path);
    codes.extend(before.iter().map(|code| code.as_str()));
    for code in ErrorCode::ALL.iter().filter(|code| codes.contains(code.as_str())) {
        add(operation, *code, path);
    }
}

/// The codes that the handler's own description names.
fn take_own(operation: &mut Operation) -> Vec<String> {
    let named = operation.extensions.as_mut().and_then(|all| all.remove(ERROR_CODES));
    let named = named.map(serde_json::from_value::<Vec<String>>);
    let named = named.transpose().expect("x-error-codes is a list of codes").unwrap_or_default();
    for name in &named {
        let known = ErrorCode::ALL.iter().any(|code| code.as_str() == name);
        assert!(known, "x-error-codes of {:?}: {name} is no code", operation.operation_id);
    }
    named
}

/// What the hoops and the extractors in front of a handler can answer.
fn before_the_handler(
    operation: &Operation,
    permission: Permission,
    method: &str,
    path: &str,
) -> Vec<ErrorCode> {
    use ErrorCode as Code;
    let mut codes =
        vec![Code::CredentialsInvalid, Code::RateLimited, Code::Internal, Code::CatalogUnavailable];
    // the decision
    codes.extend([Code::CredentialsMissing, Code::PermissionDenied]);
    let has = |parameter: &str| path.contains(&format!("{{{parameter}}}"));
    for (parameter, code) in [
        ("organization", Code::OrganizationNotFound),
        ("organization", Code::OrganizationSuspended),
        ("box", Code::BoxNotFound),
        ("badge", Code::BoxNotFound),
        ("version", Code::VersionNotFound),
        ("provider", Code::ProviderNotFound),
        ("architecture", Code::ArchitectureNotFound),
        ("username", Code::UserNotFound),
        ("service", Code::ServiceAccountNotFound),
    ] {
        if has(parameter) {
            codes.push(code);
        }
    }
    if has("organization") && is_change(method) {
        codes.push(Code::OrganizationRenamed);
    }
    // a mirror may have to ask first, and changes nothing of what it has
    if has("box") && matches!(permission.action, Action::Read | Action::Download) {
        codes.push(Code::UpstreamUnavailable);
    }
    if has("organization") && is_of_box(permission.kind) && is_change(method) {
        codes.push(Code::MirrorReadOnly);
    }
    if !matches!(permission.action, Action::Upload | Action::Download) {
        codes.push(Code::Busy);
    }
    if is_change(method) {
        codes.push(Code::PreconditionFailed);
    }
    if permission.is_done_once(method) {
        codes.extend([
            Code::IdempotencyKeyInUse,
            Code::IdempotencyAnswerGone,
            Code::IdempotencyKeyReused,
            Code::BodyTooLarge,
        ]);
    }
    let takes = |place: &ParameterIn| {
        let mut all = operation.parameters.iter().flatten();
        all.any(|one| matches!(one, RefOr::T(one) if one.parameter_in == *place))
    };
    if operation.request_body.is_some() {
        codes.extend([
            Code::MalformedBody,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::ClientTooSlow,
        ]);
    }
    if operation.request_body.is_some() || path.contains('{') || takes(&ParameterIn::Query) {
        codes.push(Code::InvalidInput);
    }
    codes
}

fn is_of_box(kind: ResourceKind) -> bool {
    matches!(
        kind,
        ResourceKind::Box
            | ResourceKind::Version
            | ResourceKind::Provider
            | ResourceKind::Architecture
            | ResourceKind::File
    )
}

/// Adds a code to the answers of its status.
fn add(operation: &mut Operation, code: ErrorCode, path: &str) {
    let dialect = Dialect::of(path);
    let status = error::status(code.kind(), dialect).as_u16().to_string();
    let response =
        operation.responses.responses.entry(status).or_insert_with(|| {
            ResponseBuilder::new().description(meaning(code.kind())).build().into()
        });
    let RefOr::T(response) = response else { return };
    let content = response.content.entry("application/json".to_owned()).or_insert_with(|| {
        let schema = failure_in(dialect);
        RefOr::T(Content::new(Some(schema)))
    });
    if let (RefOr::T(content), Dialect::Api) = (content, dialect) {
        // where the handler itself answers so, with a body of its own
        if let Some(own) = content.schema.take_if(|own| *own != failure()) {
            let either = match own {
                RefOr::T(Schema::OneOf(either)) => either,
                own => OneOfBuilder::new().item(own).item(failure()).build(),
            };
            content.schema = Some(RefOr::T(Schema::OneOf(either)));
        }
        let name = code.as_str();
        let example = Ref::new(format!("#/components/examples/{name}"));
        content.examples.insert(name.to_owned(), RefOr::Ref(example));
    }
}

fn failure() -> RefOr<Schema> {
    failure_in(Dialect::Api)
}

/// Failures look otherwise to each kind of client.
fn failure_in(dialect: Dialect) -> RefOr<Schema> {
    let name = match dialect {
        Dialect::Api => ErrorEnvelope::name(),
        Dialect::Vagrant => VagrantErrorEnvelope::name(),
        Dialect::Hcp => HcpErrorEnvelope::name(),
        Dialect::OAuth => OAuthErrorView::name(),
    };
    RefOr::Ref(Ref::from_schema_name(name))
}

/// What a status says where the handler has no better words.
fn meaning(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "A value is malformed or not allowed; `fields` tells which.",
        ErrorKind::Unauthenticated => "No credentials, or bad ones.",
        ErrorKind::Forbidden => "Known, but not allowed.",
        ErrorKind::NotFound => "It does not exist, or the caller may not know that it does.",
        ErrorKind::MethodNotAllowed => "The path does not take this method.",
        ErrorKind::RequestTimeout => "The client sent nothing for too long.",
        ErrorKind::Conflict => "The present state does not allow it.",
        ErrorKind::PreconditionFailed => "`If-Match` names an older state, or what has no `ETag`.",
        ErrorKind::Locked => "Somebody else works on it.",
        ErrorKind::ChunkMismatch => "The chunk is not what was declared.",
        ErrorKind::TooLarge => "The body is longer than the limit.",
        ErrorKind::UnsupportedMediaType => "The body is of a type that is not taken.",
        ErrorKind::RangeNotSatisfiable => "The range lies outside the file.",
        ErrorKind::Unprocessable => "The bytes are not what was declared.",
        ErrorKind::TooManyRequests => "Too many requests; `Retry-After` tells when to come back.",
        ErrorKind::Unavailable => "A part that the server depends on is out of reach; try again.",
        ErrorKind::StorageFull | ErrorKind::OverQuota => "There is no room left.",
        ErrorKind::Internal => "A defect of the server.",
    }
}
