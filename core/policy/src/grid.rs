//! Who and what a table of decisions speaks of: everybody that the server knows without the catalog, an organization,
//! a box and a user that no rule names, and whatever rules do name.

use std::collections::BTreeSet;

use boxvault_types::action::{Action, ResourceKind, SYSTEM_DOMAIN};

use crate::pattern;
use crate::policy::Policy;
use crate::request::{AccessRequest, Decision};
use crate::rules::words::{ANY, SERVER_ROLES};
use crate::rules::{Binding, REST, Rule};

/// Somebody of whom the table has a column.
pub(crate) struct Asker {
    pub(crate) title: String,
    /// What it is everywhere, and what it is only in an organization.
    everywhere: Vec<String>,
    in_organization: Vec<String>,
}

impl Asker {
    fn new(title: &str, everywhere: &[&str], in_organization: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            title: title.to_owned(),
            everywhere: owned(everywhere),
            in_organization: owned(in_organization),
        }
    }
}

/// Something of which the table has rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Thing {
    /// The place of its kind in the vocabulary, so that rows come in that order.
    order: usize,
    pub(crate) label: String,
    pub(crate) object: String,
    /// The label without names.
    pub(crate) general: String,
}

/// The questions of a table.
pub(crate) struct Grid {
    pub(crate) askers: Vec<Asker>,
    /// Label and name.
    pub(crate) domains: Vec<(String, String)>,
    pub(crate) things: BTreeSet<Thing>,
}

/// One row: an action on a thing in a domain.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) label: &'a str,
    pub(crate) domain: &'a str,
    pub(crate) thing: &'a Thing,
    pub(crate) action: Action,
}

impl Grid {
    /// Makes the questions that some rules give rise to. `all` are those that its invented names must not occur in.
    pub(crate) fn new<'a>(
        rules: impl Iterator<Item = &'a Rule> + Clone,
        all: &(impl Iterator<Item = &'a Rule> + Clone),
    ) -> Self {
        let fresh = fresh_name(all);
        Self {
            askers: askers(rules.clone()),
            domains: domains(rules.clone(), &fresh),
            things: things(rules, &fresh),
        }
    }

    /// Adds what `g` lines speak of, and users, groups and service accounts that rules name.
    pub(crate) fn with_named<'a>(
        mut self,
        rules: impl Iterator<Item = &'a Rule>,
        bindings: impl Iterator<Item = &'a Binding> + Clone,
    ) -> Self {
        let members = bindings.clone().map(|binding| &*binding.member);
        let named: BTreeSet<&str> = rules.map(|rule| &*rule.subject).chain(members).collect();
        let known = |askers: &[Asker], name: &str| askers.iter().any(|asker| asker.title == name);
        for name in named.into_iter().filter(|name| name.contains(':')) {
            if !SERVER_ROLES.contains(&name) && !known(&self.askers, name) {
                self.askers.push(Asker::new(name, &["authenticated", name], &[]));
            }
        }
        let places: BTreeSet<&str> = bindings.map(|binding| &*binding.domain).collect();
        for place in places {
            if place != ANY && !self.domains.iter().any(|(_, domain)| domain == place) {
                self.domains.push((place.to_owned(), place.to_owned()));
            }
        }
        self
    }

    /// Only what is asked in one organization, where one is meant.
    pub(crate) fn within(mut self, organization: Option<&str>) -> Self {
        if let Some(name) = organization {
            self.domains = vec![(name.to_owned(), name.to_owned())];
        }
        self
    }

    /// The most questions that it can come to.
    pub(crate) fn size(&self) -> usize {
        let actions = Action::ALL.len();
        self.askers.len() * self.domains.len() * self.things.len() * actions
    }

    /// All rows, in the order of things.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.things.iter().flat_map(|thing| {
            let kind = thing.kind();
            self.domains.iter().filter(move |(_, domain)| pattern::lies_in(kind, domain)).flat_map(
                move |(label, domain)| {
                    Action::ALL
                        .iter()
                        .filter(move |action| is_row(kind, &thing.object, domain, **action))
                        .map(move |action| Row { label, domain, thing, action: *action })
                },
            )
        })
    }
}

