//! Removes what nobody needs any more: abandoned uploads, boxes deleted long ago, blobs that nothing refers to, ended sessions.
//!
//! The row goes first, in a transaction that looks again whether something refers to it; then the bytes. A crash in
//! between leaves bytes without a row, which the sweep of the stores finds: an object that no row knows and that is
//! older than any running upload is dust.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use boxvault_catalog::{
    attempts, begun_sign_ins,
    blobs::{self, Deletion},
    boxes, idempotency, invitations, join_requests, links, moves, organizations, outbox, sessions,
    uploads,
};
use boxvault_plugin_sdk::{Capabilities, ObjectEntry, StorageBackend};
use tracing::{info, warn};

use super::{App, stores::KEY_PREFIXES};
use crate::error::Result;

/// How many objects one question to a store brings.
const LIST_SIZE: u32 = 1000;
/// How long ended sessions, failed sign-ins and messages that were given up are remembered.
const MEMORY: Duration = Duration::from_hours(24 * 30);

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that nobody finished, and copies into another store.
    pub uploads: u64,
    /// Boxes that were deleted long ago.
    pub boxes: u64,
    /// Blobs that nothing referred to.
    pub blobs: u64,
    /// Objects in a store that no row knew, finished or not.
    pub objects: u64,
}

/// What a sweep leaves alone.
#[derive(Debug, Clone, Copy)]
pub struct SweepOptions {
    /// Uploads and objects younger than this.
    pub uploads_older_than: Duration,
    /// Blobs that nothing has referred to for less than this.
    pub blobs_unreferenced_for: Duration,
}

impl App {
    /// What a running server leaves alone.
    pub fn sweep_options(&self) -> SweepOptions {
        SweepOptions {
            uploads_older_than: self.config.limits.uploads_abandoned_after.into(),
            blobs_unreferenced_for: self.config.storage.unreferenced_kept_for.into(),
        }
    }

    /// Sweeps once. Organizations whose time is over go first, so that their blobs are seen in the same sweep.
    ///
    /// # Errors
    /// The first failure of the catalog. A store that fails is reported in the log, and the others are swept.
    pub async fn sweep(self: &Arc<Self>, options: SweepOptions) -> Result<Swept> {
        let purged = organizations::purge_deleted(
            &self.catalog,
            self.config.organizations.restorable_for.into(),
        )
        .await?;
        if purged > 0 {
            self.rights_changed();
            info!(organizations = purged, "removed organizations that were deleted long ago");
        }
        let mut swept = Swept {
            uploads: self.sweep_uploads(options.uploads_older_than).await?
                + self.sweep_resumable(options.uploads_older_than).await?
                + self.sweep_copies(options.uploads_older_than).await?,
            boxes: self.purge_boxes().await?,
            blobs: self.sweep_blobs(options.blobs_unreferenced_for).await?,
            objects: 0,
        };
        for (name, store) in self.stores.iter() {
            for prefix in KEY_PREFIXES {
                let store = (name.as_str(), store.as_ref());
                match self.sweep_store(store, prefix, options.uploads_older_than).await {
                    Ok(count) => swept.objects += count,
                    Err(error) => {
                        warn!(
                            store = name,
                            cause = error.causes(),
                            "could not sweep a store; the next sweep will try again"
                        );
                    }
                }
            }
        }
        boxes::forget_former_names(&self.catalog).await?;
        sessions::forget_ended(&self.catalog, MEMORY).await?;
        attempts::forget_older_than(&self.catalog, MEMORY).await?;
        links::forget_expired(&self.catalog, MEMORY).await?;
        begun_sign_ins::forget_expired(&self.catalog).await?;
        invitations::forget_ended(&self.catalog, MEMORY).await?;
        join_requests::forget_ended(&self.catalog, MEMORY).await?;
        outbox::forget_given_up(&self.catalog, MEMORY).await?;
        let audit = self.sweep_audit().await?;
        let answers = idempotency::forget_expired(&self.catalog).await?;
        for (kind, count) in [
            ("upload", swept.uploads),
            ("box", swept.boxes),
            ("blob", swept.blobs),
            ("object", swept.objects),
            ("audit", audit),
            ("idempotency_key", answers),
        ] {
            self.metrics.swept(kind, count);
        }
        if swept != Swept::default() {
            info!(
                uploads = swept.uploads,
                boxes = swept.boxes,
                blobs = swept.blobs,
                objects = swept.objects,
                "swept leftovers"
            );
        }
        Ok(swept)
    }

