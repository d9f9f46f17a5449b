//! All boxes of a mirror with all their files, brought over from time to time.

use std::{sync::Arc, time::Duration};

use boxvault_catalog::{
    mirrors::{self, Mirror},
    organizations::{self, Organization},
};
use boxvault_types::{ids::OrganizationId, names::BoxName};
use tracing::{info, warn};

use super::{Fetched, Haste, all_of, held};
use crate::{
    app::{App, jobs::Job},
    error::{AppError, Result},
};

/// How often it is looked which mirror's time has come.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// How often a server says that it is still at it; less than the shortest time between two times.
const HOLD_INTERVAL: Duration = Duration::from_secs(20);
/// How many mirrors a server brings over at once.
const SYNCS_MAX: usize = 4;

/// Of one mirror everything is being brought over here, until this is dropped.
struct Turn {
    app: Arc<App>,
    id: OrganizationId,
}

impl Turn {
    /// None while it is being brought over already, or too many others are.
    fn begin(app: &Arc<App>, id: OrganizationId) -> Option<Self> {
        let mut syncing = held(&app.mirrors.syncing);
        (syncing.len() < SYNCS_MAX && syncing.insert(id)).then(|| Self { app: Arc::clone(app), id })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        held(&self.app.mirrors.syncing).remove(&self.id);
    }
}

impl App {
    /// Brings everything over for the mirrors that want it, for ever.
    pub(crate) async fn sync_mirrors_forever(self: Arc<Self>) {
        self.jobs.begin(Job::Mirrors, LOOK_INTERVAL);
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            ticks.tick().await;
            if let Err(error) = self.sync_due_mirrors().await {
                let cause = error.causes();
                warn!(cause, "could not look for mirrors to bring over; trying again");
            }
        }
    }

    /// Begins to bring over the mirrors whose time has come.
    async fn sync_due_mirrors(self: &Arc<Self>) -> Result<()> {
        let now = self.catalog.now();
        for mirror in mirrors::list(&self.catalog).await? {
            if !mirror.is_due(now) {
                continue;
            }
            let Some(turn) = Turn::begin(self, mirror.organization_id) else { continue };
            if mirrors::claim(&self.catalog, &mirror).await? {
                tokio::spawn(sync_claimed(turn, Arc::new(mirror)));
            }
        }
        Ok(())
    }

    async fn sync_and_note(self: &Arc<Self>, mirror: &Arc<Mirror>) -> Result<()> {
        let found = organizations::find_by_id(&self.catalog, mirror.organization_id).await?;
        let Some(organization) = found.filter(|found| found.suspension.is_none()) else {
            return Ok(());
        };
        let outcome = self.sync_mirror(&organization, mirror).await;
        let told = outcome.as_ref().err().map(|error| error.message().to_owned());
        mirrors::note(&self.catalog, organization.id, told.as_deref()).await?;
        outcome
    }

    /// Keeps other servers from beginning, until the catalog fails.
    async fn hold_forever(&self, id: OrganizationId) -> AppError {
        loop {
            tokio::time::sleep(HOLD_INTERVAL).await;
            if let Err(error) = mirrors::hold(&self.catalog, id).await {
                return error.into();
            }
        }
    }

    /// One mirror; what does not work with one box or file keeps none of the others back.
    async fn sync_mirror(
        self: &Arc<Self>,
        organization: &Organization,
        mirror: &Arc<Mirror>,
    ) -> Result<()> {
        let asked = self.asked(mirror).await?;
        let listed = asked.reader.list(&asked.upstream).await;
        let listed = listed.map_err(|error| self.upstream_failed(mirror, all_of(mirror), error))?;
        let listed = listed.into_iter().filter_map(|listed| BoxName::parse(&listed.name).ok());
        let hint = asked.upstream.box_name_hint();
        let hint = hint.and_then(|hint| BoxName::parse(&hint).ok());
        let (mut files, mut failed) = (0_u64, None);
        for name in listed.chain(hint) {
            match self.sync_box(organization, mirror, &name).await {
                Ok(count) => files += count,
                Err(error) => failed = Some(error),
            }
        }
        info!(organization = %organization.name, files, "brought a mirror over");
        failed.map_or(Ok(()), Err)
    }

    async fn sync_box(
        self: &Arc<Self>,
        organization: &Organization,
        mirror: &Arc<Mirror>,
        name: &BoxName,
    ) -> Result<u64> {
        let Some(found) = self.bring_box(organization, mirror, name).await? else { return Ok(0) };
        let found = Arc::new(found);
        let offered = self.offered(organization, found.vagrant_box.id).await?;
        let (mut files, mut failed) = (0, None);
        for version in offered.into_iter().flat_map(|offered| offered.versions) {
            for file in version.files {
                let fetched = self.fetch(&found, &version.number, file, Haste::Patient).await;
                let ended = match fetched {
                    Ok(Fetched::Here) => continue,
                    Ok(Fetched::Coming(fetch)) => fetch.ended().await,
                    Err(error) => Err(error),
                };
                match ended {
                    Ok(_) => files += 1,
                    Err(error) => failed = Some(error),
                }
            }
        }
        failed.map_or(Ok(files), Err)
    }
}

async fn sync_claimed(turn: Turn, mirror: Arc<Mirror>) {
    let app = &turn.app;
    let work = app.jobs.run(Job::Mirrors, app.sync_and_note(&mirror));
    let outcome = tokio::select! {
        outcome = work => outcome,
        error = app.hold_forever(turn.id) => Err(error),
    };
    if let Err(error) = outcome {
        let cause = error.causes();
        warn!(organization.id = %turn.id, cause, "could not bring a mirror over: {error}");
    }
}
