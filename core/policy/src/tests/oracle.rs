//! The policy against a naive oracle, over random small policies and callers, and a share of it against plain Casbin.
//!
//! The oracle shares nothing with the program but the question: it works from the raw lines and the caller, follows
//! bindings by recursion, matches patterns by recursion, and looks at every rule for every subject. It also says which
//! rule decides. Plain Casbin is an enforcer as anybody would build it: all lines, its own role manager, its own
//! effector, and of ours only the function that matches patterns; it knows nothing of rules of an organization's own.
//!
//! `BOXVAULT_ORACLE_POLICIES=50000` tries that many policies, each with a hundred questions, instead of the usual.

use std::fmt::Write as _;

use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi, NullAdapter};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;

/// With [`QUESTIONS`] each, 100 000 questions: some ten seconds of a debug build.
const POLICIES: u32 = 1_000;
const QUESTIONS: usize = 100;
/// Every so many questions plain Casbin is asked, too. It looks at every line, so it takes its time.
const CASBIN_EVERY: usize = 18;

const ORGANIZATIONS: &[&str] = &["acme", "beta"];
const ROLES: &[&str] = &["role:r1", "role:r2", "role:r3"];
const PATTERNS: &[&str] = &[
    "**",
    "box",
    "box/*",
    "box/**",
    "box/**",
    "box/*/**",
    "box/a",
    "box/a/**",
    "box/b/**",
    "box/*/version/*",
    "box/*/version/**",
    "box/a/version/1.0.0",
    "box/a/version/1.0.0/**",
    "box/*/version/1.0.0/provider/**",
    "box/*/version/*/provider/virtualbox/architecture/**",
    "box/a/version/*/provider/*/architecture/amd64/file",
    "box/*/version/*/provider/*/architecture/*/file",
    "member/**",
    "member/*",
    "organization",
    "organization/**",
    "service/*",
    "audit",
    "user/*",
    "user/bob",
    "system/*",
    "system/health",
    "token",
    "profile/**",
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
        "service:acme/ci",
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
        "service:acme/ci",
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
            for line in &mut lines {
                // a policy by which everybody, or nobody, could change the rules would be refused
                let whole = line[1] != "acme" && line[1] != "beta" && line[2] == "**";
                if whole && matches!(line[3], "*" | "update") {
                    line[3] = "read";
                }
            }
            lines.sort_unstable();
            lines.dedup();
            ties.sort_unstable();
            ties.dedup();
            (lines, ties)
        },
    )
}

/// All that is written down.
#[derive(Debug, Clone)]
struct Written {
    lines: Vec<Line>,
    ties: Vec<Tie>,
    /// What acme wrote for itself.
    own_lines: Vec<Line>,
    own_ties: Vec<Tie>,
}

const OWN_ROLES: &[&str] = &["role:acme/x", "role:acme/y"];

/// A line as acme may write it.
fn own_line() -> impl Strategy<Value = Line> {
    let everybody = ["anonymous", "authenticated", "role:public"];
    let who = prop_oneof![
        3 => subject().prop_filter("is not theirs to speak of", |it| *it != "role:platform-admin"),
        1 => prop::sample::select(OWN_ROLES),
    ];
    let in_organizations = PATTERNS
        .iter()
        .copied()
        .filter(|pattern| !["user", "system", "token", "profile"].contains(&segments(pattern)[0]));
    let object = prop::sample::select(in_organizations.collect::<Vec<_>>());
    let effect = prop::sample::select(vec!["allow", "allow", "deny"]);
    (who, object, prop::sample::select(ACTIONS), effect).prop_map(
        move |(who, object, action, effect)| {
            let harmless = matches!(action, "read" | "download") || effect == "deny";
            let action = if harmless || !everybody.contains(&who) { action } else { "read" };
            [who, "acme", object, action, effect]
        },
    )
}

/// Never in a circle: what gives roles of the server gives them to no role.
fn own_tie() -> impl Strategy<Value = Tie> {
    let people = vec!["user:local:bob", "user:ldap:bob", "group:ldap:devs", "service:acme/ci"];
    let from = prop::sample::select(people);
    let to = prop::sample::select(vec![
        "role:acme/x",
        "role:acme/y",
        "role:member",
        "role:admin",
        "role:owner",
    ]);
    let roles = prop::sample::select(vec![
        ["role:acme/x", "role:acme/y", "acme"],
        ["role:member", "role:acme/x", "acme"],
        ["role:creator", "role:acme/y", "acme"],
    ]);
    prop_oneof![3 => (from, to).prop_map(|(from, to)| [from, to, "acme"]), 1 => roles]
}

