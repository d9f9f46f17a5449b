//! What looks like a mistake in rules that are well written: rules that do nothing, and why. Warnings, not problems:
//! a site may mean them, and an upgrade may bring them.

use std::collections::{BTreeSet, HashMap};

use boxvault_types::action::SYSTEM_DOMAIN;

use crate::domain::DomainRules;
use crate::error::Problem;
use crate::overlay::OwnRules;
use crate::pattern;
use crate::request::RuleRef;
use crate::rules::words::{ANY, SERVER_ROLES};
use crate::rules::{Binding, Rule};
use crate::site::Site;

/// More than anybody reads, and each is a line of the log at every change.
const WARNINGS_MAX: usize = 100;
/// Of the organizations where a role is given, so many are named.
const PLACES_MAX: usize = 5;
/// Given everywhere; the other roles of the server only in organizations.
const EVERYWHERE: [&str; 2] = ["role:platform-admin", "role:public"];
/// Subjects that somebody can be who is not signed in.
const NOT_SIGNED_IN: [&str; 3] = ["anonymous", "authenticated", "role:public"];

/// What looks like a mistake in the rules of a site.
pub(crate) fn of_site(site: &Site) -> Vec<Problem> {
    Linter { site, own: None }.warnings(0, &site.rules, &site.bindings)
}

/// What looks like a mistake in rules of an organization's own, beside those of the site.
pub(crate) fn of_organization(site: &Site, own: &OwnRules) -> Vec<Problem> {
    Linter { site, own: Some(own) }.warnings(own.rules_before, &own.rules, &own.bindings)
}

/// The rules that those to judge are beside.
struct Linter<'a> {
    site: &'a Site,
    own: Option<&'a OwnRules>,
}

impl Linter<'_> {
    /// What it finds, rule by rule, at most one thing about each.
    fn warnings(&self, first: u32, rules: &[Rule], bindings: &[Binding]) -> Vec<Problem> {
        let domains = domains_of_roles(bindings);
        let mut warnings = Vec::new();
        for (number, rule) in (first..).zip(rules) {
            if warnings.len() >= WARNINGS_MAX {
                warnings.push(at(&rule.source, "the rules from here on were not looked at"));
                break;
            }
            warnings.extend(
                never_asked(rule)
                    .or_else(|| nobody_there(rule, &domains))
                    .or_else(|| self.superfluous(number, rule)),
            );
        }
        warnings
    }

    /// A rule that another one, as wide or wider, makes superfluous: of the same effect, or an allow under a deny.
    ///
    /// A rule of a later file may be meant to widen or to take back one that is shipped; that is no mistake.
    fn superfluous(&self, number: u32, rule: &Rule) -> Option<Problem> {
        let wider = self.wider(number, rule);
        let other = |allow: bool| wider.iter().find(|other| other.allow == allow);
        if let Some(deny) = other(false).filter(|_| rule.allow) {
            let message = format!("allows nothing: {} denies all of it", deny.source);
            return Some(
                at(&rule.source, message).hint("delete one of the two, or narrow the deny"),
            );
        }
        let same = other(rule.allow)?;
        let verb = if rule.allow { "allows" } else { "denies" };
        let message = format!("does nothing: {} {verb} as much, or more", same.source);
        Some(at(&rule.source, message).hint("delete it"))
    }

    /// The other rules that fit whatever this one fits, of this file or of one before.
    fn wider(&self, number: u32, rule: &Rule) -> Vec<&Rule> {
        let signed_in = (!NOT_SIGNED_IN.contains(&&*rule.subject)).then_some("authenticated");
        let subjects: Vec<String> =
            signed_in.into_iter().chain([&*rule.subject]).map(str::to_owned).collect();
        let beside = DomainRules::new(self.site, self.own, &rule.domain);
        let held = beside.held(&subjects, &rule.object);
        let wider = held
            .iter()
            .flat_map(|held| beside.covering(held.subject, &rule.object, rule.action))
            .filter(|other| *other != number)
            .filter_map(|other| Some((other, self.rule(other)?)))
            .filter(|(place, other)| *place < number || other.source.file == rule.source.file);
        wider.map(|(_, other)| other).collect()
    }

    fn rule(&self, number: u32) -> Option<&Rule> {
        DomainRules::new(self.site, self.own, ANY).rule(number)
    }
}

