//! [`Policy`]: rules that were read, checked and indexed once, and never change.
//!
//! A decision goes: token scope, then the caller's subjects with `g` lines followed, then the cache, then Casbin over
//! the rules of this action and kind of object. The cache lies inside the policy, so a new policy starts with an
//! empty one, and no answer of an old policy outlives it. Subjects that occur in no rule are left out of its key, so
//! callers with the same roles share their answers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use boxvault_types::action::{Action, ResourceKind};
use quick_cache::{Equivalent, sync::Cache};
use tracing::error;

use crate::error::{PolicyError, Problem};
use crate::evaluator::{Evaluator, subject_set};
use crate::files::{PolicyFiles, RULES_FILE};
use crate::request::{AccessRequest, Decision, Reason};
use crate::rules::words::ANY;
use crate::rules::{Rule, RuleSet, model};
use crate::validate;

/// Decisions that are remembered, some 200 bytes each.
const DECISIONS_MAX: usize = 8_192;

/// Who may do what: immutable, and safe to ask from any thread.
pub struct Policy {
    digest: String,
    files: Vec<String>,
    rules: Vec<Rule>,
    bindings_count: usize,
    warnings: Vec<Problem>,
    subjects: Subjects,
    evaluators: Vec<Evaluator>,
    /// Which evaluator knows the rules of an action on a kind of object; none has any where it is absent.
    index: HashMap<(Action, ResourceKind), usize>,
    cache: Cache<Key, Decision>,
    failures: AtomicU64,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("digest", &self.digest)
            .field("files", &self.files)
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

impl Policy {
    /// Builds the policy that was compiled in: the shipped rules.
    ///
    /// # Errors
    /// Never for a released program; a test builds it.
    pub fn embedded() -> Result<Self, PolicyError> {
        Self::build(&PolicyFiles::embedded())
    }

    /// Builds the policy of a folder: `model.conf`, `policy.csv`, then every other `*.csv` but `tests.csv`, in the
    /// order of names. Reads files, so it blocks.
    pub fn load(dir: &Path) -> Result<Self, PolicyError> {
        Self::build(&PolicyFiles::read(dir)?)
    }

    /// Builds a policy from texts: the model, then name and text of each file of rules.
    pub fn from_texts(model: &str, files: &[(&str, &str)]) -> Result<Self, PolicyError> {
        Self::build(&PolicyFiles::from_texts(model, files))
    }

    /// Parses, checks, indexes, and asks every evaluator once.
    pub(crate) fn build(files: &PolicyFiles) -> Result<Self, PolicyError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        model::check(&files.model, &mut problems);
        let mut set = RuleSet::default();
        for (name, bytes) in &files.rules {
            set.read(name, bytes, &mut problems);
        }
        set.check_size(&mut problems);
        validate::check_rules(&mut set, &mut problems, &mut warnings);
        if !problems.is_empty() {
            return Err(PolicyError::Invalid { problems });
        }
        let subjects = Subjects::new(&set);
        let (evaluators, index) = evaluators(&set.rules).map_err(|error| {
            let message = format!("the rules cannot be evaluated: {error}");
            PolicyError::Invalid { problems: vec![Problem::new(RULES_FILE, 0, 0, message)] }
        })?;
        let policy = Self {
            digest: files.digest(),
            files: files.rules.iter().map(|(name, _)| name.clone()).collect(),
            rules: set.rules,
            bindings_count: set.bindings.len(),
            warnings,
            subjects,
            evaluators,
            index,
            cache: Cache::new(DECISIONS_MAX),
            failures: AtomicU64::new(0),
        };
        let problems = validate::check_guards(&policy);
        if problems.is_empty() { Ok(policy) } else { Err(PolicyError::Invalid { problems }) }
    }

    /// SHA-256 of all texts that it was built from, in lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The files of rules, in the order of reading, without their folder.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// How many `p` lines it has.
    pub fn rules_count(&self) -> usize {
        self.rules.len()
    }

    /// How many `g` lines it has.
    pub fn bindings_count(&self) -> usize {
        self.bindings_count
    }

