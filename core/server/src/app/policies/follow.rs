//! Holds the policy in force, the newest version in the catalog, and the folder's files together.
//!
//! A folder's new text becomes the next version. A version from elsewhere is put in force within a second or two and
//! written into the folder, unless somebody has changed that meanwhile: then their files are left alone, and
//! `/health/ready` tells.

use std::{path::Path, sync::Arc, time::Duration};

use boxvault_catalog::{
    audit::NewEntry,
    policies::{self, Origin, Version, VersionHead},
};
use boxvault_policy::{Policy, PolicyError, PolicyFiles, Problem};
use boxvault_types::{action::Action, error::ErrorCode};
use tokio::{task::spawn_blocking, time::interval};
use tracing::{info, warn};

use super::{App, Before, Reason, build};
use crate::{
    app::{audit::By, jobs::Job},
    error::{AppError, Result},
};

/// How often a server looks for a version from elsewhere: one small query.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

impl App {
    /// Finds out at a start which policy is in force: what was found (the folder's, or without one the program's own
    /// rules), where it is new, else the newest version.
    ///
    /// # Errors
    /// If the newest version cannot be read, or is none that this program works by.
    pub(crate) async fn begin_policy_history(&self) -> Result<()> {
        let _guard = self.policy.changing().await;
        self.begin_site_history().await?;
        self.renew_overlays().await
    }

    async fn begin_site_history(&self) -> Result<()> {
        let found = self.policy.load().files().clone();
        let Some(newest) = policies::find_newest(&self.catalog, None).await? else {
            return self.accept_found(found, None, "the rules at the first start").await;
        };
        let before = Before { number: newest.head.number, digest: newest.head.digest.clone() };
        if self.policy.source().is_none() {
            let found = PolicyFiles::new(newest.files.clone()).map_err(cannot_build)?;
            let found = found.with_shipped_rules();
            if found.digest() != newest.head.digest {
                let why = "the rules that come with the program have changed";
                return self.accept_found(found, Some(before), why).await;
            }
        } else if self.is_edited(&found, &newest).await? {
            let why = "the files were changed while no server ran";
            return self.accept_found(found, Some(before), why).await;
        }
        self.put_policy_in_force(build_version(newest).await?).await;
        Ok(())
    }

    /// Whether the folder's text is to be the next version. What is a version already may be written over: nothing is
    /// lost. An edit of an older version is left alone, and told of.
    async fn is_edited(&self, found: &PolicyFiles, newest: &Version) -> Result<bool> {
        let digest = found.digest();
        if digest == newest.head.digest {
            return Ok(false);
        }
        if let Some(held) = self.policy_folder.get() {
            return Ok(held.digest != digest && held.version == newest.head.number);
        }
        let known = policies::find_by_digest(&self.catalog, None, &digest).await?;
        if let Some(known) = &known {
            self.policy_folder.set(known.number, &digest).await;
        }
        Ok(known.is_none())
    }

