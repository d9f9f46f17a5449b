//! The policy as something that is changed: by the files of a folder, by the API, by a command, and always in one way.
//!
//! What is to come into force is parsed and checked, becomes a version in the catalog together with its row in the audit
//! log, is swapped in as a whole, and is written into the folder. The catalog is what all servers share, so the version
//! there is the truth, and a folder is one way to make the next one: `follow` holds the two together.

mod follow;
mod mark;
mod own;
mod questions;

use boxvault_catalog::{
    audit::NewEntry,
    policies::{self, NewVersion, Origin, Version, VersionHead},
};
use boxvault_policy::{
    Change, Policy, PolicyDiff, PolicyError, PolicyFiles, Problem, RuleRef, diff,
};
use boxvault_types::{
    action::Action,
    error::ErrorCode,
    params::{
        ListQuery,
        policies::{CheckPolicyParams, PutPolicyParams, RollBackPolicyParams},
    },
    views::{
        PageView,
        policies::{
            DecisionChangeView, PolicyCheckView, PolicyFileView, PolicyProblemView, PolicyRuleView,
            PolicyVersionTextView, PolicyVersionView, PolicyView,
        },
    },
};
use tokio::task::spawn_blocking;

pub(crate) use self::mark::FolderMark;
use super::{App, audit::By, lists};
use crate::error::{AppError, Result};

/// How a comparison of policies says that something is allowed.
const YES: &str = "yes";
/// The longest reason for a change, in characters.
const MESSAGE_CHARS_MAX: usize = 500;

/// A policy, or everything that is wrong with its files.
type Built = std::result::Result<Policy, PolicyError>;

/// The version that another one comes after.
struct Before {
    number: i64,
    digest: String,
}

/// What a version is told of beside its texts.
struct Reason {
    origin: Origin,
    author: Option<String>,
    message: String,
    restores: Option<i64>,
}

impl App {
    /// The policy in force.
    pub(crate) async fn policy_view(&self) -> Result<PolicyView> {
        // a version that another server has accepted a moment ago is in force there already
        self.follow_policy().await?;
        let policy = self.policy.load();
        let head = self.find_policy(policy.version().unwrap_or_default()).await?.head;
        Ok(self.view(&policy, head))
    }

    /// Looks at files as if they were to come into force.
    pub(crate) async fn check_policy(&self, params: CheckPolicyParams) -> Result<PolicyCheckView> {
        let candidate = match self.candidate(params.files).await? {
            Ok(policy) => policy,
            Err(refusal) => return Ok(refused_view(&refusal)),
        };
        let warnings = problem_views(candidate.warnings());
        let before = self.policy.load();
        let difference = spawn_blocking(move || diff(&before, &candidate)).await;
        Ok(check_view(warnings, difference.map_err(AppError::internal)?))
    }

    /// Puts files in force.
    pub(crate) async fn put_policy(
        &self,
        author: String,
        params: PutPolicyParams,
        audit: NewEntry,
    ) -> Result<PolicyView> {
        let message = message(&params.message)?;
        let reason = Reason { origin: Origin::Api, author: Some(author), message, restores: None };
        self.follow_policy().await?;
        let _guard = self.policy.changing().await;
        let policy = self.candidate(params.files).await?.map_err(|refusal| invalid(&refusal))?;
        let head = self.accept_policy(policy, self.policy_before(), reason, audit).await?;
        Ok(self.view(&self.policy.load(), head))
    }

    /// Puts an earlier version in force again.
    pub(crate) async fn roll_policy_back(
        &self,
        author: String,
        number: i64,
        params: RollBackPolicyParams,
        audit: NewEntry,
    ) -> Result<PolicyView> {
        let message = message(&params.message)?;
        self.follow_policy().await?;
        let restores = Some(number);
        let reason = Reason { origin: Origin::Api, author: Some(author), message, restores };
        let head = self.restore_policy(number, reason, audit).await?;
        Ok(self.view(&self.policy.load(), head))
    }

