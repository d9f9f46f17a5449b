//! The language of what people are told: messages, the reasons why a value is refused, and mails.
//!
//! English stands in the code, beside what it speaks of; every other language is one compiled-in file of `messages/`.
//! A file has sentences for each operation that succeeds, for each code of an error and for each reason, with named
//! values. So call sites say what they say in English, and nothing else; what stock clients read stays English, since
//! some of them look for words, and so do codes. Mails are whole texts: those of English are in a file as well.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::error::AppError;

/// The files by their language. Parts of the program, and read once.
static FILES: LazyLock<BTreeMap<&'static str, Messages>> = LazyLock::new(|| {
    [("de", include_str!("../messages/de.toml")), ("en", include_str!("../messages/en.toml"))]
        .into_iter()
        .map(|(tag, text)| (tag, toml::from_str(text).expect("a test reads every file")))
        .collect()
});
const ENGLISH: &str = "en";

/// What one language has to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    #[serde(default)]
    operations: BTreeMap<String, Sentences>,
    #[serde(default)]
    errors: BTreeMap<String, Sentences>,
    /// By the English reason, whose values have names.
    #[serde(default)]
    reasons: BTreeMap<Pattern, String>,
    mails: BTreeMap<String, MailText>,
    words: BTreeMap<String, String>,
}

/// One sentence, or several, of which the first counts whose values are all known.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sentences {
    One(String),
    Several(Vec<String>),
}

/// The words of one kind of mail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailText {
    subject: String,
    /// One whose values are not all known is left out.
    paragraphs: Vec<String>,
    /// What is written on its link, if it has one.
    link: Option<String>,
}

/// A mail's words with their values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MailWords {
    pub(crate) subject: String,
    pub(crate) paragraphs: Vec<String>,
    pub(crate) link: Option<String>,
}

/// A language that messages can be said in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Language(&'static str);

impl Default for Language {
    fn default() -> Self {
        Self(ENGLISH)
    }
}

impl Language {
    /// The language that everything can be said in.
    pub(crate) const ENGLISH: Self = Self(ENGLISH);

    /// The one of a tag, such as `de-AT`, which is content with `de`.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        FILES.get_key_value(primary.as_str()).map(|(tag, _)| Self(tag))
    }

    /// The one that somebody chose to be told things in; English where they chose none, or one that there is not.
    pub(crate) fn chosen(tag: Option<&str>) -> Self {
        tag.and_then(Self::of_tag).unwrap_or_default()
    }

    /// Its tag (RFC 5646).
    pub(crate) fn tag(self) -> &'static str {
        self.0
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
                "details" => Some(self.reason(error.message()).into_owned()),
                "reasons" if error.fields().is_empty() => None,
                "reasons" => {
                    let each = error.fields().iter();
                    let each = each.map(|(field, why)| format!("{field}: {}", self.reason(why)));
                    Some(each.collect::<Vec<_>>().join("; "))
                }
                _ => value(name),
            })
        });
        said.map_or(Cow::Borrowed(error.message()), Cow::Owned)
    }

    /// Says why something is refused. Of the English reasons that fit, the one with the most words of its own counts;
    /// values that are reasons themselves, such as what a parser expected, are said as well.
    pub(crate) fn reason(self, english: &str) -> Cow<'_, str> {
        let Some(messages) = self.messages() else { return Cow::Borrowed(english) };
        let fitting = messages.reasons.iter().filter_map(|(pattern, said)| {
            pattern.values(english).map(|values| (pattern.own_words(), values, said))
        });
        let Some((_, values, said)) = fitting.max_by_key(|(words, ..)| *words) else {
            return Cow::Borrowed(english);
        };
        let value = |name: &str| {
            let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)?;
            Some(if value == english { value.into() } else { self.reason(value).into_owned() })
        };
        filled(said, &value).map_or(Cow::Borrowed(english), Cow::Owned)
    }

    /// Says what a mail of a kind says. A paragraph whose values are not all known is left out.
    pub(crate) fn mail(
        self,
        kind: &str,
        value: impl Fn(&str) -> Option<String>,
    ) -> Option<MailWords> {
        let text = FILES.get(self.0)?.mails.get(kind)?;
        let paragraphs = text.paragraphs.iter().filter_map(|paragraph| filled(paragraph, &value));
        Some(MailWords {
            subject: filled(&text.subject, &value)?,
            paragraphs: paragraphs.collect(),
            link: text.link.clone(),
        })
    }

    /// The kinds of mails that it has words for.
    #[cfg(test)]
    pub(crate) fn mail_kinds(self) -> Vec<&'static str> {
        FILES.get(self.0).into_iter().flat_map(|all| all.mails.keys()).map(String::as_str).collect()
    }

    /// A word or a phrase that several mails use; itself, where the language has no other one.
    pub(crate) fn word(self, name: &str) -> &str {
        FILES.get(self.0).and_then(|all| all.words.get(name)).map_or(name, String::as_str)
    }

    /// The file of another language than English.
    fn messages(self) -> Option<&'static Messages> {
        FILES.get(self.0).filter(|_| self != Self::ENGLISH)
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
fn filled(sentence: &str, value: &impl Fn(&str) -> Option<String>) -> Option<String> {
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

/// An English sentence with named values, to be recognized again.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
struct Pattern {
    /// What stands before the first value.
    front: String,
    /// Each value's name, and what stands between it and the next one or the end.
    rest: Vec<(String, String)>,
}

impl From<String> for Pattern {
    fn from(sentence: String) -> Self {
        let mut parts = sentence.split('{');
        let front = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| {
            let (name, between) = part.split_once('}').unwrap_or((part, ""));
            (name.to_owned(), between.to_owned())
        });
        Self { front, rest: rest.collect() }
    }
}

