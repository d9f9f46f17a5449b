//! Casbin: asked about the rules that the index found, so that every yes is its own.
//!
//! The index says which rules fit; Casbin's enforcer, its compiled matcher and its effector then evaluate them, and
//! must come to the same rule. When they do not, one of the two is wrong, and the answer is no. Casbin's cost is linear
//! in rows, and it needs two at most: the first deny, and the first allow. An enforcer depends only on the model, so a
//! few are kept, and take the rows of one question after the other.
//!
//! Two parts of Casbin are ours, through its own traits: the role manager (the subject of a question is a whole set,
//! so that a deny wins over all roles together), and an effector that passes every call on to Casbin's own and notes
//! which row decided.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use casbin::function_map::OperatorFunction;
use casbin::rhai::{Dynamic, ImmutableString};
use casbin::{
    CoreApi, DefaultEffector, DefaultModel, EffectKind, Effector, EffectorStream, Enforcer,
    MatchingFn, Model, NullAdapter, RoleManager,
};
use parking_lot::{Mutex, RwLock};
use thiserror::Error;

use crate::pattern;
use crate::rules::Rule;
use crate::rules::model::Definition;

/// Enforcers that are kept, some 100 KiB each. More are made when more threads ask at once, and dropped again.
const IDLE_MAX: usize = 16;
/// What [`Noting`] says when no row decided.
const NO_ROW: usize = usize::MAX;

/// Why a question has no answer.
#[derive(Debug, Error)]
pub(crate) enum EvaluationError {
    #[error("casbin failed: {0}")]
    Casbin(#[from] casbin::Error),
    #[error("the model has no policy definition")]
    NoRows,
    #[error("the index found {index}, and casbin {casbin}")]
    Disagreement { index: String, casbin: String },
}

/// One question, as Casbin takes it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Made by [`subject_set`].
    pub(crate) subjects: &'a ImmutableString,
    pub(crate) domain: &'a str,
    pub(crate) object: &'a str,
    pub(crate) action: &'a str,
}

/// Enforcers for one model.
pub(crate) struct Evaluator {
    model: Vec<Definition>,
    idle: Mutex<Vec<Box<dyn Decide>>>,
}

/// An enforcer behind a trait, so that the compiler does not go through all that Casbin is made of wherever it proves that
/// somebody who holds a policy may cross threads: that is once for each handler of a request.
trait Decide: Send {
    /// Whether it is allowed by these rows, and the row that decided. There must be one: without any, Casbin evaluates
    /// the matcher on empty fields.
    fn decide(
        &mut self,
        rows: &[&[&str]],
        asked: Asked<'_>,
    ) -> Result<(bool, Option<usize>), EvaluationError>;
}

/// An enforcer, and where it notes the row that decided.
struct Judge {
    enforcer: Enforcer,
    decided_by: Arc<AtomicUsize>,
}

impl Evaluator {
    /// Builds an enforcer and asks it once, so that no error waits for the first request.
    pub(crate) fn build(model: Vec<Definition>) -> Result<Self, EvaluationError> {
        let mut judge: Box<dyn Decide> = Box::new(Judge::build(&model)?);
        let asked = Asked { subjects: &"-".into(), domain: "-", object: "setup", action: "read" };
        judge.decide(&[&["-", "*", "**", "*", "deny"]], asked)?;
        Ok(Self { model, idle: Mutex::new(vec![judge]) })
    }

    /// Asks Casbin about the rules that were found to decide: a deny, an allow, or both. True when it allows.
    ///
    /// # Errors
    /// When Casbin fails, or when another of the rules decided than the deny, or else the allow.
    pub(crate) fn confirm(
        &self,
        deny: Option<&Rule>,
        allow: Option<&Rule>,
        asked: Asked<'_>,
    ) -> Result<bool, EvaluationError> {
        let kept = self.idle.lock().pop();
        let mut judge = match kept {
            Some(judge) => judge,
            None => Box::new(Judge::build(&self.model)?),
        };
        // the deny first: when it fits, it ends the evaluation
        let rules: Vec<&Rule> = deny.into_iter().chain(allow).collect();
        let rows: Vec<[&str; 5]> = rules.iter().map(|rule| rule.fields()).collect();
        let rows: Vec<&[&str]> = rows.iter().map(|row| &row[..]).collect();
        let (allowed, row) = judge.decide(&rows, asked)?;
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(judge);
        }
        drop(idle);
        if row == Some(0) && allowed == deny.is_none() {
            return Ok(allowed);
        }
        let name = |rule: Option<&&Rule>| {
            rule.map_or("no rule".to_owned(), |rule| rule.source.to_string())
        };
        let casbin = name(row.and_then(|row| rules.get(row)));
        Err(EvaluationError::Disagreement { index: name(rules.first()), casbin })
    }
}