impl Row<'_> {
    /// Asks for somebody.
    pub(crate) fn ask(self, policy: &Policy, asker: &Asker) -> Decision {
        let mut subjects = asker.everywhere.clone();
        if self.domain != SYSTEM_DOMAIN {
            subjects.extend(asker.in_organization.iter().cloned());
        }
        let request = AccessRequest {
            subjects: Vec::new(),
            domain: self.domain.to_owned(),
            object: self.thing.object.clone(),
            action: self.action,
            within_scope: true,
            ceiling: None,
        };
        policy.decide_aside(&subjects, &request)
    }
}

impl Thing {
    fn kind(&self) -> ResourceKind {
        ResourceKind::ALL.get(self.order).copied().unwrap_or(ResourceKind::System)
    }
}

fn askers<'a>(rules: impl Iterator<Item = &'a Rule>) -> Vec<Asker> {
    let mut askers = vec![
        Asker::new("anonymous", &["anonymous"], &[]),
        Asker::new("signed-in", &["authenticated"], &[]),
        Asker::new("member", &["authenticated"], &["role:member"]),
        Asker::new("creator", &["authenticated"], &["role:member", "role:creator"]),
        Asker::new("admin", &["authenticated"], &["role:admin"]),
        Asker::new("owner", &["authenticated"], &["role:owner"]),
        Asker::new("platform-admin", &["authenticated", "role:platform-admin"], &[]),
        Asker::new("anonymous+public", &["anonymous"], &["role:public"]),
        Asker::new("signed-in+public", &["authenticated"], &["role:public"]),
    ];
    let own: BTreeSet<&str> = rules
        .map(|rule| &*rule.subject)
        .filter(|subject| subject.starts_with("role:") && !SERVER_ROLES.contains(subject))
        .collect();
    askers.extend(own.into_iter().map(|role| Asker::new(role, &["authenticated", role], &[])));
    askers
}

/// The system, an organization that no rule names, and each that one does.
fn domains<'a>(rules: impl Iterator<Item = &'a Rule>, fresh: &str) -> Vec<(String, String)> {
    let named: BTreeSet<&str> = rules
        .map(|rule| &*rule.domain)
        .filter(|domain| *domain != ANY && *domain != SYSTEM_DOMAIN)
        .collect();
    let mut domains = vec![
        (SYSTEM_DOMAIN.to_owned(), SYSTEM_DOMAIN.to_owned()),
        (ANY.to_owned(), fresh.to_owned()),
    ];
    domains.extend(named.into_iter().map(|name| (name.to_owned(), name.to_owned())));
    domains
}

/// Each form of object with names that no rule mentions, and each with the names that rules do mention.
fn things<'a>(rules: impl Iterator<Item = &'a Rule>, fresh: &str) -> BTreeSet<Thing> {
    let patterns: BTreeSet<&str> = rules.map(|rule| &*rule.object).chain([REST]).collect();
    patterns
        .into_iter()
        .flat_map(pattern::forms)
        .map(|form| Thing {
            order: ResourceKind::ALL.iter().position(|kind| *kind == form.kind).unwrap_or_default(),
            object: form
                .label
                .split('/')
                .map(|segment| if segment == "*" { fresh } else { segment })
                .collect::<Vec<_>>()
                .join("/"),
            label: form.label,
            general: form.general,
        })
        .collect()
}

/// Whether the table has a row for it: only what the server asks, and of a collection only reading and adding.
fn is_row(kind: ResourceKind, object: &str, domain: &str, action: Action) -> bool {
    let collection = match kind {
        ResourceKind::Organization => domain == SYSTEM_DOMAIN,
        ResourceKind::User
        | ResourceKind::Member
        | ResourceKind::ServiceAccount
        | ResourceKind::Box => !object.contains('/'),
        ResourceKind::Version => object.ends_with("/version"),
        ResourceKind::Provider => object.ends_with("/provider"),
        ResourceKind::Architecture => object.ends_with("/architecture"),
        _ => false,
    };
    let new_organization =
        kind == ResourceKind::Organization && !collection && action == Action::Create;
    pattern::is_asked(action, kind)
        && !new_organization
        && (!collection || matches!(action, Action::Read | Action::Create))
}

/// A name that no rule mentions.
fn fresh_name<'a>(rules: &(impl Iterator<Item = &'a Rule> + Clone)) -> String {
    let mentioned = |name: &str| {
        rules
            .clone()
            .any(|rule| *rule.domain == *name || rule.object.split('/').any(|part| part == name))
    };
    let mut name = "x".to_owned();
    while mentioned(&name) {
        name.push('x');
    }
    name
}
