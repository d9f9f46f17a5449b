//! Entity tags of JSON answers: the state of the thing, and a digest over the data.
//!
//! `If-None-Match` compares the whole tag, since the data may differ where the thing is the same (a count of downloads,
//! the caller's role). `If-Match` is about the thing alone: it compares the state, which is when it was last changed,
//! within the transaction of the write (`hoops/hold.rs`). Both parts need no column of their own and are the same on
//! every instance.

use boxvault_catalog::state_at;
use chrono::DateTime;
use data_encoding::HEXLOWER;
use salvo::http::HeaderValue;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::language::Language;

/// The fields of an answer that tell when the thing was last changed; the first that is there counts.
const CHANGED_FIELDS: &[&str] = &["updatedAt", "uploadedAt"];

/// The strong entity tag of data, as bytes and as what they say. Said in another language it is another one, of the same
/// state.
pub(crate) fn of(bytes: &[u8], data: &Value, language: Language) -> HeaderValue {
    let mut digest = Sha256::new_with_prefix(bytes);
    if language != Language::ENGLISH {
        digest.update(language.tag());
    }
    let digest = digest.finalize();
    let short = HEXLOWER.encode(digest.get(..16).unwrap_or_default());
    let changed = CHANGED_FIELDS.iter().find_map(|field| data.get(field));
    let tag = match changed.map(|changed| changed.as_str().map(DateTime::parse_from_rfc3339)) {
        Some(Some(Ok(changed))) => format!("\"{}-{short}\"", state_at(Some(changed.to_utc()))),
        Some(None) => format!("\"{}-{short}\"", state_at(None)),
        Some(Some(Err(_))) | None => format!("\"{short}\""),
    };
    HeaderValue::from_str(&tag).expect("hexadecimal digits in quotes are a header value")
}

/// Whether a header (`If-Match`, `If-None-Match`) names the tag, or `*`.
pub(crate) fn matches(header: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(header), Ok(tag)) = (header.to_str(), tag.to_str()) else { return false };
    header
        .split(',')
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == "*" || one == tag)
}

/// The states that an `If-Match` names. `None` for `*`, which is any state. A tag that is none of ours names no state,
/// and a weak one may not be compared.
pub(crate) fn seen(header: &HeaderValue) -> Option<Vec<String>> {
    let header = header.to_str().unwrap_or_default();
    if header.trim() == "*" {
        return None;
    }
    let state = |tag: &str| {
        let tag = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
        Some(tag.split_once('-').map_or(tag, |(state, _)| state).to_owned())
    };
    Some(header.split(',').filter_map(state).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(data: &Value) -> HeaderValue {
        super::of(data.to_string().as_bytes(), data, Language::ENGLISH)
    }

    #[test]
    fn a_list_of_tags_matches_when_one_does() {
        let tag = of(&json!("a"));
        let list = format!("\"x\", W/{}", tag.to_str().unwrap());
        assert!(matches(&HeaderValue::from_str(&list).unwrap(), &tag));
        assert!(matches(&HeaderValue::from_static("*"), &tag));
        assert!(!matches(&HeaderValue::from_static("\"x\""), &tag));
        assert_ne!(of(&json!("b")), tag);
    }

    #[test]
    fn a_tag_tells_the_state_of_the_thing() {
        let time = "2026-11-25T10:00:00.123456Z";
        let state = state_at(Some(DateTime::parse_from_rfc3339(time).unwrap().to_utc()));
        let tag = of(&json!({ "updatedAt": time, "downloads": 1 }));
        let other = of(&json!({ "updatedAt": time, "downloads": 2 }));
        assert_ne!(tag, other);
        assert_eq!(seen(&tag), Some(vec![state.clone()]));
        assert_eq!(seen(&other), Some(vec![state.clone()]));
        let never = of(&json!({ "updatedAt": null }));
        assert_eq!(seen(&never), Some(vec![state_at(None)]));
        assert_eq!(seen(&HeaderValue::from_static("*")), None);
        for none in ["", "x", "W/\"1-1\"", "\"1-1"] {
            assert_eq!(seen(&HeaderValue::from_static(none)), Some(Vec::new()), "{none}");
        }
        let two = format!("\"never\", {}", tag.to_str().unwrap());
        let two = seen(&HeaderValue::from_str(&two).unwrap());
        assert_eq!(two, Some(vec!["never".to_owned(), state]));
    }
}
