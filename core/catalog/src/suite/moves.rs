//! Moves of blobs: what shall go, who copies, the switch, and what is left of it.

use std::time::Duration;

use boxvault_types::ids::{BlobId, BoxId, OrganizationId};

use super::fixture::{artifact, put_blob, put_file, tree};
use super::on_each_database;
use crate::blobs::{self, Blob, Deletion};
use crate::moves::{self, Amount, Begun, Mover, Place, Selection};
use crate::{artifacts, uploads};

const LEASE: Duration = Duration::from_secs(15);

fn mover(holder: &str) -> Mover<'_> {
    Mover { holder, lease: LEASE }
}

fn there(key: &str) -> Place {
    Place { store: "cold".to_owned(), key: key.to_owned() }
}

fn from_main() -> Selection {
    Selection { from: "main".to_owned(), ..Selection::default() }
}

fn ids(blobs: &[Blob]) -> Vec<BlobId> {
    blobs.iter().map(|blob| blob.id).collect()
}

on_each_database! {
    async fn what_is_moved_is_chosen_by_store_organization_box_and_size(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        let dust = put_blob(catalog, arm64.id, 2).await;
        artifacts::delete_file(catalog, arm64.id).await.unwrap();
        let all = from_main();
        let mine = Selection {
            organization: Some(tree.organization.id), vagrant_box: Some(tree.vagrant_box.id),
            larger_than: Some(6), ..from_main()
        };
        for selection in [&all, &mine] {
            let listed = moves::list_after(catalog, selection, None).await.unwrap();
            assert_eq!(ids(&listed), [blob.id], "and not {dust:?}, which nothing refers to");
            assert_eq!(moves::amount(catalog, selection).await.unwrap(), Amount { files: 1, bytes: 7 });
            assert_eq!(moves::list_after(catalog, selection, Some(blob.id)).await.unwrap(), []);
        }
        for none in [
            Selection { from: "cold".to_owned(), ..Selection::default() },
            Selection { larger_than: Some(7), ..from_main() },
            Selection { organization: Some(OrganizationId::new()), ..from_main() },
            Selection { vagrant_box: Some(BoxId::new()), ..from_main() },
        ] {
            assert_eq!(moves::amount(catalog, &none).await.unwrap(), Amount::default(), "{none:?}");
        }
    }

    async fn a_switch_keeps_the_blob_and_leaves_the_old_place_to_the_sweep(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        let to = there("blobs/new");
        assert_eq!(
            moves::begin(catalog, &blob, &to, mover("one")).await.unwrap(), Begun::Yours { left: None }
        );
        let keys = ["blobs/new".to_owned()];
        assert_eq!(blobs::known_keys(catalog, "cold", &keys).await.unwrap(), keys, "no dust");
        assert!(moves::switch(catalog, &blob, &to, "one").await.unwrap());
        let moved = blobs::find(catalog, blob.id).await.unwrap().unwrap();
        assert_eq!((moved.store.as_str(), moved.key.as_str()), ("cold", "blobs/new"));
        assert_eq!(moved, Blob { store: moved.store.clone(), key: moved.key.clone(), ..blob.clone() });
        assert!(!moves::switch(catalog, &blob, &to, "one").await.unwrap(), "only once");
        assert_eq!(moves::begin(catalog, &blob, &to, mover("one")).await.unwrap(), Begun::Gone);
        // the old place has its grace time
        let hour = Duration::from_hours(1);
        assert_eq!(blobs::list_unreferenced(catalog, hour).await.unwrap(), []);
        db.clock.advance(hour);
        let old = blobs::list_unreferenced(catalog, hour).await.unwrap();
        assert_eq!(old.len(), 1);
        assert_eq!((&old[0].store, &old[0].key, &old[0].digest), (&blob.store, &blob.key, &blob.digest));
        let deleted = blobs::delete_if_unreferenced(catalog, old[0].id).await.unwrap();
        assert!(matches!(deleted, Deletion::Deleted(_)));
        assert!(blobs::find(catalog, blob.id).await.unwrap().is_some());
    }

    async fn the_old_place_serves_who_uploads_the_same_bytes_there(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        let to = there("blobs/new");
        moves::begin(catalog, &blob, &to, mover("one")).await.unwrap();
        assert!(moves::switch(catalog, &blob, &to, "one").await.unwrap());
        let again = put_file(catalog, arm64.id, 1).await.unwrap();
        assert_eq!(again.file.stored.key, blob.key);
        assert!(again.surplus_key.is_some());
        assert_eq!(blobs::list_unreferenced(catalog, Duration::ZERO).await.unwrap(), []);
    }

    async fn one_copies_at_a_time_and_who_died_is_taken_over_from(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        let (first, second) = (there("blobs/first"), there("blobs/second"));
        moves::begin(catalog, &blob, &first, mover("one")).await.unwrap();
        assert_eq!(moves::begin(catalog, &blob, &second, mover("two")).await.unwrap(), Begun::Busy);
        db.clock.advance(Duration::from_secs(10));
        assert!(moves::renew(catalog, blob.id, mover("one")).await.unwrap());
        assert!(!moves::renew(catalog, blob.id, mover("two")).await.unwrap());
        db.clock.advance(Duration::from_secs(10));
        assert_eq!(moves::begin(catalog, &blob, &second, mover("two")).await.unwrap(), Begun::Busy);
        assert_eq!(moves::list_abandoned(catalog, Duration::ZERO).await.unwrap(), []);
        db.clock.advance(LEASE);
        let taken = moves::begin(catalog, &blob, &second, mover("two")).await.unwrap();
        assert_eq!(taken, Begun::Yours { left: Some(first.clone()) });
        assert!(!moves::switch(catalog, &blob, &first, "one").await.unwrap(), "it is not theirs any more");
        assert_eq!(moves::held_by(catalog, "one").await.unwrap(), []);
        assert_eq!(moves::held_by(catalog, "two").await.unwrap().len(), 1);
        db.clock.advance(2 * LEASE);
        let left = moves::list_abandoned(catalog, LEASE).await.unwrap();
        assert_eq!((left.len(), &left[0].to), (1, &second));
        assert!(moves::forget(catalog, &left[0]).await.unwrap());
        assert!(!moves::switch(catalog, &blob, &second, "two").await.unwrap());
    }

    async fn a_blob_that_all_let_go_is_not_switched_and_can_be_swept(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        let to = there("blobs/new");
        moves::begin(catalog, &blob, &to, mover("one")).await.unwrap();
        artifacts::delete_file(catalog, tree.artifact.id).await.unwrap();
        assert_eq!(blobs::list_unreferenced(catalog, Duration::ZERO).await.unwrap().len(), 1);
        assert!(!moves::switch(catalog, &blob, &to, "one").await.unwrap());
        let deleted = blobs::delete_if_unreferenced(catalog, blob.id).await.unwrap();
        assert!(matches!(deleted, Deletion::Deleted(_)), "the copy does not hold it");
        assert!(!moves::switch(catalog, &blob, &to, "one").await.unwrap());
        assert_eq!(uploads::list(catalog, crate::Page::default()).await.unwrap().total, 0);
    }
}
