//! Nobody grants more than they may do themselves.
//!
//! What a line gives is asked piece by piece: each form of object that its pattern can match, each action. Whoever puts
//! it in force must be allowed all of that by one rule as wide, and no deny of the site's may touch it. Denies of the
//! organization's own do not count against them: they may take those out.

use boxvault_types::action::{Action, ResourceKind};

use super::Overlay;
use crate::domain::DomainRules;
use crate::error::Problem;
use crate::pattern;
use crate::policy::Policy;
use crate::request::AccessRequest;
use crate::rules::words::ANY;
use crate::rules::{REST, Rule, RuleSet};

const HINT: &str = "give less, or ask a platform admin to put this in force";

/// Everything that lines of a new overlay give and `editor` may not do by the policy in force.
pub(crate) fn check(
    policy: &Policy,
    overlay: &Overlay,
    own: &RuleSet,
    editor: &AccessRequest,
) -> Vec<Problem> {
    let editor = Editor::new(policy, overlay.organization(), editor);
    let mut problems = Vec::new();
    for rule in own.rules.iter().filter(|rule| rule.allow) {
        if let Some(beyond) = editor.beyond(rule) {
            let problem = Problem::new(&rule.source.file, rule.source.line, 0, beyond);
            problems.push(problem.hint(HINT));
        }
    }
    for binding in own.bindings.iter().filter(|binding| !binding.role.contains('/')) {
        // what roles of their own give is looked at where it stands
        let held = editor.rules.held_by_site(&binding.role);
        let is_of_role = |rule: &&Rule| {
            let names = held.iter().map(|held| editor.rules.name(held.subject));
            rule.allow && editor.is_there(rule) && names.into_iter().any(|it| it == &*rule.subject)
        };
        let mut of_role = policy.site_rules().iter().filter(is_of_role);
        let beyond = of_role.find_map(|rule| editor.beyond(rule));
        if let Some(beyond) = beyond {
            let source = &binding.source;
            let message = format!("{} gives more than you have: {beyond}", binding.role);
            problems.push(Problem::new(&source.file, source.line, 0, message).hint(HINT));
        }
    }
    problems
}

/// Somebody who writes rules for an organization.
struct Editor<'a> {
    /// Those that count in the organization.
    rules: DomainRules<'a>,
    domain: &'a str,
    subjects: Vec<u32>,
    /// The site's denies that reach them.
    denies: Vec<&'a Rule>,
}

impl<'a> Editor<'a> {
    fn new(policy: &'a Policy, domain: &'a str, request: &AccessRequest) -> Self {
        let rules = policy.rules_in(domain);
        let held = rules.held(request.subjects(), REST);
        let subjects: Vec<u32> = held.into_iter().map(|held| held.subject).collect();
        let mut editor = Self { rules, domain, subjects, denies: Vec::new() };
        let reach = |rule: &&Rule| {
            let id = rules.find(&rule.subject);
            !rule.allow
                && editor.is_there(rule)
                && id.is_some_and(|id| editor.subjects.contains(&id))
        };
        editor.denies = policy.site_rules().iter().filter(reach).collect();
        editor
    }

    fn is_there(&self, rule: &Rule) -> bool {
        *rule.domain == *ANY || *rule.domain == *self.domain
    }

    /// The first thing that a rule allows and the editor may not do.
    fn beyond(&self, rule: &Rule) -> Option<String> {
        let forms = pattern::forms(&rule.object).into_iter();
        let forms = forms.filter(|form| {
            form.kind != ResourceKind::Rules && pattern::lies_in(form.kind, self.domain)
        });
        let mut questions = forms.flat_map(|form| {
            let asked = Action::ALL.iter().copied().filter(move |action| {
                pattern::is_asked(*action, form.kind) && rule.action.is_none_or(|it| it == *action)
            });
            asked.map(move |action| (form.label.clone(), action)).collect::<Vec<_>>()
        });
        questions
            .find(|(object, action)| !self.may(object, *action))
            .map(|(object, action)| format!("you may not {action} {object} yourself"))
    }

    /// Whether the editor may do something with everything that a form of object stands for.
    fn may(&self, object: &str, action: Action) -> bool {
        let meets = |rule: &Rule| {
            rule.action.is_none_or(|known| known == action) && pattern::meet(&rule.object, object)
        };
        self.rules.covers(&self.subjects, object, action)
            && !self.denies.iter().any(|deny| meets(deny))
    }
}
