//! Which store takes a new file: `[storage.rules.<name>]`, each a condition and a store.
//!
//! Rules have no order that a file would have to keep: of those that fit, the most specific one holds. One that names
//! the organization stands before one that does not, then the one with the larger `larger_than`.

use std::collections::BTreeMap;

use boxvault_types::{byte_count::ByteCount, names::OrganizationName};
use serde::{Deserialize, Serialize};

/// One `[storage.rules.<name>]`. What it does not name, it does not ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacementRule {
    /// Organizations whose files it is for. None: those of all.
    #[serde(default)]
    pub organizations: Vec<OrganizationName>,
    /// Files with more bytes than this. Not set: of any size.
    #[serde(default)]
    pub larger_than: Option<ByteCount>,
    /// The store that takes them.
    pub store: String,
}

impl PlacementRule {
    /// Whether it names an organization.
    fn names(&self, organization: &OrganizationName) -> bool {
        self.organizations.iter().any(|name| name.key() == organization.key())
    }

    fn is_for(&self, organization: &OrganizationName) -> bool {
        self.organizations.is_empty() || self.names(organization)
    }

    /// How much it asks for: the greater one holds.
    fn weight(&self) -> (bool, Option<u64>) {
        (!self.organizations.is_empty(), self.larger_than.map(ByteCount::bytes))
    }

    /// Whether no file can tell which of two rules holds.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        self.weight() == other.weight()
            && self.store != other.store
            && (self.organizations.is_empty()
                || self.organizations.iter().any(|name| other.names(name)))
    }
}

/// The store that the rules name for a file of an organization; nothing where none fits. A file whose size nobody told
/// is taken for a small one.
pub(crate) fn placed<'a>(
    rules: &'a BTreeMap<String, PlacementRule>,
    organization: &OrganizationName,
    size_bytes: Option<u64>,
) -> Option<&'a str> {
    let size = size_bytes.unwrap_or(0);
    rules
        .values()
        .filter(|rule| rule.is_for(organization))
        .filter(|rule| rule.larger_than.is_none_or(|bound| size > bound.bytes()))
        .max_by_key(|rule| rule.weight())
        .map(|rule| rule.store.as_str())
}

/// The sizes from which on another rule may hold for an organization, smallest first.
pub(crate) fn bounds(
    rules: &BTreeMap<String, PlacementRule>,
    organization: &OrganizationName,
) -> Vec<u64> {
    let fitting = rules.values().filter(|rule| rule.is_for(organization));
    let mut bounds: Vec<u64> =
        fitting.filter_map(|rule| rule.larger_than.map(ByteCount::bytes)).collect();
    bounds.sort_unstable();
    bounds.dedup();
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> OrganizationName {
        OrganizationName::parse(text).unwrap()
    }

    fn rule(organizations: &[&str], larger_than: Option<u64>, store: &str) -> PlacementRule {
        PlacementRule {
            organizations: organizations.iter().map(|text| name(text)).collect(),
            larger_than: larger_than.map(ByteCount),
            store: store.to_owned(),
        }
    }

    fn rules() -> BTreeMap<String, PlacementRule> {
        [
            ("a", rule(&[], Some(10), "large")),
            ("b", rule(&[], Some(100), "huge")),
            ("c", rule(&["Acme"], None, "acme")),
            ("d", rule(&["acme", "globex"], Some(50), "fast")),
        ]
        .map(|(key, rule)| (key.to_owned(), rule))
        .into()
    }

    #[test]
    fn of_the_rules_that_fit_the_most_specific_one_holds() {
        for (organization, size, store) in [
            ("other", Some(10), None),
            ("other", Some(11), Some("large")),
            ("other", Some(101), Some("huge")),
            ("other", None, None),
            ("acme", None, Some("acme")),
            ("ACME", Some(50), Some("acme")),
            ("acme", Some(1000), Some("fast")),
            ("globex", Some(20), Some("large")),
            ("globex", Some(51), Some("fast")),
        ] {
            assert_eq!(
                placed(&rules(), &name(organization), size),
                store,
                "{organization} {size:?}"
            );
        }
        assert_eq!(bounds(&rules(), &name("globex")), [10, 50, 100]);
        assert_eq!(bounds(&rules(), &name("other")), [10, 100]);
    }

    #[test]
    fn two_rules_for_the_same_files_and_other_stores_contradict_each_other() {
        let one = rule(&["acme"], Some(10), "a");
        assert!(one.contradicts(&rule(&["globex", "ACME"], Some(10), "b")));
        for other in [
            rule(&["acme"], Some(10), "a"),
            rule(&["acme"], Some(11), "b"),
            rule(&["globex"], Some(10), "b"),
            rule(&[], Some(10), "b"),
        ] {
            assert!(!one.contradicts(&other), "{other:?}");
        }
        assert!(rule(&[], None, "a").contradicts(&rule(&[], None, "b")));
    }
}