    /// What looks like a mistake, but does no harm.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// How many evaluations failed. Each counted as no.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Decides. The same question always gets the same answer from the same policy.
    pub fn decide(&self, request: &AccessRequest) -> Decision {
        if !request.within_scope {
            return Decision::refused(Reason::TokenScope);
        }
        let decision = self.decide_for(&request.subjects, request);
        match &request.ceiling {
            Some(ceiling) if decision.allowed => {
                let above = self.decide_for(ceiling, request);
                if above.allowed { decision } else { above }
            }
            _ => decision,
        }
    }

    fn decide_for(&self, subjects: &[String], request: &AccessRequest) -> Decision {
        let subjects = self.subjects.held(subjects, &request.domain);
        let question = Question {
            subjects: &subjects,
            domain: &request.domain,
            object: &request.object,
            action: request.action,
        };
        if let Some(decision) = self.cache.get(&question) {
            return decision;
        }
        let decision = self.evaluate(question, request.kind);
        if decision.reason != Reason::Failed {
            self.cache.insert(question.to_key(), decision.clone());
        }
        decision
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    fn evaluate(&self, question: Question<'_>, kind: ResourceKind) -> Decision {
        let evaluator =
            self.index.get(&(question.action, kind)).and_then(|at| self.evaluators.get(*at));
        let Some(evaluator) = evaluator.filter(|_| !question.subjects.is_empty()) else {
            return Decision::refused(Reason::NoRule);
        };
        let held = subject_set(question.subjects.iter().map(|id| self.subjects.name(*id)));
        let action = question.action.as_str();
        match evaluator.decide(&held, question.domain, question.object, action) {
            Ok(verdict) => {
                let rule = verdict
                    .rule
                    .and_then(|index| self.rules.get(index))
                    .map(|rule| std::sync::Arc::clone(&rule.source));
                let reason = match (verdict.allowed, &rule) {
                    (true, _) => Reason::Allowed,
                    (false, Some(_)) => Reason::Denied,
                    (false, None) => Reason::NoRule,
                };
                Decision { allowed: verdict.allowed, reason, rule }
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                error!(
                    %error, action, object = question.object, domain = question.domain,
                    policy.digest = self.digest, "could not evaluate the policy, so the answer is no"
                );
                Decision::refused(Reason::Failed)
            }
        }
    }
}

/// Builds an evaluator for each set of rules that some action on some kind of object needs; many share one.
type Evaluators = (Vec<Evaluator>, HashMap<(Action, ResourceKind), usize>);

fn evaluators(rules: &[Rule]) -> Result<Evaluators, casbin::Error> {
    let model = model::shipped();
    let mut evaluators = Vec::new();
    let mut index = HashMap::new();
    let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
    for action in Action::ALL {
        for kind in ResourceKind::ALL {
            let chosen: Vec<usize> = rules
                .iter()
                .enumerate()
                .filter(|(_, rule)| rule.actions.contains(action) && rule.kinds.contains(kind))
                .map(|(at, _)| at)
                .collect();
            if chosen.is_empty() {
                continue;
            }
            let at = if let Some(at) = known.get(&chosen) {
                *at
            } else {
                evaluators.push(Evaluator::build(&model, rules, chosen.clone())?);
                known.insert(chosen, evaluators.len() - 1);
                evaluators.len() - 1
            };
            index.insert((*action, *kind), at);
        }
    }
    Ok((evaluators, index))
}

/// The subjects that occur in the rules, by number, and who is also who.
struct Subjects {
    ids: HashMap<String, u32>,
    names: Vec<String>,
    /// By number: the roles it is bound to, each with its domain.
    bound: Vec<Vec<(String, u32)>>,
    /// By number: whether a `p` line speaks of it. The others only lead to roles.
    ruled: Vec<bool>,
}

impl Subjects {
    fn new(set: &RuleSet) -> Self {
        let mut subjects =
            Self { ids: HashMap::new(), names: Vec::new(), bound: Vec::new(), ruled: Vec::new() };
        for rule in &set.rules {
            let id = subjects.id(&rule.subject);
            if let Some(ruled) = subjects.ruled.get_mut(id as usize) {
                *ruled = true;
            }
        }
        for binding in &set.bindings {
            let (member, role) = (subjects.id(&binding.member), subjects.id(&binding.role));
            if let Some(bound) = subjects.bound.get_mut(member as usize) {
                bound.push((binding.domain.clone(), role));
            }
        }
        subjects
    }