impl Pattern {
    /// The values of a text that is this sentence.
    fn values<'a>(&'a self, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let mut text = text.strip_prefix(self.front.as_str())?;
        let mut values = Vec::with_capacity(self.rest.len());
        for (index, (name, between)) in self.rest.iter().enumerate() {
            let is_last = index + 1 == self.rest.len();
            let end = if is_last {
                text.strip_suffix(between.as_str())?.len()
            } else {
                text.find(between.as_str())?
            };
            let (value, after) = text.split_at_checked(end)?;
            values.push((name.as_str(), value));
            text = after.strip_prefix(between.as_str())?;
        }
        text.is_empty().then_some(values)
    }

    fn own_words(&self) -> usize {
        self.front.len() + self.rest.iter().map(|(_, between)| between.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use boxvault_types::error::ErrorCode;

    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn every_file_of_messages_is_a_language() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/messages");
        for file in fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let tag = name.strip_suffix(".toml").unwrap();
            assert_eq!(Language::of_tag(tag).map(Language::tag), Some(tag), "add it to FILES");
        }
    }

    #[test]
    fn a_sentence_whose_values_are_not_known_gives_way_to_the_next_and_to_english() {
        let german = Language::of_tag("de-CH").unwrap();
        let name = |wanted: &str| (wanted == "name").then(|| "acme".to_owned());
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
    }

    #[test]
    fn a_reason_is_said_with_its_values_and_an_unknown_one_in_english() {
        let german = Language::of_tag("de").unwrap();
        for (english, expected) in [
            ("must not be empty", "darf nicht leer sein"),
            (
                "must have at most 128 characters, not 129",
                "darf höchstens 128 Zeichen haben, nicht 129",
            ),
            ("must have at most 12 bytes", "darf höchstens 12 Bytes haben"),
            ("5", "5"),
            ("no such reason", "no such reason"),
            // what a parser says of what it found and what it expected
            ("missing field `name`", "fehlt"),
            (
                "invalid type: integer `1`, expected a string",
                "ist integer `1`; erwartet wird ein Text",
            ),
        ] {
            assert_eq!(german.reason(english), expected);
            assert_eq!(Language::ENGLISH.reason(english), english);
        }
        let long = AppError::invalid("name", "must not be empty");
        assert_eq!(german.failure(&long, none), "nicht zulässig: name: darf nicht leer sein");
        let vague = AppError::new(ErrorCode::InvalidInput, "something else");
        assert_eq!(german.failure(&vague, none), "ein Wert ist nicht zulässig: something else");
    }

    #[test]
    fn a_pattern_knows_its_own_sentences_alone() {
        let pattern = Pattern::from("a {x}, b {y} c".to_owned());
        assert_eq!(pattern.values("a 1, b 2 c"), Some(vec![("x", "1"), ("y", "2")]));
        assert_eq!(pattern.values("a , b  c"), Some(vec![("x", ""), ("y", "")]));
        for other in ["", "a 1, b 2", "a 1 b 2 c", "x a 1, b 2 c", "a 1, b 2 c.", "a , b c"] {
            assert_eq!(pattern.values(other), None, "{other:?}");
        }
        let whole = Pattern::from("must be".to_owned());
        assert_eq!(whole.values("must be"), Some(Vec::new()));
        assert_eq!(whole.values("must be so"), None);
    }
}
