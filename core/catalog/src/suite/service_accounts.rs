//! Service accounts, and API tokens that are limited to an organization.

use boxvault_types::identity::{Role, TokenScope};
use boxvault_types::ids::{OrganizationId, UserId};
use boxvault_types::names::ServiceAccountName;
use chrono::TimeDelta;

use super::fixture::{organization, organization_name, user};
use super::on_each_database;
use crate::organizations::OrganizationChanges;
use crate::service_accounts::{self, NewServiceAccount, Secret, ServiceAccountChanges};
use crate::tokens::{self, NewToken};
use crate::{Catalog, CatalogError, Noun, Page, Taken, organizations, users};

fn name(text: &str) -> ServiceAccountName {
    ServiceAccountName::parse(text).unwrap()
}

fn secret(catalog: &Catalog, sponsor: UserId, byte: u8) -> Secret {
    Secret { hash: [byte; 32], sponsor, expires_at: catalog.now() + TimeDelta::days(1) }
}

fn new_service(
    catalog: &Catalog,
    of: OrganizationId,
    sponsor: UserId,
    byte: u8,
) -> NewServiceAccount {
    NewServiceAccount {
        organization_id: of,
        name: name("CI"),
        description: "d".to_owned(),
        role: Role::Admin,
        scope: TokenScope { pattern: Some("box/web/**".parse().unwrap()), ..TokenScope::default() },
        secret: secret(catalog, sponsor, byte),
    }
}

async fn lives(catalog: &Catalog, byte: u8) -> bool {
    service_accounts::find_live(catalog, &[byte; 32]).await.unwrap().is_some()
}

on_each_database! {
    async fn a_service_account_is_found_by_its_secret_with_all_that_it_may(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", anna.id).await;
        let other = organization(catalog, "other", anna.id).await;
        let made = service_accounts::create(catalog, new_service(catalog, acme.id, anna.id, 1)).await.unwrap();
        assert_eq!(made.sponsor.as_ref().unwrap().as_str(), "anna");
        let error = service_accounts::create(catalog, new_service(catalog, acme.id, anna.id, 2)).await.unwrap_err();
        let taken = Taken::ServiceAccount;
        assert!(matches!(error, CatalogError::AlreadyExists { what } if what == taken), "{error:?}");
        service_accounts::create(catalog, new_service(catalog, other.id, anna.id, 3)).await.unwrap();
        let error = service_accounts::create(catalog, new_service(catalog, OrganizationId::new(), anna.id, 4)).await;
        assert!(matches!(error, Err(CatalogError::NotFound { what: Noun::Organization })), "{error:?}");

        let live = service_accounts::find_live(catalog, &[1; 32]).await.unwrap().unwrap();
        assert_eq!((&live.service, live.organization.as_str()), (&made, "acme"));
        assert_eq!(live.sponsor.memberships.len(), 2);
        assert!(!lives(catalog, 2).await);
        let page = service_accounts::list(catalog, acme.id, Some("c"), Page::default()).await.unwrap();
        assert_eq!(page.items, std::slice::from_ref(&made));
        assert_eq!(service_accounts::find(catalog, acme.id, &name("ci")).await.unwrap(), Some(made));
        service_accounts::touch(catalog, &[live.service.id]).await.unwrap();
        let used = service_accounts::find(catalog, acme.id, &name("ci")).await.unwrap().unwrap();
        assert!(used.last_used_at.is_some());
    }

    async fn a_service_account_lives_no_longer_than_what_it_depends_on(db) {
        let catalog = &db.catalog;
        let (anna, bert) = (user(catalog, "anna").await, user(catalog, "bert").await);
        let acme = organization(catalog, "acme", anna.id).await;
        service_accounts::create(catalog, new_service(catalog, acme.id, bert.id, 1)).await.unwrap();
        let suspended = |suspended| ServiceAccountChanges { suspended: Some(suspended), ..ServiceAccountChanges::default() };
        for (change, expected) in [(true, false), (false, true)] {
            service_accounts::update(catalog, acme.id, &name("ci"), suspended(change)).await.unwrap();
            assert_eq!(lives(catalog, 1).await, expected);
        }
        users::suspend(catalog, bert.id).await.unwrap();
        assert!(!lives(catalog, 1).await, "its sponsor may not sign in");
        users::resume(catalog, bert.id).await.unwrap();
        organizations::delete(catalog, acme.id).await.unwrap();
        assert!(!lives(catalog, 1).await, "its organization is deleted");
        organizations::restore(catalog, acme.id, std::time::Duration::from_mins(1)).await.unwrap();
        assert!(lives(catalog, 1).await);
        users::delete(catalog, bert.id).await.unwrap();
        assert!(!lives(catalog, 1).await, "its sponsor is gone");
        let left = service_accounts::find(catalog, acme.id, &name("ci")).await.unwrap().unwrap();
        assert_eq!(left.sponsor, None);
        let again = secret(catalog, anna.id, 2);
        service_accounts::set_secret(catalog, acme.id, &name("ci"), again).await.unwrap();
        assert!(lives(catalog, 2).await && !lives(catalog, 1).await);
        db.clock.advance(std::time::Duration::from_hours(48));
        assert!(!lives(catalog, 2).await, "its time is over");
        service_accounts::delete(catalog, acme.id, &name("ci")).await.unwrap();
        let error = service_accounts::delete(catalog, acme.id, &name("ci")).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { what: Noun::ServiceAccount }), "{error:?}");
    }

    async fn a_token_knows_its_organization_whatever_it_is_called(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let bert = user(catalog, "bert").await;
        let acme = organization(catalog, "acme", anna.id).await;
        // one of a member, and one of somebody who is none
        for (owner, byte) in [(&anna, 1), (&bert, 2)] {
            let new = NewToken {
                user_id: owner.id,
                description: String::new(),
                token_hash: [byte; 32],
                scope: TokenScope { organization: Some(acme.name.clone()), ..TokenScope::default() },
                organization_id: Some(acme.id),
                expires_at: None,
            };
            tokens::create(catalog, new).await.unwrap();
        }
        let rename = OrganizationChanges { name: Some(organization_name("initech")), ..OrganizationChanges::default() };
        organizations::update(catalog, acme.id, rename).await.unwrap();
        organization(catalog, "acme", bert.id).await;
        for byte in [1, 2] {
            let (token, _) = tokens::find_live(catalog, &[byte; 32]).await.unwrap().unwrap();
            assert_eq!(token.scope.organization.unwrap().as_str(), "initech");
        }
        let page = tokens::list(catalog, anna.id, Page::default()).await.unwrap();
        assert_eq!(page.items[0].scope.organization.as_ref().unwrap().as_str(), "initech");
        let id = page.items[0].id;
        assert_eq!(tokens::find(catalog, anna.id, id).await.unwrap().as_ref(), page.items.first());
        assert_eq!(tokens::find(catalog, bert.id, id).await.unwrap(), None);
        organizations::delete(catalog, acme.id).await.unwrap();
        assert!(tokens::find_live(catalog, &[2; 32]).await.unwrap().is_none());
    }
}
