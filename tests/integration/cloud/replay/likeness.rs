//! Whether an answer is like the recorded one.

use serde_json::Value;

/// What each server makes up, or words as it likes.
const MADE_UP: [&str; 23] = [
    "access_token",
    "avatar_url",
    "callback",
    // of the file that is there, and not the declared one
    "checksum",
    "checksum_type",
    "created_at",
    "delivery_methods",
    "description_html",
    "download_url",
    "downloads",
    "errors",
    "hosted",
    "id",
    "message",
    "object",
    "organization_id",
    // null here, since files lie here alone
    "original_url",
    "project_id",
    "token",
    "token_hash",
    "updated_at",
    "upload_path",
    "url",
];
/// Versions whose only file lay elsewhere, so that here they could not be released: box and number.
const ELSEWHERE: [(&str, &str); 2] = [("ext", "1.0.0"), ("pk", "1.3.0")];
/// What catalogues had, and no client reads.
const NOT_IN_CATALOGUES: [&str; 3] = ["status", "description_html", "description_markdown"];
/// In lists clients need no long texts, and a server with a thousand boxes would send them before each command.
const NOT_IN_LISTS: [&str; 2] = ["description_html", "description_markdown"];

/// Panics where they differ in what is the same on each server.
#[track_caller]
pub(super) fn assert_alike(recorded: &Value, found: &Value, what: &str) {
    alike(recorded, found, what, "");
}

/// Takes out of a recorded answer what is not here, since files lie here alone.
pub(super) fn forget_what_lies_elsewhere(recorded: &mut Value, path: &str) {
    let is_search = path.contains("/search");
    if let Some(boxes) = recorded.get_mut("boxes").and_then(Value::as_array_mut) {
        boxes.retain(|one| !is_search || one["name"] != "ext");
        boxes.iter_mut().for_each(forget_in_box);
    }
    forget_in_box(recorded);
}

fn forget_in_box(recorded: &mut Value) {
    // a catalogue names the organization, too, and has released versions alone
    let tag = recorded["name"].as_str().unwrap_or_default().to_owned();
    let (is_catalogue, name) = match tag.rsplit_once('/') {
        Some((_, name)) => (true, name),
        None => (false, &*tag),
    };
    let is_elsewhere = |version: &Value| {
        ELSEWHERE.iter().any(|(of, number)| *of == name && version["version"] == *number)
    };
    if let Some(versions) = recorded.get_mut("versions").and_then(Value::as_array_mut) {
        versions.retain(|version| !(is_catalogue && is_elsewhere(version)));
    }
    if let Some(current) = recorded.get_mut("current_version").filter(|it| is_elsewhere(it)) {
        *current = Value::Null;
    }
    for version in recorded.get_mut("versions").and_then(Value::as_array_mut).into_iter().flatten()
    {
        if is_elsewhere(version) {
            *version = serde_json::json!({ "version": version["version"] });
        }
    }
}

/// Takes a provider out of all lists of them.
pub(super) fn forget_provider(answer: &mut Value, name: &str) {
    match answer {
        Value::Object(all) => {
            if let Some(providers) = all.get_mut("providers").and_then(Value::as_array_mut) {
                providers.retain(|one| one["name"] != name);
            }
            all.values_mut().for_each(|value| forget_provider(value, name));
        }
        Value::Array(all) => all.iter_mut().for_each(|value| forget_provider(value, name)),
        _ => {}
    }
}

/// Strings that this server made up, each with the recorded one.
pub(super) fn made_up(recorded: &Value, found: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let (Some(recorded), Some(found)) = (recorded.as_object(), found.as_object()) else {
        return all;
    };
    for (key, old) in recorded {
        let Some(new) = found.get(key) else { continue };
        match (old.as_str(), new.as_str()) {
            (Some(old), Some(new)) if is_made_up(key) => all.push((old.to_owned(), new.to_owned())),
            _ => all.extend(made_up(old, new)),
        }
    }
    all
}

/// Whether a request, as it is named, is for a catalogue.
fn is_catalogue(what: &str) -> bool {
    [" /acme/", " //acme/"].iter().any(|it| what.contains(it)) || what.contains("/api/v2/vagrant/")
}

fn is_made_up(key: &str) -> bool {
    ["access_token", "token", "upload_path", "callback", "url", "object", "id", "organization_id"]
        .contains(&key)
        || key == "project_id"
}

#[track_caller]
fn alike(recorded: &Value, found: &Value, what: &str, at: &str) {
    match (recorded, found) {
        (Value::Null, _) => {}
        // here an operation is done when it is answered
        (Value::String(old), Value::String(new)) if (&**old, &**new) == ("PENDING", "DONE") => {}
        (Value::Object(recorded), Value::Object(found)) => {
            for (key, old) in recorded {
                let at = format!("{at}/{key}");
                let is_left_out = at.starts_with("/boxes/") && NOT_IN_LISTS.contains(&&**key);
                if is_left_out || (is_catalogue(what) && NOT_IN_CATALOGUES.contains(&&**key)) {
                    continue;
                }
                let new = found.get(key).unwrap_or_else(|| panic!("{what}: no {at}"));
                if MADE_UP.contains(&&**key) && !old.is_object() {
                    assert_eq!(kind(old), kind(new), "{what}: {at}");
                } else {
                    alike(old, new, what, &at);
                }
            }
        }
        (Value::Array(recorded), Value::Array(found)) => {
            assert_eq!(recorded.len(), found.len(), "{what}: {at}: {found:?}");
            for (number, old) in recorded.iter().enumerate() {
                // they may come in another order
                let same = found.iter().find(|new| named(new) == named(old));
                let new = same.unwrap_or_else(|| panic!("{what}: {at} has no {old}"));
                alike(old, new, what, &format!("{at}/{number}"));
            }
        }
        _ => assert_eq!(recorded, found, "{what}: {at}"),
    }
}

/// What tells one of a list from the others.
fn named(value: &Value) -> Vec<&Value> {
    ["name", "version", "architecture", "architecture_type"]
        .iter()
        .filter_map(|key| value.get(*key))
        .collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        // a description may be absent, and an address is given where there is a file
        Value::Null | Value::String(_) => "text or null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
