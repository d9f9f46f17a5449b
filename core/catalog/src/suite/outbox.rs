//! The outbox: who sends what, when again, and when no more.

use std::collections::BTreeSet;
use std::time::Duration;

use boxvault_types::ids::MailId;

use super::on_each_database;
use crate::outbox::{self, ClaimedMail, MailCounts, NewMail};
use crate::{Catalog, CatalogError, Page};

const LEASE: Duration = Duration::from_mins(1);

async fn queue(catalog: &Catalog) -> MailId {
    let id = MailId::new();
    let mail = NewMail { id, kind: "test", payload: vec![0, 1, 255] };
    outbox::queue(catalog, mail).await.unwrap();
    id
}

async fn claim(catalog: &Catalog, limit: u64) -> Vec<ClaimedMail> {
    outbox::claim(catalog, limit, LEASE).await.unwrap()
}

on_each_database! {
    async fn a_message_is_claimed_once_until_the_claim_ends(db) {
        let catalog = &db.catalog;
        assert_eq!(claim(catalog, 5).await, []);
        let (first, second) = (queue(catalog).await, queue(catalog).await);
        let claimed = claim(catalog, 1).await;
        assert_eq!(claimed.iter().map(|mail| mail.id).collect::<Vec<_>>(), [first]);
        assert_eq!((&*claimed[0].kind, &*claimed[0].payload), ("test", [0, 1, 255].as_slice()));
        assert_eq!(claim(catalog, 5).await[0].id, second);
        assert_eq!(claim(catalog, 5).await, []);
        // the server that claimed it died
        db.clock.advance(LEASE * 2);
        let again = claim(catalog, 5).await;
        assert_eq!(again.len(), 2);
        // and when it was only slow, what it says comes too late to count
        outbox::remove(catalog, &claimed[0]).await.unwrap();
        assert!(outbox::find(catalog, first).await.unwrap().is_some());
        for mail in &again {
            outbox::remove(catalog, mail).await.unwrap();
        }
        assert_eq!(outbox::count(catalog).await.unwrap(), MailCounts::default());
    }

    async fn a_failed_attempt_is_followed_by_another_one_or_by_none(db) {
        let catalog = &db.catalog;
        let id = queue(catalog).await;
        let mail = claim(catalog, 1).await.remove(0);
        let later = catalog.now() + chrono::TimeDelta::seconds(30);
        let problem = format!("no\0{}", "x".repeat(2_000));
        outbox::record_failure(catalog, &mail, &problem, Some(later)).await.unwrap();
        let state = outbox::find(catalog, id).await.unwrap().unwrap();
        assert_eq!((state.attempts, state.next_attempt_at), (1, Some(later)));
        assert_eq!(state.problem.unwrap().chars().count(), 500);
        assert_eq!(claim(catalog, 1).await, []);
        db.clock.advance(LEASE);
        let mail = claim(catalog, 1).await.remove(0);
        assert_eq!(mail.attempts, 1);
        outbox::record_failure(catalog, &mail, "refused", None).await.unwrap();
        assert_eq!(outbox::count(catalog).await.unwrap(), MailCounts { waiting: 0, given_up: 1 });
        let failed = outbox::list_failed(catalog, Page::default()).await.unwrap();
        assert_eq!((failed.total, failed.items[0].id), (1, id));
        assert_eq!(failed.items[0].problem.as_deref(), Some("refused"));
        db.clock.advance(LEASE * 100);
        assert_eq!(claim(catalog, 1).await, []);
        assert_eq!(outbox::retry_given_up(catalog).await.unwrap(), 1);
        let mail = claim(catalog, 1).await.remove(0);
        assert_eq!(mail.attempts, 0);
        outbox::record_failure(catalog, &mail, "refused", None).await.unwrap();
        assert_eq!(outbox::forget_given_up(catalog, Duration::from_hours(24)).await.unwrap(), 0);
        db.clock.advance(Duration::from_hours(25));
        assert_eq!(outbox::forget_given_up(catalog, Duration::from_hours(24)).await.unwrap(), 1);
        assert_eq!(outbox::find(catalog, id).await.unwrap(), None);
    }

    async fn several_servers_never_claim_the_same_message(db) {
        let catalog = &db.catalog;
        let mut queued = BTreeSet::new();
        for _ in 0..20 {
            queued.insert(queue(catalog).await);
        }
        let mut servers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let catalog = catalog.clone();
            servers.spawn(async move {
                let mut mine = Vec::new();
                loop {
                    match outbox::claim(&catalog, 3, LEASE).await {
                        Ok(claimed) if claimed.is_empty() => return mine,
                        Ok(claimed) => mine.extend(claimed.into_iter().map(|mail| mail.id)),
                        Err(CatalogError::Unavailable { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
        let all = servers.join_all().await.concat();
        assert_eq!(all.len(), 20);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), queued);
    }

    async fn an_idle_look_into_the_outbox_is_one_query(db) {
        let (claimed, queries) = db.count_statements(outbox::claim(&db.catalog, 10, LEASE)).await;
        assert_eq!((claimed.unwrap().len(), queries), (0, 1));
    }
}