    fn id(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.names.len()).expect("rules and bindings are limited in number");
        self.ids.insert(name.to_owned(), id);
        self.names.push(name.to_owned());
        self.bound.push(Vec::new());
        self.ruled.push(false);
        id
    }

    fn name(&self, id: u32) -> &str {
        self.names.get(id as usize).map_or("", String::as_str)
    }

    /// The subjects that somebody holds in a domain, bindings followed; sorted, and only those with rules.
    fn held(&self, subjects: &[String], domain: &str) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::with_capacity(8);
        for subject in subjects {
            if let Some(id) = self.ids.get(subject.as_str()).filter(|id| !found.contains(id)) {
                found.push(*id);
            }
        }
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            for (within, role) in self.bound.get(id as usize).map_or(&[][..], Vec::as_slice) {
                if (within == ANY || within == domain) && !found.contains(role) {
                    found.push(*role);
                }
            }
            next += 1;
        }
        found.retain(|id| self.ruled.get(*id as usize).copied().unwrap_or_default());
        found.sort_unstable();
        found
    }
}

/// What a decision depends on. The real texts, not their hash: two questions must never be taken for one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    subjects: Box<[u32]>,
    domain: Box<str>,
    object: Box<str>,
    action: Action,
}

/// A borrowed [`Key`]; the fields stand in the same order, so that both hash alike.
#[derive(Debug, Clone, Copy, Hash)]
struct Question<'a> {
    subjects: &'a [u32],
    domain: &'a str,
    object: &'a str,
    action: Action,
}

impl Question<'_> {
    fn to_key(self) -> Key {
        Key {
            subjects: self.subjects.into(),
            domain: self.domain.into(),
            object: self.object.into(),
            action: self.action,
        }
    }
}

impl Equivalent<Key> for Question<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.action == key.action
            && *self.subjects == *key.subjects
            && *self.object == *key.object
            && *self.domain == *key.domain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PolicyHandle;

    #[test]
    fn remembered_answers_are_told_apart_by_every_part_of_the_question() {
        let asked =
            Question { subjects: &[1, 2], domain: "acme", object: "box/a", action: Action::Read };
        let key = asked.to_key();
        assert!(asked.equivalent(&key));
        for other in [
            Question { subjects: &[1], ..asked },
            Question { domain: "beta", ..asked },
            Question { object: "box/b", ..asked },
            Question { action: Action::Update, ..asked },
        ] {
            assert!(!other.equivalent(&key), "{other:?}");
        }
        let cache = Cache::new(8);
        cache.insert(key, 1);
        assert_eq!(cache.get(&asked), Some(1));
    }

    #[test]
    fn an_evaluation_that_fails_is_a_no_that_is_counted_and_not_remembered() {
        let mut policy = Policy::embedded().unwrap();
        for evaluator in &mut policy.evaluators {
            evaluator.spoil();
        }
        let request = AccessRequest {
            subjects: vec!["role:platform-admin".to_owned()],
            domain: "acme".to_owned(),
            object: "box/web".to_owned(),
            kind: ResourceKind::Box,
            action: Action::Read,
            within_scope: true,
            ceiling: None,
        };
        for failures in 1..=2 {
            assert_eq!(policy.decide(&request), Decision::refused(Reason::Failed));
            assert_eq!(policy.failures(), failures);
        }
        let handle = PolicyHandle::new(policy, None);
        handle.replace(Policy::embedded().unwrap());
        assert_eq!(handle.failures(), 2);
        assert!(handle.load().decide(&request).allowed);
    }
}