fn written() -> impl Strategy<Value = Written> {
    let own_lines = prop::collection::vec(own_line(), 4..32);
    let own = (own_lines, prop::collection::vec(own_tie(), 0..6));
    (rules(), prop::option::of(own)).prop_map(|((lines, ties), own)| {
        let (own_lines, own_ties) = own.unwrap_or_default();
        Written { lines, ties, own_lines, own_ties }
    })
}

/// Somebody with an account, without limits.
fn person() -> impl Strategy<Value = Caller> {
    let role = || prop::option::of(prop::sample::select(Role::ALL));
    (role(), role(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(acme, beta, local, in_group, admin)| {
            let mut caller = bob(None);
            let roles = [("acme", acme), ("Beta", beta)];
            caller.memberships = roles
                .into_iter()
                .filter_map(|(name, role)| role.map(|role| (organization(name), role)))
                .collect();
            caller.issuer = if local { "local" } else { "ldap" }.to_owned();
            caller.groups = if in_group { vec!["ldap:devs".to_owned()] } else { Vec::new() };
            caller.platform_admin = admin;
            caller
        },
    )
}

fn scope() -> impl Strategy<Value = TokenScope> {
    let actions = prop::sample::subsequence(Action::ALL, 6..13);
    let patterns = vec!["box/**", "box/a/**", "box/*/version/**", "box/*"];
    (
        prop::option::weighted(0.5, actions),
        prop::option::weighted(0.5, prop::sample::select(ORGANIZATIONS)),
        prop::option::weighted(0.3, prop::sample::select(patterns)),
    )
        .prop_map(|(actions, limit, pattern)| TokenScope {
            actions,
            organization: limit.map(organization),
            pattern: pattern.map(|pattern| pattern.parse().unwrap()),
        })
}

/// A service account of acme, with somebody above it.
fn machine() -> impl Strategy<Value = Caller> {
    let role = prop::option::weighted(0.8, prop::sample::select(Role::ALL));
    (role, person()).prop_map(|(role, sponsor)| {
        let Identity::User(caller) = service(role, sponsor) else { unreachable!() };
        Caller::clone(&caller)
    })
}

fn caller() -> impl Strategy<Value = Identity> {
    let token = (person(), scope()).prop_map(|(caller, scope)| Caller { scope, ..caller });
    prop_oneof![
        1 => Just(Identity::Anonymous),
        4 => person().prop_map(identity),
        1 => token.prop_map(identity),
        3 => machine().prop_map(identity),
    ]
}

fn resource() -> impl Strategy<Value = Resource> {
    let name = prop::sample::select(vec!["a", "B", "c"]);
    (prop::sample::select(ORGANIZATIONS), name, 0..19_u8).prop_map(|(owner, name, form)| {
        let owner = organization(owner);
        let named = BoxName::parse(name).unwrap();
        let version = BoxVersion::parse("1.0.0").unwrap();
        let provider = ProviderName::parse("VirtualBox").unwrap();
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
            13 => Resource::Provider(owner, named, version, Some(provider)),
            14 => Resource::Architecture(owner, named, version, provider, None),
            15 => Resource::ServiceAccount(owner, Some("ci".parse().unwrap())),
            16 => Resource::Rules(owner),
            17 => Resource::Mirror(owner),
            _ => Resource::Token,
        }
    })
}

#[derive(Debug, Clone)]
struct Asked {
    who: Identity,
    what: Resource,
    action: Action,
    creator: bool,
    public: bool,
}

fn question() -> impl Strategy<Value = Asked> {
    let action = prop::sample::select(Action::ALL);
    (caller(), resource(), action, any::<bool>(), any::<bool>()).prop_map(
        |(who, what, action, creator, public)| Asked { who, what, action, creator, public },
    )
}

/// Everything that a caller is without `g` lines.
fn titles(caller: &Caller, asked: &Asked) -> Vec<String> {
    let mut held = vec!["authenticated".to_owned()];
    match &caller.service {
        Some(_) => held.push("service:acme/ci".into()),
        None => held.push(format!("user:{}:bob", caller.issuer)),
    }
    held.extend(caller.groups.iter().map(|group| format!("group:{group}")));
    if caller.platform_admin {
        held.push("role:platform-admin".into());
    }
    for (place, role) in &caller.memberships {
        if place.key() == asked.what.domain() {
            held.push(format!("role:{}", role.as_str()));
            if asked.creator {
                held.push("role:creator".into());
            }
        }
    }
    if asked.public {
        held.push("role:public".into());
    }
    held
}

