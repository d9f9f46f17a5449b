//! Organizations that mirror another registry: how they are set up, and who asks the upstream when.
//!
//! ```text
//! a client asks for a box ──▶ boxes: the upstream's catalogue, kept with its age; what it offers becomes rows
//!                 for a file ──▶ fetch: one request for all who wait; each follows the bytes as they come
//! ```
//!
//! An upstream that is away costs nothing but what is not here yet: catalogues that were read and files that came are
//! served without it, and it is left alone for a while (`mirror.retry_after`). What it offers is kept for ever once it
//! is here. Publishers cannot change what a mirror has: it would not be what the upstream has any more. Boxes that the
//! organization had itself stay its own, and what the upstream has under their names is not looked at.

mod boxes;
mod fetch;
mod sync;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use boxvault_catalog::{
    boxes::OwnedBox,
    mirrors::{self, Mirror, NewMirror},
    organizations::Organization,
};
use boxvault_types::{
    action::{Action, ResourceKind},
    error::ErrorCode,
    ids::{ArtifactId, BoxId, OrganizationId},
    params::mirrors::SetMirrorParams,
    views::mirrors::{BoxOriginView, MirrorView},
};
use quick_cache::sync::Cache;
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};

use super::{App, organizations::check_length};
use crate::{
    config::MirrorConfig,
    error::{AppError, Result},
    upstream::{Hosts, Options, Reach, Reader, Upstream, UpstreamError, certificates},
};

pub(crate) use fetch::{Fetch, Fetched, Haste, digest_of};

/// How long what the catalog says of mirrors is used without asking it again.
const TTL: Duration = Duration::from_secs(1);
/// How many boxes are remembered as being fresh, or as not being there.
const ENTRIES_MAX: usize = 10_000;
/// For how many boxes upstreams are asked at once.
const LOOKING_MAX: usize = 256;
/// When to ask again for what found no room.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(10);
/// What tokens are sealed for.
const PURPOSE: &str = "mirror.token";
/// The longest address and license, in characters.
const URL_CHARS_MAX: usize = 2048;
const LICENSE_CHARS_MAX: usize = 255;
/// The shortest time between two times that all is brought over, in seconds, and the longest.
const SYNC_SECONDS_MIN: u32 = 60;
const SYNC_SECONDS_MAX: u32 = 31_536_000;

/// A box by the keys of its names.
type BoxKey = (OrganizationId, String);
/// How organizations mirror, those that do.
pub(crate) type ByOrganization = Arc<HashMap<OrganizationId, Arc<Mirror>>>;

/// What this server knows of mirrors, and what it is doing for them.
pub(crate) struct Mirrors {
    known: Mutex<Option<(Instant, ByOrganization)>>,
    /// Connections are kept for as long as a mirror is set up as it is.
    readers: Mutex<HashMap<OrganizationId, (Arc<Mirror>, Asked)>>,
    /// Until when an upstream that did not answer is left alone: about one box, or, under no name, about all.
    resting: Cache<BoxKey, Instant>,
    /// Until when what is kept of a box needs no other look.
    fresh: Cache<BoxId, Instant>,
    /// Until when the upstream is not asked again for a box that it does not have.
    missing: Cache<BoxKey, Instant>,
    /// One look at the upstream at a time for each box; an entry is of use as long as somebody holds its lock.
    looking: Mutex<HashMap<BoxKey, Weak<AsyncMutex<()>>>>,
    fetches: AsyncMutex<HashMap<ArtifactId, Arc<Fetch>>>,
    /// How many files may come at once (`mirror.fetches_max`).
    permits: Arc<Semaphore>,
    /// Of which mirrors everything is being brought over here.
    syncing: Mutex<HashSet<OrganizationId>>,
}

/// An upstream, and who asks it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) upstream: Upstream,
    pub(crate) reader: Reader,
}

