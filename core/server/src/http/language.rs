//! The language of messages: English as it stands in the code, and one compiled-in file for each other one.
//!
//! A file has sentences for each operation that succeeds and for each code of an error, with named values. So call sites
//! say what they say in English, and nothing else; what stock clients read stays English, since some of them look for
//! words, and so do codes.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use salvo::{
    Request,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, VARY},
    },
};
use serde::Deserialize;
use serde_json::Value;

use crate::error::AppError;

/// The files by their language. Parts of the program, and read once.
static FILES: LazyLock<BTreeMap<&'static str, Messages>> = LazyLock::new(|| {
    [("de", include_str!("../../messages/de.toml"))]
        .into_iter()
        .map(|(tag, text)| (tag, toml::from_str(text).expect("a test reads every file")))
        .collect()
});

/// What one language has to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    operations: BTreeMap<String, Sentences>,
    errors: BTreeMap<String, Sentences>,
}

/// One sentence, or several, of which the first counts whose values are all known.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sentences {
    One(String),
    Several(Vec<String>),
}

/// A language that messages can be said in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Language(Option<&'static str>);

impl Language {
    /// The language that everything can be said in.
    pub(crate) const ENGLISH: Self = Self(None);

    /// The one that a request asks for, as far as there is one (RFC 9110, 12.5.4).
    pub(crate) fn wanted_by(req: &Request) -> Self {
        let wishes =
            req.headers().get_all(ACCEPT_LANGUAGE).iter().filter_map(|wish| wish.to_str().ok());
        Self::choose(wishes.flat_map(|wish| wish.split(',')))
    }

    /// The one of a tag, such as `de-AT`, which is content with `de`.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        match primary.as_str() {
            "en" => Some(Self::ENGLISH),
            _ => FILES.get_key_value(primary.as_str()).map(|(tag, _)| Self(Some(*tag))),
        }
    }

    /// The first of those that are wanted most.
    fn choose<'a>(wishes: impl Iterator<Item = &'a str>) -> Self {
        let mut best = (0.0, Self::ENGLISH);
        for wish in wishes {
            let (tag, weight) = wish.split_once(';').unwrap_or((wish, "q=1"));
            let weight = weight.trim().strip_prefix("q=").and_then(|text| text.parse::<f32>().ok());
            let found = if tag.trim() == "*" { Some(Self::ENGLISH) } else { Self::of_tag(tag) };
            if let (Some(weight), Some(found)) = (weight, found)
                && weight > best.0
            {
                best = (weight, found);
            }
        }
        best.1
    }

    /// Its tag (RFC 5646).
    pub(crate) fn tag(self) -> &'static str {
        self.0.unwrap_or("en")
    }

    /// Says that an operation succeeded.
    pub(crate) fn success(
        self,
        operation: &str,
        english: String,
        value: impl Fn(&str) -> Option<String>,
    ) -> String {
        let sentences = self.messages().and_then(|messages| messages.operations.get(operation));
        sentences.and_then(|sentences| sentences.say(value)).unwrap_or(english)
    }

    /// Says that something failed.
    pub(crate) fn failure(
        self,
        error: &AppError,
        value: impl Fn(&str) -> Option<String>,
    ) -> Cow<'_, str> {
        let sentences = self.messages().and_then(|all| all.errors.get(error.code().as_str()));
        let said = sentences.and_then(|sentences| {
            sentences.say(|name| match name {
                "english" => Some(error.message().to_owned()),
                "fields" if error.fields().is_empty() => None,
                "fields" => {
                    Some(error.fields().keys().map(String::as_str).collect::<Vec<_>>().join(", "))
                }
                _ => value(name),
            })
        });
        said.map_or(Cow::Borrowed(error.message()), Cow::Owned)
    }

    /// Tells a client, and every cache on the way, which language it is and that there are others.
    pub(crate) fn mark(self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(self.tag()));
        headers.append(VARY, HeaderValue::from_static("accept-language"));
    }

    fn messages(self) -> Option<&'static Messages> {
        FILES.get(self.0?)
    }
}

impl Sentences {
    fn say(&self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        match self {
            Self::One(sentence) => filled(sentence, &value),
            Self::Several(sentences) => {
                sentences.iter().find_map(|sentence| filled(sentence, &value))
            }
        }
    }
}

/// A sentence with its values; nothing when one is not known.
fn filled(sentence: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut said = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        said.push_str(before);
        said.push_str(&value(name)?);
        rest = after;
    }
    said.push_str(rest);
    Some(said)
}

/// A plain value of an answer's data, by its name.
pub(crate) fn value_of(data: &Value, name: &str) -> Option<String> {
    match data.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use boxvault_types::error::ErrorCode;

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
            assert_eq!(Language::choose(header.split(',')).tag(), expected, "{header:?}");
        }
    }

    #[test]
    fn a_sentence_whose_values_are_not_known_gives_way_to_the_next_and_to_english() {
        let german = Language::of_tag("de-CH").unwrap();
        let name = |wanted: &str| (wanted == "name").then(|| "acme".to_owned());
        let none = |_: &str| None;
        let made = || "made acme".to_owned();
        let operation = "create_organization";
        assert_eq!(german.success(operation, made(), name), "Organisation acme angelegt");
        assert_eq!(german.success(operation, made(), none), "made acme");
        assert_eq!(german.success("no_such_operation", made(), name), "made acme");
        assert_eq!(Language::ENGLISH.success(operation, made(), name), "made acme");
        let missing = AppError::new(ErrorCode::BoxNotFound, "there is no box");
        assert_eq!(german.failure(&missing, none), "diese Box gibt es nicht");
        let path = |name: &str| Some(if name == "box" { "web" } else { "acme" }.to_owned());
        assert_eq!(german.failure(&missing, path), "es gibt keine Box web in acme");
        assert_eq!(Language::ENGLISH.failure(&missing, path), "there is no box");
        let long = AppError::invalid("name", "too long");
        assert_eq!(german.failure(&long, none), "nicht zulässig: name (name: too long)");
    }
}