    async fn sweep_uploads(&self, age: Duration) -> Result<u64> {
        let mut count = 0;
        loop {
            let before = count;
            for upload in uploads::list_untouched(&self.catalog, age).await? {
                if self.takes_from_clients(&upload.store) {
                    // somebody may say that it is finished at this very moment: who takes the row decides
                    if uploads::abort_untouched(&self.catalog, upload.id, age).await? {
                        self.delete_sent(&upload.store, &upload.key).await;
                        count += 1;
                    }
                    continue;
                }
                // the bytes first: without them the row is nothing, without the row the bytes are dust
                if self.delete_object(&upload.store, &upload.key).await
                    && uploads::abort(&self.catalog, upload.id).await?
                {
                    count += 1;
                }
            }
            // a list is not all of them; but those that cannot be removed now come first again
            if count == before {
                return Ok(count);
            }
        }
    }

    /// Copies into another store whose makers died. The row first: a maker that was only slow finds it gone, and does
    /// not switch to what is being removed. What cannot be removed is an object that no row knows.
    async fn sweep_copies(&self, age: Duration) -> Result<u64> {
        let mut count = 0;
        loop {
            let before = count;
            for copying in moves::list_abandoned(&self.catalog, age).await? {
                if moves::forget(&self.catalog, &copying).await? {
                    self.delete_object(&copying.to.store, &copying.to.key).await;
                    count += 1;
                }
            }
            // as above
            if count == before {
                return Ok(count);
            }
        }
    }

    async fn sweep_blobs(&self, age: Duration) -> Result<u64> {
        let mut count = 0;
        loop {
            let before = count;
            for blob in blobs::list_unreferenced(&self.catalog, age).await? {
                if let Deletion::Deleted(blob) =
                    blobs::delete_if_unreferenced(&self.catalog, blob.id).await?
                {
                    self.delete_object(&blob.store, &blob.key).await;
                    count += 1;
                }
            }
            // a list is not all of them
            if count == before {
                return Ok(count);
            }
        }
    }

    /// Objects that no row knows, finished or not. Only keys of our own shape, only old ones.
    async fn sweep_store(
        &self,
        (name, store): (&str, &dyn StorageBackend),
        prefix: &str,
        age: Duration,
    ) -> Result<u64> {
        let mut count = 0;
        let kinds = [Capabilities::LIST, Capabilities::LIST_UNFINISHED];
        for listed in kinds.into_iter().filter(|listed| store.capabilities().contains(*listed)) {
            let unfinished = listed == Capabilities::LIST_UNFINISHED;
            let mut after = None::<String>;
            loop {
                let page = if unfinished {
                    store.list_unfinished(prefix, after.as_deref(), LIST_SIZE).await?
                } else {
                    store.list(prefix, after.as_deref(), LIST_SIZE).await?
                };
                let Some(last) = page.last() else { break };
                after = Some(last.key.clone());
                for key in self.unknown_keys(name, &page, age).await? {
                    let removed = if unfinished {
                        abort_unfinished(name, store, &key).await
                    } else {
                        self.delete_object(name, &key).await
                    };
                    count += u64::from(removed);
                }
            }
        }
        Ok(count)
    }

    /// The keys of a page that are old and that no row knows. An upload that runs has a row.
    async fn unknown_keys(
        &self,
        store: &str,
        page: &[ObjectEntry],
        age: Duration,
    ) -> Result<Vec<String>> {
        let now = SystemTime::now();
        let old = |entry: &&ObjectEntry| {
            let age_of = entry.modified.and_then(|at| now.duration_since(at).ok());
            age_of.is_some_and(|age_of| age_of >= age)
        };
        let mut keys: Vec<String> =
            page.iter().filter(old).map(|entry| entry.key.clone()).collect();
        let known = blobs::known_keys(&self.catalog, store, &keys).await?;
        keys.retain(|key| !known.contains(key));
        Ok(keys)
    }
}

/// Whether what was begun under a key and never finished is gone now; if not, the next sweep tries again.
async fn abort_unfinished(name: &str, store: &dyn StorageBackend, key: &str) -> bool {
    let aborted = store.abort_unfinished(key).await;
    if let Err(error) = &aborted {
        warn!(store = name, key, %error, "could not remove what was never finished; the sweep will try again");
    }
    aborted.is_ok()
}
