//! Boxes, versions, providers and architectures.

use boxvault_types::ids::{ArtifactId, BoxId, OrganizationId, VersionId};
use boxvault_types::version::BoxVersion;
use chrono::Datelike;

use super::fixture::{
    architecture, artifact, box_name, new_artifact, new_box, new_version, number, organization,
    provider, provider_name, public_box, put_file, tree, user, version,
};
use super::on_each_database;
use crate::artifacts::{ArtifactChanges, ArtifactPath};
use crate::boxes::{BoxChanges, BoxFilter, BoxSort, Visibility};
use crate::providers::ProviderChanges;
use crate::versions::{VersionChanges, VersionFilter, VersionOrder, VersionStatus};
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Order, Page, Taken, artifacts, boxes, downloads,
    providers, versions,
};

async fn listed(catalog: &Catalog, filter: BoxFilter) -> Vec<String> {
    let page = boxes::list(catalog, &filter, Page::default()).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    let name = |row: &boxes::BoxSummary| format!("{}/{}", row.organization, row.name);
    page.items.iter().map(name).collect()
}

async fn defaults(catalog: &Catalog, provider_id: boxvault_types::ids::ProviderId) -> Vec<String> {
    let page = artifacts::list(catalog, provider_id, Page::default()).await.unwrap();
    let is_default = page.items.iter().filter(|artifact| artifact.default_architecture);
    is_default.map(|artifact| artifact.name.to_string()).collect()
}

fn is_conflict<T>(outcome: &crate::Result<T>, reason: ConflictReason) -> bool {
    matches!(outcome, Err(CatalogError::Conflict { why }) if *why == reason)
}