/// The domains in which each role is given by `g` lines.
fn domains_of_roles(bindings: &[Binding]) -> HashMap<&str, BTreeSet<&str>> {
    let mut domains: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for binding in bindings {
        domains.entry(&binding.role).or_default().insert(&binding.domain);
    }
    domains
}

/// A rule about something that the server never asks.
fn never_asked(rule: &Rule) -> Option<Problem> {
    let kinds = pattern::check(&rule.object).unwrap_or_default();
    let asked = |kind| rule.action.is_none_or(|action| pattern::is_asked(action, kind));
    let there = |kind| *rule.domain == *ANY || pattern::lies_in(kind, &rule.domain);
    if kinds.iter().any(|kind| asked(*kind) && there(*kind)) {
        return None;
    }
    let (action, object) = (rule.action_word(), &rule.object);
    if kinds.iter().any(|kind| asked(*kind)) {
        let (message, hint) = if *rule.domain == *SYSTEM_DOMAIN {
            (
                format!("{object:?} belongs to organizations, not to the system"),
                "write * or a name for -",
            )
        } else {
            (
                format!("{object:?} belongs to the system, not to an organization"),
                "write - for the domain",
            )
        };
        return Some(at(&rule.source, message).hint(hint));
    }
    let message = format!("nothing ever asks for {action:?} on {object:?}");
    Some(at(&rule.source, message).hint("access-matrix.txt shows what is asked"))
}

/// A rule for a role in a domain where nobody has it. Roles that nobody has anywhere are refused.
fn nobody_there(rule: &Rule, domains: &HashMap<&str, BTreeSet<&str>>) -> Option<Problem> {
    let (role, domain) = (&*rule.subject, &*rule.domain);
    let by_server =
        SERVER_ROLES.contains(&role) && (EVERYWHERE.contains(&role) || domain != SYSTEM_DOMAIN);
    if !role.starts_with("role:") || domain == ANY || by_server {
        return None;
    }
    let given = domains.get(role);
    if given.is_some_and(|given| given.contains(ANY) || given.contains(domain)) {
        return None;
    }
    let place = if domain == SYSTEM_DOMAIN { "the system" } else { domain };
    let message = format!("nobody has the role {role:?} in {place}");
    let elsewhere = match given {
        None => "the server gives it in organizations".to_owned(),
        Some(given) => {
            let some: Vec<&str> = given.iter().take(PLACES_MAX).copied().collect();
            format!("it is given in {}", some.join(", "))
        }
    };
    Some(
        at(&rule.source, message)
            .hint(format!("{elsewhere}; write that, or give it here: g, <who>, {role}, {domain}")),
    )
}

fn at(source: &RuleRef, message: impl Into<String>) -> Problem {
    Problem::new(&source.file, source.line, 0, message)
}

#[cfg(test)]
mod tests {
    use crate::Policy;

    const MODEL: &str = include_str!("../../../policies/model.conf");
    const ADMIN: &str = "p, role:platform-admin, *, **, *, allow\n";

    fn warnings(files: &[(&str, &str)]) -> Vec<String> {
        let policy = Policy::from_texts(MODEL, files).unwrap();
        policy.warnings().iter().map(ToString::to_string).collect()
    }

    fn warning(lines: &str) -> String {
        let told = warnings(&[("policy.csv", &format!("{ADMIN}{lines}"))]);
        assert_eq!(told.len(), 1, "{lines}{told:?}");
        told[0].clone()
    }

    fn nothing(lines: &str) {
        assert_eq!(warnings(&[("policy.csv", &format!("{ADMIN}{lines}"))]), [""; 0], "{lines}");
    }

    #[test]
    fn a_rule_within_another_of_the_same_effect_is_told() {
        for (narrow, wide) in [
            ("role:member, acme, box/web, read, allow", "role:member, *, box/web, read, allow"),
            ("role:member, *, box/web, read, allow", "role:member, *, box/web, *, allow"),
            ("role:member, *, box/web, read, allow", "role:member, *, box/*, read, allow"),
            ("role:member, *, box/*/**, read, allow", "role:member, *, box/**, read, allow"),
            ("role:member, *, box/web, read, deny", "role:member, *, **, read, deny"),
            ("role:member, acme, box, read, allow", "authenticated, acme, box/**, read, allow"),
        ] {
            let first = warning(&format!("p, {narrow}\np, {wide}\n"));
            assert!(first.starts_with("policy.csv:2: does nothing: policy.csv:3: p, "), "{first}");
            let second = warning(&format!("p, {wide}\np, {narrow}\n"));
            assert!(
                second.starts_with("policy.csv:3: does nothing: policy.csv:2: p, "),
                "{second}"
            );
        }
    }

