//! Who may what, written down once more: a small table of its own that shares no code with the server.

use boxvault_tests::Reply;
use reqwest::Method;
use serde_json::Value;

use super::world::Case;

/// How an answer counts: as the refusal that it is, or as `ok` when the caller was let through.
pub(super) fn class(case: &Case, reply: &Reply) -> String {
    assert!(reply.status < 500, "{} gave {}: {}", case.name(), reply.status, reply.text());
    match reply.status {
        401 | 403 => reply.status.to_string(),
        // let through, and found that the last part of the path names nothing
        404 if matches!(
            &*code_of(reply),
            "FILE_NOT_FOUND"
                | "UPLOAD_NOT_FOUND"
                | "MEMBER_NOT_FOUND"
                | "SESSION_NOT_FOUND"
                | "SIGN_IN_METHOD_NOT_FOUND"
                | "TOKEN_NOT_FOUND"
                | "INVITATION_NOT_FOUND"
                | "JOIN_REQUEST_NOT_FOUND"
                | "MOVE_NOT_FOUND"
        ) =>
        {
            "ok".to_owned()
        }
        // a HEAD has no body to tell by; only file routes have such an end
        404 if case.method == Method::HEAD && (is_empty_file(case) || has_no_such_id(case)) => {
            "ok?".to_owned()
        }
        404 => "404".to_owned(),
        _ => "ok".to_owned(),
    }
}

/// The unreleased version has no file yet.
fn is_empty_file(case: &Case) -> bool {
    // an upload is asked for by its protocol, which tells before there could be none
    let of_upload =
        case.path.contains("/file/uploads") || case.path.contains("/file/direct-uploads");
    case.variant == "unreleased" && case.path.contains("/file/") && !of_upload
}

/// Nobody has a picture, a token, an upload or a move of that id, and a HEAD does not tell that from what may not be known.
fn has_no_such_id(case: &Case) -> bool {
    let ids = ["read_avatar", "read_token", "read_direct_upload", "read_move"];
    ids.contains(&&*case.id) && case.method == Method::HEAD
}

/// What the rules of the house say, written down once more.
pub(super) fn expected(case: &Case, caller: &str) -> String {
    let outsider = matches!(caller, "anonymous" | "stranger" | "other-owner" | "orphan-service");
    let limited = matches!(caller, "limited-token" | "service" | "orphan-service");
    if caller == "bad-token" && !case.is_vagrant() {
        return "401".to_owned();
    }
    // stock clients send what they have to whomever they ask
    let (caller, outsider) =
        if caller == "bad-token" { ("anonymous", true) } else { (caller, outsider) };
    let refused = if caller == "anonymous" { "401" } else { "403" };
    let (noun, verb) = case.action.split_once(':').expect("kind:action");
    let root = caller == "platform-admin";
    let yes_or = |allowed: bool, no: &str| if allowed { "ok" } else { no }.to_owned();
    match noun {
        // who one is
        "system" if case.path.ends_with("/authenticate") => yes_or(caller != "anonymous", refused),
        "system" if case.id == "list_plugins" => yes_or(root, refused),
        "system" if matches!(&*case.id, "list_jobs" | "read_configuration") => {
            yes_or(root, refused)
        }
        "system" => "ok".to_owned(),
        // links in messages are opened by whoever has them, signed in or not
        "account" if verb == "update" => yes_or(!limited, "403"),
        "setup" | "account" => yes_or(caller == "anonymous" || root, "403"),
        "session" => match (verb, caller) {
            ("create" | "update", _) => yes_or(!limited, "403"),
            _ => yes_or(caller != "anonymous" && !limited, refused),
        },
        "profile" | "token" if has_no_such_id(case) && caller != "anonymous" && !limited => {
            "ok?".to_owned()
        }
        "profile" | "token" => yes_or(caller != "anonymous" && !limited, refused),
        "user" if case.path.contains("{username}") => yes_or(root, "404"),
        "user" => yes_or(root, refused),
        "storage" if has_no_such_id(case) && root => "ok?".to_owned(),
        "storage" | "audit" | "policy" if case.variant == "-" => yes_or(root, refused),
        "organization" if case.id == "list_deleted_organizations" && caller == "anonymous" => {
            refused.to_owned()
        }
        "organization" if case.variant == "-" => {
            let known = caller != "anonymous" && !limited;
            yes_or(known || (verb == "read" && caller == "anonymous"), refused)
        }
        _ => match in_organization(case, caller, noun, verb, outsider, refused) {
            "ok" | "404" if has_no_such_id(case) => "ok?".to_owned(),
            answer => answer.to_owned(),
        },
    }
}

