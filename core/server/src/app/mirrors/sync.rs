//! All boxes of a mirror with all their files, brought over from time to time.

use std::{sync::Arc, time::Duration};

use boxvault_catalog::{
    mirrors::{self, Mirror},
    organizations::{self, Organization},
};
use boxvault_types::names::BoxName;
use tracing::{info, warn};

use super::Fetched;
use crate::{app::App, error::Result};

/// How often it is looked which mirror's time has come.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

impl App {
    /// Brings everything over for the mirrors that want it, for ever.
    pub(crate) async fn sync_mirrors_forever(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            ticks.tick().await;
            if let Err(error) = self.sync_due_mirrors().await {
                warn!(
                    cause = error.causes(),
                    "could not look for mirrors to bring over; trying again"
                );
            }
        }
    }

    async fn sync_due_mirrors(self: &Arc<Self>) -> Result<()> {
        let wanted = mirrors::list(&self.catalog).await?;
        for mirror in wanted.into_iter().filter(|mirror| mirror.sync_seconds > 0) {
            if !mirrors::claim(&self.catalog, &mirror).await? {
                continue;
            }
            let found = organizations::find_by_id(&self.catalog, mirror.organization_id).await?;
            let Some(organization) = found.filter(|found| found.suspension.is_none()) else {
                continue;
            };
            let mirror = Arc::new(mirror);
            let problem = self.sync_mirror(&organization, &mirror).await.err();
            if let Some(error) = &problem {
                warn!(
                    organization = %organization.name, cause = error.causes(),
                    "could not bring a mirror over: {error}"
                );
            }
            let told = problem.as_ref().map(|error| error.message().to_owned());
            mirrors::note(&self.catalog, organization.id, told.as_deref()).await?;
        }
        Ok(())
    }

    /// One mirror; what does not work with one box or file keeps none of the others back.
    async fn sync_mirror(
        self: &Arc<Self>,
        organization: &Organization,
        mirror: &Arc<Mirror>,
    ) -> Result<()> {
        let asked = self.asked(mirror).await?;
        let listed = asked.reader.list(&asked.upstream).await;
        let listed = listed.map_err(|error| self.upstream_failed(mirror, error))?;
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
                let fetched = self.fetch(&found, &version.number, file).await;
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