    /// The same by a command, whoever may change the policy; the new version's number.
    pub(crate) async fn roll_policy_back_by_command(
        &self,
        number: i64,
        reason: String,
    ) -> Result<i64> {
        let message = message(&reason)?;
        let restores = Some(number);
        let reason = Reason { origin: Origin::Command, author: None, message, restores };
        let audit = self.own_entry(By::Command, Action::Update, "policy");
        Ok(self.restore_policy(number, reason, audit).await?.number)
    }

    async fn restore_policy(
        &self,
        number: i64,
        reason: Reason,
        audit: NewEntry,
    ) -> Result<VersionHead> {
        let _guard = self.policy.changing().await;
        let files = self.find_policy(number).await?.files.into_iter().map(file_view).collect();
        let policy = self.candidate(files).await?.map_err(|refusal| invalid(&refusal))?;
        // not the one in force here: a newer one that this program does not work by is what leads to a rollback
        let newest = policies::find_newest(&self.catalog, None).await?;
        let before =
            newest.map(|newest| Before { number: newest.head.number, digest: newest.head.digest });
        self.accept_policy(policy, before, reason, audit).await
    }

    /// The texts of a version, or of the newest one, with its number.
    pub(crate) async fn policy_files(&self, number: Option<i64>) -> Result<(i64, PolicyFiles)> {
        let version = match number {
            Some(number) => self.find_policy(number).await?,
            None => policies::find_newest(&self.catalog, None).await?.ok_or_else(no_version)?,
        };
        let files = PolicyFiles::new(version.files).map_err(|refusal| invalid(&refusal))?;
        Ok((version.head.number, files))
    }

    /// The versions, newest first.
    pub(crate) async fn list_policy_versions(
        &self,
        query: ListQuery,
    ) -> Result<(Vec<PolicyVersionView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = policies::list(&self.catalog, None, page).await?;
        Ok((found.items.into_iter().map(version_view).collect(), lists::view(page, found.total)))
    }

    /// A version with its texts.
    pub(crate) async fn policy_version(&self, number: i64) -> Result<PolicyVersionTextView> {
        let found = self.find_policy(number).await?;
        Ok(PolicyVersionTextView {
            version: version_view(found.head),
            files: found.files.into_iter().map(file_view).collect(),
        })
    }

    async fn find_policy(&self, number: i64) -> Result<Version> {
        policies::find(&self.catalog, None, number).await?.ok_or_else(no_version)
    }

    /// Builds what somebody sent, beside the rules of organizations' own; the inner error is theirs.
    async fn candidate(&self, files: Vec<PolicyFileView>) -> Result<Built> {
        let files = files.into_iter().map(|file| (file.name, file.text)).collect();
        let shipped = self.policy.source().is_none();
        let overlays = self.policy.load().overlays().cloned().collect();
        build(move || {
            let files = PolicyFiles::new(files)?;
            if shipped {
                files.check_shipped()?;
            }
            Policy::build_with(&files, overlays)
        })
        .await
    }

    /// The number of the version in force.
    fn policy_number(&self) -> i64 {
        self.policy.load().version().unwrap_or_default()
    }

    /// The version in force, as that before the next one.
    fn policy_before(&self) -> Option<Before> {
        let policy = self.policy.load();
        let number = policy.version()?;
        Some(Before { number, digest: policy.digest().to_owned() })
    }

    /// Makes a policy the version after another one, and puts it in force. The caller has waited for
    /// [`PolicyHandle::changing`].
    ///
    /// [`PolicyHandle::changing`]: boxvault_policy::PolicyHandle::changing
    async fn accept_policy(
        &self,
        policy: Policy,
        before: Option<Before>,
        reason: Reason,
        audit: NewEntry,
    ) -> Result<VersionHead> {
        let expected = before.as_ref().map_or(0, |before| before.number);
        // the first version changes nothing
        let audit = before.map(|before| {
            audit
                .with_detail("digest", policy.digest())
                .with_detail("policyDigestBefore", before.digest)
                .with_detail("message", reason.message.as_str())
        });
        let version = NewVersion {
            scope: None,
            digest: policy.digest().to_owned(),
            files: policy
                .files()
                .texts()
                .map(|(name, text)| (name.to_owned(), text.into_owned()))
                .collect(),
            origin: reason.origin,
            author: reason.author,
            message: reason.message,
            restores: reason.restores,
        };
        let head =
            policies::add(&self.catalog, version, expected, audit).await?.ok_or_else(lost_race)?;
        self.put_policy_in_force(policy.with_version(head.number)).await;
        Ok(head)
    }

