//! Brings the boxes of another registry over, once: what is here already stays, what is missing comes.
//!
//! A version is made unreleased, gets its files through the same checks as every upload, and is released when all of
//! them are there. So clients see whole versions alone, and an import that was killed goes on where it stopped: with the
//! version, with the file, and, where the upstream tells length and checksum, within the file
//! ([`super::resumable`]). Nothing that is here is ever replaced.

mod copy;

use std::{collections::BTreeSet, sync::Arc};

use boxvault_catalog::{
    artifacts::ArtifactFile,
    audit::NewEntry,
    boxes::{self, OwnedBox},
    organizations::{self, Organization},
    versions::{self, VersionStatus},
};
use boxvault_types::{
    action::{Action, Resource, ResourceKind},
    digest::ChecksumType,
    error::ErrorCode,
    identity::Identity,
    names::{BoxName, OrganizationName},
    params::boxes::{
        CreateArchitectureParams, CreateBoxParams, CreateProviderParams, CreateVersionParams,
    },
};

use super::{
    App,
    artifacts::Slot,
    audit::By,
    boxes::{DESCRIPTION_CHARS_MAX, SHORT_DESCRIPTION_CHARS_MAX},
};
use crate::{
    error::{AppError, Result},
    upstream::{
        Answer, Reader, Upstream, UpstreamBox, UpstreamError, UpstreamFile, UpstreamVersion,
    },
};

/// What to bring over, and to where.
pub(crate) struct Import {
    pub(crate) upstream: Upstream,
    pub(crate) reader: Reader,
    /// Whose boxes they become; it exists.
    pub(crate) organization: OrganizationName,
    /// These alone; all when there are none.
    pub(crate) only: Vec<BoxName>,
}

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// Yes.
    Real,
    /// No: it is only told what would be.
    Dry,
}

/// What happens, as it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A file is here now, or would be.
    Copied { what: String, size_bytes: Option<u64> },
    /// So much of a file came.
    Came { what: String, size_bytes: u64, of: Option<u64> },
    /// Something cannot be taken, which another run would not change.
    LeftOut { what: String, why: String },
    /// Something did not work; another run may.
    Failed { what: String, why: String },
}

/// How an import ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) copied: u64,
    pub(crate) copied_bytes: u64,
    /// Files that were here.
    pub(crate) present: u64,
    pub(crate) left_out: u64,
    pub(crate) failed: u64,
}

/// A run: what is told, and counted.
struct Progress<'a> {
    run: Run,
    report: Report,
    tell: &'a mut (dyn FnMut(Event) + Send),
}

impl Progress<'_> {
    fn left_out(&mut self, what: &str, why: impl Into<String>) {
        self.report.left_out += 1;
        (self.tell)(Event::LeftOut { what: what.to_owned(), why: why.into() });
    }

    fn failed(&mut self, what: &str, error: &AppError) {
        self.report.failed += 1;
        let causes = error.causes();
        let why = if causes.is_empty() { error.to_string() } else { format!("{error}: {causes}") };
        (self.tell)(Event::Failed { what: what.to_owned(), why });
    }

    fn copied(&mut self, what: &str, size_bytes: Option<u64>) {
        self.report.copied += 1;
        self.report.copied_bytes += size_bytes.unwrap_or_default();
        (self.tell)(Event::Copied { what: what.to_owned(), size_bytes });
    }
}

