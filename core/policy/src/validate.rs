//! What can be wrong with rules that are well written: roles that nobody has, lines that stand twice, roles that lead
//! in a circle, and rules after which nobody could change the rules.

use std::collections::{BTreeSet, HashMap, HashSet, hash_map::Entry};

use boxvault_types::action::{Action, Resource, SYSTEM_DOMAIN};
use serde::Serialize;

use crate::error::{PolicyError, Problem};
use crate::files::{PolicyFiles, RULES_FILE};
use crate::policy::Policy;
use crate::request::{AccessRequest, RuleRef};
use crate::rules::words::{SERVER_ROLES, did_you_mean};
use crate::rules::{Binding, Rule, RuleSet};

/// The longest way from a user over roles to a role. Casbin itself silently denies beyond ten.
const CHAIN_MAX: usize = 10;

/// What policy files hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The digest that a server with these files shows.
    pub digest: String,
    /// The files of rules, in the order of reading.
    pub files: Vec<String>,
    /// How many `p` lines there are.
    pub rules: usize,
    /// How many `g` lines there are.
    pub bindings: usize,
    /// How many expectations there are; all of them hold.
    pub expectations: usize,
    /// What looks like a mistake, but does no harm.
    pub warnings: Vec<Problem>,
}

/// Checks files exactly as the server does.
///
/// # Errors
/// All problems at once, by which a server would refuse the files.
pub fn check(files: &PolicyFiles) -> Result<CheckReport, PolicyError> {
    let policy = Policy::build(files)?;
    Ok(CheckReport {
        digest: policy.digest().to_owned(),
        files: policy.files().names(),
        rules: policy.rules_count(),
        bindings: policy.bindings_count(),
        expectations: policy.expectations_count(),
        warnings: policy.warnings().to_vec(),
    })
}

/// Checks all rules together, and takes out those that stand twice.
pub(crate) fn check_rules(
    set: &mut RuleSet,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    if set.rules.is_empty() && problems.is_empty() {
        problems.push(
            Problem::new(RULES_FILE, 0, 0, "there is no rule, so nobody could do anything")
                .hint("start from the policy.csv that comes with BoxVault"),
        );
    }
    drop_duplicates(set, problems, warnings);
    check_roles(set, problems);
    check_chains(set, problems);
}

/// Checks the lines of an organization's own rules together.
pub(crate) fn check_own(set: &mut RuleSet, problems: &mut Vec<Problem>) {
    // in one file nothing that stands twice is a mere warning
    drop_duplicates(set, problems, &mut Vec::new());
    check_roles(set, problems);
    check_chains(set, problems);
}

fn at(source: &RuleRef, message: impl Into<String>) -> Problem {
    Problem::new(&source.file, source.line, 0, message)
}

/// A line that stands twice in one file is a slip; the same line in two files is what an upgrade may bring.
fn drop_duplicates(set: &mut RuleSet, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    let mut tell = |source: &RuleRef, before: &RuleRef| {
        let problem = at(source, format!("the same as {}:{}", before.file, before.line))
            .hint("delete one of the two");
        if before.file == source.file {
            problems.push(problem);
        } else {
            warnings.push(problem);
        }
    };
    retain_first(&mut set.rules, Rule::fields, |rule| &rule.source, &mut tell);
    retain_first(&mut set.bindings, Binding::fields, |binding| &binding.source, &mut tell);
}

/// Keeps the first of equal lines, and tells of the others.
fn retain_first<Line, const N: usize>(
    lines: &mut Vec<Line>,
    fields: impl Fn(&Line) -> [&str; N],
    source: impl Fn(&Line) -> &RuleRef,
    tell: &mut impl FnMut(&RuleRef, &RuleRef),
) {
    let mut seen: HashMap<[&str; N], &Line> = HashMap::with_capacity(lines.len());
    let mut again = HashSet::new();
    for (place, line) in lines.iter().enumerate() {
        match seen.entry(fields(line)) {
            Entry::Occupied(first) => {
                tell(source(line), source(first.get()));
                again.insert(place);
            }
            Entry::Vacant(free) => {
                free.insert(line);
            }
        }
    }
    drop(seen);
    let mut place = 0..;
    lines.retain(|_| place.next().is_some_and(|place| !again.contains(&place)));
}

