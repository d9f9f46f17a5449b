//! From a failure to an answer: the only place that maps an [`ErrorKind`] to a status.
//!
//! The body depends on the dialect that the route speaks ([`Dialect`]), and so do two of the statuses.

use boxvault_types::{
    error::ErrorKind,
    views::{
        ErrorEnvelope, ErrorView, VagrantErrorEnvelope,
        hcp::{HcpErrorEnvelope, OAuthErrorView},
    },
};
use salvo::{
    Depot, Request, Response, Writer, async_trait,
    http::{
        HeaderValue, StatusCode,
        header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use tracing::{debug, error, warn};

use super::{call::RequestFacts, cloud::hcp, language};
use crate::error::AppError;

/// Whose shapes a route answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Dialect {
    /// Ours: the envelopes of the reference.
    #[default]
    Api,
    /// Vagrant's: `{"errors": [...], "success": false}`; what cannot be done as asked is 422; stale credentials count as
    /// none.
    Vagrant,
    /// HCP's: `{"code": 5, "message": "...", "details": []}`.
    Hcp,
    /// RFC 6749's: `{"error": "...", "error_description": "..."}`.
    OAuth,
}

impl Dialect {
    /// Of a route, or of a path whether or not there is a route.
    pub(crate) fn of(path: &str) -> Self {
        let path = path.trim_start_matches('/');
        if hcp::is_of_dialect(path) {
            return Self::Hcp;
        }
        let is_ours = match path.split('/').next().unwrap_or_default() {
            "oauth2" => return Self::OAuth,
            "api" => !(path.starts_with("api/v1/") || path.starts_with("api/v2/")),
            "health" | "metrics" | "api-docs" | "assets" | "badge" | "" => true,
            _ => false,
        };
        if is_ours { Self::Api } else { Self::Vagrant }
    }
}

/// The status of a class of failures.
pub(crate) fn status(kind: ErrorKind, dialect: Dialect) -> StatusCode {
    match kind {
        ErrorKind::Invalid | ErrorKind::Conflict if dialect == Dialect::Vagrant => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::Locked => StatusCode::LOCKED,
        // the status that tus gives it
        ErrorKind::ChunkMismatch => {
            StatusCode::from_u16(460).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
        }
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::StorageFull | ErrorKind::OverQuota => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Writes a failure in the dialect of the route and the language of the request, and its log line. `value` knows the
/// parts of the path by their names.
pub(crate) fn write(
    error: &AppError,
    facts: &RequestFacts,
    value: impl Fn(&str) -> Option<String>,
    res: &mut Response,
) {
    let status = status(error.kind(), facts.dialect);
    log(error, &facts.request_id);
    res.extensions.insert(error.code());
    let reason =
        |(field, why): (&String, &String)| (field.clone(), facts.language.reason(why).into_owned());
    let body = match facts.dialect {
        Dialect::Api => serde_json::to_vec(&ErrorEnvelope {
            success: false,
            message: facts.language.failure(error, value).into_owned(),
            error: ErrorView {
                code: error.code().as_str().to_owned(),
                fields: error.fields().iter().map(reason).collect(),
                decision: error.decision().cloned(),
                request_id: facts.request_id.as_ref().to_owned(),
            },
        }),
        Dialect::Vagrant => serde_json::to_vec(&VagrantErrorEnvelope {
            success: false,
            errors: vec![error.message().to_owned()],
        }),
        Dialect::Hcp => serde_json::to_vec(&HcpErrorEnvelope {
            code: number_of_grpc(error.kind()),
            message: error.message().to_owned(),
            details: Vec::new(),
        }),
        Dialect::OAuth => serde_json::to_vec(&OAuthErrorView {
            error: word_of_oauth(error.kind()).to_owned(),
            error_description: error.message().to_owned(),
        }),
    };
    let body = body.unwrap_or_default();
    let allow = res.headers().get(ALLOW).cloned();
    let headers = res.headers_mut();
    if facts.dialect == Dialect::Api {
        language::mark(facts.language, headers);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, body.len().into());
    if let Some(allow) = allow {
        headers.insert(ALLOW, allow);
    }
    if error.kind() == ErrorKind::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"boxvault\""));
    }
    if let Some(after) = error.retry_after() {
        headers.insert(RETRY_AFTER, after.as_secs().max(1).into());
    }
    res.status_code(status);
    res.body(body);
}

/// The number that gRPC has for a class of failures.
fn number_of_grpc(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::NotFound => 5,
        ErrorKind::Conflict => 6,
        ErrorKind::Forbidden => 7,
        ErrorKind::TooManyRequests | ErrorKind::OverQuota | ErrorKind::StorageFull => 8,
        ErrorKind::PreconditionFailed | ErrorKind::Locked => 9,
        ErrorKind::Internal => 13,
        ErrorKind::Unavailable => 14,
        ErrorKind::Unauthenticated => 16,
        _ => 3,
    }
}

/// The word that RFC 6749 has for a class of failures.
fn word_of_oauth(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unauthenticated => "invalid_client",
        ErrorKind::Forbidden => "unauthorized_client",
        ErrorKind::Internal => "server_error",
        ErrorKind::Unavailable | ErrorKind::TooManyRequests => "temporarily_unavailable",
        _ => "invalid_request",
    }
}

/// What went wrong on our side is logged here, with its causes. A plain refusal is part of the request's own line.
fn log(error: &AppError, request_id: &str) {
    let (code, causes) = (error.code().as_str(), error.causes());
    match error.kind() {
        ErrorKind::Internal => error!(code, causes, request_id, "request failed: {code}"),
        ErrorKind::Unavailable | ErrorKind::StorageFull => {
            warn!(code, causes, request_id, "request failed: {code}");
        }
        _ if !causes.is_empty() => debug!(code, causes, request_id, "request refused: {code}"),
        _ => {}
    }
}

#[async_trait]
impl Writer for AppError {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        write(&self, &RequestFacts::of(depot), |name| req.param(name), res);
    }
}