impl Mirrors {
    /// Knows nothing.
    pub(crate) fn new(config: &MirrorConfig) -> Self {
        Self {
            known: Mutex::default(),
            readers: Mutex::default(),
            resting: Cache::new(ENTRIES_MAX),
            fresh: Cache::new(ENTRIES_MAX),
            missing: Cache::new(ENTRIES_MAX),
            looking: Mutex::default(),
            fetches: AsyncMutex::default(),
            permits: Arc::new(Semaphore::new(config.fetches_max)),
            syncing: Mutex::default(),
        }
    }

    /// Whether what is kept of a box needs no other look.
    fn is_fresh(&self, found: &OwnedBox) -> bool {
        is_ahead(self.fresh.get(&found.vagrant_box.id))
    }

    /// Whose turn it is to look for a box.
    ///
    /// # Errors
    /// `BUSY` where too many others are looked for.
    fn turn(&self, key: &BoxKey) -> Result<Arc<AsyncMutex<()>>> {
        let mut all = held(&self.looking);
        if let Some(turn) = all.get(key).and_then(Weak::upgrade) {
            return Ok(turn);
        }
        if all.len() >= LOOKING_MAX {
            all.retain(|_, turn| turn.strong_count() > 0);
        }
        if all.len() >= LOOKING_MAX {
            return Err(busy("too many boxes are being looked for; try again in a moment"));
        }
        let turn = Arc::default();
        all.insert(key.clone(), Arc::downgrade(&turn));
        Ok(turn)
    }

    /// One of the files that may come at once, for a client.
    ///
    /// # Errors
    /// `BUSY`.
    fn permit_now(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            busy("too many files are being fetched (mirror.fetches_max); try again in a moment")
        })
    }

    /// The same, when it is one's turn.
    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(AppError::internal)
    }

    /// Forgets what was known: somebody set up, changed or ended a mirror.
    fn clear(&self) {
        *held(&self.known) = None;
        self.resting.clear();
        self.fresh.clear();
        self.missing.clear();
    }
}

fn busy(why: &str) -> AppError {
    AppError::new(ErrorCode::Busy, why).with_retry_after(BUSY_RETRY_AFTER)
}