impl Judge {
    fn build(model: &[Definition]) -> Result<Self, EvaluationError> {
        let mut definitions = DefaultModel::default();
        for definition in model {
            definitions.add_def(definition.key, definition.key, &definition.value);
        }
        let decided_by = Arc::new(AtomicUsize::new(NO_ROW));
        let mut enforcer = now(Enforcer::new_raw(definitions, NullAdapter))?;
        enforcer.set_role_manager(Arc::new(RwLock::new(SubjectSet)))?;
        enforcer.set_effector(Box::new(Noting { decided_by: Arc::clone(&decided_by) }));
        enforcer.add_function("within", OperatorFunction::Arg2(within));
        Ok(Self { enforcer, decided_by })
    }
}

impl Decide for Judge {
    fn decide(
        &mut self,
        rows: &[&[&str]],
        asked: Asked<'_>,
    ) -> Result<(bool, Option<usize>), EvaluationError> {
        let model = self.enforcer.get_mut_model().get_mut_model();
        let policy = model
            .get_mut("p")
            .and_then(|assertions| assertions.get_mut("p"))
            .ok_or(EvaluationError::NoRows)?
            .get_mut_policy();
        policy.clear();
        for row in rows {
            policy.insert(row.iter().map(|field| (*field).to_owned()).collect());
        }
        self.decided_by.store(NO_ROW, Ordering::Relaxed);
        let question: Vec<ImmutableString> = vec![
            asked.subjects.clone(),
            asked.domain.into(),
            asked.object.into(),
            asked.action.into(),
        ];
        let allowed = self.enforcer.enforce(question)?;
        let row = self.decided_by.load(Ordering::Relaxed);
        Ok((allowed, (row != NO_ROW).then_some(row)))
    }
}

#[cfg(test)]
impl Evaluator {
    /// Makes every row look too long, so that asking fails.
    pub(crate) fn spoil(&mut self) {
        self.idle.get_mut().clear();
        for definition in self.model.iter_mut().filter(|definition| definition.key == "p") {
            definition.value = "sub, dom".to_owned();
        }
    }
}

/// Writes a set of subjects as the one text that Casbin hands around. Only subjects that occur in the rules get here,
/// and those hold no line breaks.
pub(crate) fn subject_set<'a>(subjects: impl IntoIterator<Item = &'a str>) -> ImmutableString {
    let mut text = String::with_capacity(128);
    for subject in subjects {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(subject);
    }
    text.into()
}

/// What `g()` in the matcher asks: whether a subject is in the caller's set. The set was made for the domain of the
/// question, `g` lines followed, so the domain has been looked at already.
struct SubjectSet;

impl RoleManager for SubjectSet {
    fn clear(&mut self) {}

    fn add_link(&mut self, _: &str, _: &str, _: Option<&str>) {}

    fn matching_fn(&mut self, _: Option<MatchingFn>, _: Option<MatchingFn>) {}

    fn delete_link(&mut self, _: &str, _: &str, _: Option<&str>) -> Result<(), casbin::Error> {
        Ok(())
    }

    fn has_link(&self, set: &str, subject: &str, _: Option<&str>) -> bool {
        set.split('\n').any(|held| held == subject)
    }

    fn get_roles(&self, set: &str, _: Option<&str>) -> Vec<String> {
        set.split('\n').map(str::to_owned).collect()
    }

