//! Connecting, losing the connection, and durability.

use std::time::Duration;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use super::fixture::{new_user, user};
use super::on_each_database;
use crate::{Catalog, CatalogError, Database, Options, users};

#[derive(Debug, FromQueryResult)]
struct Number {
    number: i64,
}

async fn number(db: &sea_orm::DatabaseConnection, sql: &str) -> Vec<i64> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = Number::find_by_statement(statement).all(db).await.unwrap();
    rows.into_iter().map(|row| row.number).collect()
}

/// Ends every other connection of this database, as a restart of the server does.
async fn cut_connections(catalog: &Catalog) {
    match catalog.database() {
        Database::Sqlite => {}
        Database::PostgreSql => {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                        WHERE datname = current_database() AND pid <> pg_backend_pid()";
            catalog.reader().execute_unprepared(kill).await.unwrap();
        }
        Database::MariaDb => {
            let others = "SELECT CAST(id AS SIGNED) AS number FROM information_schema.processlist \
                          WHERE db = DATABASE() AND id <> CONNECTION_ID()";
            for id in number(catalog.reader(), others).await {
                // one that ended by itself meanwhile is no matter
                drop(catalog.reader().execute_unprepared(&format!("KILL {id}")).await);
            }
        }
    }
}

on_each_database! {
    async fn the_catalog_works_again_after_its_connections_were_cut(db) {
        let other = Catalog::connect(&db.url, Options::default()).await.unwrap();
        user(&other, "before").await;
        cut_connections(&db.catalog).await;
        // at most the first attempts meet a dead connection, and say that one may try again
        let mut failures = 0;
        while let Err(error) = users::create(&other, new_user("after")).await {
            assert!(matches!(error, CatalogError::Unavailable { .. }), "{error:?}");
            failures += 1;
            assert!(failures < 20, "the pool does not recover");
        }
        other.ping().await.unwrap();
        assert_eq!(users::count(&db.catalog).await.unwrap(), 2);
        other.close().await.unwrap();
        let closed = users::count(&other).await;
        assert!(matches!(closed, Err(CatalogError::Unavailable { .. })), "{closed:?}");
    }

    async fn a_transaction_that_is_dropped_leaves_nothing(db) {
        let transaction = db.catalog.begin().await.unwrap();
        transaction.execute_unprepared("UPDATE settings SET value = 'x'").await.unwrap();
        drop(transaction);
        user(&db.catalog, "anna").await;
        let read = crate::settings::get(&db.catalog, users::FIRST_ADMIN_LOCK).await.unwrap();
        assert_eq!(read.as_deref(), Some(""));
    }
}

#[tokio::test]
async fn urls_that_name_no_database_are_refused_without_repeating_them() {
    for url in ["", "oracle://user:secret@host/db", "sqlite::memory:", "/var/lib/x.db"] {
        let error = Catalog::connect(url, Options::default()).await.unwrap_err();
        assert!(matches!(error, CatalogError::Unexpected { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable() {
    let options = || Options { acquire_timeout: Duration::from_millis(500), ..Options::default() };
    for url in ["postgres://u:secret@127.0.0.1:1/db", "mysql://u:secret@127.0.0.1:1/db"] {
        let error = Catalog::connect(url, options()).await.unwrap_err();
        assert!(matches!(error, CatalogError::Unavailable { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"));
    }
    let error = Catalog::connect("sqlite:///nowhere/at/all.db", options()).await.unwrap_err();
    assert!(matches!(error, CatalogError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn the_sqlite_writer_syncs_each_commit_and_readers_cannot_write() {
    let db = crate::testing::TestDatabase::sqlite().await;
    let (writer, reader) = (db.catalog.writer(), db.catalog.reader());
    let pragma = |name: &str| format!("SELECT {name} AS number FROM pragma_{name}");
    assert_eq!(number(writer, &pragma("synchronous")).await, [2], "FULL");
    assert_eq!(number(writer, &pragma("foreign_keys")).await, [1]);
    assert_eq!(number(reader, &pragma("query_only")).await, [1]);
    let mode = Statement::from_string(
        writer.get_database_backend(),
        "SELECT journal_mode = 'wal' AS number FROM pragma_journal_mode",
    );
    assert_eq!(Number::find_by_statement(mode).one(writer).await.unwrap().unwrap().number, 1);
    assert!(reader.execute_unprepared("DELETE FROM settings").await.is_err());
}
