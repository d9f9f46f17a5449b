//! What a handler gets to know of its request: [`Call`], [`Body`], [`Query`].
//!
//! The hoops put facts into the depot (who, from where, what was granted); these extractors take them out, so that a
//! handler is a function of plain values.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use boxvault_catalog::audit::NewEntry;
use boxvault_policy::Policy;
use boxvault_types::{
    action::Action,
    error::ErrorCode,
    identity::{Caller, Identity},
    params::{ListQuery, PAGE_NUMBER_MAX},
};
use futures_util::{Stream, StreamExt};
use salvo::{
    Depot, Request,
    extract::{Extractible, Metadata},
    http::header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{
    SharedApp,
    error::Dialect,
    hoops::record::{self, Asked, Notes},
};
use crate::{
    app::{App, access::Target},
    error::{AppError, Result},
    language::Language,
};

/// How much of a refused body is taken off the wire: some 100 MB, since a part is rarely larger than 64 KiB.
const DRAIN_PARTS_MAX: usize = 2000;
/// For how long.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

static METADATA: Metadata = Metadata::new("");

/// What is known of every request, matched or not.
#[derive(Debug, Clone)]
pub(crate) struct RequestFacts {
    /// Finds the request in the log.
    pub(crate) request_id: Arc<str>,
    /// The client's address; behind a trusted proxy, the one that the proxy tells.
    pub(crate) address: IpAddr,
    /// Whose shapes the route answers in.
    pub(crate) dialect: Dialect,
    /// The language to answer in.
    pub(crate) language: Language,
    /// The path as the router reads it, without a slash at its ends.
    pub(crate) path: Arc<str>,
}

impl RequestFacts {
    /// The facts of this request. There are some in every depot, put there by the outermost hoop.
    pub(crate) fn of(depot: &Depot) -> Self {
        depot.get_typed::<Self>().cloned().unwrap_or_else(|_| Self {
            request_id: Arc::from("-"),
            address: IpAddr::from([0, 0, 0, 0]),
            dialect: Dialect::Api,
            language: Language::ENGLISH,
            path: Arc::from(""),
        })
    }
}

/// A request that was let through: who asks, what for, and with which policy that was decided.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) app: SharedApp,
    pub(crate) facts: RequestFacts,
    pub(crate) identity: Identity,
    /// Loaded once; decides everything in this request.
    pub(crate) policy: Arc<Policy>,
    pub(crate) action: Action,
    /// The operation's name in the document.
    pub(crate) operation: Arc<str>,
    pub(crate) target: Target,
    /// For the audit log.
    pub(crate) notes: Arc<Notes>,
}

impl Call {
    /// The row of the audit log for what this request does, for a change that writes it with its own commit.
    pub(crate) fn audit(&self, detail: Option<serde_json::Value>) -> NewEntry {
        self.notes.written_with_the_commit();
        let entry = NewEntry { status: Some(200), ..self.entry() };
        match detail {
            Some(detail) => entry.with_detail("set", detail),
            None => entry,
        }
    }

    /// The row of the audit log as far as the request tells it.
    pub(crate) fn entry(&self) -> NewEntry {
        record::row(&self.facts, &self.identity, &self.policy, &self.asked())
    }

    fn asked(&self) -> Asked {
        let (operation, target) = (Arc::clone(&self.operation), self.target.clone());
        Asked { action: self.action, operation, target }
    }

    /// The known user who asks.
    ///
    /// # Errors
    /// `CREDENTIALS_MISSING` if nobody does.
    pub(crate) fn caller(&self) -> Result<&Caller> {
        self.identity.caller().ok_or_else(credentials_missing)
    }
}

/// What somebody reads who should have signed in.
pub(crate) fn credentials_missing() -> AppError {
    AppError::new(
        ErrorCode::CredentialsMissing,
        "sign in first: send an access token or an API token as x-access-token or Authorization: Bearer",
    )
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("facts", &self.facts)
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

impl<'ex> Extractible<'ex> for Call {
    fn metadata() -> &'static Metadata {
        &METADATA
    }

    #[expect(refining_impl_trait, reason = "the error type is ours")]
    async fn extract(_req: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self> {
        depot
            .get_typed::<Self>()
            .cloned()
            .map_err(|_| AppError::internal("the route has no authorization"))
    }
}

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<'ex, T: DeserializeOwned> Extractible<'ex> for Body<T> {
    fn metadata() -> &'static Metadata {
        &METADATA
    }

    #[expect(refining_impl_trait, reason = "the error type is ours")]
    async fn extract(req: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self> {
        let call = depot
            .get_typed::<Call>()
            .map_err(|_| AppError::internal("the route has no authorization"))?;
        let bytes = read_json(req, &call.app).await?;
        let body = parse_json(&bytes)?;
        call.notes.body(&bytes);
        Ok(Self(body))
    }
}

/// Reads a body that carries JSON, whole.
pub(crate) async fn read_json(req: &mut Request, app: &App) -> Result<Vec<u8>> {
    let is_json = req.headers().get(CONTENT_TYPE).is_none_or(|kind| {
        kind.to_str()
            .is_ok_and(|kind| kind.trim().to_ascii_lowercase().starts_with("application/json"))
    });
    if !is_json {
        return Err(AppError::new(
            ErrorCode::UnsupportedMediaType,
            "send the body as JSON, with Content-Type: application/json",
        ));
    }
    let limit = app.config.limits.json_body_bytes_max.bytes();
    read_bounded(req, limit, "limits.json_body_bytes_max").await
}

/// Parses a body; a value that is not allowed is named by its path.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let text = if bytes.is_empty() { b"{}".as_slice() } else { bytes };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let message = inner.to_string();
        if inner.is_data() {
            let field = if path == "." { named_field(&message) } else { Some(path) };
            let why = message.split(" at line ").next().unwrap_or_default().to_owned();
            match field {
                Some(field) => AppError::invalid(field, why),
                None => AppError::new(
                    ErrorCode::InvalidInput,
                    format!("the body is not accepted: {why}"),
                ),
            }
        } else {
            AppError::new(
                ErrorCode::MalformedBody,
                format!("the body is not valid JSON: {message}"),
            )
        }
    })?;
    deserializer.end().map_err(|error| {
        AppError::new(ErrorCode::MalformedBody, format!("the body is not valid JSON: {error}"))
    })?;
    Ok(value)
}

