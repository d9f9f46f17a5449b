//! The questions the other way round: who may do this, and what may they do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use boxvault_types::action::Action;
use serde::Serialize;

use crate::policy::Policy;
use crate::request::{AccessRequest, QuestionError, Reason, RuleRef};
use crate::rules::words::ANY;
use crate::rules::{REST, Rule};
use crate::subjects::HeldSubject;

const EVERYBODY: [&str; 2] = ["anonymous", "authenticated"];

/// Who may do something, as far as the files say it: members of organizations are in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhoCan {
    /// The organization, or `-`.
    pub domain: String,
    /// What it is about.
    pub object: String,
    /// What is to be done.
    pub action: Action,
    /// The subjects that may. Where `anonymous` or `authenticated` may, others that may for the same reason are left
    /// out.
    pub allowed: Vec<Holder>,
    /// The subjects that a rule denies it, whatever else they are.
    pub denied: Vec<Holder>,
}

/// A subject, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// The subject.
    pub subject: String,
    /// The rule that decides.
    pub rule: RuleRef,
    /// The `g` lines that lead from the subject to the rule's.
    pub through: Vec<RuleRef>,
}

/// What somebody may do and may not, rule by rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The subjects, before `g` lines are followed.
    pub subjects: Vec<String>,
    /// The rules that are about them.
    pub grants: Vec<Grant>,
}

/// A rule that is about somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// Where it holds for them: an organization, `-`, or `*`.
    pub domain: String,
    /// Its pattern of objects.
    pub object: String,
    /// Its action, or `*`.
    pub action: String,
    /// Whether it allows or denies.
    pub allows: bool,
    /// The rule.
    pub rule: RuleRef,
    /// The `g` lines that lead from them to the rule's subject.
    pub through: Vec<RuleRef>,
}

/// Asks for every subject that rules and `g` lines speak of whether it may do something.
///
/// # Errors
/// What is wrong with the words of the question.
pub fn who_can(
    policy: &Policy,
    organization: Option<&str>,
    object: &str,
    action: &str,
) -> Result<WhoCan, QuestionError> {
    let request = AccessRequest::parse("authenticated", organization, object, action)?;
    let mut answer = WhoCan {
        domain: request.domain.clone(),
        object: request.object.clone(),
        action: request.action,
        allowed: Vec::new(),
        denied: Vec::new(),
    };
    let [unknown, known] = EVERYBODY.map(|who| policy.decide_aside(&[who.to_owned()], &request));
    let rules = policy.rules_in(&request.domain);
    let named: BTreeSet<&str> = rules.names().chain(EVERYBODY).collect();
    for subject in named {
        // everybody is one of the two; what is public is so for both, so it is asked for the one that has less
        let anybody = matches!(subject, "anonymous" | "role:public");
        let (who, base) = if anybody { ("anonymous", &unknown) } else { ("authenticated", &known) };
        let mut subjects = vec![who.to_owned()];
        if !EVERYBODY.contains(&subject) {
            subjects.push(subject.to_owned());
        }
        let decision = policy.decide_aside(&subjects, &request);
        if subjects.len() > 1 && decision == *base {
            continue;
        }
        let Some(rule) = decision.rule else { continue };
        let held = rules.held(&subjects, &request.object);
        let of_rule = rules.fitting(&held, &request);
        let of_rule = of_rule.iter().find(|fitting| fitting.source == rule);
        let through = of_rule.map(|of_rule| rules.through(&held, &of_rule.subject));
        let through = through.unwrap_or_default();
        let holder = Holder { subject: subject.to_owned(), rule: RuleRef::clone(&rule), through };
        match decision.reason {
            Reason::Allowed => answer.allowed.push(holder),
            _ => answer.denied.push(holder),
        }
    }
    Ok(answer)
}

/// Lists the rules that are about somebody.
///
/// # Errors
/// What is wrong with the list of subjects.
pub fn list(policy: &Policy, subjects: &str) -> Result<Listing, QuestionError> {
    // any question will do: of this one only the subjects are looked at
    let request = AccessRequest::parse(subjects, None, "system/health", "read")?;
    let held = |domain| policy.rules_in(domain).held(&request.subjects, REST);
    let bound: BTreeSet<&str> = policy.bound_domains().filter(|it| *it != ANY).collect();
    let ruled: BTreeSet<&str> = policy.rules().map(|rule| &*rule.domain).collect();
    let held: BTreeMap<&str, Vec<HeldSubject>> =
        bound.union(&ruled).map(|domain| (*domain, held(domain))).collect();
    let mut grants = Vec::new();
    for rule in policy.rules() {
        let id = policy.rules_in(&rule.domain).find(&rule.subject);
        let holds = |domain: &str| {
            let held = held.get(domain)?;
            held.iter().any(|held| Some(held.subject) == id).then_some(held)
        };
        let mut push =
            |domain: &str, held: &[HeldSubject]| grants.push(grant(policy, rule, domain, held));
        if let Some(held) = holds(&rule.domain) {
            push(&rule.domain, held);
        } else if *rule.domain == *ANY {
            // roles that somebody has in some organizations only
            bound
                .iter()
                .filter_map(|it| Some((it, holds(it)?)))
                .for_each(|(it, held)| push(it, held));
        }
    }
    grants.sort_by(|left, right| left.domain.cmp(&right.domain));
    Ok(Listing { subjects: request.subjects.clone(), grants })
}

fn grant(policy: &Policy, rule: &Rule, domain: &str, held: &[HeldSubject]) -> Grant {
    Grant {
        domain: domain.to_owned(),
        object: (*rule.object).to_owned(),
        action: rule.action_word().to_owned(),
        allows: rule.allow,
        rule: RuleRef::clone(&rule.source),
        through: policy.rules_in(domain).through(held, &rule.subject),
    }
}

impl fmt::Display for WhoCan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.domain == "-" { "the system" } else { self.domain.as_str() };
        let what = format!("{} {} in {place}", self.action, self.object);
        match self.allowed.len() {
            0 => write!(f, "nobody may {what}")?,
            _ => write!(f, "may {what}:")?,
        }
        for holder in &self.allowed {
            write!(f, "\n  {holder}")?;
        }
        if !self.denied.is_empty() {
            f.write_str("\nare denied it, whatever else they are:")?;
        }
        for holder in &self.denied {
            write!(f, "\n  {holder}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  by {}", self.subject, self.rule)?;
        for line in &self.through {
            write!(f, "\n    through {line}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.subjects.join(", ");
        if self.grants.is_empty() {
            return write!(f, "no rule is about {who}");
        }
        write!(f, "rules about {who} (- is the system, * is everywhere):")?;
        for grant in &self.grants {
            let effect = if grant.allows { "allow" } else { "deny" };
            let Grant { domain, object, action, rule, .. } = grant;
            let place = format!("{}:{}", rule.file, rule.line);
            write!(f, "\n  {effect:5}  {domain:12}  {action:8}  {object}  ({place})")?;
            for line in &grant.through {
                write!(f, "\n    through {line}")?;
            }
        }
        Ok(())
    }
}
