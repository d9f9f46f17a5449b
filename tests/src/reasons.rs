//! Holds every reason for which a value was refused, in any answer that a test gets, to the files of messages: each
//! language has a sentence for it.
//!
//! Reasons are written where they are given, some by a parser, so that no list of them can be complete; the suite meets
//! them all.

use std::{fs, sync::LazyLock};

use serde_json::Value;

use crate::{Reply, workspace};

/// The English reasons that a language has sentences for, each cut at its values.
struct Known {
    file: String,
    reasons: Vec<Vec<String>>,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let folder = workspace::root().join("core/server/messages");
    let files = fs::read_dir(folder).expect("the checkout can be read");
    let known = files.filter_map(|file| {
        let path = file.expect("the checkout can be read").path();
        let text = fs::read_to_string(&path).expect("the checkout can be read");
        let messages: toml::Table = toml::from_str(&text).expect("a file of messages is TOML");
        let reasons = messages.get("reasons")?.as_table()?.keys().map(|reason| pieces(reason));
        Some(Known { file: path.display().to_string(), reasons: reasons.collect() })
    });
    known.collect()
});

/// Whether every reason in an English answer can be said in every language.
///
/// # Errors
/// The reason that cannot, and what to do.
pub fn check(reply: &Reply) -> Result<(), String> {
    if reply.header("content-language") != Some("en") {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&reply.bytes).unwrap_or_default();
    // what is wrong with rules is told in the words of rules, which are English
    if body.pointer("/error/code").and_then(Value::as_str) == Some("POLICY_INVALID") {
        return Ok(());
    }
    let fields = body.pointer("/error/fields").and_then(Value::as_object);
    for reason in fields.into_iter().flat_map(|fields| fields.values()).filter_map(Value::as_str) {
        // numbers are the same everywhere
        if reason.parse::<u64>().is_ok() {
            continue;
        }
        for known in KNOWN.iter() {
            if !known.reasons.iter().any(|pieces| fits(pieces, reason)) {
                return Err(format!("add {reason:?} to [reasons] of {}", known.file));
            }
        }
    }
    Ok(())
}

/// What stands before, between and behind the values of a sentence.
pub fn pieces(sentence: &str) -> Vec<String> {
    let mut parts = sentence.split('{');
    let front = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('}').map_or(part, |(_, rest)| rest).to_owned());
    std::iter::once(front).chain(rest).collect()
}

/// Whether a text is such a sentence.
pub fn fits(pieces: &[String], text: &str) -> bool {
    let [front, between @ .., end] = pieces else { return pieces.iter().any(|one| one == text) };
    let Some(mut rest) = text.strip_prefix(front.as_str()) else { return false };
    for piece in between {
        let Some((_, after)) = rest.split_once(piece.as_str()) else { return false };
        rest = after;
    }
    rest.ends_with(end.as_str())
}
