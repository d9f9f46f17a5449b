//! Why a decision comes out as it does: the rule that decided and how the caller comes to it, what else fits, and where
//! nothing does, what is near and what would help.

use std::fmt;

use boxvault_types::action::Action;
use serde::Serialize;

use crate::domain::DomainRules;
use crate::pattern;
use crate::policy::Policy;
use crate::print::print_field;
use crate::request::{AccessRequest, Decision, Reason, RuleRef};
use crate::rules::Rule;
use crate::rules::words::{ANY, SERVER_ROLES};
use crate::subjects::HeldSubject;

/// Rules that nearly fit; more would hide the nearest.
const NEAR_MAX: usize = 5;
/// In how many of its four parts a rule may differ and still be near.
const DIFFERENCES_MAX: usize = 2;

/// A decision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The subjects that the caller is, before `g` lines are followed.
    pub subjects: Vec<String>,
    /// The organization, or `-`.
    pub domain: String,
    /// What it is about.
    pub object: String,
    /// What the caller wants to do.
    pub action: Action,
    /// Whether they may.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The rule that decided; absent when none did.
    pub rule: Option<Cause>,
    /// Other rules that fit, in the order of reading.
    pub others: Vec<Cause>,
    /// When no rule fits: those that nearly do, the nearest first.
    pub near: Vec<NearRule>,
    /// When no rule fits: lines that would change that, each for itself.
    pub remedies: Vec<String>,
}

/// A rule that fits, and how the caller comes to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The rule.
    pub rule: RuleRef,
    /// Whether it allows or denies.
    pub allows: bool,
    /// The subject that it is for.
    pub subject: String,
    /// The `g` lines that lead from the caller to that subject; none when the caller is it.
    pub through: Vec<RuleRef>,
}

/// A rule that would allow it if it were another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearRule {
    /// The rule.
    pub rule: RuleRef,
    /// In what it differs from the question.
    pub differs: Vec<String>,
}

/// Decides, and says why.
pub fn explain(policy: &Policy, request: &AccessRequest) -> Explanation {
    // who is asked for both: the caller, or whoever vouches for it where that is what stops it
    let own = policy.decide_aside(&request.subjects, request);
    let (subjects, decision) = match &request.ceiling {
        _ if !request.within_scope => (&request.subjects, Decision::refused(Reason::TokenScope)),
        Some(ceiling) if own.allowed => {
            let above = policy.decide_aside(ceiling, request);
            if above.allowed { (&request.subjects, own) } else { (ceiling, above) }
        }
        _ => (&request.subjects, own),
    };
    let rules = policy.rules_in(&request.domain);
    let held = rules.held(subjects, &request.object);
    let cause = |rule: &Rule| Cause {
        rule: RuleRef::clone(&rule.source),
        allows: rule.allow,
        subject: (*rule.subject).to_owned(),
        through: rules.through(&held, &rule.subject),
    };
    let Decision { allowed, reason, .. } = decision;
    // what a token does not reach is refused before any rule
    let fitting =
        if reason == Reason::TokenScope { Vec::new() } else { rules.fitting(&held, request) };
    let decided = |rule: &&&Rule| decision.rule.as_deref() == Some(&*rule.source);
    let silent = reason == Reason::NoRule;
    Explanation {
        subjects: subjects.clone(),
        domain: request.domain.clone(),
        object: request.object.clone(),
        action: request.action,
        allowed,
        reason,
        rule: fitting.iter().find(decided).map(|rule| cause(rule)),
        others: fitting.iter().filter(|rule| !decided(rule)).map(|rule| cause(rule)).collect(),
        near: if silent { near(rules, &held, request) } else { Vec::new() },
        remedies: if silent { remedies(rules, &held, subjects, request) } else { Vec::new() },
    }
}

/// In what a rule differs from a question: nothing of it where it fits.
struct Differences {
    subject: bool,
    domain: bool,
    object: bool,
    action: bool,
}

impl Differences {
    fn new(
        rules: DomainRules<'_>,
        held: &[HeldSubject],
        request: &AccessRequest,
        rule: &Rule,
    ) -> Self {
        let id = rules.find(&rule.subject);
        Self {
            subject: !held.iter().any(|held| Some(held.subject) == id),
            domain: *rule.domain != *ANY && *rule.domain != *request.domain,
            object: !pattern::matches(&rule.object, &request.object),
            action: rule.action.is_some_and(|action| action != request.action),
        }
    }

    fn count(&self) -> usize {
        [self.subject, self.domain, self.object, self.action].into_iter().filter(|it| *it).count()
    }

