//! The catalog's tests: written once, run on SQLite, PostgreSQL and MariaDB.

mod fixture;

mod accounts;
mod archives;
mod box_life;
mod box_search;
mod boxes;
mod conditions;
mod connection;
mod contents;
mod credentials;
mod deadlocks;
mod files;
mod invitations;
mod join_requests;
mod links;
mod mirrors;
mod moves;
mod organizations;
mod outbox;
mod policies;
mod quotas;
mod races;
mod resumable;
mod schema;
mod second_factors;
mod service_accounts;
mod store_moves;
mod verifications;
mod watches;

/// Makes three tests of one: each on a fresh database of its kind.
macro_rules! on_each_database {
    ($($(#[$doc:meta])* async fn $name:ident($db:ident) $body:block)+) => {
        $(
            $(#[$doc])*
            async fn $name($db: $crate::testing::TestDatabase) $body

            mod $name {
                use $crate::Database;
                use $crate::testing::run;

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_sqlite() {
                    run(Database::Sqlite, super::$name).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_postgresql() {
                    run(Database::PostgreSql, super::$name).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_mariadb() {
                    run(Database::MariaDb, super::$name).await;
                }
            }
        )+
    };
}
pub(crate) use on_each_database;
