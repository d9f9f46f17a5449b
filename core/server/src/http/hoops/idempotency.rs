//! `Idempotency-Key`: a request to POST that is sent twice is done once, and answered twice.
//!
//! What changed something is remembered with its answer; what was refused changed nothing and is simply tried again.
//! Answers that may hold a secret are not kept: who asks again learns that it was done. Nothing tells two callers
//! without credentials apart, so for them the key means nothing; nor for uploads, which may be repeated as they are.

use std::time::Duration;

use boxvault_catalog::idempotency::{self, Answer, Known};
use boxvault_types::{error::ErrorCode, ids::UserId};
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, Writer as _, async_trait,
    http::{
        HeaderName, HeaderValue, ReqBody, ResBody, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG},
    },
};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::{
    error::{AppError, Result},
    http::{
        call::{Call, read_bounded},
        routes::Permission,
    },
};

/// The header of a request.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer that is given again.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key: some clients send a sentence.
const KEY_CHARS_MAX: usize = 255;
/// How much longer than the time limit of requests a request is taken to be running.
const LEASE_GRACE: Duration = Duration::from_secs(30);
/// When to ask again for a request that is running.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// An answer that is longer is not kept.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// See the module.
pub(crate) struct Idempotency {
    permission: Permission,
}

impl Idempotency {
    /// For one route.
    pub(crate) fn new(permission: Permission) -> Self {
        Self { permission }
    }

    async fn begin(
        &self,
        req: &mut Request,
        call: &Call,
        user: UserId,
    ) -> Result<(Known, idempotency::Request)> {
        let key = key(req)?;
        let limits = &call.app.config.limits;
        let limit = limits.json_body_bytes_max.bytes();
        let body = read_bounded(req, limit, "limits.json_body_bytes_max").await?;
        let digest = |parts: &[&[u8]]| {
            let mut digest = Sha256::new();
            for part in parts {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
            <[u8; 32]>::from(digest.finalize())
        };
        let (method, path) = (req.method().as_str(), call.facts.path.as_bytes());
        let hash = digest(&[user.0.as_bytes(), method.as_bytes(), path, key.as_bytes()]);
        let request = idempotency::Request {
            key: hash,
            // a body may hold a password, which nobody may be able to guess by the row
            body: call.app.sealer.digest("idempotency", &body)?,
            user_id: user,
            lease: Duration::from(limits.request_timeout) + LEASE_GRACE,
            kept_for: limits.idempotency_keys_kept_for.into(),
        };
        req.replace_body(ReqBody::Once(body.into()));
        Ok((idempotency::begin(&call.app.catalog, request).await?, request))
    }

    /// Remembers what came of the first request.
    async fn end(&self, call: &Call, request: idempotency::Request, res: &Response) {
        let status = res.status_code.unwrap_or(StatusCode::OK);
        let outcome = if status.is_success() {
            let body = match &res.body {
                ResBody::Once(body) if self.permission.answers_without_secrets() => {
                    let text = (body.len() <= ANSWER_BYTES_MAX).then(|| body.to_vec());
                    text.and_then(|text| String::from_utf8(text).ok())
                }
                _ => None,
            };
            let etag = res.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
            let etag = etag.map(ToOwned::to_owned);
            let answer = Answer { status: status.as_u16(), body, etag };
            idempotency::finish(&call.app.catalog, request, answer).await
        } else {
            idempotency::abandon(&call.app.catalog, request.key).await
        };
        if let Err(error) = outcome {
            let request_id = &*call.facts.request_id;
            warn!(%error, request_id, "could not remember an answer; the key stays in use");
        }
    }
}

#[async_trait]
impl Handler for Idempotency {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let call = depot.get_typed::<Call>().ok().cloned();
        let user = call.as_ref().and_then(|call| Some(call.identity.caller()?.user_id));
        let (Some(call), Some(user), true) =
            (call, user, req.headers().contains_key(IDEMPOTENCY_KEY))
        else {
            ctrl.call_next(req, depot, res).await;
            return;
        };
        let outcome = match self.begin(req, &call, user).await {
            Ok((Known::First, request)) => {
                ctrl.call_next(req, depot, res).await;
                self.end(&call, request, res).await;
                return;
            }
            Ok((Known::Answered(Answer { status, body: Some(body), etag }), _)) => {
                ctrl.skip_rest();
                return replay(res, status, body, etag);
            }
            Ok((known, _)) => refuse(&known),
            Err(error) => error,
        };
        ctrl.skip_rest();
        outcome.write(req, depot, res).await;
    }
}

fn key(req: &Request) -> Result<String> {
    let text = req.headers().get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok());
    let text = text.map(str::trim).filter(|text| (1..=KEY_CHARS_MAX).contains(&text.len()));
    text.map(ToOwned::to_owned).ok_or_else(|| {
        AppError::invalid(
            "Idempotency-Key",
            format!("must be 1 to {KEY_CHARS_MAX} visible characters, such as a random UUID"),
        )
    })
}

fn refuse(known: &Known) -> AppError {
    match known {
        Known::OtherBody => AppError::new(
            ErrorCode::IdempotencyKeyReused,
            "this Idempotency-Key was sent before with another body; send a new key with a new request",
        ),
        Known::Running => AppError::new(
            ErrorCode::IdempotencyKeyInUse,
            "the first request with this Idempotency-Key is still running; ask again for its answer",
        )
        .with_retry_after(RETRY_AFTER),
        Known::Answered(_) => AppError::new(
            ErrorCode::IdempotencyAnswerGone,
            "the request with this Idempotency-Key was done before; its answer is not kept because it may hold a secret",
        ),
        Known::First | Known::Unknown => AppError::new(
            ErrorCode::IdempotencyAnswerGone,
            "the server stopped while it did the request with this Idempotency-Key: look whether it was done, then use another key",
        ),
    }
}

fn replay(res: &mut Response, status: u16, body: String, etag: Option<String>) {
    let headers = res.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, body.len().into());
    headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
        headers.insert(ETAG, etag);
    }
    res.status_code(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
    res.body(body);
}
