//! Writes that are held to what their caller has seen, and requests that are done once.

use std::sync::Arc;
use std::time::Duration;

use boxvault_types::action::Resource;
use boxvault_types::digest::Digest;
use boxvault_types::ids::UserId;
use chrono::{DateTime, Utc};
use tokio::task::JoinSet;

use super::fixture::{artifact, box_name, organization, organization_name, public_box, tree, user};
use super::on_each_database;
use crate::artifacts::{self, ArtifactChanges};
use crate::audit::{self, AuditFilter, NewEntry};
use crate::avatars::{self, Avatar};
use crate::boxes::{self, BoxChanges};
use crate::idempotency::{self, Answer, Known, Request};
use crate::organizations::{self, OrganizationChanges};
use crate::quotas::{self, Quota};
use crate::users::{self, Preferences, UserChanges};
use crate::{CatalogError, ConflictReason, Held, Page, Thing, state_at};

fn renamed(description: &str) -> BoxChanges {
    BoxChanges { description: Some(description.to_owned()), ..BoxChanges::default() }
}

fn request(user_id: UserId, key: u8, body: u8) -> Request {
    Request {
        key: [key; 32],
        body: [body; 32],
        user_id,
        lease: Duration::from_mins(1),
        kept_for: Duration::from_hours(1),
    }
}

fn held(thing: &Thing, seen: Option<DateTime<Utc>>) -> Arc<Held> {
    Arc::new(Held::new(thing.clone(), vec![state_at(seen)]))
}

fn is_stale<T>(outcome: &crate::Result<T>) -> bool {
    matches!(outcome, Err(CatalogError::Conflict { why: ConflictReason::Stale }))
}

/// How many of writes that began at once were done; the others were stale.
async fn count_done(writers: JoinSet<crate::Result<()>>) -> usize {
    let outcomes = writers.join_all().await;
    let refused = outcomes.iter().filter(|outcome| is_stale(outcome)).count();
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(done + refused, outcomes.len(), "{outcomes:?}");
    done
}

on_each_database! {
    async fn of_writers_who_saw_the_same_state_one_wins(db) {
        let acme = organization(&db.catalog, "acme", user(&db.catalog, "anna").await.id).await;
        let web = public_box(&db.catalog, acme.id, "web").await;
        let box_of_acme = Resource::Box(organization_name("acme"), Some(box_name("web")));
        let thing = Thing::of(&box_of_acme, None).unwrap();
        let mut writers = JoinSet::new();
        for n in 0..8 {
            let (catalog, held) = (db.catalog.clone(), held(&thing, Some(web.updated_at)));
            writers.spawn(async move {
                let changes = renamed(&n.to_string());
                held.scope(boxes::update(&catalog, web.id, changes)).await.map(drop)
            });
        }
        assert_eq!(count_done(writers).await, 1);
        let stale = held(&thing, Some(web.updated_at)).compare_first(&db.catalog).await;
        assert!(is_stale(&stale), "{stale:?}");
        // outside of a condition nothing is compared, nor in what comes after the first write
        let now = boxes::update(&db.catalog, web.id, renamed("x")).await.unwrap();
        let held = held(&thing, Some(now.updated_at));
        let twice = Arc::clone(&held).scope(async {
            boxes::update(&db.catalog, web.id, renamed("y")).await?;
            boxes::delete(&db.catalog, web.id).await
        });
        twice.await.unwrap();
        assert!(!held.was_passed_by());
    }

    async fn of_those_who_set_the_first_quota_at_once_one_does(db) {
        let acme = organization(&db.catalog, "acme", user(&db.catalog, "anna").await.id).await;
        let thing = Thing::Quota(organization_name("acme"));
        let mut seen = None;
        for round in 0..2 {
            let mut writers = JoinSet::new();
            for n in 0..8 {
                let (catalog, held) = (db.catalog.clone(), held(&thing, seen));
                writers.spawn(async move {
                    let quota = Quota { bytes: Some(n), file_bytes: None };
                    let entry = NewEntry::default();
                    held.scope(quotas::put(&catalog, acme.id, quota, entry)).await.map(drop)
                });
            }
            assert_eq!(count_done(writers).await, 1, "round {round}");
            seen = quotas::find(&db.catalog, acme.id).await.unwrap().set_at;
        }
        let log = audit::list(&db.catalog, &AuditFilter::default(), Page::default()).await.unwrap();
        assert_eq!(log.total, 2);
    }

    async fn a_picture_is_told_by_its_bytes_and_an_account_by_all_it_has(db) {
        let anna = user(&db.catalog, "anna").await;
        let picture = |byte: u8| Avatar {
            content_type: "image/png".to_owned(),
            bytes: vec![byte],
            digest: Digest([byte; 32]),
        };
        let (thing, none) = (Thing::Picture(anna.id), state_at(None));
        let put = async |seen: &str, byte| {
            let held = Arc::new(Held::new(thing.clone(), vec![seen.to_owned()]));
            held.scope(avatars::put(&db.catalog, anna.id, picture(byte))).await
        };
        put(&none, 1).await.unwrap();
        assert!(is_stale(&put(&none, 2).await));
        // other changes of the account are none of the picture
        let changes = UserChanges { display_name: Some("A".to_owned()), ..UserChanges::default() };
        users::update(&db.catalog, anna.id, changes).await.unwrap();
        put(&picture(1).digest.to_string(), 2).await.unwrap();
        assert!(is_stale(&put(&picture(1).digest.to_string(), 3).await));
        let account = Thing::of(&Resource::Profile, Some(anna.id)).unwrap();
        let before = held(&account, Some(anna.updated_at));
        let preferences = users::set_preferences(&db.catalog, anna.id, Preferences::default());
        assert!(is_stale(&before.scope(preferences).await));
    }

    async fn the_default_architecture_changes_with_the_mark_it_loses(db) {
        let tree = tree(&db.catalog).await;
        let arm64 = artifact(&db.catalog, tree.provider.id, "arm64").await;
        let before = artifacts::find_by_id(&db.catalog, tree.artifact.id).await.unwrap().unwrap();
        assert!(before.default_architecture);
        let changes = ArtifactChanges { default_architecture: Some(true), ..ArtifactChanges::default() };
        artifacts::update(&db.catalog, arm64.id, changes).await.unwrap();
        let after = artifacts::find_by_id(&db.catalog, tree.artifact.id).await.unwrap().unwrap();
        assert!(!after.default_architecture && after.updated_at > before.updated_at);
        artifacts::delete(&db.catalog, arm64.id).await.unwrap();
        let heir = artifacts::find_by_id(&db.catalog, tree.artifact.id).await.unwrap().unwrap();
        assert!(heir.default_architecture && heir.updated_at > after.updated_at);
    }

    async fn a_condition_on_what_is_not_there_is_for_the_write_to_refuse(db) {
        let acme = organization(&db.catalog, "acme", user(&db.catalog, "anna").await.id).await;
        organizations::delete(&db.catalog, acme.id).await.unwrap();
        let held = held(&Thing::Organization(organization_name("acme")), Some(acme.updated_at));
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
        db.clock.advance(Duration::from_hours(1));
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
