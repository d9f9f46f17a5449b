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
    /// By number: the roles it is bound to, each with its domain.
    bound: Vec<Vec<(Arc<str>, u32)>>,
}

impl Subjects {
    /// Numbers the subjects of rules and bindings.
    pub(crate) fn new(rules: &[Rule], bindings: &[Binding]) -> Self {
        let mut subjects = Self::default();
        for rule in rules {
            subjects.number(&rule.subject);
        }
        for binding in bindings {
            let (member, role) = (subjects.number(&binding.member), subjects.number(&binding.role));
            if let Some(bound) = subjects.bound.get_mut(member as usize) {
                bound.push((Arc::clone(&binding.domain), role));
            }
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

    pub(crate) fn name(&self, id: u32) -> &str {
        self.names.get(id as usize).map_or("", |name| name)
    }

    /// The subjects that somebody is in a domain, bindings followed, in the order in which they are found.
    pub(crate) fn held<'a>(
        &self,
        subjects: impl IntoIterator<Item = &'a str>,
        domain: &str,
    ) -> Vec<u32> {
        let mut found = Vec::with_capacity(8);
        for id in subjects.into_iter().filter_map(|subject| self.find(subject)) {
            if !found.contains(&id) {
                found.push(id);
            }
        }
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            for (within, role) in self.bound.get(id as usize).map_or(&[][..], Vec::as_slice) {
                if (**within == *ANY || **within == *domain) && !found.contains(role) {
                    found.push(*role);
                }
            }
            next += 1;
        }
        found
    }
}
