//! Boxes that are renamed, handed over, deleted, restored and purged.

use std::time::Duration;

use boxvault_types::ids::OrganizationId;
use chrono::{DateTime, TimeDelta, Utc};

use super::fixture::{
    artifact, box_name, new_box, organization, organization_name, provider, public_box, put_blob,
    put_file, tree, version,
};
use super::on_each_database;
use crate::audit::NewEntry;
use crate::boxes::{BoxChanges, NewBox, Transfer};
use crate::quotas::{self, Limits, OverQuota, Quota};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Page, Taken, artifacts, blobs, boxes, versions,
};

fn is_conflict<T>(outcome: &crate::Result<T>, reason: ConflictReason) -> bool {
    matches!(outcome, Err(CatalogError::Conflict { why }) if *why == reason)
}

fn is_taken<T>(outcome: &crate::Result<T>) -> bool {
    matches!(outcome, Err(CatalogError::AlreadyExists { what: Taken::BoxName }))
}

/// Another name, and the old one leads on for a day.
fn renamed(catalog: &Catalog, name: &str) -> BoxChanges {
    BoxChanges {
        name: Some(box_name(name)),
        old_name_leads_until: Some(catalog.now() + TimeDelta::days(1)),
        ..BoxChanges::default()
    }
}

async fn found(catalog: &Catalog, organization: &str, name: &str) -> Option<String> {
    let (organization, name) = (organization_name(organization), box_name(name));
    let found = boxes::find_by_any_name(catalog, &organization, &name).await.unwrap();
    found.map(|found| format!("{}/{}", found.organization.name, found.vagrant_box.name))
}

fn to(organization: OrganizationId, old_name_leads_until: Option<DateTime<Utc>>) -> Transfer {
    Transfer { to: organization, default_limits: Limits::default(), old_name_leads_until }
}

