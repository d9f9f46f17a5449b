//! [`DomainRules`]: the rules that count in one domain, those of the site and those of the organization's own.
//!
//! Both are asked, and the site's lines come first: within a domain lines and subjects of the organization's own have
//! the numbers after those of the site. What its own rules cannot do is decided here: they have no say on who may
//! change them, and neither their denies nor their `g` lines count for platform admins.

use boxvault_types::action::{Action, ResourceKind};

use crate::index::Deciding;
use crate::overlay::OwnRules;
use crate::request::{AccessRequest, RuleRef};
use crate::rules::{Binding, Rule};
use crate::site::Site;
use crate::subjects::{self, HeldSubject};

/// The object on which rules of an organization's own have no say.
const OF_THE_SITE: &str = ResourceKind::Rules.as_str();

/// The rules that count in one domain.
#[derive(Clone, Copy)]
pub(crate) struct DomainRules<'a> {
    site: &'a Site,
    own: Option<&'a OwnRules>,
    name: &'a str,
}

impl<'a> DomainRules<'a> {
    /// Joins the rules of a site with those of the organization that has the name, if it has any.
    pub(crate) fn new(site: &'a Site, own: Option<&'a OwnRules>, name: &'a str) -> Self {
        Self { site, own, name }
    }

    /// Every subject that the lines speak of.
    pub(crate) fn names(self) -> impl Iterator<Item = &'a str> {
        let own = self.own.into_iter().flat_map(|own| own.subjects.names());
        self.site.subjects.names().chain(own)
    }

    /// All rules, those about other domains as well, in the order of reading.
    pub(crate) fn rules(self) -> impl Iterator<Item = &'a Rule> {
        self.site.rules.iter().chain(self.own.into_iter().flat_map(|own| &own.rules))
    }

    /// The number of a subject; absent when no line speaks of it.
    pub(crate) fn find(self, name: &str) -> Option<u32> {
        self.site.subjects.find(name).or_else(|| self.own?.subjects.find(name))
    }

    pub(crate) fn name(self, subject: u32) -> &'a str {
        let name = self.site.subjects.name(subject);
        name.or_else(|| self.own?.subjects.name(subject)).unwrap_or_default()
    }

    pub(crate) fn rule(self, number: u32) -> Option<&'a Rule> {
        let number = number as usize;
        let site = &self.site.rules;
        site.get(number).or_else(|| self.own?.rules.get(number.checked_sub(site.len())?))
    }

    fn binding(self, number: u32) -> Option<&'a Binding> {
        let number = number as usize;
        let site = &self.site.bindings;
        site.get(number).or_else(|| self.own?.bindings.get(number.checked_sub(site.len())?))
    }

    /// The subjects that somebody is where an object is concerned, in the order in which they are found.
    pub(crate) fn held(self, subjects: &[String], object: &str) -> Vec<HeldSubject> {
        let mut held = Vec::with_capacity(8);
        for subject in subjects.iter().filter_map(|subject| self.find(subject)) {
            subjects::push(&mut held, HeldSubject { subject, by: None });
        }
        self.site.subjects.follow(&mut held, self.name);
        let admin = || held.iter().any(|held| self.site.is_platform_admin(held.subject));
        if let Some(own) = self.own.filter(|_| object != OF_THE_SITE && !admin()) {
            own.subjects.follow(&self.site.subjects, &mut held, self.name);
        }
        held
    }

    /// The subjects that a role leads to by the site's lines alone.
    pub(crate) fn held_by_site(self, role: &str) -> Vec<HeldSubject> {
        let role = self.site.subjects.find(role);
        let mut held: Vec<HeldSubject> =
            role.into_iter().map(|subject| HeldSubject { subject, by: None }).collect();
        self.site.subjects.follow(&mut held, self.name);
        held
    }

    /// The same as [`DomainRules::held`], but only those with rules, by number.
    pub(crate) fn ruled(self, subjects: &[String], object: &str) -> Vec<u32> {
        let held = self.held(subjects, object).into_iter().map(|held| held.subject);
        let mut ruled: Vec<u32> = held
            .filter(|subject| {
                self.site.index.knows(*subject)
                    || self.own.is_some_and(|own| own.has_rules_for(*subject))
            })
            .collect();
        ruled.sort_unstable();
        ruled
    }

    /// The rules that matter to a decision for somebody who is all that: the first deny, and the first allow.
    pub(crate) fn deciding(
        self,
        subjects: &[u32],
        object: &str,
        action: Action,
    ) -> [Option<&'a Rule>; 2] {
        let site = self.site.index.deciding(subjects.iter().copied(), self.name, object, action);
        let own = self.own.filter(|_| object != OF_THE_SITE).map(|own| {
            let places = own.places_of(subjects);
            let deciding = own.index.deciding(places, self.name, object, action);
            let deny = deciding.deny.filter(|_| !self.is_admin(subjects));
            [deny, deciding.allow].map(|number| own.rules.get(number? as usize))
        });
        let [own_deny, own_allow] = own.unwrap_or_default();
        let Deciding { deny, allow } = site;
        let of_site = |number: Option<u32>| self.site.rules.get(number? as usize);
        [of_site(deny).or(own_deny), of_site(allow).or(own_allow)]
    }

    fn is_admin(self, subjects: &[u32]) -> bool {
        subjects.iter().any(|subject| self.site.is_platform_admin(*subject))
    }

    /// Every rule that fits a question of somebody who is all that, in the order of reading.
    pub(crate) fn fitting(self, held: &[HeldSubject], request: &AccessRequest) -> Vec<&'a Rule> {
        let subjects: Vec<u32> = held.iter().map(|held| held.subject).collect();
        let AccessRequest { object, action, .. } = request;
        let site = self.site.index.all(subjects.iter().copied(), self.name, object, *action);
        let site = site.into_iter().filter_map(|number| self.site.rules.get(number as usize));
        let own = self.own.filter(|_| object != OF_THE_SITE).into_iter().flat_map(|own| {
            let fitting = own.index.all(own.places_of(&subjects), self.name, object, *action);
            fitting.into_iter().filter_map(|number| own.rules.get(number as usize))
        });
        let admin = self.is_admin(&subjects);
        site.chain(own.filter(|rule| rule.allow || !admin)).collect()
    }

    /// The numbers of a subject's rules that fit whatever fits a pattern and an action, in the order of reading.
    pub(crate) fn covering(self, subject: u32, object: &str, action: Option<Action>) -> Vec<u32> {
        let mut numbers = self.site.index.covering(subject, self.name, object, action);
        if let Some(own) = self.own
            && let Some(place) = own.subjects.place(subject)
        {
            let before = own.rules_before;
            let covering = own.index.covering(place, self.name, object, action);
            numbers.extend(covering.into_iter().map(|number| before + number));
        }
        numbers
    }

    /// Whether one rule allows some subjects all that a pattern stands for.
    pub(crate) fn covers(self, subjects: &[u32], object: &str, action: Action) -> bool {
        subjects.iter().any(|subject| {
            let covering = self.covering(*subject, object, Some(action));
            covering.into_iter().filter_map(|number| self.rule(number)).any(|rule| rule.allow)
        })
    }

    /// The `g` lines by which somebody who is all that is also a subject, from themselves on.
    pub(crate) fn through(self, held: &[HeldSubject], subject: &str) -> Vec<RuleRef> {
        let mut lines = Vec::new();
        let mut at = self.find(subject).and_then(|id| held.iter().find(|it| it.subject == id));
        while let Some((from, binding)) = at.and_then(|held| held.by) {
            lines.extend(self.binding(binding).map(|line| RuleRef::clone(&line.source)));
            at = held.get(from as usize);
        }
        lines.reverse();
        lines
    }
}
