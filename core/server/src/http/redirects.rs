//! Who is sent to the object store for a file, and with what answer.
//!
//! The file has one address here, which resuming depends on; where the bytes come from is decided anew for each request.
//! Who is not sent gets them from us, so being careful costs speed and no download.

use boxvault_transfer::RangeRequest;
use salvo::{
    Request, Response,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_LENGTH, HOST, IF_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION,
            ORIGIN, RANGE,
        },
        uri::{Authority, Uri},
    },
};

use crate::{
    config::Transfer,
    error::{AppError, Result},
};

/// Tokens that clients take along to wherever they are sent: no client knows them for credentials.
const CARRIED: [&str; 2] = ["x-atlas-token", "x-access-token"];

/// Whether the store itself would give the right answer to this request.
///
/// It answers neither to our entity tags nor to several ranges, and to a range outside of the file with 416, of which
/// Vagrant does not recover. HEAD we answer ourselves: an address is signed for one method.
pub(super) fn store_can_answer(req: &Request, range: &RangeRequest) -> bool {
    let headers = req.headers();
    let conditional = [IF_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE];
    let as_asked = match range {
        RangeRequest::Single(_) => true,
        RangeRequest::Whole => !headers.contains_key(RANGE),
        RangeRequest::Many(_) | RangeRequest::Unsatisfiable => false,
    };
    req.method() == Method::GET
        && as_asked
        && !conditional.iter().any(|name| headers.contains_key(name))
}

/// Whether whoever asks is sent to this address.
pub(super) fn is_sent(transfer: Transfer, req: &Request, address: &str) -> bool {
    match transfer {
        Transfer::Proxy => false,
        Transfer::Redirect => true,
        Transfer::Auto => {
            can_follow(req.headers(), req.uri().authority(), req.scheme().as_str(), address)
        }
    }
}

/// Whether a client can follow there, and nothing of ours goes along.
///
/// Clients drop `Authorization` when they are sent to a host of another name; to another port of the same name, older
/// ones take it along, and an object store refuses a signed address with it. A page that fetches (it says so) would need
/// the bucket to allow its origin.
fn can_follow(
    headers: &HeaderMap,
    authority: Option<&Authority>,
    scheme: &str,
    address: &str,
) -> bool {
    let Ok(address) = address.parse::<Uri>() else { return false };
    let asked = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let asked = asked.as_ref().or(authority).map(Authority::host);
    let elsewhere = match (asked, address.host()) {
        (Some(ours), Some(theirs)) => !ours.eq_ignore_ascii_case(theirs),
        _ => false,
    };
    let as_safe = scheme != "https" || address.scheme_str() == Some("https");
    let fetched = headers.contains_key(ORIGIN)
        || headers.get("sec-fetch-mode").is_some_and(|mode| mode == "cors");
    elsewhere && as_safe && !fetched && !CARRIED.iter().any(|name| headers.contains_key(*name))
}

/// Sends a client to the store.
pub(super) fn send(res: &mut Response, address: &str) -> Result<()> {
    let location = HeaderValue::from_str(address).map_err(AppError::internal)?;
    let headers = res.headers_mut();
    headers.clear();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(CONTENT_LENGTH, 0.into());
    res.status_code(StatusCode::FOUND);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str = "https://s3.example.com/boxes/blobs/1?X-Amz-Signature=1";

    fn follows(
        host: &'static str,
        scheme: &str,
        address: &str,
        more: &[(&'static str, &'static str)],
    ) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        for (name, value) in more {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        can_follow(&headers, None, scheme, address)
    }

    #[test]
    fn a_client_follows_to_another_host_and_takes_nothing_of_ours_along() {
        assert!(follows("boxes.example.com", "https", STORE, &[]));
        assert!(follows("boxes.example.com:5000", "http", STORE, &[("authorization", "Bearer t")]));
        for (host, scheme, address, more, why) in [
            ("S3.example.com:5000", "https", STORE, &[] as &[_], "the same host"),
            ("boxes.example.com", "https", "http://s3.example.com/b", &[], "less safe"),
            ("boxes.example.com", "https", STORE, &[("x-atlas-token", "t")], "a token goes along"),
            ("boxes.example.com", "https", STORE, &[("x-access-token", "t")], "a token goes along"),
            ("boxes.example.com", "https", STORE, &[("origin", "https://a.example")], "a page"),
            ("boxes.example.com", "https", STORE, &[("sec-fetch-mode", "cors")], "a page"),
            ("boxes.example.com", "https", "no address", &[], "no address"),
        ] {
            assert!(!follows(host, scheme, address, more), "{why}");
        }
        assert!(follows("boxes.example.com", "https", STORE, &[("sec-fetch-mode", "navigate")]));
    }
}
