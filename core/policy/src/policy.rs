//! [`Policy`]: rules that were read, checked and indexed once, and never change.
//!
//! A decision goes: token scope, then the caller's subjects with `g` lines followed, then the cache, then the index for
//! the rules that fit, then Casbin over those that decide. The cache lies inside the policy, so a new policy starts
//! with an empty one, and no answer of an old policy outlives it. Subjects that occur in no rule are left out of its
//! key, so callers with the same roles share their answers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use boxvault_types::action::{Action, ResourceKind};
use quick_cache::{Equivalent, sync::Cache};
use tracing::error;

use crate::error::{PolicyError, Problem};
use crate::evaluator::{Asked, Evaluator, subject_set};
use crate::expectations::{Expectations, TestFailure, TestReport};
use crate::files::{PolicyFiles, RULES_FILE};
use crate::index::{Counting, Deciding, RuleIndex};
use crate::lint::Linter;
use crate::overlay::{self, Beginning, Overlay, OverlayLimits, OverlayState};
use crate::request::{AccessRequest, Decision, Reason, RuleRef};
use crate::rules::words::PLATFORM_ADMIN;
use crate::rules::{Binding, PROBLEMS_MAX, Rule, RuleSet, model};
use crate::subjects::{Held, Subjects};
use crate::validate;

