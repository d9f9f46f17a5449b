//! The outermost hoop: gives a request its id, catches panics, fills empty failures, logs and counts.
//!
//! Log lines hold the path and never the query, since old clients put their token there.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use boxvault_types::error::ErrorCode;
use bytes::Bytes;
use futures_util::FutureExt;
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, async_trait,
    http::{HeaderName, HeaderValue, Method, ResBody, StatusCode, header},
};
use tracing::{debug, info};
use uuid::Uuid;

use crate::{
    app::App,
    error::AppError,
    http::{
        call::{RequestFacts, drain},
        error::{self, Dialect},
        extract, language,
    },
    language::Language,
};

/// The header that finds a request in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long a client's own request id may be.
const REQUEST_ID_CHARS_MAX: usize = 64;
/// Pages may load only what this server itself serves, and may not be framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'; img-src 'self' data:; object-src 'none'";

/// See the module.
pub(crate) struct Observe(pub(crate) Arc<App>);

#[async_trait]
impl Handler for Observe {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let started = Instant::now();
        let path = extract::plain_path(req.uri().path());
        let facts = RequestFacts {
            request_id: request_id(req),
            address: self.address(req),
            dialect: Dialect::of(&path),
            language: language_of(req, &path),
            path: path.into(),
        };
        depot.insert_typed(facts.clone());
        // a request that nobody waited for to its end is not ours to read any more
        let (method, uri_path) = (req.method().clone(), req.uri().path().to_owned());
        let route =
            if req.matched_path().is_empty() { "none" } else { req.matched_path() }.to_owned();
        let in_flight = self.0.metrics.request_started();
        let outcome = AssertUnwindSafe(ctrl.call_next(req, depot, res)).catch_unwind().await;
        if let Err(panic) = outcome {
            error::write(&panicked(panic.as_ref()), &facts, |_| None, res);
        }
        fill_empty_failure(req, res, &facts);
        mean_empty_success(&method, res);
        take_refused_body(req, res).await;
        finish(&method, res, &facts);
        drop(in_flight);
        let status = res.status_code.unwrap_or(StatusCode::OK);
        self.0.metrics.request_ended(method.as_str(), &route, status.as_u16(), started.elapsed());
        let code = res.extensions.get::<ErrorCode>().map_or("", |code| code.as_str());
        log(&method, &uri_path, status, code, started, &facts);
    }
}

impl Observe {
    /// The client's address. A proxy is believed only when the configuration names it.
    fn address(&self, req: &Request) -> IpAddr {
        let peer = req.remote_addr().ip().unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let trusted = &self.0.config.server.trusted_proxies;
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        if trusted.is_empty() || !is_trusted(peer) {
            return peer;
        }
        // the nearest address that is not a proxy of ours; everything left of it is hearsay
        let forwarded =
            req.headers().get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<IpAddr> = forwarded
            .flat_map(|value| value.split(','))
            .filter_map(|hop| hop.trim().parse().ok())
            .collect();
        hops.into_iter().rev().find(|hop| !is_trusted(*hop)).unwrap_or(peer)
    }
}

/// The language that is asked for. Some stock clients look for English words.
fn language_of(req: &Request, path: &str) -> Language {
    match Dialect::of(path) {
        Dialect::Api => language::wanted_by(req),
        _ => Language::ENGLISH,
    }
}

/// The client's own id when it is harmless, else a new one.
fn request_id(req: &Request) -> Arc<str> {
    let own = req.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    });
    own.map_or_else(|| Uuid::now_v7().to_string().into(), Arc::from)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> AppError {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    AppError::internal(format!("a handler panicked: {text}"))
}

/// The framework leaves "no such path" and "no such method" without a body; here they get the contract's.
fn fill_empty_failure(req: &Request, res: &mut Response, facts: &RequestFacts) {
    if !res.body.is_none() {
        return;
    }
    let error = match res.status_code {
        Some(StatusCode::NOT_FOUND) | None if !req.matched_path().is_empty() => return,
        Some(StatusCode::NOT_FOUND) => AppError::new(
            ErrorCode::PathNotFound,
            "there is nothing at this path; the API document at /api-docs/ lists what there is",
        ),
        Some(StatusCode::METHOD_NOT_ALLOWED) => AppError::new(
            ErrorCode::MethodNotAllowed,
            format!(
                "this path does not take {}; the Allow header lists what it takes",
                req.method()
            ),
        ),
        _ => return,
    };
    error::write(&error, facts, |_| None, res);
}

/// A file that was taken is answered with a status and nothing more. The framework takes that for an oversight, and
/// would warn of each, unless the body is there and empty.
fn mean_empty_success(method: &Method, res: &mut Response) {
    let is_success = res.status_code.is_some_and(|code| code.is_success());
    let may_have_body = method != Method::HEAD && res.status_code != Some(StatusCode::NO_CONTENT);
    if is_success && may_have_body && res.body.is_none() {
        res.body = ResBody::Once(Bytes::new());
    }
}

/// Whoever was refused before anybody looked at the body is still sending it, and would lose the answer. Who asked
/// first, and was not told to go on, sends nothing.
async fn take_refused_body(req: &mut Request, res: &Response) {
    let refused =
        res.status_code.is_some_and(|code| code.is_client_error() || code.is_server_error());
    if refused && !req.headers().contains_key(header::EXPECT) {
        drain(req.take_body()).await;
    }
}

/// Headers that every answer has.
fn finish(method: &Method, res: &mut Response, facts: &RequestFacts) {
    let headers = res.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&facts.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !method.is_safe() {
        // what a change answers is for whoever made it, and may hold a token that is shown once
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(CONTENT_SECURITY_POLICY));
}

/// One line for what changed something or failed; reads that went well are for debugging.
fn log(
    method: &Method,
    path: &str,
    status: StatusCode,
    code: &str,
    started: Instant,
    facts: &RequestFacts,
) {
    let request_id = &*facts.request_id;
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, address) = (status.as_u16(), facts.address);
    if status >= 400 {
        info!(%method, path, status, code, duration_ms, %address, request_id, "{method} {path} {status} {code}");
    } else if method == Method::GET || method == Method::HEAD {
        debug!(%method, path, status, duration_ms, %address, request_id, "{method} {path} {status}");
    } else {
        info!(%method, path, status, duration_ms, %address, request_id, "{method} {path} {status}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_speaks_its_dialect() {
        for (path, expected) in [
            ("/api/organization", Dialect::Api),
            ("//api/v2/vagrant/acme/web", Dialect::Vagrant),
            ("/api/v1/authenticate", Dialect::Vagrant),
            ("/acme/web", Dialect::Vagrant),
            ("/%61pi/user", Dialect::Api),
            ("/health/ready", Dialect::Api),
            ("/vagrant/2022-09-30/registry/acme/boxes", Dialect::Hcp),
            ("/oauth2/token", Dialect::OAuth),
            ("/", Dialect::Api),
        ] {
            assert_eq!(Dialect::of(&extract::plain_path(path)), expected, "{path}");
        }
    }
}
