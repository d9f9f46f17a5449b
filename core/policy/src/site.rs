//! [`Site`]: the rules of a site, read from its files, checked and indexed once.
//!
//! Policies that differ in rules of organizations' own alone share it, so a change of one organization's costs what that
//! organization wrote, however many rules there are beside it.

use crate::error::{PolicyError, Problem};
use crate::evaluator::Evaluator;
use crate::expectations::Expectations;
use crate::files::{PolicyFiles, RULES_FILE};
use crate::index::RuleIndex;
use crate::lint;
use crate::rules::words::PLATFORM_ADMIN;
use crate::rules::{Binding, Rule, RuleSet, model};
use crate::subjects::Subjects;
use crate::validate;

/// The rules of a site, with all that is needed to decide by them.
pub(crate) struct Site {
    /// SHA-256 of all texts, in lower-case hexadecimal.
    pub(crate) digest: String,
    pub(crate) files: PolicyFiles,
    pub(crate) rules: Vec<Rule>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) expectations: Expectations,
    pub(crate) warnings: Vec<Problem>,
    pub(crate) subjects: Subjects,
    pub(crate) index: RuleIndex,
    pub(crate) evaluator: Evaluator,
    platform_admin: Option<u32>,
}

impl Site {
    /// Parses, checks, indexes, and asks Casbin once.
    ///
    /// # Errors
    /// All problems for which the files cannot be read.
    pub(crate) fn read(files: &PolicyFiles) -> Result<Self, PolicyError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        model::check(&files.model, &mut problems);
        let mut set = RuleSet::default();
        for (name, bytes) in &files.rules {
            set.read(name, bytes, &mut problems);
        }
        let mut expectations = Expectations::default();
        for (name, bytes) in &files.tests {
            expectations.read(name, bytes, &mut problems);
        }
        set.check_size(&mut problems);
        validate::check_rules(&mut set, &mut problems, &mut warnings);
        if !problems.is_empty() {
            return Err(PolicyError::Invalid { problems });
        }
        let evaluator = Evaluator::build(model::shipped()).map_err(|error| {
            let message = format!("the rules cannot be evaluated: {error}");
            PolicyError::Invalid { problems: vec![Problem::new(RULES_FILE, 0, 0, message)] }
        })?;
        let subjects = Subjects::new(&set.rules, &set.bindings);
        let index = RuleIndex::new(&set.rules, |name| {
            subjects.find(name).expect("the subject of every rule was numbered")
        });
        let mut site = Self {
            digest: files.digest(),
            files: files.clone(),
            rules: set.rules,
            bindings: set.bindings,
            expectations,
            warnings,
            platform_admin: subjects.find(PLATFORM_ADMIN),
            subjects,
            index,
            evaluator,
        };
        let found = lint::of_site(&site);
        site.warnings.extend(found);
        Ok(site)
    }

    /// Whether a subject is the role of platform admins.
    pub(crate) fn is_platform_admin(&self, subject: u32) -> bool {
        Some(subject) == self.platform_admin
    }
}
