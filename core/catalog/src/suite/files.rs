//! Uploads, blobs, and the sweep.

use std::time::Duration;

use boxvault_types::digest::{Checksum, ChecksumType, Digest};
use boxvault_types::ids::{ArtifactId, BlobId, UploadId, UserId};

use super::fixture::{artifact, begin, new_upload, put_blob, put_file, received, tree};
use super::on_each_database;
use crate::audit::{self, AuditFilter, NewEntry};
use crate::blobs::{self, Deletion};
use crate::quotas::Limits;
use crate::uploads::{self, NewUpload, Received};
use crate::{Catalog, CatalogError, ConflictReason, Noun, Page, Taken, artifacts};

async fn dust(catalog: &Catalog, age: Duration) -> Vec<BlobId> {
    let blobs = blobs::list_unreferenced(catalog, age).await.unwrap();
    blobs.iter().map(|blob| blob.id).collect()
}

on_each_database! {
    async fn a_commit_makes_the_file_visible_with_all_its_facts(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let checksum = Checksum::parse(ChecksumType::Md5, &"0aF".repeat(11)[..32]).unwrap();
        let mut new = new_upload(tree.artifact.id);
        new.user_id = Some(tree.user.id);
        new.checksum = Some(checksum.clone());
        let upload = uploads::begin(catalog, new).await.unwrap();
        assert_eq!(uploads::find(catalog, upload.id).await.unwrap(), Some(upload.clone()));
        let before = artifacts::find_by_id(catalog, tree.artifact.id).await.unwrap().unwrap();
        assert_eq!(before.file, None, "nothing is visible before the commit");
        let received = Received {
            size_bytes: 5_000_000_000,
            digest: Digest([7; 32]),
            checksum: Some(checksum.clone()),
            archive: None,
            gate: artifacts::Gate::Prepared,
            finishes: None,
            default_limits: Limits::default(),
            audit: Some(NewEntry { action: "upload".to_owned(), ..NewEntry::default() }),
        };
        let committed = uploads::commit(catalog, upload.id, received).await.unwrap();
        assert_eq!((committed.surplus_key, committed.replaced), (None, None));
        assert_eq!(committed.file.stored.key, upload.key);
        let after = artifacts::find_by_id(catalog, tree.artifact.id).await.unwrap().unwrap();
        let file = after.file.unwrap();
        assert_eq!((file.stored.size_bytes, file.stored.digest), (5_000_000_000, Digest([7; 32])));
        assert_eq!((file.checksum, file.uploaded_by), (Some(checksum), Some(tree.user.id)));
        assert_eq!(uploads::find(catalog, upload.id).await.unwrap(), None);
        let log = audit::list(catalog, &AuditFilter::default(), Page::default()).await.unwrap();
        assert_eq!(log.items[0].action, "upload");
        let again = uploads::commit(catalog, upload.id, super::fixture::received(7)).await;
        assert!(matches!(again, Err(CatalogError::NotFound { what: Noun::Upload })));
    }

    async fn a_replaced_file_stays_until_the_commit_and_then_is_swept(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let old = put_blob(catalog, tree.artifact.id, 1).await;
        let upload = begin(catalog, tree.artifact.id).await;
        assert_eq!(upload.previous_blob_id, Some(old.id));
        assert!(dust(catalog, Duration::ZERO).await.is_empty());
        let new = uploads::commit(catalog, upload.id, received(2)).await.unwrap();
        assert_eq!(new.replaced, Some(old.id));
        assert!(dust(catalog, Duration::from_mins(1)).await.is_empty(), "a download may be running");
        db.clock.advance(Duration::from_secs(61));
        assert_eq!(dust(catalog, Duration::from_mins(1)).await, [old.id]);
        let deleted = blobs::delete_if_unreferenced(catalog, old.id).await.unwrap();
        assert!(matches!(deleted, Deletion::Deleted(blob) if blob.key == old.key));
        assert_eq!(blobs::delete_if_unreferenced(catalog, old.id).await.unwrap(), Deletion::Missing);
        let kept = blobs::delete_if_unreferenced(catalog, new.file.stored.blob_id).await.unwrap();
        assert_eq!(kept, Deletion::Referenced);
    }

    async fn the_same_bytes_are_kept_once_for_several_artifacts(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        let first = put_file(catalog, tree.artifact.id, 1).await.unwrap();
        let upload = begin(catalog, arm64.id).await;
        let second = uploads::commit(catalog, upload.id, received(1)).await.unwrap();
        assert_eq!(second.file.stored.blob_id, first.file.stored.blob_id);
        assert_eq!(second.surplus_key, Some(upload.key));
        // the same file again for the same artifact replaces nothing
        let third = put_file(catalog, arm64.id, 1).await.unwrap();
        assert_eq!((third.file.stored.blob_id, third.replaced), (first.file.stored.blob_id, None));
        assert!(third.surplus_key.is_some());
        // another store has bytes of its own
        let mut elsewhere = new_upload(arm64.id);
        elsewhere.store = "other".to_owned();
        let upload = uploads::begin(catalog, elsewhere).await.unwrap();
        let fourth = uploads::commit(catalog, upload.id, received(1)).await.unwrap();
        assert_ne!(fourth.file.stored.blob_id, first.file.stored.blob_id);
        artifacts::delete_file(catalog, tree.artifact.id).await.unwrap();
        assert_eq!(dust(catalog, Duration::ZERO).await, [first.file.stored.blob_id]);
    }

    async fn bytes_that_wait_for_the_sweep_are_taken_up_again(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let first = put_file(catalog, tree.artifact.id, 1).await.unwrap();
        artifacts::delete_file(catalog, tree.artifact.id).await.unwrap();
        assert_eq!(dust(catalog, Duration::ZERO).await, [first.file.stored.blob_id]);
        let again = put_file(catalog, tree.artifact.id, 1).await.unwrap();
        assert_eq!(again.file.stored.blob_id, first.file.stored.blob_id);
        let taken_up = blobs::find(catalog, again.file.stored.blob_id).await.unwrap().unwrap();
        assert_eq!(taken_up.orphaned_at, None);
        let kept = blobs::delete_if_unreferenced(catalog, first.file.stored.blob_id).await.unwrap();
        assert_eq!(kept, Deletion::Referenced);
        let missing = artifacts::delete_file(catalog, ArtifactId::new()).await;
        assert!(matches!(missing, Err(CatalogError::NotFound { what: Noun::Architecture })));
    }

    async fn the_slower_of_two_uploads_loses_and_changes_nothing(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let slow = begin(catalog, tree.artifact.id).await;
        let fast = begin(catalog, tree.artifact.id).await;
        let won = uploads::commit(catalog, fast.id, received(2)).await.unwrap();
        let lost = uploads::commit(catalog, slow.id, received(1)).await;
        let why = ConflictReason::LostRace;
        assert!(matches!(lost, Err(CatalogError::Conflict { why: w }) if w == why));
        let now = artifacts::find_by_id(catalog, tree.artifact.id).await.unwrap().unwrap();
        assert_eq!(now.file.unwrap().stored.blob_id, won.file.stored.blob_id);
        assert!(uploads::find(catalog, slow.id).await.unwrap().is_some(), "its dust is still known");
        assert!(uploads::abort(catalog, slow.id).await.unwrap());
        assert!(!uploads::abort(catalog, slow.id).await.unwrap());
    }

    async fn an_upload_outlives_its_artifact_so_that_its_dust_is_found(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let upload = begin(catalog, tree.artifact.id).await;
        crate::boxes::delete(catalog, tree.vagrant_box.id).await.unwrap();
        assert_eq!(crate::boxes::purge_deleted(catalog, Duration::ZERO).await.unwrap(), 1);
        let late = uploads::commit(catalog, upload.id, received(1)).await;
        assert!(matches!(late, Err(CatalogError::NotFound { what: Noun::Architecture })));
        let page = uploads::list(catalog, Page::default()).await.unwrap();
        assert_eq!(page.items, [upload]);
        let nowhere = uploads::begin(catalog, new_upload(ArtifactId::new())).await;
        assert!(matches!(nowhere, Err(CatalogError::NotFound { what: Noun::Architecture })));
    }

    async fn abandoned_uploads_are_found_by_their_last_sign_of_life(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let user = UserId::new();
        let begin = async || {
            let new = NewUpload { user_id: Some(user), ..new_upload(tree.artifact.id) };
            uploads::begin(catalog, new).await.unwrap()
        };
        let (dead, alive) = (begin().await, begin().await);
        let mut same_key = new_upload(tree.artifact.id);
        same_key.key.clone_from(&dead.key);
        let taken = uploads::begin(catalog, same_key).await;
        assert!(matches!(taken, Err(CatalogError::AlreadyExists { what: Taken::UploadKey })));
        db.clock.advance(Duration::from_mins(2));
        assert_eq!(uploads::touch(catalog, &[alive.id, UploadId::new()]).await.unwrap(), 1);
        let old = uploads::list_untouched(catalog, Duration::from_mins(1)).await.unwrap();
        assert_eq!(old, std::slice::from_ref(&dead));
        assert_eq!(uploads::count_of_user(catalog, user).await.unwrap(), 2);
        let gone = async |id| uploads::abort_untouched(catalog, id, Duration::from_mins(1)).await;
        assert!(!gone(alive.id).await.unwrap(), "it is alive");
        assert!(gone(dead.id).await.unwrap() && !gone(dead.id).await.unwrap());
        assert_eq!(uploads::count_of_user(catalog, user).await.unwrap(), 1);
    }

    async fn all_blobs_can_be_walked_and_all_keys_asked_for(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let mut ids = Vec::new();
        for content in 1..=5 {
            ids.push(put_file(catalog, tree.artifact.id, content).await.unwrap().file.stored.blob_id);
        }
        let open = begin(catalog, tree.artifact.id).await;
        let all = blobs::list_after(catalog, None).await.unwrap();
        assert_eq!(all.iter().map(|blob| blob.id).collect::<Vec<_>>(), ids);
        let rest = blobs::list_after(catalog, Some(ids[2])).await.unwrap();
        assert_eq!(rest.iter().map(|blob| blob.id).collect::<Vec<_>>(), ids[3..]);
        assert_eq!(blobs::find(catalog, ids[0]).await.unwrap().as_ref(), Some(&all[0]));
        let asked = [all[0].key.clone(), "blobs/dust".to_owned(), open.key.clone()];
        let mut known = vec![all[0].key.clone(), open.key];
        known.sort();
        assert_eq!(blobs::known_keys(catalog, "main", &asked).await.unwrap(), known);
        assert!(blobs::known_keys(catalog, "other", &asked).await.unwrap().is_empty());
    }
}