/// Whether an answer is a refusal that belongs into the audit log.
pub(super) fn is_recorded(case: &Case, caller: &str, found: &str) -> bool {
    let (noun, verb) = case.action.split_once(':').expect("kind:action");
    // what is everybody's own is nobody's before they sign in
    let is_own = matches!(noun, "profile" | "session" | "token");
    let anonymous = caller == "anonymous" || (caller == "bad-token" && case.is_vagrant());
    // found by whoever may read it: that it is no badge for everybody, not released, not deleted
    let is_absent = found == "404"
        && match (noun, verb) {
            ("organization", "restore") => {
                matches!(caller, "owner" | "platform-admin")
            }
            _ if case.path.contains("{badge}") || case.is_catalogue() => {
                !matches!(caller, "stranger" | "other-owner" | "orphan-service") && !anonymous
            }
            _ => false,
        };
    if found == "ok?" && (is_empty_file(case) || case.id == "read_direct_upload") {
        // to whoever may not know of the version it is not the file that is missing
        return matches!(caller, "anonymous" | "stranger" | "other-owner" | "orphan-service");
    }
    matches!(found, "401" | "403" | "404") && !(is_own && anonymous) && !is_absent
}

/// What belongs to an organization, or is one.
fn in_organization(
    case: &Case,
    caller: &str,
    noun: &str,
    verb: &str,
    outsider: bool,
    refused: &'static str,
) -> &'static str {
    // limited to reading in the closed organization: outside of it, its owner is nobody
    let elsewhere = matches!(caller, "limited-token" | "service") && case.variant == "open";
    let outsider = outsider || elsewhere;
    let reads = matches!(verb, "read" | "download");
    let hidden = matches!(case.variant, "closed" | "private" | "unreleased");
    if is_empty_file(case) && case.method == Method::HEAD {
        return "ok?";
    }
    // one that takes a box for an organization which its body names: a closed one
    if outsider && (hidden || case.id.starts_with("create_cloud_box")) {
        return "404";
    }
    if case.variant == "unreleased" && case.is_catalogue() {
        return "404"; // clients never see one
    }
    if case.variant == "private" && case.path.contains("{badge}") {
        return "404"; // whoever asks: badges stand in other people's pages
    }
    if case.id == "restore_organization" {
        // nothing is deleted: whoever may restore learns that
        return match caller {
            "member" | "creator" | "admin" => refused,
            "limited-token" | "service" if case.variant == "closed" => refused,
            _ => "404",
        };
    }
    if verb == "watch" {
        // whoever is signed in, of what they may read; not with a token that is limited to reading, and no machine
        return match caller {
            "anonymous" | "limited-token" | "service" | "orphan-service" => refused,
            _ => "ok",
        };
    }
    if case.action == "join-request:create" {
        // whoever is signed in and no machine asks, where all see the organization
        let person =
            !matches!(caller, "anonymous" | "limited-token" | "service" | "orphan-service");
        let heard = caller == "platform-admin" || (case.variant == "open" && person);
        return if heard { "ok" } else { refused };
    }
    let whole_organization = matches!(case.variant, "open" | "closed");
    let allowed = match (caller, noun, verb) {
        _ if outsider => {
            let own = [
                "member",
                "storage",
                "audit",
                "rules",
                "mirror",
                "service",
                "invitation",
                "join-request",
            ];
            reads && !own.contains(&noun)
        }
        (_, "storage", "update") | (_, "suspension", _) => caller == "platform-admin",
        (_, "audit", _) => matches!(caller, "admin" | "owner" | "platform-admin" | "limited-token"),
        ("limited-token", ..) => reads,
        (_, "rules", _) => matches!(caller, "owner" | "platform-admin"),
        ("admin", "organization", _) => verb != "delete",
        ("platform-admin" | "owner" | "admin", ..) | (_, "box", "create") => true,
        (_, "service" | "invitation" | "join-request", _) => false,
        ("creator", ..) if !whole_organization => true,
        _ => reads,
    };
    if allowed { "ok" } else { refused }
}

pub(super) fn code_of(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.bytes).unwrap_or_default();
    body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned()
}
