//! The language of messages: English as it stands in the code, and one compiled-in file for each other one.
//!
//! A file has a sentence for each operation that succeeds and for each code of an error, with named arguments. Where a
//! sentence needs an argument that is not known, the English one is said. Codes are never translated, and neither is
//! what stock clients read, since some of them look for words.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use boxvault_types::error::ErrorCode;
use salvo::{
    Request,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, VARY},
    },
};
use serde::Deserialize;
use serde_json::Value;

/// The files, by the language that they speak. They are part of the program and never change while it runs.
static FILES: LazyLock<BTreeMap<&'static str, Messages>> = LazyLock::new(|| {
    [("de", include_str!("../../messages/de.toml"))]
        .into_iter()
        .map(|(tag, text)| (tag, toml::from_str(text).expect("a test reads every file")))
        .collect()
});

/// The sentences of one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    operations: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
}

/// A language that messages can be said in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Language(Option<&'static str>);

impl Language {
    /// The language that everything can be said in.
    pub(crate) const ENGLISH: Self = Self(None);

    /// The one that a request asks for, as far as there is one.
    pub(crate) fn wanted_by(req: &Request) -> Self {
        let wishes =
            req.headers().get_all(ACCEPT_LANGUAGE).iter().filter_map(|wish| wish.to_str().ok());
        Self::choose(wishes.flat_map(|wish| wish.split(',')))
    }

    /// The first of those that are wanted most (RFC 9110, 12.5.4). `de-AT` is content with `de`.
    fn choose<'a>(wishes: impl Iterator<Item = &'a str>) -> Self {
        let mut best = (0, Self::ENGLISH);
        for wish in wishes {
            let mut parts = wish.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
            // in thousandths, which is all that a weight may have
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a number from 0 to 1000"
            )]
            let weight = (weight.unwrap_or_default().clamp(0.0, 1.0) * 1000.0) as u32;
            let primary = tag.split('-').next().unwrap_or_default();
            let found = match primary {
                "en" | "*" => Some(Self::ENGLISH),
                _ => FILES.get_key_value(primary).map(|(tag, _)| Self(Some(tag))),
            };
            if let Some(found) = found
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
    pub(crate) fn success<'a>(
        self,
        operation: &str,
        english: &'a str,
        argument: impl Fn(&str) -> Option<String>,
    ) -> Cow<'a, str> {
        let sentence = self.messages().and_then(|messages| messages.operations.get(operation));
        say(sentence, english, argument)
    }

    /// Says that something failed.
    pub(crate) fn failure<'a>(
        self,
        code: ErrorCode,
        english: &'a str,
        fields: &BTreeMap<String, String>,
    ) -> Cow<'a, str> {
        let sentence = self.messages().and_then(|messages| messages.errors.get(code.as_str()));
        say(sentence, english, |name| match name {
            "english" => Some(english.to_owned()),
            "fields" => Some(fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
            _ => None,
        })
    }

    /// Tells a client and every cache on the way which language it is, and that there are others.
    pub(crate) fn mark(self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(self.tag()));
        headers.append(VARY, HeaderValue::from_static("accept-language"));
    }

    fn messages(self) -> Option<&'static Messages> {
        FILES.get(self.0?)
    }
}

/// An argument out of the data of an answer: a plain value by its name.
pub(crate) fn argument_of(data: &Value, name: &str) -> Option<String> {
    match data.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Puts arguments into a sentence; the English one when there is none, or an argument is missing.
fn say<'a>(
    sentence: Option<&String>,
    english: &'a str,
    argument: impl Fn(&str) -> Option<String>,
) -> Cow<'a, str> {
    let Some(sentence) = sentence else { return english.into() };
    let mut said = String::with_capacity(sentence.len());
    let mut rest = sentence.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { return english.into() };
        let Some(value) = argument(name) else { return english.into() };
        said.push_str(before);
        said.push_str(&value);
        rest = after;
    }
    said.push_str(rest);
    said.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(header: &str) -> &'static str {
        Language::choose(header.split(',')).tag()
    }

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
            (";;;q=,", "en"),
        ] {
            assert_eq!(chosen(header), expected, "{header:?}");
        }
    }

    #[test]
    fn a_sentence_without_its_arguments_is_said_in_english() {
        let german = Language(Some("de"));
        let name = |wanted: &str| (wanted == "name").then(|| "acme".to_owned());
        let none = |_: &str| None;
        let said = german.success("create_organization", "made acme", name);
        assert_eq!(said, "Organisation acme angelegt");
        assert_eq!(german.success("create_organization", "made acme", none), "made acme");
        assert_eq!(german.success("no_such_operation", "done", name), "done");
        assert_eq!(Language::ENGLISH.success("create_organization", "made acme", name), "made acme");
        let fields = BTreeMap::new();
        let said = german.failure(ErrorCode::BoxNotFound, "there is no box", &fields);
        assert_eq!(said, "diese Box gibt es nicht");
        let said = german.failure(ErrorCode::InvalidInput, "name: too long", &fields);
        assert_eq!(said, "ein Wert ist nicht zulässig: name: too long");
    }
}