    fn view(&self, policy: &Policy, head: VersionHead) -> PolicyView {
        let files = policy.files().texts();
        PolicyView {
            version: head.number,
            digest: head.digest,
            origin: head.origin.as_str().to_owned(),
            author: head.author,
            message: head.message,
            updated_at: head.created_at,
            files: files.map(|(name, text)| file_view((name.into(), text.into()))).collect(),
            rules: policy.rules_count() as u64,
            bindings: policy.bindings_count() as u64,
            warnings: problem_views(policy.warnings()),
            problems: problem_views(&self.policy.state().problems),
        }
    }
}

/// Reads, parses and indexes beside the workers that answer requests.
async fn build<F>(work: F) -> Result<Built>
where
    F: FnOnce() -> Built + Send + 'static,
{
    spawn_blocking(work).await.map_err(AppError::internal)
}

fn message(text: &str) -> Result<String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(AppError::invalid("message", "say in a few words why the rules change")),
        1..=MESSAGE_CHARS_MAX => Ok(text.to_owned()),
        _ => Err(AppError::invalid(
            "message",
            format!("must have at most {MESSAGE_CHARS_MAX} characters"),
        )),
    }
}

fn no_version() -> AppError {
    AppError::new(ErrorCode::PolicyVersionNotFound, "there is no such version of the policy")
}

fn lost_race() -> AppError {
    AppError::new(
        ErrorCode::LostRace,
        "somebody else changed the policy at the same time; read it again, and make your change on top",
    )
}

/// Every problem under its place.
fn invalid(refusal: &PolicyError) -> AppError {
    let problems = refusal.problems();
    let count = problems.len();
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    let message = match count {
        1 => first,
        _ => format!("{count} problems; the first: {first}"),
    };
    let error = AppError::new(ErrorCode::PolicyInvalid, message);
    problems.into_iter().fold(error, |error, problem| {
        let place = format!("{}:{}:{}", problem.file, problem.line, problem.column);
        match &problem.hint {
            Some(hint) => error.with_field(place, format!("{}; {hint}", problem.message)),
            None => error.with_field(place, problem.message),
        }
    })
}

fn refused_view(refusal: &PolicyError) -> PolicyCheckView {
    PolicyCheckView {
        valid: false,
        problems: problem_views(&refusal.problems()),
        warnings: Vec::new(),
        changes: Vec::new(),
        changes_complete: false,
    }
}

fn check_view(warnings: Vec<PolicyProblemView>, difference: PolicyDiff) -> PolicyCheckView {
    PolicyCheckView {
        valid: true,
        problems: Vec::new(),
        warnings,
        changes: difference.changes.into_iter().map(change_view).collect(),
        changes_complete: difference.complete,
    }
}

fn problem_views(problems: &[Problem]) -> Vec<PolicyProblemView> {
    let view = |problem: &Problem| PolicyProblemView {
        file: problem.file.clone(),
        line: problem.line,
        column: problem.column,
        message: problem.message.clone(),
        hint: problem.hint.clone(),
    };
    problems.iter().map(view).collect()
}

pub(super) fn rule_view(rule: RuleRef) -> PolicyRuleView {
    PolicyRuleView { file: rule.file.to_string(), line: rule.line, text: rule.text }
}

fn change_view(change: Change) -> DecisionChangeView {
    let Change { who, domain, object, action, before, after, rule } = change;
    DecisionChangeView {
        who,
        domain,
        object,
        action: action.to_string(),
        before: before == YES,
        after: after == YES,
        rule: rule.map(rule_view),
    }
}

fn file_view((name, text): (String, String)) -> PolicyFileView {
    PolicyFileView { name, text }
}

fn version_view(head: VersionHead) -> PolicyVersionView {
    PolicyVersionView {
        version: head.number,
        digest: head.digest,
        origin: head.origin.as_str().to_owned(),
        author: head.author,
        message: head.message,
        restores: head.restores,
        created_at: head.created_at,
    }
}
