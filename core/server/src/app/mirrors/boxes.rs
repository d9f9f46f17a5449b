//! Mirrored boxes: what an upstream says of one, read when somebody asks and what is kept is too old.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use boxvault_catalog::{
    Page,
    boxes::{self, BoxChanges, OwnedBox},
    mirrors::{self, Mirror, MirroredBox, Offer, OfferedFile},
    organizations::{self, Organization},
    versions::{self, VersionFilter},
};
use boxvault_policy::{AccessRequest, Policy, Relations};
use boxvault_types::{
    action::{Action, Resource},
    error::ErrorCode,
    identity::Identity,
    ids::{BoxId, OrganizationId},
    names::{BoxName, OrganizationName},
    params::boxes::CreateBoxParams,
    version::BoxVersion,
};
use tracing::{info, warn};

use super::{BoxKey, all_of, held, is_ahead};
use crate::{
    app::{
        App,
        access::Target,
        boxes::{DESCRIPTION_CHARS_MAX, SHORT_DESCRIPTION_CHARS_MAX},
    },
    error::{AppError, Result},
    upstream::{Answer, Upstream, UpstreamBox, UpstreamError, UpstreamFile},
};

/// How long a client waits for news of a box of which an older catalogue is here.
const REFRESH_WAIT: Duration = Duration::from_secs(2);

impl App {
    /// Looks for a box at the upstream that is not here yet, when a mirror is asked for it by somebody who could read it
    /// then.
    ///
    /// # Errors
    /// `UPSTREAM_UNAVAILABLE`.
    pub(crate) async fn find_in_mirror(
        self: &Arc<Self>,
        policy: &Policy,
        identity: &Identity,
        target: Target,
        action: Action,
    ) -> Result<Target> {
        if !matches!(action, Action::Read | Action::Download) {
            return Ok(target);
        }
        if let Some(found) = &target.vagrant_box {
            return match target.unknown_version() {
                // it may be new there; boxed, as below, since this is a part of every request
                Some(version) if Box::pin(self.offer_again(found, version)).await? => {
                    Target::find(self, target.asked().clone(), action).await
                }
                _ => Ok(target),
            };
        }
        let Some((owner, name)) = target.resource.box_names() else { return Ok(target) };
        let Some((organization, mirror)) = self.mirror_named(owner).await? else {
            return Ok(target);
        };
        // who may not read it once it is here does not make it come
        let present = organization.name.clone();
        let resource = Resource::Box(present, Some(name.clone()));
        let serves = organization.suspension.is_none();
        let relations = Relations { creator: false, public: mirror.is_public && serves };
        let request = AccessRequest::new(identity, &resource, Action::Read, relations);
        if !serves || !policy.decide(&request).allowed {
            return Ok(target);
        }
        if Box::pin(self.bring_box(&organization, &mirror, name)).await?.is_none() {
            return Ok(target);
        }
        // that it was not there may be remembered
        self.catalogues.clear();
        Target::find(self, target.asked().clone(), action).await
    }

    async fn mirror_named(
        &self,
        name: &OrganizationName,
    ) -> Result<Option<(Organization, Arc<Mirror>)>> {
        if self.has_no_mirrors().await? {
            return Ok(None);
        }
        let Some(organization) = organizations::find(&self.catalog, name).await? else {
            return Ok(None);
        };
        let mirror = self.mirror_of(organization.id).await?;
        Ok(mirror.map(|mirror| (organization, mirror)))
    }

    async fn has_no_mirrors(&self) -> Result<bool> {
        // reads them, if that is to be done
        self.mirror_of(OrganizationId(uuid::Uuid::nil())).await?;
        Ok(held(&self.mirrors.known).as_ref().is_some_and(|(_, all)| all.is_empty()))
    }

