//! Sessions, API tokens, signing keys, settings, and the audit log.

use std::time::Duration;

use boxvault_types::action::Action;
use boxvault_types::identity::TokenScope;
use boxvault_types::ids::{SessionId, TokenId, UserId};
use chrono::TimeDelta;
use sea_orm_migration::MigratorTrait;

use super::fixture::{organization, organization_name, user};
use super::on_each_database;
use crate::audit::{self, AuditFilter, NewEntry};
use crate::begun_sign_ins::{self, BegunSignIn};
use crate::migration::Migrator;
use crate::sessions::{self, EndedThere, NewSession, Refresh, Rotation};
use crate::signing_keys::{self, SigningKey};
use crate::tokens::{self, NewToken};
use crate::{Catalog, CatalogError, Noun, Page, Taken, organizations, settings, users};

pub(super) fn new_session(catalog: &Catalog, user_id: UserId, hash: u8) -> NewSession {
    NewSession {
        id: SessionId::new(),
        user_id,
        expires_at: catalog.now() + TimeDelta::days(30),
        stay_logged_in: true,
        user_agent: Some("vagrant".to_owned()),
        address: Some("192.0.2.1".to_owned()),
        refresh_hash: [hash; 32],
        provider_session: None,
    }
}

fn refresh(catalog: &Catalog, session_id: SessionId, presented: u8, next: u8) -> Refresh {
    Refresh {
        session_id,
        presented: [presented; 32],
        next: [next; 32],
        expires_at: catalog.now() + TimeDelta::days(30),
        grace: Duration::from_secs(10),
    }
}

fn new_token(user_id: UserId, hash: u8) -> NewToken {
    NewToken {
        user_id,
        description: "CI".to_owned(),
        token_hash: [hash; 32],
        scope: TokenScope {
            actions: Some(vec![Action::Read, Action::Upload]),
            organization: None,
            pattern: None,
        },
        organization_id: None,
        expires_at: None,
    }
}

fn key(catalog: &Catalog, kid: &str) -> SigningKey {
    SigningKey {
        kid: kid.to_owned(),
        algorithm: "EdDSA".to_owned(),
        secret: vec![0, 1, 2, 255],
        created_at: catalog.now(),
        retire_at: None,
    }
}

