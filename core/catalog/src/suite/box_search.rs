//! Lists of boxes and searches in them: the same answers on every database, by as many statements however many boxes.

use boxvault_types::names::{ArchitectureName, ProviderName};
use boxvault_types::tags::BoxTag;
use sea_orm::{EntityTrait, PaginatorTrait};
use sea_orm_migration::MigratorTrait;

use super::fixture::{
    artifact, box_name, new_box, organization, provider, public_box, put_file, tree, user, version,
};
use super::on_each_database;
use crate::boxes::{self, Bounds, BoxChanges, BoxFilter, BoxSort, NewBox, Visibility};
use crate::migration::Migrator;
use crate::quotas::Limits;
use crate::{Catalog, Order, Page, Paged, artifacts, downloads, versions};

/// So few that a handful of boxes is many.
const NARROW: Bounds = Bounds { rare: 2, total: 4 };

fn tag(text: &str) -> BoxTag {
    BoxTag::parse(text).unwrap()
}

fn q(text: &str) -> BoxFilter {
    BoxFilter {
        q: Some(text.to_owned()),
        sort: BoxSort::Relevance,
        order: Order::Descending,
        visibility: Visibility::All,
        ..BoxFilter::default()
    }
}

fn names(page: &Paged<boxes::BoxSummary>) -> Vec<&str> {
    page.items.iter().map(|found| found.name.as_str()).collect()
}

/// What a search finds, the same whether its words are taken for rare or for common.
async fn found(catalog: &Catalog, filter: &BoxFilter) -> Vec<String> {
    let wide = boxes::list(catalog, filter, Page::default()).await.unwrap();
    assert_eq!(wide.total, wide.items.len() as u64);
    let narrow = boxes::list_within(catalog, filter, Page::default(), NARROW).await.unwrap();
    let sorted = |page: &Paged<boxes::BoxSummary>| {
        let mut all: Vec<_> = names(page).into_iter().map(ToOwned::to_owned).collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&wide), sorted(&narrow), "{filter:?}");
    names(&wide).into_iter().map(ToOwned::to_owned).collect()
}

async fn described(
    catalog: &Catalog,
    new: NewBox,
    tags: &[&str],
    short: &str,
) -> boxes::VagrantBox {
    let tags = tags.iter().map(|text| tag(text)).collect();
    boxes::create(catalog, NewBox { tags, short_description: short.to_owned(), ..new })
        .await
        .unwrap()
}