    #[test]
    fn a_rule_that_reaches_further_in_one_place_is_not() {
        for lines in [
            "p, role:member, *, box/web, read, allow\np, role:member, acme, box/*, read, allow\n",
            "p, role:member, *, box/*, read, allow\np, role:member, *, box, read, allow\n",
            "p, role:member, *, box/**, read, allow\np, role:member, *, box/*/**, *, allow\n",
            "p, role:member, *, box/**, *, allow\np, role:owner, *, box/web, read, allow\n",
            "p, anonymous, *, box/web, read, allow\np, authenticated, *, **, read, allow\n",
            "p, role:member, *, box/**, *, allow\np, role:member, *, box/web, delete, deny\n",
        ] {
            nothing(lines);
        }
    }

    #[test]
    fn an_allow_under_a_deny_is_told_and_one_that_a_site_takes_back_is_not() {
        let (allow, deny) = (
            "p, role:member, acme, box/web, read, allow\n",
            "p, authenticated, *, box/**, read, deny\n",
        );
        let told = warning(&format!("{allow}{deny}"));
        assert!(told.starts_with("policy.csv:2: allows nothing: policy.csv:3: p, "), "{told}");
        let shipped = format!("{ADMIN}{allow}");
        assert_eq!(warnings(&[("policy.csv", &shipped), ("site.csv", deny)]), [""; 0]);
        let shipped = format!("{ADMIN}{deny}");
        let told = warnings(&[("policy.csv", &shipped), ("site.csv", allow)]);
        assert!(told[0].starts_with("site.csv:1: allows nothing"), "{told:?}");
    }

    #[test]
    fn a_role_that_contains_another_makes_rules_superfluous() {
        let told = warning(
            "g, role:lead, role:member, acme\ng, user:local:a, role:lead, acme\n\
             p, role:lead, acme, box/web, read, allow\np, role:member, *, box/*, read, allow\n",
        );
        assert!(told.starts_with("policy.csv:4: does nothing: policy.csv:5"), "{told}");
        nothing(
            "g, role:lead, role:member, beta\ng, user:local:a, role:lead, *\n\
             p, role:lead, acme, box/web, read, allow\np, role:member, *, box/*, read, allow\n",
        );
    }

    #[test]
    fn a_rule_that_can_never_be_reached_is_told() {
        for (lines, part) in [
            (
                "p, role:admin, *, audit, upload, allow\n",
                "nothing ever asks for \"upload\" on \"audit\"",
            ),
            ("p, role:admin, -, box/**, read, allow\n", "\"box/**\" belongs to organizations"),
            ("p, role:admin, acme, policy, read, allow\n", "\"policy\" belongs to the system"),
            (
                "p, role:owner, -, policy, read, allow\n",
                "nobody has the role \"role:owner\" in the system",
            ),
            (
                "g, user:local:a, role:x, acme\np, role:x, beta, box, read, allow\np, role:x, acme, box, read, allow\n",
                "in beta; it is given in acme",
            ),
        ] {
            let told = warning(lines);
            assert!(told.contains(part), "{told}");
        }
        nothing("g, user:local:a, role:owner, -\np, role:owner, -, policy, read, allow\n");
        nothing("p, role:admin, *, **, read, allow\n");
    }

    #[test]
    fn a_hundred_warnings_are_enough() {
        use std::fmt::Write as _;
        let mut text = format!("{ADMIN}p, role:member, *, box/**, read, allow\n");
        for number in 0..1_000 {
            writeln!(text, "p, role:member, *, box/box{number}, read, allow").unwrap();
        }
        let told = warnings(&[("policy.csv", &text)]);
        assert_eq!(told.len(), 101);
        assert!(told[100].contains("were not looked at"), "{}", told[100]);
    }
}