    /// Makes what was found at a start the next version. Of servers that start at once one does.
    async fn accept_found(
        &self,
        found: PolicyFiles,
        before: Option<Before>,
        why: &str,
    ) -> Result<()> {
        let policy = build(move || Policy::build(&found)).await?.map_err(cannot_build)?;
        match self.accept_files(policy, before, why).await {
            Err(error) if error.code() == ErrorCode::LostRace => {
                let newest = policies::find_newest(&self.catalog, None).await?;
                let newest = newest.ok_or_else(|| AppError::internal("no policy was accepted"))?;
                self.put_policy_in_force(build_version(newest).await?).await;
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    async fn accept_files(
        &self,
        policy: Policy,
        before: Option<Before>,
        why: &str,
    ) -> Result<VersionHead> {
        let audit = NewEntry {
            policy_digest: Some(policy.digest().to_owned()),
            ..self.own_entry(By::Server, Action::Update, "policy")
        };
        let (origin, message) = (Origin::Files, why.to_owned());
        let reason = Reason { origin, author: None, message, restores: None };
        self.accept_policy(policy, before, reason, audit).await
    }

    /// Takes what the folder holds now as the next version, if it is new. For a change that has settled, and SIGHUP.
    pub(crate) async fn take_policy_folder(&self) {
        let _guard = self.policy.changing().await;
        let taken = match self.policy.read_folder().await {
            Ok(None) => {
                let policy = self.policy.load();
                self.policy_folder.set(self.policy_number(), policy.digest()).await;
                self.policy.accept();
                return;
            }
            Ok(Some(policy)) => self.take_edit(policy).await,
            Err(refusal) => return self.policy.refuse(&refusal),
        };
        if let Err(error) = taken {
            warn!(cause = error.causes(), "could not take the changed policy files: {error}");
            self.policy.refuse(&self.differs(error.message()));
        }
    }

    async fn take_edit(&self, policy: Policy) -> Result<()> {
        let before = self.policy.load();
        let held = self.policy_folder.get().map(|held| held.version);
        if held.is_some() && held != before.version() {
            let why = "they were changed while another version came into force";
            self.policy.refuse(&self.differs(why));
            return Ok(());
        }
        let why = "the files in the folder were changed";
        let head = self.accept_files(policy, self.policy_before(), why).await?;
        info!(
            policy.version = head.number,
            policy.digest = head.digest,
            policy.digest_before = before.digest(),
            "policy changed"
        );
        Ok(())
    }

    /// Puts the newest version in force, if another server, or a command, has accepted one; the same with the rules of
    /// organizations' own, which also change with the organizations' names.
    ///
    /// # Errors
    /// If the catalog is out of reach.
    pub(crate) async fn follow_policy(&self) -> Result<()> {
        // read before all else, so that what comes meanwhile is another mark
        let mark = policies::mark(&self.catalog).await?;
        if self.policy_folder.has_followed(&mark) {
            return Ok(());
        }
        let _guard = self.policy.changing().await;
        self.follow_site().await?;
        self.renew_overlays().await?;
        self.policy_folder.follow(mark);
        Ok(())
    }

    async fn follow_site(&self) -> Result<()> {
        let Some(newest) = policies::find_newest(&self.catalog, None).await? else { return Ok(()) };
        let number = newest.head.number;
        if number <= self.policy_number() || number == self.policy_folder.refused() {
            return Ok(());
        }
        match build_version(newest).await {
            Ok(policy) => {
                info!(
                    policy.version = number,
                    policy.digest = policy.digest(),
                    "policy changed elsewhere"
                );
                self.put_policy_in_force(policy).await;
            }
            Err(error) => {
                // told once, not at every look
                self.policy_folder.refuse(number);
                let why = format!("version {number} is none that this program works by: {error}");
                self.policy.refuse(&self.differs(&why));
            }
        }
        Ok(())
    }

    /// Follows for ever.
    pub(crate) async fn follow_policy_forever(self: Arc<Self>) {
        self.jobs.begin(Job::Policy, FOLLOW_INTERVAL);
        let mut ticks = interval(FOLLOW_INTERVAL);
        loop {
            ticks.tick().await;
            if let Err(error) = self.jobs.run(Job::Policy, self.follow_policy()).await {
                warn!(cause = error.causes(), "could not look for a newer policy; trying again");
            }
        }
    }

    /// Swaps a version in, and writes it into the folder if that holds the one before.
    pub(super) async fn put_policy_in_force(&self, policy: Policy) {
        let policy = self.with_overlays_in_force(policy).await;
        let (number, digest) = (policy.version().unwrap_or_default(), policy.digest().to_owned());
        let files = policy.files().clone();
        self.policy.replace(policy);
        let Some(dir) = self.policy.source().map(ToOwned::to_owned) else { return };
        let held = self.policy_folder.get().map(|held| held.digest);
        let written = spawn_blocking(move || write_folder(&dir, &files, held.as_deref())).await;
        match written {
            Ok(Ok(true)) => self.policy_folder.set(number, &digest).await,
            Ok(Ok(false)) => {
                let why = "they were changed meanwhile, and are left alone";
                self.policy.refuse(&self.differs(why));
            }
            Ok(Err(error)) => self.policy.refuse(&self.differs(&error.to_string())),
            Err(panic) => self.policy.refuse(&self.differs(&panic.to_string())),
        }
    }

    /// That the folder does not hold what is in force.
    fn differs(&self, why: &str) -> PolicyError {
        let number = self.policy.load().version().unwrap_or_default();
        let folder = self.policy.source().map(|dir| dir.display().to_string()).unwrap_or_default();
        PolicyError::Invalid {
            problems: vec![Problem {
                file: folder,
                line: 0,
                column: 0,
                message: format!("the files are not version {number}, which is in force: {why}"),
                hint: Some(format!(
                    "write that version into the folder (boxvault policy export {number}), and make your change on top"
                )),
            }],
        }
    }
}

/// Writes the files if the folder holds them already, or those that it held before. Tells whether it has them now.
fn write_folder(
    dir: &Path,
    files: &PolicyFiles,
    held: Option<&str>,
) -> std::result::Result<bool, PolicyError> {
    let there = PolicyFiles::read(dir)?;
    if there == *files {
        return Ok(true);
    }
    if Some(there.digest().as_str()) != held {
        return Ok(false);
    }
    files
        .save(dir, &there)
        .map_err(|source| PolicyError::Unwritable { path: dir.to_owned(), source })?;
    Ok(true)
}

/// Builds a version of the catalog.
async fn build_version(version: Version) -> Result<Policy> {
    let number = version.head.number;
    let built = build(move || Policy::build(&PolicyFiles::new(version.files)?)).await?;
    built.map(|policy| policy.with_version(number)).map_err(cannot_build)
}

fn cannot_build(refusal: PolicyError) -> AppError {
    AppError::internal(refusal)
}
