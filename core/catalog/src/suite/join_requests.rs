//! Requests to join: one open to each organization, decided once, and not too often.

use std::time::Duration;

use boxvault_types::identity::Role;
use boxvault_types::ids::{JoinRequestId, MailId, OrganizationId, UserId};
use tokio::task::JoinSet;

use super::fixture::{organization, user};
use super::on_each_database;
use crate::join_requests::{
    self, AskLimits,
    JoinRequestStatus::{self, Approved, Denied, Pending, Withdrawn},
    NewJoinRequest, OwnJoinRequest,
};
use crate::memberships::Addressee;
use crate::organizations::{self, AccessMode, Organization, OrganizationChanges};
use crate::outbox::NewMail;
use crate::users::Preferences;
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Page, Result, Taken, memberships, outbox, users,
};

const LIMITS: AskLimits = AskLimits { per_day: 100, pause: Duration::ZERO };

fn mail() -> NewMail {
    NewMail { id: MailId::new(), kind: "test", payload: Vec::new() }
}

/// An organization that takes requests.
async fn open_organization(catalog: &Catalog, name: &str, owner: UserId) -> Organization {
    let made = organization(catalog, name, owner).await;
    set_mode(catalog, made.id, AccessMode::RequestToJoin).await
}

async fn set_mode(catalog: &Catalog, id: OrganizationId, mode: AccessMode) -> Organization {
    let changes = OrganizationChanges { access_mode: Some(mode), ..OrganizationChanges::default() };
    organizations::update(catalog, id, changes).await.unwrap()
}

async fn ask_within(
    catalog: &Catalog,
    organization_id: OrganizationId,
    user_id: UserId,
    limits: AskLimits,
) -> Result<OwnJoinRequest> {
    let message = "I build images\0".to_owned();
    let new = NewJoinRequest {
        id: JoinRequestId::new(),
        organization_id,
        user_id,
        message,
        letters: vec![mail()],
    };
    join_requests::create(catalog, new, limits).await
}

async fn ask(catalog: &Catalog, to: OrganizationId, user: UserId) -> Result<OwnJoinRequest> {
    ask_within(catalog, to, user, LIMITS).await
}

async fn statuses(catalog: &Catalog, user: UserId) -> Vec<JoinRequestStatus> {
    let own = join_requests::list_of_user(catalog, user, Page::default()).await.unwrap();
    assert_eq!(own.total, own.items.len() as u64);
    own.items.into_iter().map(|one| one.status).collect()
}

fn why<T>(outcome: Result<T>) -> ConflictReason {
    match outcome.map(drop) {
        Err(CatalogError::Conflict { why }) => why,
        other => panic!("{other:?}"),
    }
}

fn is_missing<T>(outcome: Result<T>) -> bool {
    matches!(outcome.map(drop), Err(CatalogError::NotFound { what: Noun::JoinRequest }))
}

