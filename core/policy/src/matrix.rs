//! Prints who may do what as a text table, so that a change of rules can be read as a change of rights.
//!
//! The table is made by asking the policy, not by reading its rules. It speaks of an organization, a box and a user
//! that no rule names; names that rules do mention get rows of their own.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};

use boxvault_types::action::{Action, SYSTEM_DOMAIN};
use serde::Serialize;

use crate::grid::{Asker, Grid};
use crate::policy::Policy;
use crate::request::Reason;
use crate::rules::words::ANY;

const HEADER: &str = "\
# Who may do what, printed from model.conf and the rules in this folder; do not edit by hand.
# One line for each object and action that anybody may, except what a platform admin alone may.
#   yes   allowed        .   no rule allows it        deny   a rule denies it
# In: - is the system, * is an organization that no rule names, else the organization.
# A creator is a member who created the box. The columns with +public are about a thing that everybody may see.

";

/// Who may do what: a row for each thing and action, a column for each asker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// The titles of the columns.
    pub askers: Vec<String>,
    /// What there is to say, in the order of kinds of things.
    pub rows: Vec<MatrixRow>,
}

/// An action on a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatrixRow {
    /// `-`, `*` for an organization that no rule names, or an organization.
    pub domain: String,
    /// The object; `*` in it is a name that no rule mentions.
    pub object: String,
    /// What is to be done.
    pub action: Action,
    /// For each asker `yes`, `.` (no rule allows it) or `deny`.
    pub answers: Vec<&'static str>,
}

/// Makes the table of a policy: role × object × action.
pub fn matrix(policy: &Policy) -> Matrix {
    let grid = Grid::new(policy.rules(), &policy.rules());
    let mut rows = Vec::new();
    let mut of_any_name = HashMap::new();
    for row in grid.rows() {
        let answers: Vec<&'static str> =
            grid.askers.iter().map(|asker| cell(row.ask(policy, asker).reason)).collect();
        // a thing that rules name has rows only where it differs from any other; those come first
        let place = (row.domain, row.thing.general.as_str(), row.action);
        if row.thing.label == row.thing.general {
            of_any_name.insert(place, answers.clone());
        } else if of_any_name.get(&place) == Some(&answers) {
            continue;
        }
        if says_something(&answers, &grid.askers) {
            rows.push(MatrixRow {
                domain: row.label.to_owned(),
                object: row.thing.label.clone(),
                action: row.action,
                answers,
            });
        }
    }
    // an organization that rules name has rows only where it differs from any other
    let of_any: HashSet<_> = rows
        .iter()
        .filter(|row| row.domain == ANY)
        .map(|row| (row.object.clone(), row.action, row.answers.clone()))
        .collect();
    rows.retain(|row| {
        row.domain == ANY
            || row.domain == SYSTEM_DOMAIN
            || !of_any.contains(&(row.object.clone(), row.action, row.answers.clone()))
    });
    Matrix { askers: grid.askers.into_iter().map(|asker| asker.title).collect(), rows }
}

/// The word of the table for an answer.
pub(crate) fn cell(reason: Reason) -> &'static str {
    match reason {
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

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head =
            ["in", "object", "action"].into_iter().chain(self.askers.iter().map(String::as_str));
        let rows = self.rows.iter().map(|row| {
            let head = [row.domain.as_str(), row.object.as_str(), row.action.as_str()];
            head.into_iter().chain(row.answers.iter().copied()).collect()
        });
        let rows: Vec<Vec<&str>> = [head.collect()].into_iter().chain(rows).collect();
        let columns = rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max()
        };
        let widths: Vec<usize> =
            (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        f.write_str(HEADER)?;
        for row in rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                write!(line, "{cell:width$}  ")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = include_str!("../../../policies/model.conf");

    #[test]
    fn the_committed_matrix_is_what_the_shipped_rules_say() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../policies/access-matrix.txt");
        let printed = matrix(&Policy::embedded().unwrap()).to_string();
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
        let text = matrix(&policy).to_string();
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