on_each_database! {
    async fn a_refresh_token_is_used_once_and_an_older_one_ends_the_session(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let session = sessions::create(catalog, new_session(catalog, anna.id, 1)).await.unwrap();
        let use_token = |presented, next| {
            let refresh = refresh(catalog, session.id, presented, next);
            sessions::rotate(catalog, refresh)
        };
        let rotated = use_token(1, 2).await.unwrap();
        let Rotation::Rotated(after) = rotated else { panic!("{rotated:?}") };
        assert!(after.last_used_at > session.last_used_at && after.expires_at > session.expires_at);
        assert_eq!(use_token(1, 2).await.unwrap(), Rotation::Repeated(after), "a lost answer");
        assert_eq!(use_token(1, 9).await.unwrap(), Rotation::JustRotated, "made by another key");
        assert!(matches!(use_token(2, 3).await.unwrap(), Rotation::Rotated(_)));
        assert!(matches!(use_token(2, 3).await.unwrap(), Rotation::Repeated(_)));
        let reused = use_token(1, 2).await.unwrap();
        assert!(matches!(&reused, Rotation::Reused(s) if s.revoked_at.is_some()), "{reused:?}");
        assert_eq!(use_token(3, 4).await.unwrap(), Rotation::Invalid, "the thief is out, too");
        assert!(sessions::find_live(catalog, session.id).await.unwrap().is_none());
    }

    async fn of_many_who_present_one_token_at_once_all_get_the_same_next_one(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let session = sessions::create(catalog, new_session(catalog, anna.id, 1)).await.unwrap();
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (here, refresh) = (catalog.clone(), refresh(catalog, session.id, 1, 2));
            running.spawn(async move { sessions::rotate(&here, refresh).await });
        }
        let (mut rotated, mut repeated) = (Vec::new(), Vec::new());
        for rotation in running.join_all().await {
            match rotation.unwrap() {
                Rotation::Rotated(session) => rotated.push(session),
                Rotation::Repeated(session) => repeated.push(session),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((rotated.len(), repeated.len()), (1, 7));
        assert!(repeated.iter().all(|session| *session == rotated[0]), "{repeated:?}");
        // whichever of them goes on, the session does
        assert!(matches!(
            sessions::rotate(catalog, refresh(catalog, session.id, 2, 3)).await.unwrap(),
            Rotation::Rotated(_)
        ));
    }

    async fn the_grace_is_counted_from_the_first_exchange_and_not_from_the_last(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let session = sessions::create(catalog, new_session(catalog, anna.id, 1)).await.unwrap();
        let again = || sessions::rotate(catalog, refresh(catalog, session.id, 1, 2));
        assert!(matches!(again().await.unwrap(), Rotation::Rotated(_)));
        db.clock.advance(Duration::from_secs(6));
        assert!(matches!(again().await.unwrap(), Rotation::Repeated(_)));
        db.clock.advance(Duration::from_secs(6));
        assert!(matches!(again().await.unwrap(), Rotation::Reused(_)));
        assert!(sessions::find_live(catalog, session.id).await.unwrap().is_none());
    }

    async fn the_token_before_ends_the_session_once_the_grace_is_over(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let session = sessions::create(catalog, new_session(catalog, anna.id, 1)).await.unwrap();
        sessions::rotate(catalog, refresh(catalog, session.id, 1, 2)).await.unwrap();
        db.clock.advance(Duration::from_secs(11));
        let late = sessions::rotate(catalog, refresh(catalog, session.id, 1, 3)).await.unwrap();
        assert!(matches!(late, Rotation::Reused(_)), "{late:?}");
    }

    async fn an_expired_session_is_dead(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let session = sessions::create(catalog, new_session(catalog, anna.id, 1)).await.unwrap();
        db.clock.advance(Duration::from_hours(31 * 24));
        assert!(sessions::find_live(catalog, session.id).await.unwrap().is_none());
        let late = sessions::rotate(catalog, refresh(catalog, session.id, 1, 2)).await.unwrap();
        assert_eq!(late, Rotation::Invalid);
        assert_eq!(sessions::forget_ended(catalog, Duration::ZERO).await.unwrap(), 1);
    }

    async fn sessions_are_listed_and_ended(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let bert = user(catalog, "bert").await;
        let mut ids = Vec::new();
        for hash in 1..=3 {
            let new = new_session(catalog, anna.id, hash);
            ids.push(sessions::create(catalog, new).await.unwrap().id);
        }
        let of_bert = sessions::create(catalog, new_session(catalog, bert.id, 9)).await.unwrap();
        let twice = sessions::create(catalog, new_session(catalog, bert.id, 9)).await;
        assert!(matches!(twice, Err(CatalogError::AlreadyExists { what: Taken::RefreshToken })));
        let foreign = sessions::revoke(catalog, anna.id, of_bert.id).await;
        assert!(matches!(foreign, Err(CatalogError::NotFound { what: Noun::Session })));
        sessions::revoke(catalog, anna.id, ids[0]).await.unwrap();
        let page = sessions::list(catalog, anna.id, Page::default()).await.unwrap();
        assert_eq!(page.items.iter().map(|s| s.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
        assert_eq!(sessions::revoke_others(catalog, anna.id, ids[2]).await.unwrap(), 1);
        assert!(sessions::find_live(catalog, ids[2]).await.unwrap().is_some());
        assert_eq!(sessions::revoke_all(catalog, anna.id).await.unwrap(), 1);
        assert!(sessions::find_live(catalog, of_bert.id).await.unwrap().is_some());
    }

    async fn what_ended_at_a_provider_ends_here_and_nothing_else_does(db) {
        let catalog = &db.catalog;
        let mut people = Vec::new();
        for (issuer, subject) in [("corp", "1"), ("corp", "2"), ("other", "1")] {
            let claims = users::Claims {
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
                name: format!("{issuer}-{subject}").parse().unwrap(),
                email: None,
                display_name: String::new(),
                groups: Vec::new(),
            };
            people.push(users::upsert_external(catalog, claims).await.unwrap().id);
        }
        // by account and by the session there: a, b, one that nobody knows of
        let mut ids = Vec::new();
        for (index, person) in people.iter().enumerate() {
            for (there, name) in [Some("a"), Some("b"), None].into_iter().enumerate() {
                let hash = u8::try_from(index * 3 + there).unwrap();
                let provider_session = name.map(ToOwned::to_owned);
                let new = NewSession { provider_session, ..new_session(catalog, *person, hash) };
                ids.push(sessions::create(catalog, new).await.unwrap().id);
            }
        }
        let live = async || {
            let mut live = Vec::new();
            for (index, id) in ids.iter().enumerate() {
                if sessions::find_live(catalog, *id).await.unwrap().is_some() {
                    live.push(index);
                }
            }
            live
        };
        let begun_until = catalog.now();
        let ended = |subject, provider_session| EndedThere {
            issuer: "corp", subject, provider_session, begun_until,
        };
        let end = async |ended: EndedThere<'_>| sessions::revoke_ended_there(catalog, &ended).await.unwrap();
        assert_eq!(end(ended(None, None)).await, 0);
        assert_eq!(end(ended(Some("1"), Some("c"))).await, 1, "what nobody knows of");
        let before = EndedThere { begun_until: begun_until - TimeDelta::days(1), ..ended(Some("1"), None) };
        assert_eq!(end(before).await, 0, "sessions that began later");
        assert_eq!(live().await, [0, 1, 3, 4, 5, 6, 7, 8]);
        assert_eq!(end(ended(None, Some("a"))).await, 2, "of whomever it is");
        assert_eq!(live().await, [1, 4, 5, 6, 7, 8]);
        assert_eq!(end(ended(Some("2"), None)).await, 2);
        assert_eq!(live().await, [1, 6, 7, 8], "the other provider's are its own");
    }

    async fn a_begun_sign_in_is_taken_once_by_the_browser_that_began_it(db) {
        let catalog = &db.catalog;
        let begun = BegunSignIn {
            id: uuid::Uuid::new_v4(),
            provider: "corp".to_owned(),
            browser_hash: [1; 32],
            sealed: vec![0, 1, 2, 255],
            stay_logged_in: true,
            next_path: Some("/acme/debian".to_owned()),
            expires_at: catalog.now() + TimeDelta::minutes(10),
        };
        begun_sign_ins::create(catalog, begun.clone()).await.unwrap();
        let take = |provider: &'static str, hash: u8| async move {
            begun_sign_ins::take(catalog, begun.id, provider, &[hash; 32]).await.unwrap()
        };
        assert_eq!(take("corp", 2).await, None, "another browser");
        assert_eq!(take("other", 1).await, None, "another provider");
        assert_eq!(take("corp", 1).await, Some(begun.clone()));
        assert_eq!(take("corp", 1).await, None, "it came twice");
        begun_sign_ins::create(catalog, begun.clone()).await.unwrap();
        db.clock.advance(Duration::from_mins(11));
        assert_eq!(begun_sign_ins::forget_expired(catalog).await.unwrap(), 1);
        begun_sign_ins::create(catalog, begun.clone()).await.unwrap();
        assert_eq!(take("corp", 1).await, None, "it came too late");
    }

    async fn a_suspended_account_is_refused_at_once_with_every_credential(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        organization(catalog, "acme", anna.id).await;
        let session = sessions::create(catalog, new_session(catalog, anna.id, 1)).await.unwrap();
        let token = tokens::create(catalog, new_token(anna.id, 7)).await.unwrap();

        let (live, queries) = db.count_statements(sessions::find_live(catalog, session.id)).await;
        let (found, account) = live.unwrap().unwrap();
        assert_eq!((found, account.user.id, queries), (session.clone(), anna.id, 3));
        let (live, queries) = db.count_statements(tokens::find_live(catalog, &[7; 32])).await;
        let (found, account) = live.unwrap().unwrap();
        assert_eq!((found, account.memberships.len(), queries), (token, 1, 3));

        users::suspend(catalog, anna.id).await.unwrap();
        assert!(sessions::find_live(catalog, session.id).await.unwrap().is_none());
        assert!(tokens::find_live(catalog, &[7; 32]).await.unwrap().is_none());
    }

    /// The first release knew the organization of a token by its name alone.
    async fn a_token_of_the_first_release_means_its_organization_whatever_that_is_called(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let acme = organization(catalog, "Acme", anna.id).await;
        for (hash, name) in [(1, Some("ACME")), (2, Some("gone")), (3, None)] {
            let scope = TokenScope { organization: name.map(organization_name), ..TokenScope::default() };
            tokens::create(catalog, NewToken { scope, ..new_token(anna.id, hash) }).await.unwrap();
        }
        let live = async |hash: u8| tokens::find_live(catalog, &[hash; 32]).await.unwrap();
        assert!(live(1).await.is_none() && live(3).await.is_some(), "a name alone is nobody's");
        let before = Migrator::migrations()
            .iter()
            .rposition(|migration| migration.name() == "m20261126_000302_bind_tokens")
            .unwrap();
        let steps = u32::try_from(Migrator::migrations().len() - before).unwrap();
        Migrator::down(catalog.writer(), Some(steps)).await.unwrap();
        catalog.migrate().await.unwrap();

        let changes = organizations::OrganizationChanges {
            name: Some(organization_name("initech")),
            ..organizations::OrganizationChanges::default()
        };
        organizations::update(catalog, acme.id, changes).await.unwrap();
        organization(catalog, "acme", anna.id).await;
        organization(catalog, "gone", anna.id).await;
        let (bound, _) = live(1).await.unwrap();
        assert_eq!(bound.organization_id, Some(acme.id));
        assert_eq!(bound.scope.organization, Some(organization_name("initech")));
        assert!(live(2).await.is_none(), "the name is another one's now");
        let (unbound, _) = live(3).await.unwrap();
        assert_eq!((unbound.organization_id, unbound.scope), (None, TokenScope::default()));
    }

    async fn tokens_expire_are_used_and_are_withdrawn(db) {
        let catalog = &db.catalog;
        let anna = user(catalog, "anna").await;
        let bert = user(catalog, "bert").await;
        let new = NewToken { expires_at: Some(catalog.now() + TimeDelta::hours(1)), ..new_token(anna.id, 1) };
        let short = tokens::create(catalog, new).await.unwrap();
        let long = tokens::create(catalog, new_token(anna.id, 2)).await.unwrap();
        let same = tokens::create(catalog, new_token(anna.id, 2)).await;
        assert!(matches!(same, Err(CatalogError::AlreadyExists { what: Taken::Token })));
        assert!(tokens::find_live(catalog, &[3; 32]).await.unwrap().is_none());
        assert!(tokens::find_live(catalog, &[1; 32]).await.unwrap().is_some());
        tokens::touch(catalog, &[short.id, long.id, TokenId::new()]).await.unwrap();
        tokens::touch(catalog, &[]).await.unwrap();
        let page = tokens::list(catalog, anna.id, Page::default()).await.unwrap();
        assert_eq!(page.items.iter().map(|token| token.id).collect::<Vec<_>>(), [long.id, short.id]);
        assert!(page.items.iter().all(|token| token.last_used_at.is_some()));
        assert_eq!(page.items[0].scope, new_token(anna.id, 2).scope);

        db.clock.advance(Duration::from_secs(3_700));
        assert!(tokens::find_live(catalog, &[1; 32]).await.unwrap().is_none());
        let foreign = tokens::revoke(catalog, bert.id, long.id).await;
        assert!(matches!(foreign, Err(CatalogError::NotFound { what: Noun::Token })));
        tokens::revoke(catalog, anna.id, long.id).await.unwrap();
        assert!(tokens::find_live(catalog, &[2; 32]).await.unwrap().is_none());
    }

    async fn a_signing_key_is_exchanged_at_an_age_by_one_server_and_the_old_one_holds_on(db) {
        let catalog = &db.catalog;
        signing_keys::first_or_insert(catalog, key(catalog, "k1")).await.unwrap();
        let rotate = async |kid: &str, age: TimeDelta| {
            let (now, fresh) = (catalog.now(), key(catalog, kid));
            let (made_after, retire_at) = (now - age, now + TimeDelta::hours(1));
            let entry = NewEntry { object: kid.to_owned(), ..NewEntry::default() };
            signing_keys::rotate(catalog, fresh, made_after, retire_at, entry).await.unwrap()
        };
        let kids = async || -> Vec<String> {
            let keys = signing_keys::list(catalog).await.unwrap();
            keys.into_iter().map(|key| key.kid).collect()
        };
        assert!(!rotate("k2", TimeDelta::days(30)).await);
        db.clock.advance(Duration::from_hours(24 * 31));
        assert!(rotate("k2", TimeDelta::days(30)).await);
        assert!(!rotate("k3", TimeDelta::days(30)).await, "another server was faster");
        assert_eq!(kids().await, ["k2", "k1"]);
        db.clock.advance(Duration::from_hours(2));
        assert_eq!(kids().await, ["k2"]);
        assert!(rotate("k4", TimeDelta::zero()).await, "at once");
        let log = audit::list(catalog, &AuditFilter::default(), Page::default()).await.unwrap();
        let rows: Vec<_> = log.items.iter().map(|row| &*row.object).collect();
        assert_eq!(rows, ["k4", "k2"], "what was not done is in no log");
        assert_eq!(kids().await, ["k4", "k2"]);
    }

    async fn signing_keys_are_newest_first_until_they_retire(db) {
        let catalog = &db.catalog;
        let first = signing_keys::first_or_insert(catalog, key(catalog, "k1")).await.unwrap();
        let same = signing_keys::first_or_insert(catalog, key(catalog, "k2")).await.unwrap();
        assert_eq!(same, first);
        signing_keys::add(catalog, key(catalog, "k3")).await.unwrap();
        let twice = signing_keys::add(catalog, key(catalog, "k3")).await;
        assert!(matches!(twice, Err(CatalogError::AlreadyExists { .. })));
        let kids = signing_keys::list(catalog).await.unwrap();
        assert_eq!(kids.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["k3", "k1"]);
        assert_eq!(kids[0].secret, [0, 1, 2, 255]);
        assert!(signing_keys::retire(catalog, "k3", catalog.now()).await.unwrap());
        assert!(!signing_keys::retire(catalog, "other", catalog.now()).await.unwrap());
        let left = signing_keys::list(catalog).await.unwrap();
        assert_eq!(left.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["k1"]);
    }

    async fn settings_are_kept_and_taken_once(db) {
        let catalog = &db.catalog;
        assert_eq!(settings::get(catalog, "a").await.unwrap(), None);
        assert_eq!(settings::put_if_absent(catalog, "a", "1").await.unwrap(), "1");
        assert_eq!(settings::put_if_absent(catalog, "a", "2").await.unwrap(), "1");
        settings::put(catalog, "a", "3").await.unwrap();
        settings::put(catalog, "A", "other").await.unwrap();
        assert_eq!(settings::get(catalog, "a").await.unwrap().as_deref(), Some("3"));
        assert!(settings::delete(catalog, "a").await.unwrap());
        assert!(!settings::delete(catalog, "a").await.unwrap());
    }

    async fn audit_rows_are_filtered_and_newest_first(db) {
        let catalog = &db.catalog;
        let acme = organization(catalog, "Acme", user(catalog, "owner").await.id).await;
        let entry = |action: &str, organization: Option<&str>, actor: Option<&str>| NewEntry {
            actor_name: actor.map(str::to_owned),
            credential: "token".to_owned(),
            action: action.to_owned(),
            organization: organization.map(organization_name),
            object: "box/debian/version/1.0".to_owned(),
            allowed: action != "read",
            status: Some(200),
            detail: Some(serde_json::json!({"from": "a", "to": ["b"]})),
            ..NewEntry::default()
        };
        audit::insert(catalog, vec![entry("create", Some("Acme"), Some("anna"))]).await.unwrap();
        let between = catalog.now();
        let mut rows = vec![entry("read", None, None), entry("delete", Some("acme"), None)];
        rows[0].object = "box/debian_".to_owned();
        audit::insert(catalog, rows).await.unwrap();
        audit::insert(catalog, vec![entry("update", Some("gone"), None)]).await.unwrap();
        audit::insert(catalog, Vec::new()).await.unwrap();
        let actions = |filter: AuditFilter| async move {
            let page = audit::list(catalog, &filter, Page::default()).await.unwrap();
            page.items.into_iter().map(|row| row.action).collect::<Vec<_>>()
        };
        let all = AuditFilter::default;
        assert_eq!(actions(all()).await, ["update", "delete", "read", "create"]);
        let of_acme = || AuditFilter { organization: Some(acme.id), ..all() };
        assert_eq!(actions(of_acme()).await, ["delete", "create"]);
        for (filter, expected) in [
            (AuditFilter { actor: Some("anna".parse().unwrap()), ..all() }, "create"),
            (AuditFilter { until: Some(between), ..all() }, "create"),
            (AuditFilter { action: Some("delete".to_owned()), ..all() }, "delete"),
            (AuditFilter { allowed: Some(false), ..all() }, "read"),
            (AuditFilter { object: Some("box/debian".to_owned()), since: Some(between), ..of_acme() }, "delete"),
            (AuditFilter { object: Some("box/debian_".to_owned()), ..all() }, "read"),
        ] {
            assert_eq!(actions(filter.clone()).await, [expected], "{filter:?}");
        }
        for nothing in ["box/deb", "box/debian/ver", "box/%"] {
            let filter = AuditFilter { object: Some(nothing.to_owned()), ..all() };
            assert_eq!(actions(filter).await, Vec::<String>::new(), "{nothing}");
        }
        let page = audit::list(catalog, &of_acme(), Page::default()).await.unwrap();
        assert_eq!(page.items[0].detail, entry("delete", None, None).detail);
        assert_eq!(page.items[0].status, Some(200));
    }

    async fn the_history_of_an_organization_is_not_that_of_the_next_one_with_its_name(db) {
        let catalog = &db.catalog;
        let owner = user(catalog, "owner").await.id;
        let first = organization(catalog, "acme", owner).await;
        let entry = |action: &str| NewEntry {
            action: action.to_owned(),
            organization: Some(organization_name("acme")),
            ..NewEntry::default()
        };
        audit::insert(catalog, vec![entry("create")]).await.unwrap();
        organizations::delete(catalog, first.id).await.unwrap();
        organizations::purge_deleted(catalog, Duration::ZERO).await.unwrap();
        let of = |organization| AuditFilter { organization, ..AuditFilter::default() };
        let second = organization(catalog, "acme", owner).await;
        audit::insert(catalog, vec![entry("update")]).await.unwrap();
        for (id, expected) in [(first.id, "create"), (second.id, "update")] {
            let page = audit::list(catalog, &of(Some(id)), Page::default()).await.unwrap();
            let actions: Vec<_> = page.items.iter().map(|row| &*row.action).collect();
            assert_eq!(actions, [expected]);
        }
    }

    async fn the_whole_audit_log_is_read_piece_by_piece_and_forgotten_by_age(db) {
        let catalog = &db.catalog;
        let all = AuditFilter::default();
        let many = (0..1_201).map(|n| NewEntry { object: format!("box/{n}"), ..NewEntry::default() });
        audit::insert(catalog, many.collect()).await.unwrap();
        let (mut seen, mut last) = (std::collections::BTreeSet::new(), None);
        loop {
            let piece = audit::read_on(catalog, &all, last.as_ref(), 500).await.unwrap();
            assert!(piece.len() <= 500);
            seen.extend(piece.iter().map(|entry| entry.object.clone()));
            let Some(entry) = piece.into_iter().next_back() else { break };
            last = Some(entry);
        }
        assert_eq!(seen.len(), 1_201);
        let day = Duration::from_hours(24);
        assert_eq!(audit::forget_older_than(catalog, day).await.unwrap(), 0);
        let now = Duration::ZERO;
        assert_eq!(audit::forget_older_than(catalog, now).await.unwrap(), 1_201);
        let page = audit::list(catalog, &all, Page::default()).await.unwrap();
        assert_eq!((page.total, page.items.len()), (0, 0));
    }
}