    fn told(&self, rule: &Rule) -> Vec<String> {
        let domain = if &*rule.domain == "-" { "the system" } else { &*rule.domain };
        [
            (self.subject, format!("it is for {}", rule.subject)),
            (self.domain, format!("it is about {domain}")),
            (self.object, format!("its object is {}", rule.object)),
            (self.action, format!("its action is {}", rule.action_word())),
        ]
        .into_iter()
        .filter_map(|(differs, text)| differs.then_some(text))
        .collect()
    }
}

fn near(rules: DomainRules<'_>, held: &[HeldSubject], request: &AccessRequest) -> Vec<NearRule> {
    let mut near: Vec<_> = rules
        .rules()
        .filter(|rule| rule.allow)
        .map(|rule| (Differences::new(rules, held, request, rule), rule))
        .filter(|(differences, _)| differences.count() <= DIFFERENCES_MAX)
        .collect();
    // a rule for the caller is nearer than one for somebody else, and a longer way in common nearer than a short one
    near.sort_by_key(|(differences, rule)| {
        let common = rule.object.split('/').zip(request.object.split('/'));
        let common = common.take_while(|(left, right)| *left == ANY || left == right).count();
        (differences.count(), differences.subject, usize::MAX - common)
    });
    let nearest = near.first().map_or(0, |(differences, _)| differences.count());
    near.iter()
        .take_while(|(differences, _)| differences.count() == nearest)
        .take(NEAR_MAX)
        .map(|(differences, rule)| NearRule {
            rule: RuleRef::clone(&rule.source),
            differs: differences.told(rule),
        })
        .collect()
}

/// A rule for what the caller is, and a binding to a role that may.
fn remedies(
    rules: DomainRules<'_>,
    held: &[HeldSubject],
    subjects: &[String],
    request: &AccessRequest,
) -> Vec<String> {
    let AccessRequest { domain, object, action, .. } = request;
    let everybody = |subject: &&String| matches!(subject.as_str(), "anonymous" | "authenticated");
    let own: Vec<&String> = subjects.iter().filter(|subject| !everybody(subject)).collect();
    let role = own.iter().rev().find(|subject| subject.starts_with("role:"));
    let mut remedies = Vec::new();
    if let Some(subject) = role.or_else(|| own.last()).copied().or_else(|| subjects.first()) {
        let subject = print_field(subject);
        remedies.push(format!("p, {subject}, {domain}, {object}, {action}, allow"));
    }
    let bindable = own.iter().find(|subject| !subject.starts_with("role:"));
    // a role of the site's own is made for a purpose, and gives less than the server's
    let roles = || {
        rules.rules().filter(|rule| {
            let differences = Differences::new(rules, held, request, rule);
            let only_subject = differences.subject && differences.count() == 1;
            rule.allow && only_subject && rule.subject.starts_with("role:")
        })
    };
    let own_role = roles().find(|rule| !SERVER_ROLES.contains(&&*rule.subject));
    let role = own_role.or_else(|| {
        let given = ["role:member", "role:admin", "role:owner"];
        given.iter().find_map(|name| roles().find(|rule| *rule.subject == **name))
    });
    if let (Some(subject), Some(rule)) = (bindable, role) {
        remedies.push(format!("g, {}, {}, {domain}", print_field(subject), rule.subject));
    }
    remedies
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answer, may) = if self.allowed { ("YES", "may") } else { ("NO", "may not") };
        let place = if self.domain == "-" { "the system" } else { self.domain.as_str() };
        let (who, action, object) = (self.subjects.join(", "), self.action, &self.object);
        writeln!(f, "{answer}: {who} {may} {action} {object} in {place}")?;
        match (&self.rule, self.reason) {
            (Some(cause), Reason::Allowed) => write!(f, "allowed by {cause}")?,
            (Some(cause), _) => write!(f, "denied by {cause}; a deny wins over every allow")?,
            (None, Reason::NoRule) => f.write_str("no rule allows it")?,
            (None, Reason::TokenScope) => f.write_str("the token is limited to other things")?,
            (None, _) => f.write_str("the evaluation failed, which is logged")?,
        }
        for cause in &self.others {
            write!(f, "\nalso fits: {cause}")?;
        }
        for near in &self.near {
            write!(f, "\nnear: {}\n      {}", near.rule, near.differs.join(", and "))?;
        }
        for remedy in &self.remedies {
            let more =
                if remedy.starts_with("g, ") { ", and whatever else the role may" } else { "" };
            write!(f, "\nwould allow it{more}: {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule)?;
        for line in &self.through {
            write!(f, "\n  through {line}")?;
        }
        Ok(())
    }
}
