//! The words of a rule: subjects, domains, actions. Closed lists, so that a misspelt word is an error and not a
//! silent no.

use boxvault_types::action::{Action, SYSTEM_DOMAIN};
use boxvault_types::names::OrganizationName;

/// Roles that the server gives; every other role must be bound by a `g` line.
pub(crate) const SERVER_ROLES: &[&str] =
    &[PLATFORM_ADMIN, "role:owner", "role:admin", "role:member", "role:creator", "role:public"];

/// Whoever administers the server.
pub(crate) const PLATFORM_ADMIN: &str = "role:platform-admin";

const SUBJECT_FORMS: &str = "role:<name>, user:<issuer>:<name>, group:<auth provider>:<name>, \
                             service:<organization>/<name>, authenticated, anonymous";

/// Any domain, any action.
pub(crate) const ANY: &str = "*";

/// What is wrong with a word, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WordProblem {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl WordProblem {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

/// Checks the form of a subject. Whether a role exists is known only when all files were read.
pub(crate) fn check_subject(text: &str) -> Result<(), WordProblem> {
    if matches!(text, "authenticated" | "anonymous") {
        return Ok(());
    }
    let Some((form, rest)) = text.split_once(':') else {
        return Err(unknown_subject(text));
    };
    match form {
        "role" => match rest.split_once('/') {
            Some((organization, name)) => {
                check_part("an organization's name", organization)?;
                check_part("a role's name", name)
            }
            None => check_part("a role's name", rest),
        },
        "user" => match rest.split_once(':') {
            Some((issuer, name)) => {
                check_source("the issuer", issuer)?;
                check_part("a user's name", name)
            }
            None => Err(WordProblem::new(
                format!("{text:?} does not say who vouches for the user"),
                format!("write user:local:{rest}, or user:<auth provider>:{rest}"),
            )),
        },
        "group" => match rest.split_once(':') {
            Some((provider, name)) if !name.is_empty() => {
                check_source("the auth provider", provider)
            }
            _ => Err(WordProblem::new(
                format!("{text:?} does not name an auth provider and a group"),
                "write group:<auth provider>:<group>, the auth provider as it is called in config.toml",
            )),
        },
        "service" => match rest.split_once('/') {
            Some((organization, name)) => {
                check_part("an organization's name", organization)?;
                check_part("a service account's name", name)
            }
            None => Err(WordProblem::new(
                format!("{text:?} does not name an organization and a service account"),
                "write service:<organization>/<name>",
            )),
        },
        _ => Err(unknown_subject(text)),
    }
}

fn unknown_subject(text: &str) -> WordProblem {
    let role = format!("role:{text}");
    let hint = if SERVER_ROLES.contains(&role.as_str()) {
        Some(format!("did you mean {role:?}?"))
    } else {
        let form = text.split(':').next().unwrap_or_default();
        did_you_mean(form, &["role", "user", "group", "service", "authenticated", "anonymous"])
    };
    WordProblem { message: format!("unknown subject {text:?}; a subject is {SUBJECT_FORMS}"), hint }
}

fn check_part(what: &str, text: &str) -> Result<(), WordProblem> {
    match name_problem(text) {
        None => Ok(()),
        Some(problem) => {
            Err(WordProblem { message: format!("{what} {text:?} {problem}"), hint: None })
        }
    }
}

fn check_source(what: &str, text: &str) -> Result<(), WordProblem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !text.is_empty() && text.chars().all(fits) {
        return Ok(());
    }
    Err(WordProblem::new(
        format!("{what} {text:?} may hold only letters, digits, '.', '_' and '-'"),
        "it is `local`, or the name of an auth provider in config.toml",
    ))
}

/// Checks a domain: `*`, `-` or an organization's name in lower case.
pub(crate) fn check_domain(text: &str) -> Result<(), WordProblem> {
    if text == ANY || text == SYSTEM_DOMAIN {
        return Ok(());
    }
    if text.contains('*') {
        return Err(WordProblem::new(
            format!("{text:?} mixes letters and wildcards"),
            "a domain is *, - (the system) or one organization's whole name",
        ));
    }
    if text != text.to_ascii_lowercase() {
        return Err(WordProblem::new(
            format!("domain {text:?} is not in lower case"),
            format!(
                "names are compared without case and written in lower case: {}",
                text.to_ascii_lowercase()
            ),
        ));
    }
    match OrganizationName::parse(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(WordProblem::new(
            format!("domain {text:?} cannot be an organization's name: it {error}"),
            "a domain is *, - (the system) or an organization's name",
        )),
    }
}

