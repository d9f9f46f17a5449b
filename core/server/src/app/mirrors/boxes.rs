//! Mirrored boxes: what an upstream says of one, read when somebody asks and what is kept is too old.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use boxvault_catalog::{
    boxes::{self, OwnedBox},
    mirrors::{self, Mirror, MirroredBox, Offer, OfferedFile},
    organizations::{self, Organization},
};
use boxvault_policy::{AccessRequest, Policy, Relations};
use boxvault_types::{
    action::{Action, Resource},
    error::ErrorCode,
    identity::Identity,
    ids::{BoxId, OrganizationId},
    names::{BoxName, OrganizationName},
    params::boxes::CreateBoxParams,
};
use tracing::{info, warn};

use super::held;
use crate::{
    app::{
        App,
        access::Target,
        boxes::{DESCRIPTION_CHARS_MAX, SHORT_DESCRIPTION_CHARS_MAX},
    },
    error::{AppError, Result},
    upstream::{Answer, Upstream, UpstreamBox, UpstreamFile},
};

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
        if target.vagrant_box.is_some() || !matches!(action, Action::Read | Action::Download) {
            return Ok(target);
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
        if self.bring_box(&organization, &mirror, name).await?.is_none() {
            return Ok(target);
        }
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

    /// Reads what the upstream says of a box again, if what is kept is too old. Where it does not answer, that is used.
    pub(crate) async fn refresh_mirrored(self: &Arc<Self>, found: &OwnedBox) -> Result<()> {
        let Some(mirror) = self.mirror_of(found.organization.id).await? else { return Ok(()) };
        let name = &found.vagrant_box.name;
        match self.bring_box(&found.organization, &mirror, name).await {
            Err(error)
                if matches!(
                    error.code(),
                    ErrorCode::UpstreamUnavailable | ErrorCode::BoxNotFound
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
        let is_ahead = |until: Option<Instant>| until.is_some_and(|until| until > Instant::now());
        let found = boxes::find(&self.catalog, &organization.name, name).await?;
        let is_fresh = |found: &OwnedBox| is_ahead(self.mirrors.fresh.get(&found.vagrant_box.id));
        if found.as_ref().is_some_and(is_fresh)
            || (found.is_none() && is_ahead(self.mirrors.missing.get(&key)))
        {
            return Ok(found);
        }
        let looking = self.mirrors.turn(&key);
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
        let missing = self.mirrors.missing.get(&key);
        if found.is_none() && missing.is_some_and(|until| until > Instant::now()) {
            return Ok(None);
        }
        self.refuse_resting(mirror)?;
        let tag = kept.as_ref().and_then(|kept| kept.etag.as_deref());
        match asked.reader.catalogue(&url, tag).await {
            Ok(Answer::Unchanged) => {
                if let Some(found) = &found {
                    mirrors::touch_box(&self.catalog, found.vagrant_box.id).await?;
                    self.mirrors.fresh.insert(found.vagrant_box.id, Instant::now() + ttl);
                }
                Ok(found)
            }
            Ok(Answer::New((described, document), etag)) => {
                if !is_called(&asked.upstream, &described, name) {
                    self.mirrors.missing.insert(key, Instant::now() + ttl);
                    return Ok(found);
                }
                let found = match found {
                    Some(found) => found,
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
            Err(error) if error.is_not_found() && found.is_none() => {
                self.mirrors.missing.insert(key, Instant::now() + ttl);
                Ok(None)
            }
            Err(error) => {
                // gone there: what is here stays, and is not asked for at each request
                if let (true, Some(found)) = (error.is_not_found(), &found) {
                    self.mirrors.fresh.insert(found.vagrant_box.id, Instant::now() + ttl);
                }
                let error = self.upstream_failed(mirror, error);
                warn!(
                    box.name = %name, organization = %organization.name, cause = error.causes(),
                    "could not read a mirrored box again; what is here is served"
                );
                Err(error)
            }
        }
    }

    async fn make_mirrored(
        &self,
        organization: &Organization,
        mirror: &Mirror,
        name: &BoxName,
        described: &UpstreamBox,
    ) -> Result<OwnedBox> {
        let shortened = |text: &str, chars_max: usize| text.chars().take(chars_max).collect();
        let params = CreateBoxParams {
            name: name.clone(),
            short_description: shortened(&described.short_description, SHORT_DESCRIPTION_CHARS_MAX),
            description: shortened(&described.description, DESCRIPTION_CHARS_MAX),
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
        let url = kept.url.parse().map_err(AppError::internal)?;
        UpstreamBox::parse(kept.document.as_bytes(), &url).map(Some).map_err(AppError::internal)
    }
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
