//! The schema's history. Never names a model of `entity/`: those follow the newest schema, migrations keep the old.
#![expect(
    elided_lifetimes_in_paths,
    reason = "the migration trait elides this lifetime, and an implementation must do as the trait does"
)]

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod columns;
mod m20260901_000001_create_users;
mod m20260901_000002_create_boxes;
mod m20260901_000003_create_audit;
mod m20261125_000501_widen_audit;
mod m20261125_000502_create_idempotency_keys;

pub(crate) struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260901_000001_create_users::Migration),
            Box::new(m20260901_000002_create_boxes::Migration),
            Box::new(m20260901_000003_create_audit::Migration),
            Box::new(m20261125_000501_widen_audit::Migration),
            Box::new(m20261125_000502_create_idempotency_keys::Migration),
        ]
    }
}
