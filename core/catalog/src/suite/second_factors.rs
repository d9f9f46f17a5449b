//! Second factors: set up, used once each, taken away. And pictures and preferences, which lie beside them.

use boxvault_types::digest::Digest;
use boxvault_types::ids::UserId;

use super::fixture::{organization, user};
use super::on_each_database;
use crate::avatars::{self, Avatar};
use crate::second_factors::{
    begin, confirm, count_recovery_codes, find, remove, renew_recovery_codes, use_recovery_code,
    use_step,
};
use crate::users::{self, Preferences};
use crate::{CatalogError, Noun};

on_each_database! {
    async fn a_second_factor_is_confirmed_before_it_counts_and_each_code_is_used_once(db) {
        let (catalog, anna) = (&db.catalog, user(&db.catalog, "anna").await.id);
        assert!(begin(catalog, anna, vec![1]).await.unwrap());
        assert!(begin(catalog, anna, vec![2]).await.unwrap(), "begun anew");
        assert!(!renew_recovery_codes(catalog, anna, &[[9; 32]]).await.unwrap());
        assert!(confirm(catalog, anna, 100, &[[1; 32], [2; 32]]).await.unwrap());
        assert!(!confirm(catalog, anna, 101, &[]).await.unwrap());
        assert!(!begin(catalog, anna, vec![3]).await.unwrap(), "over one that is on");
        let factor = find(catalog, anna).await.unwrap().unwrap();
        assert_eq!((factor.secret, factor.last_step), (vec![2], 100));
        assert!(factor.confirmed_at.is_some());

        for (step, good) in [(100, false), (99, false), (101, true), (101, false)] {
            assert_eq!(use_step(catalog, anna, step).await.unwrap(), good, "{step}");
        }
        assert!(use_recovery_code(catalog, anna, &[1; 32]).await.unwrap());
        assert!(!use_recovery_code(catalog, anna, &[1; 32]).await.unwrap());
        assert_eq!(count_recovery_codes(catalog, anna).await.unwrap(), 1);
        assert!(renew_recovery_codes(catalog, anna, &[[3; 32]]).await.unwrap());
        assert!(!use_recovery_code(catalog, anna, &[2; 32]).await.unwrap());
        assert!(remove(catalog, anna).await.unwrap() && !remove(catalog, anna).await.unwrap());
        assert_eq!(count_recovery_codes(catalog, anna).await.unwrap(), 0);
        let error = begin(catalog, UserId::new(), vec![1]).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { what: Noun::User }), "{error:?}");
    }

    async fn of_many_who_present_one_code_at_once_one_gets_in(db) {
        let anna = user(&db.catalog, "anna").await.id;
        begin(&db.catalog, anna, vec![1]).await.unwrap();
        confirm(&db.catalog, anna, 1, &[[1; 32]]).await.unwrap();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let catalog = db.catalog.clone();
            all.spawn(async move {
                let step = use_step(&catalog, anna, 2).await.unwrap();
                (step, use_recovery_code(&catalog, anna, &[1; 32]).await.unwrap())
            });
        }
        let all = all.join_all().await;
        assert_eq!(all.iter().filter(|(step, _)| *step).count(), 1);
        assert_eq!(all.iter().filter(|(_, code)| *code).count(), 1);
    }

    async fn a_picture_and_preferences_are_read_back_and_go_with_the_account(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "acme", user(catalog, "bert").await.id).await;
        assert_eq!(avatars::find(catalog, anna.id).await.unwrap(), None);
        let avatar = Avatar {
            content_type: "image/png".to_owned(),
            bytes: vec![7; 100_000],
            digest: Digest([7; 32]),
        };
        avatars::put(catalog, anna.id, avatar.clone()).await.unwrap();
        avatars::put(catalog, anna.id, avatar.clone()).await.unwrap();
        assert_eq!(avatars::find(catalog, anna.id).await.unwrap(), Some(avatar.clone()));
        let preferences = Preferences {
            language: Some("de-AT".to_owned()),
            theme: Some("dark".to_owned()),
            time_zone: Some("Europe/Vienna".to_owned()),
            default_organization: Some(acme.id),
        };
        let changed = users::set_preferences(catalog, anna.id, preferences.clone()).await.unwrap();
        assert_eq!((&changed.preferences, changed.avatar_digest), (&preferences, Some(avatar.digest)));
        assert_eq!(users::find(catalog, anna.id).await.unwrap(), Some(changed));
        avatars::remove(catalog, anna.id).await.unwrap();
        assert_eq!(users::find(catalog, anna.id).await.unwrap().unwrap().avatar_digest, None);
        avatars::put(catalog, anna.id, avatar.clone()).await.unwrap();
        users::delete(catalog, anna.id).await.unwrap();
        assert_eq!(avatars::find(catalog, anna.id).await.unwrap(), None);
        let error = avatars::put(catalog, anna.id, avatar).await.unwrap_err();
        assert!(matches!(error, CatalogError::NotFound { what: Noun::User }), "{error:?}");
    }
}
