//! The subjects that occur in the rules, by number, and who is also who by `g` lines.

use std::collections::HashMap;
use std::sync::Arc;

use crate::rules::words::ANY;
use crate::rules::{Binding, Rule};

/// The subjects of a policy.
#[derive(Default)]
pub(crate) struct Subjects {
    ids: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
    /// By number: the roles it is bound to, each with its domain and the binding's place among all; by domain, so that
    /// somebody who is bound in thousands of organizations is not looked through.
    bound: Vec<Vec<Bound>>,
}

struct Bound {
    domain: Arc<str>,
    role: u32,
    binding: u32,
}

/// A subject that somebody is, and the binding by which; the first ones need none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) subject: u32,
    /// The place among the held of whoever is bound, and of the binding among all.
    pub(crate) by: Option<(u32, u32)>,
}

impl Subjects {
    /// Numbers the subjects of rules and bindings.
    pub(crate) fn new(rules: &[Rule], bindings: &[Binding]) -> Self {
        let mut subjects = Self::default();
        for rule in rules {
            subjects.number(&rule.subject);
        }
        for (place, binding) in (0_u32..).zip(bindings) {
            let (member, role) = (subjects.number(&binding.member), subjects.number(&binding.role));
            if let Some(bound) = subjects.bound.get_mut(member as usize) {
                let domain = Arc::clone(&binding.domain);
                bound.push(Bound { domain, role, binding: place });
            }
        }
        for bound in &mut subjects.bound {
            bound.sort_by(|left, right| left.domain.cmp(&right.domain));
        }
        subjects
    }

    fn number(&mut self, name: &Arc<str>) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.names.len()).expect("rules and bindings are limited in number");
        self.ids.insert(Arc::clone(name), id);
        self.names.push(Arc::clone(name));
        self.bound.push(Vec::new());
        id
    }

    /// The number of a subject; absent when neither rule nor binding speaks of it.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.ids.get(name).copied()
    }

    /// All of them, in the order of reading.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    pub(crate) fn name(&self, id: u32) -> &str {
        self.names.get(id as usize).map_or("", |name| name)
    }

    /// The subjects that somebody is in a domain, bindings before a place followed, in the order in which they are found.
    pub(crate) fn held<'a>(
        &self,
        subjects: impl IntoIterator<Item = &'a str>,
        domain: &str,
        before: u32,
    ) -> Vec<Held> {
        let mut found: Vec<Held> = Vec::with_capacity(8);
        let known = |found: &[Held], id: u32| found.iter().any(|held| held.subject == id);
        for id in subjects.into_iter().filter_map(|subject| self.find(subject)) {
            if !known(&found, id) {
                found.push(Held { subject: id, by: None });
            }
        }
        let mut next = 0_u32;
        while let Some(held) = found.get(next as usize).copied() {
            let bound = self.bound.get(held.subject as usize).map_or(&[][..], Vec::as_slice);
            for within in [ANY, domain] {
                let first = bound.partition_point(|bound| &*bound.domain < within);
                for bound in bound.iter().skip(first).take_while(|it| &*it.domain == within) {
                    if bound.binding < before && !known(&found, bound.role) {
                        found.push(Held { subject: bound.role, by: Some((next, bound.binding)) });
                    }
                }
            }
            next += 1;
        }
        found
    }
}
