//! Entity tags of JSON answers: a digest over the data, so that they need no column and work on every instance.

use boxvault_types::error::ErrorCode;
use data_encoding::HEXLOWER;
use salvo::{
    Request,
    http::{HeaderValue, header::IF_MATCH},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{AppError, Result};

/// The strong entity tag of a value.
pub(crate) fn of(value: &impl Serialize) -> serde_json::Result<HeaderValue> {
    let digest = Sha256::digest(serde_json::to_vec(value)?);
    let short = digest.get(..16).unwrap_or_default();
    Ok(HeaderValue::from_str(&format!("\"{}\"", HEXLOWER.encode(short)))
        .expect("hexadecimal digits in quotes are a header value"))
}

/// Whether a header (`If-Match`, `If-None-Match`) names the tag, or `*`.
pub(crate) fn matches(header: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(header), Ok(tag)) = (header.to_str(), tag.to_str()) else { return false };
    header
        .split(',')
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == "*" || one == tag)
}

/// Whether the caller wants a write held to the state that they have seen.
pub(crate) fn is_held(req: &Request) -> bool {
    req.headers().contains_key(IF_MATCH)
}

/// Holds a write to the state that the caller has seen, if they sent `If-Match`.
///
/// # Errors
/// `PRECONDITION_FAILED` when the thing has changed since.
pub(crate) fn require_match(req: &Request, present: &impl Serialize) -> Result<()> {
    if !is_held(req) {
        return Ok(());
    }
    require_tag(req, &of(present).map_err(AppError::internal)?)
}

/// The same for a thing that has a tag of its own.
///
/// # Errors
/// `PRECONDITION_FAILED` when the thing has changed since.
pub(crate) fn require_tag(req: &Request, present: &HeaderValue) -> Result<()> {
    let Some(wanted) = req.headers().get(IF_MATCH) else { return Ok(()) };
    if matches(wanted, present) {
        return Ok(());
    }
    Err(stale())
}

/// What somebody reads who has seen an older state.
pub(crate) fn stale() -> AppError {
    AppError::new(
        ErrorCode::PreconditionFailed,
        "it was changed since you read it; read it again, then send its new ETag as If-Match",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_matches_when_one_does() {
        let tag = of(&"a").unwrap();
        let list = format!("\"x\", W/{}", tag.to_str().unwrap());
        assert!(matches(&HeaderValue::from_str(&list).unwrap(), &tag));
        assert!(matches(&HeaderValue::from_static("*"), &tag));
        assert!(!matches(&HeaderValue::from_static("\"x\""), &tag));
        assert_ne!(of(&"b").unwrap(), tag);
    }
}