/// The object on which rules of an organization's own have no say.
const OF_THE_SITE: &str = ResourceKind::Rules.as_str();
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
    overlays: Arc<[Overlay]>,
    states: HashMap<String, OverlayState>,
    /// Where the lines of organizations' own begin.
    beginning: Beginning,
    platform_admin: Option<u32>,
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
        Self::assemble(files, Arc::default()).map(|(policy, _)| policy)
    }

    /// Builds a policy that may be put in force: its guards hold, and what is expected of it is so.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn build(files: &PolicyFiles) -> Result<Self, PolicyError> {
        Self::build_with(files, Arc::default())
    }

    /// The same beside rules of organizations' own, which may not take back what is expected either.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn build_with(files: &PolicyFiles, overlays: Arc<[Overlay]>) -> Result<Self, PolicyError> {
        let (policy, expectations) = Self::assemble(files, overlays)?;
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
        Self::assemble(files, Arc::default())
            .map(|(policy, expectations)| expectations.ask(&policy))
    }

    /// Parses, checks, indexes, and asks Casbin once.
    fn assemble(
        files: &PolicyFiles,
        overlays: Arc<[Overlay]>,
    ) -> Result<(Self, Expectations), PolicyError> {
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
        let beginning = Beginning::of(&set.rules, &set.bindings);
        let mut states = overlay::add(&mut set, &overlays);
        let subjects = Subjects::new(&set.rules, &set.bindings);
        let index = RuleIndex::new(&set.rules, |name| {
            subjects.find(name).expect("the subject of every rule was numbered")
        });
        let (rules, bindings) = (&set.rules, &set.bindings);
        Linter { rules, bindings, subjects: &subjects, index: &index }.warn(&mut warnings);
        let warnings = overlay::share_out(warnings, &mut states);
        let policy = Self {
            digest: files.digest(),
            version: None,
            files: files.clone(),
            rules: set.rules,
            bindings: set.bindings,
            expectations_count: expectations.len(),
            warnings,
            platform_admin: subjects.find(PLATFORM_ADMIN),
            subjects,
            index,
            evaluator,
            cache: Cache::new(DECISIONS_MAX),
            failures: AtomicU64::new(0),
            overlays,
            states,
            beginning,
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

    /// The rules of organizations' own that it has beside those of the site.
    pub fn overlays(&self) -> &Arc<[Overlay]> {
        &self.overlays
    }

    /// What became of the rules of an organization's own, by its name in lower case; absent where it has none.
    pub fn overlay_state(&self, organization: &str) -> Option<&OverlayState> {
        self.states.get(organization)
    }

    /// The organizations whose own rules cannot be read, so that they are closed.
    pub fn closed_organizations(&self) -> impl Iterator<Item = (&str, &OverlayState)> {
        let closed = self.states.iter().filter(|(_, state)| !state.problems.is_empty());
        closed.map(|(name, state)| (name.as_str(), state))
    }

    /// The same policy with other rules of organizations' own; such that cannot be read close their organization. Parses
    /// all files, so it takes a while.
    #[must_use]
    pub fn with_overlays(&self, overlays: Arc<[Overlay]>) -> Self {
        let (policy, _) = Self::assemble(&self.files, overlays)
            .expect("these files made a policy before, and an overlay is no reason to refuse them");
        Self { version: self.version, ..policy }
    }

    /// Builds the policy that a new text of an organization's own rules would lead to. `editor` is whoever wants it: they
    /// give nothing that they may not do by this policy. Without one, whoever has the database wants it, and
    /// only the text has to be right.
    ///
    /// # Errors
    /// Everything that is wrong with the text, and what is expected of the policy and would not be so any more.
    pub fn with_new_overlay(
        &self,
        overlay: Overlay,
        limits: OverlayLimits,
        editor: Option<&AccessRequest>,
    ) -> Result<Self, PolicyError> {
        let own = overlay.read_new(limits).map_err(|problems| PolicyError::Invalid { problems })?;
        let given = editor.map(|editor| overlay::check_grants(self, &overlay, &own, editor));
        let others = self.overlays.iter().cloned();
        let mut overlays: Vec<Overlay> =
            others.filter(|it| it.organization() != overlay.organization()).collect();
        overlays.push(overlay);
        let (policy, expectations) = Self::assemble(&self.files, overlays.into())?;
        let policy = Self { version: self.version, ..policy };
        let Some(mut problems) = given else { return Ok(policy) };
        problems.extend(validate::check_guards(&policy));
        // what is not as expected already is no fault of this text
        let (before, after) = (expectations.ask(self).failures, expectations.ask(&policy).failures);
        let new = after.iter().filter(|failure| !before.iter().any(|it| it.line == failure.line));
        problems.extend(new.take(PROBLEMS_MAX).map(TestFailure::problem));
        if problems.is_empty() { Ok(policy) } else { Err(PolicyError::Invalid { problems }) }
    }

    /// How many `p` lines its files have.
    pub fn rules_count(&self) -> usize {
        self.site_rules().len()
    }

    /// How many `g` lines its files have.
    pub fn bindings_count(&self) -> usize {
        self.site_bindings().len()
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
        let subjects = self.ruled(subjects, request);
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
        self.evaluate(Question::new(&self.ruled(subjects, request), request))
    }

    /// The subjects that somebody is in a domain, bindings followed; sorted, and only those with rules.
    fn ruled(&self, subjects: &[String], request: &AccessRequest) -> Vec<u32> {
        let held = self.held(subjects, &request.domain, &request.object);
        let held = held.into_iter().map(|held| held.subject);
        let mut ruled: Vec<u32> = held.filter(|id| self.index.knows(*id)).collect();
        ruled.sort_unstable();
        ruled
    }

    /// The subjects that somebody is where a domain and an object are concerned. What an organization's own rules bind to
    /// a role counts neither for platform admins nor on who may change those rules.
    pub(crate) fn held(&self, subjects: &[String], domain: &str, object: &str) -> Vec<Held> {
        let held = |before| self.subjects.held(subjects.iter().map(String::as_str), domain, before);
        let of_site = held(self.beginning.bindings);
        let is_admin = of_site.iter().any(|held| Some(held.subject) == self.platform_admin);
        if is_admin || object == OF_THE_SITE || !self.states.contains_key(domain) {
            of_site
        } else {
            held(u32::MAX)
        }
    }

    /// Which rules count for somebody on an object. Those of an organization's own say nothing on who may change them,
    /// and deny platform admins nothing.
    fn counting(&self, mut subjects: impl Iterator<Item = u32>, object: &str) -> Counting {
        let own = self.beginning.rules;
        if object == OF_THE_SITE {
            Counting { allows_before: own, denies_before: own }
        } else if subjects.any(|subject| Some(subject) == self.platform_admin) {
            Counting { denies_before: own, ..Counting::ALL }
        } else {
            Counting::ALL
        }
    }

    /// Whether one rule allows some subjects all that a pattern stands for.
    pub(crate) fn covers(
        &self,
        subjects: &[u32],
        domain: &str,
        object: &str,
        action: Action,
    ) -> bool {
        let allows = |number: &u32| self.rules.get(*number as usize).is_some_and(|it| it.allow);
        subjects.iter().any(|subject| {
            self.index.covering_all(*subject, domain, object, Some(action)).iter().any(allows)
        })
    }

    /// Every rule that fits a question of somebody who is all that, in the order of reading.
    pub(crate) fn fitting(&self, held: &[Held], request: &AccessRequest) -> Vec<&Rule> {
        let subjects: Vec<u32> = held.iter().map(|held| held.subject).collect();
        let AccessRequest { domain, object, action, .. } = request;
        let counting = self.counting(subjects.iter().copied(), object);
        let fitting = self.index.all(&subjects, domain, object, *action, counting);
        fitting.into_iter().filter_map(|number| self.rules.get(number as usize)).collect()
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub(crate) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The rules of its files.
    pub(crate) fn site_rules(&self) -> &[Rule] {
        self.rules.get(..self.beginning.rules as usize).unwrap_or(&self.rules)
    }

    /// The bindings of its files.
    pub(crate) fn site_bindings(&self) -> &[Binding] {
        self.bindings.get(..self.beginning.bindings as usize).unwrap_or(&self.bindings)
    }

    /// The rules of an organization's own.
    pub(crate) fn own_rules(&self, organization: &str) -> impl Iterator<Item = &Rule> + Clone {
        let own = self.rules.get(self.beginning.rules as usize..).unwrap_or_default();
        own.iter().filter(move |rule| *rule.domain == *organization)
    }

    /// The bindings of an organization's own.
    pub(crate) fn own_bindings(
        &self,
        organization: &str,
    ) -> impl Iterator<Item = &Binding> + Clone {
        let own = self.bindings.get(self.beginning.bindings as usize..).unwrap_or_default();
        own.iter().filter(move |binding| *binding.domain == *organization)
    }

    pub(crate) fn beginning(&self) -> Beginning {
        self.beginning
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
        let counting = self.counting(subjects.iter().copied(), object);
        let Deciding { deny, allow } =
            self.index.deciding(subjects, domain, object, action, counting);
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
