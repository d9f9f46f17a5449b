//! Changes that wait for each other crosswise: whoever loses is told to try again, and nothing is half done.

use std::sync::Arc;

use boxvault_types::action::Resource;
use boxvault_types::identity::Role;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::fixture::{box_name, organization, public_box, user};
use super::on_each_database;
use crate::boxes::{self, BoxChanges, Transfer};
use crate::quotas::Limits;
use crate::users::UserChanges;
use crate::{
    Catalog, CatalogError, ConflictReason, Database, Held, Result, Thing, memberships,
    organizations, state_at, users,
};

/// How often the racers meet.
const ROUNDS: usize = 4;

/// Insists that a change was done, or refused by a word that its caller can do something with.
fn is_done<T: std::fmt::Debug>(outcome: &Result<T>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(CatalogError::Unavailable { .. } | CatalogError::Conflict { .. }) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// Locks two organizations, one after the other; the second once everybody has the first.
async fn lock_both(
    catalog: Catalog,
    ids: [boxvault_types::ids::OrganizationId; 2],
    met: Arc<Barrier>,
) -> Result<()> {
    let transaction = catalog.begin().await?;
    organizations::lock(&transaction, ids[0]).await?;
    // SQLite has one writer: nobody else gets as far as this
    if catalog.database() != Database::Sqlite {
        met.wait().await;
    }
    organizations::lock(&transaction, ids[1]).await?;
    transaction.commit().await?;
    Ok(())
}

on_each_database! {
    async fn of_two_who_wait_for_each_other_one_is_told_to_try_again(db) {
        let anna = user(&db.catalog, "anna").await;
        let acme = organization(&db.catalog, "acme", anna.id).await.id;
        let other = organization(&db.catalog, "other", anna.id).await.id;
        let met = Arc::new(Barrier::new(2));
        let (first, second) = tokio::join!(
            tokio::spawn(lock_both(db.catalog.clone(), [acme, other], Arc::clone(&met))),
            tokio::spawn(lock_both(db.catalog.clone(), [other, acme], met)),
        );
        let outcomes = [first.unwrap(), second.unwrap()];
        let done = outcomes.iter().filter(|outcome| is_done(outcome)).count();
        let expected = if db.catalog.database() == Database::Sqlite { 2 } else { 1 };
        assert_eq!(done, expected, "{outcomes:?}");
        // and the next one is not held up by what is left of them
        lock_both(db.catalog.clone(), [acme, other], Arc::new(Barrier::new(1))).await.unwrap();
    }

    /// One who has seen the box locks it first, one who has not the organization.
    async fn a_box_that_is_handed_to_and_fro_at_once_ends_up_somewhere(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let homes = [
            organization(catalog, "acme", anna.id).await,
            organization(catalog, "other", anna.id).await,
        ];
        let web = public_box(catalog, homes[0].id, "web").await;
        let limits = Limits { bytes: Some(1 << 30), file_bytes: None };
        let mut moves = 0;
        for round in 0..ROUNDS {
            let now = boxes::find_by_id(catalog, web.id).await.unwrap().unwrap();
            let thing = Resource::Box(now.organization.name.clone(), Some(box_name("web")));
            let thing = Thing::of(&thing, None).unwrap();
            let mut racers = JoinSet::new();
            for index in 0..12 {
                let (catalog, to) = (catalog.clone(), homes[(index + round) % 2].id);
                let seen = vec![state_at(Some(now.vagrant_box.updated_at))];
                let held = Arc::new(Held::new(thing.clone(), seen));
                let how = Transfer { to, default_limits: limits, old_name_leads_until: None };
                racers.spawn(async move {
                    match index % 3 {
                        0 => held.scope(boxes::transfer(&catalog, web.id, how)).await,
                        1 => boxes::transfer(&catalog, web.id, how).await,
                        _ => {
                            let changes = BoxChanges {
                                description: Some(index.to_string()),
                                ..BoxChanges::default()
                            };
                            held.scope(boxes::update(&catalog, web.id, changes)).await
                        }
                    }
                });
            }
            let outcomes = racers.join_all().await;
            moves += outcomes.iter().filter(|outcome| is_done(outcome)).count();
            let found = boxes::find_by_id(catalog, web.id).await.unwrap().unwrap();
            assert!(homes.iter().any(|home| home.id == found.organization.id));
        }
        assert!(moves >= ROUNDS, "only {moves} changes were done");
    }

    async fn admins_who_change_each_other_at_once_leave_one(db) {
        let catalog = &db.catalog;
        let mut admins = Vec::new();
        for index in 0..4 {
            admins.push(user(catalog, &format!("admin-{index}")).await);
        }
        let acme = organization(catalog, "acme", admins[0].id).await;
        for round in 0..ROUNDS {
            for admin in &admins {
                let well = UserChanges {
                    platform_admin: Some(true),
                    suspended: Some(false),
                    ..UserChanges::default()
                };
                users::update(catalog, admin.id, well).await.unwrap();
            }
            let mut racers = JoinSet::new();
            for (index, admin) in admins.iter().enumerate() {
                let seen = users::find(catalog, admin.id).await.unwrap().unwrap();
                let thing = Thing::of(&Resource::User(Some(admin.name.clone())), None).unwrap();
                let held = Held::new(thing, vec![state_at(Some(seen.updated_at))]);
                let (held, id) = (Arc::new(held), admin.id);
                for door in 0..3 {
                    let (catalog, held) = (catalog.clone(), Arc::clone(&held));
                    racers.spawn(async move {
                        match (door + index + round) % 3 {
                            // who looked locks the account first, who did not the admins
                            0 => held.scope(users::withdraw_platform_admin(&catalog, id)).await,
                            1 => users::suspend(&catalog, id).await,
                            _ => match memberships::add(&catalog, acme.id, id, Role::Admin).await {
                                Err(CatalogError::AlreadyExists { .. }) => Ok(()),
                                outcome => outcome,
                            },
                        }
                    });
                }
            }
            for outcome in racers.join_all().await {
                is_done(&outcome);
            }
            let mut left = 0;
            for admin in &admins {
                let now = users::find(catalog, admin.id).await.unwrap().unwrap();
                left += usize::from(now.platform_admin && now.suspended_at.is_none());
            }
            assert!(left >= 1, "nobody administers the server");
        }
    }

    async fn a_change_of_several_things_is_made_whole_or_not_at_all(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        users::grant_platform_admin(catalog, anna.id).await.unwrap();
        let all = |email: &str| UserChanges {
            name: None,
            email: Some(email.to_owned()),
            display_name: Some("Another".to_owned()),
            platform_admin: Some(false),
            suspended: Some(true),
        };
        let before = users::find(catalog, anna.id).await.unwrap().unwrap();
        let last = users::update(catalog, anna.id, all("new@example.org")).await;
        assert!(
            matches!(last, Err(CatalogError::Conflict { why: ConflictReason::LastAdmin })),
            "{last:?}"
        );
        assert_eq!(users::find(catalog, anna.id).await.unwrap().unwrap(), before);
        users::grant_platform_admin(catalog, bert.id).await.unwrap();
        let before = users::find(catalog, anna.id).await.unwrap().unwrap();
        let taken = users::update(catalog, anna.id, all("BERT@example.org")).await;
        assert!(matches!(taken, Err(CatalogError::AlreadyExists { .. })), "{taken:?}");
        assert_eq!(users::find(catalog, anna.id).await.unwrap().unwrap(), before);
        let session = super::credentials::new_session(catalog, anna.id, 1);
        let session = crate::sessions::create(catalog, session).await.unwrap().id;
        let changed = users::update(catalog, anna.id, all("new@example.org")).await.unwrap();
        assert!(!changed.platform_admin && changed.suspended_at.is_some());
        assert_eq!(changed.email.as_deref(), Some("new@example.org"));
        assert!(crate::sessions::find_live(catalog, session).await.unwrap().is_none());
    }
}
