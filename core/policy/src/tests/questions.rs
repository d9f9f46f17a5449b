//! What admins ask of a policy: explanations, the questions the other way round, and differences.

use super::*;
use crate::{diff, explain, list, who_can};

const PUBLISHER: &str = "\
g, \"group:ldap:CN=Publishers,OU=IT\", role:publisher, acme
p, role:publisher, acme, box/**, read, allow
p, role:publisher, acme, box/*/version/*/provider/*/architecture/*/file, upload, allow
p, role:publisher, acme, box/*/version/*, release, allow
p, authenticated, acme, box/golden/**, release, deny
";
const FILE: &str = "box/web/version/1.0.0/provider/virtualbox/architecture/amd64/file";

fn question(subjects: &str, action: &str, object: &str) -> AccessRequest {
    AccessRequest::parse(subjects, Some("acme"), object, action).unwrap()
}

#[test]
fn an_explanation_names_the_rule_and_the_way_to_it() {
    let policy = site(PUBLISHER);
    let told = explain(&policy, &question("group:ldap:CN=Publishers,OU=IT", "upload", FILE));
    assert!(told.allowed);
    let cause = told.rule.as_ref().unwrap();
    assert_eq!(
        (&*cause.rule.file, cause.rule.line, cause.subject.as_str()),
        ("site.csv", 3, "role:publisher")
    );
    assert_eq!(cause.through.len(), 1);
    assert_eq!((&*cause.through[0].file, cause.through[0].line), ("site.csv", 1));
    let text = told.to_string();
    assert!(
        text.starts_with("YES: authenticated, group:ldap:CN=Publishers,OU=IT may upload box/web"),
        "{text}"
    );
    assert!(text.contains("\n  through site.csv:1: g, "), "{text}");
}

#[test]
fn an_explanation_of_a_deny_also_names_what_it_wins_over() {
    let policy = site(PUBLISHER);
    let told = explain(&policy, &question("role:owner", "release", "box/golden/version/1.0.0"));
    assert_eq!((told.allowed, told.reason), (false, Reason::Denied));
    assert_eq!(told.rule.as_ref().unwrap().rule.line, 5);
    assert_eq!(told.others.len(), 1);
    assert!(told.others[0].allows && &*told.others[0].rule.file == "policy.csv");
    assert!(told.near.is_empty() && told.remedies.is_empty());
}

#[test]
fn an_explanation_of_silence_names_what_is_near_and_what_would_help() {
    let policy = site(PUBLISHER);
    let told = explain(&policy, &question("role:publisher", "delete", "box/web"));
    assert_eq!((told.reason, &told.rule), (Reason::NoRule, &None));
    assert_eq!(&*told.near[0].rule.text, "p, role:publisher, acme, box/**, read, allow");
    assert_eq!(told.near[0].differs, ["its action is read"]);
    assert_eq!(told.remedies, ["p, role:publisher, acme, box/web, delete, allow"]);
    let with_it = site(&format!("{PUBLISHER}{}\n", told.remedies[0]));
    assert!(explain(&with_it, &question("role:publisher", "delete", "box/web")).allowed);

    // somebody who could be given a role is told which
    let told = explain(&policy, &question("user:local:bob", "delete", "box/web"));
    let tie = told.remedies.iter().find(|line| line.starts_with("g, ")).unwrap();
    let with_it = site(&format!("{PUBLISHER}{tie}\n"));
    assert!(explain(&with_it, &question("user:local:bob", "delete", "box/web")).allowed, "{tie}");

    let elsewhere =
        AccessRequest::parse("role:publisher", Some("beta"), "box/web", "read").unwrap();
    assert!(explain(&policy, &elsewhere).near[0].differs.contains(&"it is about acme".to_owned()));
}

#[test]
fn an_explanation_of_a_service_account_is_of_whoever_stops_it() {
    let policy = site("p, user:local:bob, acme, box/web/**, read, deny\n");
    let identity = service(Some(Role::Admin), bob(Some(Role::Admin)));
    let request = AccessRequest::new(&identity, &box_of("acme", "web"), Action::Read, NO_RELATION);
    let told = explain(&policy, &request);
    assert_eq!(told.allowed, policy.decide(&request).allowed);
    assert!(told.subjects.contains(&"user:local:bob".to_owned()), "{told}");
    assert_eq!(&*told.rule.unwrap().rule.file, "site.csv");
}

#[test]
fn an_explanation_of_what_a_token_does_not_reach_blames_no_rule() {
    let policy = site(PUBLISHER);
    let mut caller = bob(Some(Role::Owner));
    caller.scope.actions = Some(vec![Action::Read]);
    let request =
        AccessRequest::new(&identity(caller), &box_of("acme", "web"), Action::Delete, NO_RELATION);
    let told = explain(&policy, &request);
    assert_eq!((told.allowed, told.reason, &told.rule), (false, Reason::TokenScope, &None));
    assert!(told.to_string().contains("the token is limited to other things"), "{told}");
}

#[test]
fn somebody_who_is_bound_in_many_organizations_is_found_in_each() {
    use std::fmt::Write as _;
    let mut text = String::from("g, group:ldap:staff, role:member, *\n");
    for number in (0..2_000).rev() {
        writeln!(text, "g, group:ldap:staff, role:admin, o{number}").unwrap();
    }
    let policy = site(&text);
    for number in [0, 7, 1_000, 1_999] {
        let organization = format!("o{number}");
        let ask = |action| {
            AccessRequest::parse("group:ldap:staff", Some(&organization), "box/web", action)
        };
        let told = explain(&policy, &ask("delete").unwrap());
        let through = &told.rule.unwrap().through[0].text;
        assert_eq!(through, &format!("g, group:ldap:staff, role:admin, {organization}"));
    }
    let elsewhere = |action| {
        let request = AccessRequest::parse("group:ldap:staff", Some("x"), "box/web", action);
        policy.decide(&request.unwrap()).allowed
    };
    assert!(elsewhere("read") && !elsewhere("delete"));
}

#[test]
fn who_can_names_subjects_and_leaves_out_those_that_everybody_covers() {
    let policy = site(PUBLISHER);
    let who = who_can(&policy, Some("acme"), "box/web/version/1.0.0", "release").unwrap();
    let names: Vec<&str> = who.allowed.iter().map(|holder| holder.subject.as_str()).collect();
    assert_eq!(
        names,
        [
            "group:ldap:CN=Publishers,OU=IT",
            "role:admin",
            "role:creator",
            "role:owner",
            "role:platform-admin",
            "role:publisher"
        ]
    );
    assert_eq!(who.denied, []);
    let golden = who_can(&policy, Some("acme"), "box/golden/version/1.0.0", "release").unwrap();
    assert_eq!(golden.allowed, []);
    let denied: Vec<&str> = golden.denied.iter().map(|holder| holder.subject.as_str()).collect();
    assert_eq!(denied, ["authenticated"]);
    let health = who_can(&policy, None, "system/health", "read").unwrap();
    let names: Vec<&str> = health.allowed.iter().map(|holder| holder.subject.as_str()).collect();
    assert_eq!(names, ["anonymous", "authenticated"]);
}

#[test]
fn a_list_says_where_each_rule_holds() {
    let policy = site(&format!("{PUBLISHER}g, user:local:ann, role:admin, beta\n"));
    let listing = list(&policy, "user:local:ann").unwrap();
    let of_boxes = listing.grants.iter().find(|grant| grant.object == "box/**").unwrap();
    assert_eq!((of_boxes.domain.as_str(), of_boxes.action.as_str()), ("beta", "*"));
    assert_eq!(of_boxes.through[0].text, "g, user:local:ann, role:admin, beta");
    assert!(listing.grants.iter().any(|grant| grant.domain == "-" && grant.object == "profile"));
    let denied = listing.grants.iter().find(|grant| !grant.allows).unwrap();
    assert_eq!((denied.domain.as_str(), denied.object.as_str()), ("acme", "box/golden/**"));
    assert!(list(&policy, "nobody").unwrap_err().to_string().contains("unknown subject"));
}

#[test]
fn a_difference_is_told_for_roles_names_and_organizations() {
    let (before, after) = (site("# nothing\n"), site(PUBLISHER));
    let told = diff(&before, &after);
    assert!(told.complete);
    let has = |line: &str| told.changes.iter().any(|change| change.to_string().starts_with(line));
    let text = told.to_string();
    for line in [
        "+ role:publisher: release box/*/version/* in acme: . -> yes  (site.csv:4)",
        "+ group:ldap:CN=Publishers,OU=IT: read box/* in acme: . -> yes  (site.csv:2)",
    ] {
        assert!(has(line), "{line}\n{text}");
    }
    assert!(!text.contains("delete"), "{text}");
    assert_eq!(diff(&after, &after).changes, []);
    let back = diff(&after, &before);
    assert_eq!(back.changes.len(), told.changes.len());
    assert!(back.changes.iter().all(|change| change.before == "yes" || change.after == "yes"));
}

#[test]
fn a_difference_of_large_policies_is_that_of_the_lines_that_differ() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for number in 0..3_000 {
        writeln!(text, "p, user:local:u{number}, acme, box/b{number}, delete, allow").unwrap();
    }
    let before = site(&text);
    let after = site(&format!("{text}p, role:member, acme, box/special, delete, allow\n"));
    let told = diff(&before, &after);
    assert!(!told.complete);
    let told: Vec<String> = told.changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["+ member: delete box/special in acme: . -> yes  (site.csv:3001)"]);
}

#[test]
fn every_explanation_decides_as_the_policy() {
    let policy = site(PUBLISHER);
    for subjects in ["anonymous", "role:member", "role:publisher,role:member", "role:owner"] {
        for object in ["box/web", "box/golden/version/1.0.0", FILE] {
            for action in Action::ALL {
                let parsed = AccessRequest::parse(subjects, Some("acme"), object, action.as_str());
                let Ok(request) = parsed else { continue };
                let (told, decided) = (explain(&policy, &request), policy.decide(&request));
                assert_eq!((told.allowed, told.reason), (decided.allowed, decided.reason));
                assert_eq!(told.rule.map(|cause| cause.rule), decided.rule.as_deref().cloned());
            }
        }
    }
}