fn is_ahead(until: Option<Instant>) -> bool {
    until.is_some_and(|until| until > Instant::now())
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    /// How an organization mirrors, as far as anybody may know.
    pub(crate) async fn mirror_view(&self, organization: &Organization) -> Result<MirrorView> {
        Ok(mirrors::find(&self.catalog, organization.id).await?.map(view).unwrap_or_default())
    }

    /// Makes an organization a mirror, or changes how it is one.
    ///
    /// # Errors
    /// `INVALID_INPUT`, also where the server's configuration does not let it fetch from there.
    pub(crate) async fn set_mirror(
        &self,
        organization: &Organization,
        params: SetMirrorParams,
    ) -> Result<MirrorView> {
        check_length("url", &params.url, URL_CHARS_MAX)?;
        check_length("license", params.license.as_deref().unwrap_or_default(), LICENSE_CHARS_MAX)?;
        let upstream: Upstream = params.url.parse().map_err(|error| refused(&error))?;
        if upstream.url().query().is_some() {
            // it is shown to whoever may read a box, and what opens a catalogue often stands there
            return Err(AppError::invalid(
                "url",
                "must not have a query; a token has a place of its own",
            ));
        }
        self.reach().check(&upstream.url()).map_err(|error| refused(&error))?;
        if params.sync_seconds != 0
            && !(SYNC_SECONDS_MIN..=SYNC_SECONDS_MAX).contains(&params.sync_seconds)
        {
            return Err(AppError::invalid(
                "syncSeconds",
                format!("must be 0, or from {SYNC_SECONDS_MIN} to {SYNC_SECONDS_MAX}"),
            ));
        }
        let before = mirrors::find(&self.catalog, organization.id).await?;
        let token = match params.token {
            Some(token) if token.expose().trim().is_empty() => None,
            Some(token) => Some(self.sealer.seal(PURPOSE, token.expose().trim().as_bytes())?),
            // never to another host than the one that it was given for
            None => {
                before.filter(|before| has_origin_of(before, &upstream)).and_then(|it| it.token)
            }
        };
        let new = NewMirror {
            organization_id: organization.id,
            url: upstream.to_string(),
            token,
            is_public: params.is_public,
            license: params.license.filter(|license| !license.trim().is_empty()),
            sync_seconds: params.sync_seconds.into(),
        };
        let put = mirrors::put(&self.catalog, new).await?;
        self.mirrors.clear();
        self.catalogues.clear();
        Ok(view(put))
    }

    /// Makes a mirror an organization like others, with the boxes and files that it has.
    pub(crate) async fn delete_mirror(&self, organization: &Organization) -> Result<MirrorView> {
        mirrors::delete(&self.catalog, organization.id).await?;
        self.mirrors.clear();
        self.catalogues.clear();
        Ok(MirrorView::default())
    }

    /// How an organization mirrors, if it does; at most a second old.
    pub(crate) async fn mirror_of(&self, id: OrganizationId) -> Result<Option<Arc<Mirror>>> {
        Ok(self.all_mirrors().await?.get(&id).cloned())
    }

    /// All of them, at most a second old.
    pub(crate) async fn all_mirrors(&self) -> Result<ByOrganization> {
        let now = Instant::now();
        let known = held(&self.mirrors.known).clone().filter(|(until, _)| *until > now);
        if let Some((_, all)) = known {
            return Ok(all);
        }
        let all = mirrors::list(&self.catalog).await?;
        let all = all.into_iter().map(|mirror| (mirror.organization_id, Arc::new(mirror)));
        let all: ByOrganization = Arc::new(all.collect());
        *held(&self.mirrors.known) = Some((now + TTL, Arc::clone(&all)));
        Ok(all)
    }

    /// Refuses to change what a mirror has: boxes and all in them come from its upstream. To delete is allowed: what is
    /// asked for again comes again.
    ///
    /// # Errors
    /// `MIRROR_READ_ONLY`.
    pub(crate) async fn refuse_change_of_mirror(
        &self,
        organization: &Organization,
        kind: ResourceKind,
        action: Action,
    ) -> Result<()> {
        if !is_change_of_upstream(kind, action) {
            return Ok(());
        }
        let Some(mirror) = self.mirror_of(organization.id).await? else { return Ok(()) };
        Err(AppError::new(
            ErrorCode::MirrorReadOnly,
            format!(
                "{} mirrors {}, so its boxes change there and not here; publish to another organization, or end the mirror",
                organization.name, mirror.url
            ),
        ))
    }

    /// Where a box comes from, if it is mirrored.
    pub(crate) async fn box_origin(
        &self,
        organization: &Organization,
        id: BoxId,
    ) -> Result<Option<BoxOriginView>> {
        let Some(mirror) = self.mirror_of(organization.id).await? else { return Ok(None) };
        let found = mirrors::find_box(&self.catalog, id).await?;
        Ok(found.map(|found| BoxOriginView {
            url: found.url,
            license: found.license.or_else(|| mirror.license.clone()),
            checked_at: found.checked_at,
        }))
    }

    /// Who asks the upstream of a mirror.
    async fn asked(&self, mirror: &Arc<Mirror>) -> Result<Asked> {
        let kept = held(&self.mirrors.readers).get(&mirror.organization_id).cloned();
        if let Some((of, asked)) = kept
            && (&of.url, &of.token) == (&mirror.url, &mirror.token)
        {
            return Ok(asked);
        }
        let upstream: Upstream = mirror.url.parse().map_err(AppError::internal)?;
        let token = match &mirror.token {
            Some(sealed) => Some(self.sealer.open(PURPOSE, sealed)?),
            None => None,
        };
        let token = token.map(String::from_utf8).transpose().map_err(AppError::internal)?;
        let config = &self.config.mirror;
        let certificates = match &config.ca_file {
            Some(path) => certificates(path).await.map_err(AppError::internal)?,
            None => Vec::new(),
        };
        let options = Options {
            reach: self.reach(),
            connect_timeout: config.connect_timeout.into(),
            answer_timeout: config.answer_timeout.into(),
            idle_timeout: config.idle_timeout.into(),
            redirects_max: config.redirects_max,
            document_bytes_max: config.catalogue_bytes_max.bytes(),
            certificates,
        };
        let reader =
            Reader::new(options, &upstream, token.as_deref()).map_err(AppError::internal)?;
        let asked = Asked { upstream, reader };
        let kept = (Arc::clone(mirror), asked.clone());
        held(&self.mirrors.readers).insert(mirror.organization_id, kept);
        Ok(asked)
    }

    fn reach(&self) -> Reach {
        let config = &self.config.mirror;
        Reach {
            hosts: Hosts::of(&config.upstream_hosts),
            private_addresses: config.private_addresses_allowed,
        }
    }

    /// Refuses at once while an upstream is left alone, altogether or about a box.
    fn refuse_resting(&self, mirror: &Mirror, key: &BoxKey) -> Result<()> {
        let all = all_of(mirror);
        let until = [key, &all].into_iter().filter_map(|key| self.mirrors.resting.get(key)).max();
        match until.and_then(|until| until.checked_duration_since(Instant::now())) {
            Some(left) => Err(away(mirror).with_retry_after(left)),
            None => Ok(()),
        }
    }

    /// What an upstream's failure is to a client; it is left alone for a while, about this.
    fn upstream_failed(&self, mirror: &Mirror, about: BoxKey, error: UpstreamError) -> AppError {
        if error.is_not_found() {
            return AppError::new(
                ErrorCode::BoxNotFound,
                format!("{} has no such box, or shows it to others", mirror.url),
            );
        }
        let rest: Duration = self.config.mirror.retry_after.into();
        self.mirrors.resting.insert(about, Instant::now() + rest);
        away(mirror).with_retry_after(rest).with_source(error)
    }
}

