//! Versions of the policy: one after the other, none lost, each scope a history of its own.

use std::time::Duration;

use boxvault_types::ids::OrganizationId;
use boxvault_types::names::OrganizationName;

use super::fixture::{organization, user};
use super::on_each_database;
use crate::organizations::{self, OrganizationChanges};
use crate::policies::{self, NewVersion, Origin, Scope};
use crate::{Catalog, Page};

fn version(scope: Scope, text: &str) -> NewVersion {
    NewVersion {
        scope,
        digest: format!("{text:0>64}"),
        files: vec![("policy.csv".to_owned(), text.to_owned())],
        origin: Origin::Api,
        author: Some("root".to_owned()),
        message: format!("because of {text}"),
        restores: None,
    }
}

async fn add(catalog: &Catalog, scope: Scope, text: &str, expected: i64) -> Option<i64> {
    let added = policies::add(catalog, version(scope, text), expected, None).await.unwrap();
    added.map(|head| head.number)
}

on_each_database! {
    async fn versions_follow_each_other_and_each_scope_has_its_own(db) {
        let catalog = &db.catalog;
        let acme = Some(OrganizationId::new());
        assert_eq!(policies::mark(catalog).await.unwrap().newest, 0);
        assert_eq!(policies::find_newest(catalog, None).await.unwrap(), None);
        assert_eq!(add(catalog, None, "a", 0).await, Some(1));
        assert_eq!(add(catalog, None, "late", 0).await, None, "somebody was faster");
        assert_eq!(add(catalog, acme, "b", 0).await, Some(2));
        assert_eq!(add(catalog, None, "c", 1).await, Some(3), "another scope's version is none of ours");
        assert_eq!(policies::mark(catalog).await.unwrap().newest, 3);
        let newest = policies::find_newest(catalog, None).await.unwrap().unwrap();
        assert_eq!((newest.head.number, newest.files[0].1.as_str()), (3, "c"));
        assert_eq!(newest.head.message, "because of c");
        let first = policies::find(catalog, None, 1).await.unwrap().unwrap();
        assert_eq!(first.files, version(None, "a").files);
        assert_eq!(policies::find(catalog, acme, 1).await.unwrap(), None, "not theirs");
        let all = policies::list(catalog, None, Page::default()).await.unwrap();
        let numbers: Vec<_> = all.items.iter().map(|head| head.number).collect();
        assert_eq!((all.total, numbers), (2, vec![3, 1]));
        assert_eq!(add(catalog, acme, "d", 2).await, Some(4));
        // of an organization that is not there nothing counts
        assert_eq!(policies::list_newest_of_organizations(catalog).await.unwrap(), []);
    }

    async fn rules_of_an_organization_follow_its_name_and_count_while_it_is_there(db) {
        let catalog = &db.catalog;
        let owner = user(catalog, "owner").await.id;
        let acme = organization(catalog, "acme", owner).await;
        let before = policies::mark(catalog).await.unwrap();
        add(catalog, Some(acme.id), "a", 0).await;
        let newest = add(catalog, Some(acme.id), "b", 1).await;
        let listed = async || {
            let found = policies::list_newest_of_organizations(catalog).await.unwrap();
            found.into_iter().map(|own| (own.organization.key(), own.number)).collect::<Vec<_>>()
        };
        assert_eq!(listed().await, [("acme".to_owned(), newest.unwrap())]);
        let texts = policies::load_own_texts(catalog, &[2, 1, 7]).await.unwrap();
        let texts: Vec<_> = texts.into_iter().map(|own| (own.number, own.file.unwrap().1)).collect();
        assert_eq!(texts, [(1, "a".to_owned()), (2, "b".to_owned())]);
        let many: Vec<i64> = (1..2_000).collect();
        assert_eq!(policies::load_own_texts(catalog, &many).await.unwrap().len(), 2);
        let mut marks = vec![before, policies::mark(catalog).await.unwrap()];
        let name = Some(OrganizationName::parse("Globex").unwrap());
        let changes = OrganizationChanges { name, ..OrganizationChanges::default() };
        organizations::update(catalog, acme.id, changes).await.unwrap();
        assert_eq!(listed().await, [("globex".to_owned(), 2)]);
        marks.push(policies::mark(catalog).await.unwrap());
        organizations::delete(catalog, acme.id).await.unwrap();
        assert_eq!(listed().await, []);
        marks.push(policies::mark(catalog).await.unwrap());
        organizations::restore(catalog, acme.id, Duration::from_hours(1)).await.unwrap();
        assert_eq!(listed().await, [("globex".to_owned(), 2)]);
        marks.push(policies::mark(catalog).await.unwrap());
        for (place, mark) in marks.iter().enumerate() {
            assert!(!marks[..place].contains(mark), "{place}: {marks:?}");
        }
        // another change of an organization is none
        let changes = OrganizationChanges { description: Some("x".to_owned()), ..OrganizationChanges::default() };
        organizations::update(catalog, acme.id, changes).await.unwrap();
        assert_eq!(policies::mark(catalog).await.unwrap(), *marks.last().unwrap());
    }

    async fn of_many_who_add_at_once_one_does_and_no_number_is_given_twice(db) {
        let catalog = &db.catalog;
        let mut adding = tokio::task::JoinSet::new();
        for index in 0..8 {
            let catalog = catalog.clone();
            adding.spawn(async move { add(&catalog, None, &format!("n{index}"), 0).await });
        }
        for index in 0..4 {
            let catalog = catalog.clone();
            let scope = Some(OrganizationId::new());
            adding.spawn(async move { add(&catalog, scope, &format!("o{index}"), 0).await });
        }
        let mut numbers: Vec<_> = adding.join_all().await.into_iter().flatten().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5], "one of the platform's and each organization's");
    }
}
