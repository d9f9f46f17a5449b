//! Invitations: one open to each address, accepted once by whoever has the address, and void with what they rest on.

use std::time::Duration;

use boxvault_types::identity::Role;
use boxvault_types::ids::{InvitationId, MailId, OrganizationId, UserId};
use chrono::TimeDelta;
use tokio::task::JoinSet;

use super::fixture::{new_user, organization, user};
use super::on_each_database;
use crate::invitations::{self, Invitation, InvitationLetter, NewInvitation, SendLimits};
use crate::outbox::NewMail;
use crate::{
    Catalog, CatalogError, ConflictReason, Noun, Page, Result, Taken, memberships, organizations,
    outbox, users,
};

const LIMITS: SendLimits = SendLimits { per_day: 100, pause: Duration::ZERO };

fn new_invitation(
    catalog: &Catalog,
    organization_id: OrganizationId,
    invited_by: UserId,
    email: &str,
    token: u8,
) -> NewInvitation {
    let mail = NewMail { id: MailId::new(), kind: "test", payload: Vec::new() };
    let expires_at = catalog.now() + TimeDelta::days(7);
    NewInvitation {
        organization_id,
        email: email.to_owned(),
        role: Role::Admin,
        invited_by,
        letter: InvitationLetter { token_hash: [token; 32], expires_at, mail },
    }
}

async fn invite(
    catalog: &Catalog,
    to: OrganizationId,
    by: UserId,
    email: &str,
    token: u8,
) -> Result<Invitation> {
    invitations::create(catalog, new_invitation(catalog, to, by, email, token), LIMITS).await
}

async fn opens(catalog: &Catalog, token: u8) -> bool {
    invitations::find_by_token(catalog, &[token; 32]).await.unwrap().is_some()
}

fn is_missing<T>(outcome: Result<T>) -> bool {
    matches!(outcome.map(drop), Err(CatalogError::NotFound { what: Noun::Invitation }))
}

fn why<T>(outcome: Result<T>) -> ConflictReason {
    match outcome.map(drop) {
        Err(CatalogError::Conflict { why }) => why,
        other => panic!("{other:?}"),
    }
}

fn taken<T>(outcome: Result<T>) -> Taken {
    match outcome.map(drop) {
        Err(CatalogError::AlreadyExists { what }) => what,
        other => panic!("{other:?}"),
    }
}

