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

use boxvault_types::action::Action;
use quick_cache::{Equivalent, sync::Cache};
use tracing::error;

use crate::domain::DomainRules;
use crate::error::{PolicyError, Problem};
use crate::evaluator::{Asked, subject_set};
use crate::expectations::{TestFailure, TestReport};
use crate::files::PolicyFiles;
use crate::overlay::{self, Overlay, OverlayLimits, OverlayState, OwnRules};
use crate::request::{AccessRequest, Decision, Reason};
use crate::rules::{Binding, PROBLEMS_MAX, Rule};
use crate::site::Site;
use crate::validate;

/// Decisions that are remembered, some 200 bytes each.
const DECISIONS_MAX: usize = 8_192;

/// Who may do what: immutable, and safe to ask from any thread.
pub struct Policy {
    site: Arc<Site>,
    version: Option<i64>,
    /// The rules of organizations' own, by name in lower case.
    own: HashMap<Arc<str>, Arc<OwnRules>>,
    cache: Cache<Key, Decision>,
    failures: AtomicU64,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("digest", &self.site.digest)
            .field("version", &self.version)
            .field("rules", &self.site.rules.len())
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
        Ok(Self::new(Arc::new(Site::read(files)?), HashMap::new()))
    }

    /// Builds a policy that may be put in force: its guards hold, and what is expected of it is so.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn build(files: &PolicyFiles) -> Result<Self, PolicyError> {
        Self::build_with(files, Vec::new())
    }

    /// The same beside rules of organizations' own, which may not take back what is expected either.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn build_with(files: &PolicyFiles, overlays: Vec<Overlay>) -> Result<Self, PolicyError> {
        let policy = Self::draft(files)?.with_overlays(overlays);
        policy.verify()?;
        Ok(policy)
    }

    /// Asks whether it may be put in force: its guards hold, and what is expected of it is so.
    ///
    /// # Errors
    /// Everything that is not as it has to be.
    pub fn verify(&self) -> Result<(), PolicyError> {
        let mut problems = validate::check_guards(self);
        let failures = self.site.expectations.ask(self).failures;
        problems.extend(failures.iter().take(PROBLEMS_MAX).map(TestFailure::problem));
        if problems.is_empty() { Ok(()) } else { Err(PolicyError::Invalid { problems }) }
    }

    /// Asks the policy of some files what its expectations say, also where some are not so.
    ///
    /// # Errors
    /// All problems for which the files cannot be read.
    pub fn test(files: &PolicyFiles) -> Result<TestReport, PolicyError> {
        let policy = Self::draft(files)?;
        Ok(policy.site.expectations.ask(&policy))
    }

    fn new(site: Arc<Site>, own: HashMap<Arc<str>, Arc<OwnRules>>) -> Self {
        let (cache, failures) = (Cache::new(DECISIONS_MAX), AtomicU64::new(0));
        Self { site, version: None, own, cache, failures }
    }

    /// SHA-256 of all texts that it was built from, in lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.site.digest
    }

    /// The texts that it was built from.
    pub fn files(&self) -> &PolicyFiles {
        &self.site.files
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
    pub fn overlays(&self) -> impl ExactSizeIterator<Item = &Overlay> {
        self.own.values().map(|own| &own.overlay)
    }

    /// The rules of one organization's own, by its name in lower case; absent where it has none.
    pub fn overlay(&self, organization: &str) -> Option<(&Overlay, &OverlayState)> {
        self.own.get(organization).map(|own| (&own.overlay, &own.state))
    }

    /// The organizations whose own rules cannot be read, so that they are closed.
    pub fn closed_organizations(&self) -> impl Iterator<Item = (&str, &OverlayState)> {
        let closed = self.own.iter().filter(|(_, own)| own.is_closed());
        closed.map(|(name, own)| (&**name, &own.state))
    }

    /// The same policy with other rules of organizations' own, at most one overlay of each; such that cannot be read
    /// close their organization. Those that it has already are not read again.
    #[must_use]
    pub fn with_overlays(&self, overlays: Vec<Overlay>) -> Self {
        let own = overlay::put_beside(&self.site, &self.own, overlays);
        Self { version: self.version, ..Self::new(Arc::clone(&self.site), own) }
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
        let set = overlay.read_new(limits).map_err(|problems| PolicyError::Invalid { problems })?;
        let given = editor.map(|editor| overlay::check_grants(self, &overlay, &set, editor));
        let new = Arc::new(OwnRules::of_set(&self.site, overlay, set));
        let mut own = self.own.clone();
        own.insert(new.overlay.organization().into(), Arc::clone(&new));
        let too_many = own.values().map(|own| own.lines()).sum::<usize>() > overlay::LINES_MAX;
        let policy = Self { version: self.version, ..Self::new(Arc::clone(&self.site), own) };
        let mut problems: Vec<Problem> =
            too_many.then(|| overlay::too_many(&new.overlay)).into_iter().collect();
        if let Some(given) = given {
            problems.extend(given);
            problems.extend(validate::check_guards(&policy));
            problems.extend(self.disappointed(&policy).iter().map(TestFailure::problem));
        }
        if problems.is_empty() { Ok(policy) } else { Err(PolicyError::Invalid { problems }) }
    }

    /// What is expected, and no longer so by another policy of the same files.
    fn disappointed(&self, after: &Self) -> Vec<TestFailure> {
        let expectations = &self.site.expectations;
        let before = expectations.ask(self).failures;
        let after = expectations.ask(after).failures.into_iter();
        let new = after.filter(|failure| !before.iter().any(|it| it.line == failure.line));
        new.take(PROBLEMS_MAX).collect()
    }

    /// How many `p` lines its files have.
    pub fn rules_count(&self) -> usize {
        self.site.rules.len()
    }

    /// How many `g` lines its files have.
    pub fn bindings_count(&self) -> usize {
        self.site.bindings.len()
    }

    /// How many expectations hold of it.
    pub fn expectations_count(&self) -> usize {
        self.site.expectations.len()
    }

    /// What looks like a mistake, but does no harm.
    pub fn warnings(&self) -> &[Problem] {
        &self.site.warnings
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
        let rules = self.rules_in(&request.domain);
        let subjects = rules.ruled(subjects, &request.object);
        let question = Question::new(&subjects, request);
        if let Some(decision) = self.cache.get(&question) {
            return decision;
        }
        let decision = self.evaluate(rules, question);
        if decision.reason != Reason::Failed {
            self.cache.insert(question.to_key(), decision.clone());
        }
        decision
    }

    /// Decides for some subjects without remembering it: questions of whoever looks at the policy, by the thousand,
    /// must not push out those of callers.
    pub(crate) fn decide_aside(&self, subjects: &[String], request: &AccessRequest) -> Decision {
        let rules = self.rules_in(&request.domain);
        self.evaluate(rules, Question::new(&rules.ruled(subjects, &request.object), request))
    }

    /// The rules that count in a domain.
    pub(crate) fn rules_in<'a>(&'a self, domain: &'a str) -> DomainRules<'a> {
        DomainRules::new(&self.site, self.own.get(domain).map(|own| &**own), domain)
    }

    /// The rules of its files, and those of organizations' own.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> + Clone {
        self.site.rules.iter().chain(self.own.values().flat_map(|own| &own.rules))
    }

    /// The rules of its files.
    pub(crate) fn site_rules(&self) -> &[Rule] {
        &self.site.rules
    }

    /// The bindings of its files.
    pub(crate) fn site_bindings(&self) -> &[Binding] {
        &self.site.bindings
    }

    /// The rules and bindings of an organization's own.
    pub(crate) fn own_lines(&self, organization: &str) -> (&[Rule], &[Binding]) {
        self.own.get(organization).map_or((&[], &[]), |own| (&own.rules, &own.bindings))
    }

    /// The organizations, and `*`, in which somebody is bound to a role.
    pub(crate) fn bound_domains(&self) -> impl Iterator<Item = &str> {
        let own = self.own.values().flat_map(|own| &own.bindings);
        self.site.bindings.iter().chain(own).map(|binding| &*binding.domain)
    }

    fn evaluate(&self, rules: DomainRules<'_>, question: Question<'_>) -> Decision {
        let Question { subjects, domain, object, action } = question;
        let [deny, allow] = rules.deciding(subjects, object, action);
        let Some(decided_by) = deny.or(allow) else { return Decision::refused(Reason::NoRule) };
        let held = subject_set(subjects.iter().map(|subject| rules.name(*subject)));
        let asked = Asked { subjects: &held, domain, object, action: action.as_str() };
        match self.site.evaluator.confirm(deny, allow, asked) {
            Ok(allowed) => Decision {
                allowed,
                reason: if allowed { Reason::Allowed } else { Reason::Denied },
                rule: Some(Arc::clone(&decided_by.source)),
            },
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                error!(
                    %error, action = action.as_str(), object, domain,
                    policy.digest = self.site.digest,
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
        Arc::get_mut(&mut policy.site).unwrap().evaluator.spoil();
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
        for rule in &mut Arc::get_mut(&mut policy.site).unwrap().rules {
            // what the index still says of them is now wrong
            rule.object = "audit".into();
        }
        let decision = policy.decide(&may_an_admin_read_a_box());
        assert_eq!((decision, policy.failures()), (Decision::refused(Reason::Failed), 1));
    }

    fn own(organization: &str, version: i64, line: &str) -> Overlay {
        let text = format!("{line}\np, role:member, {organization}, box/a, update, deny\n");
        Overlay::new(organization, version, &text, organization)
    }

    #[test]
    fn what_did_not_change_is_not_read_again() {
        let site = Policy::embedded().unwrap();
        let broken = own("hooli", 3, "p, nobody knows");
        let policy =
            site.with_overlays(vec![own("acme", 1, ""), own("globex", 2, ""), broken.clone()]);
        let same = |after: &Policy, name| {
            after.own.get(name).is_some_and(|own| Arc::ptr_eq(own, &policy.own[name]))
        };
        let changed = own("acme", 4, "# otherwise");
        let after = policy.with_overlays(vec![changed, own("globex", 2, ""), broken]);
        assert_eq!((same(&after, "acme"), same(&after, "globex")), (false, true));
        assert!(Arc::ptr_eq(&after.site, &policy.site));
        let closed: Vec<_> = after.closed_organizations().map(|(name, _)| name).collect();
        assert_eq!(closed, ["hooli"]);
        let limits = OverlayLimits { bytes_max: 1_000, lines_max: 10 };
        let after = policy.with_new_overlay(own("initech", 0, ""), limits, None).unwrap();
        assert!(same(&after, "acme") && same(&after, "globex") && after.own.len() == 4);
        assert!(site.with_overlays(Vec::new()).own.is_empty());
    }

    #[test]
    fn lines_of_all_organizations_together_are_limited() {
        let half = |name: &str| {
            let lines = (0..overlay::LINES_MAX / 2)
                .map(|number| format!("p, role:member, {name}, box/b{number}, update, deny\n"));
            Overlay::new(name, 1, &lines.collect::<String>(), name)
        };
        let site = Policy::embedded().unwrap();
        let policy = site.with_overlays(vec![half("acme"), half("globex")]);
        assert_eq!(policy.closed_organizations().count(), 0);
        let one = own("hooli", 0, "");
        let limits = OverlayLimits { bytes_max: 1_000, lines_max: 10 };
        let refused = policy.with_new_overlay(one.clone(), limits, None).unwrap_err().to_string();
        assert!(refused.contains("all organizations together have more than"), "{refused}");
        let overlays = policy.overlays().cloned().chain([one]).collect();
        let closed = policy.with_overlays(overlays);
        let closed: Vec<_> = closed.closed_organizations().map(|(name, _)| name).collect();
        assert_eq!(closed, ["hooli"]);
    }
}