on_each_database! {
    async fn boxes_are_found_by_the_beginnings_of_their_words(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await.id;
        described(catalog, new_box(acme, "Debian12-xfce", true), &["desktop", "c++"], "For daily work").await;
        described(catalog, new_box(acme, "alpine.v3", true), &["small"], "50% of a debian's size").await;
        described(catalog, new_box(acme, "web_server", true), &[], "ÄPFEL & Birnen").await;
        for (text, expected) in [
            ("debian", vec!["Debian12-xfce", "alpine.v3"]),
            ("DEB", vec!["Debian12-xfce", "alpine.v3"]),
            ("12", vec!["Debian12-xfce"]),
            ("debian-12", vec!["Debian12-xfce"]),
            ("xf daily", vec!["Debian12-xfce"]),
            ("v3", vec!["alpine.v3"]),
            ("3", vec!["alpine.v3"]),
            ("a", vec!["alpine.v3"]),
            ("small", vec!["alpine.v3"]),
            ("server web", vec!["web_server"]),
            ("äpfel", vec!["web_server"]),
            ("bian", vec![]),
            ("debian nothing", vec![]),
            ("50%", vec!["alpine.v3"]),
            ("o'clock", vec![]),
            ("tag:small", vec![]),
        ] {
            assert_eq!(found(catalog, &q(text)).await, expected, "{text}");
        }
        // what has no word in it asks for nothing
        for text in ["", " % ", "--"] {
            assert_eq!(found(catalog, &q(text)).await.len(), 3, "{text:?}");
        }
        let many = q(&"debian ".repeat(60));
        assert_eq!(found(catalog, &many).await.len(), 2);
    }

    async fn what_fits_best_comes_first(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await.id;
        described(catalog, new_box(acme, "a-mention", true), &[], "like ubuntu").await;
        described(catalog, new_box(acme, "b-beginning", true), &[], "ubuntus").await;
        described(catalog, new_box(acme, "c-tag", true), &["ubuntu"], "").await;
        described(catalog, new_box(acme, "ubuntu", true), &[], "").await;
        let expected = ["ubuntu", "c-tag", "a-mention", "b-beginning"];
        assert_eq!(found(catalog, &q("ubuntu")).await, expected);
        let by_name = BoxFilter { sort: BoxSort::Name, order: Order::Ascending, ..q("ubuntu") };
        assert_eq!(found(catalog, &by_name).await, ["a-mention", "b-beginning", "c-tag", "ubuntu"]);
    }

    async fn what_is_changed_is_found_anew(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.vagrant_box.id;
        let by_tag = |text| BoxFilter { tag: Some(tag(text)), ..BoxFilter::default() };
        let changes = BoxChanges { tags: Some(vec![tag("old"), tag("lts")]), ..BoxChanges::default() };
        let changed = boxes::update(catalog, id, changes).await.unwrap();
        assert_eq!(changed.tags, [tag("old"), tag("lts")]);
        assert_eq!(found(catalog, &by_tag("old")).await, ["debian"]);
        assert_eq!(found(catalog, &by_tag("ol")).await, Vec::<String>::new());
        let changes = BoxChanges {
            name: Some(box_name("bookworm")),
            short_description: Some("stable".to_owned()),
            ..BoxChanges::default()
        };
        boxes::update(catalog, id, changes).await.unwrap();
        assert_eq!(found(catalog, &q("debian")).await, Vec::<String>::new());
        for text in ["bookworm", "stable", "lts"] {
            assert_eq!(found(catalog, &q(text)).await, ["bookworm"], "{text}");
        }
        let changes = BoxChanges { tags: Some(Vec::new()), ..BoxChanges::default() };
        boxes::update(catalog, id, changes).await.unwrap();
        assert_eq!(found(catalog, &by_tag("lts")).await, Vec::<String>::new());
        boxes::delete(catalog, id).await.unwrap();
        assert_eq!(found(catalog, &q("bookworm")).await, Vec::<String>::new());
        boxes::restore(catalog, id).await.unwrap();
        assert_eq!(found(catalog, &q("bookworm")).await, ["bookworm"]);
    }

    async fn boxes_are_found_by_the_platforms_of_their_released_files(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.vagrant_box.id;
        public_box(catalog, tree.organization.id, "empty").await;
        let at = |provider: Option<&str>, architecture: Option<&str>| BoxFilter {
            provider: provider.map(|text| ProviderName::parse(text).unwrap()),
            architecture: architecture.map(|text| ArchitectureName::parse(text).unwrap()),
            ..BoxFilter::default()
        };
        let nothing = Vec::<String>::new();
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        // a provider and an architecture without a file between them
        let libvirt = provider(catalog, tree.version.id, "libvirt").await;
        artifact(catalog, libvirt.id, "amd64").await;
        let arm64 = artifact(catalog, libvirt.id, "arm64").await;
        put_file(catalog, arm64.id, 2).await.unwrap();
        assert_eq!(found(catalog, &at(Some("virtualbox"), None)).await, nothing, "not released");
        versions::release(catalog, tree.version.id).await.unwrap();
        for (provider, architecture, is_there) in [
            (Some("VirtualBox"), None, true),
            (Some("virtualbox"), Some("amd64"), true),
            (Some("libvirt"), Some("arm64"), true),
            (Some("libvirt"), Some("amd64"), false),
            (None, Some("arm64"), true),
            (None, Some("mips"), false),
            (Some("virtual"), None, false),
        ] {
            let expected = if is_there { vec!["debian"] } else { vec![] };
            let filter = at(provider, architecture);
            assert_eq!(found(catalog, &filter).await, expected, "{provider:?} {architecture:?}");
        }
        let newer = version(catalog, id, "2.0.0").await;
        let again = provider_of(catalog, newer.id).await;
        put_file(catalog, again, 3).await.unwrap();
        versions::release(catalog, newer.id).await.unwrap();
        versions::revoke(catalog, tree.version.id).await.unwrap();
        assert_eq!(found(catalog, &at(Some("libvirt"), None)).await, nothing);
        assert_eq!(found(catalog, &at(Some("virtualbox"), None)).await, ["debian"]);
        let artifacts = artifacts::list_of_version(catalog, newer.id, Page::default()).await.unwrap();
        assert_eq!(artifacts.total, 1);
        versions::delete(catalog, newer.id).await.unwrap();
        assert_eq!(found(catalog, &at(Some("virtualbox"), None)).await, nothing);
    }

    async fn boxes_of_before_are_found_by_all_that_they_have(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        described(catalog, new_box(tree.organization.id, "web-12", true), &[], "Small server").await;
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        versions::release(catalog, tree.version.id).await.unwrap();
        let all = Migrator::migrations();
        let since = all.iter().rev().position(|one| one.name().ends_with("_box_search")).unwrap();
        let since = u32::try_from(since + 1).unwrap();
        Migrator::down(catalog.writer(), Some(since)).await.unwrap();
        catalog.migrate().await.unwrap();
        for text in ["web", "12", "serv"] {
            assert_eq!(found(catalog, &q(text)).await, ["web-12"], "{text}");
        }
        let filter = BoxFilter {
            provider: Some(ProviderName::parse("virtualbox").unwrap()),
            architecture: Some(ArchitectureName::parse("amd64").unwrap()),
            ..BoxFilter::default()
        };
        assert_eq!(found(catalog, &filter).await, ["debian"]);
    }

    async fn what_everybody_may_read_is_told_apart_within_what_the_caller_may(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await.id;
        described(catalog, new_box(acme, "open", true), &["x"], "").await;
        described(catalog, new_box(acme, "closed", false), &["x"], "").await;
        let member = Visibility::MemberOf(vec![acme]);
        for (visibility, is_public, expected) in [
            (&member, None, vec!["closed", "open"]),
            (&member, Some(true), vec!["open"]),
            (&member, Some(false), vec!["closed"]),
            (&Visibility::All, Some(false), vec!["closed"]),
            (&Visibility::Public, None, vec!["open"]),
            (&Visibility::Public, Some(false), vec![]),
        ] {
            for tag in [None, Some(tag("x"))] {
                let visibility = visibility.clone();
                let filter = BoxFilter { visibility, tag, is_public, ..BoxFilter::default() };
                assert_eq!(found(catalog, &filter).await, expected, "{filter:?}");
            }
        }
    }

    async fn a_box_is_found_where_it_is_now_and_not_once_it_is_gone(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let id = tree.vagrant_box.id;
        let globex = organization(catalog, "globex", tree.user.id).await.id;
        let to_globex = boxes::Transfer {
            to: globex,
            default_limits: Limits::default(),
            old_name_leads_until: None,
        };
        let of = |organization| BoxFilter { organization: Some(organization), ..q("debian") };
        boxes::transfer(catalog, id, to_globex).await.unwrap();
        assert_eq!(found(catalog, &of(tree.organization.id)).await, Vec::<String>::new());
        assert_eq!(found(catalog, &of(globex)).await, ["debian"]);
        boxes::delete(catalog, id).await.unwrap();
        boxes::purge_deleted(catalog, std::time::Duration::ZERO).await.unwrap();
        let left = crate::entity::box_words::Entity::find().count(catalog.reader()).await.unwrap();
        assert_eq!(left, 0, "its words go with it");
    }

    async fn every_order_goes_both_ways_and_pages_hold_every_box_once(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        for number in 0..6 {
            public_box(catalog, tree.organization.id, &format!("box-{number}")).await;
        }
        downloads::add(catalog, &[(tree.artifact.id, 7)]).await.unwrap();
        for sort in [
            BoxSort::Name, BoxSort::Created, BoxSort::Updated, BoxSort::Downloads, BoxSort::Relevance,
        ] {
            let mut ways = Vec::new();
            for order in [Order::Ascending, Order::Descending] {
                let filter = BoxFilter { sort, order, ..BoxFilter::default() };
                let mut all = Vec::new();
                for number in 1..=4 {
                    let page = Page::new(number, 2);
                    let page = boxes::list_within(catalog, &filter, page, NARROW).await.unwrap();
                    // exact, or the least that there are
                    assert!((4..=7).contains(&page.total), "{}", page.total);
                    all.extend(page.items.into_iter().map(|found| found.name));
                }
                ways.push(all);
            }
            ways[1].reverse();
            assert_eq!(ways[0], ways[1], "{sort:?}");
            assert_eq!(ways[0].len(), 7);
        }
        let most = BoxFilter { sort: BoxSort::Downloads, order: Order::Descending, ..BoxFilter::default() };
        assert_eq!(found(catalog, &most).await[0], "debian");
        // whoever goes by the total comes to the end
        let filter = q("box");
        let (mut number, mut seen) = (1, 0);
        loop {
            let page = Page::new(number, 2);
            let page = boxes::list_within(catalog, &filter, page, NARROW).await.unwrap();
            seen += page.items.len() as u64;
            if number * 2 >= page.total {
                break;
            }
            number += 1;
        }
        assert_eq!(seen, 6);
    }

    async fn a_list_takes_as_many_statements_for_one_box_as_for_many(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let member = Visibility::MemberOf(vec![tree.organization.id]);
        let plain = BoxFilter { visibility: member.clone(), ..BoxFilter::default() };
        let searched = BoxFilter {
            visibility: member,
            tag: Some(tag("linux")),
            provider: Some(ProviderName::parse("virtualbox").unwrap()),
            ..q("deb box")
        };
        let mut seen = Vec::new();
        for number in 0..3 {
            for (filter, expected) in [(&plain, 2), (&searched, 3)] {
                let (page, statements) =
                    db.count_statements(boxes::list(catalog, filter, Page::default())).await;
                assert_eq!(statements, expected);
                seen.push(page.unwrap().items.len());
            }
            for extra in 0..10 {
                let new = new_box(tree.organization.id, &format!("deb-box-{number}-{extra}"), true);
                described(catalog, new, &["linux"], "").await;
            }
        }
        assert_eq!(seen, [1, 0, 11, 0, 21, 0]);
    }
}

/// An artifact of a version for virtualbox on amd64.
async fn provider_of(
    catalog: &Catalog,
    version: boxvault_types::ids::VersionId,
) -> boxvault_types::ids::ArtifactId {
    let provider = provider(catalog, version, "virtualbox").await;
    artifact(catalog, provider.id, "amd64").await.id
}