on_each_database! {
    async fn an_invitation_is_accepted_once_and_by_its_address_alone(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let (bert, carl) = (user(catalog, "bert").await, user(catalog, "carl").await);
        let acme = organization(catalog, "acme", anna.id).await;
        let sent = invite(catalog, acme.id, anna.id, "Bert@Example.org", 1).await.unwrap();
        assert_eq!(sent.invited_by.as_ref().map(ToString::to_string), Some("anna".to_owned()));
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 1);
        let (found, into) = invitations::find_by_token(catalog, &[1; 32]).await.unwrap().unwrap();
        assert_eq!((&found, into.id), (&sent, acme.id));
        let listed = invitations::list(catalog, acme.id, Page::default()).await.unwrap();
        assert_eq!(listed.items, std::slice::from_ref(&sent));

        assert!(is_missing(invitations::accept(catalog, &[2; 32], bert.id).await));
        let other = invitations::accept(catalog, &[1; 32], carl.id).await;
        assert_eq!(why(other), ConflictReason::OtherAddress);
        assert_eq!(memberships::find(catalog, acme.id, carl.id).await.unwrap(), None);
        let accepted = invitations::accept(catalog, &[1; 32], bert.id).await.unwrap();
        assert_eq!((accepted.id, accepted.organization_id), (sent.id, acme.id));
        assert_eq!(memberships::find(catalog, acme.id, bert.id).await.unwrap(), Some(Role::Admin));
        let proven = users::find(catalog, bert.id).await.unwrap().unwrap().email_verified_at;
        assert!(proven.is_some(), "the link came by that address");
        assert!(is_missing(invitations::accept(catalog, &[1; 32], bert.id).await));
        assert!(is_missing(invitations::decline(catalog, &[1; 32]).await));
        assert!(is_missing(invitations::read(catalog, acme.id, sent.id).await));

        // a member is told so, and the invitation stays for whoever has it taken back
        invite(catalog, acme.id, anna.id, "bert@example.org", 3).await.unwrap();
        assert_eq!(taken(invitations::accept(catalog, &[3; 32], bert.id).await), Taken::Member);
        assert!(opens(catalog, 3).await);
    }

    async fn an_address_has_one_open_invitation_whatever_its_case(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        let other = organization(catalog, "other", anna.id).await;
        let sent = invite(catalog, acme.id, anna.id, "bert@example.org", 1).await.unwrap();
        let again = invite(catalog, acme.id, anna.id, "BERT@example.org", 2).await;
        assert_eq!(taken(again), Taken::Invitation);
        invite(catalog, other.id, anna.id, "bert@example.org", 3).await.unwrap();
        // neither is there by the name of another organization
        assert!(is_missing(invitations::read(catalog, other.id, sent.id).await));
        assert!(is_missing(invitations::revoke(catalog, other.id, sent.id).await));
        let by_other = new_invitation(catalog, other.id, anna.id, "bert@example.org", 4);
        assert!(is_missing(invitations::resend(catalog, sent.id, by_other, LIMITS).await));

        invitations::revoke(catalog, acme.id, sent.id).await.unwrap();
        assert!(!opens(catalog, 1).await && opens(catalog, 3).await);
        invite(catalog, acme.id, anna.id, "bert@example.org", 5).await.unwrap();
        invitations::decline(catalog, &[5; 32]).await.unwrap();
        invite(catalog, acme.id, anna.id, "bert@example.org", 6).await.unwrap();
        db.clock.advance(Duration::from_hours(24 * 8));
        assert!(!opens(catalog, 6).await, "its time is over");
        assert!(is_missing(invitations::decline(catalog, &[6; 32]).await));
        invite(catalog, acme.id, anna.id, "bert@example.org", 7).await.unwrap();
        assert!(opens(catalog, 7).await);
        let unknown = invite(catalog, OrganizationId::new(), anna.id, "x@example.org", 8).await;
        assert!(matches!(unknown, Err(CatalogError::NotFound { what: Noun::Organization })));
    }

    async fn an_account_is_made_by_an_invitation_with_its_place_or_not_at_all(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        invite(catalog, acme.id, anna.id, "bert@example.org", 1).await.unwrap();
        let token = [1; 32];
        let other = invitations::accept_as_new_user(catalog, &token, new_user("carl")).await;
        assert_eq!(why(other), ConflictReason::OtherAddress);
        let named = users::NewUser { email: new_user("bert").email, ..new_user("anna") };
        let same_name = invitations::accept_as_new_user(catalog, &token, named).await;
        assert_eq!(taken(same_name), Taken::UserName);
        assert_eq!(users::count(catalog).await.unwrap(), 1);
        let made = invitations::accept_as_new_user(catalog, &token, new_user("bert")).await;
        let (bert, accepted) = made.unwrap();
        assert!(bert.email_verified_at.is_some());
        assert_eq!(accepted.organization_id, acme.id);
        assert_eq!(memberships::find(catalog, acme.id, bert.id).await.unwrap(), Some(Role::Admin));
        let again = invitations::accept_as_new_user(catalog, &token, new_user("bert")).await;
        assert!(is_missing(again));
    }

    async fn an_invitation_is_sent_again_by_another_link(db) {
        let catalog = &db.catalog;
        let (anna, olga) = (user(catalog, "anna").await, user(catalog, "olga").await);
        let acme = organization(catalog, "acme", anna.id).await;
        memberships::add(catalog, acme.id, olga.id, Role::Admin).await.unwrap();
        let sent = invite(catalog, acme.id, anna.id, "bert@example.org", 1).await.unwrap();
        db.clock.advance(Duration::from_mins(5));
        let again = new_invitation(catalog, acme.id, olga.id, "bert@example.org", 2);
        let resent = invitations::resend(catalog, sent.id, again, LIMITS).await.unwrap();
        assert_eq!(resent.invited_by.as_ref().map(ToString::to_string), Some("olga".to_owned()));
        assert!(resent.sent_at > sent.sent_at && resent.created_at == sent.created_at);
        assert!(!opens(catalog, 1).await && opens(catalog, 2).await);
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 2);
        let unknown = new_invitation(catalog, acme.id, olga.id, "bert@example.org", 3);
        assert!(is_missing(invitations::resend(catalog, InvitationId::new(), unknown, LIMITS).await));
    }

    async fn an_organization_pauses_for_each_address_and_stops_for_the_day(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        let other = organization(catalog, "other", anna.id).await;
        let limits = SendLimits { per_day: 3, pause: Duration::from_mins(1) };
        let invite = async |to: &organizations::Organization, email: &str, token: u8| {
            let new = new_invitation(catalog, to.id, anna.id, email, token);
            invitations::create(catalog, new, limits).await
        };
        let resend = async |sent: &Invitation, token: u8| {
            let again = new_invitation(catalog, acme.id, anna.id, &sent.email, token);
            invitations::resend(catalog, sent.id, again, limits).await
        };
        let first = invite(&acme, "one@example.org", 1).await.unwrap();
        assert_eq!(why(resend(&first, 2).await), ConflictReason::InvitedLately);
        invitations::revoke(catalog, acme.id, first.id).await.unwrap();
        let lately = invite(&acme, "ONE@example.org", 3).await;
        assert_eq!(why(lately), ConflictReason::InvitedLately, "withdrawing does not get around it");
        // other addresses, and other organizations, do not wait for it
        let second = invite(&acme, "two@example.org", 4).await.unwrap();
        invite(&other, "one@example.org", 5).await.unwrap();
        db.clock.advance(Duration::from_mins(2));
        resend(&second, 6).await.unwrap();
        assert_eq!(why(invite(&acme, "three@example.org", 7).await), ConflictReason::TooManyInvitations);
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 4, "what is refused is not sent");
        db.clock.advance(Duration::from_hours(25));
        invite(&acme, "three@example.org", 8).await.unwrap();
    }

    async fn an_invitation_is_void_with_what_it_rests_on(db) {
        let catalog = &db.catalog;
        let (anna, olga) = (user(catalog, "anna").await, user(catalog, "olga").await);
        let bert = user(catalog, "bert").await;
        let acme = organization(catalog, "acme", anna.id).await;
        memberships::add(catalog, acme.id, olga.id, Role::Admin).await.unwrap();
        invite(catalog, acme.id, olga.id, "bert@example.org", 1).await.unwrap();
        let accept = async || invitations::accept(catalog, &[1; 32], bert.id).await;

        memberships::set_role(catalog, acme.id, olga.id, Role::Member).await.unwrap();
        assert!(!opens(catalog, 1).await && is_missing(accept().await), "she could not give it");
        memberships::set_role(catalog, acme.id, olga.id, Role::Admin).await.unwrap();
        users::suspend(catalog, olga.id).await.unwrap();
        assert!(!opens(catalog, 1).await && is_missing(accept().await), "she is suspended");
        users::resume(catalog, olga.id).await.unwrap();
        organizations::suspend(catalog, acme.id, "").await.unwrap();
        assert!(!opens(catalog, 1).await && is_missing(accept().await), "acme is suspended");
        organizations::resume(catalog, acme.id).await.unwrap();
        organizations::delete(catalog, acme.id).await.unwrap();
        assert!(!opens(catalog, 1).await && is_missing(accept().await), "acme is deleted");
        organizations::restore(catalog, acme.id, Duration::from_hours(1)).await.unwrap();
        assert!(opens(catalog, 1).await);
        memberships::remove(catalog, acme.id, olga.id).await.unwrap();
        assert!(!opens(catalog, 1).await && is_missing(accept().await), "she has left");
        users::delete(catalog, olga.id).await.unwrap();
        assert!(!opens(catalog, 1).await && is_missing(accept().await), "she is gone");
        assert_eq!(memberships::find(catalog, acme.id, bert.id).await.unwrap(), None);
    }

    async fn invitations_that_are_over_are_forgotten(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        let sent = invite(catalog, acme.id, anna.id, "one@example.org", 1).await.unwrap();
        invitations::revoke(catalog, acme.id, sent.id).await.unwrap();
        invite(catalog, acme.id, anna.id, "two@example.org", 2).await.unwrap();
        let month = Duration::from_hours(24 * 30);
        assert_eq!(invitations::forget_ended(catalog, month).await.unwrap(), 0);
        db.clock.advance(month);
        assert_eq!(invitations::forget_ended(catalog, month).await.unwrap(), 1, "the withdrawn one");
        db.clock.advance(Duration::from_hours(24 * 7));
        assert_eq!(invitations::forget_ended(catalog, month).await.unwrap(), 1, "the expired one");
    }

    async fn of_sixteen_who_accept_at_once_one_comes_in(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = organization(catalog, "acme", anna.id).await;
        let mut racers = JoinSet::new();
        for token in 0..16 {
            let catalog = catalog.clone();
            racers.spawn(async move { invite(&catalog, acme.id, anna.id, "bert@example.org", token).await });
        }
        let made = racers.join_all().await;
        assert_eq!(made.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(made.into_iter().filter(Result::is_err).all(|refused| taken(refused) == Taken::Invitation));
        let mut racers = JoinSet::new();
        for token in 0..16 {
            let catalog = catalog.clone();
            racers.spawn(async move { invitations::accept(&catalog, &[token; 32], bert.id).await });
        }
        let accepted = racers.join_all().await;
        assert_eq!(accepted.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(accepted.into_iter().filter(Result::is_err).all(is_missing));
    }
}