on_each_database! {
    async fn a_box_is_found_by_its_names_in_any_case_with_its_organization(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let (found, queries) = db
            .count_statements(boxes::find(
                catalog,
                &super::fixture::organization_name("ACME"),
                &box_name("Debian"),
            ))
            .await;
        let found = found.unwrap().unwrap();
        assert_eq!((found.organization, queries), (tree.organization.clone(), 1));
        assert_eq!(found.vagrant_box.id, tree.vagrant_box.id);
        let same = boxes::create(catalog, new_box(tree.organization.id, "DEBIAN", false)).await;
        assert!(matches!(same, Err(CatalogError::AlreadyExists { what: Taken::BoxName })));
        let other = organization(catalog, "other", tree.user.id).await;
        public_box(catalog, other.id, "debian").await;
        let orphan = boxes::create(catalog, new_box(OrganizationId::new(), "x", false)).await;
        assert!(matches!(orphan, Err(CatalogError::NotFound { what: Noun::Organization })));
    }

    async fn a_box_can_be_changed(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.vagrant_box.id;
        public_box(catalog, tree.organization.id, "taken").await;
        let changes = BoxChanges {
            name: Some(box_name("Debian12")),
            readme: Some("# Read\0me".to_owned()),
            is_public: Some(false),
            ..BoxChanges::default()
        };
        let changed = boxes::update(catalog, id, changes).await.unwrap();
        assert_eq!(changed.name.as_str(), "Debian12");
        assert_eq!(changed.readme.as_deref(), Some("# Read\u{fffd}me"));
        assert!(!changed.is_public && changed.updated_at > changed.created_at);
        assert_eq!(changed.short_description, tree.vagrant_box.short_description);
        let clear = BoxChanges { readme: Some(String::new()), ..BoxChanges::default() };
        assert_eq!(boxes::update(catalog, id, clear).await.unwrap().readme, None);
        let taken = BoxChanges { name: Some(box_name("Taken")), ..BoxChanges::default() };
        let outcome = boxes::update(catalog, id, taken).await;
        assert!(matches!(outcome, Err(CatalogError::AlreadyExists { what: Taken::BoxName })));

        let gone = boxes::update(catalog, BoxId::new(), BoxChanges::default()).await;
        assert!(matches!(gone, Err(CatalogError::NotFound { what: Noun::Box })));
    }

    async fn lists_of_boxes_show_only_what_may_be_seen(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let a = organization(catalog, "a-org", anna.id).await;
        let b = organization(catalog, "b-org", anna.id).await;
        for (owner, name, is_public) in [
            (a.id, "zeta", true), (a.id, "secret", false), (b.id, "Alpha", true), (b.id, "hidden", false),
        ] {
            boxes::create(catalog, new_box(owner, name, is_public)).await.unwrap();
        }
        assert_eq!(listed(catalog, BoxFilter::default()).await, ["b-org/Alpha", "a-org/zeta"]);
        let member = Visibility::MemberOf(vec![a.id]);
        let filter = BoxFilter { visibility: member.clone(), ..BoxFilter::default() };
        assert_eq!(listed(catalog, filter).await, ["b-org/Alpha", "a-org/secret", "a-org/zeta"]);
        let nobody = BoxFilter { visibility: Visibility::MemberOf(Vec::new()), ..BoxFilter::default() };
        assert_eq!(listed(catalog, nobody).await.len(), 2);
        let all = BoxFilter { visibility: Visibility::All, ..BoxFilter::default() };
        assert_eq!(listed(catalog, all).await.len(), 4);
        let one = BoxFilter { organization: Some(b.id), visibility: member, ..BoxFilter::default() };
        assert_eq!(listed(catalog, one).await, ["b-org/Alpha"]);
        let q = BoxFilter { q: Some("SHORT of z".into()), ..BoxFilter::default() };
        assert_eq!(listed(catalog, q).await, ["a-org/zeta"]);
        let newest = BoxFilter {
            sort: BoxSort::Created, order: Order::Descending, visibility: Visibility::All,
            ..BoxFilter::default()
        };
        assert_eq!(listed(catalog, newest).await[0], "b-org/hidden");
    }

    async fn a_list_takes_the_same_number_of_queries_for_one_row_and_for_thirty(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        let mut counts = Vec::new();
        for some in [1, 29] {
            for index in 0..some {
                public_box(catalog, acme.id, &format!("box-{some}-{index}")).await;
            }
            let filter = BoxFilter::default();
            let list = boxes::list(catalog, &filter, Page::new(1, 100));
            let (page, queries) = db.count_statements(list).await;
            counts.push((page.unwrap().total, queries));
        }
        assert_eq!(counts, [(1, 2), (30, 2)]);
    }

    async fn versions_are_listed_as_vagrant_orders_them(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        let vagrant_box = public_box(catalog, acme.id, "debian").await;
        let mut texts = vec![
            "1.10.0", "1.9", "1.0.0-rc1", "1.0.0", "0.9.9", "2.0.0-beta", "2.0.0", "20240101.1",
            "1.0.0.pre", "1.0.0-rc10", "1.0.0-rc9", "10.0.0", "1.a", "0",
        ];
        for text in &texts {
            version(catalog, vagrant_box.id, text).await;
        }
        texts.sort_by_key(|text| std::cmp::Reverse(BoxVersion::parse(text).unwrap()));
        let list = |filter| versions::list(catalog, vagrant_box.id, filter, Page::default());
        let page = list(VersionFilter::default()).await.unwrap();
        let found = page.items.iter().map(|version| version.number.as_str()).collect::<Vec<_>>();
        assert_eq!(found, texts);
        let filter = VersionFilter { order: VersionOrder::OldestFirst, ..VersionFilter::default() };
        assert_eq!(list(filter).await.unwrap().items[0].number.as_str(), "0");
        let released = VersionFilter { status: Some(VersionStatus::Released), ..VersionFilter::default() };
        assert_eq!(list(released).await.unwrap().total, 0);

        let same = versions::create(catalog, new_version(vagrant_box.id, "1")).await;
        assert!(matches!(same, Err(CatalogError::AlreadyExists { what: Taken::Version })));
        let found = versions::find(catalog, vagrant_box.id, &number("1.0")).await.unwrap().unwrap();
        assert_eq!(found.number.as_str(), "1.0.0");
        let renumber = VersionChanges { number: Some(number("2")), ..VersionChanges::default() };
        let outcome = versions::update(catalog, found.id, renumber).await;
        assert!(matches!(outcome, Err(CatalogError::AlreadyExists { what: Taken::Version })));
    }

    async fn a_version_is_released_once_with_a_file_and_revoked_after(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.version.id;
        assert!(is_conflict(&versions::revoke(catalog, id).await, ConflictReason::VersionState));
        assert!(is_conflict(&versions::release(catalog, id).await, ConflictReason::VersionEmpty));
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        let released = versions::release(catalog, id).await.unwrap();
        assert_eq!(released.status, VersionStatus::Released);
        assert!(released.released_at.is_some());
        assert!(is_conflict(&versions::release(catalog, id).await, ConflictReason::VersionState));
        let revoked = versions::revoke(catalog, id).await.unwrap();
        assert_eq!((revoked.status, revoked.released_at), (VersionStatus::Revoked, released.released_at));
        assert!(is_conflict(&versions::release(catalog, id).await, ConflictReason::VersionState));
        let missing = versions::release(catalog, VersionId::new()).await;
        assert!(matches!(missing, Err(CatalogError::NotFound { what: Noun::Version })));
    }

    async fn what_is_below_a_released_version_stays_as_it_is(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let idle = artifact(catalog, tree.provider.id, "arm64").await;
        let open = super::fixture::begin(catalog, idle.id).await;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        versions::release(catalog, tree.version.id).await.unwrap();
        let why = ConflictReason::VersionReleased;

        let number = VersionChanges { number: Some(number("1.0.1")), ..VersionChanges::default() };
        assert!(is_conflict(&versions::update(catalog, tree.version.id, number).await, why));
        let new = providers::NewProvider {
            version_id: tree.version.id, name: provider_name("libvirt"), description: String::new(),
        };
        assert!(is_conflict(&providers::create(catalog, new).await, why));
        let rename = ProviderChanges { name: Some(provider_name("vbox")), description: None };
        assert!(is_conflict(&providers::update(catalog, tree.provider.id, rename).await, why));
        assert!(is_conflict(&providers::delete(catalog, tree.provider.id).await, why));
        let new = new_artifact(tree.provider.id, "riscv64");
        assert!(is_conflict(&artifacts::create(catalog, new).await, why));
        let default = ArtifactChanges { default_architecture: Some(true), ..ArtifactChanges::default() };
        assert!(is_conflict(&artifacts::update(catalog, idle.id, default).await, why));
        assert!(is_conflict(&artifacts::delete(catalog, tree.artifact.id).await, why));
        assert!(is_conflict(&artifacts::delete_file(catalog, tree.artifact.id).await, why));
        assert!(is_conflict(&put_file(catalog, tree.artifact.id, 2).await, why));
        let late = crate::uploads::commit(catalog, open.id, super::fixture::received(3)).await;
        assert!(is_conflict(&late, why));

        // words about it may change
        let words = VersionChanges { release_notes: Some("Fixed".into()), ..VersionChanges::default() };
        versions::update(catalog, tree.version.id, words).await.unwrap();
        let words = ProviderChanges { description: Some("Words".into()), name: None };
        providers::update(catalog, tree.provider.id, words).await.unwrap();
        // and it may be deleted as a whole
        versions::delete(catalog, tree.version.id).await.unwrap();
    }

    async fn providers_have_one_name_each(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let libvirt = provider(catalog, tree.version.id, "libvirt").await;
        let rename = ProviderChanges { name: Some(provider_name("VirtualBox")), description: None };
        let outcome = providers::update(catalog, libvirt.id, rename).await;
        assert!(matches!(outcome, Err(CatalogError::AlreadyExists { what: Taken::Provider })));
        let page = providers::list(catalog, tree.version.id, Page::default()).await.unwrap();
        let names = page.items.iter().map(|provider| provider.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["libvirt", "virtualbox"]);
        let found = providers::find(catalog, tree.version.id, &provider_name("LIBVIRT")).await.unwrap();
        assert_eq!(found, Some(libvirt.clone()));
        providers::delete(catalog, libvirt.id).await.unwrap();
        let again = providers::delete(catalog, libvirt.id).await;
        assert!(matches!(again, Err(CatalogError::NotFound { what: Noun::Provider })));
    }

    async fn exactly_one_architecture_of_a_provider_is_the_default(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.provider.id;
        let amd64 = tree.artifact.clone();
        assert!(amd64.default_architecture, "the first is the default");
        let arm64 = artifact(catalog, id, "arm64").await;
        assert_eq!(defaults(catalog, id).await, ["amd64"]);
        let new = artifacts::NewArtifact { default_architecture: true, ..new_artifact(id, "riscv64") };
        let riscv64 = artifacts::create(catalog, new).await.unwrap();
        assert_eq!(defaults(catalog, id).await, ["riscv64"]);
        let set = |on| ArtifactChanges { default_architecture: Some(on), ..ArtifactChanges::default() };
        artifacts::update(catalog, arm64.id, set(true)).await.unwrap();
        assert_eq!(defaults(catalog, id).await, ["arm64"]);
        artifacts::update(catalog, arm64.id, set(false)).await.unwrap();
        assert_eq!(defaults(catalog, id).await, ["amd64"], "the oldest other one takes over");
        artifacts::delete(catalog, amd64.id).await.unwrap();
        assert_eq!(defaults(catalog, id).await, ["arm64"]);
        artifacts::delete(catalog, riscv64.id).await.unwrap();
        artifacts::update(catalog, arm64.id, set(false)).await.unwrap();
        assert_eq!(defaults(catalog, id).await, ["arm64"], "the only one stays it");

        let same = artifacts::create(catalog, new_artifact(id, "ARM64")).await;
        assert!(matches!(same, Err(CatalogError::AlreadyExists { what: Taken::Architecture })));
        let name = Some(architecture("aarch64"));
        let renamed = ArtifactChanges { name, ..ArtifactChanges::default() };
        let renamed = artifacts::update(catalog, arm64.id, renamed).await.unwrap();
        assert!(renamed.default_architecture && renamed.name.as_str() == "aarch64");
        let missing = artifacts::delete(catalog, ArtifactId::new()).await;
        assert!(matches!(missing, Err(CatalogError::NotFound { what: Noun::Architecture })));
    }

    async fn an_artifact_is_located_by_one_query_also_by_default(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let (v, arm64) = (number("1.0"), architecture("ARM64"));
        let path = ArtifactPath {
            organization: &super::fixture::organization_name("Acme"),
            box_name: &box_name("DEBIAN"),
            version: &v,
            provider: &provider_name("VirtualBox"),
            architecture: None,
        };
        let (empty, queries) = db.count_statements(artifacts::locate(catalog, path)).await;
        let empty = empty.unwrap().unwrap();
        assert_eq!((empty.artifact.id, queries), (tree.artifact.id, 1));
        assert_eq!(empty.artifact.file, None);
        assert_eq!(empty.version_status, VersionStatus::Unreleased);

        let committed = put_file(catalog, tree.artifact.id, 1).await.unwrap();
        let located = artifacts::locate(catalog, path).await.unwrap().unwrap();
        let file = located.artifact.file.clone().unwrap();
        assert_eq!(file.stored.blob_id, committed.file.stored.blob_id);
        assert_eq!((file.stored.key, file.stored.digest), (committed.file.stored.key, committed.file.stored.digest));
        assert_eq!(located.box_name.as_str(), "debian");
        let found = artifacts::find_by_id(catalog, tree.artifact.id).await.unwrap().unwrap();
        assert_eq!(found, located.artifact);
        let other = ArtifactPath { architecture: Some(&arm64), ..path };
        assert!(artifacts::locate(catalog, other).await.unwrap().is_none());
        artifact(catalog, tree.provider.id, "arm64").await;
        assert!(artifacts::locate(catalog, other).await.unwrap().is_some());
        let page = artifacts::list_of_version(catalog, tree.version.id, Page::default()).await.unwrap();
        assert_eq!(page.total, 2);
    }

    async fn a_box_is_described_by_three_queries_whatever_its_size(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        versions::release(catalog, tree.version.id).await.unwrap();
        for text in ["2.0.0", "10.0.0", "3.0.0-rc1"] {
            let version = version(catalog, tree.vagrant_box.id, text).await;
            for (index, name) in ["virtualbox", "libvirt"].into_iter().enumerate() {
                let provider = provider(catalog, version.id, name).await;
                let amd64 = artifact(catalog, provider.id, "amd64").await;
                artifact(catalog, provider.id, "without-file").await;
                put_file(catalog, amd64.id, 10 + u8::try_from(index).unwrap()).await.unwrap();
            }
            if text != "3.0.0-rc1" {
                versions::release(catalog, version.id).await.unwrap();
            }
        }
        let (described, queries) = db.count_statements(boxes::describe(catalog, tree.vagrant_box.id)).await;
        let described = described.unwrap().unwrap();
        assert_eq!(queries, 3);
        let numbers = described.versions.iter().map(|v| v.version.number.as_str()).collect::<Vec<_>>();
        assert_eq!(numbers, ["10.0.0", "2.0.0", "1.0.0"], "released only, newest first");
        let below = described.versions[0].artifacts.iter();
        let below = below.map(|a| (a.provider.as_str(), a.architecture.as_str(), a.default_architecture));
        assert_eq!(below.collect::<Vec<_>>(), [("libvirt", "amd64", true), ("virtualbox", "amd64", true)]);
        let missing = boxes::describe(catalog, BoxId::new()).await.unwrap();
        assert!(missing.is_none());
    }

    async fn downloads_are_counted_for_artifacts_boxes_and_days(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let arm64 = artifact(catalog, tree.provider.id, "arm64").await;
        let gone = ArtifactId::new();
        let batch = [(tree.artifact.id, 2), (arm64.id, 3), (gone, 9), (tree.artifact.id, 1), (arm64.id, 0)];
        let (outcome, statements) = db.count_statements(downloads::add(catalog, &batch)).await;
        outcome.unwrap();
        assert_eq!(statements, 5);
        downloads::add(catalog, &[(arm64.id, 4)]).await.unwrap();
        db.clock.advance(std::time::Duration::from_hours(24));
        downloads::add(catalog, &[(arm64.id, 5)]).await.unwrap();
        downloads::add(catalog, &[(gone, 5)]).await.unwrap();
        downloads::add(catalog, &[]).await.unwrap();

        let read = artifacts::find_by_id(catalog, tree.artifact.id).await.unwrap().unwrap();
        assert_eq!(read.downloads, 3);
        let read = artifacts::find_by_id(catalog, arm64.id).await.unwrap().unwrap();
        assert_eq!(read.downloads, 12);
        let read = boxes::find_by_id(catalog, tree.vagrant_box.id).await.unwrap().unwrap();
        assert_eq!(read.vagrant_box.downloads, 15);
        let start = catalog.now().date_naive() - chrono::Days::new(7);
        let days = downloads::by_day(catalog, tree.vagrant_box.id, start).await.unwrap();
        let days = days.iter().map(|(day, count)| (day.day(), *count)).collect::<Vec<_>>();
        assert_eq!(days, [(1, 10), (2, 5)]);

        let newer = version(catalog, tree.vagrant_box.id, "10.0.0").await;
        let libvirt = provider(catalog, newer.id, "libvirt").await;
        let file = artifact(catalog, libvirt.id, "amd64").await;
        downloads::add(catalog, &[(file.id, 4)]).await.unwrap();
        let sums = downloads::by_version(catalog, tree.vagrant_box.id, None).await.unwrap();
        let sums = sums.iter().map(|(number, sum)| (number.as_str(), *sum)).collect::<Vec<_>>();
        assert_eq!(sums, [("10.0.0", 4), ("1.0.0", 15)]);
        let released = Some(VersionStatus::Released);
        let sums = downloads::by_version(catalog, tree.vagrant_box.id, released).await.unwrap();
        assert!(sums.is_empty());
    }
}