on_each_database! {
    async fn a_request_is_made_listed_and_approved_once(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = open_organization(catalog, "acme", anna.id).await;
        let made = ask(catalog, acme.id, bert.id).await.unwrap();
        assert_eq!((made.status, made.organization.as_str()), (Pending, "acme"));
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 1);
        let again = ask(catalog, acme.id, bert.id).await.unwrap_err();
        assert!(matches!(again, CatalogError::AlreadyExists { what: Taken::JoinRequest }), "{again:?}");
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 1, "a refused one tells nobody");

        let listed = join_requests::list(catalog, acme.id, Page::default()).await.unwrap();
        assert_eq!((listed.total, listed.items[0].user.as_str()), (1, "bert"));
        assert_eq!(listed.items[0].message, "I build images\u{fffd}");
        assert_eq!(listed.items[0].proven_email, None, "an address that is not proven is not theirs");
        assert_eq!(join_requests::read(catalog, acme.id, made.id).await.unwrap(), listed.items[0]);

        join_requests::approve(catalog, acme.id, made.id, Role::Admin, Some(mail())).await.unwrap();
        assert_eq!(memberships::find(catalog, acme.id, bert.id).await.unwrap(), Some(Role::Admin));
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 2);
        assert_eq!(statuses(catalog, bert.id).await, [Approved]);
        for outcome in [
            join_requests::approve(catalog, acme.id, made.id, Role::Member, None).await,
            join_requests::deny(catalog, acme.id, made.id, None).await,
            join_requests::withdraw(catalog, bert.id, made.id).await.map(drop),
            join_requests::read(catalog, acme.id, made.id).await.map(drop),
        ] {
            assert!(is_missing(outcome));
        }
        let member = ask(catalog, acme.id, bert.id).await.unwrap_err();
        assert!(matches!(member, CatalogError::AlreadyExists { what: Taken::Member }), "{member:?}");
    }

    /// W-17: in the original a second denial of the same user was a 500.
    async fn somebody_is_denied_withdraws_and_asks_again_any_number_of_times(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = open_organization(catalog, "acme", anna.id).await;
        for _ in 0..2 {
            let made = ask(catalog, acme.id, bert.id).await.unwrap();
            join_requests::deny(catalog, acme.id, made.id, None).await.unwrap();
            db.clock.advance(Duration::from_secs(1));
            let made = ask(catalog, acme.id, bert.id).await.unwrap();
            assert!(is_missing(join_requests::withdraw(catalog, anna.id, made.id).await), "not hers");
            let withdrawn = join_requests::withdraw(catalog, bert.id, made.id).await.unwrap();
            assert_eq!((withdrawn.id, withdrawn.status), (made.id, Withdrawn));
            assert!(withdrawn.ended_at > Some(withdrawn.created_at));
            db.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(statuses(catalog, bert.id).await, [Withdrawn, Denied, Withdrawn, Denied]);
        assert_eq!(join_requests::list(catalog, acme.id, Page::default()).await.unwrap().total, 0);
        assert_eq!(memberships::find(catalog, acme.id, bert.id).await.unwrap(), None);
    }

    async fn only_an_organization_that_takes_requests_is_asked(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = open_organization(catalog, "acme", anna.id).await;
        for mode in [AccessMode::Private, AccessMode::InviteOnly] {
            set_mode(catalog, acme.id, mode).await;
            assert_eq!(why(ask(catalog, acme.id, bert.id).await), ConflictReason::RequestsClosed);
        }
        set_mode(catalog, acme.id, AccessMode::RequestToJoin).await;
        organizations::suspend(catalog, acme.id, "").await.unwrap();
        assert_eq!(why(ask(catalog, acme.id, bert.id).await), ConflictReason::RequestsClosed);
        organizations::resume(catalog, acme.id).await.unwrap();
        let made = ask(catalog, acme.id, bert.id).await.unwrap();
        let other = open_organization(catalog, "other", anna.id).await;
        assert!(is_missing(join_requests::read(catalog, other.id, made.id).await), "it is not theirs");
        assert!(is_missing(join_requests::deny(catalog, other.id, made.id, None).await));
        let member = Role::Member;
        assert!(is_missing(join_requests::approve(catalog, other.id, made.id, member, None).await));

        organizations::delete(catalog, acme.id).await.unwrap();
        let gone = ask(catalog, acme.id, bert.id).await.unwrap_err();
        assert!(matches!(gone, CatalogError::NotFound { what: Noun::Organization }), "{gone:?}");
        assert!(statuses(catalog, bert.id).await.is_empty(), "a deleted one is not there");
        let nobody = ask(catalog, other.id, UserId::new()).await.unwrap_err();
        assert!(matches!(nobody, CatalogError::NotFound { what: Noun::User }), "{nobody:?}");
    }

    async fn an_organization_that_went_private_is_not_told_to_those_it_denied(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = open_organization(catalog, "acme", anna.id).await;
        let denied = ask(catalog, acme.id, bert.id).await.unwrap();
        join_requests::deny(catalog, acme.id, denied.id, None).await.unwrap();
        let open = ask(catalog, acme.id, bert.id).await.unwrap();
        set_mode(catalog, acme.id, AccessMode::Private).await;
        assert_eq!(statuses(catalog, bert.id).await, [Pending]);
        // what was asked before can still be decided
        join_requests::approve(catalog, acme.id, open.id, Role::Member, None).await.unwrap();
        assert_eq!(statuses(catalog, bert.id).await, [Approved]);
    }

    async fn a_suspended_account_is_denied_and_not_taken_in(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = open_organization(catalog, "acme", anna.id).await;
        let made = ask(catalog, acme.id, bert.id).await.unwrap();
        users::suspend(catalog, bert.id).await.unwrap();
        assert!(join_requests::read(catalog, acme.id, made.id).await.unwrap().suspended);
        let approved =
            join_requests::approve(catalog, acme.id, made.id, Role::Member, Some(mail())).await;
        assert_eq!(why(approved), ConflictReason::AccountSuspended);
        assert_eq!(memberships::find(catalog, acme.id, bert.id).await.unwrap(), None);
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 1, "nothing of it was done");
        join_requests::deny(catalog, acme.id, made.id, None).await.unwrap();
    }

    async fn nobody_asks_too_often(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = open_organization(catalog, "acme", anna.id).await;
        let other = open_organization(catalog, "other", anna.id).await;
        let limits = AskLimits { per_day: 3, pause: Duration::from_hours(1) };
        let ask = async |to: &Organization| ask_within(catalog, to.id, bert.id, limits).await;
        let made = ask(&acme).await.unwrap();
        join_requests::withdraw(catalog, bert.id, made.id).await.unwrap();
        assert_eq!(why(ask(&acme).await), ConflictReason::AskedLately);
        let second = ask(&other).await.unwrap();
        join_requests::deny(catalog, other.id, second.id, None).await.unwrap();
        db.clock.advance(Duration::from_mins(61));
        let third = ask(&acme).await.unwrap();
        assert_eq!(why(ask(&other).await), ConflictReason::TooManyRequests);
        db.clock.advance(Duration::from_hours(24));
        ask(&other).await.unwrap();
        // what is over is forgotten with time, what waits is not
        join_requests::deny(catalog, acme.id, third.id, None).await.unwrap();
        let month = Duration::from_hours(24 * 30);
        assert_eq!(join_requests::forget_ended(catalog, month).await.unwrap(), 0);
        db.clock.advance(month);
        assert_eq!(join_requests::forget_ended(catalog, month).await.unwrap(), 3);
        assert_eq!(statuses(catalog, bert.id).await, [Pending]);
    }

    async fn whoever_becomes_a_member_otherwise_has_nothing_left_to_ask(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = open_organization(catalog, "acme", anna.id).await;
        let made = ask(catalog, acme.id, bert.id).await.unwrap();
        memberships::add(catalog, acme.id, bert.id, Role::Member).await.unwrap();
        assert_eq!(statuses(catalog, bert.id).await, [Approved]);
        assert!(is_missing(join_requests::read(catalog, acme.id, made.id).await));
        // who left asks like everybody else
        memberships::remove(catalog, acme.id, bert.id).await.unwrap();
        ask(catalog, acme.id, bert.id).await.unwrap();
        users::delete(catalog, bert.id).await.unwrap();
        assert_eq!(join_requests::list(catalog, acme.id, Page::default()).await.unwrap().total, 0);
    }

    async fn only_admins_who_have_proven_their_address_are_told(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = open_organization(catalog, "acme", anna.id).await;
        for (name, role, proven) in [
            ("zora", Role::Owner, true),
            ("ada", Role::Admin, true),
            ("mark", Role::Member, true),
            ("gone", Role::Admin, true),
            ("new", Role::Admin, false),
        ] {
            let new = users::NewUser { email_verified: proven, ..super::fixture::new_user(name) };
            let made = users::create(catalog, new).await.unwrap();
            memberships::add(catalog, acme.id, made.id, role).await.unwrap();
            if name == "gone" {
                users::suspend(catalog, made.id).await.unwrap();
            }
        }
        let ada = users::find_by_name_or_email(catalog, "ada").await.unwrap().unwrap();
        let german = Preferences { language: Some("de".to_owned()), ..Preferences::default() };
        users::set_preferences(catalog, ada.id, german).await.unwrap();
        let addressee = |name: &str, language: Option<&str>| Addressee {
            email: format!("{name}@example.org"),
            language: language.map(ToOwned::to_owned),
        };
        let told = memberships::list_admins_to_tell(catalog, acme.id, 10).await.unwrap();
        assert_eq!(told, [addressee("ada", Some("de")), addressee("zora", None)]);
        let told = memberships::list_admins_to_tell(catalog, acme.id, 1).await.unwrap();
        assert_eq!(told, [addressee("ada", Some("de"))]);
    }

    async fn sixteen_who_decide_and_ask_at_once_agree(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = open_organization(catalog, "acme", anna.id).await;
        let mut racers = JoinSet::new();
        for _ in 0..16 {
            let catalog = catalog.clone();
            racers.spawn(async move { ask(&catalog, acme.id, bert.id).await });
        }
        let made: Vec<JoinRequestId> =
            racers.join_all().await.into_iter().flatten().map(|made| made.id).collect();
        assert_eq!(made.len(), 1, "one open request");
        let mut racers = JoinSet::new();
        for index in 0..16 {
            let (catalog, id) = (catalog.clone(), made[0]);
            racers.spawn(async move {
                loop {
                    let outcome = match index % 3 {
                        0 => join_requests::approve(&catalog, acme.id, id, Role::Member, None).await,
                        1 => join_requests::deny(&catalog, acme.id, id, None).await,
                        _ => join_requests::withdraw(&catalog, bert.id, id).await.map(drop),
                    };
                    // MariaDB ends one of two that wait for each other; whoever hears that asks again
                    if !matches!(outcome, Err(CatalogError::Unavailable { .. })) {
                        return outcome;
                    }
                }
            });
        }
        let outcomes = racers.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(outcomes.into_iter().filter(Result::is_err).all(is_missing));
        let member = memberships::find(catalog, acme.id, bert.id).await.unwrap().is_some();
        let approved = statuses(catalog, bert.id).await == [Approved];
        assert_eq!(member, approved);
    }
}