/// Who must be allowed: nobody when a token does not reach so far, two for a service account.
fn askers(asked: &Asked) -> Vec<Vec<String>> {
    let mut everybody = vec!["anonymous".to_owned()];
    if asked.public {
        everybody.push("role:public".into());
    }
    let Identity::User(caller) = &asked.who else { return vec![everybody] };
    let (object, action) = (asked.what.object(), asked.action);
    let scope = &caller.scope;
    let limited =
        scope.actions.is_some() || scope.organization.is_some() || scope.pattern.is_some();
    let own = ["token", "profile", "session", "service"];
    let outside = scope.actions.as_ref().is_some_and(|actions| !actions.contains(&action))
        || scope.organization.as_ref().is_some_and(|limit| limit.key() != asked.what.domain())
        || scope
            .pattern
            .as_ref()
            .is_some_and(|pattern| !lies_within(&segments(&object), &segments(pattern.as_str())))
        || (limited && own.contains(&segments(&object)[0]) && action != Action::Read)
        || (limited && object == "rules" && action == Action::Update);
    if outside {
        let seen = asked.public && matches!(action, Action::Read | Action::Download);
        return if seen { vec![everybody] } else { Vec::new() };
    }
    let mut askers = vec![titles(caller, asked)];
    askers.extend(caller.service.as_ref().map(|service| titles(&service.sponsor, asked)));
    askers
}

/// What the words say, as directly as they can be written down: whether, and by which line; those that acme wrote for
/// itself are numbered after the others.
fn oracle(written: &Written, asked: &Asked) -> (bool, Option<usize>) {
    let mut answer = (false, None);
    for (place, held) in askers(asked).iter().enumerate() {
        let own = verdict(written, held, asked);
        if place == 0 || !own.0 {
            answer = own;
        }
        if !own.0 {
            break;
        }
    }
    answer
}

fn verdict(written: &Written, held: &[String], asked: &Asked) -> (bool, Option<usize>) {
    let Written { lines, ties, own_lines, own_ties } = written;
    let (domain, object) = (asked.what.domain(), asked.what.object());
    // acme says nothing on its own rules; its bindings and its denies are not for platform admins
    let admin = held.iter().any(|start| leads(ties, start, "role:platform-admin", &domain));
    let has_say = object != "rules";
    let own_ties = own_ties.iter().filter(|_| has_say && !admin).copied();
    let ties: Vec<Tie> = ties.iter().copied().chain(own_ties).collect();
    let own_lines = own_lines.iter().map(|line| (line, has_say && !(admin && line[4] == "deny")));
    let lines = lines.iter().map(|line| (line, true)).chain(own_lines);
    let is = |subject: &str| held.iter().any(|start| leads(&ties, start, subject, &domain));
    let fits = |line: &Line| {
        is(line[0])
            && (line[1] == "*" || line[1] == domain)
            && lies_within(&segments(&object), &segments(line[2]))
            && (line[3] == "*" || line[3] == asked.action.as_str())
    };
    let first = |effect: &str| {
        let mut lines = lines.clone();
        lines.position(|(line, counts)| line[4] == effect && counts && fits(line))
    };
    match (first("deny"), first("allow")) {
        (Some(deny), _) => (false, Some(deny)),
        (None, allow) => (allow.is_some(), allow),
    }
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

/// Casbin as it comes, with all lines.
async fn plain_casbin(lines: &[Line]) -> Enforcer {
    let within = |object: Dynamic, pattern: Dynamic| {
        let (object, pattern) = (object.into_string().unwrap(), pattern.into_string().unwrap());
        lies_within(&segments(&object), &segments(&pattern)).into()
    };
    let model = DefaultModel::from_str(MODEL).await.unwrap();
    let mut enforcer = Enforcer::new(model, NullAdapter).await.unwrap();
    enforcer.add_function("within", OperatorFunction::Arg2(within));
    let rows = lines.iter().map(|line| line.map(str::to_owned).to_vec()).collect();
    enforcer.add_policies(rows).await.unwrap();
    enforcer
}

/// Asks plain Casbin: whoever asks is somebody who has all their subjects as roles. Casbin knows no `*` among the
/// domains of `g` lines, so they are written out for the one that is asked about.
async fn casbin_allows(plain: &mut Enforcer, ties: &[Tie], asked: &Asked) -> bool {
    let domain = asked.what.domain();
    let askers = askers(asked);
    let mut allowed = !askers.is_empty();
    for held in askers {
        let mut links: Vec<Vec<String>> = ties
            .iter()
            .filter(|tie| tie[2] == "*" || tie[2] == domain)
            .map(|tie| vec![tie[0].to_owned(), tie[1].to_owned(), domain.clone()])
            .collect();
        links.extend(held.into_iter().map(|title| vec!["who".into(), title, domain.clone()]));
        links.sort();
        links.dedup();
        plain.add_grouping_policies(links.clone()).await.unwrap();
        let action = asked.action.as_str();
        allowed &= plain.enforce(("who", domain.as_str(), asked.what.object(), action)).unwrap();
        plain.remove_grouping_policies(links).await.unwrap();
    }
    allowed
}

fn policies() -> u32 {
    let asked_for = std::env::var_os("BOXVAULT_ORACLE_POLICIES");
    asked_for.and_then(|count| count.to_str()?.parse().ok()).unwrap_or(POLICIES)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(policies()))]

    /// Every question is asked twice: the second answer is the cache's.
    #[test]
    fn the_policy_decides_as_the_oracle_and_as_plain_casbin(
        written in written(), questions in prop::collection::vec(question(), QUESTIONS)
    ) {
        let Written { lines, ties, own_lines, own_ties } = &written;
        let (text, own) = (text(lines, ties), text(own_lines, own_ties));
        let policy = Policy::from_texts(MODEL, &[("policy.csv", &text)]).unwrap();
        let overlay = crate::Overlay::new("acme", 1, &own, "acme");
        let policy = policy.with_overlays(vec![overlay]);
        prop_assert_eq!(&policy.overlay("acme").unwrap().1.problems, &[], "{}", &own);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut plain = runtime.block_on(plain_casbin(lines));
        for (number, asked) in questions.iter().enumerate() {
            let Asked { who, what, action, creator, public } = asked;
            let relations = Relations { creator: *creator, public: *public };
            let expected = oracle(&written, asked);
            let first = ask(&policy, who, what, *action, relations);
            let rule = first.rule.as_ref().map(|rule| {
                let before = if &*rule.file == "policy.csv" { 0 } else { lines.len() };
                before + rule.line as usize - 1
            });
            prop_assert_eq!(
                (first.allowed, rule), expected,
                "{:?}\n{}\nacme:\n{}\n{} in {} by {:?}",
                first, &text, &own, what.object(), what.domain(), asked
            );
            prop_assert_eq!(&ask(&policy, who, what, *action, relations), &first);
            if number % CASBIN_EVERY == 0 && (own.is_empty() || what.domain() != "acme") {
                let plainly = runtime.block_on(casbin_allows(&mut plain, ties, asked));
                prop_assert_eq!(plainly, expected.0, "plain Casbin\n{}\n{:?}", &text, asked);
            }
        }
        prop_assert_eq!(policy.failures(), 0);
    }
}