/// Checks an action: `*`, which is none in particular, or a word of the closed list.
pub(crate) fn check_action(text: &str) -> Result<Option<Action>, WordProblem> {
    if text == ANY {
        return Ok(None);
    }
    match text.parse::<Action>() {
        Ok(action) => Ok(Some(action)),
        Err(error) => {
            let known: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
            Err(WordProblem {
                message: format!("{error}, or * for all"),
                hint: did_you_mean(text, &known),
            })
        }
    }
}

/// Checks an effect; true for `allow`.
pub(crate) fn check_effect(text: &str) -> Result<bool, WordProblem> {
    match text {
        "allow" => Ok(true),
        "deny" => Ok(false),
        _ => Err(WordProblem {
            message: format!("unknown effect {text:?}; known are: allow, deny"),
            hint: did_you_mean(text, &["allow", "deny"]),
        }),
    }
}

/// What keeps a text from being a name in lower case.
pub(crate) fn name_problem(text: &str) -> Option<&'static str> {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if text.is_empty() {
        Some("must not be empty")
    } else if text.len() > boxvault_types::names::NAME_CHARS_MAX {
        Some("is too long")
    } else if text.chars().any(|c| c.is_ascii_uppercase()) {
        Some("must be in lower case")
    } else if !text.chars().all(|c| alphanumeric(c) || matches!(c, '.' | '_' | '-')) {
        Some("may hold only letters, digits, '.', '_' and '-'")
    } else if !text.starts_with(alphanumeric) || !text.ends_with(alphanumeric) {
        Some("must begin and end with a letter or a digit")
    } else if text.contains("..") {
        Some("must not hold '..'")
    } else {
        None
    }
}

/// The known word that is nearest to an unknown one, if one is near.
pub(crate) fn did_you_mean(text: &str, known: &[&str]) -> Option<String> {
    let lower = text.to_lowercase();
    known
        .iter()
        .filter(|word| word.chars().next().is_some_and(char::is_alphanumeric))
        // a plural is near, however long its ending
        .map(
            |word| {
                if lower.starts_with(word) { (1, *word) } else { (distance(&lower, word), *word) }
            },
        )
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min()
        .map(|(_, word)| format!("did you mean {word:?}?"))
}

/// How many letters must be put in, taken out, changed or swapped with their neighbor.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (i, l) in left.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&row, j) + usize::from(l != *r)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if j > 0 && previous == Some(*r) && right.get(j - 1) == Some(&l) {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        previous = Some(l);
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_subject_is_known() {
        for subject in [
            "anonymous",
            "authenticated",
            "role:owner",
            "role:release-manager",
            "role:acme/release-manager",
            "user:local:bob",
            "user:corp_ldap:bob",
            "group:corp:CN=Image Builders,OU=Groups",
            "group:oidc:a:b",
            "service:acme/ci",
        ] {
            assert_eq!(check_subject(subject), Ok(()), "{subject}");
        }
    }

    #[test]
    fn a_subject_of_another_form_is_told_what_it_might_be() {
        let problem = |subject: &str| {
            let problem = check_subject(subject).unwrap_err();
            format!("{}; {}", problem.message, problem.hint.unwrap_or_default())
        };
        assert!(problem("owner").contains("did you mean \"role:owner\"?"));
        assert!(problem("Role:owner").contains("did you mean \"role\"?"));
        assert!(problem("user:bob").contains("user:local:bob"));
        assert!(problem("user:local:Bob").contains("lower case"));
        assert!(problem("group:devs").contains("auth provider"));
        assert!(problem("service:ci").contains("service:<organization>/<name>"));
        assert!(problem("role:").contains("must not be empty"));
        assert!(problem("*").contains("unknown subject"));
    }

    #[test]
    fn a_near_word_is_offered_and_a_far_one_is_not() {
        let known = ["read", "create", "delete"];
        assert_eq!(did_you_mean("Raed", &known).unwrap(), "did you mean \"read\"?");
        assert_eq!(did_you_mean("delet", &known).unwrap(), "did you mean \"delete\"?");
        assert_eq!(did_you_mean("sing", &known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_domain_is_a_star_a_dash_or_an_organization() {
        for domain in ["*", "-", "acme", "acme-2.labs"] {
            assert_eq!(check_domain(domain), Ok(()), "{domain}");
        }
        for domain in ["", "Acme", "acme*", "**", "api", "a b", "--"] {
            assert!(check_domain(domain).is_err(), "{domain}");
        }
    }
}
