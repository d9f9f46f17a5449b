//! Verifications: who waits, who reads, and what was found.

use std::time::Duration;

use boxvault_types::ids::BlobId;

use super::fixture::{artifact, put_blob, put_file, tree};
use super::on_each_database;
use crate::verifications::{self, Outcome, Reader};
use crate::{CatalogError, Noun, Page, artifacts, blobs};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

fn reader(holder: &str) -> Reader<'_> {
    Reader { holder, lease: MINUTE }
}

on_each_database! {
    async fn a_request_is_taken_once_and_its_outcome_is_kept(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        assert_eq!(verifications::find(catalog, blob.id).await.unwrap(), None);
        assert_eq!(verifications::take_requested(catalog, reader("one")).await.unwrap(), None);
        let first = verifications::request(catalog, blob.id).await.unwrap();
        assert_eq!(verifications::request(catalog, blob.id).await.unwrap(), first, "it waits already");
        let taken = verifications::take_requested(catalog, reader("one")).await.unwrap();
        assert_eq!(taken.as_ref(), Some(&blob));
        assert_eq!(verifications::take_requested(catalog, reader("two")).await.unwrap(), None);
        assert!(verifications::progress(catalog, blob.id, reader("one"), 3).await.unwrap());
        assert!(!verifications::progress(catalog, blob.id, reader("two"), 4).await.unwrap());
        assert_eq!(verifications::find(catalog, blob.id).await.unwrap().unwrap().done_bytes, 3);
        // a server that died is taken over from, and says nothing more
        db.clock.advance(2 * MINUTE);
        assert!(verifications::take_requested(catalog, reader("two")).await.unwrap().is_some());
        let late = Some("late");
        verifications::finish(catalog, blob.id, "one", Outcome::Damaged, late).await.unwrap();
        verifications::finish(catalog, blob.id, "two", Outcome::Ok, None).await.unwrap();
        let row = verifications::find(catalog, blob.id).await.unwrap().unwrap();
        assert_eq!((row.outcome, row.problem, row.requested_at), (Some(Outcome::Ok), None, None));
        assert_eq!(verifications::take_requested(catalog, reader("x")).await.unwrap(), None);
        let nothing = verifications::request(catalog, BlobId::new()).await;
        assert!(matches!(nothing, Err(CatalogError::NotFound { what: Noun::Blob })));
    }

    async fn who_follows_what_was_checked_sees_each_file_once(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        let since = catalog.now();
        assert_eq!(verifications::list_checked_since(catalog, since, 9).await.unwrap(), []);
        db.clock.advance(MINUTE);
        verifications::request(catalog, blob.id).await.unwrap();
        verifications::take_requested(catalog, reader("one")).await.unwrap().unwrap();
        verifications::finish(catalog, blob.id, "one", Outcome::Ok, None).await.unwrap();
        let checked = verifications::list_checked_since(catalog, since, 9).await.unwrap();
        assert_eq!(checked.len(), 1);
        assert_eq!(checked[0].artifact_id, tree.artifact.id);
        let later = checked[0].checked_at + MINUTE;
        assert_eq!(verifications::list_checked_since(catalog, later, 9).await.unwrap(), []);
    }

    async fn the_scrub_comes_by_every_blob_and_again_after_a_while(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        let first = put_blob(catalog, tree.artifact.id, 1).await;
        let second = put_blob(catalog, arm64.id, 2).await;
        for expected in [&first, &second] {
            let taken = verifications::take_unread(catalog, DAY, reader("one")).await.unwrap().unwrap();
            assert_eq!(&taken, expected);
            verifications::finish(catalog, taken.id, "one", Outcome::Ok, None).await.unwrap();
        }
        assert_eq!(verifications::take_unread(catalog, DAY, reader("one")).await.unwrap(), None);
        db.clock.advance(DAY);
        let taken = verifications::take_unread(catalog, DAY, reader("one")).await.unwrap().unwrap();
        assert_eq!(taken, first, "the longest ago");
        let other = verifications::take_unread(catalog, DAY, reader("two")).await.unwrap().unwrap();
        assert_eq!(other, second);
        assert_eq!(verifications::take_unread(catalog, DAY, reader("x")).await.unwrap(), None);
    }

    async fn what_is_damaged_is_named_by_where_it_is_missed(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        put_file(catalog, arm64.id, 1).await.unwrap();
        verifications::request(catalog, blob.id).await.unwrap();
        verifications::take_requested(catalog, reader("one")).await.unwrap();
        let problem = Some("it is missing");
        verifications::finish(catalog, blob.id, "one", Outcome::Damaged, problem).await.unwrap();
        let (found, statements) =
            db.count_statements(verifications::list_damaged(catalog, Page::default())).await;
        let found = found.unwrap();
        assert_eq!((found.total, statements), (2, 2));
        let file = &found.items[0];
        assert_eq!((file.organization.as_str(), file.box_name.as_str()), ("acme", "debian"));
        assert_eq!((file.architecture.as_str(), file.problem.as_deref()), ("amd64", problem));
        assert_eq!(verifications::count_damaged(catalog).await.unwrap(), 1);
        // it goes with its blob
        artifacts::delete_file(catalog, tree.artifact.id).await.unwrap();
        artifacts::delete_file(catalog, arm64.id).await.unwrap();
        blobs::list_unreferenced(catalog, Duration::ZERO).await.unwrap();
        blobs::delete_if_unreferenced(catalog, blob.id).await.unwrap();
        assert_eq!(verifications::count_damaged(catalog).await.unwrap(), 0);
    }
}
