//! Where the policy lies that `boxvault policy` is asked about: in a folder, inside the program, or on a running server.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use boxvault_policy::{Overlay, PolicyError, PolicyFiles};
use boxvault_types::{
    params::policies::{CheckPolicyParams, PutPolicyParams},
    views::policies::{
        DecisionChangeView, OrganizationPolicyView, PolicyCheckView, PolicyFileView,
        PolicyProblemView, PolicyView,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;

use super::{
    CliError,
    remote::{Remote, RemoteError},
};

/// What cannot stand in a part of a path; names that organizations can have stay as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
/// The code of an answer about an organization that is not there.
const UNKNOWN_ORGANIZATION: &str = "ORGANIZATION_NOT_FOUND";

/// See the module.
#[derive(Debug)]
pub(super) enum Source {
    /// A folder, or the rules inside the program.
    Folder(Option<PathBuf>),
    /// What is in force on a server, and a folder to hold against it.
    Server(Remote, Option<PathBuf>),
}

impl Source {
    /// Its files.
    pub(super) async fn files(&self) -> Result<PolicyFiles, CliError> {
        match self {
            Self::Folder(dir) => Ok(PolicyFiles::of(dir.as_deref())?),
            Self::Server(_, Some(_)) => Err(CliError::FolderOrServer),
            Self::Server(remote, None) => {
                let (view, _) = remote.get::<PolicyView>(&path(None)).await?;
                Ok(files(view.files)?)
            }
        }
    }

    /// The rules of an organization's own. Folders have none, and neither has a name that is nobody's.
    pub(super) async fn own_rules(&self, org: &str) -> Result<Option<Overlay>, CliError> {
        let Self::Server(remote, _) = self else { return Ok(None) };
        let view = match remote.get::<OrganizationPolicyView>(&path(Some(org))).await {
            Err(RemoteError::Refused { code, .. }) if code == UNKNOWN_ORGANIZATION => {
                return Ok(None);
            }
            answer => answer?.0,
        };
        let name = view.organization.to_ascii_lowercase();
        let own = || Overlay::new(&name, view.version, &view.text, &name);
        Ok((!view.text.is_empty()).then(own))
    }

    /// What it is called in an answer.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Folder(Some(dir)) => dir.display().to_string(),
            Self::Folder(None) => "the rules inside the program".to_owned(),
            Self::Server(remote, _) => format!("what is in force at {}", remote.address()),
        }
    }
}

/// Where the API has the policy, or an organization's own rules.
pub(super) fn path(org: Option<&str>) -> String {
    let encoded = org.map(|org| utf8_percent_encode(org, SEGMENT));
    encoded.map_or("/api/policies".to_owned(), |org| format!("/api/organization/{org}/policy"))
}

/// Policy files as a server sends them.
pub(super) fn files(views: Vec<PolicyFileView>) -> Result<PolicyFiles, PolicyError> {
    PolicyFiles::new(views.into_iter().map(|file| (file.name, file.text)).collect())
}

fn views(dir: &Path) -> Result<Vec<PolicyFileView>, PolicyError> {
    let view = |(name, text): (&str, std::borrow::Cow<'_, str>)| PolicyFileView {
        name: name.to_owned(),
        text: text.into_owned(),
    };
    Ok(PolicyFiles::read(dir)?.texts().map(view).collect())
}

/// What a server says of files that are not in force.
pub(super) struct CheckedThere {
    pub(super) view: PolicyCheckView,
    address: String,
}

/// Asks a server what would come of the files of a folder.
pub(super) async fn check(remote: &Remote, dir: &Path) -> Result<CheckedThere, CliError> {
    let params = CheckPolicyParams { files: views(dir)? };
    let view = remote.send(Method::POST, &format!("{}/check", path(None)), &params, None).await?;
    Ok(CheckedThere { view, address: remote.address().to_owned() })
}

/// Puts the files of a folder in force, unless somebody else changes the policy meanwhile.
pub(super) async fn apply(
    remote: &Remote,
    dir: &Path,
    message: String,
) -> Result<PolicyView, CliError> {
    let files = views(dir)?;
    let (_, seen) = remote.get::<PolicyView>(&path(None)).await?;
    let params = PutPolicyParams { files, message };
    Ok(remote.send(Method::PUT, &path(None), &params, seen).await?)
}

impl fmt::Display for CheckedThere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyCheckView { valid, problems, warnings, changes, changes_complete } = &self.view;
        for problem in problems {
            writeln!(f, "{}", ProblemLine(problem))?;
        }
        for warning in warnings {
            writeln!(f, "warning: {}", ProblemLine(warning))?;
        }
        for DecisionChangeView { who, domain, object, action, after, rule, .. } in changes {
            let sign = if *after { '+' } else { '-' };
            write!(f, "{sign} {who}: {action} {object} in {domain}")?;
            match rule {
                Some(rule) => writeln!(f, "  ({}:{})", rule.file, rule.line)?,
                None => writeln!(f)?,
            }
        }
        let some = if *changes_complete { "" } else { " at least" };
        match (valid, changes.len()) {
            (true, 0) => write!(f, "OK: {} would take it; no decision changes", self.address),
            (true, 1) => write!(f, "OK: {} would take it;{some} 1 decision changes", self.address),
            (true, count) => {
                write!(f, "OK: {} would take it;{some} {count} decisions change", self.address)
            }
            (false, _) => write!(f, "{} would refuse it", self.address),
        }
    }
}

/// A problem as the commands print those of files.
pub(super) struct ProblemLine<'a>(pub(super) &'a PolicyProblemView);

impl fmt::Display for ProblemLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyProblemView { file, line, column, message, hint } = self.0;
        f.write_str(file)?;
        for number in [line, column].into_iter().filter(|number| **number > 0) {
            write!(f, ":{number}")?;
        }
        write!(f, ": {message}")?;
        match hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}
