//! Uploads that can be continued: one writer at a time, and what was confirmed counts.

use std::time::Duration;

use boxvault_types::ids::{ArtifactId, UploadId, UserId};

use super::fixture::{artifact, begin, put_file, received, tree, user};
use super::on_each_database;
use crate::resumable::{self, Lease, NewResumable, Part};
use crate::uploads::{self, Received};
use crate::{Catalog, CatalogError, ConflictReason, Noun, blobs, versions};

const MINUTE: Duration = Duration::from_mins(1);

fn lease(holder: &str) -> Lease<'_> {
    Lease { holder, time: MINUTE }
}

fn new(artifact_id: ArtifactId, user: UserId, length: i64) -> NewResumable {
    NewResumable {
        id: UploadId::new(),
        artifact_id,
        user_id: Some(user),
        length,
        checksum: None,
        metadata: "filename d2Vi".to_owned(),
        is_piece: false,
        audit: None,
    }
}

async fn write(catalog: &Catalog, id: UploadId, holder: &str, start: i64, size: i64) -> Part {
    let part_id = UploadId::new();
    let key = format!("blobs/{part_id}");
    let part =
        Part { id: part_id, upload_id: id, start, size_bytes: 0, store: "main".to_owned(), key };
    resumable::begin_part(catalog, part.clone(), holder).await.unwrap();
    resumable::end_part(catalog, part_id, size).await.unwrap();
    Part { size_bytes: size, ..part }
}

fn lost(outcome: &crate::Result<()>) -> bool {
    matches!(outcome, Err(CatalogError::Conflict { why: ConflictReason::LostRace }))
}