/// The field in "missing field `name`" and "unknown field `nam`, expected …".
fn named_field(message: &str) -> Option<String> {
    let (kind, rest) = message.split_once(" field `")?;
    matches!(kind, "missing" | "unknown")
        .then(|| rest.split('`').next().unwrap_or_default().to_owned())
}

/// Takes what a client still sends of a refused body off the wire, up to a bound: a connection that is closed on
/// unread bytes is reset, and the answer is lost with it.
pub(crate) async fn drain<T, E>(mut body: impl Stream<Item = std::result::Result<T, E>> + Unpin) {
    let all = async {
        for _ in 0..DRAIN_PARTS_MAX {
            let Some(Ok(_)) = body.next().await else { break };
        }
    };
    // whoever is slower than that reads the answer, or finds out later
    drop(timeout(DRAIN_TIME_MAX, all).await);
}

/// Reads a body into memory, up to a limit, which is the value of a key of the configuration.
pub(crate) async fn read_bounded(req: &mut Request, limit: u64, key: &str) -> Result<Vec<u8>> {
    let too_large = || {
        AppError::new(
            ErrorCode::BodyTooLarge,
            format!("the body is longer than {limit} bytes ({key})"),
        )
    };
    let declared = req
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = req.take_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.next().await {
        let frame = frame.map_err(|error| {
            AppError::new(ErrorCode::MalformedBody, "the body ended before it was complete")
                .with_source(error)
        })?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() as u64 + data.len() as u64 > limit {
                drain(body).await;
                return Err(too_large());
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

/// One parameter of the query, parsed.
pub(crate) fn from_query<T: FromStr<Err: fmt::Display>>(
    req: &Request,
    key: &str,
) -> Result<Option<T>> {
    let text = req.queries().get(key);
    text.map(|text| text.parse().map_err(|error| AppError::invalid(key, error))).transpose()
}

/// The query of a list, checked.
#[derive(Debug)]
pub(crate) struct Query(pub(crate) ListQuery);

impl<'ex> Extractible<'ex> for Query {
    fn metadata() -> &'static Metadata {
        &METADATA
    }

    #[expect(refining_impl_trait, reason = "the error type is ours")]
    async fn extract(req: &'ex mut Request, _depot: &'ex mut Depot) -> Result<Self> {
        fn number(req: &Request, key: &str) -> Result<Option<u64>> {
            let Some(text) = req.queries().get(key) else { return Ok(None) };
            match text.parse() {
                Ok(number) if number > 0 => Ok(Some(number)),
                _ => Err(AppError::invalid(key, format!("must be a number above 0, not {text:?}"))),
            }
        }
        let page = number(req, "page")?;
        if page.is_some_and(|page| page > PAGE_NUMBER_MAX) {
            return Err(AppError::invalid("page", format!("must be at most {PAGE_NUMBER_MAX}")));
        }
        let order = match req.queries().get("order").map(String::as_str) {
            None => None,
            Some("asc") => Some(boxvault_types::params::Order::Asc),
            Some("desc") => Some(boxvault_types::params::Order::Desc),
            Some(other) => {
                return Err(AppError::invalid(
                    "order",
                    format!("must be asc or desc, not {other:?}"),
                ));
            }
        };
        let q = req.queries().get("q").filter(|q| !q.is_empty()).cloned();
        if q.as_ref().is_some_and(|q| q.chars().count() > 128) {
            return Err(AppError::invalid("q", "must have at most 128 characters"));
        }
        Ok(Self(ListQuery {
            page,
            per_page: number(req, "per_page")?,
            sort: req.queries().get("sort").cloned(),
            order,
            q,
        }))
    }
}

#[cfg(test)]
mod tests {
    use boxvault_types::params::boxes::CreateBoxParams;

    use super::*;

    #[test]
    fn a_refused_value_is_named() {
        let refused = |text: &str| parse_json::<CreateBoxParams>(text.as_bytes()).unwrap_err();
        assert_eq!(refused("{").code(), ErrorCode::MalformedBody);
        assert_eq!(refused("{\"name\":\"a\"} x").code(), ErrorCode::MalformedBody);
        for (text, field) in [
            ("{}", "name"),
            ("{\"name\":\"..\"}", "name"),
            ("{\"name\":\"a\",\"nmae\":1}", "nmae"),
            ("", "name"),
        ] {
            let error = refused(text);
            assert_eq!(error.code(), ErrorCode::InvalidInput, "{text}");
            assert!(error.fields().contains_key(field), "{text}: {error:?}");
        }
    }
}