/// A role exists when the server gives it or a `g` line does; a role that is given must have rules.
fn check_roles(set: &RuleSet, problems: &mut Vec<Problem>) {
    let given: BTreeSet<&str> = set.bindings.iter().map(|binding| &*binding.role).collect();
    let known: Vec<&str> = SERVER_ROLES.iter().copied().chain(given.iter().copied()).collect();
    let with_rules: HashSet<&str> = set
        .rules
        .iter()
        .map(|rule| &*rule.subject)
        .chain(set.bindings.iter().map(|binding| &*binding.member))
        .collect();
    let unknown = |name: &str, source: &RuleRef| {
        at(source, format!("nobody has the role {name:?}")).maybe_hint(
            did_you_mean(name, &known)
                .or_else(|| Some("give it to somebody: g, <who>, <role>, <organization>".into())),
        )
    };
    let clear = |name: &str| !set.unclear_roles.contains(name);
    let missing = |name: &str| name.starts_with("role:") && !known.contains(&name) && clear(name);
    for rule in set.rules.iter().filter(|rule| missing(&rule.subject)) {
        problems.push(unknown(&rule.subject, &rule.source));
    }
    for binding in set.bindings.iter().filter(|binding| missing(&binding.member)) {
        problems.push(unknown(&binding.member, &binding.source));
    }
    let with_rules_names: Vec<&str> =
        SERVER_ROLES.iter().copied().chain(with_rules.iter().copied()).collect();
    for binding in &set.bindings {
        let role = &*binding.role;
        if !with_rules.contains(role) && !SERVER_ROLES.contains(&role) && clear(role) {
            let problem = at(&binding.source, format!("the role {role:?} has no rules"));
            problems.push(problem.maybe_hint(did_you_mean(role, &with_rules_names).or_else(
                || {
                    Some(format!(
                        "give it rights: p, {role}, <organization>, <object>, <action>, allow"
                    ))
                },
            )));
        }
    }
}

/// Refuses circles of roles, and ways over roles that are too long. Domains are not looked at: a circle that only
/// two organizations together make is as hard to understand as any.
fn check_chains(set: &RuleSet, problems: &mut Vec<Problem>) {
    let mut members_of: HashMap<&str, usize> = HashMap::new();
    let mut roles_of: HashMap<&str, Vec<&str>> = HashMap::new();
    for binding in &set.bindings {
        roles_of.entry(&binding.member).or_default().push(&binding.role);
        *members_of.entry(&binding.role).or_default() += 1;
        members_of.entry(&binding.member).or_default();
    }
    let mut depth: HashMap<&str, usize> = HashMap::new();
    let mut ready: Vec<&str> =
        members_of.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    while let Some(name) = ready.pop() {
        let reached = depth.get(name).copied().unwrap_or_default() + 1;
        for role in roles_of.get(name).into_iter().flatten() {
            let deepest = depth.entry(role).or_default();
            *deepest = (*deepest).max(reached);
            if let Some(count) = members_of.get_mut(role) {
                *count -= 1;
                if *count == 0 {
                    ready.push(role);
                }
            }
        }
    }
    let in_circle = |name: &str| members_of.get(name).is_some_and(|count| *count > 0);
    for binding in &set.bindings {
        if in_circle(&binding.member) && in_circle(&binding.role) {
            problems.push(
                at(&binding.source, "these roles lead in a circle").hint("take one g line out"),
            );
        } else if depth.get(&*binding.role).is_some_and(|depth| *depth == CHAIN_MAX + 1) {
            let message = format!("more than {CHAIN_MAX} g lines lead to {:?}", binding.role);
            problems.push(at(&binding.source, message).hint("give the role directly"));
        }
    }
}

/// Asks the finished policy what must be so: a platform admin can change the rules, and the network cannot.
pub(crate) fn check_guards(policy: &Policy) -> Vec<Problem> {
    let mut problems = Vec::new();
    let change_rules = |subjects: &[&str]| {
        policy.decide(&AccessRequest {
            subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            domain: SYSTEM_DOMAIN.to_owned(),
            object: Resource::Policy.object(),
            action: Action::Update,
            within_scope: true,
            ceiling: None,
        })
    };
    let admin = change_rules(&["authenticated", "role:platform-admin"]);
    if !admin.allowed {
        let message = "no platform admin could change the rules any more";
        problems.push(match admin.rule {
            Some(rule) => at(&rule, message).hint("this line denies it; take it out or narrow it"),
            None => Problem::new(RULES_FILE, 0, 0, message)
                .hint("add: p, role:platform-admin, *, **, *, allow"),
        });
    }
    for everybody in ["anonymous", "authenticated"] {
        let decision = change_rules(&[everybody, "role:public"]);
        if let Some(rule) = decision.rule.filter(|_| decision.allowed) {
            problems.push(
                at(&rule, format!("everybody who is {everybody} could change the rules"))
                    .hint("give that right to a role"),
            );
        }
    }
    problems
}
