//! Watches, and the notices of releases.

use boxvault_types::identity::Role;

use super::fixture::{put_file, tree, user};
use super::on_each_database;
use crate::boxes::Visibility;
use crate::outbox::{self, NewMail};
use crate::watches::{self, Notice, Watcher};
use crate::{Catalog, Page, boxes, memberships, versions};

fn mail() -> NewMail {
    NewMail { id: boxvault_types::ids::MailId::new(), kind: "test", payload: vec![1] }
}

async fn untold(catalog: &Catalog) -> Option<(Notice, Vec<Watcher>)> {
    let notice = watches::find_notice(catalog).await.unwrap()?;
    let watchers = watches::list_untold(catalog, &notice).await.unwrap();
    Some((notice, watchers))
}

on_each_database! {
    async fn a_box_is_watched_once_however_often_somebody_says_so(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let (user, id) = (tree.user.id, tree.vagrant_box.id);
        for _ in 0..3 {
            watches::watch(catalog, user, id).await.unwrap();
        }
        let list = async |visibility: Visibility| {
            watches::list(catalog, user, &visibility, Page::default()).await.unwrap()
        };
        let page = list(Visibility::Public).await;
        assert_eq!((page.total, page.items[0].found.id), (1, id));
        assert!(watches::is_watched(catalog, user, id).await.unwrap());
        boxes::delete(catalog, id).await.unwrap();
        assert_eq!(list(Visibility::All).await.total, 0);
        boxes::restore(catalog, id).await.unwrap();
        let private = boxes::BoxChanges { is_public: Some(false), ..Default::default() };
        boxes::update(catalog, id, private).await.unwrap();
        // what somebody may not see any more does not count either
        for (visibility, total) in [
            (Visibility::Public, 0),
            (Visibility::MemberOf(Vec::new()), 0),
            (Visibility::MemberOf(vec![tree.organization.id]), 1),
            (Visibility::All, 1),
        ] {
            let page = list(visibility).await;
            assert_eq!((page.total, page.items.len() as u64), (total, total));
        }
        watches::unwatch(catalog, user, id).await.unwrap();
        watches::unwatch(catalog, user, id).await.unwrap();
        assert!(!watches::is_watched(catalog, user, id).await.unwrap());
        let gone = watches::watch(catalog, user, boxvault_types::ids::BoxId::new()).await;
        assert!(gone.is_err());
    }

    async fn a_release_is_told_to_every_watcher_by_one_of_two_servers(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        let other = user(catalog, "olga").await;
        for watcher in [tree.user.id, other.id] {
            watches::watch(catalog, watcher, tree.vagrant_box.id).await.unwrap();
        }
        assert!(watches::find_notice(catalog).await.unwrap().is_none());
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        versions::release(catalog, tree.version.id).await.unwrap();
        // who comes later did not wait for this one
        let late = user(catalog, "late").await;
        watches::watch(catalog, late.id, tree.vagrant_box.id).await.unwrap();
        let (notice, watchers) = untold(catalog).await.unwrap();
        assert_eq!(notice.version.id, tree.version.id);
        let mut roles: Vec<_> =
            watchers.iter().map(|watcher| (watcher.user.name.to_string(), watcher.role)).collect();
        roles.sort();
        assert_eq!(roles, [("anna".to_owned(), Some(Role::Owner)), ("olga".to_owned(), None)]);
        // both servers read the same; one is faster, and died in the middle
        let (first, _) = watchers.split_at(1);
        assert!(watches::tell(catalog, &notice, first, vec![mail()]).await.unwrap());
        assert!(!watches::tell(catalog, &notice, first, vec![mail()]).await.unwrap());
        let (notice, rest) = untold(catalog).await.unwrap();
        assert_eq!(rest, watchers[1..]);
        assert!(watches::tell(catalog, &notice, &rest, vec![mail()]).await.unwrap());
        let (notice, nobody) = untold(catalog).await.unwrap();
        assert!(nobody.is_empty());
        assert!(watches::tell(catalog, &notice, &nobody, Vec::new()).await.unwrap());
        assert!(untold(catalog).await.is_none());
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 2);
    }

    async fn nobody_is_told_of_what_is_not_there_any_more(db) {
        let catalog = &db.catalog;
        let tree = tree(catalog).await;
        watches::watch(catalog, tree.user.id, tree.vagrant_box.id).await.unwrap();
        put_file(catalog, tree.artifact.id, 1).await.unwrap();
        versions::release(catalog, tree.version.id).await.unwrap();
        versions::revoke(catalog, tree.version.id).await.unwrap();
        assert!(watches::find_notice(catalog).await.unwrap().is_none());
        memberships::add(catalog, tree.organization.id, user(catalog, "olga").await.id, Role::Member)
            .await
            .unwrap();
        let next = super::fixture::version(catalog, tree.vagrant_box.id, "2.0.0").await;
        let provider = super::fixture::provider(catalog, next.id, "libvirt").await;
        let artifact = super::fixture::artifact(catalog, provider.id, "amd64").await;
        put_file(catalog, artifact.id, 2).await.unwrap();
        versions::release(catalog, next.id).await.unwrap();
        boxes::delete(catalog, tree.vagrant_box.id).await.unwrap();
        assert!(watches::find_notice(catalog).await.unwrap().is_none());
    }
}
