//! Addresses of objects, and the requests that are made of them.

use boxvault_plugin_sdk::{PluginError, Result};
use http::{Request, request::Builder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// Left as they are in a path, whose slashes stay too; in a query they do not.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const QUERY: &AsciiSet = &PATH.add(b'/');

/// A text as a part of a path: slashes stay.
pub fn in_path(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, PATH)
}

/// A text as a value in a query.
pub fn in_query(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, QUERY)
}

/// A query of names, which stay as they are, and values.
pub fn query(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", in_query(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// What all names begin with: nothing, or a text with a slash at its end.
pub fn folder(prefix: &str) -> String {
    match prefix.trim_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    }
}

/// A request that is whole.
///
/// # Errors
/// `InvalidConfig` if its address is none, which can only come from `endpoint`.
pub fn built<T>(request: Builder, body: T) -> Result<Request<T>> {
    request.body(body).map_err(|error| PluginError::invalid_config(format!("endpoint: {error}")))
}
