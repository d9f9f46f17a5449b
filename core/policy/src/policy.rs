//! [`Policy`]: rules that were read, checked and indexed once, and never change.
//!
//! A decision goes: token scope, then the caller's subjects with `g` lines followed, then the cache, then the index for
//! the rules that fit, then Casbin over those that decide. The cache lies inside the policy, so a new policy starts
//! with an empty one, and no answer of an old policy outlives it. Subjects that occur in no rule are left out of its
//! key, so callers with the same roles share their answers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use boxvault_types::action::Action;
use quick_cache::{Equivalent, sync::Cache};
use tracing::error;

use crate::error::{PolicyError, Problem};
use crate::evaluator::{Asked, Evaluator, subject_set};
use crate::expectations::{Expectations, TestFailure, TestReport};
use crate::files::{PolicyFiles, RULES_FILE};
use crate::index::{Deciding, RuleIndex};
use crate::lint::Linter;
use crate::request::{AccessRequest, Decision, Reason, RuleRef};
use crate::rules::{Binding, PROBLEMS_MAX, Rule, RuleSet, model};
use crate::subjects::{Held, Subjects};
use crate::validate;

/// Decisions that are remembered, some 200 bytes each.
const DECISIONS_MAX: usize = 8_192;

/// Who may do what: immutable, and safe to ask from any thread.
pub struct Policy {
    digest: String,
    version: Option<i64>,
    files: PolicyFiles,
    rules: Vec<Rule>,
    bindings: Vec<Binding>,
    expectations_count: usize,
    warnings: Vec<Problem>,
    subjects: Subjects,
    index: RuleIndex,
    evaluator: Evaluator,
    cache: Cache<Key, Decision>,
    failures: AtomicU64,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("digest", &self.digest)
            .field("version", &self.version)
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

    /// Builds a policy to ask it questions: one that a server would refuse to put in force, because an expectation fails
    /// or nobody could change it any more, is built all the same.
    ///
    /// # Errors
    /// All problems for which the files cannot be read.
    pub fn draft(files: &PolicyFiles) -> Result<Self, PolicyError> {
        Self::assemble(files).map(|(policy, _)| policy)
    }

