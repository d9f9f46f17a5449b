//! Reads `model.conf` strictly. A site may change its comments and blanks, nothing else.
//!
//! The decision: the model is fixed. The definitions name the fields that the server fills, the effect says that a
//! deny wins, and the matcher is what the oracle tests prove; a site that could change them could make every rule
//! mean something else, and nothing here could check it. What sites need to change are rules, and those are free.

use crate::error::Problem;

/// The file's name.
pub(crate) const MODEL_FILE: &str = "model.conf";

const SHIPPED: &str = include_str!("../../../../policies/model.conf");

/// The five definitions, with Casbin's names for them: section in the file, section and key in the program.
const DEFINITIONS: &[(&str, &str)] = &[
    ("request_definition", "r"),
    ("policy_definition", "p"),
    ("role_definition", "g"),
    ("policy_effect", "e"),
    ("matchers", "m"),
];

/// The functions that the matcher may call.
const FUNCTIONS: &[&str] = &["g", "within"];

/// One `key = value` of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) key: &'static str,
    pub(crate) value: String,
}

struct Entry<'a> {
    section: &'a str,
    key: &'a str,
    value: String,
    line: u32,
}

/// The model inside the program.
pub(crate) fn shipped() -> Vec<Definition> {
    let entries = entries(SHIPPED, &mut Vec::new());
    let value = |section: &str| {
        entries.iter().find(|entry| entry.section == section).map(|entry| entry.value.clone())
    };
    DEFINITIONS
        .iter()
        .map(|(section, key)| Definition { key, value: value(section).unwrap_or_default() })
        .collect()
}

/// Checks a `model.conf` against the model inside the program.
pub(crate) fn check(bytes: &[u8], problems: &mut Vec<Problem>) {
    let Some(text) = super::text(MODEL_FILE, bytes, problems) else { return };
    let before = problems.len();
    let entries = entries(text, problems);
    if problems.len() > before {
        return;
    }
    for (expected, (section, key)) in shipped().iter().zip(DEFINITIONS) {
        let mut found = entries.iter().filter(|entry| entry.section == *section);
        let Some(entry) = found.next() else {
            problems.push(
                Problem::new(MODEL_FILE, 0, 0, format!("section [{section}] is missing"))
                    .hint(format!("it holds: {key} = {}", expected.value)),
            );
            continue;
        };
        if let Some(second) = found.next() {
            problems.push(Problem::new(
                MODEL_FILE,
                second.line,
                1,
                format!("a second definition in section [{section}]"),
            ));
        }
        if entry.key != *key {
            let message = format!("unknown key {:?} in section [{section}]", entry.key);
            problems.push(
                Problem::new(MODEL_FILE, entry.line, 1, message).hint(format!("it is {key:?}")),
            );
        } else if without_blanks(&entry.value) != without_blanks(&expected.value) {
            problems.push(changed(section, entry, expected));
        }
    }
}

/// Cuts the file into its definitions, following the rule of Casbin's own reader that a line may go on after `\`.
fn entries<'a>(text: &'a str, problems: &mut Vec<Problem>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    let mut section = None;
    let mut continues = false;
    for (index, raw) in text.split('\n').enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let line = raw.strip_suffix('\r').unwrap_or(raw).trim_matches([' ', '\t']);
        let problem = |message: &str| Problem::new(MODEL_FILE, number, 1, message);
        if continues {
            let (part, more) = continued(line);
            if let Some(entry) = entries.last_mut() {
                entry.value.push(' ');
                entry.value.push_str(part);
            }
            continues = more;
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = Some(name);
            if !DEFINITIONS.iter().any(|(known, _)| *known == name) {
                let known: Vec<&str> = DEFINITIONS.iter().map(|(known, _)| *known).collect();
                problems.push(
                    problem(&format!("unknown section [{name}]; known are: {}", known.join(", ")))
                        .maybe_hint(super::words::did_you_mean(name, &known)),
                );
            }
            continue;
        }
        match (section, line.split_once('=')) {
            (Some(section), Some((key, value))) => {
                let (value, more) = continued(value.trim_matches([' ', '\t']));
                continues = more;
                entries.push(Entry {
                    section,
                    key: key.trim_matches([' ', '\t']),
                    value: value.to_owned(),
                    line: number,
                });
            }
            (None, _) => problems.push(problem("this stands before the first [section]")),
            (_, None) => problems.push(problem("this is neither [section] nor key = value")),
        }
    }
    entries
}

fn continued(line: &str) -> (&str, bool) {
    match line.strip_suffix('\\') {
        Some(part) => (part.trim_end_matches([' ', '\t']), true),
        None => (line, false),
    }
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect()
}

/// Says as exactly as possible what was changed.
fn changed(section: &str, entry: &Entry<'_>, expected: &Definition) -> Problem {
    let hint = format!("write {} = {}", expected.key, expected.value);
    let message = match section {
        "policy_effect" => {
            "another effect expression: a deny must win over every allow, and without an allow the answer is no"
                .to_owned()
        }
        "matchers" => match unknown_function(&entry.value) {
            Some(name) => {
                format!("unknown function {name:?} in the matcher; known are: {}", FUNCTIONS.join(", "))
            }
            None => "the matcher is fixed; change rules in policy.csv or in a file beside it".to_owned(),
        },
        _ => format!("section [{section}] is fixed: the server fills these fields"),
    };
    Problem::new(MODEL_FILE, entry.line, 1, message).hint(hint)
}

fn unknown_function(matcher: &str) -> Option<&str> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    matcher
        .match_indices('(')
        .filter_map(|(at, _)| {
            let before = matcher.get(..at)?;
            let name = before.get(before.trim_end_matches(word).len()..)?;
            (!name.is_empty()).then_some(name)
        })
        .find(|name| !FUNCTIONS.contains(name))
}
