//! Which language a request asks for, and how an answer says which one it is.

use salvo::{
    Request,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, VARY},
    },
};
use serde_json::Value;

use crate::language::Language;

/// The language that a request asks for, as far as there is one (RFC 9110, 12.5.4).
pub(crate) fn wanted_by(req: &Request) -> Language {
    let wishes =
        req.headers().get_all(ACCEPT_LANGUAGE).iter().filter_map(|wish| wish.to_str().ok());
    choose(wishes.flat_map(|wish| wish.split(',')))
}

/// Tells a client, and every cache on the way, which language it is and that there are others.
pub(crate) fn mark(language: Language, headers: &mut HeaderMap) {
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.append(VARY, HeaderValue::from_static("accept-language"));
}

/// A plain value of an answer's data, by its name.
pub(crate) fn value_of(data: &Value, name: &str) -> Option<String> {
    match data.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first of those that are wanted most.
fn choose<'a>(wishes: impl Iterator<Item = &'a str>) -> Language {
    let mut best = (0.0, Language::ENGLISH);
    for wish in wishes {
        let (tag, weight) = wish.split_once(';').unwrap_or((wish, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|text| text.parse::<f32>().ok());
        let found = if tag.trim() == "*" { Some(Language::ENGLISH) } else { Language::of_tag(tag) };
        if let (Some(weight), Some(found)) = (weight, found)
            && weight > best.0
        {
            best = (weight, found);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_is_wanted_most_and_known_is_chosen() {
        for (header, expected) in [
            ("", "en"),
            ("de", "de"),
            ("de-AT,de;q=0.9", "de"),
            ("DE", "de"),
            ("fr,de;q=0.5", "de"),
            ("en,de", "en"),
            ("en;q=0.5, de;q=0.6", "de"),
            ("de;q=0, en;q=0.1", "en"),
            ("de;q=0", "en"),
            ("*", "en"),
            ("fr", "en"),
            ("de;q=much", "en"),
            ("de; q=NaN", "en"),
            (";;;q=,", "en"),
        ] {
            assert_eq!(choose(header.split(',')).tag(), expected, "{header:?}");
        }
    }
}
