//! The policy against a naive oracle, over random small policies and callers.
//!
//! The oracle shares nothing with the program but the question: it works from the raw lines and the caller, follows
//! bindings by recursion, matches patterns by recursion, and looks at every rule for every subject.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;

const ORGANIZATIONS: &[&str] = &["acme", "beta"];
const ROLES: &[&str] = &["role:r1", "role:r2", "role:r3"];
const PATTERNS: &[&str] = &[
    "box",
    "box/*",
    "box/**",
    "box/**",
    "box/**",
    "box/*/**",
    "box/a",
    "box/a/**",
    "box/b/**",
    "box/*/version/*",
    "box/*/version/**",
    "box/a/version/1.0.0",
    "box/*/version/*/provider/*/architecture/*/file",
    "member/**",
    "member/*",
    "organization",
    "audit",
    "user/*",
    "user/bob",
    "system/*",
    "system/health",
    "token",
    "profile",
];
const ACTIONS: &[&str] = &["*", "*", "read", "create", "update", "delete", "download", "upload"];

/// A `p` line: subject, domain, object, action, effect.
type Line = [&'static str; 5];
/// A `g` line: member, role, domain.
type Tie = [&'static str; 3];

fn subject() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "anonymous",
        "authenticated",
        "authenticated",
        "role:owner",
        "role:admin",
        "role:member",
        "role:creator",
        "role:public",
        "role:platform-admin",
        "user:local:bob",
        "user:ldap:bob",
        "group:ldap:devs",
    ])
}

fn domain() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["*", "*", "*", "-", "acme", "beta"])
}

fn line() -> impl Strategy<Value = Line> {
    let who = prop_oneof![3 => subject(), 1 => prop::sample::select(ROLES)];
    let effect = prop::sample::select(vec!["allow", "allow", "allow", "deny"]);
    let object = prop_oneof![1 => Just("box/**"), 2 => prop::sample::select(PATTERNS)];
    (who, domain(), object, prop::sample::select(ACTIONS), effect)
        .prop_map(|(who, domain, object, action, effect)| [who, domain, object, action, effect])
}

/// Bindings lead from left to right only, so that they never make a circle.
fn tie() -> impl Strategy<Value = Tie> {
    let from = prop::sample::select(vec![
        "user:local:bob",
        "user:ldap:bob",
        "group:ldap:devs",
        "authenticated",
        "role:member",
        "role:creator",
        "role:r1",
        "role:r2",
    ]);
    (from, prop::sample::select(ROLES), domain()).prop_map(|(from, to, domain)| {
        let to = match from {
            "role:r1" => "role:r2",
            "role:r2" => "role:r3",
            _ => to,
        };
        [from, to, domain]
    })
}

/// Lines that make a valid policy: each once, every role given and with rules.
fn rules() -> impl Strategy<Value = (Vec<Line>, Vec<Tie>)> {
    (prop::collection::vec(line(), 4..32), prop::collection::vec(tie(), 0..6)).prop_map(
        |(mut lines, mut ties)| {
            for role in ROLES {
                let given = ties.iter().any(|tie| tie[1] == *role);
                let used = lines.iter().any(|line| line[0] == *role)
                    || ties.iter().any(|tie| tie[0] == *role);
                if used && !given {
                    ties.push(["group:oidc:nobody", role, "*"]);
                }
                if given && !used {
                    lines.push([role, "*", "box/a", "read", "allow"]);
                }
            }
            lines.push(["role:platform-admin", "-", "policy", "update", "allow"]);
            lines.sort_unstable();
            lines.dedup();
            ties.sort_unstable();
            ties.dedup();
            (lines, ties)
        },
    )
}

