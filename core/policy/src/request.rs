//! The question (who wants to do what to which object, in which domain) and the answer.
//!
//! [`AccessRequest::new`] is the one place where a kind of credential could make a difference, and the only one it
//! makes: a token's scope is applied before any rule, so a token never gives more than its owner has. What a service
//! account wants is asked twice, for itself and for its sponsor, and takes two yeses.

use std::{fmt, sync::Arc};

use boxvault_types::action::{Action, Resource, ResourceKind, SYSTEM_DOMAIN};
use boxvault_types::identity::{Caller, Identity};
use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::question;
use crate::rules::words::WordProblem;

/// How the caller stands to the very thing that is asked about; the server knows it from the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relations {
    /// The caller created this box, or the box that the thing belongs to. Counts only while the caller is a member
    /// of the organization: whoever left has no rights there.
    pub creator: bool,
    /// Everybody may see it: a public box and what is in it, or an organization (and its list of boxes) that is
    /// visible to all.
    pub public: bool,
}

/// One question to the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    pub(crate) subjects: Vec<String>,
    /// Somebody else who must be allowed as well: the sponsor of a service account.
    pub(crate) ceiling: Option<Vec<String>>,
    pub(crate) domain: String,
    pub(crate) object: String,
    pub(crate) action: Action,
    pub(crate) within_scope: bool,
}

impl AccessRequest {
    /// Builds the question: the caller's whole set of subjects, and whether the credential covers it at all.
    pub fn new(
        identity: &Identity,
        resource: &Resource,
        action: Action,
        relations: Relations,
    ) -> Self {
        let object = resource.object();
        let mut subjects = Vec::with_capacity(8);
        let mut ceiling = None;
        let mut within_scope = true;
        match identity.caller() {
            None => subjects.push("anonymous".to_owned()),
            Some(caller) => {
                push_caller(&mut subjects, caller, resource, relations);
                if let Some(service) = &caller.service {
                    let mut of_sponsor = Vec::with_capacity(8);
                    push_caller(&mut of_sponsor, &service.sponsor, resource, relations);
                    ceiling = Some(of_sponsor);
                }
                within_scope = caller.scope.covers(action, resource.organization(), &object)
                    && !(caller.scope.is_limited() && gives_more(resource, action));
            }
        }
        if relations.public {
            // outside of its scope a token gives nothing, but what everybody sees it does not hide
            if !within_scope && matches!(action, Action::Read | Action::Download) {
                subjects = vec!["anonymous".to_owned()];
                ceiling = None;
                within_scope = true;
            }
            subjects.push("role:public".to_owned());
            if let Some(ceiling) = &mut ceiling {
                ceiling.push("role:public".to_owned());
            }
        }
        let domain = resource.domain();
        Self { subjects, ceiling, domain, object, action, within_scope }
    }

    /// Builds the question from words, as commands, tests and forms have them: subjects separated by commas, an
    /// organization (or `-`, or nothing, for the system), an object without wildcards, one action.
    ///
    /// Whoever asks is signed in unless it says `anonymous`, so `authenticated` need not be written. No token is
    /// presented, so none limits it.
    ///
    /// # Errors
    /// What is wrong with the words, and what to write instead.
    pub fn parse(
        subjects: &str,
        organization: Option<&str>,
        object: &str,
        action: &str,
    ) -> Result<Self, QuestionError> {
        let subjects =
            question::subjects(subjects).map_err(|p| QuestionError::new("subject", p))?;
        let domain = organization.unwrap_or(SYSTEM_DOMAIN);
        question::domain(domain).map_err(|p| QuestionError::new("organization", p))?;
        let kind = question::object(object).map_err(|p| QuestionError::new("object", p))?;
        let action =
            question::action(action, object, kind).map_err(|p| QuestionError::new("action", p))?;
        question::belongs(kind, object, domain)
            .map_err(|p| QuestionError::new("organization", p))?;
        Ok(Self {
            subjects,
            ceiling: None,
            domain: domain.to_owned(),
            object: object.to_owned(),
            action,
            within_scope: true,
        })
    }

    /// The subjects that the caller is, before `g` lines are followed.
    pub fn subjects(&self) -> &[String] {
        &self.subjects
    }

    /// The organization's name in lower case, or `-`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The object as policy files write it.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What the caller wants to do.
    pub fn action(&self) -> Action {
        self.action
    }
}

/// What is wrong with a question in words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}{}", .hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
pub struct QuestionError {
    /// The part of the question: subject, organization, object or action.
    pub part: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl QuestionError {
    fn new(part: &'static str, problem: WordProblem) -> Self {
        Self { part, message: problem.message, hint: problem.hint }
    }
}

fn push_caller(
    subjects: &mut Vec<String>,
    caller: &Caller,
    resource: &Resource,
    relations: Relations,
) {
    subjects.push("authenticated".to_owned());
    subjects.push(match &caller.service {
        Some(service) => service.to_string(),
        None => format!("user:{}:{}", caller.issuer, caller.name.key()),
    });
    subjects.extend(caller.groups.iter().map(|group| format!("group:{group}")));
    if caller.platform_admin {
        subjects.push("role:platform-admin".to_owned());
    }
    if let Some(role) = resource.organization().and_then(|name| caller.role_in(name)) {
        subjects.push(format!("role:{role}"));
        if relations.creator {
            subjects.push("role:creator".to_owned());
        }
    }
}

/// A limited token, or a service account, must not make itself, or its owner's account, into something unlimited, nor
/// give others what it does not have.
fn gives_more(resource: &Resource, action: Action) -> bool {
    match resource.kind() {
        ResourceKind::Token
        | ResourceKind::Profile
        | ResourceKind::Session
        | ResourceKind::ServiceAccount => action != Action::Read,
        ResourceKind::Rules => action == Action::Update,
        _ => false,
    }
}

/// A line of a policy file: the one that decided, or one that has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleRef {
    /// The file's name, without its folder.
    #[serde(serialize_with = "as_text")]
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: u32,
    /// The line as it stands in the file.
    pub text: String,
}

fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// Why a decision came out as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A rule allows it, and none denies it.
    Allowed,
    /// A rule denies it, whatever others allow.
    Denied,
    /// No rule speaks of it, and the default is no.
    NoRule,
    /// The token that was presented is limited to other things.
    TokenScope,
    /// The evaluation failed, which counts as no. A defect: it is logged and counted.
    Failed,
}

impl Reason {
    /// The word in logs and audit rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::NoRule => "no_rule",
            Self::TokenScope => "token_scope",
            Self::Failed => "failed",
        }
    }
}

/// The answer to an [`AccessRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a decision that nobody looks at protects nothing"]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The rule that decided; absent when none did.
    pub rule: Option<Arc<RuleRef>>,
}

impl Decision {
    pub(crate) fn refused(reason: Reason) -> Self {
        Self { allowed: false, reason, rule: None }
    }
}