fn text(lines: &[Line], ties: &[Tie]) -> String {
    let mut text = String::new();
    for line in lines {
        writeln!(text, "p, {}", line.join(", ")).unwrap();
    }
    for tie in ties {
        writeln!(text, "g, {}", tie.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_oracle_says_both_yes_and_no_and_is_asked_of_everything() {
    // a generator that only ever made refusals, or never a ceiling that matters, would prove nothing
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut allowed, mut denied, mut silent, mut outside, mut capped) = (0, 0, 0, 0, 0);
    let (mut allowed_by_own, mut denied_by_own, mut with_own_tie) = (0, 0, 0);
    for _ in 0..2_000 {
        let written = written().new_tree(&mut runner).unwrap().current();
        let asked = question().new_tree(&mut runner).unwrap().current();
        let answer = oracle(&written, &asked);
        let by_own = answer.1.is_some_and(|line| line >= written.lines.len());
        allowed_by_own += usize::from(by_own && answer.0);
        denied_by_own += usize::from(by_own && !answer.0);
        let untied = Written { own_ties: Vec::new(), ..written.clone() };
        with_own_tie += usize::from(oracle(&untied, &asked) != answer);
        match answer {
            (true, _) => allowed += 1,
            (false, Some(_)) => denied += 1,
            (false, None) if askers(&asked).is_empty() => outside += 1,
            (false, None) => silent += 1,
        }
        let verdicts: Vec<bool> =
            askers(&asked).iter().map(|held| verdict(&written, held, &asked).0).collect();
        capped += usize::from(verdicts == [true, false]);
    }
    let counts = [allowed, denied, silent, outside, capped];
    let own = [allowed_by_own, denied_by_own, with_own_tie];
    assert!(own.iter().all(|count| *count >= 10), "{own:?}");
    assert!(counts.iter().all(|count| *count >= 10), "{counts:?}");
}