fn caller() -> impl Strategy<Value = Identity> {
    let role = || prop::option::of(prop::sample::select(Role::ALL));
    let scope_action = prop::option::weighted(0.1, prop::sample::select(Action::ALL));
    let scope_organization = prop::option::weighted(0.1, prop::sample::select(ORGANIZATIONS));
    let known = (
        role(),
        role(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        scope_action,
        scope_organization,
    )
        .prop_map(|(acme, beta, local, in_group, admin, action, limit)| {
            let mut caller = bob(None);
            let roles = [("acme", acme), ("Beta", beta)];
            caller.memberships = roles
                .into_iter()
                .filter_map(|(name, role)| role.map(|role| (organization(name), role)))
                .collect();
            caller.issuer = if local { "local" } else { "ldap" }.to_owned();
            caller.groups = if in_group { vec!["ldap:devs".to_owned()] } else { Vec::new() };
            caller.platform_admin = admin;
            caller.scope.actions = action.map(|action| vec![action]);
            caller.scope.organization = limit.map(organization);
            identity(caller)
        });
    prop_oneof![1 => Just(Identity::Anonymous), 5 => known]
}

fn resource() -> impl Strategy<Value = Resource> {
    let name = prop::sample::select(vec!["a", "B", "c"]);
    (prop::sample::select(ORGANIZATIONS), name, 0..14_u8).prop_map(|(owner, name, form)| {
        let owner = organization(owner);
        let named = BoxName::parse(name).unwrap();
        let version = BoxVersion::parse("1.0.0").unwrap();
        match form {
            0 => Resource::Box(owner, None),
            1 | 2 => Resource::Box(owner, Some(named)),
            3 | 4 => Resource::Version(owner, named, Some(version)),
            5 => Resource::Version(owner, named, None),
            6 | 7 => file_of(owner.as_str(), name),
            8 => Resource::Member(owner, Some(UserName::parse("bob").unwrap())),
            9 => Resource::Organization(Some(owner)),
            10 => Resource::Audit(None),
            11 => Resource::User(Some(UserName::parse("Bob").unwrap())),
            12 => Resource::System("health"),
            _ => Resource::Token,
        }
    })
}

type Asked = (Identity, Resource, Action, bool, bool);

fn question() -> impl Strategy<Value = Asked> {
    (caller(), resource(), prop::sample::select(Action::ALL), any::<bool>(), any::<bool>())
}

/// What the words say, as directly as they can be written down.
fn oracle(lines: &[Line], ties: &[Tie], (who, what, action, creator, public): &Asked) -> bool {
    let (domain, object) = (what.domain(), what.object());
    let mut held: Vec<String> = Vec::new();
    match who {
        Identity::Anonymous => held.push("anonymous".into()),
        Identity::User(caller) => {
            held.push("authenticated".into());
            held.push(format!("user:{}:bob", caller.issuer));
            for group in &caller.groups {
                held.push(format!("group:{group}"));
            }
            if caller.platform_admin {
                held.push("role:platform-admin".into());
            }
            for (place, role) in &caller.memberships {
                if place.key() == domain {
                    held.push(format!("role:{}", role.as_str()));
                    if *creator {
                        held.push("role:creator".into());
                    }
                }
            }
            let scope = &caller.scope;
            let limited = scope.actions.is_some() || scope.organization.is_some();
            if scope.actions.as_ref().is_some_and(|actions| !actions.contains(action))
                || scope.organization.as_ref().is_some_and(|limit| limit.key() != domain)
                || (limited && object == "token" && *action != Action::Read)
            {
                if !*public || !matches!(action, Action::Read | Action::Download) {
                    return false;
                }
                held = vec!["anonymous".into()];
            }
        }
    }
    if *public {
        held.push("role:public".into());
    }
    let is = |subject: &str| held.iter().any(|start| leads(ties, start, subject, &domain));
    let fits = |line: &&Line| {
        is(line[0])
            && (line[1] == "*" || line[1] == domain)
            && lies_within(&segments(&object), &segments(line[2]))
            && (line[3] == "*" || line[3] == action.as_str())
    };
    let mut effects = lines.iter().filter(fits).map(|line| line[4]);
    effects.clone().all(|effect| effect == "allow") && effects.any(|effect| effect == "allow")
}

fn leads(ties: &[Tie], from: &str, to: &str, domain: &str) -> bool {
    from == to
        || ties.iter().any(|tie| {
            tie[0] == from && (tie[2] == "*" || tie[2] == domain) && leads(ties, tie[1], to, domain)
        })
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').collect()
}

fn lies_within(object: &[&str], pattern: &[&str]) -> bool {
    match (object, pattern) {
        (_, ["**"]) | ([], []) => true,
        ([first, object @ ..], [wanted, pattern @ ..]) => {
            (*wanted == "*" || wanted == first) && lies_within(object, pattern)
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// 500 policies with 12 questions each, every question twice: the second answer is the cache's.
    #[test]
    fn the_policy_decides_as_the_oracle(
        (lines, ties) in rules(), questions in prop::collection::vec(question(), 12)
    ) {
        let mut text = String::new();
        for line in &lines {
            writeln!(text, "p, {}", line.join(", ")).unwrap();
        }
        for tie in &ties {
            writeln!(text, "g, {}", tie.join(", ")).unwrap();
        }
        let policy = Policy::from_texts(MODEL, &[("policy.csv", &text)]).unwrap();
        for asked in &questions {
            let (who, what, action, creator, public) = asked;
            let relations = Relations { creator: *creator, public: *public };
            let expected = oracle(&lines, &ties, asked);
            let first = ask(&policy, who, what, *action, relations);
            prop_assert_eq!(
                first.allowed, expected,
                "{:?}\n{}\n{} in {} by {:?}", first, &text, what.object(), what.domain(), asked
            );
            prop_assert_eq!(&ask(&policy, who, what, *action, relations), &first);
            if let Some(rule) = &first.rule {
                prop_assert_eq!(rule.text.ends_with(", allow"), first.allowed);
            }
        }
        prop_assert_eq!(policy.failures(), 0);
    }
}

#[test]
fn the_oracle_says_both_yes_and_no() {
    // a generator that only ever made refusals would prove nothing
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut answers = [0, 0];
    for _ in 0..1_000 {
        let (lines, ties) = rules().new_tree(&mut runner).unwrap().current();
        let asked = question().new_tree(&mut runner).unwrap().current();
        answers[usize::from(oracle(&lines, &ties, &asked))] += 1;
    }
    assert!(answers[0] > 100 && answers[1] > 100, "{answers:?}");
}