on_each_database! {
    async fn former_names_lead_to_a_box_until_their_time_is_over(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.vagrant_box.id;
        boxes::update(catalog, id, renamed(catalog, "bookworm")).await.unwrap();
        boxes::update(catalog, id, renamed(catalog, "debian12")).await.unwrap();
        for name in ["debian", "Bookworm", "debian12"] {
            assert_eq!(found(catalog, "ACME", name).await.as_deref(), Some("acme/debian12"), "{name}");
        }
        let old = boxes::find(catalog, &tree.organization.name, &box_name("debian")).await.unwrap();
        assert!(old.is_none(), "a write under the old name meets nothing");
        // another spelling is no other name
        boxes::update(catalog, id, renamed(catalog, "Debian12")).await.unwrap();
        // its own name it gets back
        boxes::update(catalog, id, renamed(catalog, "debian")).await.unwrap();
        assert_eq!(found(catalog, "acme", "debian12").await.as_deref(), Some("acme/debian"));
        db.clock.advance(Duration::from_hours(25));
        assert_eq!(found(catalog, "acme", "debian12").await, None);
        boxes::forget_former_names(catalog).await.unwrap();
        boxes::update(catalog, id, BoxChanges { name: Some(box_name("new")), ..BoxChanges::default() })
            .await
            .unwrap();
        assert_eq!(found(catalog, "acme", "debian").await, None, "no time, no lead");
    }

    async fn a_name_that_leads_to_another_box_is_taken_knowingly_only(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let owner = tree.organization.id;
        boxes::update(catalog, tree.vagrant_box.id, renamed(catalog, "new")).await.unwrap();
        let careless = boxes::create(catalog, new_box(owner, "Debian", true)).await;
        assert!(is_conflict(&careless, ConflictReason::FormerName));
        let other = public_box(catalog, owner, "other").await;
        let careless = boxes::update(catalog, other.id, renamed(catalog, "debian")).await;
        assert!(is_conflict(&careless, ConflictReason::FormerName));
        let knowing = NewBox { takes_former_name: true, ..new_box(owner, "debian", true) };
        let taken = boxes::create(catalog, knowing).await.unwrap();
        assert_eq!(found(catalog, "acme", "debian").await.as_deref(), Some("acme/debian"));
        assert!(is_taken(&boxes::update(catalog, tree.vagrant_box.id, renamed(catalog, "debian")).await));
        boxes::delete(catalog, taken.id).await.unwrap();
        assert_eq!(found(catalog, "acme", "debian").await, None, "what led there leads there no more");
    }

    async fn a_box_changes_hands_with_everything_in_it(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.vagrant_box.id;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        let globex = organization(catalog, "globex", tree.user.id).await;
        public_box(catalog, globex.id, "Debian").await;
        let until = Some(catalog.now() + TimeDelta::days(1));
        assert!(is_taken(&boxes::transfer(catalog, id, to(globex.id, until)).await));
        let nowhere = boxes::transfer(catalog, id, to(OrganizationId::new(), until)).await;
        assert!(matches!(nowhere, Err(CatalogError::NotFound { what: Noun::Organization })));
        assert_eq!(found(catalog, "acme", "debian").await.as_deref(), Some("acme/debian"));

        let initech = organization(catalog, "initech", tree.user.id).await;
        let moved = boxes::transfer(catalog, id, to(initech.id, until)).await.unwrap();
        assert_eq!(moved.organization_id, initech.id);
        assert_eq!(found(catalog, "acme", "debian").await.as_deref(), Some("initech/debian"));
        let version = versions::find(catalog, id, &tree.version.number).await.unwrap();
        assert_eq!(version.unwrap().id, tree.version.id);
        let file = artifacts::find_by_id(catalog, tree.artifact.id).await.unwrap().unwrap().file;
        assert!(file.is_some());
        let careless = boxes::create(catalog, new_box(tree.organization.id, "debian", true)).await;
        assert!(is_conflict(&careless, ConflictReason::FormerName));
        // and back, into the name that it had
        boxes::transfer(catalog, id, to(tree.organization.id, until)).await.unwrap();
        assert_eq!(found(catalog, "initech", "debian").await.as_deref(), Some("acme/debian"));
    }

    async fn a_box_goes_where_its_files_fit_and_counts_there(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let (acme, id) = (tree.organization.id, tree.vagrant_box.id);
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        for (slot, content) in [(tree.artifact.id, 1), (arm64.id, 1)] {
            put_file(catalog, slot, content).await.unwrap();
        }
        let globex = organization(catalog, "globex", tree.user.id).await.id;
        let limited = |bytes, file_bytes| Transfer {
            default_limits: Limits { bytes, file_bytes },
            ..to(globex, None)
        };
        for (bytes, file_bytes, expected) in [
            (Some(13), None, OverQuota::Organization { used: 0, allowed: 13, asked: 14 }),
            (None, Some(6), OverQuota::File { allowed: 6, asked: 7 }),
        ] {
            let refused = boxes::transfer(catalog, id, limited(bytes, file_bytes)).await;
            assert!(matches!(refused, Err(CatalogError::OverQuota { why }) if why == expected));
        }
        assert_eq!(found(catalog, "acme", "debian").await.as_deref(), Some("acme/debian"));
        // what a platform admin allowed it stands before the default
        let quota = Quota { bytes: Some(14), file_bytes: None };
        let entry = NewEntry { action: "update".to_owned(), ..NewEntry::default() };
        quotas::put(catalog, globex, quota, entry).await.unwrap();
        boxes::transfer(catalog, id, limited(Some(1), None)).await.unwrap();
        let used = async |organization| {
            let limits = Limits { bytes: Some(1), file_bytes: None };
            quotas::room(catalog, organization, 0, limits).await.unwrap().used
        };
        assert_eq!((used(acme).await, used(globex).await), (0, 14));
        // a box without files fits everywhere
        let empty = public_box(catalog, acme, "empty").await.id;
        boxes::transfer(catalog, empty, limited(Some(1), None)).await.unwrap();
        // deleting makes no room, so restoring needs none
        boxes::delete(catalog, id).await.unwrap();
        assert_eq!(used(globex).await, 14);
        boxes::restore(catalog, id).await.unwrap();
        assert_eq!(used(globex).await, 14);
    }

    async fn of_boxes_that_do_not_fit_together_one_is_handed_over(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        let mut all = vec![tree.vagrant_box.id];
        for name in ["one", "two", "three"] {
            let other = public_box(catalog, tree.organization.id, name).await;
            let number = version(catalog, other.id, "1.0.0").await;
            let slot = provider(catalog, number.id, "virtualbox").await;
            let slot = artifact(catalog, slot.id, "amd64").await;
            put_file(catalog, slot.id, 2).await.unwrap();
            all.push(other.id);
        }
        let globex = organization(catalog, "globex", tree.user.id).await.id;
        let limits = Limits { bytes: Some(13), file_bytes: None };
        let transfer = Transfer { default_limits: limits, ..to(globex, None) };
        let mut running = tokio::task::JoinSet::new();
        for id in all {
            let catalog = catalog.clone();
            running.spawn(async move { boxes::transfer(&catalog, id, transfer).await });
        }
        let outcomes = running.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert!(matches!(refused, CatalogError::OverQuota { .. }), "{refused:?}");
        }
    }

    async fn a_file_that_comes_while_its_box_goes_is_held_to_the_quota_there(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let globex = organization(catalog, "globex", tree.user.id).await.id;
        let quota = Quota { bytes: Some(7), file_bytes: None };
        quotas::put(catalog, globex, quota, NewEntry::default()).await.unwrap();
        let mut running = tokio::task::JoinSet::new();
        for number in 0..8 {
            let moving = public_box(catalog, tree.organization.id, &format!("box-{number}")).await;
            let slot = version(catalog, moving.id, "1.0.0").await;
            let slot = provider(catalog, slot.id, "virtualbox").await;
            let slot = artifact(catalog, slot.id, "amd64").await.id;
            let (here, there) = (catalog.clone(), catalog.clone());
            running.spawn(async move { put_file(&here, slot, number).await.map(drop) });
            running.spawn(async move {
                boxes::transfer(&there, moving.id, to(globex, None)).await.map(drop)
            });
        }
        for refused in running.join_all().await.into_iter().filter_map(Result::err) {
            let expected = matches!(
                refused,
                CatalogError::OverQuota { .. }
                    | CatalogError::Conflict { why: ConflictReason::LostRace }
            );
            assert!(expected, "{refused:?}");
        }
        let room = quotas::room(catalog, globex, 0, Limits::default()).await.unwrap();
        assert!(room.used <= 7, "{room:?}");
    }

    async fn a_deleted_box_is_gone_and_comes_back_as_it_was(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let (id, owner) = (tree.vagrant_box.id, &tree.organization);
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        let again = boxes::restore(catalog, id).await;
        assert!(is_conflict(&again, ConflictReason::NotDeleted));
        let deleted = boxes::delete(catalog, id).await.unwrap();
        assert!(deleted.deleted_at.is_some());
        assert_eq!(found(catalog, "acme", "debian").await, None);
        assert!(boxes::find_by_id(catalog, id).await.unwrap().is_none());
        let all = boxes::BoxFilter { visibility: boxes::Visibility::All, ..Default::default() };
        assert_eq!(boxes::list(catalog, &all, Page::default()).await.unwrap().total, 0);
        let path = artifacts::ArtifactPath {
            organization: &owner.name,
            box_name: &tree.vagrant_box.name,
            version: &tree.version.number,
            provider: &tree.provider.name,
            architecture: None,
        };
        assert!(artifacts::locate(catalog, path).await.unwrap().is_none());
        for outcome in [
            boxes::delete(catalog, id).await,
            boxes::update(catalog, id, BoxChanges::default()).await,
            boxes::transfer(catalog, id, to(owner.id, None)).await,
        ] {
            assert!(matches!(outcome, Err(CatalogError::NotFound { what: Noun::Box })));
        }
        assert!(is_taken(&boxes::create(catalog, new_box(owner.id, "debian", true)).await));
        let listed = boxes::list_deleted(catalog, owner.id, Page::default()).await.unwrap();
        assert_eq!((listed.total, listed.items[0].vagrant_box.id), (1, id));
        let seen = boxes::find_even_deleted(catalog, &owner.name, &tree.vagrant_box.name).await.unwrap();
        assert_eq!(seen.unwrap().vagrant_box.deleted_at, deleted.deleted_at);
        assert!(blobs::list_unreferenced(catalog, Duration::ZERO).await.unwrap().is_empty());

        boxes::restore(catalog, id).await.unwrap();
        assert_eq!(found(catalog, "acme", "debian").await.as_deref(), Some("acme/debian"));
        let located = artifacts::locate(catalog, path).await.unwrap().unwrap();
        assert_eq!(located.artifact.file.unwrap().stored.blob_id, blob.id);
    }

    async fn a_deleted_box_is_purged_when_its_time_is_over(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let blob = put_blob(catalog, tree.artifact.id, 1).await;
        let kept = public_box(catalog, tree.organization.id, "kept").await;
        boxes::delete(catalog, tree.vagrant_box.id).await.unwrap();
        let day = Duration::from_hours(24);
        assert_eq!(boxes::purge_deleted(catalog, day).await.unwrap(), 0);
        db.clock.advance(day);
        boxes::delete(catalog, kept.id).await.unwrap();
        assert_eq!(boxes::purge_deleted(catalog, day).await.unwrap(), 1);
        let gone = boxes::restore(catalog, tree.vagrant_box.id).await;
        assert!(matches!(gone, Err(CatalogError::NotFound { what: Noun::Box })));
        assert!(artifacts::find_by_id(catalog, tree.artifact.id).await.unwrap().is_none());
        let dust = blobs::list_unreferenced(catalog, Duration::ZERO).await.unwrap();
        assert_eq!(dust.iter().map(|dust| dust.id).collect::<Vec<_>>(), [blob.id]);
        boxes::restore(catalog, kept.id).await.unwrap();
        assert_eq!(boxes::purge_deleted(catalog, Duration::ZERO).await.unwrap(), 0);
        public_box(catalog, tree.organization.id, "debian").await;
    }

    async fn a_version_is_deprecated_with_its_reason_and_undeprecated(db) {
        let catalog = &db.catalog;
        let id = tree(catalog).await.version.id;
        let change = |deprecation| versions::VersionChanges { deprecation: Some(deprecation), ..Default::default() };
        let because = |reason: &str| change(versions::NewDeprecation::Deprecate(reason.to_owned()));
        let first = versions::update(catalog, id, because("old")).await.unwrap().deprecation.unwrap();
        let second = versions::update(catalog, id, because("insecure")).await.unwrap().deprecation.unwrap();
        assert_eq!((second.reason.as_str(), second.at), ("insecure", first.at), "since the first time");
        let kept = versions::update(catalog, id, versions::VersionChanges::default()).await.unwrap();
        assert_eq!(kept.deprecation, Some(second));
        let undone = versions::update(catalog, id, change(versions::NewDeprecation::Undo)).await.unwrap();
        assert_eq!(undone.deprecation, None);
    }
}
