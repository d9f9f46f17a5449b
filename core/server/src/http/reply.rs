//! From a value to an answer: the envelopes of the reference, with length, page links and entity tag.

use std::{cell::LazyCell, sync::Arc};

use boxvault_types::views::{Envelope, ListEnvelope, PageView};
use salvo::{
    Depot, Request, Response, Writer, async_trait,
    http::{
        HeaderValue, Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK},
    },
};
use serde::Serialize;
use serde_json::Value;

use super::{
    call::{Call, RequestFacts},
    error::Dialect,
    etag,
    hoops::record::Told,
    language::{self, value_of},
};
use crate::error::AppError;

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    status: StatusCode,
    message: String,
    data: T,
    tagged: bool,
}

impl<T> Reply<T> {
    /// 200.
    pub(crate) fn ok(message: impl Into<String>, data: T) -> Self {
        Self { status: StatusCode::OK, message: message.into(), data, tagged: false }
    }

    /// 201.
    pub(crate) fn created(message: impl Into<String>, data: T) -> Self {
        Self { status: StatusCode::CREATED, message: message.into(), data, tagged: false }
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds an entity tag over the data, and answers 304 to a caller who has it.
    pub(crate) fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }
}

#[async_trait]
impl<T: Serialize + Send> Writer for Reply<T> {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        let language = RequestFacts::of(depot).language;
        let data = match serde_json::value::to_raw_value(&self.data) {
            Ok(data) => data,
            Err(error) => return AppError::internal(error).write(req, depot, res).await,
        };
        // read off the text at most once, where somebody asks for single values
        let values =
            LazyCell::new(|| serde_json::from_str::<Value>(data.get()).unwrap_or_default());
        let reads = req.method() == Method::GET || req.method() == Method::HEAD;
        if self.tagged {
            let tag = etag::of(data.get().as_bytes(), &values, language);
            let known = req.headers().get(IF_NONE_MATCH);
            let is_known = reads && known.is_some_and(|known| etag::matches(known, &tag));
            res.headers_mut().insert(ETAG, tag);
            if is_known {
                language::mark(language, res.headers_mut());
                res.status_code(StatusCode::NOT_MODIFIED);
                return;
            }
        }
        if !reads {
            res.extensions.insert(Told::by(&values));
        }
        let message = said(req, depot, self.message, |name| value_of(&values, name));
        let body = Envelope { success: true, message, data: &*data };
        json(self.status, &body, depot, res);
    }
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct PageReply<T> {
    message: String,
    items: Vec<T>,
    page: PageView,
}

impl<T> PageReply<T> {
    /// 200.
    pub(crate) fn new(message: impl Into<String>, items: Vec<T>, page: PageView) -> Self {
        Self { message: message.into(), items, page }
    }
}

#[async_trait]
impl<T: Serialize + Send> Writer for PageReply<T> {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        if let Some(links) = links(req, self.page) {
            res.headers_mut().insert(LINK, links);
        }
        let total = |name: &str| (name == "total").then(|| self.page.total.to_string());
        let body = ListEnvelope {
            success: true,
            message: said(req, depot, self.message, total),
            data: self.items,
            page: self.page,
        };
        json(StatusCode::OK, &body, depot, res);
    }
}

/// What is said of a success, in the language of the request; a value of the answer counts before a part of the path,
/// since it is written as its owner writes it.
fn said(
    req: &Request,
    depot: &Depot,
    english: String,
    value: impl Fn(&str) -> Option<String>,
) -> String {
    let operation = depot.get_typed::<Call>().map(|call| Arc::clone(&call.operation));
    let language = RequestFacts::of(depot).language;
    let value = |name: &str| value(name).or_else(|| req.param(name));
    language.success(&operation.unwrap_or_default(), english, value)
}

/// Writes any JSON. Answers of the API are private to the caller and never kept by a cache.
pub(crate) fn json(status: StatusCode, body: &impl Serialize, depot: &Depot, res: &mut Response) {
    let facts = RequestFacts::of(depot);
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let headers = res.headers_mut();
            if facts.dialect == Dialect::Api {
                language::mark(facts.language, headers);
            }
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CONTENT_LENGTH, bytes.len().into());
            headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
            res.status_code(status);
            res.body(bytes);
        }
        Err(error) => super::error::write(&AppError::internal(error), &facts, |_| None, res),
    }
}

/// `Link` headers (RFC 8288) to the neighbors of a page; relative, so that no host is needed.
pub(super) fn links(req: &Request, page: PageView) -> Option<HeaderValue> {
    let last = page.total.div_ceil(page.size).max(1);
    let other = |number: u64, relation: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in
            req.queries().iter().filter(|(key, _)| *key != "page" && *key != "access_token")
        {
            query.append_pair(key, value);
        }
        query.append_pair("page", &number.to_string());
        format!("<{}?{}>; rel=\"{relation}\"", req.uri().path(), query.finish())
    };
    let mut links = vec![other(1, "first"), other(last, "last")];
    if page.number > 1 {
        links.push(other(page.number - 1, "prev"));
    }
    if page.number < last {
        links.push(other(page.number + 1, "next"));
    }
    HeaderValue::from_str(&links.join(", ")).ok()
}
