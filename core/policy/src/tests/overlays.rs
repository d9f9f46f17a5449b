//! Rules of organizations' own: what they may say, what they cannot do however they are written, and what becomes of
//! such that cannot be read.

use boxvault_types::action::SYSTEM_DOMAIN;

use super::*;
use crate::{Overlay, OverlayLimits, PolicyError};

const LIMITS: OverlayLimits = OverlayLimits { bytes_max: 10_000, lines_max: 20 };

fn shipped() -> Policy {
    Policy::embedded().unwrap()
}

fn overlay(text: &str) -> Overlay {
    Overlay::new("acme", 7, text, "acme")
}

fn with(text: &str) -> Policy {
    shipped().with_overlays(vec![overlay(text)])
}

fn request(subjects: &str, domain: &str, object: &str, action: &str) -> AccessRequest {
    AccessRequest::parse(subjects, Some(domain), object, action).unwrap()
}

fn may(policy: &Policy, subjects: &str, domain: &str, object: &str, action: &str) -> bool {
    policy.decide(&request(subjects, domain, object, action)).allowed
}

/// What is wrong with a text that somebody wants in force.
fn told(policy: &Policy, editor: &str, text: &str) -> String {
    let editor = request(editor, "acme", "rules", "update");
    match policy.with_new_overlay(overlay(text), LIMITS, Some(&editor)) {
        Ok(_) => String::new(),
        Err(PolicyError::Invalid { problems }) => {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        Err(other) => other.to_string(),
    }
}

#[test]
fn an_owner_gives_what_they_may_and_nothing_else_changes() {
    let text = "# the release managers\n\
                g, group:ldap:builders, role:acme/release, acme\n\
                g, service:acme/ci, role:acme/release, acme\n\
                g, user:local:bob, role:admin, acme\n\
                p, role:acme/release, acme, box/**, read, allow\n\
                p, role:acme/release, acme, box/*/version/*, release, allow\n\
                p, anonymous, acme, box/open/**, download, allow\n\
                p, authenticated, acme, box/golden/**, delete, deny\n";
    assert_eq!(told(&shipped(), "role:owner", text), "");
    let policy = with(text);
    assert_eq!(policy.overlay("acme").unwrap().1.problems, []);
    let release = "box/web/version/1.0.0";
    for (who, domain, object, action, allowed) in [
        ("group:ldap:builders", "acme", release, "release", true),
        ("group:ldap:builders", "acme", release, "delete", false),
        ("group:ldap:builders", "globex", release, "release", false),
        ("service:acme/ci", "acme", "box/web", "read", true),
        ("user:local:bob", "acme", "member/x", "delete", true),
        ("user:local:bob", "globex", "member/x", "delete", false),
        ("user:local:bob", "acme", "box/golden", "delete", false),
        ("role:owner", "acme", "box/golden", "delete", false),
        ("role:owner", "globex", "box/golden", "delete", true),
        ("role:platform-admin", "acme", "box/golden", "delete", true),
        ("role:platform-admin,role:owner", "acme", "box/golden", "delete", true),
    ] {
        assert_eq!(may(&policy, who, domain, object, action), allowed, "{who} {domain} {object}");
    }
}

#[test]
fn no_line_reaches_beyond_its_organization_or_its_author() {
    for (editor, line, column, part) in [
        (
            "role:owner",
            "p, role:member, globex, box/*, read, allow",
            17,
            "is not this organization",
        ),
        ("role:owner", "p, role:member, *, box/*, read, allow", 17, "is not this organization"),
        ("role:owner", "p, role:member, -, box/*, read, allow", 17, "is not this organization"),
        ("role:owner", "g, user:local:eve, role:owner, *", 32, "is not this organization"),
        ("role:owner", "g, user:local:eve, role:owner, globex", 32, "is not this organization"),
        ("role:owner", "p, role:member, acme, system/**, read, allow", 23, "belongs to the system"),
        ("role:owner", "p, role:member, acme, user/*, read, allow", 23, "belongs to the system"),
        ("role:owner", "p, role:member, acme, rules, update, allow", 23, "is not up to them"),
        ("role:owner", "p, role:platform-admin, acme, **, *, deny", 4, "not up to an organization"),
        ("role:owner", "g, user:local:eve, role:platform-admin, acme", 20, "not up to an"),
        ("role:owner", "g, user:local:eve, role:creator, acme", 20, "cannot be given"),
        ("role:owner", "g, user:local:eve, role:globex/x, acme", 20, "belongs to another"),
        ("role:owner", "p, role:globex/x, acme, box/*, read, allow", 4, "belongs to another"),
        ("role:owner", "p, role:x, acme, box/*, read, allow", 4, "no role of this organization"),
        ("role:owner", "g, user:local:eve, role:x, acme", 20, "no role of this organization"),
        ("role:owner", "p, service:globex/ci, acme, box/*, read, allow", 4, "belongs to another"),
        ("role:owner", "g, authenticated, role:member, acme", 4, "everybody who is signed in"),
        ("role:owner", "p, anonymous, acme, box/*, update, allow", 28, "is everybody"),
        ("role:owner", "p, role:public, acme, **, *, allow", 27, "is everybody"),
        ("role:owner", "p, role:acme/x, acme, box/*, read, allow", 0, "nobody has the role"),
        // above their own
        (
            "role:owner",
            "p, role:member, acme, storage, update, allow",
            0,
            "you may not update storage",
        ),
        (
            "role:owner",
            "p, role:member, acme, suspension, *, allow",
            0,
            "you may not create suspension",
        ),
        ("role:owner", "p, role:member, acme, **, *, allow", 0, "you may not"),
        (
            "role:admin",
            "p, role:member, acme, organization, delete, allow",
            0,
            "you may not delete",
        ),
        (
            "role:admin",
            "g, user:local:eve, role:owner, acme",
            0,
            "role:owner gives more than you have",
        ),
        ("role:member", "g, user:local:eve, role:admin, acme", 0, "role:admin gives more"),
        (
            "role:member",
            "p, role:member, acme, box/*, delete, allow",
            0,
            "you may not delete box/*",
        ),
    ] {
        let told = told(&shipped(), editor, line);
        let place = match column {
            0 => "acme/policy.csv:1: ".to_owned(),
            column => format!("acme/policy.csv:1:{column}: "),
        };
        assert!(told.starts_with(&place) && told.contains(part), "{line}\n{told}");
        assert!(told.contains("; "), "no hint: {told}");
    }
    // all at once, and a platform admin may give what is theirs
    let two = "p, role:member, acme, storage, update, allow\np, role:member, acme, suspension, create, allow";
    assert_eq!(told(&shipped(), "role:owner", two).lines().count(), 2);
    assert_eq!(told(&shipped(), "role:platform-admin", two), "");
    assert_eq!(told(&shipped(), "role:admin", "g, user:local:eve, role:admin, acme"), "");
}

#[test]
fn what_the_site_denies_somebody_they_do_not_give() {
    let site = format!(
        "{ADMIN}p, role:owner, *, **, *, allow\np, role:owner, *, box/golden/**, delete, deny\n"
    );
    let policy = Policy::from_texts(MODEL, &[("policy.csv", &site)]).unwrap();
    for (object, action, given) in [
        ("box/golden", "delete", false),
        ("box/*", "delete", false),
        ("box/**", "*", false),
        ("box/golden", "read", true),
        ("box/silver/**", "delete", true),
    ] {
        let line = format!("p, role:member, acme, {object}, {action}, allow");
        assert_eq!(told(&policy, "role:owner", &line).is_empty(), given, "{line}");
    }
    // an own deny they may take out, so it does not keep them from giving
    let own = "p, role:owner, acme, box/iron, delete, deny\n";
    let policy = policy.with_overlays(vec![overlay(own)]);
    assert_eq!(told(&policy, "role:owner", "p, role:member, acme, box/iron, delete, allow"), "");
}

#[test]
fn nobody_is_locked_out_of_mending_the_rules_and_a_platform_admin_of_nothing() {
    let deny_all = "p, role:owner, acme, **, *, deny\np, authenticated, acme, **, *, deny\n\
                    p, user:local:root, acme, **, *, deny\ng, user:local:root, role:acme/out, acme\n\
                    p, role:acme/out, acme, **, *, deny\n";
    assert_eq!(told(&shipped(), "role:owner", deny_all), "");
    let policy = with(deny_all);
    assert!(may(&policy, "role:owner", "acme", "rules", "update"));
    assert!(!may(&policy, "role:owner", "acme", "box/web", "read"));
    let root = "user:local:root,role:platform-admin";
    assert!(may(&policy, root, "acme", "box/web", "delete"));
    assert!(may(&policy, root, SYSTEM_DOMAIN, "policy", "update"));
    // nor does a role that they give lead to their rules
    let policy = with("g, user:local:eve, role:owner, acme\n");
    assert!(may(&policy, "user:local:eve", "acme", "organization", "delete"));
    assert!(!may(&policy, "user:local:eve", "acme", "rules", "update"));
    assert!(!may(&policy, "user:local:eve", "acme", "rules", "read"));
}

#[test]
fn rules_follow_the_name_of_their_organization() {
    let text = "# acme, role:acme/x stay in comments\n\
                g,\"user:local:acme\",role:acme/x,\"acme\"\n\
                p, role:acme/x , acme, box/acme, read, allow\n\
                g, service:acme/ci, \"role:acme/x\", acme\n\
                g, group:ldap:CN=ä acme, role:acme/x, acme";
    let renamed = Overlay::new("globex-2", 1, text, "acme");
    assert_eq!(
        renamed.text(),
        "# acme, role:acme/x stay in comments\n\
         g,\"user:local:acme\",role:globex-2/x,\"globex-2\"\n\
         p, role:globex-2/x , globex-2, box/acme, read, allow\n\
         g, service:globex-2/ci, \"role:globex-2/x\", globex-2\n\
         g, group:ldap:CN=ä acme, role:globex-2/x, globex-2"
    );
    let policy = shipped().with_overlays(vec![renamed]);
    assert_eq!(policy.overlay("globex-2").unwrap().1.problems, []);
    assert!(may(&policy, "user:local:acme", "globex-2", "box/acme", "read"));
    assert!(!may(&policy, "user:local:acme", "acme", "box/acme", "read"));
}

#[test]
fn rules_that_cannot_be_read_close_their_organization_and_no_other() {
    let broken = Overlay::new("acme", 3, "p, role:member, acme, bax/**, read, allow\n", "acme");
    let fine =
        Overlay::new("globex", 4, "p, role:admin, globex, box/golden, delete, deny\n", "globex");
    let policy = shipped().with_overlays(vec![broken, fine]);
    let closed: Vec<_> = policy.closed_organizations().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(closed, ["acme"]);
    for who in ["role:owner", "role:member", "user:local:eve"] {
        assert!(!may(&policy, who, "acme", "box/web", "read"), "{who}");
    }
    let public = request("anonymous,role:public", "acme", "box/web", "read");
    assert!(!policy.decide(&public).allowed);
    assert!(may(&policy, "role:owner", "acme", "rules", "update"));
    assert!(may(&policy, "role:platform-admin", "acme", "box/web", "read"));
    assert!(may(&policy, "role:owner", "globex", "box/web", "read"));
    assert!(!may(&policy, "role:admin", "globex", "box/golden", "delete"));
    assert!(may(&policy, "role:admin", "hooli", "box/golden", "delete"));
}

#[test]
fn an_overlay_has_limits_and_may_be_empty_and_the_site_stays_as_expected() {
    let many: Vec<_> =
        (0..21).map(|n| format!("p, role:member, acme, box/b{n}, delete, deny")).collect();
    assert!(told(&shipped(), "role:owner", &many.join("\n")).contains("21 lines are more than 20"));
    let long = format!("# {}\n", "x".repeat(10_000));
    assert!(told(&shipped(), "role:owner", &long).contains("bytes are more than 10000"));
    assert_eq!(told(&shipped(), "role:owner", ""), "");
    let files = [
        ("policy.csv", format!("{ADMIN}p, role:owner, *, **, *, allow\n")),
        ("tests.csv", "role:member, acme, box/web, delete, deny\n".to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let site = Policy::from_texts(MODEL, &files).unwrap();
    let told = told(&site, "role:owner", "p, role:member, acme, box/*, delete, allow");
    assert!(told.contains("it is allowed by acme/policy.csv:1"), "{told}");
}

#[test]
fn a_site_speaks_of_no_role_of_an_organizations_own() {
    for line in
        ["g, user:local:bob, role:acme/x, acme\n", "p, role:acme/x, acme, box/*, read, allow\n"]
    {
        let text = format!("{ADMIN}{line}");
        let refused = Policy::from_texts(MODEL, &[("policy.csv", &text)]).unwrap_err().to_string();
        assert!(refused.contains("is a role of an organization's own rules"), "{refused}");
    }
}
