//! [`Overlay`]: the rules of an organization's own, beside those of the site.
//!
//! An overlay speaks of its organization alone (`rules/own.rs` holds that word by word), so it changes no decision
//! about anything else. Two things hold however it is written, and also when members, names or the site's files change
//! later, because decisions are made so: on the object `rules` it has no say, so that whoever may mend it still may;
//! and neither its denies nor its `g` lines count for platform admins, so that it locks none out.
//!
//! One that cannot be read (after an upgrade, or an edit of the database) must not be a reason for a server not to
//! start, nor may a deny in it be lost. So nobody gets at what that organization has, but platform admins, until it is
//! mended; every other organization notices nothing.

mod grants;
mod own_rules;

use std::collections::HashMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::error::Problem;
use crate::rules::csv::{self, Place};
use crate::rules::{RuleSet, is_silent};
use crate::site::Site;
use crate::validate;

pub(crate) use grants::check as check_grants;
pub(crate) use own_rules::OwnRules;

/// Lines of all overlays together: half a KiB of memory each.
pub(crate) const LINES_MAX: usize = 200_000;

/// The rules of one organization's own, as a version of them. A copy shares its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    organization: Arc<str>,
    version: i64,
    text: Arc<str>,
}

/// How large the rules of one organization may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverlayLimits {
    /// The text, in bytes.
    pub bytes_max: u64,
    /// `p` and `g` lines together.
    pub lines_max: usize,
}

/// What became of an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayState {
    /// The number of its version.
    pub version: i64,
    /// How many `p` lines it has.
    pub rules: usize,
    /// How many `g` lines it has.
    pub bindings: usize,
    /// Why it cannot be read, so that the organization is closed. Empty while it is in force.
    pub problems: Vec<Problem>,
    /// What looks like a mistake, but does no harm.
    pub warnings: Vec<Problem>,
}

impl Overlay {
    /// Takes a text that was written when the organization was called `written_for`: what it says of that name it says
    /// of the present one. Names are in lower case.
    pub fn new(organization: &str, version: i64, text: &str, written_for: &str) -> Self {
        let text = if written_for == organization {
            text.into()
        } else {
            renamed(text, written_for, organization).into()
        };
        Self { organization: organization.into(), version, text }
    }

    /// The organization's name, in lower case.
    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// The number of its version; 0 for one that is none yet.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The rules, about the organization by its present name.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text, in lower-case hexadecimal.
    pub fn digest(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.text.as_bytes()))
    }

    /// The name by which problems and decisions tell of it: no file of a site can have it.
    pub fn file(&self) -> String {
        format!("{}/policy.csv", self.organization)
    }

    /// Reads the lines, each of which is about its organization.
    pub(crate) fn read(&self) -> Result<RuleSet, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut set = RuleSet::of_organization(&self.organization);
        // no rules at all are no file that was cut off
        if !self.text.is_empty() {
            set.read(&self.file(), self.text.as_bytes(), &mut problems);
        }
        if problems.is_empty() { Ok(set) } else { Err(problems) }
    }

    /// Reads the lines of a new text, and checks what they have to do with each other and how many they are.
    pub(crate) fn read_new(&self, limits: OverlayLimits) -> Result<RuleSet, Vec<Problem>> {
        let whole = |message: String, hint: &str| {
            vec![Problem::new(&self.file(), 0, 0, message).hint(hint)]
        };
        let bytes = self.text.len() as u64;
        if bytes > limits.bytes_max {
            let message = format!("{bytes} bytes are more than {}", limits.bytes_max);
            let hint = "shorten it, or raise limits.organization_policy_bytes_max";
            return Err(whole(message, hint));
        }
        let mut set = self.read()?;
        let mut problems = Vec::new();
        validate::check_own(&mut set, &mut problems);
        let lines = set.rules.len() + set.bindings.len();
        if lines > limits.lines_max {
            let message = format!("{lines} lines are more than {}", limits.lines_max);
            let hint = "give rights to roles, or raise limits.organization_policy_lines_max";
            problems.extend(whole(message, hint));
        }
        if problems.is_empty() { Ok(set) } else { Err(problems) }
    }
}

/// Puts overlays beside a site, in their order: those that are read already, and did not change, stay as they are. One
/// that cannot be read closes its organization.
pub(crate) fn put_beside(
    site: &Site,
    known: &HashMap<Arc<str>, Arc<OwnRules>>,
    overlays: Vec<Overlay>,
) -> HashMap<Arc<str>, Arc<OwnRules>> {
    let mut room = LINES_MAX;
    let mut own = HashMap::with_capacity(overlays.len());
    for overlay in overlays {
        let before = known.get(&*overlay.organization);
        let kept = before.filter(|kept| !kept.is_closed() && kept.overlay == overlay);
        let read = kept.cloned().unwrap_or_else(|| Arc::new(OwnRules::read(site, overlay)));
        let read = if let Some(left) = room.checked_sub(read.lines()) {
            room = left;
            read
        } else {
            let (overlay, problem) = (read.overlay.clone(), too_many(&read.overlay));
            Arc::new(OwnRules::closed(site, overlay, vec![problem]))
        };
        own.insert(Arc::clone(&read.overlay.organization), read);
    }
    own
}

/// That all organizations together may not have so many lines.
pub(crate) fn too_many(overlay: &Overlay) -> Problem {
    let message = format!("all organizations together have more than {LINES_MAX} lines");
    Problem::new(&overlay.file(), 0, 0, message)
        .hint("give rights to roles, not to single boxes or people")
}

/// Writes another name for an organization wherever its rules speak of it; comments and all else stay.
fn renamed(text: &str, was: &str, now: &str) -> String {
    let lines = text.split('\n').map(|line| {
        if is_silent(line) {
            return line.to_owned();
        }
        let Ok(fields) = csv::fields(Place { file: "", line: 0 }, line) else {
            return line.to_owned();
        };
        let domain = if fields.first().is_some_and(|kind| kind.text == "p") { 2 } else { 3 };
        let mut characters: Vec<char> = line.chars().collect();
        // from the end, so that places before it stay
        for (place, field) in fields.iter().enumerate().rev() {
            let before = ["role:", "service:"].into_iter().find(|form| {
                let name = field.text.strip_prefix(form).and_then(|name| name.strip_prefix(was));
                name.is_some_and(|rest| rest.starts_with('/'))
            });
            let before = match before {
                Some(form) => form.len(),
                None if place == domain && field.text == was => 0,
                None => continue,
            };
            let first = field.column as usize - 1;
            let quote = usize::from(characters.get(first) == Some(&'"'));
            let start = first + quote + before;
            characters.splice(start..start + was.len(), now.chars());
        }
        characters.into_iter().collect()
    });
    lines.collect::<Vec<_>>().join("\n")
}
