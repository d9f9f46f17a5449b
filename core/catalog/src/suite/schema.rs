//! The migrations: up, down, up; the models are what they make; every unique index is known to the errors.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, IdenStatic, Iterable, Statement};
use sea_orm_migration::MigratorTrait;

use super::fixture::user;
use super::on_each_database;
use crate::entity;
use crate::error::UNIQUE_INDEXES;
use crate::migration::Migrator;
use crate::{Catalog, Database};

#[derive(Debug, FromQueryResult)]
struct Text {
    text: String,
}

async fn texts(catalog: &Catalog, sql: &str) -> BTreeSet<String> {
    let statement = Statement::from_string(catalog.reader().get_database_backend(), sql);
    let rows = Text::find_by_statement(statement).all(catalog.reader()).await.unwrap();
    rows.into_iter().map(|row| row.text).collect()
}

/// Each column of the database as `table.column` and whether it may be null.
async fn columns_of_the_database(catalog: &Catalog) -> BTreeSet<String> {
    let sql = match catalog.database() {
        Database::Sqlite => {
            "SELECT t.name || '.' || c.name || \
             CASE WHEN c.\"notnull\" = 1 THEN '' ELSE ' null' END AS text \
             FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'"
        }
        Database::PostgreSql => {
            "SELECT table_name || '.' || column_name || \
             CASE WHEN is_nullable = 'NO' THEN '' ELSE ' null' END AS text \
             FROM information_schema.columns WHERE table_schema = 'public'"
        }
        Database::MariaDb => {
            "SELECT CONCAT(table_name, '.', column_name, \
             CASE WHEN is_nullable = 'NO' THEN '' ELSE ' null' END) AS text \
             FROM information_schema.columns WHERE table_schema = DATABASE()"
        }
    };
    let mut all = texts(catalog, sql).await;
    all.retain(|column| !column.starts_with("seaql_migrations.") && !column.starts_with("sqlite_"));
    all
}

fn columns_of<E: EntityTrait>(entity: E) -> impl Iterator<Item = String> {
    let table = entity.table_name().to_owned();
    E::Column::iter().map(move |column| {
        let null = if column.def().is_null() { " null" } else { "" };
        format!("{table}.{}{null}", column.as_str())
    })
}

fn columns_of_the_models() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    all.extend(columns_of(entity::account_links::Entity));
    all.extend(columns_of(entity::api_tokens::Entity));
    all.extend(columns_of(entity::archives::Entity));
    all.extend(columns_of(entity::artifacts::Entity));
    all.extend(columns_of(entity::audit::Entity));
    all.extend(columns_of(entity::avatars::Entity));
    all.extend(columns_of(entity::begun_sign_ins::Entity));
    all.extend(columns_of(entity::blob_moves::Entity));
    all.extend(columns_of(entity::blobs::Entity));
    all.extend(columns_of(entity::box_artworks::Entity));
    all.extend(columns_of(entity::box_downloads::Entity));
    all.extend(columns_of(entity::box_watches::Entity));
    all.extend(columns_of(entity::box_words::Entity));
    all.extend(columns_of(entity::boxes::Entity));
    all.extend(columns_of(entity::former_box_names::Entity));
    all.extend(columns_of(entity::mail_outbox::Entity));
    all.extend(columns_of(entity::idempotency_keys::Entity));
    all.extend(columns_of(entity::memberships::Entity));
    all.extend(columns_of(entity::mirrored_boxes::Entity));
    all.extend(columns_of(entity::mirrors::Entity));
    all.extend(columns_of(entity::invitations::Entity));
    all.extend(columns_of(entity::join_requests::Entity));
    all.extend(columns_of(entity::organization_names::Entity));
    all.extend(columns_of(entity::organization_stores::Entity));
    all.extend(columns_of(entity::organizations::Entity));
    all.extend(columns_of(entity::policy_versions::Entity));
    all.extend(columns_of(entity::providers::Entity));
    all.extend(columns_of(entity::recovery_codes::Entity));
    all.extend(columns_of(entity::second_factors::Entity));
    all.extend(columns_of(entity::quotas::Entity));
    all.extend(columns_of(entity::resumable_uploads::Entity));
    all.extend(columns_of(entity::release_notices::Entity));
    all.extend(columns_of(entity::service_accounts::Entity));
    all.extend(columns_of(entity::sessions::Entity));
    all.extend(columns_of(entity::settings::Entity));
    all.extend(columns_of(entity::sign_in_attempts::Entity));
    all.extend(columns_of(entity::signing_keys::Entity));
    all.extend(columns_of(entity::store_moves::Entity));
    all.extend(columns_of(entity::upload_parts::Entity));
    all.extend(columns_of(entity::uploads::Entity));
    all.extend(columns_of(entity::user_groups::Entity));
    all.extend(columns_of(entity::users::Entity));
    all.extend(columns_of(entity::verifications::Entity));
    all.extend(columns_of(entity::versions::Entity));
    all
}

/// The names of the unique indexes that are no primary keys.
async fn unique_indexes_of_the_database(catalog: &Catalog) -> BTreeSet<String> {
    let sql = match catalog.database() {
        Database::Sqlite => {
            "SELECT name AS text FROM sqlite_master WHERE sql LIKE 'CREATE UNIQUE%'"
        }
        Database::PostgreSql => {
            "SELECT c.relname::text AS text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE i.indisunique AND NOT i.indisprimary AND n.nspname = 'public'"
        }
        Database::MariaDb => {
            "SELECT DISTINCT index_name AS text FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND non_unique = 0 AND index_name <> 'PRIMARY'"
        }
    };
    texts(catalog, sql).await
}

on_each_database! {
    async fn the_migrations_go_up_down_and_up_again(db) {
        let catalog = &db.catalog;
        let first = columns_of_the_database(catalog).await;
        user(catalog, "anna").await;
        Migrator::down(catalog.writer(), None).await.unwrap();
        assert_eq!(columns_of_the_database(catalog).await, BTreeSet::new());
        catalog.migrate().await.unwrap();
        assert_eq!(columns_of_the_database(catalog).await, first);
        catalog.migrate().await.unwrap();
        assert_eq!(crate::users::count(catalog).await.unwrap(), 0);
    }

    async fn the_models_are_what_the_migrations_make(db) {
        assert_eq!(columns_of_the_models(), columns_of_the_database(&db.catalog).await);
    }

    async fn every_unique_index_is_known_to_the_errors(db) {
        let known = UNIQUE_INDEXES.iter().map(|(_, name, _)| (*name).to_owned());
        assert_eq!(known.collect::<BTreeSet<_>>(), unique_indexes_of_the_database(&db.catalog).await);
    }

    async fn several_servers_may_migrate_at_once(db) {
        Migrator::down(db.catalog.writer(), None).await.unwrap();
        let mut servers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let url = db.url.clone();
            servers.spawn(async move {
                let catalog = Catalog::connect(&url, crate::Options::default()).await.unwrap();
                catalog.migrate().await.unwrap();
                catalog.close().await.unwrap();
            });
        }
        servers.join_all().await;
        user(&db.catalog, "anna").await;
    }
}