on_each_database! {
    async fn what_is_confirmed_counts_and_the_rest_is_dust_that_is_known(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let begun = resumable::create(catalog, new(tree.artifact.id, tree.user.id, 10), 9).await.unwrap();
        assert_eq!((begun.received, begun.is_done, begun.held_until), (0, false, None));
        let id = begun.id;
        let taken = resumable::take(catalog, id, lease("one")).await.unwrap().unwrap();
        assert!(taken.held_until.is_some());
        let first = write(catalog, id, "one", 0, 4).await;
        let dust = write(catalog, id, "one", 4, 3).await;
        resumable::confirm(catalog, id, "one", 0, 4).await.unwrap();
        assert_eq!(resumable::find(catalog, id).await.unwrap().unwrap().received, 4);
        assert_eq!(resumable::parts(catalog, id).await.unwrap(), std::slice::from_ref(&first));
        assert_eq!(resumable::unconfirmed_parts(catalog, id).await.unwrap(), std::slice::from_ref(&dust));
        assert_eq!(resumable::count_parts(catalog, id).await.unwrap(), 2);
        let asked = [first.key.clone(), dust.key.clone(), "blobs/other".to_owned()];
        assert_eq!(blobs::known_keys(catalog, "main", &asked).await.unwrap().len(), 2);
        // from where it stands, and not beyond its end
        assert!(lost(&resumable::confirm(catalog, id, "one", 0, 4).await));
        assert!(lost(&resumable::confirm(catalog, id, "one", 4, 11).await));
        resumable::forget_parts(catalog, &[dust.id]).await.unwrap();
        assert_eq!(blobs::known_keys(catalog, "main", &asked).await.unwrap(), [first.key]);
        assert!(resumable::remove(catalog, id, None).await.unwrap());
        assert!(!resumable::remove(catalog, id, None).await.unwrap());
    }

    async fn one_at_a_time_writes_and_a_lease_that_nobody_renews_ends(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = resumable::create(catalog, new(tree.artifact.id, tree.user.id, 10), 9).await.unwrap().id;
        resumable::take(catalog, id, lease("one")).await.unwrap().unwrap();
        assert_eq!(resumable::take(catalog, id, lease("two")).await.unwrap(), None);
        db.clock.advance(Duration::from_secs(50));
        assert!(resumable::renew(catalog, id, lease("one")).await.unwrap());
        db.clock.advance(Duration::from_secs(50));
        assert_eq!(resumable::take(catalog, id, lease("two")).await.unwrap(), None);
        resumable::release(catalog, id, "two").await.unwrap();
        assert_eq!(resumable::take(catalog, id, lease("two")).await.unwrap(), None, "not theirs");
        db.clock.advance(MINUTE);
        resumable::take(catalog, id, lease("two")).await.unwrap().unwrap();
        assert!(!resumable::renew(catalog, id, lease("one")).await.unwrap());
        write(catalog, id, "one", 0, 4).await;
        assert!(lost(&resumable::confirm(catalog, id, "one", 0, 4).await), "it was taken over");
        let mine = write(catalog, id, "two", 0, 5).await;
        resumable::confirm(catalog, id, "two", 0, 5).await.unwrap();
        assert_eq!(resumable::parts(catalog, id).await.unwrap(), [mine]);
        resumable::release(catalog, id, "two").await.unwrap();
        resumable::take(catalog, id, lease("three")).await.unwrap().unwrap();
        let nowhere = resumable::take(catalog, UploadId::new(), lease("x")).await;
        assert!(matches!(nowhere, Err(CatalogError::NotFound { what: Noun::Upload })));
    }

    async fn of_many_that_begin_at_once_as_many_as_are_allowed_do(db) {
        let tree = tree(&db.catalog).await;
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (catalog, new) = (db.catalog.clone(), new(tree.artifact.id, tree.user.id, 10));
            running.spawn(async move { resumable::create(&catalog, new, 3).await });
        }
        let outcomes = running.join_all().await;
        let begun: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(begun.len(), 3, "{outcomes:?}");
        let other = user(&db.catalog, "berta").await;
        resumable::create(&db.catalog, new(tree.artifact.id, other.id, 10), 3).await.unwrap();
        resumable::remove(&db.catalog, begun[0].id, None).await.unwrap();
        resumable::create(&db.catalog, new(tree.artifact.id, tree.user.id, 10), 3).await.unwrap();
        let more = resumable::create(&db.catalog, new(tree.artifact.id, tree.user.id, 10), 3).await;
        let why = ConflictReason::TooManyUploads;
        assert!(matches!(more, Err(CatalogError::Conflict { why: found }) if found == why));
    }

    async fn the_commit_of_the_whole_marks_it_as_done(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = resumable::create(catalog, new(tree.artifact.id, tree.user.id, 7), 1).await.unwrap().id;
        let upload = begin(catalog, tree.artifact.id).await;
        let received = Received { finishes: Some(id), ..received(1) };
        uploads::commit(catalog, upload.id, received).await.unwrap();
        assert!(resumable::find(catalog, id).await.unwrap().unwrap().is_done);
        // what is done is not open any more
        let next = resumable::create(catalog, new(tree.artifact.id, tree.user.id, 7), 1).await.unwrap();
        assert!(next.previous_blob_id.is_some());
        versions::release(catalog, tree.version.id).await.unwrap();
        let late = resumable::create(catalog, new(tree.artifact.id, tree.user.id, 7), 9).await;
        let why = ConflictReason::VersionReleased;
        assert!(matches!(late, Err(CatalogError::Conflict { why: found }) if found == why));
    }

    async fn pieces_are_joined_in_the_order_that_was_asked_for(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        put_file(catalog, arm64.id, 1).await.unwrap();
        let mut pieces = Vec::new();
        for size in [4, 6] {
            let piece = NewResumable { is_piece: true, ..new(tree.artifact.id, tree.user.id, size) };
            let id = resumable::create(catalog, piece, 9).await.unwrap().id;
            resumable::take(catalog, id, lease("one")).await.unwrap();
            write(catalog, id, "one", 0, size).await;
            resumable::confirm(catalog, id, "one", 0, size).await.unwrap();
            pieces.push(id);
        }
        let whole = resumable::create(catalog, new(tree.artifact.id, tree.user.id, 0), 9).await.unwrap().id;
        resumable::take(catalog, whole, lease("one")).await.unwrap();
        let order = [pieces[1], pieces[0]];
        let busy = resumable::join(catalog, whole, "one", &order).await;
        assert!(matches!(busy, Err(CatalogError::Conflict { why: ConflictReason::LostRace })));
        for piece in &pieces {
            resumable::release(catalog, *piece, "one").await.unwrap();
        }
        let joined = resumable::join(catalog, whole, "one", &order).await.unwrap();
        assert_eq!((joined.length, joined.received), (10, 10));
        let parts = resumable::parts(catalog, whole).await.unwrap();
        let found: Vec<_> = parts.iter().map(|part| (part.start, part.size_bytes)).collect();
        assert_eq!(found, [(0, 6), (6, 4)]);
        assert_eq!(resumable::find(catalog, pieces[0]).await.unwrap(), None);
        // what is no piece, is not whole, or is another's or for something else cannot be joined
        let berta = user(catalog, "berta").await;
        for (artifact_id, owner, is_piece) in [
            (tree.artifact.id, tree.user.id, false),
            (tree.artifact.id, tree.user.id, true),
            (arm64.id, tree.user.id, true),
            (tree.artifact.id, berta.id, true),
        ] {
            let wrong = NewResumable { is_piece, ..new(artifact_id, owner, 5) };
            let wrong = resumable::create(catalog, wrong, 9).await.unwrap().id;
            let outcome = resumable::join(catalog, whole, "one", &[wrong]).await;
            assert!(matches!(outcome, Err(CatalogError::NotFound { what: Noun::Upload })));
        }
        assert_eq!(resumable::find(catalog, whole).await.unwrap().unwrap().length, 10);
    }

    async fn abandoned_ones_are_found_unless_somebody_writes(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let dead = resumable::create(catalog, new(tree.artifact.id, tree.user.id, 7), 9).await.unwrap();
        let alive = resumable::create(catalog, new(tree.artifact.id, tree.user.id, 7), 9).await.unwrap();
        db.clock.advance(2 * MINUTE);
        resumable::take(catalog, alive.id, lease("one")).await.unwrap();
        assert_eq!(resumable::list_untouched(catalog, MINUTE).await.unwrap(), std::slice::from_ref(&dead));
        assert_eq!(resumable::list_untouched(catalog, Duration::ZERO).await.unwrap(), [dead]);
        db.clock.advance(2 * MINUTE);
        assert_eq!(resumable::list_untouched(catalog, MINUTE).await.unwrap().len(), 2);
    }
}