/// Whether an action would make what a mirror has another thing than its upstream has.
pub(crate) fn is_change_of_upstream(kind: ResourceKind, action: Action) -> bool {
    matches!(
        action,
        Action::Create
            | Action::Update
            | Action::Upload
            | Action::Replace
            | Action::Release
            | Action::Revoke
            | Action::Transfer
    ) && matches!(
        kind,
        ResourceKind::Box
            | ResourceKind::Version
            | ResourceKind::Provider
            | ResourceKind::Architecture
            | ResourceKind::File
    )
}

fn all_of(mirror: &Mirror) -> BoxKey {
    (mirror.organization_id, String::new())
}

fn away(mirror: &Mirror) -> AppError {
    AppError::new(
        ErrorCode::UpstreamUnavailable,
        format!("{} is mirrored here, and does not answer as it should; try again", mirror.url),
    )
}

fn refused(error: &UpstreamError) -> AppError {
    AppError::invalid("url", error)
}

fn has_origin_of(before: &Mirror, upstream: &Upstream) -> bool {
    let before = before.url.parse::<Upstream>();
    before.is_ok_and(|before| before.url().origin() == upstream.url().origin())
}

fn view(mirror: Mirror) -> MirrorView {
    MirrorView {
        url: Some(mirror.url),
        has_token: mirror.token.is_some(),
        is_public: mirror.is_public,
        license: mirror.license,
        sync_seconds: u64::try_from(mirror.sync_seconds).unwrap_or_default(),
        synced_at: mirror.synced_at,
        problem: mirror.problem,
        updated_at: Some(mirror.updated_at),
    }
}
