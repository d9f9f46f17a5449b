//! Sixteen at once: exactly one wins, and the losers learn why.

use boxvault_types::identity::Role;
use boxvault_types::ids::UserId;
use tokio::task::JoinSet;

use super::fixture::{
    artifact, begin, new_user, organization, put_blob, put_file, received, tree, user,
};
use super::on_each_database;
use crate::signing_keys::SigningKey;
use crate::{
    CatalogError, ConflictReason, Page, Result, attempts, blobs, boxes, downloads, memberships,
    settings, signing_keys, uploads, users, versions,
};

const RACERS: usize = 16;

/// Counts who won, who met this conflict, and insists that nothing else happened.
fn tally<T: std::fmt::Debug>(outcomes: Vec<Result<T>>, expected: ConflictReason) -> (usize, usize) {
    let (mut won, mut lost) = (0, 0);
    for outcome in outcomes {
        match outcome {
            Ok(_) => won += 1,
            Err(CatalogError::Conflict { why }) if why == expected => lost += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    (won, lost)
}

async fn all<T: Send + 'static>(racers: JoinSet<T>) -> Vec<T> {
    racers.join_all().await
}

on_each_database! {
    async fn one_of_sixteen_becomes_the_first_admin(db) {
        let mut racers = JoinSet::new();
        for index in 0..RACERS {
            let catalog = db.catalog.clone();
            let new = new_user(&format!("root-{index}"));
            racers.spawn(async move { users::create_first_admin(&catalog, new).await });
        }
        assert_eq!(tally(all(racers).await, ConflictReason::AlreadySetUp), (1, 15));
        assert_eq!(users::count(&db.catalog).await.unwrap(), 1);
    }

    async fn sixteen_owners_who_leave_leave_one(db) {
        let anna = user(&db.catalog, "anna").await;
        let acme = organization(&db.catalog, "acme", anna.id).await;
        let mut owners = vec![anna.id];
        for index in 1..RACERS {
            let owner = user(&db.catalog, &format!("owner-{index}")).await.id;
            memberships::add(&db.catalog, acme.id, owner, Role::Owner).await.unwrap();
            owners.push(owner);
        }
        let mut racers = JoinSet::new();
        for (index, owner) in owners.into_iter().enumerate() {
            let catalog = db.catalog.clone();
            racers.spawn(async move {
                // by each of the three doors
                match index % 3 {
                    0 => memberships::remove(&catalog, acme.id, owner).await,
                    1 => memberships::set_role(&catalog, acme.id, owner, Role::Member).await,
                    _ => users::delete(&catalog, owner).await,
                }
            });
        }
        let (won, lost) = tally(all(racers).await, ConflictReason::LastOwner);
        let page = memberships::list(&db.catalog, acme.id, None, Page::default()).await.unwrap();
        let left = page.items.iter().filter(|member| member.role == Role::Owner).count();
        // deleting an account is refused only where others are left without an owner
        assert!(left == 1 || page.items.is_empty(), "{left} owners of {} members", page.total);
        assert_eq!(won + lost, RACERS);
        assert_eq!(RACERS - won, lost);
    }

    async fn sixteen_admins_who_leave_leave_one(db) {
        let mut admins = Vec::new();
        for index in 0..RACERS {
            let admin = user(&db.catalog, &format!("admin-{index}")).await.id;
            users::grant_platform_admin(&db.catalog, admin).await.unwrap();
            admins.push(admin);
        }
        let mut racers = JoinSet::new();
        for (index, admin) in admins.into_iter().enumerate() {
            let catalog = db.catalog.clone();
            racers.spawn(async move {
                // by each of the three doors
                match index % 3 {
                    0 => users::withdraw_platform_admin(&catalog, admin).await,
                    1 => users::suspend(&catalog, admin).await,
                    _ => users::delete(&catalog, admin).await,
                }
            });
        }
        assert_eq!(tally(all(racers).await, ConflictReason::LastAdmin), (RACERS - 1, 1));
    }

    async fn one_of_sixteen_uploads_to_one_artifact_wins(db) {
        let tree = tree(&db.catalog).await;
        let mut begun = Vec::new();
        for _ in 0..RACERS {
            begun.push(begin(&db.catalog, tree.artifact.id).await);
        }
        let mut racers = JoinSet::new();
        for (content, upload) in (0_u8..).zip(begun) {
            let catalog = db.catalog.clone();
            racers.spawn(async move { uploads::commit(&catalog, upload.id, received(content)).await });
        }
        assert_eq!(tally(all(racers).await, ConflictReason::LostRace), (1, 15));
        assert_eq!(blobs::list_after(&db.catalog, None).await.unwrap().len(), 1);
        assert_eq!(uploads::list(&db.catalog, Page::default()).await.unwrap().total, 15);
    }

    async fn one_of_sixteen_releases_a_version(db) {
        let tree = tree(&db.catalog).await;
        put_file(&db.catalog, tree.artifact.id, 1).await.unwrap();
        let mut racers = JoinSet::new();
        for _ in 0..RACERS {
            let catalog = db.catalog.clone();
            racers.spawn(async move { versions::release(&catalog, tree.version.id).await });
        }
        assert_eq!(tally(all(racers).await, ConflictReason::VersionState), (1, 15));
    }

    async fn a_release_and_a_replacement_never_both_have_their_way(db) {
        let tree = tree(&db.catalog).await;
        let first = put_file(&db.catalog, tree.artifact.id, 1).await.unwrap();
        let upload = begin(&db.catalog, tree.artifact.id).await;
        let catalog = db.catalog.clone();
        let replace = tokio::spawn(async move { uploads::commit(&catalog, upload.id, received(2)).await });
        let released = versions::release(&db.catalog, tree.version.id).await.unwrap();
        let replaced = replace.await.unwrap();
        let now = crate::artifacts::find_by_id(&db.catalog, tree.artifact.id).await.unwrap().unwrap();
        let (id, at) = (now.file.as_ref().unwrap().stored.blob_id, now.file.unwrap().uploaded_at);
        match replaced {
            Ok(committed) => {
                assert_eq!(id, committed.file.stored.blob_id);
                assert!(at < released.released_at.unwrap() + chrono::TimeDelta::seconds(1));
            }
            Err(CatalogError::Conflict { why: ConflictReason::VersionReleased }) => {
                assert_eq!(id, first.file.stored.blob_id);
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn the_sweep_never_takes_what_an_upload_takes_up(db) {
        let tree = tree(&db.catalog).await;
        let mut artifacts = Vec::new();
        for index in 0..RACERS {
            artifacts.push(artifact(&db.catalog, tree.provider.id, &format!("arch-{index}")).await);
        }
        let first = put_blob(&db.catalog, tree.artifact.id, 1).await;
        crate::artifacts::delete_file(&db.catalog, tree.artifact.id).await.unwrap();
        let mut racers = JoinSet::new();
        for artifact in artifacts {
            let upload = begin(&db.catalog, artifact.id).await;
            let catalog = db.catalog.clone();
            racers.spawn(async move {
                uploads::commit(&catalog, upload.id, received(1)).await.map(|done| done.file.stored.blob_id)
            });
        }
        let swept = blobs::delete_if_unreferenced(&db.catalog, first.id).await.unwrap();
        let linked = all(racers).await.into_iter().collect::<Result<Vec<_>>>().unwrap();
        if matches!(swept, blobs::Deletion::Deleted(_)) {
            assert!(!linked.contains(&first.id), "a row refers to bytes that were deleted");
        }
        for id in linked {
            assert!(blobs::find(&db.catalog, id).await.unwrap().is_some());
        }
    }

    async fn sixteen_servers_that_start_at_once_sign_with_one_key(db) {
        let mut racers = JoinSet::new();
        for index in 0..RACERS {
            let catalog = db.catalog.clone();
            racers.spawn(async move {
                let candidate = SigningKey {
                    kid: format!("key-{index}"),
                    algorithm: "EdDSA".to_owned(),
                    secret: vec![u8::try_from(index).unwrap()],
                    created_at: catalog.now(),
                    retire_at: None,
                };
                signing_keys::first_or_insert(&catalog, candidate).await.unwrap().kid
            });
        }
        let mut kids = all(racers).await;
        kids.dedup();
        assert_eq!(kids.len(), 1);
        assert_eq!(signing_keys::list(&db.catalog).await.unwrap().len(), 1);
    }

    async fn one_of_sixteen_takes_a_setting_and_all_agree_on_its_value(db) {
        let mut racers = JoinSet::new();
        for index in 0..RACERS {
            let catalog = db.catalog.clone();
            racers.spawn(async move {
                settings::put_if_absent(&catalog, "instance", &index.to_string()).await.unwrap()
            });
        }
        let mut values = all(racers).await;
        values.dedup();
        assert_eq!(values.len(), 1);
        let mut racers = JoinSet::new();
        for _ in 0..RACERS {
            let catalog = db.catalog.clone();
            racers.spawn(async move { settings::delete(&catalog, "instance").await.unwrap() });
        }
        assert_eq!(all(racers).await.into_iter().filter(|taken| *taken).count(), 1);
    }

    async fn failures_and_downloads_that_come_at_once_are_all_counted(db) {
        let tree = tree(&db.catalog).await;
        let other = boxes::create(
            &db.catalog,
            super::fixture::new_box(tree.organization.id, "other", true),
        ).await.unwrap();
        let version = super::fixture::version(&db.catalog, other.id, "1").await;
        let provider = super::fixture::provider(&db.catalog, version.id, "libvirt").await;
        let second = artifact(&db.catalog, provider.id, "amd64").await;
        let mut racers = JoinSet::new();
        for index in 0..RACERS {
            let catalog = db.catalog.clone();
            let mut batch = vec![(tree.artifact.id, 1), (second.id, 2)];
            if index % 2 == 0 {
                batch.reverse();
            }
            racers.spawn(async move {
                downloads::add(&catalog, &batch).await.unwrap();
                let key = attempts::AttemptKey::account("anna");
                let back_off = attempts::BackOff {
                    free: 100,
                    first: std::time::Duration::from_secs(1),
                    longest: std::time::Duration::from_secs(1),
                    forget_after: std::time::Duration::from_hours(1),
                };
                attempts::record_failure(&catalog, &key, &back_off).await.unwrap();
            });
        }
        all(racers).await;
        let count = |id| {
            let catalog = db.catalog.clone();
            async move { boxes::find_by_id(&catalog, id).await.unwrap().unwrap().vagrant_box.downloads }
        };
        assert_eq!((count(tree.vagrant_box.id).await, count(other.id).await), (16, 32));
        let key = attempts::AttemptKey::account("anna");
        assert_eq!(attempts::read(&db.catalog, &key).await.unwrap().failures, 16);
    }

    async fn one_of_sixteen_accounts_gets_a_name(db) {
        let mut racers = JoinSet::new();
        for _ in 0..RACERS {
            let catalog = db.catalog.clone();
            racers.spawn(async move { users::create(&catalog, new_user("anna")).await });
        }
        let outcomes = all(racers).await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let taken = |outcome: &Result<users::User>| matches!(outcome, Err(CatalogError::AlreadyExists { .. }));
        assert_eq!((won, outcomes.iter().filter(|outcome| taken(outcome)).count()), (1, 15));
        assert!(users::find(&db.catalog, UserId::new()).await.unwrap().is_none());
    }
}