impl App {
    /// Brings boxes over. What fails is told and counted, and the rest goes on.
    ///
    /// # Errors
    /// `ORGANIZATION_NOT_FOUND`; what keeps the list of boxes from being read.
    pub(crate) async fn import(
        self: &Arc<Self>,
        import: &Import,
        run: Run,
        tell: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Report> {
        let found = organizations::find(&self.catalog, &import.organization).await?;
        let organization = found.ok_or_else(|| {
            AppError::new(
                ErrorCode::OrganizationNotFound,
                format!(
                    "there is no organization {:?} here; create it first, or name another one with --org",
                    import.organization.as_str()
                ),
            )
        })?;
        self.refuse_change_of_mirror(&organization, ResourceKind::Box, Action::Create).await?;
        let mut progress = Progress { run, report: Report::default(), tell };
        for wanted in wanted(import, &mut progress).await? {
            let what = format!("{}/{}", organization.name, wanted.shown);
            if let Err(error) =
                Box::pin(self.import_box(import, &organization, wanted, &mut progress)).await
            {
                progress.failed(&what, &error);
            }
        }
        Ok(progress.report)
    }

    async fn import_box(
        self: &Arc<Self>,
        import: &Import,
        organization: &Organization,
        wanted: Wanted,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        let url = import.upstream.catalogue_url(&wanted.shown);
        let Answer::New((described, _), _) =
            import.reader.catalogue(&url, None).await.map_err(failure)?
        else {
            return Err(AppError::internal(
                "an upstream says that nothing has changed since nothing",
            ));
        };
        let Some(name) = wanted.name.or_else(|| name_of(&described)) else {
            return Err(AppError::new(
                ErrorCode::InvalidInput,
                "the catalogue does not say how its box is called; name it with --only",
            ));
        };
        let shown = format!("{}/{name}", organization.name);
        for why in &described.left_out {
            progress.left_out(&shown, why);
        }
        if described.versions.is_empty() {
            progress.left_out(&shown, "it has no released version with a file");
            return Ok(());
        }
        let found = boxes::find(&self.catalog, &organization.name, &name).await?;
        let found = match (found, progress.run) {
            (Some(found), _) => Some(Arc::new(found)),
            (None, Run::Dry) => None,
            (None, Run::Real) => {
                Some(self.import_new_box(organization, &name, &described, wanted.is_public).await?)
            }
        };
        // the oldest first, so that the newest one is released last
        for version in described.versions.iter().rev() {
            let what = format!("{shown} {}", version.number);
            let done = if let Some(found) = &found {
                self.import_version(import, found, version, progress).await
            } else {
                would_copy(&shown, version, progress);
                Ok(())
            };
            if let Err(error) = done {
                progress.failed(&what, &error);
            }
        }
        Ok(())
    }

    async fn import_new_box(
        &self,
        organization: &Organization,
        name: &BoxName,
        described: &UpstreamBox,
        is_public: bool,
    ) -> Result<Arc<OwnedBox>> {
        let params = CreateBoxParams {
            name: name.clone(),
            short_description: shortened(&described.short_description, SHORT_DESCRIPTION_CHARS_MAX),
            description: shortened(&described.description, DESCRIPTION_CHARS_MAX),
            readme: None,
            tags: Vec::new(),
            homepage_url: None,
            source_url: None,
            documentation_url: None,
            is_public,
            replace_former_name: false,
        };
        self.create_box(&Identity::Anonymous, organization, params).await?;
        let resource = Resource::Box(organization.name.clone(), Some(name.clone()));
        self.record_change(vec![self.import_entry(organization, Action::Create, &resource)])
            .await?;
        let made = boxes::find(&self.catalog, &organization.name, name).await?;
        made.map(Arc::new).ok_or_else(|| AppError::internal("a new box went away at once"))
    }

    async fn import_version(
        self: &Arc<Self>,
        import: &Import,
        found: &Arc<OwnedBox>,
        version: &UpstreamVersion,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        let number = &version.number;
        let here = versions::find(&self.catalog, found.vagrant_box.id, number).await?;
        let status = here.map(|version| version.status);
        if status.is_none() && progress.run == Run::Real {
            let params = CreateVersionParams {
                version_number: number.clone(),
                description: shortened(&version.description, DESCRIPTION_CHARS_MAX),
                release_notes: None,
            };
            self.create_version(found, params).await?;
        }
        let failed_before = progress.report.failed;
        for file in &version.files {
            let slot = Slot {
                version: number.clone(),
                provider: file.provider.clone(),
                architecture: file.architecture.clone(),
            };
            let what = shown(found, &slot);
            let here = self.locate(found, &slot).await?.and_then(|located| located.artifact.file);
            match (here, status) {
                (Some(here), _) if is_other(&here, file) => {
                    progress.left_out(&what, "another file is here, which stays");
                }
                (Some(_), _) => progress.report.present += 1,
                (None, Some(VersionStatus::Released | VersionStatus::Revoked)) => {
                    progress.left_out(&what, "the version was released here without it");
                }
                (None, _) if progress.run == Run::Dry => progress.copied(&what, None),
                (None, _) => match self.import_file(import, found, &slot, file, progress).await {
                    Ok(size_bytes) => progress.copied(&what, Some(size_bytes)),
                    Err(error) => progress.failed(&what, &error),
                },
            }
        }
        let is_whole = progress.report.failed == failed_before;
        if is_whole
            && progress.run == Run::Real
            && !matches!(status, Some(VersionStatus::Released | VersionStatus::Revoked))
        {
            self.release_version(found, number).await?;
            let (owner, name) = (&found.organization, &found.vagrant_box.name);
            let resource =
                Resource::Version(owner.name.clone(), name.clone(), Some(number.clone()));
            let entry = self.import_entry(owner, Action::Release, &resource);
            self.record_change(vec![entry]).await?;
        }
        Ok(())
    }

    async fn import_file(
        self: &Arc<Self>,
        import: &Import,
        found: &Arc<OwnedBox>,
        slot: &Slot,
        file: &UpstreamFile,
        progress: &mut Progress<'_>,
    ) -> Result<u64> {
        let provider =
            CreateProviderParams { name: slot.provider.clone(), description: String::new() };
        unless_there(self.create_provider(found, &slot.version, provider).await)?;
        let architecture = CreateArchitectureParams {
            name: slot.architecture.clone(),
            default_box: file.is_default,
        };
        unless_there(
            self.create_architecture(found, &slot.version, &slot.provider, architecture).await,
        )?;
        let resource = Resource::File(
            found.organization.name.clone(),
            found.vagrant_box.name.clone(),
            slot.version.clone(),
            slot.provider.clone(),
            slot.architecture.clone(),
        );
        let audit = self
            .import_entry(&found.organization, Action::Upload, &resource)
            .with_detail("from", file.url.host_str().unwrap_or_default());
        let what = shown(found, slot);
        let tell = &mut *progress.tell;
        let mut hear = |size_bytes, of| tell(Event::Came { what: what.clone(), size_bytes, of });
        Box::pin(self.copy_file(&import.reader, found, slot, (file, audit), &mut hear)).await
    }

    fn import_entry(
        &self,
        organization: &Organization,
        action: Action,
        resource: &Resource,
    ) -> NewEntry {
        NewEntry {
            organization: Some(organization.name.clone()),
            organization_id: Some(organization.id),
            ..self.own_entry(By::Command, action, &resource.object())
        }
    }
}

/// A box to bring over.
struct Wanted {
    /// As the upstream writes it.
    shown: String,
    /// What it is called here; `None` until its catalogue was read.
    name: Option<BoxName>,
    is_public: bool,
}

/// The boxes to bring over: those that the upstream lists and that were asked for.
async fn wanted(import: &Import, progress: &mut Progress<'_>) -> Result<Vec<Wanted>> {
    if import.upstream.organization().is_none() {
        // one catalogue, one box
        let name = import.only.first().cloned();
        let shown = name.as_ref().map_or_else(|| "(one catalogue)".to_owned(), ToString::to_string);
        return Ok(vec![Wanted { shown, name, is_public: false }]);
    }
    let listed = import.reader.list(&import.upstream).await.map_err(failure)?;
    let only: BTreeSet<String> = import.only.iter().map(BoxName::key).collect();
    let mut found = BTreeSet::new();
    let mut wanted = Vec::new();
    for listed in listed {
        let name = match BoxName::parse(&listed.name) {
            Ok(name) => name,
            Err(why) => {
                progress.left_out(&listed.name, why.to_string());
                continue;
            }
        };
        if (only.is_empty() || only.contains(&name.key())) && found.insert(name.key()) {
            let is_public = !listed.is_private;
            wanted.push(Wanted { shown: listed.name, name: Some(name), is_public });
        }
    }
    for missing in import.only.iter().filter(|name| !found.contains(&name.key())) {
        let why = "the upstream does not list it; is the name right, and does the token show it?";
        progress.failed(missing.as_str(), &AppError::new(ErrorCode::BoxNotFound, why));
    }
    Ok(wanted)
}

/// The second half of the name that a catalogue has.
fn name_of(described: &UpstreamBox) -> Option<BoxName> {
    let name = described.name.as_deref()?;
    BoxName::parse(name.rsplit_once('/').map_or(name, |(_, name)| name)).ok()
}

fn would_copy(shown: &str, version: &UpstreamVersion, progress: &mut Progress<'_>) {
    for file in &version.files {
        let UpstreamFile { provider, architecture, .. } = file;
        progress.copied(&format!("{shown} {} {provider} {architecture}", version.number), None);
    }
}

fn shown(found: &OwnedBox, slot: &Slot) -> String {
    format!(
        "{}/{} {} {} {}",
        found.organization.name,
        found.vagrant_box.name,
        slot.version,
        slot.provider,
        slot.architecture
    )
}

/// Whether a file that is here is not the one that the upstream has, as far as their checksums tell.
pub(super) fn is_other(here: &ArtifactFile, there: &UpstreamFile) -> bool {
    let Some(wanted) = &there.checksum else { return false };
    if wanted.kind() == ChecksumType::Sha256 {
        return here.stored.digest.to_hex() != wanted.hex();
    }
    let declared = here.checksum.as_ref().filter(|declared| declared.kind() == wanted.kind());
    declared.is_some_and(|declared| declared.hex() != wanted.hex())
}

fn unless_there<T>(made: Result<T>) -> Result<()> {
    match made {
        Err(error) if error.code() != ErrorCode::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn shortened(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

/// What an upstream did, as a failure of ours.
pub(super) fn failure(error: UpstreamError) -> AppError {
    let code =
        if error.is_not_found() { ErrorCode::BoxNotFound } else { ErrorCode::StoreUnavailable };
    AppError::new(code, error.to_string()).with_source(error)
}
