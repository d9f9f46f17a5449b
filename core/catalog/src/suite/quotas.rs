//! What organizations take, and what they may.

use std::time::Duration;

use super::fixture::{
    artifact, begin, organization, provider, public_box, put_file, received, tree, version,
};
use super::on_each_database;
use crate::audit::{self, AuditFilter, NewEntry};
use crate::quotas::{self, Allowance, Limits, OverQuota, Quota};
use crate::uploads::{self, Received};
use crate::usage::{self, StoreContents, StoreUsage, Usage, UsageSort};
use crate::{Catalog, CatalogError, Noun, Order, Page, artifacts, blobs};
use boxvault_types::ids::{ArtifactId, OrganizationId};

fn usage_of(files: i64, bytes: i64, stored_files: i64, stored_bytes: i64) -> Usage {
    Usage { files, bytes, stored_files, stored_bytes }
}

fn set() -> NewEntry {
    NewEntry { action: "update".to_owned(), ..NewEntry::default() }
}

async fn commit_with(
    catalog: &Catalog,
    artifact: ArtifactId,
    content: u8,
    bytes: Option<i64>,
) -> crate::Result<()> {
    let upload = begin(catalog, artifact).await;
    let limits = Limits { bytes, file_bytes: None };
    let received = Received { default_limits: limits, ..received(content) };
    uploads::commit(catalog, upload.id, received).await.map(drop)
}

