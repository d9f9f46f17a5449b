//! Links in messages: once, not too long, not too often, and only for what they were made for.

use std::time::Duration;

use boxvault_types::ids::{MailId, UserId};
use chrono::TimeDelta;

use super::fixture::{new_user, user};
use super::on_each_database;
use crate::links::{self, LinkKind, NewLink};
use crate::outbox::NewMail;
use crate::users::{self, SignUp};
use crate::{Catalog, CatalogError, Noun, Taken, outbox, sessions};

fn mail() -> NewMail {
    NewMail { id: MailId::new(), kind: "test", payload: Vec::new() }
}

fn link(catalog: &Catalog, user_id: UserId, kind: LinkKind, token: u8, email: &str) -> NewLink {
    let expires_at = catalog.now() + TimeDelta::minutes(30);
    NewLink { user_id, kind, token_hash: [token; 32], email: email.to_owned(), expires_at }
}

async fn reset(catalog: &Catalog, token: u8) -> Option<users::User> {
    let hash = "$argon2id$new".to_owned();
    links::reset_password(catalog, &[token; 32], hash, mail()).await.unwrap()
}

on_each_database! {
    async fn a_link_resets_a_password_once_and_ends_every_session(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let new = super::credentials::new_session(catalog, anna.id, 1);
        let session = sessions::create(catalog, new).await.unwrap().id;
        let email = anna.email.clone().unwrap();
        let kind = LinkKind::ResetPassword;
        for token in [1, 2] {
            links::create(catalog, link(catalog, anna.id, kind, token, &email), vec![mail()]).await.unwrap();
        }
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 2);
        assert!(links::find(catalog, kind, &[1; 32]).await.unwrap().is_none(), "the older one works");
        assert!(links::find(catalog, LinkKind::VerifyEmail, &[2; 32]).await.unwrap().is_none());
        let (found, owner) = links::find(catalog, kind, &[2; 32]).await.unwrap().unwrap();
        assert_eq!((found.email, owner.id), (email, anna.id));
        let changed = reset(catalog, 2).await.unwrap();
        assert_eq!(changed.password_hash.as_deref(), Some("$argon2id$new"));
        assert!(changed.email_verified_at.is_some());
        assert!(sessions::find_live(catalog, session).await.unwrap().is_none());
        assert_eq!(outbox::count(catalog).await.unwrap().waiting, 3);
        assert_eq!(reset(catalog, 2).await, None);
    }

    async fn a_link_ends_and_is_forgotten(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let new = link(catalog, anna.id, LinkKind::ResetPassword, 1, "anna@example.org");
        links::create(catalog, new, Vec::new()).await.unwrap();
        db.clock.advance(Duration::from_mins(31));
        assert_eq!(reset(catalog, 1).await, None);
        assert_eq!(links::forget_expired(catalog, Duration::from_hours(1)).await.unwrap(), 0);
        db.clock.advance(Duration::from_hours(1));
        assert_eq!(links::forget_expired(catalog, Duration::from_hours(1)).await.unwrap(), 1);
        let gone = link(catalog, UserId::new(), LinkKind::ResetPassword, 2, "x@example.org");
        let error = links::create(catalog, gone, Vec::new()).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { what: Noun::User }), "{error:?}");
    }

    async fn links_that_are_wished_for_are_made_only_so_often(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let wish = async |token: u8| {
            let new = link(catalog, anna.id, LinkKind::ResetPassword, token, "anna@example.org");
            let made_after = catalog.now() - TimeDelta::minutes(1);
            links::create_unless_recent(catalog, new, made_after).await.unwrap()
        };
        assert!(wish(1).await);
        assert!(!wish(2).await);
        db.clock.advance(Duration::from_mins(2));
        assert!(wish(3).await);
        assert!(reset(catalog, 1).await.is_none() && reset(catalog, 3).await.is_some());
    }

    async fn a_proven_address_becomes_the_accounts_unless_somebody_else_has_it(db) {
        let catalog = &db.catalog;
        user(catalog, "bert").await;
        let expires_at = catalog.now() + TimeDelta::hours(1);
        let new = SignUp { user: new_user("anna"), kind: LinkKind::VerifyEmail, token_hash: [1; 32], expires_at, mail: mail() };
        let anna = users::sign_up(catalog, new).await.unwrap();
        assert_eq!(anna.email_verified_at, None);
        let proven = links::verify_email(catalog, &[1; 32]).await.unwrap().unwrap();
        assert!(proven.email_verified_at.is_some() && proven.email == anna.email);
        for (token, email) in [(2, "bert@EXAMPLE.org"), (3, "Anne@Example.org")] {
            let new = link(catalog, anna.id, LinkKind::VerifyEmail, token, email);
            links::create(catalog, new, Vec::new()).await.unwrap();
            let outcome = links::verify_email(catalog, &[token; 32]).await;
            if token == 2 {
                let error = outcome.unwrap_err();
                assert!(matches!(error, CatalogError::AlreadyExists { what: Taken::Email }), "{error:?}");
                continue;
            }
            assert_eq!(outcome.unwrap().unwrap().email.as_deref(), Some("Anne@Example.org"));
        }
        let found = users::find_by_name_or_email(catalog, "anne@example.org").await.unwrap();
        assert_eq!(found.map(|user| user.id), Some(anna.id));
        // an address that an admin writes down is not proven, and ends what was sent to the one before
        let new = link(catalog, anna.id, LinkKind::ResetPassword, 4, "anne@example.org");
        links::create(catalog, new, Vec::new()).await.unwrap();
        let changes = users::UserChanges { email: Some("a@example.org".into()), ..Default::default() };
        assert_eq!(users::update(catalog, anna.id, changes).await.unwrap().email_verified_at, None);
        assert_eq!(reset(catalog, 4).await, None);
    }
}
