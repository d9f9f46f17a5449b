//! [`OwnRules`]: an overlay that was read, beside the rules of a site.

use std::sync::Arc;

use super::{Overlay, OverlayState};
use crate::error::Problem;
use crate::index::RuleIndex;
use crate::lint;
use crate::request::RuleRef;
use crate::rules::{Binding, REST, Rule, RuleSet};
use crate::site::Site;
use crate::subjects::OwnSubjects;

/// Whom the rules speak of that close an organization; platform admins are excepted by how is decided.
const EVERYBODY: [&str; 2] = ["anonymous", "authenticated"];

/// The rules of one organization's own, with all that is needed to decide by them.
pub(crate) struct OwnRules {
    pub(crate) overlay: Overlay,
    pub(crate) state: OverlayState,
    pub(crate) rules: Vec<Rule>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) subjects: OwnSubjects,
    /// By the places that [`OwnSubjects`] gives.
    pub(crate) index: RuleIndex,
    /// How many rules the site has.
    pub(crate) rules_before: u32,
}

impl OwnRules {
    /// Reads an overlay. One that cannot be read closes its organization.
    pub(crate) fn read(site: &Site, overlay: Overlay) -> Self {
        match overlay.read() {
            Ok(set) => Self::of_set(site, overlay, set),
            Err(problems) => Self::closed(site, overlay, problems),
        }
    }

    /// Takes an overlay that was read.
    pub(crate) fn of_set(site: &Site, overlay: Overlay, set: RuleSet) -> Self {
        let RuleSet { rules, bindings, .. } = set;
        let state = OverlayState {
            version: overlay.version,
            rules: rules.len(),
            bindings: bindings.len(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        let mut own = Self::index(site, overlay, state, rules, bindings);
        own.state.warnings = lint::of_organization(site, &own);
        own
    }

    /// The rules by which an organization is closed.
    pub(crate) fn closed(site: &Site, overlay: Overlay, problems: Vec<Problem>) -> Self {
        let organization: Arc<str> = overlay.organization().into();
        let file: Arc<str> = overlay.file().into();
        let rules = EVERYBODY.map(|subject| {
            let text = format!("p, {subject}, {organization}, {REST}, *, deny");
            Rule {
                subject: subject.into(),
                domain: Arc::clone(&organization),
                object: REST.into(),
                action: None,
                allow: false,
                source: Arc::new(RuleRef { file: Arc::clone(&file), line: 0, text }),
            }
        });
        let (version, warnings) = (overlay.version, Vec::new());
        let state = OverlayState { version, rules: 0, bindings: 0, problems, warnings };
        Self::index(site, overlay, state, rules.into(), Vec::new())
    }

    fn index(
        site: &Site,
        overlay: Overlay,
        state: OverlayState,
        rules: Vec<Rule>,
        bindings: Vec<Binding>,
    ) -> Self {
        let number = |length| u32::try_from(length).expect("lines are limited in number");
        let bindings_before = number(site.bindings.len());
        let subjects = OwnSubjects::new(&site.subjects, bindings_before, &rules, &bindings);
        let index = RuleIndex::new(&rules, |name| {
            let id = site.subjects.find(name).or_else(|| subjects.find(name));
            id.and_then(|id| subjects.place(id)).expect("the subject of every rule has a place")
        });
        let rules_before = number(site.rules.len());
        Self { overlay, state, rules, bindings, subjects, index, rules_before }
    }

    /// Its lines, as far as they are limited together with those of all others.
    pub(crate) fn lines(&self) -> usize {
        self.state.rules + self.state.bindings
    }

    /// Whether it cannot be read, so that its organization is closed.
    pub(crate) fn is_closed(&self) -> bool {
        !self.state.problems.is_empty()
    }

    /// Whether any rule speaks of a subject.
    pub(crate) fn has_rules_for(&self, subject: u32) -> bool {
        self.subjects.place(subject).is_some_and(|place| self.index.knows(place))
    }

    /// Where the index has some subjects.
    pub(crate) fn places_of(&self, subjects: &[u32]) -> impl Iterator<Item = u32> {
        subjects.iter().filter_map(|subject| self.subjects.place(*subject))
    }
}
