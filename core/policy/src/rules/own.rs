//! What the rules of an organization's own may speak of: that organization, and nothing else.
//!
//! Each word is looked at where it is read, so that a rule about something else is an error at its column and never
//! part of a policy. Roles of an organization's own begin with its name, `role:acme/release-manager`: so they are
//! never taken for a role of the server, of the site's files or of another organization, whatever those add later.

use boxvault_types::action::{Action, ResourceKind};

use super::words::{PLATFORM_ADMIN, SERVER_ROLES, WordProblem};
use crate::pattern;

/// What everybody may be allowed.
const FOR_EVERYBODY: [Action; 3] = [Action::Read, Action::Download, Action::Watch];
/// Roles of the server that an organization's own rules may give.
const GIVEN: [&str; 3] = ["role:owner", "role:admin", "role:member"];

fn problem(message: String, hint: String) -> WordProblem {
    WordProblem { message, hint: Some(hint) }
}

/// A subject in the files of a site: roles of organizations are not theirs to speak of.
pub(crate) fn check_site(subject: &str) -> Option<WordProblem> {
    let name = subject.strip_prefix("role:")?;
    name.contains('/').then(|| {
        problem(
            format!("{subject:?} is a role of an organization's own rules"),
            "name a role of your own without '/'".to_owned(),
        )
    })
}

/// A subject in an organization's own rules.
pub(crate) fn check_subject(own: &str, subject: &str) -> Option<WordProblem> {
    let (form, name) = subject.split_once(':')?;
    let whose = name.split_once('/').map(|(whose, _)| whose);
    match (form, whose) {
        ("role", _) if subject == PLATFORM_ADMIN => Some(problem(
            "what platform admins may is not up to an organization".to_owned(),
            "take the line out; what is denied here does not count for them either".to_owned(),
        )),
        ("role", None) if SERVER_ROLES.contains(&subject) => None,
        ("role", None) => Some(problem(
            format!("{subject:?} is no role of this organization"),
            format!("begin it with the organization's name: role:{own}/{name}"),
        )),
        ("role" | "service", Some(whose)) if whose != own => Some(problem(
            format!("{subject:?} belongs to another organization"),
            format!("here it begins with {form}:{own}/"),
        )),
        _ => None,
    }
}

/// A domain in an organization's own rules.
pub(crate) fn check_domain(own: &str, domain: &str) -> Option<WordProblem> {
    (domain != own).then(|| {
        problem(
            format!("{domain:?} is not this organization, and these rules are about no other"),
            format!("write {own}"),
        )
    })
}

/// An object in an organization's own rules.
pub(crate) fn check_object(own: &str, object: &str) -> Option<WordProblem> {
    let kinds = pattern::check(object).ok()?;
    if kinds == [ResourceKind::Rules] {
        return Some(problem(
            "who may read and change these rules is not up to them".to_owned(),
            "take the line out; the site's files say it".to_owned(),
        ));
    }
    (!kinds.iter().any(|kind| pattern::lies_in(*kind, own))).then(|| {
        problem(
            format!("{object:?} belongs to the system, not to an organization"),
            "write what lies in the organization, for instance box/**".to_owned(),
        )
    })
}

/// An action that an organization's own rules allow somebody.
pub(crate) fn check_allowed(subject: &str, action: Option<Action>) -> Option<WordProblem> {
    let everybody = matches!(subject, "anonymous" | "authenticated" | "role:public");
    let harmless = action.is_some_and(|action| FOR_EVERYBODY.contains(&action));
    (everybody && !harmless).then(|| {
        problem(
            format!(
                "{subject:?} is everybody, who may be allowed to read, download and watch only"
            ),
            "allow it a role, a user or a group".to_owned(),
        )
    })
}

/// Who is given a role by an organization's own rules.
pub(crate) fn check_member(own: &str, member: &str) -> Option<WordProblem> {
    if member == "authenticated" {
        return Some(problem(
            "everybody who is signed in would have this role".to_owned(),
            "name users, groups, or roles of the organization".to_owned(),
        ));
    }
    check_subject(own, member)
}

/// A role that an organization's own rules give.
pub(crate) fn check_role(own: &str, role: &str) -> Option<WordProblem> {
    if GIVEN.contains(&role) { None } else { check_subject(own, role) }
}
