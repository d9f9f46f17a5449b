//! Users, their groups and memberships, and failed sign-ins.

use std::time::Duration;

use boxvault_types::identity::{Credential, LOCAL_ISSUER, Role, TokenScope};

use super::fixture::{new_user, organization, user, user_name};
use super::on_each_database;
use crate::attempts::{self, AttemptKey, BackOff};
use crate::users::{self, Claims, UserChanges, UserFilter, UserSort};
use crate::{CatalogError, ConflictReason, Noun, Order, Page, Taken, accounts, memberships};

fn claims(subject: &str, name: &str, groups: &[&str]) -> Claims {
    Claims {
        issuer: "corp".to_owned(),
        subject: subject.to_owned(),
        name: user_name(name),
        email: Some(format!("{name}@corp.example")),
        display_name: name.to_uppercase(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

on_each_database! {
    async fn what_was_stored_of_a_user_is_read_back_to_the_microsecond(db) {
        let catalog = &db.catalog;
        let made = user(catalog, "Anna").await;
        assert_eq!(users::find(catalog, made.id).await.unwrap(), Some(made.clone()));
        assert_eq!(users::find_by_name(catalog, &user_name("aNNA")).await.unwrap(), Some(made.clone()));
        let by_email = users::find_by_name_or_email(catalog, " ANNA@example.org ").await.unwrap();
        assert_eq!(by_email, Some(made.clone()));
        assert_eq!(made.issuer, LOCAL_ISSUER);
        assert_eq!(made.created_at.timestamp_subsec_nanos() % 1_000, 0);
        assert_ne!(made.created_at.timestamp_subsec_micros(), 0);
    }

    async fn a_name_or_an_address_that_differs_only_in_case_is_taken(db) {
        let catalog = &db.catalog;
        user(catalog, "anna").await;
        let same_name = users::NewUser { email: None, ..new_user("ANNA") };
        let error = users::create(catalog, same_name).await.unwrap_err();
        assert!(matches!(error, CatalogError::AlreadyExists { what: Taken::UserName }), "{error:?}");
        let same_email = users::NewUser { email: Some("ANNA@Example.org".into()), ..new_user("bert") };
        let error = users::create(catalog, same_email).await.unwrap_err();
        assert!(matches!(error, CatalogError::AlreadyExists { what: Taken::Email }), "{error:?}");
        // several accounts without an address are no contradiction
        for name in ["carl", "dora"] {
            users::create(catalog, users::NewUser { email: None, ..new_user(name) }).await.unwrap();
        }
    }

    async fn a_user_can_be_changed_and_renamed(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        user(catalog, "bert").await;
        let taken = UserChanges { name: Some(user_name("Bert")), ..UserChanges::default() };
        let error = users::update(catalog, anna.id, taken).await.unwrap_err();
        assert!(matches!(error, CatalogError::AlreadyExists { what: Taken::UserName }), "{error:?}");
        let changes = UserChanges { name: Some(user_name("Anne")), ..UserChanges::default() };
        let anne = users::update(catalog, anna.id, changes).await.unwrap();
        assert_eq!((anne.name.as_str(), &anne.email), ("Anne", &anna.email));
        assert!(anne.updated_at > anna.updated_at);
        assert!(users::find_by_name(catalog, &anna.name).await.unwrap().is_none());

        users::set_password(catalog, anna.id, None).await.unwrap();
        users::grant_platform_admin(catalog, anna.id).await.unwrap();
        for refused in [
            users::suspend(catalog, anna.id).await,
            users::withdraw_platform_admin(catalog, anna.id).await,
            users::delete(catalog, anna.id).await,
        ] {
            let last = ConflictReason::LastAdmin;
            assert!(matches!(refused, Err(CatalogError::Conflict { why }) if why == last), "{refused:?}");
        }
        let other = user(catalog, "other").await;
        users::grant_platform_admin(catalog, other.id).await.unwrap();
        users::suspend(catalog, anna.id).await.unwrap();
        users::record_sign_in(catalog, anna.id).await.unwrap();
        let now = users::find(catalog, anna.id).await.unwrap().unwrap();
        assert!(now.password_hash.is_none() && now.platform_admin);
        assert!(now.suspended_at.is_some() && now.last_sign_in_at.is_some());
        users::resume(catalog, anna.id).await.unwrap();
        users::withdraw_platform_admin(catalog, anna.id).await.unwrap();
        let now = users::find(catalog, anna.id).await.unwrap().unwrap();
        assert!(now.suspended_at.is_none() && !now.platform_admin);
    }

    async fn users_are_listed_by_pages_and_found_by_any_part_in_any_case(db) {
        let catalog = &db.catalog;
        for name in ["anna", "bert", "carl", "a_b"] {
            user(catalog, name).await;
        }
        let umlaut = users::NewUser { display_name: "Jürgen ÄÖ 100%".into(), ..new_user("juergen") };
        users::create(catalog, umlaut).await.unwrap();
        let page = users::list(catalog, &UserFilter::default(), Page::new(2, 2)).await.unwrap();
        let names = page.items.iter().map(|user| user.name.as_str()).collect::<Vec<_>>();
        assert_eq!((names, page.total), (vec!["bert", "carl"], 5));
        let newest = UserFilter { sort: UserSort::Created, order: Order::Descending, q: None };
        let page = users::list(catalog, &newest, Page::default()).await.unwrap();
        assert_eq!(page.items[0].name.as_str(), "juergen");
        for (q, total) in [
            ("ANN", 1), ("JÜRGEN", 1), ("äö", 1), ("0%", 1), ("%", 1), ("_", 1), ("a_b", 1),
            ("!", 0), ("\\", 0), ("'", 0), ("  ", 5), ("a\0", 0), ("example.ORG", 5),
        ] {
            let filter = UserFilter { q: Some(q.to_owned()), ..UserFilter::default() };
            let page = users::list(catalog, &filter, Page::default()).await.unwrap();
            assert_eq!(page.total, total, "{q:?}");
        }
        assert_eq!(users::count(catalog).await.unwrap(), 5);
    }

    async fn the_first_admin_is_made_only_once(db) {
        let catalog = &db.catalog;
        let first = users::create_first_admin(catalog, new_user("root-1")).await.unwrap();
        assert!(first.platform_admin);
        let error = users::create_first_admin(catalog, new_user("root-2")).await.unwrap_err();
        let set_up = ConflictReason::AlreadySetUp;
        assert!(matches!(error, CatalogError::Conflict { why } if why == set_up), "{error:?}");
        assert_eq!(users::count(catalog).await.unwrap(), 1);
    }

    async fn an_external_account_takes_over_what_its_provider_says(db) {
        let catalog = &db.catalog;
        let first = users::upsert_external(catalog, claims("s-1", "eve", &["b", "a", "a"])).await.unwrap();
        let again = users::upsert_external(catalog, claims("s-1", "eva", &["c"])).await.unwrap();
        assert_eq!(again.id, first.id);
        assert_eq!(again.name.as_str(), "eve", "the name stays");
        assert_eq!(again.display_name, "EVA");
        let account = accounts::load(catalog, first.id).await.unwrap().unwrap();
        assert_eq!(account.groups, ["c"]);
        let identity = account.into_identity(Credential::None, TokenScope::default());
        assert_eq!(identity.caller().unwrap().groups, ["corp:c"]);
        let found = users::find_by_subject(catalog, "corp", "s-1").await.unwrap();
        assert_eq!(found.map(|user| user.id), Some(first.id));
        assert!(users::find_by_subject(catalog, "corp", "S-1").await.unwrap().is_none());
        // nobody signs in by password to an account that somebody else vouches for
        assert!(users::find_by_name_or_email(catalog, "eve").await.unwrap().is_none());
    }

    async fn an_external_account_takes_neither_name_nor_address_of_another(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let error = users::upsert_external(catalog, claims("s-2", "Anna", &[])).await.unwrap_err();
        assert!(matches!(error, CatalogError::AlreadyExists { what: Taken::UserName }), "{error:?}");
        let squatter = Claims { email: anna.email.clone(), ..claims("s-3", "other", &[]) };
        let other = users::upsert_external(catalog, squatter).await.unwrap();
        assert_eq!(other.email, None);
        assert_eq!(users::find(catalog, anna.id).await.unwrap().unwrap().email, anna.email);
    }

    async fn a_deleted_user_leaves_organizations_and_boxes(db) {
        let catalog = &db.catalog;
        let tree = super::fixture::tree(catalog).await;
        super::fixture::put_file(catalog, tree.artifact.id, 1).await.unwrap();
        users::delete(catalog, tree.user.id).await.unwrap();
        let name = &tree.organization.name;
        let left = crate::boxes::find(catalog, name, &tree.vagrant_box.name).await.unwrap().unwrap();
        assert_eq!(left.organization.created_by, None);
        let error = users::delete(catalog, tree.user.id).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { what: Noun::User }), "{error:?}");
    }

    async fn the_only_owner_of_a_shared_organization_cannot_be_deleted(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let bert = user(catalog, "bert").await;
        let acme = organization(catalog, "acme", anna.id).await;
        memberships::add(catalog, acme.id, bert.id, Role::Admin).await.unwrap();
        let error = users::delete(catalog, anna.id).await.unwrap_err();
        let last = ConflictReason::LastOwner;
        assert!(matches!(error, CatalogError::Conflict { why } if why == last), "{error:?}");
        memberships::set_role(catalog, acme.id, bert.id, Role::Owner).await.unwrap();
        users::delete(catalog, anna.id).await.unwrap();
    }

    async fn an_account_is_loaded_by_three_queries_whatever_it_belongs_to(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        for name in ["org-b", "org-a", "org-c"] {
            organization(catalog, name, anna.id).await;
        }
        let (account, queries) = db.count_statements(accounts::load(catalog, anna.id)).await;
        let account = account.unwrap().unwrap();
        let names = account.memberships.iter().map(|m| m.organization_name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["org-a", "org-b", "org-c"]);
        assert_eq!(queries, 3);
    }

    async fn failed_sign_ins_lock_longer_and_longer_until_one_succeeds(db) {
        let catalog = &db.catalog;
        let key = AttemptKey::account("Anna");
        let back_off = BackOff {
            free: 2,
            first: Duration::from_secs(10),
            longest: Duration::from_secs(35),
            forget_after: Duration::from_hours(1),
        };
        assert_eq!(attempts::read(catalog, &key).await.unwrap(), attempts::Attempts::default());
        let mut waits = Vec::new();
        for _ in 0..6 {
            let after = attempts::record_failure(catalog, &key, &back_off).await.unwrap();
            let wait = after.locked_until.map(|until| until - after.last_failure_at.unwrap());
            waits.push(wait.map(|wait| wait.num_seconds()));
        }
        assert_eq!(waits, [None, None, Some(10), Some(20), Some(35), Some(35)]);
        let read = attempts::read(catalog, &AttemptKey::account(" aNNa ")).await.unwrap();
        assert_eq!(read.failures, 6);
        attempts::record_success(catalog, &key).await.unwrap();
        assert_eq!(attempts::read(catalog, &key).await.unwrap().failures, 0);

        attempts::record_failure(catalog, &key, &back_off).await.unwrap();
        db.clock.advance(Duration::from_secs(4_000));
        let after = attempts::record_failure(catalog, &key, &back_off).await.unwrap();
        assert_eq!(after.failures, 1, "the one before was forgotten");
        db.clock.advance(Duration::from_secs(4_000));
        let gone = attempts::forget_older_than(catalog, Duration::from_hours(1)).await.unwrap();
        assert_eq!(gone, 1);
    }
}

#[test]
fn attempts_of_one_ipv6_network_are_counted_together() {
    let key = |text: &str| AttemptKey::address(text.parse().unwrap());
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
}

#[test]
fn a_very_long_account_name_is_cut_between_characters() {
    let long = "ä".repeat(500);
    assert_eq!(AttemptKey::account(&long), AttemptKey::account(&format!("{long}x")));
}
