//! What a provider says of somebody, in the words of the contract.

use boxvault_plugin_sdk::{Claims, PluginError, Result};
use serde_json::Value;

use crate::{Config, token};

/// A claim by its name, or within another claim by a path with dots. A whole name counts first: some have dots.
pub(crate) fn find<'a>(claims: &'a token::Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value).filter(|value| !value.is_null());
    }
    path.match_indices('.').find_map(|(at, _)| {
        let (outer, inner) = (path.get(..at)?, path.get(at + 1..)?);
        find(claims.get(outer)?.as_object()?, inner)
    })
}

fn text(claims: &token::Claims, path: &str) -> Option<String> {
    let value = find(claims, path)?.as_str()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Whether something that the configuration names is not among the claims.
pub(crate) fn is_incomplete(config: &Config, claims: &token::Claims) -> bool {
    [&config.username_claim, &config.email_claim, &config.groups_claim]
        .iter()
        .any(|claim| find(claims, claim).is_none())
}

/// Who it is.
///
/// # Errors
/// `Unexpected`, naming the key, when there is no name for the account.
pub(crate) fn read(config: &Config, claims: &token::Claims) -> Result<Claims> {
    let missing = |claim: &str, key: &str| {
        PluginError::unexpected(format!(
            "the provider tells no {claim:?}; name another claim as {key}, or ask for more in scopes"
        ))
    };
    let username = text(claims, &config.username_claim)
        .ok_or_else(|| missing(&config.username_claim, "username_claim"))?;
    let username = match username.split_once('@') {
        Some((name, _)) if config.username_strip_domain => name.to_owned(),
        _ => username,
    };
    let email = text(claims, &config.email_claim);
    let said = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        // some write it as a word
        Some(Value::String(word)) => word == "true",
        _ => false,
    };
    Ok(Claims {
        issuer: config.issuer.clone(),
        subject: text(claims, "sub").ok_or_else(|| missing("sub", "issuer"))?,
        username,
        email_verified: email.is_some() && (said || config.email_always_verified),
        email,
        display_name: text(claims, &config.display_name_claim),
        groups: groups(find(claims, &config.groups_claim)),
        session: text(claims, "sid"),
        ..Claims::default()
    })
}

fn groups(value: Option<&Value>) -> Vec<String> {
    let names = match value {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let mut names: Vec<String> =
        names.into_iter().filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use boxvault_plugin_sdk::config;
    use serde_json::json;

    use super::*;

    fn usual() -> Config {
        config::parse(br#"{"issuer": "https://id.example.org", "client_id": "boxvault"}"#).unwrap()
    }

    fn claims(value: Value) -> token::Claims {
        match value {
            Value::Object(claims) => claims,
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn a_claim_is_found_by_its_whole_name_and_within_others() {
        let claims = claims(json!({
            "groups": ["a"], "https://example.org/groups": ["b"],
            "realm_access": { "roles": ["c"] }, "a": { "b.c": { "d": 1 } }, "null": null,
        }));
        for (path, expected) in [
            ("groups", Some(json!(["a"]))),
            ("https://example.org/groups", Some(json!(["b"]))),
            ("realm_access.roles", Some(json!(["c"]))),
            ("a.b.c.d", Some(json!(1))),
            ("a.b", None),
            ("null", None),
            ("groups.a", None),
            (".", None),
        ] {
            assert_eq!(find(&claims, path), expected.as_ref(), "{path}");
        }
    }

    #[test]
    fn an_address_is_known_to_be_theirs_only_where_somebody_says_so() {
        let verified = |config: &Config, value: Value| {
            let claims = claims(json!({
                "sub": "1", "preferred_username": "ann", "email": "ann@example.org", "email_verified": value,
            }));
            read(config, &claims).unwrap().email_verified
        };
        for (value, expected) in [
            (json!(true), true),
            (json!("true"), true),
            (json!(false), false),
            (json!("yes"), false),
            (json!(null), false),
        ] {
            assert_eq!(verified(&usual(), value.clone()), expected, "{value}");
        }
        let trusting = Config { email_always_verified: true, ..usual() };
        assert!(verified(&trusting, json!(null)));
        let none = claims(json!({ "sub": "1", "preferred_username": "ann" }));
        assert!(!read(&trusting, &none).unwrap().email_verified, "there is no address");
    }

    #[test]
    fn a_name_may_be_cut_at_its_domain_and_has_to_be_there() {
        let somebody = claims(json!({ "sub": "1", "email": "ann@example.org", "groups": "staff" }));
        let refused = read(&usual(), &somebody).unwrap_err();
        assert!(refused.message.contains("username_claim"), "{refused}");
        let by_email = Config { username_claim: "email".into(), ..usual() };
        let found = read(&by_email, &somebody).unwrap();
        assert_eq!(
            (found.username.as_str(), found.groups),
            ("ann@example.org", vec!["staff".into()])
        );
        let short = Config { username_strip_domain: true, ..by_email };
        assert_eq!(read(&short, &somebody).unwrap().username, "ann");
        assert!(
            read(&short, &claims(json!({ "email": "a@b" }))).is_err(),
            "nobody without a subject"
        );
    }
}
