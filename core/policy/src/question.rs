//! The words of a question, checked one by one: each mistake says what to write instead.

use boxvault_types::action::{Action, ResourceKind, SYSTEM_DOMAIN};

use crate::pattern;
use crate::rules::words::{self, ANY, WordProblem, did_you_mean};

/// What a caller always is, one or the other.
const EVERYBODY: [&str; 2] = ["anonymous", "authenticated"];
/// The most subjects of one caller: more than a directory has groups of one person.
const SUBJECTS_MAX: usize = 1_000;

/// Takes a list of subjects apart, and adds `authenticated` where it says neither that nor `anonymous`.
///
/// They are separated by commas. A directory's group may hold some itself (`group:ldap:CN=a,OU=b`), so a part that
/// begins like no subject goes on with the one before.
pub(crate) fn subjects(text: &str) -> Result<Vec<String>, WordProblem> {
    let mut subjects: Vec<String> = Vec::new();
    for part in text.split(',') {
        match subjects.last_mut() {
            Some(before) if before.starts_with("group:") && !begins_a_subject(part.trim()) => {
                before.push(',');
                before.push_str(part);
            }
            _ => subjects.push(part.trim().to_owned()),
        }
    }
    if subjects.len() > SUBJECTS_MAX {
        return Err(WordProblem {
            message: format!("more than {SUBJECTS_MAX} subjects"),
            hint: None,
        });
    }
    for subject in &mut subjects {
        subject.truncate(subject.trim_end().len());
        words::check_subject(subject)?;
    }
    let is = |word: &str| subjects.iter().any(|subject| subject == word);
    match EVERYBODY.map(is) {
        [true, true] => Err(WordProblem {
            message: "nobody is both anonymous and authenticated".to_owned(),
            hint: Some("write one of them".to_owned()),
        }),
        [false, false] => {
            subjects.insert(0, "authenticated".to_owned());
            Ok(subjects)
        }
        _ => Ok(subjects),
    }
}

fn begins_a_subject(text: &str) -> bool {
    let forms = ["role:", "user:", "group:", "service:"];
    EVERYBODY.contains(&text) || forms.iter().any(|form| text.starts_with(form))
}

/// One domain: questions are about an organization, or the system.
pub(crate) fn domain(text: &str) -> Result<(), WordProblem> {
    if text == ANY {
        return Err(WordProblem {
            message: "a question is about one organization, not about all".to_owned(),
            hint: Some("write a name that no rule mentions to see what holds for any".to_owned()),
        });
    }
    words::check_domain(text)
}

/// One object: a path without wildcards.
pub(crate) fn object(text: &str) -> Result<ResourceKind, WordProblem> {
    let wild = text.split('/').any(|segment| segment.contains('*'));
    match pattern::check(text) {
        Ok(_) if wild => Err(WordProblem {
            message: format!("{text:?} is a pattern, and a question is about one thing"),
            hint: Some("write names for the wildcards, for instance box/debian12".to_owned()),
        }),
        Ok(kinds) => kinds.first().copied().ok_or_else(|| WordProblem {
            message: format!("no object has the form {text:?}"),
            hint: None,
        }),
        Err(problem) => Err(WordProblem { message: problem.message, hint: problem.hint }),
    }
}

/// One action, and one that the server ever asks for on such an object.
pub(crate) fn action(text: &str, object: &str, kind: ResourceKind) -> Result<Action, WordProblem> {
    let asked = pattern::asked(kind);
    let hint = || {
        let list = format!("on {object:?} it asks for: {}", asked.join(", "));
        Some(did_you_mean(text, &asked).map_or(list.clone(), |near| format!("{near} {list}")))
    };
    match words::check_action(text)? {
        None => Err(WordProblem {
            message: "a question is about one action, not about all".to_owned(),
            hint: hint(),
        }),
        Some(action) if !pattern::is_asked(action, kind) => Err(WordProblem {
            message: format!("the server never asks for {text:?} on {object:?}"),
            hint: hint(),
        }),
        Some(action) => Ok(action),
    }
}

/// Whether such an object is found in that domain.
pub(crate) fn belongs(kind: ResourceKind, object: &str, domain: &str) -> Result<(), WordProblem> {
    if pattern::lies_in(kind, domain) {
        return Ok(());
    }
    Err(if domain == SYSTEM_DOMAIN {
        WordProblem {
            message: format!("{object:?} belongs to an organization"),
            hint: Some("say which one; on the command line with --org".to_owned()),
        }
    } else {
        WordProblem {
            message: format!("{object:?} belongs to no organization"),
            hint: Some("leave the organization out, or write -".to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::AccessRequest;

    fn told(subjects: &str, organization: &str, object: &str, action: &str) -> String {
        AccessRequest::parse(subjects, Some(organization), object, action).unwrap_err().to_string()
    }

    #[test]
    fn a_list_of_subjects_may_hold_groups_with_commas() {
        let list = "role:member, group:ldap:CN=Builders, OU=IT ,user:local:bob";
        let request = AccessRequest::parse(list, Some("acme"), "box/web", "read").unwrap();
        assert_eq!(
            request.subjects(),
            ["authenticated", "role:member", "group:ldap:CN=Builders, OU=IT", "user:local:bob"]
        );
        let anonymous = AccessRequest::parse("anonymous", None, "system/health", "read").unwrap();
        assert_eq!(
            (anonymous.subjects(), anonymous.domain()),
            (&["anonymous".to_owned()][..], "-")
        );
    }

    #[test]
    fn a_mistake_in_a_question_says_what_to_write() {
        for (problem, part) in [
            (told("membr", "acme", "box/web", "read"), "unknown subject \"membr\""),
            (told("member", "acme", "box/web", "read"), "did you mean \"role:member\"?"),
            (told("anonymous,authenticated", "acme", "box/web", "read"), "nobody is both"),
            (told("role:member,", "acme", "box/web", "read"), "unknown subject \"\""),
            (told("role:member", "*", "box/web", "read"), "about one organization"),
            (told("role:member", "Acme", "box/web", "read"), "not in lower case"),
            (told("role:member", "acme", "box/*", "read"), "is a pattern"),
            (told("role:member", "acme", "boxes/web", "read"), "did you mean \"box\"?"),
            (told("role:member", "acme", "box/web", "*"), "about one action"),
            (told("role:member", "acme", "box/web", "raed"), "did you mean \"read\"?"),
            (told("role:member", "acme", "box/web", "upload"), "it asks for: read, create"),
            (told("role:member", "-", "box/web", "read"), "say which one"),
            (told("role:member", "acme", "policy", "read"), "belongs to no organization"),
        ] {
            assert!(problem.contains(part), "{problem:?} lacks {part:?}");
        }
    }
}