    /// Reads what the upstream says of a box again, if what is kept is too old. Where it does not answer, or not soon,
    /// that is used.
    pub(crate) async fn refresh_mirrored(self: &Arc<Self>, found: &OwnedBox) -> Result<()> {
        let Some(mirror) = self.mirror_of(found.organization.id).await? else { return Ok(()) };
        if self.mirrors.is_fresh(found) {
            return Ok(());
        }
        // goes on when nobody waits any more
        let (app, found) = (Arc::clone(self), found.clone());
        let looking = tokio::spawn(async move {
            app.bring_box(&found.organization, &mirror, &found.vagrant_box.name).await
        });
        let Ok(outcome) = tokio::time::timeout(REFRESH_WAIT, looking).await else { return Ok(()) };
        match outcome.map_err(AppError::internal)? {
            Err(error)
                if matches!(
                    error.code(),
                    ErrorCode::UpstreamUnavailable | ErrorCode::BoxNotFound | ErrorCode::Busy
                ) =>
            {
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    /// A box of a mirror, as fresh as it has to be; nothing where the upstream has none.
    ///
    /// # Errors
    /// `UPSTREAM_UNAVAILABLE`.
    pub(super) async fn bring_box(
        self: &Arc<Self>,
        organization: &Organization,
        mirror: &Arc<Mirror>,
        name: &BoxName,
    ) -> Result<Option<OwnedBox>> {
        let key = (organization.id, name.key());
        let found = boxes::find(&self.catalog, &organization.name, name).await?;
        let is_known = match &found {
            Some(found) => self.mirrors.is_fresh(found),
            None => is_ahead(self.mirrors.missing.get(&key)),
        };
        if is_known {
            return Ok(found);
        }
        let looking = self.mirrors.turn(&key)?;
        let _turn = looking.lock().await;
        self.look(organization, mirror, name).await
    }

    /// Does so when it is one's turn: whoever was before may have done it.
    async fn look(
        self: &Arc<Self>,
        organization: &Organization,
        mirror: &Arc<Mirror>,
        name: &BoxName,
    ) -> Result<Option<OwnedBox>> {
        let key = (organization.id, name.key());
        let ttl: Duration = self.config.mirror.catalogue_ttl.into();
        let found = boxes::find(&self.catalog, &organization.name, name).await?;
        let kept = match &found {
            Some(found) => mirrors::find_box(&self.catalog, found.vagrant_box.id).await?,
            None => None,
        };
        let asked = self.asked(mirror).await?;
        let url = asked.upstream.catalogue_url(name.as_str());
        let kept = kept.filter(|kept| kept.url == url.as_str());
        if let (Some(found), Some(kept)) = (&found, &kept) {
            let age = (self.catalog.now() - kept.checked_at).to_std().unwrap_or_default();
            if let Some(left) = ttl.checked_sub(age).filter(|left| !left.is_zero()) {
                self.mirrors.fresh.insert(found.vagrant_box.id, Instant::now() + left);
                return Ok(Some(found.clone()));
            }
        }
        if found.is_none() && is_ahead(self.mirrors.missing.get(&key)) {
            return Ok(None);
        }
        if let Some(found) = &found
            && self.is_own(found).await?
        {
            self.mirrors.fresh.insert(found.vagrant_box.id, Instant::now() + ttl);
            return Ok(Some(found.clone()));
        }
        self.refuse_resting(mirror, &key)?;
        let tag = kept.as_ref().and_then(|kept| kept.etag.as_deref());
        let described = match asked.reader.catalogue(&url, tag).await {
            Ok(Answer::Unchanged) => {
                let (Some(found), Some(kept)) = (found, kept) else { return Ok(None) };
                let described = parse(&kept)?;
                mirrors::put_box(&self.catalog, kept, &offers(&described)).await?;
                self.mirrors.fresh.insert(found.vagrant_box.id, Instant::now() + ttl);
                return Ok(Some(found));
            }
            Ok(Answer::New(described, etag)) => (described, etag),
            Err(error) => return self.not_read(mirror, key, found, error),
        };
        let ((described, document), etag) = described;
        if !is_called(&asked.upstream, &described, name) {
            self.mirrors.missing.insert(key, Instant::now() + ttl);
            return Ok(found);
        }
        let found = match found {
            Some(found) => self.describe_mirrored(found, &described).await?,
            None => self.make_mirrored(organization, mirror, name, &described).await?,
        };
        let new = MirroredBox {
            box_id: found.vagrant_box.id,
            url: url.to_string(),
            document: String::from_utf8_lossy(&document).into_owned(),
            etag,
            license: described.license.clone(),
            checked_at: self.catalog.now(),
        };
        mirrors::put_box(&self.catalog, new, &offers(&described)).await?;
        self.catalogues.clear();
        self.mirrors.fresh.insert(found.vagrant_box.id, Instant::now() + ttl);
        for why in &described.left_out {
            warn!(box.name = %name, "left out of a mirrored box: {why}");
        }
        Ok(Some(found))
    }

    /// What comes of it when the upstream did not tell of a box.
    fn not_read(
        &self,
        mirror: &Mirror,
        key: BoxKey,
        found: Option<OwnedBox>,
        error: UpstreamError,
    ) -> Result<Option<OwnedBox>> {
        let until = Instant::now() + Duration::from(self.config.mirror.catalogue_ttl);
        let Some(found) = found else {
            if error.is_not_found() {
                self.mirrors.missing.insert(key, until);
                return Ok(None);
            }
            let about = if error.is_of_all() { all_of(mirror) } else { key };
            return Err(self.upstream_failed(mirror, about, error));
        };
        if error.is_not_found() {
            // gone there: what is here stays, and is not asked for at each request
            self.mirrors.fresh.insert(found.vagrant_box.id, until);
        }
        let about = if error.is_of_all() { all_of(mirror) } else { key };
        let error = self.upstream_failed(mirror, about, error);
        warn!(
            box.name = %found.vagrant_box.name, organization = %found.organization.name,
            cause = error.causes(),
            "could not read a mirrored box again; what is here is served"
        );
        Err(error)
    }

    async fn make_mirrored(
        &self,
        organization: &Organization,
        mirror: &Mirror,
        name: &BoxName,
        described: &UpstreamBox,
    ) -> Result<OwnedBox> {
        let (short_description, description) = texts(described);
        let params = CreateBoxParams {
            name: name.clone(),
            short_description,
            description,
            readme: None,
            tags: Vec::new(),
            homepage_url: None,
            source_url: None,
            documentation_url: None,
            is_public: mirror.is_public,
            replace_former_name: false,
        };
        match self.create_box(&Identity::Anonymous, organization, params).await {
            // by another server, since it was looked for
            Err(error) if error.code() != ErrorCode::AlreadyExists => return Err(error),
            _ => {}
        }
        info!(box.name = %name, organization = %organization.name, "mirrors {}/{name}", organization.name);
        let made = boxes::find(&self.catalog, &organization.name, name).await?;
        made.ok_or_else(|| {
            AppError::new(
                ErrorCode::BoxNotFound,
                "a box of this name was deleted here, and can still be restored",
            )
        })
    }

    /// The box with what the upstream says that it is.
    async fn describe_mirrored(
        &self,
        mut found: OwnedBox,
        described: &UpstreamBox,
    ) -> Result<OwnedBox> {
        let (short_description, description) = texts(described);
        let is = &found.vagrant_box;
        if (&is.short_description, &is.description) != (&short_description, &description) {
            let changes = BoxChanges {
                short_description: Some(short_description),
                description: Some(description),
                ..BoxChanges::default()
            };
            found.vagrant_box = boxes::update(&self.catalog, is.id, changes).await?;
        }
        Ok(found)
    }

    /// Whether a box is the organization's own: one that somebody made here, or that was kept when a mirror ended.
    async fn is_own(&self, found: &OwnedBox) -> Result<bool> {
        let id = found.vagrant_box.id;
        if mirrors::find_box(&self.catalog, id).await?.is_some() {
            return Ok(false);
        }
        if found.vagrant_box.created_by.is_some() {
            return Ok(true);
        }
        // made by a server that ended before it wrote down what of
        let has = versions::list(&self.catalog, id, VersionFilter::default(), Page::new(1, 1));
        Ok(has.await?.total > 0)
    }

    /// Makes once more what the upstream offers of a box, if it offers a version that is missing here: it may be new, and
    /// somebody may have deleted it. Tells whether it is here now.
    pub(super) async fn offer_again(
        self: &Arc<Self>,
        found: &OwnedBox,
        version: &BoxVersion,
    ) -> Result<bool> {
        self.refresh_mirrored(found).await?;
        let id = found.vagrant_box.id;
        let Some(offered) = self.offered(&found.organization, id).await? else {
            return Ok(false);
        };
        let has = offered.versions.iter().any(|it| it.number.sort_key() == version.sort_key());
        if has {
            mirrors::put_offers(&self.catalog, id, &offers(&offered)).await?;
            self.catalogues.clear();
        }
        Ok(has)
    }

    /// What the upstream last said of a box, if it is mirrored.
    pub(crate) async fn offered(
        &self,
        organization: &Organization,
        id: BoxId,
    ) -> Result<Option<UpstreamBox>> {
        if self.mirror_of(organization.id).await?.is_none() {
            return Ok(None);
        }
        let Some(kept) = mirrors::find_box(&self.catalog, id).await? else { return Ok(None) };
        parse(&kept).map(Some)
    }
}

fn parse(kept: &MirroredBox) -> Result<UpstreamBox> {
    let url = kept.url.parse().map_err(AppError::internal)?;
    UpstreamBox::parse(kept.document.as_bytes(), &url).map_err(AppError::internal)
}

/// The short description and the long one, as long as they may be here.
fn texts(described: &UpstreamBox) -> (String, String) {
    let shortened = |text: &str, chars_max: usize| text.chars().take(chars_max).collect();
    (
        shortened(&described.short_description, SHORT_DESCRIPTION_CHARS_MAX),
        shortened(&described.description, DESCRIPTION_CHARS_MAX),
    )
}

/// Whether what a single catalogue describes is the box of this name; a registry was asked for it by its name.
fn is_called(upstream: &Upstream, described: &UpstreamBox, name: &BoxName) -> bool {
    let Some(hint) = upstream.box_name_hint() else { return true };
    let called = described.name.as_deref().unwrap_or(&hint);
    called.rsplit_once('/').map_or(called, |(_, name)| name).eq_ignore_ascii_case(name.as_str())
}

fn offers(described: &UpstreamBox) -> Vec<Offer> {
    let file = |file: &UpstreamFile| OfferedFile {
        provider: file.provider.clone(),
        architecture: file.architecture.clone(),
        default_architecture: file.is_default,
    };
    let versions = described.versions.iter();
    versions
        .map(|version| Offer {
            number: version.number.clone(),
            description: version.description.chars().take(DESCRIPTION_CHARS_MAX).collect(),
            files: version.files.iter().map(file).collect(),
        })
        .collect()
}