    /// Builds a policy that may be put in force: its guards hold, and what is expected of it is so.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn build(files: &PolicyFiles) -> Result<Self, PolicyError> {
        let (policy, expectations) = Self::assemble(files)?;
        let mut problems = validate::check_guards(&policy);
        let failures = expectations.ask(&policy).failures;
        problems.extend(failures.iter().take(PROBLEMS_MAX).map(TestFailure::problem));
        if problems.is_empty() { Ok(policy) } else { Err(PolicyError::Invalid { problems }) }
    }

    /// Asks the policy of some files what its expectations say, also where some are not so.
    ///
    /// # Errors
    /// All problems for which the files cannot be read.
    pub fn test(files: &PolicyFiles) -> Result<TestReport, PolicyError> {
        Self::assemble(files).map(|(policy, expectations)| expectations.ask(&policy))
    }

    /// Parses, checks, indexes, and asks Casbin once.
    fn assemble(files: &PolicyFiles) -> Result<(Self, Expectations), PolicyError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        model::check(&files.model, &mut problems);
        let mut set = RuleSet::default();
        for (name, bytes) in &files.rules {
            set.read(name, bytes, &mut problems);
        }
        let mut expectations = Expectations::default();
        for (name, bytes) in &files.tests {
            expectations.read(name, bytes, &mut problems);
        }
        set.check_size(&mut problems);
        validate::check_rules(&mut set, &mut problems, &mut warnings);
        if !problems.is_empty() {
            return Err(PolicyError::Invalid { problems });
        }
        let evaluator = Evaluator::build(model::shipped()).map_err(|error| {
            let message = format!("the rules cannot be evaluated: {error}");
            PolicyError::Invalid { problems: vec![Problem::new(RULES_FILE, 0, 0, message)] }
        })?;
        let subjects = Subjects::new(&set.rules, &set.bindings);
        let index = RuleIndex::new(&set.rules, |name| {
            subjects.find(name).expect("the subject of every rule was numbered")
        });
        let (rules, bindings) = (&set.rules, &set.bindings);
        Linter { rules, bindings, subjects: &subjects, index: &index }.warn(&mut warnings);
        let policy = Self {
            digest: files.digest(),
            version: None,
            files: files.clone(),
            rules: set.rules,
            bindings: set.bindings,
            expectations_count: expectations.len(),
            warnings,
            subjects,
            index,
            evaluator,
            cache: Cache::new(DECISIONS_MAX),
            failures: AtomicU64::new(0),
        };
        Ok((policy, expectations))
    }

    /// SHA-256 of all texts that it was built from, in lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The texts that it was built from.
    pub fn files(&self) -> &PolicyFiles {
        &self.files
    }

    /// The number of the version that it is, where a history is kept.
    pub fn version(&self) -> Option<i64> {
        self.version
    }

    /// The same policy as a version of a history.
    #[must_use]
    pub fn with_version(self, version: i64) -> Self {
        Self { version: Some(version), ..self }
    }

    /// How many `p` lines it has.
    pub fn rules_count(&self) -> usize {
        self.rules.len()
    }

    /// How many `g` lines it has.
    pub fn bindings_count(&self) -> usize {
        self.bindings.len()
    }

    /// How many expectations hold of it.
    pub fn expectations_count(&self) -> usize {
        self.expectations_count
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
        let subjects = self.ruled(subjects, &request.domain);
        let question = Question::new(&subjects, request);
        if let Some(decision) = self.cache.get(&question) {
            return decision;
        }
        let decision = self.evaluate(question);
        if decision.reason != Reason::Failed {
            self.cache.insert(question.to_key(), decision.clone());
        }
        decision
    }

    /// Decides for some subjects without remembering it: questions of whoever looks at the policy, by the thousand,
    /// must not push out those of callers.
    pub(crate) fn decide_aside(&self, subjects: &[String], request: &AccessRequest) -> Decision {
        self.evaluate(Question::new(&self.ruled(subjects, &request.domain), request))
    }

    /// The subjects that somebody is in a domain, bindings followed; sorted, and only those with rules.
    fn ruled(&self, subjects: &[String], domain: &str) -> Vec<u32> {
        let held = self.subjects.held(subjects.iter().map(String::as_str), domain);
        let held = held.into_iter().map(|held| held.subject);
        let mut ruled: Vec<u32> = held.filter(|id| self.index.knows(*id)).collect();
        ruled.sort_unstable();
        ruled
    }

    /// Every rule that fits a question of somebody who is all that, in the order of reading.
    pub(crate) fn fitting(&self, held: &[Held], request: &AccessRequest) -> Vec<&Rule> {
        let subjects: Vec<u32> = held.iter().map(|held| held.subject).collect();
        let AccessRequest { domain, object, action, .. } = request;
        let fitting = self.index.all(&subjects, domain, object, *action);
        fitting.into_iter().filter_map(|number| self.rules.get(number as usize)).collect()
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub(crate) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    pub(crate) fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// The `g` lines by which somebody who is all that is also a subject, from themselves on.
    pub(crate) fn through(&self, held: &[Held], subject: &str) -> Vec<RuleRef> {
        let mut lines = Vec::new();
        let mut at =
            self.subjects.find(subject).and_then(|id| held.iter().find(|it| it.subject == id));
        while let Some((from, binding)) = at.and_then(|held| held.by) {
            lines.extend(
                self.bindings.get(binding as usize).map(|line| RuleRef::clone(&line.source)),
            );
            at = held.get(from as usize);
        }
        lines.reverse();
        lines
    }

    fn evaluate(&self, question: Question<'_>) -> Decision {
        let Question { subjects, domain, object, action } = question;
        let Deciding { deny, allow } = self.index.deciding(subjects, domain, object, action);
        let rule = |number: u32| self.rules.get(number as usize);
        let (deny, allow) = (deny.and_then(rule), allow.and_then(rule));
        let Some(decided_by) = deny.or(allow) else { return Decision::refused(Reason::NoRule) };
        let held = subject_set(subjects.iter().map(|id| self.subjects.name(*id)));
        let asked = Asked { subjects: &held, domain, object, action: action.as_str() };
        match self.evaluator.confirm(deny, allow, asked) {
            Ok(allowed) => Decision {
                allowed,
                reason: if allowed { Reason::Allowed } else { Reason::Denied },
                rule: Some(Arc::clone(&decided_by.source)),
            },
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                error!(
                    %error, action = action.as_str(), object, domain, policy.digest = self.digest,
                    "could not evaluate the policy, so the answer is no"
                );
                Decision::refused(Reason::Failed)
            }
        }
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

impl<'a> Question<'a> {
    fn new(subjects: &'a [u32], request: &'a AccessRequest) -> Self {
        let AccessRequest { domain, object, action, .. } = request;
        Self { subjects, domain, object, action: *action }
    }

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

    fn may_an_admin_read_a_box() -> AccessRequest {
        AccessRequest {
            subjects: vec!["role:platform-admin".to_owned()],
            domain: "acme".to_owned(),
            object: "box/web".to_owned(),
            action: Action::Read,
            within_scope: true,
            ceiling: None,
        }
    }

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
        policy.evaluator.spoil();
        let request = may_an_admin_read_a_box();
        for failures in 1..=2 {
            assert_eq!(policy.decide(&request), Decision::refused(Reason::Failed));
            assert_eq!(policy.failures(), failures);
        }
        let handle = PolicyHandle::new(policy, None);
        handle.replace(Policy::embedded().unwrap());
        assert_eq!(handle.failures(), 2);
        assert!(handle.load().decide(&request).allowed);
    }

    #[test]
    fn an_index_that_is_wrong_gives_nobody_anything() {
        let mut policy = Policy::embedded().unwrap();
        for rule in &mut policy.rules {
            // what the index still says of them is now wrong
            rule.object = "audit".into();
        }
        let decision = policy.decide(&may_an_admin_read_a_box());
        assert_eq!((decision, policy.failures()), (Decision::refused(Reason::Failed), 1));
    }
}
