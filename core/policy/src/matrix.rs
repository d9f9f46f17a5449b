//! Prints who may do what as a text table, so that a change of rules can be read as a change of rights.
//!
//! The table is made by asking the policy, not by reading its rules. It speaks of an organization, a box and a user
//! that no rule names; names that rules do mention get rows of their own.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use boxvault_types::action::{Action, ResourceKind, SYSTEM_DOMAIN};

use crate::pattern;
use crate::policy::Policy;
use crate::request::{AccessRequest, Reason};
use crate::rules::words::{ANY, SERVER_ROLES};

const HEADER: &str = "\
# Who may do what, printed from model.conf and the rules in this folder; do not edit by hand.
# One line for each object and action that anybody may, except what a platform admin alone may.
#   yes   allowed        .   no rule allows it        deny   a rule denies it
# In: - is the system, * is an organization that no rule names, else the organization.
# A creator is a member who created the box. The columns with +public are about a thing that everybody may see.

";

/// Somebody of whom the table has a column.
struct Asker {
    title: String,
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
struct Thing {
    /// The place of its kind in the vocabulary, so that rows come in that order.
    order: usize,
    label: String,
    object: String,
}

/// Prints the table of a policy: role × object × action.
pub fn matrix(policy: &Policy) -> String {
    let fresh = fresh_name(policy);
    let askers = askers(policy);
    let mut rows = vec![
        ["in", "object", "action"]
            .into_iter()
            .map(str::to_owned)
            .chain(askers.iter().map(|asker| asker.title.clone()))
            .collect::<Vec<String>>(),
    ];
    let domains = domains(policy, &fresh);
    for thing in things(policy, &fresh) {
        let Some(kind) = ResourceKind::ALL.get(thing.order).copied() else { continue };
        for (label, domain) in &domains {
            if !lies_in(kind, &thing.object, domain) {
                continue;
            }
            for action in Action::ALL {
                if !is_row(kind, &thing.object, domain, *action) {
                    continue;
                }
                let cells: Vec<&str> = askers
                    .iter()
                    .map(|asker| cell(policy, asker, &thing.object, domain, *action))
                    .collect();
                if says_something(&cells, &askers) {
                    let head = [label.as_str(), thing.label.as_str(), action.as_str()];
                    rows.push(head.iter().chain(&cells).map(|text| (*text).to_owned()).collect());
                }
            }
        }
    }
    // an organization that rules name has rows only where it differs from any other
    let others: BTreeSet<Vec<String>> = rows
        .iter()
        .filter(|row| row.first().is_some_and(|label| label == ANY))
        .map(|row| row.iter().skip(1).cloned().collect())
        .collect();
    rows.retain(|row| {
        let named = row.first().is_some_and(|label| {
            label != ANY && domains.iter().skip(2).any(|(known, _)| known == label)
        });
        !named || !others.contains(&row.iter().skip(1).cloned().collect::<Vec<_>>())
    });
    table(&rows)
}

fn askers(policy: &Policy) -> Vec<Asker> {
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
    let own: BTreeSet<&str> = policy
        .rules()
        .iter()
        .map(|rule| &*rule.subject)
        .filter(|subject| subject.starts_with("role:") && !SERVER_ROLES.contains(subject))
        .collect();
    askers.extend(own.into_iter().map(|role| Asker::new(role, &["authenticated"], &[role])));
    askers
}

/// The system, an organization that no rule names, and each that one does.
fn domains(policy: &Policy, fresh: &str) -> Vec<(String, String)> {
    let named: BTreeSet<&str> = policy
        .rules()
        .iter()
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

/// Each form of object with names that no rule mentions, and each object that rules do mention.
fn things(policy: &Policy, fresh: &str) -> BTreeSet<Thing> {
    let named = policy.rules().iter().filter_map(|rule| {
        let path = rule.object.strip_suffix("/**").unwrap_or(&rule.object);
        let kind = pattern::check(path).ok()?.first().copied()?;
        (path != "**").then(|| (kind, path.to_owned()))
    });
    pattern::forms()
        .chain(named)
        .map(|(kind, label)| Thing {
            order: ResourceKind::ALL.iter().position(|known| *known == kind).unwrap_or_default(),
            object: label
                .split('/')
                .map(|segment| if segment == "*" { fresh } else { segment })
                .collect::<Vec<_>>()
                .join("/"),
            label,
        })
        .collect()
}

/// Whether such an object exists in the domain: most belong either to organizations or to the system.
fn lies_in(kind: ResourceKind, object: &str, domain: &str) -> bool {
    let of_system = domain == SYSTEM_DOMAIN;
    match kind {
        ResourceKind::Organization | ResourceKind::Audit | ResourceKind::Storage => true,
        ResourceKind::Suspension
        | ResourceKind::Invitation
        | ResourceKind::JoinRequest
        | ResourceKind::Member
        | ResourceKind::ServiceAccount
        | ResourceKind::Box
        | ResourceKind::Version
        | ResourceKind::Provider
        | ResourceKind::Architecture
        | ResourceKind::File => !of_system,
        // written out, so that a new kind of thing does not go missing
        ResourceKind::Setup
        | ResourceKind::Account
        | ResourceKind::Session
        | ResourceKind::Profile
        | ResourceKind::Token
        | ResourceKind::User
        | ResourceKind::Policy
        | ResourceKind::System => of_system && !object.is_empty(),
    }
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

fn cell(
    policy: &Policy,
    asker: &Asker,
    object: &str,
    domain: &str,
    action: Action,
) -> &'static str {
    let mut subjects = asker.everywhere.clone();
    if domain != SYSTEM_DOMAIN {
        subjects.extend(asker.in_organization.iter().cloned());
    }
    let decision = policy.decide(&AccessRequest {
        subjects,
        domain: domain.to_owned(),
        object: object.to_owned(),
        action,
        within_scope: true,
        ceiling: None,
    });
    match decision.reason {
        Reason::Allowed => "yes",
        Reason::Denied => "deny",
        Reason::NoRule => ".",
        Reason::TokenScope | Reason::Failed => "failed",
    }
}

/// Whether a row says more than "a platform admin alone".
fn says_something(cells: &[&str], askers: &[Asker]) -> bool {
    cells.iter().zip(askers).any(|(cell, asker)| match asker.title.as_str() {
        "platform-admin" => *cell != "yes",
        _ => *cell != ".",
    })
}

/// A name that no rule mentions.
fn fresh_name(policy: &Policy) -> String {
    let mentioned = |name: &str| {
        policy
            .rules()
            .iter()
            .any(|rule| *rule.domain == *name || rule.object.split('/').any(|part| part == name))
    };
    let mut name = "x".to_owned();
    while mentioned(&name) {
        name.push('x');
    }
    name
}

fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = HEADER.to_owned();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // writing to a String cannot fail
            let _written = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = include_str!("../../../policies/model.conf");

    #[test]
    fn the_committed_matrix_is_what_the_shipped_rules_say() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../policies/access-matrix.txt");
        let printed = matrix(&Policy::embedded().unwrap());
        if std::env::var_os("BOXVAULT_UPDATE_MATRIX").is_some_and(|value| value == "1") {
            std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .open(&path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, printed.as_bytes()))
                .unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            printed == committed,
            "policies/access-matrix.txt differs from the rules. If the change of rights is meant, run\n  \
             BOXVAULT_UPDATE_MATRIX=1 cargo nextest run -p boxvault-policy matrix\nand review it. \
             The rules say:\n{printed}"
        );
    }

    #[test]
    fn a_rule_of_a_site_shows_in_the_matrix() {
        let policy = Policy::from_texts(
            MODEL,
            &[(
                "policy.csv",
                "p, role:platform-admin, *, **, *, allow\n\
             p, role:platform-admin, *, box/*, delete, deny\n\
             p, role:member, acme, box/gold/**, read, allow\n\
             p, role:releaser, *, box/*/version/*, release, allow\n\
             g, group:ldap:releasers, role:releaser, *\n",
            )],
        )
        .unwrap();
        let text = matrix(&policy);
        let row = |start: &[&str]| {
            text.lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>())
                .find(|row| row.starts_with(start))
                .unwrap_or_default()
        };
        assert_eq!(
            row(&["in"])[3..],
            [
                "anonymous",
                "signed-in",
                "member",
                "creator",
                "admin",
                "owner",
                "platform-admin",
                "anonymous+public",
                "signed-in+public",
                "role:releaser"
            ]
        );
        assert_eq!(row(&["*", "box/*", "delete"])[9], "deny");
        assert_eq!(row(&["*", "box/*/version/*", "release"])[12], "yes");
        assert_eq!(row(&["acme", "box/gold", "read"])[5], "yes");
        assert!(row(&["*", "box/gold", "read"]).is_empty());
    }
}
