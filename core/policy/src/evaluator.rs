//! Casbin, fed only with the rules of one action and one kind of object.
//!
//! Casbin's cost is linear in rules, so the index stands in front of it. The enforcer is built once and never
//! changed: `enforce` takes a shared reference. Two parts of Casbin are ours, through its own traits: the role
//! manager (the subject of a question is a whole set, so that a deny wins over all roles together), and an effector
//! that passes every call on to Casbin's own and remembers which rule decided.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use casbin::function_map::OperatorFunction;
use casbin::rhai::{Dynamic, ImmutableString};
use casbin::{
    CoreApi, DefaultEffector, DefaultModel, EffectKind, Effector, EffectorStream, Enforcer,
    MatchingFn, Model, NullAdapter, RoleManager,
};
use parking_lot::RwLock;

use crate::pattern;
use crate::rules::Rule;
use crate::rules::model::Definition;

thread_local! {
    /// The rule that decided the evaluation on this thread. Casbin gives no other way out of an effect stream
    /// without its `explain` feature, which needs its own logger. Written and read within one call of `decide`.
    static DECIDED_BY: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What Casbin answered: whether, and by which of the evaluator's rules.
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    pub(crate) rule: Option<usize>,
}

/// An enforcer over a few rules.
pub(crate) struct Evaluator {
    enforcer: Enforcer,
    /// For each row of the enforcer, its place among all rules.
    rules: Vec<usize>,
}

impl Evaluator {
    /// Builds an enforcer over some of the rules, and asks it once, so that no error waits for the first request.
    ///
    /// `chosen` must not be empty: without a row, Casbin evaluates the matcher on empty fields.
    pub(crate) fn build(
        model: &[Definition],
        rules: &[Rule],
        mut chosen: Vec<usize>,
    ) -> Result<Self, casbin::Error> {
        // denies first: the first one that fits ends the evaluation
        chosen.sort_by_key(|index| (rules.get(*index).is_none_or(|rule| rule.allow), *index));
        let mut definitions = DefaultModel::default();
        for definition in model {
            definitions.add_def(definition.key, definition.key, &definition.value);
        }
        let rows = chosen.iter().filter_map(|index| rules.get(*index)).map(Rule::row).collect();
        definitions.add_policies("p", "p", rows);
        let mut enforcer = now(Enforcer::new_raw(definitions, NullAdapter))?;
        enforcer.set_role_manager(Arc::new(RwLock::new(SubjectSet)))?;
        enforcer.set_effector(Box::new(Noting));
        enforcer.add_function("within", OperatorFunction::Arg2(within));
        let evaluator = Self { enforcer, rules: chosen };
        evaluator.decide(&subject_set(["anonymous"]), "-", "setup", "read")?;
        Ok(evaluator)
    }

    /// Asks Casbin. `subjects` is made by [`subject_set`].
    pub(crate) fn decide(
        &self,
        subjects: &ImmutableString,
        domain: &str,
        object: &str,
        action: &str,
    ) -> Result<Verdict, casbin::Error> {
        DECIDED_BY.set(None);
        let question: Vec<ImmutableString> =
            vec![subjects.clone(), domain.into(), object.into(), action.into()];
        let allowed = self.enforcer.enforce(question)?;
        let rule = DECIDED_BY.take().and_then(|row| self.rules.get(row).copied());
        Ok(Verdict { allowed, rule })
    }
}

#[cfg(test)]
impl Evaluator {
    /// Adds a row that is too short, as Casbin's own reader would: asking then fails.
    pub(crate) fn spoil(&mut self) {
        self.enforcer.get_mut_model().add_policy("p", "p", vec!["role:member".to_owned()]);
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

/// Casbin's own effector, with a note of the rule that decided.
struct Noting;

impl Effector for Noting {
    fn new_stream(&self, expression: &str, capacity: usize) -> Box<dyn EffectorStream> {
        let inner = DefaultEffector.new_stream(expression, capacity);
        Box::new(NotingStream { inner, row: 0 })
    }
}

struct NotingStream {
    inner: Box<dyn EffectorStream>,
    row: usize,
}

impl EffectorStream for NotingStream {
    fn next(&self) -> bool {
        self.inner.next()
    }

    fn push_effect(&mut self, effect: EffectKind) -> bool {
        match effect {
            EffectKind::Deny => DECIDED_BY.set(Some(self.row)),
            EffectKind::Allow if DECIDED_BY.get().is_none() => DECIDED_BY.set(Some(self.row)),
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
        let (mut definitions, rules) = (model::shipped(), rules());
        for definition in definitions.iter_mut().filter(|definition| definition.key == "m") {
            definition.value = "keyMatch9(r.obj, p.obj)".to_owned();
        }
        assert!(Evaluator::build(&definitions, &rules, vec![0, 1]).is_err());
        assert!(Evaluator::build(&model::shipped(), &rules, vec![0, 1]).is_ok());
    }

    #[test]
    fn the_rule_that_decided_is_known_in_either_case() {
        let evaluator = Evaluator::build(&model::shipped(), &rules(), vec![0, 1]).unwrap();
        let held = subject_set(["authenticated", "role:member"]);
        let ask = |domain: &str, object: &str| {
            let verdict = evaluator.decide(&held, domain, object, "read").unwrap();
            (verdict.allowed, verdict.rule)
        };
        assert_eq!(ask("beta", "box/a"), (true, Some(0)));
        assert_eq!(ask("acme", "box/a"), (false, Some(1)));
        assert_eq!(ask("acme", "box/b"), (true, Some(0)));
        assert_eq!(ask("acme", "policy"), (false, None));
    }
}
