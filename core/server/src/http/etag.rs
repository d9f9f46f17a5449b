//! Entity tags of JSON answers: when the thing was last changed, and a digest over the data.
//!
//! `If-None-Match` compares the whole tag, since the data may differ where the thing is the same (a count of downloads,
//! the caller's role). `If-Match` is about the thing alone: it compares the first part, within the transaction of the
//! write (`hoops/hold.rs`). Both parts need no column of their own and are the same on every instance.

use chrono::{DateTime, FixedOffset, Utc};
use data_encoding::HEXLOWER;
use salvo::http::HeaderValue;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::language::Language;

/// The fields of an answer that tell when the thing was last changed; the first that is there counts.
const CHANGED_FIELDS: &[&str] = &["updatedAt", "uploadedAt"];

/// The strong entity tag of the data of an answer, and of the language of its message.
pub(crate) fn of(data: &Value, language: Language) -> HeaderValue {
    let mut digest = Sha256::new();
    digest.update(data.to_string());
    digest.update(language.tag());
    let digest = digest.finalize();
    let short = HEXLOWER.encode(digest.get(..16).unwrap_or_default());
    let tag = match changed(data) {
        Some(changed) => format!("\"{:x}-{short}\"", changed.timestamp_micros()),
        None => format!("\"{short}\""),
    };
    HeaderValue::from_str(&tag).expect("hexadecimal digits in quotes are a header value")
}

/// Whether data tell when the thing was last changed.
pub(crate) fn tells_state(data: &Value) -> bool {
    changed(data).is_some()
}

fn changed(data: &Value) -> Option<DateTime<FixedOffset>> {
    let changed = CHANGED_FIELDS.iter().find_map(|field| data.get(field)?.as_str())?;
    DateTime::parse_from_rfc3339(changed).ok()
}

/// Whether a header (`If-Match`, `If-None-Match`) names the tag, or `*`.
pub(crate) fn matches(header: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(header), Ok(tag)) = (header.to_str(), tag.to_str()) else { return false };
    header
        .split(',')
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == "*" || one == tag)
}

/// The states that an `If-Match` names: when the thing was last changed. `None` for `*`, which is any state. A tag that
/// is none of ours names no state, and a weak one may not be compared.
pub(crate) fn seen(header: &HeaderValue) -> Option<Vec<DateTime<Utc>>> {
    let header = header.to_str().unwrap_or_default();
    if header.trim() == "*" {
        return None;
    }
    let changed = |tag: &str| {
        let tag = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
        let (changed, _) = tag.split_once('-')?;
        DateTime::from_timestamp_micros(i64::from_str_radix(changed, 16).ok()?)
    };
    Some(header.split(',').filter_map(changed).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_of_tags_matches_when_one_does() {
        let tag = of(&json!("a"), Language::ENGLISH);
        let list = format!("\"x\", W/{}", tag.to_str().unwrap());
        assert!(matches(&HeaderValue::from_str(&list).unwrap(), &tag));
        assert!(matches(&HeaderValue::from_static("*"), &tag));
        assert!(!matches(&HeaderValue::from_static("\"x\""), &tag));
        assert_ne!(of(&json!("b"), Language::ENGLISH), tag);
    }

    #[test]
    fn a_tag_tells_when_the_thing_was_changed() {
        let time = "2026-11-25T10:00:00.123456Z";
        let changed = DateTime::parse_from_rfc3339(time).unwrap().to_utc();
        let tag = of(&json!({ "updatedAt": time, "downloads": 1 }), Language::ENGLISH);
        let other = of(&json!({ "updatedAt": time, "downloads": 2 }), Language::ENGLISH);
        assert_ne!(tag, other);
        assert_eq!(seen(&tag), Some(vec![changed]));
        assert_eq!(seen(&other), Some(vec![changed]));
        assert_eq!(seen(&HeaderValue::from_static("*")), None);
        for none in ["\"never\"", "", "x", "\"zz-1\"", "W/\"1-1\"", "\"ffffffffffffffffff-1\""] {
            assert_eq!(seen(&HeaderValue::from_static(none)), Some(Vec::new()), "{none}");
        }
        let two = format!("\"never\", {}", tag.to_str().unwrap());
        assert_eq!(seen(&HeaderValue::from_str(&two).unwrap()), Some(vec![changed]));
    }
}
