//! The subjects that occur in the rules, by number, and who is also who by `g` lines.
//!
//! Those of an organization's own rules have the numbers of the site's where it knows them, and new ones after those
//! where it does not: within one domain a number says who is meant, whichever lines it came from.

use std::collections::HashMap;
use std::sync::Arc;

use crate::rules::words::ANY;
use crate::rules::{Binding, Rule};

/// The subjects of a site.
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
pub(crate) struct HeldSubject {
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
        let id = count(&self.names);
        self.ids.insert(Arc::clone(name), id);
        self.names.push(Arc::clone(name));
        self.bound.push(Vec::new());
        id
    }

    /// The number of a subject; absent when neither rule nor binding speaks of it.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.ids.get(name).copied()
    }

    /// How many there are; all numbers are below.
    pub(crate) fn count(&self) -> u32 {
        count(&self.names)
    }

    /// All of them, in the order of reading.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    pub(crate) fn name(&self, id: u32) -> Option<&str> {
        self.names.get(id as usize).map(|name| &**name)
    }

    /// The roles that a subject is bound to in a domain, each with its binding.
    fn bound(&self, id: u32, domain: &str) -> impl Iterator<Item = (u32, u32)> {
        let bound = self.bound.get(id as usize).map_or(&[][..], Vec::as_slice);
        [ANY, domain].into_iter().flat_map(move |within| {
            let first = bound.partition_point(|bound| &*bound.domain < within);
            let there = bound.iter().skip(first).take_while(move |it| &*it.domain == within);
            there.map(|bound| (bound.role, bound.binding))
        })
    }

    /// Adds the subjects that those held so far also are in a domain, in the order in which they are found.
    pub(crate) fn follow(&self, held: &mut Vec<HeldSubject>, domain: &str) {
        let mut next = 0_u32;
        while let Some(subject) = held.get(next as usize).map(|held| held.subject) {
            push_all(held, next, self.bound(subject, domain));
            next += 1;
        }
    }
}

/// The subjects of an organization's own rules, beside those of a site.
pub(crate) struct OwnSubjects {
    /// How many the site has.
    before: u32,
    /// Those that the site's rules do not speak of.
    ids: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
    /// From a number to its place in what is kept of the organization's own rules.
    places: HashMap<u32, u32>,
    /// By place: the roles it is bound to, each with the binding's number.
    bound: Vec<Vec<(u32, u32)>>,
}

impl OwnSubjects {
    /// Numbers the subjects of rules and bindings. `bindings_before` is how many bindings the site has.
    pub(crate) fn new(
        site: &Subjects,
        bindings_before: u32,
        rules: &[Rule],
        bindings: &[Binding],
    ) -> Self {
        let mut subjects = Self {
            before: site.count(),
            ids: HashMap::new(),
            names: Vec::new(),
            places: HashMap::new(),
            bound: Vec::new(),
        };
        for rule in rules {
            let id = subjects.number(site, &rule.subject);
            subjects.place_for(id);
        }
        for (number, binding) in (bindings_before..).zip(bindings) {
            let role = subjects.number(site, &binding.role);
            let member = subjects.number(site, &binding.member);
            let place = subjects.place_for(member);
            if let Some(bound) = subjects.bound.get_mut(place as usize) {
                bound.push((role, number));
            }
        }
        subjects
    }

    fn number(&mut self, site: &Subjects, name: &Arc<str>) -> u32 {
        if let Some(id) = site.find(name).or_else(|| self.find(name)) {
            return id;
        }
        let id = self.before + count(&self.names);
        self.ids.insert(Arc::clone(name), id);
        self.names.push(Arc::clone(name));
        id
    }

    fn place_for(&mut self, id: u32) -> u32 {
        let fresh = count(&self.bound);
        let place = *self.places.entry(id).or_insert(fresh);
        if place == fresh {
            self.bound.push(Vec::new());
        }
        place
    }

    /// The number of a subject that the site's rules do not speak of.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.ids.get(name).copied()
    }

    /// Those that the site's rules do not speak of.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    pub(crate) fn name(&self, id: u32) -> Option<&str> {
        self.names.get(id.checked_sub(self.before)? as usize).map(|name| &**name)
    }

    /// Where the index of the organization's own rules has a subject.
    pub(crate) fn place(&self, id: u32) -> Option<u32> {
        self.places.get(&id).copied()
    }

    /// Adds the subjects that those held so far also are by the organization's own bindings, and by the site's from there
    /// on. The site's were followed from all that are held.
    pub(crate) fn follow(&self, site: &Subjects, held: &mut Vec<HeldSubject>, domain: &str) {
        let followed = held.len();
        let mut next = 0_u32;
        while let Some(subject) = held.get(next as usize).map(|held| held.subject) {
            if next as usize >= followed {
                push_all(held, next, site.bound(subject, domain));
            }
            let bound = self.place(subject).and_then(|place| self.bound.get(place as usize));
            push_all(held, next, bound.into_iter().flatten().copied());
            next += 1;
        }
    }
}

/// Adds roles that the held at a place is bound to, but those that are held already.
fn push_all(held: &mut Vec<HeldSubject>, place: u32, bound: impl Iterator<Item = (u32, u32)>) {
    for (role, binding) in bound {
        push(held, HeldSubject { subject: role, by: Some((place, binding)) });
    }
}

/// Adds a subject, unless it is held already.
pub(crate) fn push(held: &mut Vec<HeldSubject>, one: HeldSubject) {
    if !held.iter().any(|known| known.subject == one.subject) {
        held.push(one);
    }
}

fn count(names: &[impl Sized]) -> u32 {
    u32::try_from(names.len()).expect("rules and bindings are limited in number")
}
