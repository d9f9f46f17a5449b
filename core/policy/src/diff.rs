//! Which decisions differ between two policies: over the matrix, and over whoever and whatever either of them names.

use std::collections::HashSet;
use std::fmt;

use boxvault_types::action::{Action, SYSTEM_DOMAIN};
use serde::Serialize;

use crate::grid::Grid;
use crate::matrix::cell;
use crate::policy::Policy;
use crate::request::RuleRef;
use crate::rules::words::ANY;
use crate::rules::{Binding, Rule};

/// Each costs two decisions: some ten seconds for all of them.
const QUESTIONS_MAX: usize = 2_000_000;

/// What changes from one policy to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyDiff {
    /// Decisions that become a yes, or a no.
    pub changes: Vec<Change>,
    /// Whether everything was asked that either policy names; otherwise only what the lines that differ name, or even
    /// less, since all of it would have been too much.
    pub complete: bool,
}

/// A decision that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Who asks, as the matrix calls them, or a subject that rules name.
    pub who: String,
    /// An organization, `-`, or `*` for one that no rule names.
    pub domain: String,
    /// The object; `*` in it is a name that no rule mentions.
    pub object: String,
    /// What they want to do.
    pub action: Action,
    /// The answer of the first policy: `yes`, `.` (no rule), or `deny`.
    pub before: &'static str,
    /// The answer of the second.
    pub after: &'static str,
    /// The rule that decides in the second policy, or else in the first.
    pub rule: Option<RuleRef>,
}

/// Compares the decisions of two policies, as far as their files are concerned.
pub fn diff(before: &Policy, after: &Policy) -> PolicyDiff {
    compare((before, &Lines::of_site(before)), (after, &Lines::of_site(after)), None)
}

/// Compares what two policies decide about an organization, as far as rules of its own are concerned.
pub fn diff_of_organization(before: &Policy, after: &Policy, organization: &str) -> PolicyDiff {
    let of = |policy| Lines::of_organization(policy, organization);
    compare((before, &of(before)), (after, &of(after)), Some(organization))
}

/// The lines of a policy that a comparison is about.
struct Lines<'a> {
    rules: Vec<&'a Rule>,
    bindings: Vec<&'a Binding>,
}

impl<'a> Lines<'a> {
    fn of_site(policy: &'a Policy) -> Self {
        let (rules, bindings) = (policy.site_rules(), policy.site_bindings());
        Self { rules: rules.iter().collect(), bindings: bindings.iter().collect() }
    }

    fn of_organization(policy: &'a Policy, name: &str) -> Self {
        let (rules, bindings) = policy.own_lines(name);
        Self { rules: rules.iter().collect(), bindings: bindings.iter().collect() }
    }
}

fn compare(
    (before, old): (&Policy, &Lines<'_>),
    (after, new): (&Policy, &Lines<'_>),
    only: Option<&str>,
) -> PolicyDiff {
    let all = || before.rules().chain(after.rules());
    let rules = || old.rules.iter().chain(&new.rules).copied();
    let bindings = || old.bindings.iter().chain(&new.bindings).copied();
    let whole = Grid::new(rules(), &all()).with_named(rules(), bindings()).within(only);
    if whole.size() <= QUESTIONS_MAX {
        return PolicyDiff { changes: changes(before, after, &whole), complete: true };
    }
    let rules = one_sided(&old.rules, &new.rules, Rule::fields);
    let ties = one_sided(&old.bindings, &new.bindings, Binding::fields);
    let rules = || rules.iter().copied();
    let part = Grid::new(rules(), &all()).with_named(rules(), ties.iter().copied()).within(only);
    PolicyDiff { changes: changes(before, after, &part), complete: false }
}

/// The lines that only one of two sides has.
fn one_sided<'a, Line, const N: usize>(
    left: &[&'a Line],
    right: &[&'a Line],
    fields: impl Fn(&Line) -> [&str; N],
) -> Vec<&'a Line> {
    let of = |lines: &[&'a Line]| -> HashSet<[&'a str; N]> {
        lines.iter().map(|line| fields(*line)).collect()
    };
    let (in_left, in_right) = (of(left), of(right));
    let only_left = left.iter().filter(|line| !in_right.contains(&fields(line)));
    let only_right = right.iter().filter(|line| !in_left.contains(&fields(line)));
    only_left.chain(only_right).copied().collect()
}

fn changes(before: &Policy, after: &Policy, grid: &Grid) -> Vec<Change> {
    let mut changes = Vec::new();
    // what holds for any organization, or for things of any name, is not said again of each; those come first
    let mut said: HashSet<(&str, &str, &str, Action, bool)> = HashSet::new();
    for row in grid.rows().take(QUESTIONS_MAX / grid.askers.len().max(1)) {
        for asker in &grid.askers {
            let (old, new) = (row.ask(before, asker), row.ask(after, asker));
            if old.allowed == new.allowed {
                continue;
            }
            let (who, thing) = (asker.title.as_str(), row.thing);
            let any = if row.label == SYSTEM_DOMAIN { SYSTEM_DOMAIN } else { ANY };
            let again = [(any, &thing.label), (any, &thing.general), (row.label, &thing.general)]
                .into_iter()
                .any(|(place, thing)| said.contains(&(who, place, thing, row.action, new.allowed)));
            said.insert((who, row.label, &thing.label, row.action, new.allowed));
            if again {
                continue;
            }
            changes.push(Change {
                who: asker.title.clone(),
                domain: row.label.to_owned(),
                object: row.thing.label.clone(),
                action: row.action,
                before: cell(old.reason),
                after: cell(new.reason),
                rule: new.rule.or(old.rule).as_deref().cloned(),
            });
        }
    }
    changes
}

impl fmt::Display for PolicyDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            f.write_str("no decision changes")?;
        }
        for (number, change) in self.changes.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{change}")?;
        }
        if !self.complete {
            f.write_str(
                "\nthe policies name too much to ask it all: asked was, as far as it goes, what the \
                 lines that differ name",
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.after == "yes" { '+' } else { '-' };
        let Self { who, domain, object, action, before, after, .. } = self;
        write!(f, "{sign} {who}: {action} {object} in {domain}: {before} -> {after}")?;
        match &self.rule {
            Some(rule) => write!(f, "  ({}:{})", rule.file, rule.line),
            None => Ok(()),
        }
    }
}
