//! Moves that a server was asked for, and the stores that were chosen for organizations.

use std::time::Duration;

use boxvault_types::ids::{OrganizationId, StoreMoveId};

use super::fixture::tree;
use super::on_each_database;
use crate::audit::NewEntry;
use crate::moves::{Amount, Mover, Selection};
use crate::store_moves::{self, Progress, State, Wish};
use crate::{CatalogError, Noun, Page, placements};

const LEASE: Duration = Duration::from_secs(15);

fn mover(holder: &str) -> Mover<'_> {
    Mover { holder, lease: LEASE }
}

fn wish(to: &str) -> Wish {
    Wish {
        selection: Selection { from: "main".to_owned(), ..Selection::default() },
        organization_name: None,
        box_name: None,
        to: to.to_owned(),
        bytes_per_second: Some(5),
        concurrency: 2,
    }
}

on_each_database! {
    async fn a_move_is_taken_once_goes_on_after_its_server_and_ends_once(db) {
        let catalog = &db.catalog;
        assert_eq!(store_moves::take(catalog, mover("one")).await.unwrap(), None);
        let made = store_moves::create(catalog, wish("cold"), NewEntry::default()).await.unwrap();
        assert_eq!((made.state, &made.wish), (State::Waiting, &wish("cold")));
        let taken = store_moves::take(catalog, mover("one")).await.unwrap().unwrap();
        assert_eq!((taken.id, taken.state), (made.id, State::Running));
        assert_eq!(store_moves::take(catalog, mover("two")).await.unwrap(), None);
        let far = Progress { moved: Amount { files: 3, bytes: 21 }, copied_bytes: 22, ..Progress::default() };
        assert!(store_moves::progress(catalog, made.id, mover("one"), far, Some("late")).await.unwrap());
        assert!(!store_moves::progress(catalog, made.id, mover("two"), far, None).await.unwrap());
        db.clock.advance(LEASE);
        let again = store_moves::take(catalog, mover("two")).await.unwrap().unwrap();
        assert_eq!((again.progress, again.started_at), (far, taken.started_at));
        store_moves::finish(catalog, made.id, "one", State::Failed, far, None).await.unwrap();
        store_moves::finish(catalog, made.id, "two", State::Done, far, None).await.unwrap();
        let ended = store_moves::find(catalog, made.id).await.unwrap().unwrap();
        assert_eq!((ended.state, ended.problem, ended.ended_at.is_some()), (State::Done, None, true));
        let ended = store_moves::cancel(catalog, made.id, NewEntry::default()).await.unwrap();
        assert_eq!(ended.state, State::Done, "it is over");
        db.clock.advance(LEASE);
        assert_eq!(store_moves::take(catalog, mover("one")).await.unwrap(), None);
    }

    async fn a_move_that_somebody_ended_is_nobodys_any_more(db) {
        let catalog = &db.catalog;
        let made = store_moves::create(catalog, wish("cold"), NewEntry::default()).await.unwrap();
        let other = store_moves::create(catalog, wish("spare"), NewEntry::default()).await.unwrap();
        assert_eq!(store_moves::count_open(catalog).await.unwrap(), 2);
        store_moves::take(catalog, mover("one")).await.unwrap().unwrap();
        let ended = store_moves::cancel(catalog, made.id, NewEntry::default()).await.unwrap();
        assert_eq!(ended.state, State::Canceled);
        assert_eq!(store_moves::count_open(catalog).await.unwrap(), 1);
        let told = store_moves::progress(catalog, made.id, mover("one"), Progress::default(), None);
        assert!(!told.await.unwrap());
        let next = store_moves::take(catalog, mover("one")).await.unwrap().unwrap();
        assert_eq!(next.id, other.id);
        let (all, statements) = db.count_statements(store_moves::list(catalog, Page::default())).await;
        let all = all.unwrap();
        assert_eq!((all.items[0].id, all.total, statements), (other.id, 2, 2));
        let none = store_moves::cancel(catalog, StoreMoveId::new(), NewEntry::default()).await;
        assert!(matches!(none, Err(CatalogError::NotFound { what: Noun::StoreMove })));
    }

    async fn a_store_is_chosen_for_an_organization_and_left_to_the_configuration_again(db) {
        let catalog = &db.catalog;
        let id = tree(catalog).await.organization.id;
        let put = async |store: Option<&str>| {
            placements::put(catalog, id, store.map(str::to_owned), NewEntry::default()).await.unwrap()
        };
        assert_eq!(placements::find(catalog, id).await.unwrap(), None);
        for store in ["cold", "spare"] {
            let set = put(Some(store)).await;
            assert_eq!(set.as_ref().map(|set| set.store.as_str()), Some(store));
            assert_eq!(placements::find(catalog, id).await.unwrap(), set);
        }
        assert_eq!(put(None).await, None);
        assert_eq!(placements::find(catalog, id).await.unwrap(), None);
        let nobody = OrganizationId::new();
        let none = placements::put(catalog, nobody, Some("cold".to_owned()), NewEntry::default()).await;
        assert!(matches!(none, Err(CatalogError::NotFound { what: Noun::Organization })));
    }
}