    fn get_users(&self, _: &str, _: Option<&str>) -> Vec<String> {
        Vec::new()
    }
}

/// The matcher's `within(object, pattern)`.
fn within(object: Dynamic, pattern: Dynamic) -> Dynamic {
    match (object.into_immutable_string(), pattern.into_immutable_string()) {
        (Ok(object), Ok(pattern)) => pattern::matches(&pattern, &object).into(),
        _ => false.into(),
    }
}

/// Casbin's own effector, with a note of the row that decided. Casbin gives no other way out of an effect stream
/// without its `explain` feature, which needs its own logger.
struct Noting {
    decided_by: Arc<AtomicUsize>,
}

impl Effector for Noting {
    fn new_stream(&self, expression: &str, capacity: usize) -> Box<dyn EffectorStream> {
        let inner = DefaultEffector.new_stream(expression, capacity);
        Box::new(NotingStream { inner, row: 0, decided_by: Arc::clone(&self.decided_by) })
    }
}

struct NotingStream {
    inner: Box<dyn EffectorStream>,
    row: usize,
    decided_by: Arc<AtomicUsize>,
}

impl EffectorStream for NotingStream {
    fn next(&self) -> bool {
        self.inner.next()
    }

    fn push_effect(&mut self, effect: EffectKind) -> bool {
        let decided = self.decided_by.load(Ordering::Relaxed) != NO_ROW;
        match effect {
            EffectKind::Deny => self.decided_by.store(self.row, Ordering::Relaxed),
            EffectKind::Allow if !decided => self.decided_by.store(self.row, Ordering::Relaxed),
            EffectKind::Allow | EffectKind::Indeterminate => {}
        }
        self.row += 1;
        self.inner.push_effect(effect)
    }
}

/// Takes the result of a future that never waits: Casbin's constructors are async for the sake of adapters that read
/// files, and ours read nothing.
fn now<T>(future: impl Future<Output = Result<T, casbin::Error>>) -> Result<T, casbin::Error> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => {
            let waited = "casbin waited for something while an enforcer was built in memory";
            Err(std::io::Error::other(waited).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{RuleSet, model};

    fn rules() -> Vec<Rule> {
        let mut set = RuleSet::default();
        let text =
            b"p, role:member, *, box/**, read, allow\np, role:member, acme, box/a, read, deny\n";
        let mut problems = Vec::new();
        set.read("policy.csv", text, &mut problems);
        assert_eq!(problems, []);
        set.rules
    }

    #[test]
    fn a_matcher_that_cannot_be_evaluated_is_told_when_it_is_built() {
        let mut definitions = model::shipped();
        for definition in definitions.iter_mut().filter(|definition| definition.key == "m") {
            definition.value = "keyMatch9(r.obj, p.obj)".to_owned();
        }
        assert!(Evaluator::build(definitions).is_err());
        assert!(Evaluator::build(model::shipped()).is_ok());
    }

    #[test]
    fn casbin_must_come_to_the_rule_that_was_found() {
        let evaluator = Evaluator::build(model::shipped()).unwrap();
        let rules = rules();
        let (allow, deny) = (Some(&rules[0]), Some(&rules[1]));
        let subjects = subject_set(["authenticated", "role:member"]);
        let ask = |deny, allow, domain, object| {
            evaluator.confirm(
                deny,
                allow,
                Asked { subjects: &subjects, domain, object, action: "read" },
            )
        };
        assert!(ask(None, allow, "beta", "box/a").unwrap());
        assert!(!ask(deny, allow, "acme", "box/a").unwrap());
        assert!(!ask(deny, None, "acme", "box/a").unwrap());
        for (deny, allow, object) in
            [(None, allow, "policy"), (deny, allow, "box/b"), (deny, None, "box/b")]
        {
            let error = ask(deny, allow, "acme", object).unwrap_err();
            assert!(matches!(error, EvaluationError::Disagreement { .. }), "{error}");
        }
        let error = ask(deny, allow, "acme", "box/b").unwrap_err().to_string();
        assert!(
            error.contains("found policy.csv:2") && error.contains("casbin policy.csv:1"),
            "{error}"
        );
    }
}
