//! One file on its way to another store: copied, compared, switched.

use std::{future::Future, pin::pin, time::Duration};

use boxvault_catalog::{
    blobs::Blob,
    moves::{self, Begun, Copying, Place},
};
use boxvault_types::ids::UploadId;
use tokio::time::sleep;
use tracing::warn;

use super::{Moving, Outcome};
use crate::app::{
    copying::{Copy, Fault, internal},
    stores,
};

/// How often a copy says that somebody makes it.
const RENEW_INTERVAL: Duration = Duration::from_secs(4);

impl Moving {
    /// Copies a file and makes the copy its place.
    pub(super) async fn attempt(&self, blob: &Blob) -> Result<Outcome, Fault> {
        let catalog = &self.app.catalog;
        let to = Place { store: self.wish.to.clone(), key: stores::key(UploadId::new()) };
        match moves::begin(catalog, blob, &to, self.mover()).await.map_err(catalog_fault)? {
            Begun::Yours { left: None } => {}
            // if it cannot be removed now, the sweep finds an object that no row knows
            Begun::Yours { left: Some(left) } => {
                self.app.delete_object(&left.store, &left.key).await;
            }
            Begun::Busy => return Ok(Outcome::Busy),
            Begun::Gone => return Ok(Outcome::Gone),
        }
        if let Err(fault) = self.while_held(blob, self.copy(blob, &to)).await {
            self.throw_away(blob, to).await;
            return Err(fault);
        }
        match moves::switch(catalog, blob, &to, &self.holder).await {
            Ok(true) => Ok(Outcome::Moved),
            Ok(false) => {
                self.throw_away(blob, to).await;
                Ok(Outcome::Gone)
            }
            // It may have been switched all the same, so nothing is removed: if it was not, the row's lease ends, and
            // whoever comes next begins anew.
            Err(error) => {
                warn!(key = blob.key, %error, "could not tell the catalog of a copy; trying again");
                Ok(Outcome::Busy)
            }
        }
    }

    async fn copy(&self, blob: &Blob, to: &Place) -> Result<(), Fault> {
        let copy = Copy {
            from: (self.from.as_ref(), &blob.key),
            to: (self.to.as_ref(), &to.key),
            size_bytes: u64::try_from(blob.size_bytes).map_err(internal)?,
            digest: blob.digest,
        };
        copy.run(&self.pace, &self.meter.copied_bytes).await
    }

    /// Keeps the lease while something goes on. One that is lost ends nothing: the switch will say so.
    async fn while_held<T>(&self, blob: &Blob, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = sleep(RENEW_INTERVAL) => {
                    if let Err(error) = moves::renew(&self.app.catalog, blob.id, self.mover()).await {
                        warn!(key = blob.key, %error, "could not renew the lease of a copy");
                    }
                }
            }
        }
    }

    /// Removes a copy that is not needed. What cannot be removed now is the sweep's.
    async fn throw_away(&self, blob: &Blob, to: Place) {
        let copying = Copying { blob_id: blob.id, to };
        if self.app.delete_object(&copying.to.store, &copying.to.key).await
            && let Err(error) = moves::forget(&self.app.catalog, &copying).await
        {
            warn!(key = blob.key, %error, "could not forget a copy; the sweep will");
        }
    }
}

fn catalog_fault(error: boxvault_catalog::CatalogError) -> Fault {
    Fault::Catalog(error.into())
}
