//! Writes that are held to what their caller has seen, and requests that are done once.

use std::sync::Arc;
use std::time::Duration;

use boxvault_types::action::Resource;
use boxvault_types::ids::UserId;
use tokio::task::JoinSet;

use super::fixture::{box_name, organization, organization_name, public_box, user};
use super::on_each_database;
use crate::boxes::{self, BoxChanges};
use crate::idempotency::{self, Answer, Known, Request};
use crate::organizations::{self, OrganizationChanges};
use crate::{CatalogError, ConflictReason, Held};

fn renamed(description: &str) -> BoxChanges {
    BoxChanges { description: Some(description.to_owned()), ..BoxChanges::default() }
}

fn request(user_id: UserId, key: u8, body: u8) -> Request {
    Request {
        key: [key; 32],
        body: [body; 32],
        user_id,
        lease: Duration::from_secs(60),
        kept_for: Duration::from_secs(3600),
    }
}

on_each_database! {
    async fn of_writers_who_saw_the_same_state_one_wins(db) {
        let acme = organization(&db.catalog, "acme", user(&db.catalog, "anna").await.id).await;
        let web = public_box(&db.catalog, acme.id, "web").await;
        let thing = Resource::Box(organization_name("acme"), Some(box_name("web")));
        let mut writers = JoinSet::new();
        for n in 0..8 {
            let (catalog, seen) = (db.catalog.clone(), vec![web.updated_at]);
            let held = Arc::new(Held::new(thing.clone(), None, seen));
            writers.spawn(async move {
                held.scope(boxes::update(&catalog, web.id, renamed(&n.to_string()))).await
            });
        }
        let outcomes = writers.join_all().await;
        let mut won = 0;
        for outcome in outcomes {
            match outcome {
                Ok(_) => won += 1,
                Err(error) => {
                    let stale = matches!(error, CatalogError::Conflict { why: ConflictReason::Stale });
                    assert!(stale, "{error:?}");
                }
            }
        }
        assert_eq!(won, 1);
        let held = Arc::new(Held::new(thing, None, vec![web.updated_at]));
        let stale = held.compare_first(&db.catalog).await;
        assert!(matches!(stale, Err(CatalogError::Conflict { why: ConflictReason::Stale })));
        // outside of a condition nothing is compared, nor in what comes after the first write
        let now = boxes::update(&db.catalog, web.id, renamed("x")).await.unwrap();
        let thing = Resource::Box(organization_name("acme"), Some(box_name("web")));
        let held = Arc::new(Held::new(thing, None, vec![now.updated_at]));
        let twice = Arc::clone(&held).scope(async {
            boxes::update(&db.catalog, web.id, renamed("y")).await?;
            boxes::delete(&db.catalog, web.id).await
        });
        twice.await.unwrap();
        assert!(!held.was_passed_by());
    }

    async fn a_condition_on_what_is_not_there_is_for_the_write_to_refuse(db) {
        let acme = organization(&db.catalog, "acme", user(&db.catalog, "anna").await.id).await;
        organizations::delete(&db.catalog, acme.id, organizations::Contents::Keep).await.unwrap();
        let thing = Resource::Organization(Some(organization_name("acme")));
        let held = Arc::new(Held::new(thing, None, Vec::new()));
        let changes = OrganizationChanges::default();
        let gone = held.scope(organizations::update(&db.catalog, acme.id, changes)).await;
        assert!(matches!(gone, Err(CatalogError::NotFound { .. })), "{gone:?}");
    }

    async fn a_request_is_first_once_and_known_from_then_on(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await.id;
        let first = request(anna, 1, 1);
        assert_eq!(idempotency::begin(catalog, first).await.unwrap(), Known::First);
        assert_eq!(idempotency::begin(catalog, first).await.unwrap(), Known::Running);
        let other = request(anna, 1, 2);
        assert_eq!(idempotency::begin(catalog, other).await.unwrap(), Known::OtherBody);
        let answer = Answer {
            status: 201,
            body: Some("{\"ü\":1}".to_owned()),
            etag: Some("\"a\"".to_owned()),
        };
        idempotency::finish(catalog, first, answer.clone()).await.unwrap();
        let known = idempotency::begin(catalog, first).await.unwrap();
        assert_eq!(known, Known::Answered(answer));
        assert_eq!(idempotency::begin(catalog, other).await.unwrap(), Known::OtherBody);
        // after its time it is as if it had never been
        assert_eq!(idempotency::forget_expired(catalog).await.unwrap(), 0);
        db.clock.advance(Duration::from_secs(3601));
        assert_eq!(idempotency::begin(catalog, other).await.unwrap(), Known::First);
        idempotency::abandon(catalog, other.key).await.unwrap();
        assert_eq!(idempotency::begin(catalog, first).await.unwrap(), Known::First);
        db.clock.advance(Duration::from_secs(61));
        assert_eq!(idempotency::begin(catalog, first).await.unwrap(), Known::Unknown);
        db.clock.advance(Duration::from_secs(3600));
        assert_eq!(idempotency::forget_expired(catalog).await.unwrap(), 1);
    }

    async fn of_many_who_begin_at_once_one_is_first(db) {
        let anna = user(&db.catalog, "anna").await.id;
        let mut all = JoinSet::new();
        for _ in 0..8 {
            let catalog = db.catalog.clone();
            all.spawn(async move { idempotency::begin(&catalog, request(anna, 1, 1)).await });
        }
        let known: Vec<_> = all.join_all().await.into_iter().map(Result::unwrap).collect();
        assert_eq!(known.iter().filter(|one| **one == Known::First).count(), 1, "{known:?}");
        assert_eq!(known.iter().filter(|one| **one == Known::Running).count(), 7, "{known:?}");
    }
}