on_each_database! {
    async fn usage_counts_files_and_what_is_stored_for_them(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let acme = tree.organization.id;
        assert_eq!(usage::of_organization(catalog, acme).await.unwrap(), []);
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        // the same bytes again in the same box, in another box, and in another organization
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        put_file(catalog, arm64.id, 1).await.unwrap();
        for (owner, name) in [(acme, "web"), (organization(catalog, "globex", tree.user.id).await.id, "x")] {
            let other = public_box(catalog, owner, name).await;
            let other = version(catalog, other.id, "2.0.0").await;
            let other = provider(catalog, other.id, "libvirt").await;
            for (content, name) in [(1, "amd64"), (2, "arm64")] {
                let slot = artifact(catalog, other.id, name).await;
                put_file(catalog, slot.id, content).await.unwrap();
            }
        }
        public_box(catalog, acme, "empty").await;
        let (all, statements) =
            db.count_statements(usage::of_organization(catalog, acme)).await;
        let main = StoreUsage { store: "main".to_owned(), usage: usage_of(4, 28, 2, 14) };
        assert_eq!((all.unwrap(), statements), (vec![main], 1));

        let list = async |q, sort| {
            let page = Page::new(1, 10);
            usage::list_boxes(catalog, acme, q, sort, page).await.unwrap()
        };
        let (page, statements) =
            db.count_statements(list(None, (UsageSort::Name, Order::Ascending))).await;
        assert_eq!((page.total, statements), (3, 2));
        let found: Vec<_> =
            page.items.iter().map(|item| (item.name.to_string(), item.usage)).collect();
        assert_eq!(found, [
            ("debian".to_owned(), usage_of(2, 14, 1, 7)),
            ("empty".to_owned(), usage_of(0, 0, 0, 0)),
            ("web".to_owned(), usage_of(2, 14, 2, 14)),
        ]);
        for (sort, first) in [(UsageSort::StoredBytes, "web"), (UsageSort::Files, "debian"), (UsageSort::Bytes, "debian")] {
            let page = list(None, (sort, Order::Descending)).await;
            assert_eq!(page.items[0].name.as_str(), first, "{sort:?}");
        }
        let page = list(Some("EMP"), (UsageSort::Name, Order::Ascending)).await;
        assert_eq!((page.total, page.items.len()), (1, 1));
        let second = usage::list_boxes(catalog, acme, None, (UsageSort::Name, Order::Ascending), Page::new(2, 2));
        let second = second.await.unwrap();
        assert_eq!((second.total, second.items[0].name.as_str()), (3, "web"));
    }

    async fn a_store_holds_what_is_referred_to_and_what_waits_for_the_sweep(db) {
        let catalog = &db.catalog;
        assert_eq!(usage::of_stores(catalog).await.unwrap(), []);
        let tree = tree(catalog).await;
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        put_file(catalog, arm64.id, 2).await.unwrap();
        artifacts::delete_file(catalog, arm64.id).await.unwrap();
        blobs::list_unreferenced(catalog, Duration::ZERO).await.unwrap();
        let main = StoreContents {
            store: "main".to_owned(),
            blobs: 2,
            bytes: 14,
            unreferenced_blobs: 1,
            unreferenced_bytes: 7,
        };
        assert_eq!(usage::of_stores(catalog).await.unwrap(), [main]);
    }

    async fn a_quota_is_set_changed_and_goes_with_its_organization(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let acme = tree.organization.id;
        assert_eq!(quotas::find(catalog, acme).await.unwrap(), Allowance::default());
        for quota in [
            Quota { bytes: Some(100), file_bytes: None },
            Quota { bytes: None, file_bytes: Some(i64::MAX) },
        ] {
            let put = quotas::put(catalog, acme, quota, set()).await.unwrap();
            assert_eq!(put.quota, quota);
            assert_eq!(quotas::find(catalog, acme).await.unwrap(), put);
        }
        let log = audit::list(catalog, &AuditFilter::default(), Page::default()).await.unwrap();
        assert_eq!(log.total, 2);
        let nowhere = quotas::put(catalog, OrganizationId::new(), Quota::default(), set()).await;
        assert!(matches!(nowhere, Err(CatalogError::NotFound { what: Noun::Organization })));
        let log = audit::list(catalog, &AuditFilter::default(), Page::default()).await.unwrap();
        assert_eq!(log.total, 2, "what failed is not written down as done");
        crate::organizations::delete(catalog, acme).await.unwrap();
        crate::organizations::purge_deleted(catalog, Duration::ZERO).await.unwrap();
        assert_eq!(quotas::find(catalog, acme).await.unwrap(), Allowance::default());
    }

    async fn a_file_over_the_quota_is_not_committed(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        commit_with(catalog, tree.artifact.id, 1, Some(13)).await.unwrap();
        let over = commit_with(catalog, arm64.id, 1, Some(13)).await;
        let why = OverQuota::Organization { used: 7, allowed: 13, asked: 7 };
        assert!(matches!(over, Err(CatalogError::OverQuota { why: found }) if found == why));
        let slot = artifacts::find_by_id(catalog, arm64.id).await.unwrap().unwrap();
        assert_eq!(slot.file, None);
        // one in the place of another takes no more than it did
        commit_with(catalog, tree.artifact.id, 3, Some(13)).await.unwrap();
        commit_with(catalog, tree.artifact.id, 4, Some(5)).await.unwrap();
        // what was set for the organization stands before the default
        let quota = Quota { bytes: Some(0), file_bytes: Some(7) };
        quotas::put(catalog, tree.organization.id, quota, set()).await.unwrap();
        commit_with(catalog, arm64.id, 1, Some(13)).await.unwrap();
        let quota = Quota { bytes: Some(0), file_bytes: Some(6) };
        quotas::put(catalog, tree.organization.id, quota, set()).await.unwrap();
        let over = commit_with(catalog, arm64.id, 1, None).await;
        let why = OverQuota::File { allowed: 6, asked: 7 };
        assert!(matches!(over, Err(CatalogError::OverQuota { why: found }) if found == why));
    }

    async fn of_files_that_do_not_fit_together_those_that_fit_are_committed(db) {
        let tree = tree(&db.catalog).await;
        let mut slots = vec![tree.artifact.id];
        for name in ["arm64", "i386", "riscv64", "ppc64el", "s390x"] {
            slots.push(artifact(&db.catalog, tree.provider.id, name).await.id);
        }
        let mut running = tokio::task::JoinSet::new();
        for (content, slot) in (1_u8..).zip(slots) {
            let catalog = db.catalog.clone();
            running.spawn(async move { commit_with(&catalog, slot, content, Some(21)).await });
        }
        let outcomes = running.join_all().await;
        let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(stored, 3, "{outcomes:?}");
        for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert!(matches!(refused, CatalogError::OverQuota { .. }), "{refused:?}");
        }
        let room = quotas::room(&db.catalog, tree.organization.id, 0, Limits { bytes: Some(21), file_bytes: None });
        assert_eq!(room.await.unwrap().used, 21);
    }
}
