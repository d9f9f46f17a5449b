//! The policy from outside: the shipped rules, and what a decision depends on.

use crate::Policy;

#[test]
fn the_shipped_rules_build() {
    let policy = Policy::embedded().unwrap();
    assert!(policy.rules_count() > 30);
    assert_eq!(policy.warnings(), []);
}
